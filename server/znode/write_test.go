package znode

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

func TestValidPath_Rules(t *testing.T) {
	for _, p := range []string{"/", "/a", "/a/b", "/...", "/a..b", "/.x", "/x.", "/ä€", "/a b", "/\uf900", "/\uffef", "/\u00a0"} {
		assert.True(t, ValidPath(p), "%q", p)
	}
	for _, p := range []string{"", "a", "a/b", "/a/", "//", "//a", "/a//b", "/.", "/..", "/a/./b", "/a/..", "/a/.",
		"/\x00", "/a\x1f", "/\x7f", "/\u0080", "/\u009f", "/\ue000", "/\uf8ff", "/\ufff0", "/\ufffd", "/\uffff", "/\U0001F600",
		"/\xff", "/\xc3", "/\xed\xa0\x80"} {
		assert.False(t, ValidPath(p), "%q", p)
	}
}

func TestNewTree_ReservedNodesAsOnAFreshServer(t *testing.T) {
	tree := NewTree()
	get := func(path string) (proto.Stat, Node) {
		n, ok := tree.Node(path)
		require.True(t, ok, path)
		return n.Stat(), n
	}
	root, n := get("/")
	assert.Equal(t, proto.Stat{CVersion: -1, NumChildren: 1}, root)
	assert.Equal(t, proto.OpenACL, n.ACL())
	assert.NotNil(t, n.Data())
	zk, n := get("/zookeeper")
	assert.Equal(t, proto.Stat{CVersion: -2, NumChildren: 2}, zk)
	assert.Equal(t, []string{"config", "quota"}, n.Children())
	quota, _ := get("/zookeeper/quota")
	assert.Equal(t, proto.Stat{}, quota)
	config, n := get("/zookeeper/config")
	assert.Equal(t, proto.Stat{AVersion: -1}, config)
	assert.Equal(t, aclOf("1:world:anyone"), n.ACL())
	assert.Equal(t, 4, tree.NodeCount())
	assert.Equal(t, 3, tree.Descendants("/"))

	tree.SetConfig("server.1=a\nversion=7", 7)
	config, n = get("/zookeeper/config")
	assert.Equal(t, proto.Stat{AVersion: -1, Version: -1, Mzxid: 7, DataLength: 20}, config)
	assert.Equal(t, "server.1=a\nversion=7", string(n.Data()))
}

func TestTree_NodeTakesAnyString(t *testing.T) {
	w := newWorld(t)
	w.must("/a", "/a/b")
	for path, want := range map[string]bool{"": true, "/": true, "/a": true, "/a/b": true, "a": false, "/a/": false,
		"//a": false, "//": false, "/a//b": false, "/b": false, "/a/b/c": false, "\x00": false} {
		_, ok := w.tree.Node(path)
		assert.Equal(t, want, ok, "%q", path)
		assert.Equal(t, want, w.tree.own(path) != nil, "%q", path)
	}
}

// Spec client-protocol 1.8, row by row.
func TestStat_Evolution(t *testing.T) {
	w := newWorld(t)
	res := w.create("/p", 0)
	z := int64(w.zxid)
	fresh := proto.Stat{Czxid: z, Mzxid: z, Pzxid: z, Ctime: w.now, Mtime: w.now, DataLength: 1}
	assert.Equal(t, fresh, res.Stat)
	assert.Equal(t, fresh, w.stat("/p"))
	assert.Equal(t, proto.Stat{CVersion: 0, NumChildren: 2, Pzxid: z}, w.stat("/"), "2·1 − 2")

	w.must("/p/c")
	z2 := int64(w.zxid)
	want := fresh
	want.CVersion, want.NumChildren, want.Pzxid = 1, 1, z2
	assert.Equal(t, want, w.stat("/p"), "a child changes cversion, numChildren and pzxid only")

	res = w.do(alice, proto.OpDelete, mkDelete("/p/c", 0))
	require.Equal(t, proto.OK, res.Err)
	want.CVersion, want.NumChildren, want.Pzxid = 2, 0, int64(w.zxid)
	assert.Equal(t, want, w.stat("/p"))

	res = w.do(alice, proto.OpSetData, mkSet("/p", "four", 0))
	want.Version, want.Mzxid, want.Mtime, want.DataLength = 1, int64(w.zxid), w.now, 4
	assert.Equal(t, want, w.stat("/p"))
	assert.Equal(t, want, res.Stat)

	res = w.do(alice, proto.OpSetACL, &proto.SetACLRequest{Path: "/p", ACL: aclOf("31:ip:10.0.0.1"), Version: 0})
	want.AVersion = 1
	assert.Equal(t, want, res.Stat, "only aversion")
	assert.Empty(t, w.events, "and nobody is told")

	w.do(bob, proto.OpCreate, mkCreate("/e", proto.FlagEphemeral))
	assert.Equal(t, bob, w.stat("/e").EphemeralOwner)
	w.do(bob, proto.OpCreateContainer, mkCreate("/c", proto.FlagContainer))
	assert.Zero(t, w.stat("/c").EphemeralOwner)
	n, _ := w.tree.Node("/c")
	assert.True(t, n.Container())
	assert.Equal(t, 1, w.tree.ContainerCount())
}

