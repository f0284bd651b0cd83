package zkclient

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/certs/certstest"
	"github.com/quorate/quorate/sim/zktest"
)

// tunnel is a TLS port in front of a server.
func tunnel(t *testing.T, to string, cfg *tls.Config) string {
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer func() { _ = in.Close() }()
				out, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer func() { _ = out.Close() }()
				running.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
				_, _ = io.Copy(in, out)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return l.Addr().String()
}

func TestClient_TLS(t *testing.T) {
	e := zktest.Start(t, 1)
	ca := certstest.Authority(t, "ca")
	server := ca.Issue(t, pkix.Name{CommonName: "server"})
	addr := tunnel(t, e.ConnectString(), &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{server.Cert.Raw}, PrivateKey: server.Key}}})
	trust := x509.NewCertPool()
	trust.AddCert(ca.Cert)
	c := dial(t, Config{Servers: addr, TLS: &tls.Config{RootCAs: trust, ServerName: serverName(server.Cert)}})
	_, _, err := c.Create(testContext(t), "/x", make([]byte, 500_000), Create{})
	require.NoError(t, err)
	data, _, err := c.Get(testContext(t), "/x", false)
	require.NoError(t, err)
	require.Len(t, data, 500_000)
	c.Close() // before the tunnel

	other := x509.NewCertPool()
	other.AddCert(certstest.Authority(t, "other").Cert)
	short, err := Open(Config{Servers: addr, TLS: &tls.Config{RootCAs: other}, ConnectWait: 200 * 1e6})
	require.NoError(t, err)
	defer short.Close()
	_, err = short.Exists(testContext(t), "/", false)
	require.ErrorIs(t, err, ErrNoConnection)
	require.ErrorContains(t, err, "TLS")
}

// Whose certificate is refused hears that, and not that the port is a wrong one.
func TestClient_RefusedCertificate(t *testing.T) {
	ca := certstest.Authority(t, "ca")
	server, stranger := ca.Issue(t, pkix.Name{CommonName: "server"}), certstest.Authority(t, "other").Issue(t, pkix.Name{CommonName: "stranger"})
	trust := x509.NewCertPool()
	trust.AddCert(ca.Cert)
	addr := tunnel(t, zktest.Start(t, 1).ConnectString(), &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trust,
		Certificates: []tls.Certificate{{Certificate: [][]byte{server.Cert.Raw}, PrivateKey: server.Key}}})
	own := tls.Certificate{Certificate: [][]byte{stranger.Cert.Raw}, PrivateKey: stranger.Key}
	c, err := Open(Config{Servers: addr, ConnectWait: 200 * 1e6, TLS: &tls.Config{RootCAs: trust, ServerName: serverName(server.Cert),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }}})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Exists(testContext(t), "/", false)
	require.ErrorContains(t, err, "instead of answering: ")
	require.NotContains(t, err.Error(), "is this a ZooKeeper client port?")
}

// serverName is a name that a certificate is for.
func serverName(c *x509.Certificate) string {
	if len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	return c.IPAddresses[0].String()
}
