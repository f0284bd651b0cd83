package gossip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/ensemble"
)

// memberlist's goroutines end after Shutdown without being waited for; goleak
// looks for half a second, which is more than the probe timeout of Local.
func TestMain(m *testing.M) {
	if addr := os.Getenv(childJoins); addr != "" {
		child(addr)
	}
	goleak.VerifyTestMain(m)
}

// childJoins makes this binary a server, sid 3, that is there to be killed.
const childJoins = "GOSSIP_TEST_CHILD_JOINS"

func child(addr string) {
	g, err := New(Config{Self: 3, Ensemble: "blue", Bind: "127.0.0.1:0", Timing: Local, Join: []string{addr}})
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		err = g.Run(ctx)
		cancel()
	}
	fmt.Fprintln(os.Stderr, "child:", err)
	os.Exit(1)
}

const (
	soon  = 10 * time.Second
	often = 5 * time.Millisecond
)

// voice is a running Gossip with what its hooks have said.
type voice struct {
	*Gossip
	t    *testing.T
	stop func()

	mu        sync.Mutex
	suspects  []ensemble.ServerID
	refusals  []string
	conflicts []ensemble.ServerID
	changes   int
	warned    int
}

func start(t *testing.T, sid ensemble.ServerID, edit func(*Config)) *voice {
	t.Helper()
	v := &voice{t: t}
	cfg := Config{
		Self: sid, Ensemble: "blue", Bind: "127.0.0.1:0", Timing: Local, Logger: slog.New(v),
		OnChange:  func() { v.locked(func() { v.changes++ }) },
		OnSuspect: func(s ensemble.ServerID) { v.locked(func() { v.suspects = append(v.suspects, s) }) },
		Trace: &Trace{
			Refused:  func(_, reason string) { v.locked(func() { v.refusals = append(v.refusals, reason) }) },
			Conflict: func(s ensemble.ServerID, _ string) { v.locked(func() { v.conflicts = append(v.conflicts, s) }) },
		},
	}
	if edit != nil {
		edit(&cfg)
	}
	g, err := New(cfg)
	require.NoError(t, err)
	v.Gossip = g
	require.NoError(t, g.Announce(Meta{
		Observer: sid >= 10, State: ensemble.Looking,
		Quorum: fmt.Sprintf("127.0.0.1:%d", 20000+sid), Election: fmt.Sprintf("0.0.0.0:%d", 30000+sid),
		Client: fmt.Sprintf("0.0.0.0:%d", 10000+sid),
	}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	var once sync.Once
	v.stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				assert.NoError(t, err)
			case <-time.After(soon):
				assert.Fail(t, "Run did not return")
			}
		})
	}
	t.Cleanup(v.stop)
	v.until(func() bool { _, ok := g.Member(sid); return ok }, "it is running")
	return v
}

func joining(others ...*voice) func(*Config) {
	return func(c *Config) {
		for _, o := range others {
			c.Join = append(c.Join, o.Addr())
		}
	}
}

func (v *voice) locked(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f()
}

func (v *voice) until(cond func() bool, msg string) {
	v.t.Helper()
	require.Eventually(v.t, cond, soon, often, msg)
}

// sees reports whether exactly these servers are alive to v.
func (v *voice) sees(sids ...ensemble.ServerID) bool {
	var got []ensemble.ServerID
	for _, m := range v.Members() {
		if m.Alive {
			got = append(got, m.Sid)
		}
	}
	return assert.ObjectsAreEqual(sids, got)
}

func (v *voice) has(f func() bool) func() bool {
	return func() (ok bool) { v.locked(func() { ok = f() }); return ok }
}

// A voice is the slog.Handler that counts its warnings.
func (v *voice) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (v *voice) WithAttrs([]slog.Attr) slog.Handler           { return v }
func (v *voice) WithGroup(string) slog.Handler                { return v }
func (v *voice) Handle(_ context.Context, r slog.Record) error {
	v.t.Logf("warned: %s", r.Message)
	v.locked(func() { v.warned++ })
	return nil
}

func secret(key string, others ...*voice) func(*Config) {
	return func(c *Config) { joining(others...)(c); c.Key = key }
}

