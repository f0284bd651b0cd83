package integration_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
)

const (
	zkCli  = "/usr/share/zookeeper/bin/zkCli.sh"
	cliMT  = "/usr/lib/zookeeper/bin/cli_mt"
	python = "/usr/bin/python3"
)

// TestClients has each real client do the whole round on one ensemble.
func TestClients(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 3})
	t.Run("go-zookeeper", func(t *testing.T) { tryGoZooKeeper(t, c.ClientAddrs()) })
	t.Run("zkCli", func(t *testing.T) { tryZkCli(t, c) })
	t.Run("cli_mt", func(t *testing.T) { tryCliMT(t, c) })
	t.Run("kazoo", func(t *testing.T) {
		needPython(t, "import kazoo", "python3-kazoo")
		runToOK(t, python, scriptPath(t, "kazoo_client.py"), hostsOf(c))
	})
	t.Run("java multi", func(t *testing.T) {
		program(t, "default-jre-headless", "java")
		if err := cluster.ZooKeeperInstalled(); err != nil {
			t.Skipf("skipped: %v", err)
		}
		if out, err := exec.Command("java", "--list-modules").Output(); err != nil || !strings.Contains(string(out), "jdk.compiler@") {
			t.Skip("skipped: this java cannot run a source file (Debian: apt-get install default-jdk-headless)")
		}
		runToOK(t, "java", "-cp", "/usr/share/java/zookeeper.jar", scriptPath(t, "JavaMulti.java"), hostsOf(c))
	})
	t.Run("C multi", func(t *testing.T) {
		needPython(t, "import ctypes; ctypes.CDLL('libzookeeper_mt.so.2')", "libzookeeper-mt2")
		runToOK(t, python, scriptPath(t, "c_multi.py"), hostsOf(c))
	})
	if !t.Failed() {
		for _, s := range c.Servers {
			nodes := dumpOf(t, s, "/")
			assert.Len(t, nodes, 1, "the clients left nodes on server %d: %v", s.ID, nodes)
		}
	}
}

func scriptPath(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	require.NoError(t, err)
	return path
}

func needPython(t *testing.T, try, pkg string) {
	t.Helper()
	program(t, "python3", python)
	if err := exec.Command(python, "-c", try).Run(); err != nil {
		t.Skipf("skipped: %q fails in %s (Debian: apt-get install %s)", try, python, pkg)
	}
}

func tryZkCli(t *testing.T, c *cluster.Cluster) {
	program(t, "zookeeper", zkCli, "java")
	d := converse(t, zkCli, "-server", hostsOf(c))
	d.expect("state:SyncConnected")
	d.say("create /cli hello", "Created /cli")
	d.say("create /cli again", "Node already exists: /cli")
	d.say("get /cli", "hello")
	d.say("set /cli world")
	d.say("get -s /cli", "world", "cversion = 0", "dataVersion = 1", "ephemeralOwner = 0x0", "dataLength = 5")
	d.say("set -v 0 /cli stale", "version No is not valid")
	d.say("get -w /cli", "world")
	d.sayAll("set /cli watched", "type:NodeDataChanged path:/cli")
	d.say("ls -w /cli", "[]")
	d.sayAll("create -e /cli/eph e", "type:NodeChildrenChanged path:/cli", "Created /cli/eph")
	d.say("stat /cli/eph", "ephemeralOwner = 0x")
	d.say("create -s /cli/seq- s", "Created /cli/seq-0000000001")
	d.say("create -s -e /cli/seq- s", "Created /cli/seq-0000000002")
	d.sayList("ls /cli", "]\n", "eph", "seq-0000000001", "seq-0000000002")
	d.say("getAcl /cli", "'world,'anyone", ": cdrwa")
	d.say("sync /cli", "Sync is OK")
	d.say("delete /cli/seq-0000000001")
	d.say("get /cli/seq-0000000001", "Node does not exist: /cli/seq-0000000001")
	d.quit("quit")

	// Its session is over, and so are its ephemerals.
	conn := dial(t, c.Server(1).ClientAddr())
	require.NoError(t, conn.Sync("/cli"))
	names, err := conn.Children("/cli")
	require.NoError(t, err)
	assert.Empty(t, names)
	require.NoError(t, conn.Delete("/cli"))
}

func tryCliMT(t *testing.T, c *cluster.Cluster) {
	program(t, "zookeeper-bin", cliMT)
	d := converse(t, cliMT, "-h", hostsOf(c))
	d.expect("state = CONNECTED_STATE", "Got a new session id")
	d.say("create /mt", "[/mt]: rc = 0", "name = /mt")
	d.say("create /mt", "[/mt]: rc = -110")
	d.say("set /mt hello", "/mt: rc = 0", "version=1")
	d.say("get /mt", "/mt: rc = 0", "value_len = 5", "hello")
	d.say("ls /", "/: rc = 0", "mt")
	d.say("wexists /mt") // sets a watch and prints nothing
	d.say("set /mt two", "CHANGED_EVENT state = CONNECTED_STATE for path /mt")
	d.expect("version=2")
	d.say("create +e /mt/eph", "name = /mt/eph")
	d.say("create +s /mt/seq-", "name = /mt/seq-0000000001")
	d.say("create +es /mt/seq-", "name = /mt/seq-0000000002")
	d.sayList("ls2 /mt", "ephemeralOwner = 0", "eph\n", "seq-0000000001", "seq-0000000002")
	d.say("delete /mt/seq-0000000001", "/mt/seq-0000000001: rc = 0")
	d.say("delete /mt", "/mt: rc = -111")
	d.say("sync /mt", "[/mt]: rc = 0")
	d.quit("quit")
	conn := dial(t, c.Server(1).ClientAddr())
	require.NoError(t, conn.Sync("/mt"))
	names, err := conn.Children("/mt")
	require.NoError(t, err)
	assert.Empty(t, names)
	require.NoError(t, conn.Delete("/mt"))
}