func TestVersion_SkipsMinusOne(t *testing.T) {
	w := newWorld(t)
	w.must("/a")
	w.tree.find("/a").version, w.tree.find("/a").aversion = -2, math.MaxInt32
	assert.Equal(t, int32(0), w.do(alice, proto.OpSetData, mkSet("/a", "x", -2)).Stat.Version, "ZOOKEEPER-4743")
	res := w.do(alice, proto.OpSetACL, &proto.SetACLRequest{Path: "/a", ACL: proto.OpenACL, Version: math.MaxInt32})
	assert.Equal(t, int32(math.MinInt32), res.Stat.AVersion, "versions wrap")
}

func TestData_NullAndEmptyAreDifferent(t *testing.T) {
	w := newWorld(t)
	for path, data := range map[string][]byte{"/null": nil, "/empty": {}, "/full": []byte("x")} {
		w.do(alice, proto.OpCreate, &proto.CreateRequest{Path: path, Data: data, ACL: proto.OpenACL})
		n, _ := w.tree.Node(path)
		assert.Equal(t, data, n.Data())
		w.do(alice, proto.OpSetData, &proto.SetDataRequest{Path: path, Version: -1})
		n, _ = w.tree.Node(path)
		assert.Nil(t, n.Data())
		w.do(alice, proto.OpSetData, &proto.SetDataRequest{Path: path, Data: data, Version: -1})
		n, _ = w.tree.Node(path)
		assert.Equal(t, data, n.Data())
	}
}

// Spec client-protocol 2.2.
func TestSequential_CounterIsCreationsUnderTheParent(t *testing.T) {
	w := newWorld(t)
	assert.Equal(t, "/s0000000000", w.create("/s", proto.FlagSequential).Path)
	w.must("/plain")
	assert.Equal(t, proto.ErrNodeExists, w.create("/plain", 0).Err)
	assert.Equal(t, "/s0000000002", w.create("/s", proto.FlagEphemeralSequential).Path, "failures do not count, others do")
	w.do(alice, proto.OpDelete, mkDelete("/s0000000002", -1))
	w.must("/lock")
	assert.Equal(t, "/lock/0000000000", w.create("/lock/", proto.FlagSequential).Path, "valid with the digits")
	w.must("/lock/n0000000002")
	assert.Equal(t, proto.ErrNodeExists, w.create("/lock/n", proto.FlagSequential).Err, "no second try")
	assert.Equal(t, "/0000000004", w.create("/", proto.FlagSequential).Path)
}

func TestSequential_PipelinedNeverCollide(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.prepare(home, alice, proto.OpCreate, mkCreate("/q", proto.FlagSequential))
	}
	for i := range 5 {
		assert.Equal(t, "/q000000000"+string(rune('0'+i)), w.apply().Path)
	}
}

func TestSequential_WrapsAround(t *testing.T) {
	w := newWorld(t)
	w.must("/p")
	w.tree.find("/p").ccount = math.MaxInt32
	assert.Equal(t, "/p/2147483647", w.create("/p/", proto.FlagSequential).Path)
	assert.Equal(t, "/p/-2147483648", w.create("/p/", proto.FlagSequential).Path)
	assert.Equal(t, "/p/-2147483647", w.create("/p/", proto.FlagSequential).Path)
	w.tree.find("/p").ccount = -2
	assert.Equal(t, "/p/-000000002", w.create("/p/", proto.FlagSequential).Path)
	assert.Equal(t, "/p/-000000001", w.create("/p/", proto.FlagSequential).Path)
	assert.Equal(t, "/p/0000000000", w.create("/p/", proto.FlagSequential).Path)
}

