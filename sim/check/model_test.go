package check

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// moment returns the moment of a session that exists.
func (m *model) moment(zxid int64, ids ...proto.ID) moment {
	m.live[1] = true
	return moment{zxid: zxid, millis: 1000 + zxid, session: 1, ids: ids}
}

func openCreate(path string, flags int32) *proto.CreateRequest {
	return &proto.CreateRequest{Path: path, ACL: proto.OpenACL, Flags: flags}
}

func TestModel_FreshServer(t *testing.T) {
	m := newModel()
	assert.EqualValues(t, -1, m.node("/").stat().CVersion, "the child zookeeper was never created")
	assert.EqualValues(t, -2, m.node("/zookeeper").stat().CVersion)
	assert.EqualValues(t, -1, m.node(configPath).stat().AVersion)
	assert.Equal(t, 3, m.descendants("/"))
	assert.Same(t, m.node("/"), m.node(""))
	out := m.write(m.moment(1), proto.OpCreate, openCreate("/", proto.FlagSequential))
	assert.Equal(t, "/0000000000", out.path)
	assert.EqualValues(t, 0, m.node("/").stat().CVersion)
}

func TestModel_CountersAndVersionsWrap(t *testing.T) {
	m := newModel()
	m.write(m.moment(1), proto.OpCreate, openCreate("/a", 0))
	m.node("/a").creates, m.node("/a").version = math.MaxInt32, -2
	out := m.write(m.moment(2), proto.OpCreate, openCreate("/a/", proto.FlagSequential))
	assert.Equal(t, "/a/2147483647", out.path)
	out = m.write(m.moment(3), proto.OpCreate, openCreate("/a/", proto.FlagSequential))
	assert.Equal(t, "/a/-2147483648", out.path, "the minus is one of the ten")
	out = m.write(m.moment(4), proto.OpSetData, &proto.SetDataRequest{Path: "/a", Version: -1})
	assert.EqualValues(t, 0, out.stat.Version, "-1 is left out (ZOOKEEPER-4743)")
}

func TestModel_MultiIsTakenBackAsAWhole(t *testing.T) {
	m := newModel()
	m.write(m.moment(1), proto.OpCreate, openCreate("/a", 0))
	m.write(m.moment(2), proto.OpCreate, openCreate("/a/e", proto.FlagEphemeral))
	was := []proto.Stat{m.node("/").stat(), m.node("/a").stat(), m.node("/a/e").stat()}
	out := m.write(m.moment(3), proto.OpMulti, &proto.MultiRequest{Ops: []proto.MultiOp{
		{Op: proto.OpDelete, Request: &proto.PathVersionRequest{Path: "/a/e", Version: -1}},
		{Op: proto.OpCreate, Request: openCreate("/a/n", proto.FlagEphemeral)},
		{Op: proto.OpSetData, Request: &proto.SetDataRequest{Path: "/a", Data: []byte("x"), Version: 0}},
		{Op: proto.OpCheck, Request: &proto.PathVersionRequest{Path: "/a", Version: 0}},
		{Op: proto.OpDelete, Request: &proto.PathVersionRequest{Path: "/a/n", Version: -1}},
	}})
	assert.Equal(t, proto.OK, out.code, "the header of a multi that failed says OK")
	assert.Equal(t, proto.ErrBadVersion, out.failure)
	require.Len(t, out.results, 5)
	assert.Equal(t, []proto.ErrCode{0, 0, 0, proto.ErrBadVersion, proto.ErrRuntimeInconsistency},
		[]proto.ErrCode{out.results[0].Err, out.results[1].Err, out.results[2].Err, out.results[3].Err, out.results[4].Err})
	assert.Equal(t, was, []proto.Stat{m.node("/").stat(), m.node("/a").stat(), m.node("/a/e").stat()})
	assert.Equal(t, []string{"/a/e"}, m.ephemerals(1))
	assert.Empty(t, m.gone)
	assert.Empty(t, m.touched)
}

func TestModel_TryChangesNothing(t *testing.T) {
	m := newModel()
	m.write(m.moment(1), proto.OpCreate, openCreate("/a", 0))
	was := m.node("/a").stat()
	for _, req := range []struct {
		op  proto.OpCode
		rec proto.Record
	}{
		{proto.OpCreate, openCreate("/a/b", 0)},
		{proto.OpSetData, &proto.SetDataRequest{Path: "/a", Version: -1}},
		{proto.OpSetACL, &proto.SetACLRequest{Path: "/a", ACL: proto.OpenACL, Version: -1}},
		{proto.OpDelete, &proto.PathVersionRequest{Path: "/a", Version: -1}},
		{proto.OpMulti, &proto.MultiRequest{Ops: []proto.MultiOp{{Op: proto.OpCreate, Request: openCreate("/a/b", 0)}}}},
	} {
		assert.Equal(t, proto.OK, m.try(m.moment(2), req.op, req.rec).code)
		assert.Equal(t, was, m.node("/a").stat(), "%v", req.op)
	}
	m.write(m.moment(3), proto.OpCreate, openCreate("/a/b", 0))
	assert.NotNil(t, m.node("/a/b"), "and a write after it does")
}