func TestGossip_EachServerListsAll(t *testing.T) {
	a := start(t, 1, secret("k"))
	b := start(t, 2, secret("k", a))
	c := start(t, 3, secret("k", a))
	for _, v := range []*voice{a, b, c} {
		v.until(func() bool { return v.sees(1, 2, 3) }, "all three")
		v.until(v.has(func() bool { return v.changes > 0 }), "OnChange")
	}
	m, ok := c.Member(2)
	require.True(t, ok)
	assert.Equal(t, "127.0.0.1:20002", m.Quorum)
	assert.Equal(t, "127.0.0.1:30002", m.Election, "a wildcard is replaced by where the gossip comes from")
	assert.Equal(t, "127.0.0.1:10002", m.Client)
	assert.Equal(t, b.Addr(), m.Gossip)
	assert.Zero(t, a.warned+b.warned+c.warned)

	var sids []ensemble.ServerID
	for _, v := range a.Voters() {
		sids = append(sids, v.ID)
	}
	assert.Equal(t, []ensemble.ServerID{1, 2, 3}, sids)
}

func TestGossip_AnnouncementsSpread(t *testing.T) {
	a := start(t, 1, nil)
	b := start(t, 2, joining(a))
	b.until(func() bool { return b.sees(1, 2) }, "joined")
	var last Meta
	for i := range 300 {
		last = Meta{State: ensemble.Leading, Epoch: 7, Zxid: ensemble.NewZxid(7, uint32(i)), Quorum: "127.0.0.1:20001"}
		require.NoError(t, a.Announce(last))
	}
	b.until(func() bool {
		m, _ := b.Member(1)
		return m.State == ensemble.Leading && m.Zxid == last.Zxid && m.Epoch == 7
	}, "the newest arrives")
	last.State = ensemble.Following
	require.NoError(t, a.Announce(last))
	b.until(func() bool { m, _ := b.Member(1); return m.State == ensemble.Following }, "and so does what comes soon after")
	m, _ := b.Member(1)
	assert.False(t, m.Since.IsZero())
	assert.ErrorContains(t, a.Announce(Meta{Quorum: "nowhere"}), `"nowhere"`)
}

func TestGossip_ObserverLearnsTheViewFromNothing(t *testing.T) {
	old, err := ensemble.ParseView("server.1=h1:2888:3888\nversion=1")
	require.NoError(t, err)
	view, err := ensemble.ParseView("server.1=h1:2888:3888\nserver.2=h2:2888:3888\nversion=100000002")
	require.NoError(t, err)
	a := start(t, 1, nil)
	require.NoError(t, a.SetView(view))
	b := start(t, 2, joining(a))
	require.NoError(t, b.SetView(old))
	o := start(t, 10, joining(b, a))
	begin := time.Now()
	o.until(func() bool { v := o.View(); return v != nil && v.Version() == view.Version() }, "the newest view")
	assert.Equal(t, view.String(), o.View().String())
	assert.Less(t, time.Since(begin), 2*time.Second)
	require.NoError(t, o.SetView(old))
	assert.Equal(t, view.Version(), o.View().Version(), "an older one does not replace it")
	o.until(func() bool { return len(o.Voters()) == 2 }, "and the voters, without itself")
}

func TestGossip_ANewViewSpreadsBeforeTheNextExchange(t *testing.T) {
	rare := func(c *Config) { c.Timing.PushPull = time.Hour }
	a := start(t, 1, rare)
	b := start(t, 2, func(c *Config) { rare(c); joining(a)(c) })
	c := start(t, 3, func(c *Config) { rare(c); joining(a)(c) })
	for version := range int64(3) {
		for _, v := range []*voice{a, b, c} {
			v.until(func() bool { return v.sees(1, 2, 3) }, "all three")
		}
		view, err := ensemble.ParseView(fmt.Sprintf("server.1=h1:2888:3888\nversion=%x", version))
		require.NoError(t, err)
		require.NoError(t, b.SetView(view))
		for _, v := range []*voice{a, b, c} {
			v.until(func() bool { got := v.View(); return got != nil && got.Version() == version }, "the new view")
		}
	}
}

func TestGossip_KilledServerIsNoticed(t *testing.T) {
	a := start(t, 1, nil)
	b := start(t, 2, joining(a))
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childJoins+"="+a.Addr())
	c.Stderr = os.Stderr
	require.NoError(t, c.Start())
	defer func() { _ = c.Wait() }()
	defer func() { _ = c.Process.Kill() }()
	for _, v := range []*voice{a, b} {
		v.until(func() bool { return v.sees(1, 2, 3) }, "all three")
	}
	begin := time.Now()
	require.NoError(t, c.Process.Kill())
	a.until(a.has(func() bool { return len(a.suspects) > 0 }), "suspected")
	t.Logf("suspected after %v", time.Since(begin))
	assert.EqualValues(t, 3, a.suspects[0])
	b.until(func() bool { return b.sees(1, 2) }, "held dead")
	t.Logf("dead after %v", time.Since(begin))
	m, ok := b.Member(3)
	require.True(t, ok, "it is still listed")
	assert.False(t, m.Alive)
	assert.WithinDuration(t, time.Now(), m.Since, soon)
}

