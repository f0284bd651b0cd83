package server

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/znode"
)

func TestRequests_ReadsOfEachKind(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	var c2 proto.Create2Reply
	h := c.mustDo(1, proto.OpCreate2, &proto.CreateRequest{Path: "/a", ACL: proto.OpenACL}, &c2)
	assert.Equal(t, "/a", c2.Path)
	assert.Equal(t, h.Zxid, c2.Stat.Czxid)
	var d proto.DataReply
	c.mustDo(2, proto.OpGetData, read("/a", false), &d)
	assert.Nil(t, d.Data, "null stays null")
	assert.Equal(t, "/a/s0000000000", c.create(3, "/a/s", "", proto.FlagSequential))
	c.create(4, "/a/e", "", proto.FlagEphemeral)
	var ch proto.StringsReply
	c.mustDo(5, proto.OpGetChildren, read("/a", false), &ch)
	assert.Equal(t, []string{"e", "s0000000000"}, ch.Strings)
	var ch2 proto.Children2Reply
	c.mustDo(6, proto.OpGetChildren2, read("/a", false), &ch2)
	assert.EqualValues(t, 2, ch2.Stat.NumChildren)
	var n proto.IntReply
	c.mustDo(7, proto.OpGetAllChildrenNumber, &proto.PathRequest{Path: "/a"}, &n)
	assert.EqualValues(t, 2, n.Value)
	var eph proto.StringsReply
	c.mustDo(8, proto.OpGetEphemerals, &proto.GetEphemeralsRequest{PrefixPath: "/a"}, &eph)
	assert.Equal(t, []string{"/a/e"}, eph.Strings)
	c.mustDo(9, proto.OpGetEphemerals, &proto.GetEphemeralsRequest{PrefixPath: "/b"}, &eph)
	assert.Empty(t, eph.Strings)
	for prefix, want := range map[string][]string{"": {"/a/e"}, " /\x00\n": {"/a/e"}, "/\x00a": {}, "/\u2003": {}} {
		c.mustDo(9, proto.OpGetEphemerals, &proto.GetEphemeralsRequest{PrefixPath: prefix}, &eph)
		assert.Equal(t, want, eph.Strings, "prefix %q", prefix)
	}
	var acl proto.ACLReply
	c.mustDo(10, proto.OpGetACL, &proto.PathRequest{Path: "/a"}, &acl)
	assert.Equal(t, proto.OpenACL, acl.ACL)
	var who proto.WhoAmIReply
	c.mustDo(11, proto.OpWhoAmI, &proto.Empty{}, &who)
	assert.Equal(t, []proto.ClientInfo{{Scheme: "ip", User: "127.0.0.1"}}, who.Clients)
	var sasl proto.SASLReply
	c.mustDo(12, proto.OpSASL, &proto.SASLRequest{Token: []byte("x")}, &sasl)
	assert.Nil(t, sasl.Token)
	assert.Equal(t, proto.ErrBadArguments, c.do(13, proto.OpExists, read("/\x00", false), nil).Err)
	for _, op := range []proto.OpCode{proto.OpGetData, proto.OpGetChildren, proto.OpGetChildren2} {
		assert.Equal(t, proto.ErrNoNode, c.do(14, op, read("not a path", false), nil).Err)
	}
	c.mustDo(15, proto.OpExists, read("", false), &proto.StatReply{}) // the root's other name
	c.mustDo(16, proto.OpGetData, read("/zookeeper/config", false), &d)
}

func TestRequests_ConfigShowsTheMembers(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	var d proto.DataReply
	open(t, e.members[0].addr).mustDo(1, proto.OpGetData, read("/zookeeper/config", false), &d)
	assert.Equal(t, e.members[0].View().String(), string(d.Data))
}

