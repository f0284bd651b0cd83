package transport

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAdmit_RefusalsHaveASentence(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(5, func(c *Config) {
		c.Instance = 50
		c.Accept = func(h Hello) error {
			if h.Sid == 8 {
				return errors.New("sid 8 is not in the view")
			}
			return nil
		}
	})
	for _, c := range []struct {
		hello Hello
		want  string
	}{
		{Hello{Sid: 6, Ensemble: "other", Kind: Election}, `sid 6 is of ensemble "other", sid 5 of ensemble "test"`},
		{Hello{Sid: 6, Ensemble: "test", Kind: Quorum}, "election port of sid 5"},
		{Hello{Sid: 5, Ensemble: "test", Kind: Election, Instance: 50}, "dialed itself"},
		{Hello{Sid: 5, Ensemble: "test", Kind: Election, Instance: 51}, "two servers have the same myid"},
		{Hello{Sid: 8, Ensemble: "test", Kind: Election}, "sid 8 is not in the view"},
		{Hello{Sid: 6, Ensemble: "test", Kind: Election, Knock: true}, "the other knocks"},
		{Hello{Sid: 4, Ensemble: "test", Kind: Election}, "the other knocks"},
	} {
		ans, w := ask(t, a.addr, c.hello)
		assert.Equal(t, refused, ans.verdict)
		assert.Contains(t, ans.reason, c.want)
		assert.EqualValues(t, 5, ans.from.Sid)
		_, err := w.in.read()
		assert.Error(t, err, "and the connection is closed")
	}
	eventually(t, func() bool { return a.seen("refused") == 7 }, "%v", a.history())
	assert.EqualValues(t, 7, a.Counters().Refused)
	assert.Zero(t, a.links())
}

func TestAdmit_DialerLearnsWhyItIsRefused(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(1)
	b := tn.settle(2, func(c *Config) { c.Ensemble = "other" })
	b.Send(1, []byte("x"))
	eventually(t, func() bool {
		return b.seen(`failed 1: sid 1 at `+a.addr+` refuses: sid 2 is of ensemble "other"`) > 2
	}, "%v", b.history())
	assert.Equal(t, 1, b.warnings(), "however often it tries")
	assert.Equal(t, 1, a.warnings())
}

func TestAdmit_SecondProcessWithTheSameSidIsRefused(t *testing.T) {
	tn := newTown(t)
	for _, sid := range []Hello{{Sid: 9}, {Sid: 1, Knock: true}} {
		stay := tn.settle(5)
		real := tn.settle(sid.Sid)
		stay.Send(sid.Sid, []byte("x"))
		real.expect(5, "x")
		eventually(t, func() bool { return stay.Connected(sid.Sid) }, "connected")
		ans, _ := ask(t, stay.addr, Hello{Sid: sid.Sid, Knock: sid.Knock, Ensemble: "test", Kind: Election, Instance: 4711})
		assert.Equal(t, refused, ans.verdict)
		assert.Contains(t, ans.reason, "already in use by 127.0.0.1:")
		assert.True(t, stay.Connected(sid.Sid))
		assert.Zero(t, stay.seen("disconnected"), "the first is not disturbed")
		real.stop()
		stay.stop()
	}
}

func TestAdmit_RestartTakesThePlaceOfAHalfOpenConnection(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(1, func(c *Config) { c.ProbeTimeout = 50 * time.Millisecond })
	hello := Hello{Sid: 2, Ensemble: "test", Kind: Election, Instance: 7}
	_, silent := ask(t, a.addr, hello) // answers no ping
	eventually(t, func() bool { return a.Connected(2) }, "connected")
	hello.Instance = 8
	ans, w := ask(t, a.addr, hello)
	require.Equal(t, accepted, ans.verdict)
	_, err := io.ReadAll(silent.conn)
	assert.NoError(t, err, "the old connection has been closed")
	a.Send(2, []byte("for the new one"))
	w.in.max = 1 << 20
	for {
		p, err := w.in.read()
		require.NoError(t, err)
		if p[0] == tagMessage {
			assert.Equal(t, "for the new one", string(p[1:]))
			break
		}
	}
}

func TestAdmit_SameInstanceReplacesItsConnectionAtOnce(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(1, func(c *Config) { c.ProbeTimeout = time.Hour })
	hello := Hello{Sid: 2, Ensemble: "test", Kind: Election, Instance: 7}
	ask(t, a.addr, hello)
	eventually(t, func() bool { return a.Connected(2) }, "connected")
	ans, _ := ask(t, a.addr, hello)
	assert.Equal(t, accepted, ans.verdict)
	eventually(t, func() bool { return a.seen("connected 2") == 2 }, "%v", a.history())
	assert.Equal(t, []string{"connected 2", "disconnected 2", "connected 2"}, a.history())
}

func TestAdmit_KnockDoesNotTearDownALiveConnection(t *testing.T) {
	tn := newTown(t)
	big, small := tn.settle(5), tn.settle(1, func(c *Config) { c.Instance = 11 })
	big.Send(1, []byte("x"))
	small.expect(5, "x")
	ans, _ := ask(t, big.addr, Hello{Sid: 1, Ensemble: "test", Kind: Election, Instance: 11, Knock: true})
	assert.Equal(t, connected, ans.verdict)
	assert.Zero(t, big.seen("disconnected"))
}