func TestGossip_LeavingServerIsKnownAtOnce(t *testing.T) {
	a := start(t, 1, nil)
	b := start(t, 2, joining(a))
	a.until(func() bool { return a.sees(1, 2) }, "joined")
	begin := time.Now()
	b.stop()
	a.until(func() bool { return a.sees(1) }, "left")
	assert.Less(t, time.Since(begin), time.Second)
	a.until(a.has(func() bool { return len(a.suspects) == 1 }), "told")

	again := start(t, 2, joining(a)) // on another port
	a.until(func() bool { return a.sees(1, 2) }, "back")
	assert.NotEqual(t, b.Addr(), again.Addr())
}

func TestGossip_AnotherKeyIsRefusedWithASentence(t *testing.T) {
	for _, c := range []struct {
		name, ours, theirs string
		here, there        string
	}{
		{"another key", "k", "wrong", "it uses another gossip.key", "it uses another gossip.key"},
		{"no key there", "k", "", "it uses no gossip.key, and this server does", "it uses a gossip.key, and this server does not"},
		{"no key here", "", "k", "it uses a gossip.key, and this server does not", "it uses no gossip.key, and this server does"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := start(t, 1, secret(c.ours))
			b := start(t, 2, secret(c.theirs, a))
			a.until(a.has(func() bool { return len(a.refusals) > 0 }), "told here")
			b.until(b.has(func() bool { return len(b.refusals) > 0 }), "told there")
			a.locked(func() { assert.Equal(t, []string{c.here}, a.refusals) })
			b.locked(func() { assert.Equal(t, []string{c.there}, b.refusals) })
			assert.True(t, a.sees(1))
			assert.True(t, b.sees(2))
		})
	}
}

func TestGossip_AnotherEnsembleIsRefusedWithASentence(t *testing.T) {
	a := start(t, 1, nil)
	b := start(t, 2, func(c *Config) { joining(a)(c); c.Ensemble = "green" })
	a.until(a.has(func() bool { return len(a.refusals) > 0 }), "told here")
	b.until(b.has(func() bool { return len(b.refusals) > 0 }), "told there")
	a.locked(func() { assert.Equal(t, []string{`it is of ensemble "green", this server of "blue"`}, a.refusals) })
	b.locked(func() { assert.Equal(t, []string{`it is of ensemble "blue", this server of "green"`}, b.refusals) })
	assert.True(t, a.sees(1))
	assert.True(t, b.sees(2))
	assert.Equal(t, 1, a.warned)
}

func TestGossip_SameSidTwiceIsReported(t *testing.T) {
	a := start(t, 1, nil)
	b := start(t, 2, joining(a))
	a.until(func() bool { return a.sees(1, 2) }, "joined")
	twin := start(t, 2, joining(a))
	a.until(a.has(func() bool { return len(a.conflicts) > 0 }), "noticed by a third")
	twin.until(twin.has(func() bool { return len(twin.conflicts) > 0 }), "and by the second itself")
	assert.EqualValues(t, 2, a.conflicts[0])
	m, _ := a.Member(2)
	assert.Equal(t, b.Addr(), m.Gossip, "the first is believed")
}

func TestGossip_JoinsWhenTheOthersComeLater(t *testing.T) {
	b := start(t, 2, nil)
	addr := b.Addr() // a port that is free for both, when it has stopped
	b.stop()
	a := start(t, 1, func(c *Config) { c.Join = []string{"no.such.host.invalid:7946", addr} })
	b = start(t, 2, func(c *Config) { c.Bind = addr })
	a.until(func() bool { return a.sees(1, 2) }, "found")
	b.until(func() bool { return b.sees(1, 2) }, "found")
	assert.Zero(t, a.warned)
}

func TestGossip_HostileBytesDisturbNobody(t *testing.T) {
	a := start(t, 1, nil)
	b := start(t, 2, joining(a))
	a.until(func() bool { return a.sees(1, 2) }, "joined")
	udp, err := net.Dial("udp", a.Addr())
	require.NoError(t, err)
	defer udp.Close()
	for i := range 256 {
		for _, tail := range [][]byte{nil, {0xff, 0xff, 0xff, 0xff}, make([]byte, 100)} {
			p := append([]byte{byte(i)}, tail...)
			_, err := udp.Write(p)
			require.NoError(t, err)
			if i < 16 || i > 240 {
				tcp, err := net.Dial("tcp", a.Addr())
				require.NoError(t, err)
				_, _ = tcp.Write(p)
				require.NoError(t, tcp.Close())
			}
		}
	}
	require.NoError(t, b.Announce(Meta{State: ensemble.Observing}))
	a.until(func() bool { m, _ := a.Member(2); return m.State == ensemble.Observing }, "all is well")
	a.locked(func() { assert.LessOrEqual(t, a.warned, 3) })
}