// tryGoZooKeeper does the round with go-zookeeper.
func tryGoZooKeeper(t *testing.T, addrs []string) {
	conn, other := goZooKeeper(t, addrs), goZooKeeper(t, addrs)
	open := zk.WorldACL(zk.PermAll)

	path, err := conn.Create("/gozk", []byte("one"), 0, open)
	require.NoError(t, err)
	assert.Equal(t, "/gozk", path)
	_, err = conn.Create("/gozk", nil, 0, open)
	assert.ErrorIs(t, err, zk.ErrNodeExists)
	data, stat, err := conn.Get("/gozk")
	require.NoError(t, err)
	assert.Equal(t, "one", string(data))
	stat, err = conn.Set("/gozk", []byte("two"), stat.Version)
	require.NoError(t, err)
	assert.Equal(t, int32(1), stat.Version)
	_, err = conn.Set("/gozk", []byte("x"), 0)
	assert.ErrorIs(t, err, zk.ErrBadVersion)

	_, _, changed, err := conn.GetW("/gozk")
	require.NoError(t, err)
	_, _, listed, err := conn.ChildrenW("/gozk")
	require.NoError(t, err)
	_, _, made, err := conn.ExistsW("/gozk/eph")
	require.NoError(t, err)
	_, err = other.Set("/gozk", []byte("three"), -1)
	require.NoError(t, err)
	expectEvent(t, changed, zk.EventNodeDataChanged, "/gozk")
	_, err = other.Create("/gozk/eph", nil, zk.FlagEphemeral, open)
	require.NoError(t, err)
	expectEvent(t, made, zk.EventNodeCreated, "/gozk/eph")
	expectEvent(t, listed, zk.EventNodeChildrenChanged, "/gozk")

	one, err := conn.Create("/gozk/seq-", nil, zk.FlagSequence, open)
	require.NoError(t, err)
	assert.Equal(t, "/gozk/seq-0000000001", one)
	two, err := conn.CreateProtectedEphemeralSequential("/gozk/seq-", nil, open)
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(two, "seq-0000000002"), two)

	results, err := conn.Multi(&zk.CheckVersionRequest{Path: "/gozk", Version: 2},
		&zk.CreateRequest{Path: "/gozk/m", Data: []byte("m"), Acl: open},
		&zk.SetDataRequest{Path: "/gozk/m", Data: []byte("n"), Version: 0},
		&zk.DeleteRequest{Path: "/gozk/m", Version: 1})
	require.NoError(t, err)
	require.Len(t, results, 4)
	assert.Equal(t, int32(1), results[2].Stat.Version)
	_, err = conn.Multi(&zk.CreateRequest{Path: "/gozk/never", Acl: open}, &zk.DeleteRequest{Path: "/gozk/none", Version: -1})
	assert.Error(t, err)
	there, _, err := conn.Exists("/gozk/never")
	require.NoError(t, err)
	assert.False(t, there)

	_, _, gone, err := conn.ExistsW("/gozk/eph")
	require.NoError(t, err)
	other.Close()
	expectEvent(t, gone, zk.EventNodeDeleted, "/gozk/eph")

	_, err = conn.Sync("/gozk")
	require.NoError(t, err)
	names, _, err := conn.Children("/gozk")
	require.NoError(t, err)
	assert.Len(t, names, 2)
	for _, name := range names {
		require.NoError(t, conn.Delete("/gozk/"+name, -1))
	}
	require.NoError(t, conn.Delete("/gozk", -1))
}

func goZooKeeper(t *testing.T, addrs []string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect(addrs, 5*time.Second, zk.WithLogInfo(false))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

func expectEvent(t *testing.T, events <-chan zk.Event, kind zk.EventType, path string) {
	t.Helper()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case e := <-events:
		assert.Equal(t, kind, e.Type)
		assert.Equal(t, path, e.Path)
	case <-timer.C:
		t.Fatalf("no event %v for %s", kind, path)
	}
}

// A client's session moves with it when its server dies: the ephemeral stays.
func TestClients_SessionSurvivesTheDeathOfItsServer(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 3})
	conn := goZooKeeper(t, c.ClientAddrs())
	_, err := conn.Create("/mine", []byte("still here"), zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	session := conn.SessionID()
	var at *cluster.Server
	for _, s := range c.Servers {
		if s.ClientAddr() == conn.Server() {
			at = s
		}
	}
	require.NotNil(t, at, "connected to %s", conn.Server())
	at.Kill()
	started := time.Now()
	eventually(t, servingTimeout, "the client goes on elsewhere", func() error {
		_, _, err := conn.Get("/mine")
		return err
	})
	t.Logf("server %d killed: its client read again after %v", at.ID, time.Since(started).Round(time.Millisecond))
	assert.Equal(t, session, conn.SessionID())
	assert.NotEqual(t, at.ClientAddr(), conn.Server())

	// A session that nobody keeps alive ends on every server. 2 s is within
	// what tickTime allows.
	dropped, err := wire.Dial(conn.Server(), 2*time.Second)
	require.NoError(t, err)
	require.NoError(t, dropped.CreateEphemeral("/dropped", nil))
	dropped.Drop()
	eventually(t, servingTimeout, "the session expires", func() error {
		there, _, err := conn.Exists("/dropped")
		if err == nil && there {
			err = errors.New("its ephemeral is still there")
		}
		return err
	})
	data, _, err := conn.Get("/mine")
	require.NoError(t, err)
	assert.Equal(t, "still here", string(data))
}
