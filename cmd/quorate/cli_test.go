package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509/pkix"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/certs/certstest"
	"github.com/quorate/quorate/sim/zktest"
)

func TestCLI_RunsOneCommand(t *testing.T) {
	e := zktest.Start(t, 1)
	for _, c := range []struct {
		code     int
		out, err string
		args     []string
	}{
		{0, "Created /x\n", "", []string{"create", "/x", "data"}},
		{0, "data\n", "", []string{"get", "/x"}},
		{0, `{"path":"/x","data":"data"}` + "\n", "", []string{"-o", "json", "get", "/x"}},
		{0, "[x, zookeeper]\n", "", []string{"--timeout", "20000", "ls", "/"}},
		{1, "", "Node does not exist: /nope\n", []string{"get", "/nope"}},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"cli", "-s", e.ConnectString(), "--history", "-"}, c.args...), &out, &errs)
		require.Equal(t, c.code, code, "%v: %s", c.args, &errs)
		require.Equal(t, c.out, out.String(), c.args)
		require.Equal(t, c.err, errs.String(), c.args)
	}
}

func TestCLI_FlagsAreUnderstood(t *testing.T) {
	dir := t.TempDir()
	user := filepath.Join(dir, "user")
	require.NoError(t, os.WriteFile(user, []byte("bob:a:b\r\nmore"), 0o600))
	f := cliFlags{servers: "a:1,b/c", timeout: "1500", output: "json", auths: []string{"digest:u:p"}, sasl: user, tls: true, history: "-"}
	opt, err := f.options()
	require.NoError(t, err)
	require.Equal(t, 1500*time.Millisecond, opt.Timeout)
	require.Equal(t, "u:p", string(opt.Auth[0].Data))
	require.Equal(t, "a:b", opt.SASL.Password)
	require.NotNil(t, opt.TLS)
	require.Empty(t, opt.HistoryFile)
	require.True(t, opt.JSON)
}

// Go would keep a certificate back whose authority the server does not name.
func TestCLI_TheCertificateIsShownToWhomeverAsks(t *testing.T) {
	ours, theirs := certstest.Authority(t, "ours"), certstest.Authority(t, "theirs")
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	eve := theirs.Issue(t, pkix.Name{CommonName: "eve"})
	certstest.Write(t, path("ca.pem"), ours.CertPEM())
	certstest.Write(t, path("eve.pem"), eve.CertPEM(), eve.KeyPEM(t))
	client, err := cliFlags{ca: path("ca.pem"), cert: path("eve.pem"), key: path("eve.pem")}.tlsConfig()
	require.NoError(t, err)
	client.ServerName = "localhost"
	server := &tls.Config{
		Certificates: []tls.Certificate{ours.Issue(t, pkix.Name{CommonName: "server"}).TLS()},
		ClientAuth:   tls.VerifyClientCertIfGiven, ClientCAs: ours.Pool(), // ssl.clientAuth=want
	}
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	go func() {
		conn := tls.Client(near, client)
		_ = conn.HandshakeContext(t.Context())
		_, _ = io.Copy(io.Discard, conn) // the server's alert wants a reader
	}()
	err = tls.Server(far, server).HandshakeContext(t.Context())
	require.ErrorContains(t, err, "unknown authority")
}

func TestCLI_WrongFlagsExitWith2AndSayWhatToDo(t *testing.T) {
	nothing := filepath.Join(t.TempDir(), "nothing")
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for want, args := range map[string][]string{
		"want text or json":             {"-o", "yaml", "ls", "/"},
		"with two dashes":               {"-server", "a:1", "ls", "/"},
		"want host:port":                {"-s", "a:b:c", "ls", "/"},
		"want a time like 10s":          {"--timeout", "soon", "ls", "/"},
		"from 1ms to 24h":               {"--timeout", "-1", "ls", "/"},
		"want scheme:auth":              {"--auth", "u", "ls", "/"},
		"go together":                   {"--tls-cert", empty, "ls", "/"},
		"no such file":                  {"--tls-ca", nothing, "ls", "/"},
		"no PEM certificate":            {"--tls-ca", empty, "ls", "/"},
		"want a line user:password":     {"--sasl", empty, "ls", "/"},
		"--sasl: open":                  {"--sasl", nothing, "ls", "/"},
		"--tls-cert, --tls-key":         {"--tls-cert", empty, "--tls-key", empty, "ls", "/"},
		"unknown flag: --nonsense":      {"--nonsense", "ls", "/"},
		"did you mean ls?":              {"lss", "/"},
		"Path must start with / charac": {"ls", "a"},
	} {
		var out, errs bytes.Buffer
		require.Equal(t, exitUsage, run(t.Context(), append([]string{"cli"}, args...), &out, &errs), args)
		require.Contains(t, errs.String(), want)
		require.Empty(t, out.String())
	}
}
