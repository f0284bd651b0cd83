package main

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server of ZooKeeper's takes memb for the length of a request that is too long.
func TestStatus_SaysWhatIsWrongWithAnotherServer(t *testing.T) {
	for answer, want := range map[string]string{
		"":              " closes the connection without an answer: is it a quorate server? ZooKeeper does not know the word memb",
		"memb is not …": ` answers "memb is not …": is it a quorate server, and is memb in its 4lw.commands.whitelist?`,
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(nc, make([]byte, len("memb")))
			_, _ = io.WriteString(nc, answer)
			_ = nc.Close()
		}()
		var out, errs bytes.Buffer
		assert.Equal(t, exitNotOK, run(t.Context(), []string{"status", "-s", ln.Addr().String()}, &out, &errs))
		assert.Contains(t, errs.String(), "quorate: "+ln.Addr().String()+want)
		assert.NotContains(t, errs.String(), "does not answer")
		assert.Empty(t, out.String())
		_ = ln.Close()
		<-ended
	}
}

func TestStatus_SaysThatNobodyAnswers(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	var out, errs bytes.Buffer
	assert.Equal(t, exitNotOK, run(t.Context(), []string{"status", "-s", ln.Addr().String()}, &out, &errs))
	assert.Regexp(t, `^quorate: \S+ does not answer: .*: is a server running there\? \(-s names others\)\n$`, errs.String())
}
