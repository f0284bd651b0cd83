package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log/slog"
	"math/rand"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/certs"
	"github.com/quorate/quorate/internal/certs/certstest"
	"github.com/quorate/quorate/server/proto"
)

// securePort is a server with a TLS port, and who may come to it.
type securePort struct {
	t     *testing.T
	ca    *certstest.Pair
	store string // the server's key store
	clock time.Time
	e     *ensembleFake
	addr  string
}

func newSecurePort(t *testing.T, cfg Config, auth certs.ClientAuth, plainToo bool) *securePort {
	t.Helper()
	p := &securePort{t: t, ca: certstest.Authority(t, "authority"), clock: time.Now()}
	dir := t.TempDir()
	p.store = filepath.Join(dir, "server.pem")
	certstest.Write(t, p.store, p.ca.Issue(t, pkix.Name{CommonName: "server"}).StorePEM(t))
	trust := filepath.Join(dir, "trust.pem")
	certstest.Write(t, trust, p.ca.CertPEM())
	source, err := certs.Open(certs.Config{Keys: certs.Store{Location: p.store}, Trust: certs.Store{Location: trust},
		ClientAuth: auth, Now: func() time.Time { return p.clock }, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.addr = ln.Addr().String()
	p.e = newEnsemble(t, 1, cfg, Secure(ln, source.Server(), plainToo))
	return p
}

func (p *securePort) s() *Server { return p.e.members[0].s }

// dial returns a client that has not connected yet; nobody is one without a
// certificate.
func (p *securePort) dial(as *certstest.Pair) (*rawClient, *tls.Conn) {
	p.t.Helper()
	cfg := &tls.Config{RootCAs: p.ca.Pool(), ServerName: "localhost"}
	if as != nil {
		cfg.Certificates = []tls.Certificate{as.TLS()}
	}
	nc, err := tls.Dial("tcp", p.addr, cfg)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { _ = nc.Close() })
	require.NoError(p.t, nc.SetDeadline(time.Now().Add(60*time.Second)))
	return &rawClient{t: p.t, nc: nc}, nc
}

func (p *securePort) open(as *certstest.Pair) (*rawClient, *tls.Conn) {
	p.t.Helper()
	c, nc := p.dial(as)
	_, ok := c.connect(proto.ConnectRequest{TimeoutMillis: 4000, HasReadOnly: true})
	require.True(p.t, ok)
	return c, nc
}

func (p *securePort) issue(cn string) *certstest.Pair {
	return p.ca.Issue(p.t, pkix.Name{CommonName: cn, Organization: []string{"Example, Inc."}})
}

func whoAmI(c *rawClient) []proto.ClientInfo {
	c.t.Helper()
	var reply proto.WhoAmIReply
	c.mustDo(9, proto.OpWhoAmI, &proto.Empty{}, &reply)
	return reply.Clients
}

func TestSecure_TheCertificateIsAnIdentity(t *testing.T) {
	p := newSecurePort(t, Config{Policy: Policy{X509: true, X509SuperUser: `CN=root,O=Example\, Inc.`}}, certs.Want, false)
	ip := proto.ClientInfo{Scheme: "ip", User: "127.0.0.1"}
	alice, _ := p.open(p.issue("alice"))
	assert.Equal(t, []proto.ClientInfo{ip, {Scheme: "x509", User: `CN=alice,O=Example\, Inc.`}}, whoAmI(alice))
	root, _ := p.open(p.issue("root"))
	assert.Equal(t, []proto.ClientInfo{ip, {Scheme: "super"}, {Scheme: "x509", User: `CN=root,O=Example\, Inc.`}}, whoAmI(root))
	nobody, _ := p.open(nil)
	assert.Equal(t, []proto.ClientInfo{ip}, whoAmI(nobody))
	unnamed, _ := p.open(p.ca.IssueAs(t, &x509.Certificate{DNSNames: []string{"client"}}))
	assert.Equal(t, []proto.ClientInfo{ip}, whoAmI(unnamed), "a certificate without a subject names nobody")

	acl := []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}}
	alice.mustDo(1, proto.OpCreate, &proto.CreateRequest{Path: "/hers", ACL: acl}, &proto.PathReply{})
	assert.Equal(t, proto.ErrNoAuth, nobody.do(2, proto.OpGetData, read("/hers", false), nil).Err)
	alice.mustDo(2, proto.OpGetData, read("/hers", false), &proto.DataReply{})
	root.mustDo(2, proto.OpGetData, read("/hers", false), &proto.DataReply{})
}

func TestSecure_WithoutTheSchemeThereIsNoIdentity(t *testing.T) {
	p := newSecurePort(t, Config{}, certs.Need, false)
	alice, _ := p.open(p.issue("alice"))
	assert.Equal(t, []proto.ClientInfo{{Scheme: "ip", User: "127.0.0.1"}}, whoAmI(alice))
}

