package integration_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
)

// Without a quorum a server serves reads to clients that agree, and becomes an
// ordinary one again when the others are back.
func TestReadOnly_ClientsThatAgreeCanRead(t *testing.T) {
	needPython(t, "import kazoo", "python3-kazoo")
	c := startCluster(t, cluster.Config{Servers: 3, Lines: []string{"readonlymode.enabled=true", "4lw.commands.whitelist=*"}})
	left := c.Server(1)
	conn := dial(t, left.ClientAddr())
	require.NoError(t, conn.Create("/ro", []byte("before")))
	c.Server(2).Kill()
	c.Server(3).Kill()
	eventually(t, servingTimeout, "the server serves reads", func() error {
		text, err := left.FourLetter("isro")
		if err == nil && text != "ro" {
			err = fmt.Errorf("isro says %q", text)
		}
		return err
	})
	mode, err := left.Mode()
	require.NoError(t, err)
	assert.Equal(t, "read-only", mode)
	runToOK(t, python, scriptPath(t, "kazoo_readonly.py"), left.ClientAddr())

	// After a restart it cannot know how much of its log was committed.
	left.Kill()
	require.NoError(t, left.Start())
	eventually(t, servingTimeout, "the server is up", func() error {
		_, err := left.FourLetter("ruok")
		return err
	})
	time.Sleep(3 * time.Second) // longer than it takes to begin
	text, err := left.FourLetter("isro")
	require.NoError(t, err)
	assert.Equal(t, "null", text)

	require.NoError(t, c.Start(2))
	require.NoError(t, c.WaitServing(servingTimeout, 1, 2))
	text, err = left.FourLetter("isro")
	require.NoError(t, err)
	assert.Equal(t, "rw", text)
	conn = dial(t, left.ClientAddr())
	data, _, err := conn.Get("/ro")
	require.NoError(t, err)
	assert.Equal(t, "before", string(data))
	require.NoError(t, conn.Set("/ro", []byte("after")))
}