// Spec client-protocol 1.10: which code wins when several things are wrong.
func TestCheckOrder(t *testing.T) {
	secret := DigestID("u", "p")
	w := newWorld(t)
	w.must("/open", "/full", "/full/child")
	w.do(alice, proto.OpCreate, mkCreate("/eph", proto.FlagEphemeral))
	w.do(alice, proto.OpCreate, &proto.CreateRequest{Path: "/closed", ACL: []proto.ACL{{Perms: 31, ID: secret}}})
	w.do(alice, proto.OpCreate, &proto.CreateRequest{Path: "/closed/x", ACL: []proto.ACL{{Perms: 31, ID: secret}}}, secret)

	noACL := func(path string, flags int32) *proto.CreateRequest {
		return &proto.CreateRequest{Path: path, ACL: []proto.ACL{}, Flags: flags}
	}
	setACL := func(path string, list []proto.ACL, version int32) *proto.SetACLRequest {
		return &proto.SetACLRequest{Path: path, ACL: list, Version: version}
	}
	ttl := func(path string, flags int32) *proto.CreateTTLRequest {
		return &proto.CreateTTLRequest{CreateRequest: *mkCreate(path, flags), TTLMillis: 5}
	}
	const ghost = 99
	for _, c := range []struct {
		name    string
		session int64
		op      proto.OpCode
		rec     proto.Record
		want    proto.ErrCode
	}{
		{"create: flags before session", ghost, 1, mkCreate("x", 7), proto.ErrBadArguments},
		{"create: negative flags", alice, 1, mkCreate("/x", -1), proto.ErrBadArguments},
		{"create: TTL before session", ghost, 1, mkCreate("x", 5), proto.ErrUnimplemented},
		{"createTTL: off", alice, 21, ttl("/x", 6), proto.ErrUnimplemented},
		{"createTTL: without TTL flag", alice, 21, ttl("/x", 0), proto.ErrBadArguments},
		{"create: session before path", ghost, 1, mkCreate("x", 0), proto.ErrSessionExpired},
		{"create: no slash", alice, 1, noACL("foo", 0), proto.ErrBadArguments},
		{"create: NUL", alice, 1, noACL("/a\x00", 0), proto.ErrBadArguments},
		{"create: not UTF-8", alice, 1, noACL("/a\xff", 0), proto.ErrBadArguments},
		{"create: ACL before parent", alice, 1, noACL("/none/x", 0), proto.ErrInvalidACL},
		{"create: relative path has no parent", alice, 1, mkCreate("foo/bar", 0), proto.ErrNoNode},
		{"create: parent before syntax", alice, 1, mkCreate("/open//y", 0), proto.ErrNoNode},
		{"create: permission before syntax", alice, 1, mkCreate("/closed/.", 0), proto.ErrNoAuth},
		{"create: permission before existence", alice, 1, mkCreate("/closed/x", 0), proto.ErrNoAuth},
		{"create: syntax", alice, 1, mkCreate("/open/", 0), proto.ErrBadArguments},
		{"create: double slash at the root", alice, 1, mkCreate("//x", 0), proto.ErrBadArguments},
		{"create: the root exists", alice, 1, mkCreate("/", 0), proto.ErrNodeExists},
		{"create: exists", alice, 1, mkCreate("/open", 0), proto.ErrNodeExists},
		{"create: syntax before ephemeral parent", alice, 1, mkCreate("/eph/..", 0), proto.ErrBadArguments},
		{"create: ephemeral parent", alice, 1, mkCreate("/eph/x", 0), proto.ErrNoChildrenForEphemerals},

		{"delete: session", ghost, 2, mkDelete("x", 0), proto.ErrSessionExpired},
		{"delete: no slash", alice, 2, mkDelete("x", 0), proto.ErrBadArguments},
		{"delete: the root", alice, 2, mkDelete("/", -1), proto.ErrBadArguments},
		{"delete: reserved", alice, 2, mkDelete("/zookeeper/quota", -1), proto.ErrBadArguments},
		{"delete: parent", alice, 2, mkDelete("/none/x", 0), proto.ErrNoNode},
		{"delete: permission before existence", alice, 2, mkDelete("/closed/none", 0), proto.ErrNoAuth},
		{"delete: permission is the parent's", alice, 2, mkDelete("/closed/x", -1), proto.ErrNoAuth},
		{"delete: no syntax check", alice, 2, mkDelete("//", -1), proto.ErrNoNode},
		{"delete: existence", alice, 2, mkDelete("/none", 3), proto.ErrNoNode},
		{"delete: version before children", alice, 2, mkDelete("/full", 3), proto.ErrBadVersion},
		{"delete: children", alice, 2, mkDelete("/full", 0), proto.ErrNotEmpty},

		{"setData: session", ghost, 5, mkSet("x", "", 0), proto.ErrSessionExpired},
		{"setData: path", alice, 5, mkSet("/none/", "", 0), proto.ErrBadArguments},
		{"setData: the empty path", alice, 5, mkSet("", "", 0), proto.ErrBadArguments},
		{"setData: existence", alice, 5, mkSet("/none", "", 0), proto.ErrNoNode},
		{"setData: permission before version", alice, 5, mkSet("/closed", "", 9), proto.ErrNoAuth},
		{"setData: config is not for everyone", alice, 5, mkSet("/zookeeper/config", "", -1), proto.ErrNoAuth},
		{"setData: version", alice, 5, mkSet("/open", "", 9), proto.ErrBadVersion},

		{"setACL: session", ghost, 7, setACL("x", nil, 0), proto.ErrSessionExpired},
		{"setACL: path before ACL", alice, 7, setACL("x", nil, 0), proto.ErrBadArguments},
		{"setACL: ACL before existence", alice, 7, setACL("/none", nil, 0), proto.ErrInvalidACL},
		{"setACL: existence", alice, 7, setACL("/none", proto.OpenACL, 0), proto.ErrNoNode},
		{"setACL: permission before version", alice, 7, setACL("/closed", proto.OpenACL, 9), proto.ErrNoAuth},
		{"setACL: version", alice, 7, setACL("/open", proto.OpenACL, 9), proto.ErrBadVersion},

		{"check at top level", alice, 13, mkDelete("/open", 0), proto.ErrUnimplemented},
		{"reconfig", alice, 16, &proto.ReconfigRequest{}, proto.ErrReconfigDisabled},
		{"a read", alice, 4, &proto.PathWatchRequest{}, proto.ErrUnimplemented},
		{"unknown op", alice, 77, &proto.Empty{}, proto.ErrUnimplemented},
		{"undecodable", ghost, 2, &proto.Empty{}, proto.ErrMarshalling},
		{"undecodable multi", alice, 14, &proto.Empty{}, proto.ErrMarshalling},
		{"session id in use", alice, -10, &proto.CreateSessionTxn{}, proto.ErrBadArguments},
		{"session id 0", 0, -10, &proto.CreateSessionTxn{}, proto.ErrBadArguments},
		{"session id of containers", math.MinInt64, -10, &proto.CreateSessionTxn{}, proto.ErrBadArguments},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.tree.Digest()
			res := w.do(c.session, c.op, c.rec)
			assert.Equal(t, c.want, res.Err)
			assert.Equal(t, proto.OpError, res.Op)
			assert.Equal(t, w.zxid, res.Zxid, "a failure takes a zxid")
			assert.Equal(t, before, w.tree.Digest(), "and changes nothing")
			assert.Empty(t, w.events)
			assert.Zero(t, w.prep.Outstanding())
		})
	}
	assert.Equal(t, proto.OK, w.do(bob, proto.OpSetData, mkSet("/closed", "x", -1), secret).Err)
	assert.Equal(t, proto.OK, w.do(bob, proto.OpSetData, mkSet("/zookeeper/config", "x", -1), proto.ID{Scheme: SchemeSuper}).Err)
	w.prep.Policy.SkipACL = true
	assert.Equal(t, proto.OK, w.do(bob, proto.OpSetData, mkSet("/closed", "y", -1)).Err)
}

