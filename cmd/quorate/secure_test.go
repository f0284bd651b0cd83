package main

import (
	"bytes"
	"crypto/x509/pkix"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/certs/certstest"
	"github.com/quorate/quorate/server/sasl"
)

func TestInstance_OpensAllPorts(t *testing.T) {
	dir := t.TempDir()
	ca := certstest.Authority(t, "ca")
	certstest.Write(t, filepath.Join(dir, "ca.pem"), ca.CertPEM())
	certstest.Write(t, filepath.Join(dir, "server.pem"), ca.Issue(t, pkix.Name{CommonName: "server"}).StorePEM(t))
	cfg := requireConfig(t, "dataDir="+dir+"\nclientPort=1\nsecureClientPort=2\nssl.keyStore.location="+dir+"/server.pem\n"+
		"ssl.trustStore.location="+dir+"/ca.pem\n", "")
	cfg.ClientAddr, cfg.TLS.Addr = "127.0.0.1:0", "127.0.0.1:0"
	in, err := newInstance(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Len(t, in.listeners(), 2)
	at := in.setup()
	assert.NotZero(t, at.ClientPort)
	assert.NotZero(t, at.SecureClientPort)
	in.closeClients()
	for _, ln := range in.listeners() {
		_, err = ln.Accept()
		assert.ErrorIs(t, err, net.ErrClosed)
	}

	cfg.ClientAddr = "192.0.2.1:0" // nobody's
	_, err = newInstance(cfg, slog.New(slog.DiscardHandler))
	assert.ErrorContains(t, err, ": is that an address of this machine?")
	cfg.ClientAddr = "127.0.0.1:0"

	cfg.TLS.Certs.Keys.Location = dir + "/nothing.pem"
	_, err = newInstance(cfg, slog.New(slog.DiscardHandler))
	assert.ErrorContains(t, err, "ssl.keyStore.location="+dir+"/nothing.pem: there is no such file")
	cfg.TLS, cfg.JAAS = tlsConfig{}, jaasConfig{Path: dir + "/jaas.conf", Section: "Server"}
	_, err = newInstance(cfg, slog.New(slog.DiscardHandler))
	assert.ErrorContains(t, err, dir+"/jaas.conf: the JAAS file does not exist")
}

func TestUserFile_IsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jaas.conf")
	write := func(users string) {
		certstest.Write(t, path, []byte("Server { org.apache.zookeeper.server.auth.DigestLoginModule required "+users+"; };"))
	}
	write(`user_bob="b" user_super="s"`)
	var log bytes.Buffer
	f, err := openUsers(jaasConfig{Path: path, Section: "Server", SuperPassword: "better"}, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	assert.Equal(t, sasl.Users{"bob": "b", "super": "better"}, f.current())
	write(`user_eve="e"`)
	assert.Contains(t, f.current(), "bob", "once a second is enough")
	aSecondLater := func() sasl.Users {
		f.looked = f.looked.Add(-time.Second)
		return f.current()
	}
	assert.Equal(t, sasl.Users{"eve": "e"}, aSecondLater())
	write(`user_eve=`)
	for range 3 {
		assert.Equal(t, sasl.Users{"eve": "e"}, aSecondLater())
	}
	assert.Equal(t, 1, strings.Count(log.String(), "cannot use the changed JAAS file"), "reported once")
	assert.NotContains(t, log.String(), `"e"`)
}