func TestModel_EphemeralsEndWithTheSession(t *testing.T) {
	m := newModel()
	m.write(m.moment(1), proto.OpCreate, openCreate("/e", proto.FlagEphemeral))
	assert.Equal(t, proto.ErrNoChildrenForEphemerals, m.write(m.moment(2), proto.OpCreate, openCreate("/e/x", 0)).code)
	m.closeSession(m.moment(3))
	assert.Nil(t, m.node("/e"))
	assert.True(t, m.gone[birth{"/e", 1}])
	assert.EqualValues(t, 3, m.node("/").stat().Pzxid)
	assert.Equal(t, proto.ErrSessionExpired, m.write(moment{zxid: 4, session: 1}, proto.OpCreate, openCreate("/x", 0)).code)
}

func TestModel_CheckOrder(t *testing.T) {
	m := newModel()
	m.write(m.moment(1), proto.OpCreate, openCreate("/e", proto.FlagEphemeral))
	none := []proto.ACL{}
	for _, c := range []struct {
		what string
		op   proto.OpCode
		req  proto.Record
		want proto.ErrCode
	}{
		{"flags first", proto.OpCreate, &proto.CreateRequest{Path: "foo", Flags: 9}, proto.ErrBadArguments},
		{"time to live is off", proto.OpCreateTTL, &proto.CreateTTLRequest{CreateRequest: *openCreate("foo", 5)}, proto.ErrUnimplemented},
		{"createTTL without", proto.OpCreateTTL, &proto.CreateTTLRequest{CreateRequest: *openCreate("/x", 0)}, proto.ErrBadArguments},
		{"no slash", proto.OpCreate, &proto.CreateRequest{Path: "foo", ACL: none}, proto.ErrBadArguments},
		{"ACL before the parent", proto.OpCreate, &proto.CreateRequest{Path: "/none/x", ACL: none}, proto.ErrInvalidACL},
		{"parent", proto.OpCreate, openCreate("foo/bar", 0), proto.ErrNoNode},
		{"the root exists", proto.OpCreate, openCreate("/", 0), proto.ErrNodeExists},
		{"bad name below an ephemeral", proto.OpCreate, openCreate("/e/.", 0), proto.ErrBadArguments},
		{"delete what is reserved", proto.OpDelete, &proto.PathVersionRequest{Path: "/zookeeper"}, proto.ErrBadArguments},
		{"delete below nothing", proto.OpDelete, &proto.PathVersionRequest{Path: "/x/y"}, proto.ErrNoNode},
		{"config may be read only", proto.OpSetData, &proto.SetDataRequest{Path: configPath, Version: -1}, proto.ErrNoAuth},
		{"reconfig is off", proto.OpReconfig, &proto.ReconfigRequest{}, proto.ErrReconfigDisabled},
	} {
		assert.Equal(t, c.want, m.write(m.moment(2), c.op, c.req).code, c.what)
	}
}

func TestModel_Paths(t *testing.T) {
	for _, path := range []string{"/", "/a", "/a/b", "/...", "/a..b", "/.x", "/ä", "/\uFFEF", "/ "} {
		assert.True(t, validPath(path), "%q", path)
	}
	for _, path := range []string{"", "a", "/a/", "//", "/a//b", "/.", "/a/..", "/a\x00", "/\x1f", "/\x7f", "/\u0085", "/\uE000",
		"/\uF8FF", "/\uFFF0", "/\U0001F600", "/\xff"} {
		assert.False(t, validPath(path), "%q", path)
	}
}

func TestModel_ACLs(t *testing.T) {
	me := digestID([]byte("user:secret"))
	assert.Equal(t, "user:5w9W4eL3797Y4Wq8AcKUPPk8ha4=", me.ID, "as openssl computes it")
	m := newModel()
	mine := []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}, {Perms: proto.PermAll, ID: me}}
	assert.Equal(t, proto.ErrInvalidACL, m.write(m.moment(1), proto.OpCreate, &proto.CreateRequest{Path: "/a", ACL: mine[:1]}).code)
	m.write(m.moment(1, me), proto.OpCreate, &proto.CreateRequest{Path: "/a", ACL: mine})
	assert.Equal(t, mine[1:], m.node("/a").acl, "one of two that are the same")
	assert.Equal(t, proto.ErrNoAuth, m.write(m.moment(2), proto.OpSetData, &proto.SetDataRequest{Path: "/a", Version: -1}).code)
	assert.Equal(t, proto.OK, m.write(m.moment(2, me), proto.OpSetData, &proto.SetDataRequest{Path: "/a", Version: -1}).code)
	assert.Equal(t, proto.ErrNoAuth, m.write(m.moment(3), proto.OpCreate, openCreate("/a/b", 0)).code)
	assert.Equal(t, "user:x", masked(m.node("/a").acl)[0].ID.ID)
	for _, id := range []proto.ID{{Scheme: "world", ID: "me"}, {Scheme: "digest", ID: "a"}, {Scheme: "digest", ID: "a:b:c"}, {Scheme: "super"}} {
		_, ok := fixedACL([]proto.ACL{{Perms: 1, ID: id}}, nil)
		assert.False(t, ok, "%v", id)
	}
}