func TestCreate_TypeFollowsOpAndSequenceFollowsFlags(t *testing.T) {
	w := newWorld(t)
	w.do(alice, proto.OpCreate, mkCreate("/plain", proto.FlagContainer))
	w.do(alice, proto.OpCreateContainer, mkCreate("/c", proto.FlagEphemeralSequential))
	plain, _ := w.tree.Node("/plain")
	assert.False(t, plain.Container())
	c, ok := w.tree.Node("/c0000000001")
	assert.True(t, ok && c.Container())
	assert.Zero(t, w.tree.EphemeralCount())
}

func TestDeleteContainer_OnlyEmptyContainers(t *testing.T) {
	w := newWorld(t)
	w.do(alice, proto.OpCreateContainer, mkCreate("/c", 4))
	w.must("/c/x", "/plain")
	w.do(alice, proto.OpCreate, mkCreate("/e", 1))
	reap := func(path string) proto.ErrCode {
		return w.do(0, proto.OpDeleteContainer, &proto.PathRequest{Path: path}).Err
	}
	assert.Equal(t, proto.ErrNotEmpty, reap("/c"))
	assert.Equal(t, proto.ErrBadVersion, reap("/e"))
	assert.Equal(t, proto.ErrBadVersion, reap("/plain"))
	assert.Equal(t, proto.ErrNoNode, reap("/none"))
	assert.Equal(t, proto.ErrBadArguments, reap("/"))
	w.do(alice, proto.OpDelete, mkDelete("/c/x", -1))
	assert.Equal(t, proto.OK, reap("/c"))
	assert.Equal(t, "Deleted /c, ChildrenChanged /", w.story())
	assert.Zero(t, w.tree.ContainerCount())
}