func TestRun_PortInUse(t *testing.T) {
	a := start(t, 1, nil)
	g, err := New(Config{Self: 2, Ensemble: "blue", Bind: a.Addr()})
	require.NoError(t, err)
	err = g.Run(context.Background())
	assert.ErrorContains(t, err, a.Addr()+" is in use by another process")
	assert.ErrorContains(t, g.Run(context.Background()), "once")
}

func TestRun_EndsSoonWhileJoiningABlackHole(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // says nothing
	require.NoError(t, err)
	defer ln.Close()
	a := start(t, 1, func(c *Config) { c.Join = []string{ln.Addr().String()} })
	c, err := ln.Accept()
	require.NoError(t, err)
	defer c.Close()
	begin := time.Now()
	a.stop()
	assert.Less(t, time.Since(begin), Local.Timeout)
}

func TestConfig_ReportsAllFaults(t *testing.T) {
	_, err := New(Config{Self: -1, Bind: "nowhere", Advertise: "x:0", Join: []string{":1", "y"}, Timing: Timing{Probe: 1, ProbeTimeout: 2}})
	for _, s := range []string{"sid -1", "ensemble name", "bind:", `"x:0"`, `":1"`, `"y"`, "Gossip must be positive", "ProbeTimeout", "Suspicion"} {
		assert.ErrorContains(t, err, s)
	}
}

func TestMember_PlacesAreTheNameAndTheAddress(t *testing.T) {
	m := Member{Meta: Meta{Quorum: "zk1:2888", Election: "10.0.0.1:3888"}, Gossip: "10.0.0.1:7946"}
	assert.Equal(t, []string{"zk1:2888", "10.0.0.1:2888"}, m.QuorumAddrs())
	assert.Equal(t, []string{"10.0.0.1:3888"}, m.ElectionAddrs())
	assert.Empty(t, Member{}.QuorumAddrs())
}

func TestTable_IsBounded(t *testing.T) {
	tb := table{members: map[ensemble.ServerID]Member{}}
	now := time.Unix(0, 0)
	for sid := range ensemble.ServerID(membersMax) {
		require.NoError(t, tb.room(sid, now))
		tb.put(Member{Meta: Meta{Sid: sid}, Alive: sid != 0}, now)
	}
	assert.ErrorIs(t, tb.room(membersMax, now), errFull)
	assert.NoError(t, tb.room(5, now), "one that is known is always welcome")
	assert.NoError(t, tb.room(membersMax, now.Add(2*forgetAfter)), "the dead make room")
}

func FuzzMeta(f *testing.F) {
	m := Meta{Ensemble: "blue", Sid: 3, State: ensemble.Leading, Epoch: 5, Zxid: ensemble.NewZxid(5, 9), Quorum: "h:1", Election: "[::1]:2", Client: "0.0.0.0:3"}
	good, err := m.encode()
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte{1, 0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{1, 0x99, 0xdb, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := decodeMeta(in)
		if err != nil {
			return
		}
		out, err := m.encode()
		require.NoError(t, err)
		again, err := decodeMeta(out)
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}

func FuzzKnowledge(f *testing.F) {
	good, err := seal(&knowledge{"blue", "server.1=h:1:2\nversion=0"})
	require.NoError(f, err)
	f.Add(good)
	f.Fuzz(func(t *testing.T, in []byte) {
		var k knowledge
		if unseal(in, &k) != nil {
			return
		}
		out, err := seal(&k)
		require.NoError(t, err)
		var again knowledge
		require.NoError(t, unseal(out, &again))
		require.Equal(t, k, again)
	})
}

func TestMeta_LimitIsKept(t *testing.T) {
	long := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = 'a'
		}
		return string(b) + ":" + strconv.Itoa(2888)
	}
	m := Meta{Ensemble: "blue", Sid: 1, Quorum: long(200), Election: long(200), Client: long(200)}
	_, err := m.encode()
	assert.ErrorContains(t, err, "at most 512 fit")
	m.Client = ""
	_, err = m.encode()
	assert.NoError(t, err)
}
