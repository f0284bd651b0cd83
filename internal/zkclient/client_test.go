package zkclient

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/zktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testLimit = 2 * time.Minute // for a machine that is busy with other tests

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

// events collects what a client is told.
type events struct {
	mu   sync.Mutex
	list []Event
	more chan struct{}
}

func newEvents() *events { return &events{more: make(chan struct{}, 1)} }

func (e *events) add(ev Event) {
	e.mu.Lock()
	e.list = append(e.list, ev)
	e.mu.Unlock()
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// wait returns the first event from the from-th on that want accepts, and the number behind it.
func (e *events) wait(ctx context.Context, t *testing.T, from int, what string, want func(Event) bool) (Event, int) {
	t.Helper()
	for {
		e.mu.Lock()
		for i := from; i < len(e.list); i++ {
			if want(e.list[i]) {
				defer e.mu.Unlock()
				return e.list[i], i + 1
			}
		}
		e.mu.Unlock()
		select {
		case <-e.more:
		case <-ctx.Done():
			require.FailNow(t, "no event", "%s in %v", what, e.list[from:])
		}
	}
}

func (e *events) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.list)
}

func isState(s State) func(Event) bool {
	return func(e Event) bool { return e.Type == 0 && e.State == s }
}

func isEvent(t proto.EventType, path string) func(Event) bool {
	return func(e Event) bool { return e.Type == t && e.Path == path }
}

func dial(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = 10 * time.Second
	}
	c, err := Dial(testContext(t), cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestClient_EveryCall(t *testing.T) {
	e := zktest.Start(t, 1)
	ctx, c := testContext(t), dial(t, Config{Servers: e.ConnectString()})
	require.Equal(t, 10*time.Second, c.SessionTimeout())
	require.NotZero(t, c.SessionID())

	path, stat, err := c.Create(ctx, "/a", []byte("one"), Create{})
	require.NoError(t, err)
	require.Equal(t, "/a", path)
	require.EqualValues(t, 3, stat.DataLength)
	_, _, err = c.Create(ctx, "/a", nil, Create{})
	require.ErrorIs(t, err, proto.ErrNodeExists)
	require.Equal(t, "/a", err.(*Error).Path)
	require.Equal(t, proto.ErrNodeExists, Code(err))

	stat, err = c.Set(ctx, "/a", []byte("two"), 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, stat.Version)
	_, err = c.Set(ctx, "/a", nil, 0)
	require.ErrorIs(t, err, proto.ErrBadVersion)
	data, _, err := c.Get(ctx, "/a", false)
	require.NoError(t, err)
	require.Equal(t, "two", string(data))
	_, err = c.Exists(ctx, "/nope", false)
	require.ErrorIs(t, err, proto.ErrNoNode)

	path, _, err = c.Create(ctx, "/a/s-", nil, Create{Sequential: true, Ephemeral: true})
	require.NoError(t, err)
	require.Equal(t, "/a/s-0000000000", path)
	_, stat, err = c.Create(ctx, "/c", nil, Create{Container: true})
	require.NoError(t, err)
	require.Zero(t, stat.EphemeralOwner)
	names, _, err := c.Children(ctx, "/a", false)
	require.NoError(t, err)
	require.Equal(t, []string{"s-0000000000"}, names)
	names, err = c.Ephemerals(ctx, "/")
	require.NoError(t, err)
	require.Equal(t, []string{"/a/s-0000000000"}, names)
	n, err := c.AllChildrenNumber(ctx, "/a")
	require.NoError(t, err)
	require.Equal(t, 1, n)

	require.NoError(t, c.Sync(ctx, "/"))
	require.NoError(t, c.AddAuth(ctx, "digest", []byte("user:secret")))
	who, err := c.WhoAmI(ctx)
	require.NoError(t, err)
	require.Contains(t, who, proto.ClientInfo{Scheme: "digest", User: "user"})
	_, err = c.SetACL(ctx, "/a", []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}}, -1)
	require.NoError(t, err)
	acl, _, err := c.ACL(ctx, "/a")
	require.NoError(t, err)
	require.Equal(t, "digest", acl[0].ID.Scheme)

	_, stat, err = c.EnsembleConfig(ctx, false)
	require.NoError(t, err)
	require.EqualValues(t, -1, stat.AVersion, "this is /zookeeper/config (spec client-protocol 1.8)")
	_, _, err = c.Reconfig(ctx, "", "", "", -1)
	require.Error(t, err)
	require.Error(t, c.Delete(ctx, "/a", 7))
	require.Positive(t, c.LastZxid())
}