// Spec client-protocol 3.2.
func TestEvents_OrderAndACL(t *testing.T) {
	w := newWorld(t)
	own := aclOf("31:world:anyone", "1:ip:10.0.0.0/8")
	w.do(alice, proto.OpCreate, &proto.CreateRequest{Path: "/p", ACL: own})
	assert.Equal(t, []Event{{proto.EventNodeCreated, "/p", own}, {proto.EventNodeChildrenChanged, "/", proto.OpenACL}}, w.events)
	w.must("/p/n")
	assert.Equal(t, []Event{{proto.EventNodeCreated, "/p/n", proto.OpenACL}, {proto.EventNodeChildrenChanged, "/p", own}}, w.events)
	w.do(alice, proto.OpSetData, mkSet("/p", "x", -1))
	assert.Equal(t, []Event{{proto.EventNodeDataChanged, "/p", own}}, w.events)
	w.do(alice, proto.OpMulti, multiOf(proto.OpDelete, mkDelete("/p/n", -1), proto.OpCreate, mkCreate("/q", 0), proto.OpDelete, mkDelete("/p", -1)))
	assert.Equal(t, "Deleted /p/n, ChildrenChanged /p, Created /q, ChildrenChanged /, Deleted /p, ChildrenChanged /", w.story())
	assert.Equal(t, own, w.events[4].ACL, "the last ACL of a deleted node")
}

func multiOf(args ...any) *proto.MultiRequest {
	m := &proto.MultiRequest{}
	for i := 0; i < len(args); i += 2 {
		op, ok := args[i].(proto.OpCode)
		if !ok {
			op = proto.OpCode(args[i].(int))
		}
		m.Ops = append(m.Ops, proto.MultiOp{Op: op, Request: args[i+1].(proto.Record)})
	}
	return m
}

func TestMulti_EachOpSeesTheOnesBefore(t *testing.T) {
	w := newWorld(t)
	res := w.do(alice, proto.OpMulti, multiOf(
		1, mkCreate("/m", 0), 5, mkSet("/m", "xyz", 0), 13, mkDelete("/m", 1), 15, mkCreate("/m/s", 2),
		19, mkCreate("/m/c", 4), 2, mkDelete("/m/s0000000000", 0), 1, mkCreate("/m/s", 2)))
	require.Equal(t, proto.OK, res.Err)
	z := int64(w.zxid)
	child := proto.Stat{Czxid: z, Mzxid: z, Pzxid: z, Ctime: w.now, Mtime: w.now, DataLength: 1}
	set := child
	set.Version, set.DataLength = 1, 3
	require.Len(t, res.Multi, 7)
	assert.Equal(t, proto.MultiResult{Type: proto.OpCreate, Path: "/m", Stat: child}, res.Multi[0])
	assert.Equal(t, set, res.Multi[1].Stat, "as of that point")
	assert.Equal(t, proto.OpSetData, res.Multi[1].Type)
	assert.Equal(t, proto.OpCheck, res.Multi[2].Type)
	assert.Equal(t, proto.MultiResult{Type: proto.OpCreate2, Path: "/m/s0000000000", Stat: child}, res.Multi[3])
	assert.Equal(t, proto.MultiResult{Type: proto.OpCreate2, Path: "/m/c", Stat: child}, res.Multi[4], "containers answer as create2")
	assert.Equal(t, proto.OpDelete, res.Multi[5].Type)
	assert.Equal(t, "/m/s0000000002", res.Multi[6].Path)
	assert.Equal(t, []string{"c", "s0000000002"}, mustNode(w, "/m").Children())
}

