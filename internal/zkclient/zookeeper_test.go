package zkclient

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/server/proto"
)

// TestClient_WithZooKeeper makes every call that the protocol has to a real one.
func TestClient_WithZooKeeper(t *testing.T) {
	if err := cluster.ZooKeeperInstalled(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	s, err := cluster.New(cluster.Config{Kind: cluster.ZooKeeper, Dir: t.TempDir(), Servers: 1,
		JavaFlags: []string{"-Dzookeeper.extendedTypesEnabled=true"}})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.NoError(t, s.Start())
	require.NoError(t, s.WaitServing(testLimit))
	ctx, seen := testContext(t), newEvents()
	c := dial(t, Config{Servers: s.ClientAddrs()[0], OnEvent: seen.add, SessionTimeout: 20 * time.Second})
	other := dial(t, Config{Servers: s.ClientAddrs()[0], SessionTimeout: 20 * time.Second})

	for path, o := range map[string]Create{"/plain": {}, "/box": {Container: true}, "/ttl": {TTLMillis: 60_000},
		"/ttl-": {TTLMillis: 60_000, Sequential: true}, "/e": {Ephemeral: true}, "/s-": {Sequential: true}} {
		_, _, err := c.Create(ctx, path, []byte("x"), o)
		require.NoError(t, err, path)
	}
	names, _, err := c.Children(ctx, "/", true)
	require.NoError(t, err)
	require.Len(t, names, 7)
	ephemerals, err := c.Ephemerals(ctx, "/")
	require.NoError(t, err)
	require.Equal(t, []string{"/e"}, ephemerals)
	require.NoError(t, c.AddAuth(ctx, "digest", []byte("u:p")))
	who, err := c.WhoAmI(ctx)
	require.NoError(t, err)
	require.Contains(t, who, proto.ClientInfo{Scheme: "digest", User: "u"})
	_, err = c.Multi(ctx, SetOp("/plain", []byte("y"), 0), DeleteOp("/nope", -1))
	require.ErrorIs(t, err, proto.ErrNoNode)
	results, err := c.Multi(ctx, CheckOp("/plain", 0), SetOp("/plain", []byte("y"), 0), CreateOp("/m", nil, Create{TTLMillis: 1000}))
	require.NoError(t, err)
	require.Equal(t, "/m", results[2].Path)
	results, err = c.MultiRead(ctx, GetOp("/plain"), ChildrenOp("/nope"))
	require.NoError(t, err)
	require.Equal(t, "y", string(results[0].Data))
	require.Equal(t, proto.ErrNoNode, results[1].Err)
	_, _, err = c.Reconfig(ctx, "", "9", "", -1)
	require.Error(t, err)

	// Watches outlive the server.
	require.NoError(t, c.AddWatch(ctx, "/plain", true))
	_, _, err = c.Get(ctx, "/box", true)
	require.NoError(t, err)
	_, err = c.Exists(ctx, "/later", true)
	require.ErrorIs(t, err, proto.ErrNoNode)
	n := seen.count()
	s.Server(1).Kill()
	require.NoError(t, s.Start())
	require.NoError(t, s.WaitServing(testLimit))
	_, n = seen.wait(ctx, t, n, "connected", isState(StateConnected))
	for _, path := range []string{"/plain/child", "/later"} {
		_, _, err = other.Create(ctx, path, nil, Create{})
		require.NoError(t, err)
		seen.wait(ctx, t, n, path, isEvent(proto.EventNodeCreated, path))
	}
	_, err = other.Set(ctx, "/box", nil, -1)
	require.NoError(t, err)
	seen.wait(ctx, t, n, "/box", isEvent(proto.EventNodeDataChanged, "/box"))
	require.NoError(t, c.RemoveWatches(ctx, "/plain", proto.WatcherAny, false))
	require.ErrorIs(t, c.RemoveWatches(ctx, "/plain", proto.WatcherAny, false), proto.ErrNoWatcher)
	ephemerals, err = c.Ephemerals(ctx, "/")
	require.NoError(t, err)
	require.Equal(t, []string{"/e"}, ephemerals, "the session goes on")
}