func hostileInputs(t *testing.T) map[string][]byte {
	noise := make([]byte, 4096)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	good := sealedHello(t, Hello{Sid: 2, Ensemble: "test", Kind: Election})
	badSum := append([]byte(nil), good...)
	badSum[len(badSum)-1] ^= 1
	return map[string][]byte{
		"noise":           noise,
		"http":            []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"length -1":       {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		"length 0":        {0, 0, 0, 0, 0, 0, 0, 0},
		"length 2^31-1":   {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		"truncated":       good[:len(good)-3],
		"short header":    good[:5],
		"checksum":        badSum,
		"other magic":     appendFrame(nil, []byte("ZZZZ\x00\x01")),
		"other version":   appendFrame(nil, []byte("QRTE\x00\x09\x97")),
		"java ZooKeeper":  {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2},
		"trailing bytes":  appendFrame(nil, append(good[8:len(good):len(good)], 1, 2, 3)),
		"huge array":      appendFrame(nil, []byte("QRTE\x00\x01\xdd\xff\xff\xff\xff")),
		"huge string":     appendFrame(nil, []byte("QRTE\x00\x01\x98\x02\xff\xdb\xff\xff\xff\xff")),
		"negative sid":    appendFrame(nil, []byte("QRTE\x00\x01\x98\xff\xff\xa4test\x01\x00\x00\xc2\x90")),
		"broken address":  appendFrame(nil, []byte("QRTE\x00\x01\x98\x02\xff\xa4test\x01\x00\x00\xc2\x91\xa3abc")),
		"only four bytes": {1, 2, 3, 4},
	}
}

func TestAdmit_HostileBytesDisturbNobody(t *testing.T) {
	tn := newTown(t)
	a, b := tn.settle(1), tn.settle(3)
	a.Send(3, []byte("before"))
	b.expect(1, "before")
	n := 0
	for range 3 {
		for _, input := range hostileInputs(t) {
			c := stranger(t, a.addr, input)
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
			n++
			eventually(t, func() bool { return a.seen("refused") == n }, "after %d inputs: %v", n, a.history())
		}
	}
	assert.Zero(t, a.seen("disconnected"))
	assert.Equal(t, 1, a.links())
	assert.LessOrEqual(t, a.warnings(), 2, "bad frames of one host are one complaint, ZooKeeper's is another")
	a.Send(3, []byte("after"))
	b.expect(1, "after")
	assert.Contains(t, strings.Join(a.history(), "\n"), "length -1, want 1 to 8192")
	assert.Contains(t, strings.Join(a.history(), "\n"), "Apache ZooKeeper's own server protocol")
}

func TestAdmit_BadFrameBehindTheHandshakeEndsOnlyThatConnection(t *testing.T) {
	tn := newTown(t)
	a, b := tn.settle(1), tn.settle(3)
	a.Send(3, []byte("x"))
	b.expect(1, "x")
	for i, frame := range [][]byte{
		{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		appendFrame(nil, []byte{77}),
		appendFrame(nil, []byte{tagMessage}),
	} {
		ans, w := ask(t, a.addr, Hello{Sid: 2, Ensemble: "test", Kind: Election, Instance: 7})
		require.Equal(t, accepted, ans.verdict)
		_, err := w.conn.Write(frame)
		require.NoError(t, err)
		eventually(t, func() bool { return a.seen("disconnected 2") == i+1 }, "%v", a.history())
	}
	assert.EqualValues(t, 4, a.Counters().BadFrames)
	assert.Equal(t, 1, a.warnings())
	assert.True(t, a.Connected(3))
	assert.Zero(t, a.seen("disconnected 3"))
}

func TestAdmit_SilentStrangersDoNotLockOutServers(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(1, func(c *Config) { c.HandshakesMax, c.HandshakeTimeout = 4, time.Hour })
	for range 20 {
		stranger(t, a.addr, []byte{0})
	}
	b := tn.settle(2)
	b.Send(1, []byte("let me in"))
	a.expect(2, "let me in")
}

func TestAdmit_HandshakeHasADeadline(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(1, func(c *Config) { c.HandshakeTimeout = 30 * time.Millisecond })
	stranger(t, a.addr, []byte{0, 0, 0})
	eventually(t, func() bool { return a.seen("refused") == 1 }, "%v", a.history())
}

func TestAdmit_TooManySids(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(1, func(c *Config) { c.PeersMax = 2 })
	ask(t, a.addr, Hello{Sid: 10, Ensemble: "test", Kind: Election})
	eventually(t, func() bool { return a.Connected(10) }, "connected")
	a.Send(20, []byte("x"))
	ans, _ := ask(t, a.addr, Hello{Sid: 30, Ensemble: "test", Kind: Election})
	assert.Equal(t, refused, ans.verdict)
	assert.Contains(t, ans.reason, "2 different sids")
	assert.True(t, a.Connected(10))
}