func TestRequests_FailedWritesAreAnsweredInOrder(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	c.write(bytes.Join([][]byte{
		request(1, proto.OpCreate, createOf("/n", "", 0)),
		request(2, proto.OpCreate, createOf("/n", "", 0)),
		request(3, proto.OpSetData, &proto.SetDataRequest{Path: "/n", Version: 7}),
		request(4, proto.OpDelete, &proto.PathVersionRequest{Path: "/nobody", Version: -1}),
		request(5, proto.OpSetData, &proto.Empty{}), // no body at all
		request(6, proto.OpReconfig, &proto.ReconfigRequest{}),
		request(7, proto.OpSync, &proto.Empty{}),
		request(8, proto.OpGetData, &proto.Empty{}),
		request(9, proto.OpSetACL, &proto.SetACLRequest{Path: "/n", ACL: proto.OpenACL, Version: -1}),
	}, nil))
	last := int64(0)
	for i, want := range []proto.ErrCode{proto.OK, proto.ErrNodeExists, proto.ErrBadVersion, proto.ErrNoNode,
		proto.ErrMarshalling, proto.ErrReconfigDisabled, proto.ErrMarshalling, proto.ErrMarshalling, proto.OK} {
		h, _ := c.reply()
		assert.EqualValues(t, i+1, h.Xid)
		assert.Equal(t, want, h.Err, "request %d", i+1)
		assert.GreaterOrEqual(t, h.Zxid, last)
		last = h.Zxid
	}
}

func TestRequests_UnknownOpIsAnsweredThenClosed(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	for _, op := range []proto.OpCode{0, 10, 13, 20, 99, 500, -1, -10} {
		c := open(t, e.members[0].addr)
		c.write(request(5, op, &proto.Empty{}))
		h, body := c.reply()
		assert.Equal(t, proto.ReplyHeader{Xid: 5, Zxid: -1, Err: proto.ErrUnimplemented}, h, "op %d", op)
		assert.Empty(t, body)
		c.closed()
		_, resp, ok := reopen(t, e.members[0].addr, c)
		require.True(t, ok)
		assert.Equal(t, c.session, resp.SessionID, "the session lives on")
	}
}

func TestRequests_Multi(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	multi := func(ops ...proto.MultiOp) *proto.MultiRequest { return &proto.MultiRequest{Ops: ops} }
	op := func(o proto.OpCode, r proto.Record) proto.MultiOp { return proto.MultiOp{Op: o, Request: r} }
	var resp proto.MultiResponse
	h := c.mustDo(1, proto.OpMulti, multi( // Kafka's registration of a broker
		op(proto.OpCreate, &proto.CreateRequest{Path: "/b", ACL: proto.OpenACL, Flags: proto.FlagEphemeral}),
		op(proto.OpSetData, &proto.SetDataRequest{Path: "/b", Data: []byte("x"), Version: 0}),
		op(proto.OpCreate2, createOf("/b2", "", 0)),
		op(proto.OpCheck, &proto.PathVersionRequest{Path: "/b", Version: 1})), &resp)
	require.Len(t, resp.Results, 4)
	assert.Equal(t, "/b", resp.Results[0].Path)
	assert.Equal(t, h.Zxid, resp.Results[1].Stat.Czxid)
	assert.Equal(t, proto.OpCreate2, resp.Results[2].Type)
	c.mustDo(2, proto.OpMulti, multi(
		op(proto.OpDelete, &proto.PathVersionRequest{Path: "/b2", Version: -1}),
		op(proto.OpCheck, &proto.PathVersionRequest{Path: "/b", Version: 9}),
		op(proto.OpDelete, &proto.PathVersionRequest{Path: "/b", Version: -1})), &resp)
	var codes []proto.ErrCode
	for _, r := range resp.Results {
		assert.Equal(t, proto.OpError, r.Type)
		codes = append(codes, r.Err)
	}
	assert.Equal(t, []proto.ErrCode{0, proto.ErrBadVersion, proto.ErrRuntimeInconsistency}, codes)
	c.mustDo(3, proto.OpExists, read("/b2", false), &proto.StatReply{})
	c.mustDo(4, proto.OpMulti, multi(), &resp)
	assert.Empty(t, resp.Results)
	assert.Equal(t, proto.ErrMarshalling, c.do(5, proto.OpMulti, multi(op(proto.OpGetData, read("/", false))), nil).Err)

	reads := multi(op(proto.OpGetData, read("/b", true)), op(proto.OpGetData, read("/no", false)), op(proto.OpGetChildren, read("/", false)))
	c.mustDo(6, proto.OpMultiRead, reads, &resp)
	require.Len(t, resp.Results, 3)
	assert.Equal(t, "x", string(resp.Results[0].Data))
	assert.Equal(t, proto.ErrNoNode, resp.Results[1].Err)
	assert.Equal(t, []string{"b", "b2", "zookeeper"}, resp.Results[2].Children)
	assert.Zero(t, e.members[0].s.census().watches, "a multiRead arms nothing")
}