func TestClient_Multi(t *testing.T) {
	e := zktest.Start(t, 1)
	ctx, c := testContext(t), dial(t, Config{Servers: e.ConnectString()})
	results, err := c.Multi(ctx, CreateOp("/m", []byte("x"), Create{}), SetOp("/m", []byte("y"), 0), CreateOp("/m/c", nil, Create{Ephemeral: true}))
	require.NoError(t, err)
	require.Equal(t, "/m", results[0].Path)
	require.EqualValues(t, 1, results[1].Stat.Version)

	_, err = c.Multi(ctx, CheckOp("/m", 1), DeleteOp("/m/nope", -1), SetOp("/m", nil, -1))
	require.ErrorIs(t, err, proto.ErrNoNode)
	require.Equal(t, "/m/nope", err.(*Error).Path)

	results, err = c.MultiRead(ctx, GetOp("/m"), ChildrenOp("/m"), GetOp("/nope"))
	require.NoError(t, err)
	require.Equal(t, "y", string(results[0].Data))
	require.Equal(t, []string{"c"}, results[1].Children)
	require.Equal(t, proto.ErrNoNode, results[2].Err)
}

func TestClient_ChrootIsInvisible(t *testing.T) {
	e := zktest.Start(t, 1)
	ctx, plain := testContext(t), dial(t, Config{Servers: e.ConnectString()})
	_, _, err := plain.Create(ctx, "/root", nil, Create{})
	require.NoError(t, err)
	seen := newEvents()
	c := dial(t, Config{Servers: e.ConnectString() + "/root", OnEvent: seen.add})
	require.NoError(t, c.AddWatch(ctx, "/", true))
	path, _, err := c.Create(ctx, "/x", []byte("1"), Create{Ephemeral: true})
	require.NoError(t, err)
	require.Equal(t, "/x", path)
	seen.wait(ctx, t, 0, "created", isEvent(proto.EventNodeCreated, "/x"))
	_, err = plain.Exists(ctx, "/root/x", false)
	require.NoError(t, err)
	names, err := c.Ephemerals(ctx, "/")
	require.NoError(t, err)
	require.Equal(t, []string{"/x"}, names)
	results, err := c.Multi(ctx, CreateOp("/y", nil, Create{}))
	require.NoError(t, err)
	require.Equal(t, "/y", results[0].Path)
	_, err = c.Exists(ctx, "/", false)
	require.NoError(t, err)
	_, _, err = c.Get(ctx, "x", false)
	require.ErrorIs(t, err, proto.ErrBadArguments)
	require.Equal(t, []Watch{{"/", "recursive"}}, c.Watches())
}

