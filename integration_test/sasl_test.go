package integration_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/server/sasl/sasltest"
)

// Operations of the transcripts.
const (
	opExists       = 3
	opPing         = 11
	opAuth         = 100
	opSASL         = 102
	opWhoAmI       = 107
	opCloseSession = -11
)

// scribe is a client that writes down what it is answered, as far as two servers
// must agree in it.
type scribe struct {
	t     *testing.T
	nc    net.Conn
	lines []string
}

func newScribe(t *testing.T, addr string) *scribe {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	s := scribeOn(t, nc)
	require.True(t, s.connect())
	return s
}

// scribeOn makes a client that has not connected yet.
func scribeOn(t *testing.T, nc net.Conn) *scribe {
	t.Helper()
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(30*time.Second)))
	return &scribe{t: t, nc: nc}
}

// connect asks for a session, and reports whether there was an answer.
func (s *scribe) connect() bool {
	connect := make([]byte, 45)
	binary.BigEndian.PutUint32(connect[12:], 10_000)
	binary.BigEndian.PutUint32(connect[24:], 16)
	s.frame(connect)
	_, err := s.read()
	return err == nil
}

func (s *scribe) frame(body []byte) {
	_, _ = s.nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
}

func (s *scribe) read() ([]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(s.nc, n[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(n[:]))
	_, err := io.ReadFull(s.nc, frame)
	return frame, err
}

var noncePattern = regexp.MustCompile(`nonce="[A-Za-z0-9+/]{40}"`)

// ask sends a request, writes the answer down and returns what is behind its header.
func (s *scribe) ask(xid, op int32, body []byte) []byte {
	s.t.Helper()
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(xid)), uint32(op))
	s.frame(append(head, body...))
	reply, err := s.read()
	if err != nil {
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			s.t.Fatal("no answer, and no end")
		}
		s.lines = append(s.lines, fmt.Sprintf("op %d: closed", op))
		return nil
	}
	require.GreaterOrEqual(s.t, len(reply), 16)
	zxid := "0"
	if binary.BigEndian.Uint64(reply[4:]) != 0 {
		zxid = "some"
	}
	text := hex.EncodeToString(reply[16:])
	if op == opSASL {
		text = fmt.Sprintf("%q", noncePattern.ReplaceAll(reply[16:], []byte("nonce")))
	}
	if op == opWhoAmI { // a set
		text = fmt.Sprintf("%d bytes", len(reply)-16)
	}
	s.lines = append(s.lines, fmt.Sprintf("op %d: xid %d, zxid %s, err %d, %s", op, int32(binary.BigEndian.Uint32(reply)), zxid,
		int32(binary.BigEndian.Uint32(reply[12:])), text))
	return reply[16:]
}

// end waits for the end of the connection.
func (s *scribe) end() {
	s.t.Helper()
	_, err := s.read()
	require.ErrorIs(s.t, err, io.EOF)
}

