package server

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// shut makes /n, which nobody may do anything to.
func shut(w *handWire) {
	none := []proto.ACL{{Perms: 0, ID: proto.ID{Scheme: "world", ID: "anyone"}}}
	w.do(proto.OpCreate, &proto.CreateRequest{Path: "/n", ACL: none})
	w.got = nil
}

func TestEager_RefusesWithoutAskingTheLeader(t *testing.T) {
	h := newHand(Config{EagerACLCheck: true})
	w := h.join(t)
	shut(w)
	last := h.zxid
	for _, r := range []struct {
		op  proto.OpCode
		rec proto.Record
	}{
		{proto.OpCreate, createOf("/n/x", "", 0)},
		{proto.OpCreate2, createOf("/n/x", "", 0)},
		{proto.OpDelete, &proto.PathVersionRequest{Path: "/n/x", Version: -1}},
		{proto.OpSetData, setOf("/n", "")},
		{proto.OpSetACL, &proto.SetACLRequest{Path: "/n", ACL: proto.OpenACL, Version: -1}},
	} {
		w.do(r.op, r.rec)
		head := w.reply(t, nil)
		assert.Equal(t, proto.ReplyHeader{Xid: w.xid, Zxid: 0, Err: proto.ErrNoAuth}, head, r.op)
	}
	assert.Equal(t, last, h.zxid, "the leader was not asked")
}

func TestEager_LeavesTheRestToTheLeader(t *testing.T) {
	h := newHand(Config{EagerACLCheck: true})
	w := h.join(t)
	shut(w)
	ask := func(op proto.OpCode, rec proto.Record, want proto.ErrCode) {
		t.Helper()
		last := h.zxid
		w.do(op, rec)
		assert.Equal(t, want, w.reply(t, nil).Err)
		assert.Equal(t, last+1, h.zxid)
	}
	ask(proto.OpSetData, setOf("/none", ""), proto.ErrNoNode)
	ask(proto.OpCreate, createOf("noslash", "", 0), proto.ErrBadArguments)
	ask(proto.OpSetData, &proto.Empty{}, proto.ErrMarshalling)
	ask(proto.OpCreateContainer, createOf("/n/x", "", proto.FlagContainer), proto.ErrNoAuth)
	ask(proto.OpCreate, createOf("/m", "", 0), proto.OK)
	ask(proto.OpDelete, &proto.PathVersionRequest{Path: "/n", Version: -1}, proto.OK)
}

// An answer must not overtake that of a write before it, and what that one does
// is not known yet.
func TestEager_WaitsForItsTurn(t *testing.T) {
	h := newHand(Config{EagerACLCheck: true})
	w := h.join(t)
	shut(w)
	h.late = true
	w.send(request(101, proto.OpCreate, createOf("/m", "", 0)))
	w.send(request(102, proto.OpSetData, setOf("/n", "")))
	h.settle()
	require.Empty(t, w.got)
	h.step()
	h.step()
	h.settle()
	assert.EqualValues(t, 101, w.reply(t, nil).Xid)
	head := w.reply(t, nil)
	assert.Equal(t, proto.ReplyHeader{Xid: 102, Zxid: int64(h.zxid), Err: proto.ErrNoAuth}, head)
}

func TestEager_IsOffByDefault(t *testing.T) {
	h := newHand(Config{})
	w := h.join(t)
	shut(w)
	w.do(proto.OpSetData, setOf("/n", ""))
	assert.Equal(t, proto.ReplyHeader{Xid: w.xid, Zxid: int64(h.zxid), Err: proto.ErrNoAuth}, w.reply(t, nil))
}