func TestClient_KeepsItsSessionAndWatchesWhenAServerDies(t *testing.T) {
	e := zktest.Start(t, 3)
	ctx, seen := testContext(t), newEvents()
	c := dial(t, Config{Servers: e.ConnectString(), OnEvent: seen.add, Auth: []Auth{{"digest", []byte("u:p")}}})
	other := dial(t, Config{Servers: e.ConnectString()})
	id := c.SessionID()
	_, _, err := c.Create(ctx, "/e", nil, Create{Ephemeral: true, ACL: []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}}})
	require.NoError(t, err)
	_, _, err = c.Create(ctx, "/d", nil, Create{})
	require.NoError(t, err)
	_, _, err = c.Get(ctx, "/d", true)
	require.NoError(t, err)
	_, err = c.Exists(ctx, "/later", true)
	require.ErrorIs(t, err, proto.ErrNoNode)
	_, _, err = c.Children(ctx, "/d", true)
	require.NoError(t, err)
	require.NoError(t, c.AddWatch(ctx, "/p", true))
	require.NoError(t, c.AddWatch(ctx, "/q", false))

	_, server := c.State()
	for _, s := range e.Servers() {
		if s.Addr() == server {
			require.NoError(t, e.Kill(s.ID()))
		}
	}
	_, n := seen.wait(ctx, t, 0, "disconnected", isState(StateConnecting))
	_, n = seen.wait(ctx, t, n, "connected", isState(StateConnected))
	require.Equal(t, id, c.SessionID())

	for _, path := range []string{"/later", "/d/child", "/p", "/p/deep", "/q"} {
		_, _, err = other.Create(ctx, path, nil, Create{})
		require.NoError(t, err)
	}
	_, err = other.Set(ctx, "/d", []byte("new"), -1)
	require.NoError(t, err)
	for _, want := range []func(Event) bool{
		isEvent(proto.EventNodeCreated, "/later"), isEvent(proto.EventNodeChildrenChanged, "/d"),
		isEvent(proto.EventNodeCreated, "/p"), isEvent(proto.EventNodeCreated, "/p/deep"),
		isEvent(proto.EventNodeCreated, "/q"), isEvent(proto.EventNodeDataChanged, "/d"),
	} {
		seen.wait(ctx, t, n, "watch event", want)
	}
	// Only who has given his identity again may do this.
	_, err = c.Set(ctx, "/e", []byte("mine"), -1)
	require.NoError(t, err)
	require.Equal(t, []Watch{{"/q", "persistent"}, {"/p", "recursive"}}, c.Watches(), "one-shot watches end with their event")
}

func TestClient_SaysWhetherEventsMayHaveBeenMissed(t *testing.T) {
	e := zktest.Start(t, 1)
	ctx, seen := testContext(t), newEvents()
	c := dial(t, Config{Servers: e.ConnectString(), OnEvent: seen.add})
	require.NoError(t, c.AddWatch(ctx, "/", true))
	require.NoError(t, c.Sync(ctx, "/"))
	n := seen.count()
	require.NoError(t, e.CutClients(1))
	back, n := seen.wait(ctx, t, n, "connected", isState(StateConnected))
	require.False(t, back.Missed, "nothing has happened: %+v", back)

	other := dial(t, Config{Servers: e.ConnectString()}) // its session is a transaction
	_, _, err := other.Create(ctx, "/x", nil, Create{})
	require.NoError(t, err)
	seen.wait(ctx, t, n, "created", isEvent(proto.EventNodeCreated, "/x"))
	require.NoError(t, e.Pause(1))
	c.mu.Lock()
	n = seen.count()
	c.mu.Unlock()
	require.NoError(t, e.Resume(1))
	require.NoError(t, e.Kill(1))
	require.NoError(t, e.Restart(1)) // a new epoch
	back, _ = seen.wait(ctx, t, n, "connected", isState(StateConnected))
	require.True(t, back.Missed, "%+v", back)
	require.Less(t, back.LastZxid, back.Zxid)
}

func TestClient_ManyGoroutinesPipeline(t *testing.T) {
	e := zktest.Start(t, 1)
	ctx, c := testContext(t), dial(t, Config{Servers: e.ConnectString(), OutstandingMax: 16})
	var all sync.WaitGroup
	for g := range 40 {
		all.Go(func() {
			for i := range 10 {
				path := fmt.Sprintf("/n-%d-%d", g, i)
				if _, _, err := c.Create(ctx, path, []byte(path), Create{}); err != nil {
					t.Error(err)
				}
				if data, _, err := c.Get(ctx, path, false); err != nil || string(data) != path {
					t.Error(path, string(data), err)
				}
			}
		})
	}
	all.Wait()
	n, err := c.AllChildrenNumber(ctx, "/")
	require.NoError(t, err)
	require.Greater(t, n, 400)
}

func TestClient_CloseRemovesEphemerals(t *testing.T) {
	e := zktest.Start(t, 1)
	ctx, seen := testContext(t), newEvents()
	c, err := Dial(ctx, Config{Servers: e.ConnectString(), OnEvent: seen.add})
	require.NoError(t, err)
	_, _, err = c.Create(ctx, "/e", nil, Create{Ephemeral: true})
	require.NoError(t, err)
	c.Close()
	c.Close()
	_, _, err = c.Get(ctx, "/e", false)
	require.ErrorIs(t, err, ErrClosed)
	_, err = dial(t, Config{Servers: e.ConnectString()}).Exists(ctx, "/e", false)
	require.ErrorIs(t, err, proto.ErrNoNode)
	require.Equal(t, 2, seen.count(), "connected, closed: %v", seen.list)
}