func TestRequests_DigestACLs(t *testing.T) {
	e := newEnsemble(t, 3, Config{Policy: Policy{SuperDigest: znode.DigestID("super", "pw").ID}})
	auth := func(c *rawClient, who string) {
		assert.Equal(t, proto.OK, c.do(-4, proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: []byte(who)}, nil).Err)
	}
	owner, stranger, super := open(t, e.members[0].addr), open(t, e.members[1].addr), open(t, e.members[2].addr)
	auth(owner, "u:p")
	auth(owner, "u:p")
	auth(stranger, "v:p")
	auth(super, "super:pw")
	acl := []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}}
	owner.mustDo(1, proto.OpCreate, &proto.CreateRequest{Path: "/mine", ACL: acl}, &proto.PathReply{})
	stranger.mustDo(1, proto.OpSync, &proto.PathRequest{Path: "/"}, &proto.PathReply{})
	assert.Equal(t, proto.ErrNoAuth, stranger.do(2, proto.OpGetData, read("/mine", false), nil).Err)
	assert.Equal(t, proto.ErrNoAuth, stranger.do(3, proto.OpExists, read("/mine", true), nil).Err)
	assert.Equal(t, proto.ErrNoAuth, stranger.do(4, proto.OpSetData, setOf("/mine", ""), nil).Err)
	assert.Equal(t, proto.ErrNoAuth, stranger.do(5, proto.OpGetACL, &proto.PathRequest{Path: "/mine"}, nil).Err)
	owner.mustDo(2, proto.OpSetData, setOf("/mine", "x"), &proto.StatReply{})
	super.mustDo(1, proto.OpSetData, setOf("/mine", "y"), &proto.StatReply{})
	var got proto.ACLReply
	owner.mustDo(3, proto.OpGetACL, &proto.PathRequest{Path: "/mine"}, &got)
	assert.Equal(t, []proto.ACL{{Perms: proto.PermAll, ID: znode.DigestID("u", "p")}}, got.ACL)
	both := append(got.ACL, proto.ACL{Perms: proto.PermRead, ID: proto.ID{Scheme: "world", ID: "anyone"}})
	owner.mustDo(4, proto.OpSetACL, &proto.SetACLRequest{Path: "/mine", ACL: both, Version: -1}, &proto.StatReply{})
	stranger.mustDo(6, proto.OpSync, &proto.PathRequest{Path: "/"}, &proto.PathReply{})
	stranger.mustDo(7, proto.OpGetACL, &proto.PathRequest{Path: "/mine"}, &got)
	assert.Equal(t, "u:x", got.ACL[0].ID.ID, "who may not administrate does not see the hash")

	stranger.write(request(8, proto.OpAuth, &proto.AuthRequest{Scheme: "kerberos"}))
	assert.Equal(t, proto.ErrAuthFailed, stranger.expect(8, nil).Err)
	stranger.closed()
}

func TestRequests_TooManyIdentities(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	for i := range authIDsMax - 1 {
		c.mustDo(-4, proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: []byte{byte(i), ':'}}, nil)
	}
	c.write(request(-4, proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: []byte("one:more")}))
	assert.Equal(t, proto.ErrAuthFailed, c.expect(-4, nil).Err)
	c.closed()
}

func TestRequests_SkipACL(t *testing.T) {
	e := newEnsemble(t, 1, Config{Policy: Policy{SkipACL: true}})
	c := open(t, e.members[0].addr)
	acl := []proto.ACL{{Perms: 0, ID: proto.ID{Scheme: "world", ID: "anyone"}}}
	c.mustDo(1, proto.OpCreate, &proto.CreateRequest{Path: "/n", ACL: acl}, &proto.PathReply{})
	c.mustDo(2, proto.OpGetData, read("/n", false), &proto.DataReply{})
	c.mustDo(3, proto.OpSetData, setOf("/n", ""), &proto.StatReply{})
}