func mustNode(w *world, path string) Node {
	n, ok := w.tree.Node(path)
	require.True(w.t, ok)
	return n
}

// Spec client-protocol 1.7.
func TestMulti_FailureChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.must("/p")
	w.prepare(home, alice, proto.OpCreate, mkCreate("/p/first", 2)) // outstanding below the multi
	before := w.tree.Digest()
	_, rec := w.prepare(home, alice, proto.OpMulti, multiOf(
		1, mkCreate("/p/a", 2), 1, mkCreate("/p/e", 1), 2, mkDelete("/p/first0000000000", 0), 5, mkSet("/p", "x", 9), 1, mkCreate("/p/b", 2)))
	require.IsType(t, &proto.MultiTxn{}, rec)
	w.prepare(home, alice, proto.OpCreate, mkCreate("/p/next", 2))
	assert.Equal(t, "/p/first0000000000", w.apply().Path)
	after := w.tree.Digest()
	assert.NotEqual(t, before, after)
	res := w.apply()
	assert.Equal(t, proto.OK, res.Err, "the header of the reply is ok")
	var codes []proto.ErrCode
	for _, r := range res.Multi {
		assert.Equal(t, proto.OpError, r.Type)
		codes = append(codes, r.Err)
	}
	assert.Equal(t, []proto.ErrCode{0, 0, 0, proto.ErrBadVersion, proto.ErrRuntimeInconsistency}, codes)
	assert.Equal(t, after, w.tree.Digest())
	assert.Empty(t, w.events)
	assert.Equal(t, "/p/next0000000001", w.apply().Path, "the counter is as if the multi had not been (ZOOKEEPER-1624)")
	assert.Empty(t, w.prep.created)
	assert.Zero(t, w.prep.Outstanding())
}

func TestMulti_EmptySucceedsAndExpiredFailsInside(t *testing.T) {
	w := newWorld(t)
	res := w.do(alice, proto.OpMulti, multiOf())
	assert.Equal(t, proto.OK, res.Err)
	assert.Empty(t, res.Multi)
	res = w.do(99, proto.OpMulti, multiOf(1, mkCreate("/a", 0), 13, mkDelete("/", -1)))
	assert.Equal(t, []proto.MultiResult{{Type: -1, Err: proto.ErrSessionExpired}, {Type: -1, Err: -2}}, res.Multi)
}

// ZooKeeper's own logs keep the parts before the one that failed.
func TestMulti_JavaFormOfFailure(t *testing.T) {
	w := newWorld(t)
	txn := &proto.MultiTxn{Txns: []proto.SubTxn{
		{Type: proto.OpCreate, Record: &proto.CreateTxn{Path: "/a", ParentCVersion: 1}},
		{Type: proto.OpError, Record: &proto.ErrorTxn{Err: proto.ErrNoNode}},
		{Type: proto.OpError, Record: &proto.ErrorTxn{Err: proto.ErrRuntimeInconsistency}}}}
	res, events := w.tree.Apply(proto.TxnHeader{Session: alice, Zxid: int64(w.zxid) + 1, Type: proto.OpMulti}, txn, nil)
	assert.Equal(t, []proto.MultiResult{{Type: -1}, {Type: -1, Err: proto.ErrNoNode}, {Type: -1, Err: -2}}, res.Multi)
	assert.Empty(t, events)
	_, ok := w.tree.Node("/a")
	assert.False(t, ok)
}