// askWord asks a four-letter word on a connection.
func askWord(t *testing.T, nc net.Conn, word string) string {
	t.Helper()
	_, err := nc.Write([]byte(word))
	require.NoError(t, err)
	answer, err := io.ReadAll(nc)
	require.NoError(t, err)
	return string(answer)
}

func TestSecure_FourLetterWords(t *testing.T) {
	p := newSecurePort(t, Config{}, certs.Need, false)
	_, nc := p.dial(p.issue("alice"))
	assert.Contains(t, askWord(t, nc, "srvr"), "Mode: standalone")
}

func TestSecure_APlainClientIsClosed(t *testing.T) {
	p := newSecurePort(t, Config{}, certs.Need, false)
	_, ok := dialRaw(t, p.addr).connect(proto.ConnectRequest{TimeoutMillis: 4000})
	assert.False(t, ok)
	require.Eventually(t, func() bool { return p.s().metrics.HandshakesFailed.Value() == 1 }, waitFor, tickFor)
	assert.Zero(t, p.s().handshakes.underWay.Load())
	open(t, p.e.members[0].addr).create(1, "/plain", "", 0) // the other port serves it
}

func TestSecure_OnePortForBoth(t *testing.T) {
	p := newSecurePort(t, Config{Policy: Policy{X509: true}}, certs.Need, true)
	alice, _ := p.open(p.issue("alice"))
	plain := open(t, p.addr)
	plain.create(1, "/plain", "x", 0)
	alice.mustDo(1, proto.OpGetData, read("/plain", false), &proto.DataReply{})
	assert.Len(t, whoAmI(alice), 2)
	assert.Len(t, whoAmI(plain), 1)
	assert.Equal(t, "imok", askWord(t, dialRaw(t, p.addr).nc, "ruok"))
	_, nc := p.dial(p.issue("bob"))
	assert.Equal(t, "imok", askWord(t, nc, "ruok"))
	stats := p.s().ConnReports()
	assert.True(t, stats[0].Secure)
	assert.False(t, stats[1].Secure)
	mntr := dialRaw(t, p.addr)
	assert.Contains(t, askWord(t, mntr.nc, "mntr"), "zk_non_mtls_local_conn_count\t3\n")
}

func TestSecure_WhoGetsNoCertificateAcceptedIsTold(t *testing.T) {
	p := newSecurePort(t, Config{}, certs.Need, false)
	stranger := certstest.Authority(t, "stranger").Issue(t, pkix.Name{CommonName: "alice"}).TLS()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		nc, err := tls.Dial("tcp", p.addr, &tls.Config{RootCAs: p.ca.Pool(), ServerName: "localhost", MaxVersion: version,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger, nil }})
		if err == nil { // the client is done before the server has looked
			_, _ = nc.Write(proto.AppendFrame(nil, &proto.ConnectRequest{Password: make([]byte, 16)}))
			_, err = nc.Read(make([]byte, 1))
			_ = nc.Close()
		}
		assert.ErrorContains(t, err, "unknown certificate authority")
	}
}

// A client that does not go on with its handshake is closed in time, and holds up
// nobody meanwhile.
func TestSecure_ASlowHandshakeIsClosed(t *testing.T) {
	p := newSecurePort(t, Config{HandshakeTimeout: 300 * time.Millisecond}, certs.Need, false)
	slow := dialRaw(t, p.addr)
	slow.write([]byte{0x16, 3, 1, 2, 0, 1})
	quick, _ := p.open(p.issue("alice"))
	quick.create(1, "/quick", "", 0)
	_, err := slow.frame()
	assert.Error(t, err)
	require.Eventually(t, func() bool { return p.s().handshakes.underWay.Load() == 0 }, waitFor, tickFor)
	quick.create(2, "/still", "", 0)
}

func TestSecure_HandshakesUnderWayAreLimited(t *testing.T) {
	p := newSecurePort(t, Config{HandshakesMax: 2}, certs.Need, false)
	established, _ := p.open(p.issue("alice"))
	var slow []*rawClient
	for range 2 {
		slow = append(slow, dialRaw(t, p.addr))
	}
	require.Eventually(t, func() bool { return p.s().handshakes.underWay.Load() == 2 }, waitFor, tickFor)
	_, err := dialRaw(t, p.addr).frame()
	assert.Error(t, err, "one too many")
	assert.EqualValues(t, 1, p.s().metrics.HandshakesExceeded.Value())
	established.create(1, "/x", "", 0)
	for _, c := range slow {
		require.NoError(t, c.nc.Close())
	}
	require.Eventually(t, func() bool { return p.s().handshakes.underWay.Load() == 0 }, waitFor, tickFor)
	p.open(p.issue("bob"))
}

