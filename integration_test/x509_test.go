package integration_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/internal/certs/certstest"
)

// visitor comes to the ports of one server with what certificate there is.
type visitor struct {
	t             *testing.T
	ca            *certstest.Pair
	plain, secure string
}

// dial opens a connection; as is nil for a client without a certificate.
func (v *visitor) dial(addr string, encrypted bool, as *certstest.Pair) (net.Conn, error) {
	nc, err := net.Dial("tcp", addr)
	require.NoError(v.t, err)
	v.t.Cleanup(func() { _ = nc.Close() })
	require.NoError(v.t, nc.SetDeadline(time.Now().Add(30*time.Second)))
	if !encrypted {
		return nc, nil
	}
	// 3.8.0 speaks no newer version, and with an older one a refusal comes earlier.
	cfg := &tls.Config{RootCAs: v.ca.Pool(), ServerName: "localhost", MaxVersion: tls.VersionTLS12}
	if as != nil {
		pair := as.TLS()
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	conn := tls.Client(nc, cfg)
	return conn, conn.Handshake()
}

// identities returns who the server takes the client for, and how it ends the
// connection behind a closeSession.
func (v *visitor) identities(addr string, encrypted bool, as *certstest.Pair) string {
	v.t.Helper()
	nc, err := v.dial(addr, encrypted, as)
	if err != nil {
		return "no handshake"
	}
	s := scribeOn(v.t, nc)
	if !s.connect() {
		return "no session"
	}
	body := s.ask(1, opWhoAmI, nil)
	var ids []string
	for range binary.BigEndian.Uint32(body) {
		var words []string
		for range 2 {
			n := binary.BigEndian.Uint32(body[4:])
			words = append(words, string(body[8:8+n]))
			body = body[4+n:]
		}
		ids = append(ids, strings.Join(words, ":"))
	}
	slices.Sort(ids)
	s.ask(2, opCloseSession, nil)
	_, err = nc.Read(make([]byte, 1))
	return fmt.Sprintf("%q, then %v", ids, err)
}

func (v *visitor) word(addr string, encrypted bool, as *certstest.Pair) string {
	nc, err := v.dial(addr, encrypted, as)
	if err != nil {
		return "no handshake"
	}
	_, _ = nc.Write([]byte("ruok"))
	answer, _ := io.ReadAll(nc)
	return string(answer)
}

// visit tries every client on every port.
func (v *visitor) visit(clients map[string]*certstest.Pair) map[string]string {
	seen := map[string]string{}
	for port, addr := range map[string]string{"plain": v.plain, "secure": v.secure} {
		for name, as := range clients {
			seen[port+", "+name] = v.identities(addr, true, as)
		}
		seen[port+", unencrypted"] = v.identities(addr, false, nil)
		seen[port+", word"] = v.word(addr, true, clients["alice"])
	}
	seen["plain, unencrypted word"] = v.word(v.plain, false, nil)
	return seen
}

// TestX509_IdentitiesAreZooKeepers has clients with certificates of all kinds come
// to both servers.
func TestX509_IdentitiesAreZooKeepers(t *testing.T) {
	onlyQuorate(t)
	secureClassPath(t)
	ca, stranger, dir := certstest.Authority(t, "ca"), certstest.Authority(t, "stranger"), t.TempDir()
	server, trust := filepath.Join(dir, "server.pem"), filepath.Join(dir, "trust.pem")
	certstest.Write(t, server, ca.Issue(t, pkix.Name{CommonName: "server"}).StorePEM(t))
	certstest.Write(t, trust, ca.CertPEM())
	clients := map[string]*certstest.Pair{
		"nobody":   nil,
		"alice":    ca.Issue(t, pkix.Name{Organization: []string{"Example"}, CommonName: "alice"}),
		"admin":    ca.Issue(t, pkix.Name{Organization: []string{"Example"}, CommonName: "admin"}),
		"stranger": stranger.Issue(t, pkix.Name{Organization: []string{"Example"}, CommonName: "alice"}),
		"odd": ca.Issue(t, pkix.Name{
			Country: []string{"DE"}, Organization: []string{`A, B & "C" <d>;=+#/\`}, OrganizationalUnit: []string{" spaces ", "more"},
			CommonName: "zoë #1", SerialNumber: "42",
			ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: "uid"}},
		}),
	}
	seen := map[cluster.Kind]map[string]string{}
	for _, kind := range []cluster.Kind{cluster.ZooKeeper, cluster.Quorate} {
		ports, err := cluster.FreePorts(1)
		require.NoError(t, err)
		lines := []string{fmt.Sprintf("secureClientPort=%d", ports[0]), "secureClientPortAddress=127.0.0.1", "client.portUnification=true",
			"ssl.clientAuth=want", "ssl.keyStore.location=" + server, "ssl.trustStore.location=" + trust,
			"X509AuthenticationProvider.superUser=CN=admin,O=Example"}
		if kind == cluster.ZooKeeper {
			lines = append(lines, "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory")
		}
		c := newClusterOf(t, cluster.Config{Kind: kind, Servers: 1, Lines: lines})
		require.NoError(t, c.Start())
		require.NoError(t, c.WaitServing(servingTimeout))
		v := &visitor{t: t, ca: ca, plain: c.Server(1).ClientAddr(), secure: net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))}
		seen[kind] = v.visit(clients)
	}
	assert.Contains(t, seen[cluster.ZooKeeper]["secure, alice"], "x509:CN=alice,O=Example", "the test is one")
	assert.Equal(t, seen[cluster.ZooKeeper], seen[cluster.Quorate])
}