func TestClient_ExpiredSessionIsTheEnd(t *testing.T) {
	e := zktest.Start(t, 1)
	ctx, seen := testContext(t), newEvents()
	c := dial(t, Config{Servers: e.ConnectString(), OnEvent: seen.add})
	_, _, err := c.Create(ctx, "/x", nil, Create{})
	require.NoError(t, err)
	c.mu.Lock()
	c.session.password = make([]byte, proto.PasswordBytes) // of somebody else
	c.mu.Unlock()
	require.NoError(t, e.CutClients(1))
	seen.wait(ctx, t, 0, "expired", isState(StateExpired))
	_, _, err = c.Get(ctx, "/x", false)
	require.ErrorIs(t, err, proto.ErrSessionExpired)
}

func TestClient_RefusedIdentity(t *testing.T) {
	e := zktest.Start(t, 1)
	ctx, c := testContext(t), dial(t, Config{Servers: e.ConnectString()})
	require.ErrorIs(t, c.AddAuth(ctx, "nosuch", nil), proto.ErrAuthFailed)
	require.NoError(t, c.Sync(ctx, "/"), "the session goes on, without the identity")

	_, err := Dial(ctx, Config{Servers: e.ConnectString(), Auth: []Auth{{"nosuch", nil}}})
	require.ErrorIs(t, err, proto.ErrAuthFailed)

	for range 20 { // whether the request is on its way already, or not yet
		refused, err := Open(Config{Servers: e.ConnectString(), Auth: []Auth{{"nosuch", nil}}})
		require.NoError(t, err)
		_, _, err = refused.Get(ctx, "/", false)
		require.ErrorIs(t, err, proto.ErrAuthFailed)
		refused.Close()
	}
}

func TestDial_SaysWhyThereIsNoServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := Dial(ctx, Config{Servers: "127.0.0.1:1"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "refused")
	_, err = Dial(ctx, Config{Servers: "127.0.0.1:1", SessionTimeout: -1, FrameBytesMax: -1})
	require.ErrorContains(t, err, "SessionTimeout")
	require.ErrorContains(t, err, "FrameBytesMax")
}

func TestOpen_RequestsWaitForAServerButNotForEver(t *testing.T) {
	e := zktest.Start(t, 1)
	require.NoError(t, e.Kill(1))
	c, err := Open(Config{Servers: e.ConnectString(), ConnectWait: 50 * time.Millisecond})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Exists(testContext(t), "/", false)
	require.ErrorIs(t, err, ErrNoConnection)

	patient, err := Open(Config{Servers: e.ConnectString(), ConnectWait: testLimit})
	require.NoError(t, err)
	defer patient.Close()
	found := make(chan error, 1)
	go func() { _, err := patient.Exists(testContext(t), "/", false); found <- err }()
	require.NoError(t, e.Restart(1))
	require.NoError(t, <-found)
}

func TestParseConnectString(t *testing.T) {
	for in, want := range map[string]string{
		"a:1":               "a:1 ",
		"a":                 "a:2181 ",
		"a:1,b/c/d":         "a:1 b:2181 /c/d",
		"[::1]:5, 1.2.3.4/": "[::1]:5 1.2.3.4:2181 ",
		"::1":               "[::1]:2181 ",
		"[::1]":             "[::1]:2181 ",
	} {
		servers, chroot, err := ParseConnectString(in)
		require.NoError(t, err, in)
		require.Equal(t, want, strings.Join(servers, " ")+" "+chroot, in)
	}
	for _, in := range []string{"", "a,", ":1", "a:0", "a:x", "a:70000", "a/b/", "a//b", "a/b/../c", "[::1", "a:b:c"} {
		_, _, err := ParseConnectString(in)
		require.Error(t, err, in)
	}
}