// What is queued when the connection is closed arrives, and then a close_notify.
func TestSecure_RepliesBeforeACloseArrive(t *testing.T) {
	p := newSecurePort(t, Config{}, certs.Need, false)
	for _, half := range []bool{false, true} {
		c, nc := p.open(p.issue("alice"))
		path := map[bool]string{false: "/big", true: "/big2"}[half]
		c.create(1, path, string(make([]byte, 300_000)), 0)
		const n = 20
		go func() {
			for i := range int32(n) {
				_, _ = nc.Write(request(10+i, proto.OpGetData, read(path, false)))
			}
			if half {
				_ = nc.CloseWrite() // all that was sent is still answered
			} else {
				_, _ = nc.Write(request(99, proto.OpCloseSession, &proto.Empty{}))
			}
		}()
		for i := range int32(n) {
			c.expect(10+i, &proto.DataReply{})
		}
		if !half {
			c.expect(99, nil)
		}
		_, err := nc.Read(make([]byte, 1))
		assert.Equal(t, io.EOF, err, "half-closed by the client: %v", half)
	}
}

func TestSecure_NewCertificatesAreForNewConnections(t *testing.T) {
	p := newSecurePort(t, Config{}, certs.Need, false)
	name := func(nc *tls.Conn) string { return nc.ConnectionState().PeerCertificates[0].Subject.CommonName }
	old, nc := p.open(p.issue("alice"))
	require.Equal(t, "server", name(nc))
	certstest.Write(t, p.store, p.ca.Issue(t, pkix.Name{CommonName: "renewed"}).StorePEM(t))
	p.clock = p.clock.Add(time.Second)
	_, nc = p.open(p.issue("bob"))
	assert.Equal(t, "renewed", name(nc))
	old.create(1, "/old", "", 0)
}

// Whatever comes to a TLS port, the others are served, and nothing is left over.
func TestSecure_RandomBytes(t *testing.T) {
	for _, plainToo := range []bool{false, true} {
		p := newSecurePort(t, Config{MaxClientCnxns: -1}, certs.Need, plainToo)
		witness, _ := p.open(p.issue("alice"))
		rng := rand.New(rand.NewSource(7))
		for i := range 200 {
			c := dialRaw(t, p.addr)
			junk := make([]byte, rng.Intn(300))
			_, _ = rng.Read(junk)
			if i%2 == 0 && len(junk) > 5 { // a record of a handshake, of the right length
				copy(junk, []byte{0x16, 3, 1, byte((len(junk) - 5) >> 8), byte(len(junk) - 5), 1})
			}
			_, _ = c.nc.Write(junk)
			require.NoError(t, c.nc.Close())
		}
		witness.create(1, "/w", "", 0)
		require.Eventually(t, func() bool { return p.s().handshakes.underWay.Load() == 0 }, waitFor, tickFor)
		require.Eventually(t, func() bool { return len(p.s().connections()) == 1 }, waitFor, tickFor)
	}
}

// A client that does not read, and so takes no close_notify either, does not keep
// the server from stopping.
func TestSecure_AClientThatDoesNotReadIsLetGo(t *testing.T) {
	p := newSecurePort(t, Config{}, certs.Need, false)
	c, nc := p.open(p.issue("alice"))
	c.create(1, "/big", string(make([]byte, 900_000)), 0)
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range int32(40) {
			if _, err := nc.Write(request(10+i, proto.OpGetData, read("/big", false))); err != nil {
				return
			}
		}
	}()
	require.Eventually(t, func() bool {
		conn := p.s().connections()[0]
		conn.mu.Lock()
		defer conn.mu.Unlock()
		return conn.outHeld
	}, waitFor, tickFor, "the output waits for the client")
	start := time.Now()
	p.e.members[0].stop()
	assert.Less(t, time.Since(start), 20*time.Second)
	require.NoError(t, nc.NetConn().Close())
	<-written
}

// An unencrypted client of a port for both that says nothing is closed in time.
func TestSecure_ASilentClientIsClosed(t *testing.T) {
	p := newSecurePort(t, Config{HandshakeTimeout: 300 * time.Millisecond}, certs.Need, true)
	_, err := dialRaw(t, p.addr).frame()
	assert.Error(t, err)
	require.Eventually(t, func() bool { return p.s().handshakes.underWay.Load() == 0 }, waitFor, tickFor)
}

func TestSecure_AFailedListenerEndsAll(t *testing.T) {
	s := New(Config{Logger: slog.New(slog.DiscardHandler)})
	s.Attach(&memberFake{})
	good, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	bad, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, bad.Close())
	require.ErrorIs(t, s.Run(context.Background(), good, Secure(bad, &tls.Config{}, false)), net.ErrClosed)
	_, err = good.Accept()
	assert.ErrorIs(t, err, net.ErrClosed)
}