func buffer(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

// login does an exchange, and writes down whether the server proved itself.
func (s *scribe) login(c sasltest.Client) {
	s.t.Helper()
	challenge := s.ask(1, opSASL, buffer(nil))
	if len(challenge) < 4 {
		return
	}
	response, proof := c.Respond(s.t, challenge[4:])
	token := s.ask(2, opSASL, buffer(response))
	if len(token) > 4 {
		require.Equal(s.t, string(proof), string(token[4:]))
		s.lines[len(s.lines)-1] = "the server knows the password"
	}
}

// saslScenes are what clients do; each has a connection of its own.
var saslScenes = []struct {
	name string
	play func(s *scribe)
}{
	{"right", func(s *scribe) {
		s.login(sasltest.Client{User: "bob", Password: "bobsecret"})
		s.ask(3, opWhoAmI, nil)
		s.ask(4, opSASL, buffer(nil))
		s.ask(5, opPing, nil)
	}},
	{"wrong password", func(s *scribe) { s.login(sasltest.Client{User: "bob", Password: "x"}); s.ask(3, opPing, nil) }},
	{"unknown user", func(s *scribe) { s.login(sasltest.Client{User: "eve", Password: "x"}); s.ask(3, opPing, nil) }},
	{"another realm", func(s *scribe) { s.login(sasltest.Client{User: "bob", Password: "bobsecret", Realm: "other"}) }},
	{"another service", func(s *scribe) { s.login(sasltest.Client{User: "bob", Password: "bobsecret", URI: "zookeeper/h"}) }},
	{"service in capitals", func(s *scribe) {
		s.login(sasltest.Client{User: "bob", Password: "bobsecret", URI: "ZOOKEEPER/zk-sasl-MD5"})
		s.ask(3, opWhoAmI, nil)
	}},
	{"second nonce", func(s *scribe) { s.login(sasltest.Client{User: "bob", Password: "bobsecret", Count: "00000002"}) }},
	{"integrity", func(s *scribe) { s.login(sasltest.Client{User: "bob", Password: "bobsecret", Qop: "auth-int"}) }},
	{"in the name of another", func(s *scribe) {
		s.login(sasltest.Client{User: "bob", Password: "bobsecret", Authzid: "super"})
		s.ask(3, opWhoAmI, nil)
	}},
	{"twice the same", func(s *scribe) {
		s.login(sasltest.Client{User: "bob", Password: "bobsecret", Tail: ",realm=\"zk-sasl-md5\""})
	}},
	{"something of its own", func(s *scribe) {
		s.login(sasltest.Client{User: "bob", Password: "bobsecret", Tail: " , x-y=\"a\\\"b\" ,,z=1"})
		s.ask(3, opWhoAmI, nil)
	}},
	{"blanks", func(s *scribe) { s.login(sasltest.Client{User: "bob", Password: "bobsecret", Tail: ", x"}) }},
	{"no response", func(s *scribe) { s.ask(1, opSASL, buffer(nil)); s.ask(2, opSASL, buffer(nil)) }},
	{"speaks first", func(s *scribe) { s.ask(1, opSASL, buffer([]byte("hello"))) }},
	{"null token", func(s *scribe) { s.ask(1, opSASL, []byte{255, 255, 255, 255}) }},
	{"no token", func(s *scribe) { s.ask(1, opSASL, nil) }},
	{"short token", func(s *scribe) { s.ask(1, opSASL, []byte{0, 0, 0, 9, 1}) }},
	{"auth with scheme sasl", func(s *scribe) {
		s.ask(-4, opAuth, append(append([]byte{0, 0, 0, 0}, buffer([]byte("sasl"))...), buffer([]byte("bob"))...))
		s.ask(3, opPing, nil)
	}},
	{"nothing: read", func(s *scribe) { s.ask(1, opExists, append(buffer([]byte("/none")), 0)) }},
	{"nothing: ping", func(s *scribe) { s.ask(-2, opPing, nil) }},
	{"nothing: close", func(s *scribe) { s.ask(1, opCloseSession, nil); s.end() }},
	{"nothing: unknown", func(s *scribe) { s.ask(1, 999, nil); s.end() }},
	{"digest first", func(s *scribe) {
		s.ask(-4, opAuth, append(append([]byte{0, 0, 0, 0}, buffer([]byte("digest"))...), buffer([]byte("a:b"))...))
		s.ask(1, opExists, append(buffer([]byte("/none")), 0))
	}},
}

// TestSASL_TranscriptsAreZooKeepers plays the scenes to both servers, for each way
// in which clients may be told to authenticate.
func TestSASL_TranscriptsAreZooKeepers(t *testing.T) {
	onlyQuorate(t)
	if err := cluster.ZooKeeperInstalled(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	jaas := filepath.Join(t.TempDir(), "jaas.conf")
	writeJAAS(t, jaas)
	const provider = "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
	for name, lines := range map[string][]string{
		"as a rule": {provider},
		"enforced":  {provider, "enforce.auth.enabled=true", "enforce.auth.schemes=sasl,x509"},
		"allowed":   {provider, "allowSaslFailedClients=true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "enforced" { // 3.8.0 must be told of a provider for each
				lines = append(lines, "authProvider.2=org.apache.zookeeper.server.auth.X509AuthenticationProvider")
			}
			ours := newClusterOf(t, cluster.Config{Kind: cluster.Quorate, Servers: 1, Lines: append([]string{"sasl.jaas=" + jaas}, lines...)})
			real := newClusterOf(t, cluster.Config{Kind: cluster.ZooKeeper, Servers: 1, Lines: lines,
				JavaFlags: []string{"-Djava.security.auth.login.config=" + jaas}})
			for _, c := range []*cluster.Cluster{ours, real} {
				require.NoError(t, c.Start())
				require.NoError(t, c.WaitServing(servingTimeout))
			}
			for _, scene := range saslScenes {
				play := func(c *cluster.Cluster) string {
					s := newScribe(t, c.Server(1).ClientAddr())
					scene.play(s)
					return strings.Join(s.lines, "\n")
				}
				assert.Equal(t, play(real), play(ours), scene.name)
			}
		})
	}
}
