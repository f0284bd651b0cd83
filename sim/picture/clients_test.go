package picture

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

func TestClients_UnansweredMayHaveBeenCommitted(t *testing.T) {
	h := &check.History{
		Txns:  []check.Txn{{Zxid: 0x100000007, Session: 5, Cxid: 2, At: 30 * ms}, {Zxid: 0x100000008, Session: 5, Cxid: 9, At: 1 * ms}},
		Conns: []*check.Conn{{Client: 4, Conn: 1, Server: 2, Session: 5, Opened: 1, Answered: 2, Closed: 9, ClosedAt: 50 * ms, ClosedByFault: true}},
		Ops: []*check.Op{
			{Client: 4, Conn: 1, Server: 2, Session: 5, Xid: 1, Code: proto.OpSetData, Sent: 3, SentAt: 10 * ms, Returned: 5, BackAt: 16 * ms, Zxid: 0x100000006, Err: proto.ErrBadVersion},
			{Client: 4, Conn: 1, Server: 2, Session: 5, Xid: 2, Code: proto.OpSetData, Sent: 4, SentAt: 11 * ms},
			{Client: 4, Conn: 1, Server: 2, Session: 5, Xid: 3, Code: proto.OpDelete, Sent: 6, SentAt: 20 * ms},
			{Client: 4, Conn: 1, Server: 2, Session: 5, Xid: 9, Code: proto.OpDelete, Sent: 7, SentAt: 21 * ms},
		},
		End: 100 * ms,
	}
	doc := drawn(t, nil, h, nil)
	zxid := func(i int) string {
		if doc.Ops.Zxid[i] == 0 {
			return ""
		}
		return doc.Zxids[doc.Ops.Zxid[i]-1]
	}
	assert.Equal(t, []int{failed, unanswered, unanswered, unanswered}, doc.Ops.Outcome)
	assert.Equal(t, "0x100000006", zxid(0))
	assert.Equal(t, "0x100000007", zxid(1), "committed, and the client does not know")
	assert.Empty(t, zxid(2))
	assert.Empty(t, zxid(3), "a transaction before the request is another's")
	assert.Equal(t, []int{0, 1, 0, 2}, doc.Ops.Row, "those under way together stand side by side")
	assert.Equal(t, 3, doc.Clients[0].Rows)
	require.Len(t, doc.Clients[0].Conns, 1)
	assert.EqualValues(t, 50*ms, doc.Clients[0].Conns[0].To)
	assert.True(t, doc.Clients[0].Conns[0].Fault)

	b := openPage(t, doc, "#sel=o2")
	assert.Contains(t, b.text(`byId("details").words()`), "it was committed, and the client does not know")
	b.run(`select(app, { type: "op", i: 2 })`)
	assert.Contains(t, b.text(`byId("details").words()`), "nobody knows whether it was done")
	b.sound()
}

func TestClients_AnswersLeaveWhenTheServerHasApplied(t *testing.T) {
	events := numbered(
		check.Event{At: 14 * ms, Node: 1, Kind: check.Delivered, Zxid: 9},
		check.Event{At: 13 * ms, Node: 2, Kind: check.Delivered, Zxid: 9},
	)
	h := &check.History{
		Conns: []*check.Conn{{Client: 1, Conn: 1, Server: 1}, {Client: 2, Conn: 2, Server: 2}},
		Ops: []*check.Op{
			{Client: 1, Conn: 1, Server: 1, Code: proto.OpSetData, Sent: 1, SentAt: 10 * ms, Returned: 2, BackAt: 20 * ms, Zxid: 9},
			{Client: 1, Conn: 1, Server: 1, Code: proto.OpGetData, Sent: 1, SentAt: 10 * ms, Returned: 2, BackAt: 13 * ms, Zxid: 9},
		},
		Events: []*check.Notice{{Client: 2, Conn: 2, At: 30 * ms, Zxid: 9, Type: proto.EventNodeCreated, Path: "/a"}},
	}
	doc := drawn(t, events, h, nil)
	assert.Equal(t, []int64{-int64(14 * ms), -int64(12 * ms)}, doc.Ops.Leave)
	assert.Equal(t, []int64{-int64(12 * ms), -int64(11 * ms)}, doc.Ops.Reach)
	assert.Equal(t, []int64{-int64(13 * ms)}, doc.Notices.Leave)
	assert.Equal(t, []int{2}, doc.Notices.Server)
	assert.Contains(t, doc.Texts, "NodeCreated /a")
}

func TestClients_RequestsInWords(t *testing.T) {
	for want, r := range map[string]struct {
		code proto.OpCode
		rec  proto.Record
	}{
		`create /a, ephemeral sequential = "x"`: {proto.OpCreate, &proto.CreateRequest{Path: "/a", Flags: 3, Data: []byte("x")}},
		`create /a, flags 77 = 2 bytes`:         {proto.OpCreate, &proto.CreateRequest{Path: "/a", Flags: 77, Data: []byte("\xff\xfe")}},
		`createTTL /a, TTL, 50 ms`:              {proto.OpCreateTTL, &proto.CreateTTLRequest{CreateRequest: proto.CreateRequest{Path: "/a", Flags: 5}, TTLMillis: 50}},
		`setData /a, version 3 = 100 bytes`:     {proto.OpSetData, &proto.SetDataRequest{Path: "/a", Version: 3, Data: make([]byte, 100)}},
		`delete /a`:                             {proto.OpDelete, &proto.PathVersionRequest{Path: "/a", Version: -1}},
		`getData /a, watch`:                     {proto.OpGetData, &proto.PathWatchRequest{Path: "/a", Watch: true}},
		`sync /`:                                {proto.OpSync, &proto.PathRequest{Path: "/"}},
		`multi [delete /a; check /b, version 2]`: {proto.OpMulti, &proto.MultiRequest{Ops: []proto.MultiOp{
			{Op: proto.OpDelete, Request: &proto.PathVersionRequest{Path: "/a", Version: -1}},
			{Op: proto.OpCheck, Request: &proto.PathVersionRequest{Path: "/b", Version: 2}},
		}}},
		`closeSession`: {proto.OpCloseSession, nil},
		`op(99)`:       {proto.OpCode(99), nil},
	} {
		assert.Equal(t, want, requestText(r.code, r.rec))
	}
	long := requestText(proto.OpDelete, &proto.PathVersionRequest{Path: strings.Repeat("ü", 1000), Version: -1})
	assert.Len(t, []rune(long), runesMax+1)
}

func TestClients_AnswersInWords(t *testing.T) {
	op := func(err proto.ErrCode, r proto.Record) string {
		return replyText(&check.Op{Returned: 1, Err: err, Reply: r})
	}
	assert.Equal(t, "no answer", replyText(&check.Op{}))
	assert.Equal(t, "no node (-101)", op(proto.ErrNoNode, nil))
	assert.Equal(t, "ok", op(0, nil))
	assert.Equal(t, `ok, version 4 = "x"`, op(0, &proto.DataReply{Data: []byte("x"), Stat: proto.Stat{Version: 4}}))
	assert.Equal(t, "ok, 2 names: a b", op(0, &proto.StringsReply{Strings: []string{"a", "b"}}))
	assert.Equal(t, "ok, 2 results", op(0, &proto.MultiResponse{Results: []proto.MultiResult{{Type: proto.OpDelete}, {Type: proto.OpCheck}}}))
	assert.Equal(t, "no effect: operation 2: bad version (-103)", op(0, &proto.MultiResponse{Results: []proto.MultiResult{
		{Type: proto.OpError}, {Type: proto.OpError, Err: proto.ErrBadVersion}, {Type: proto.OpError, Err: proto.ErrRuntimeInconsistency},
	}}))
}

func TestClients_ConnectionsInWords(t *testing.T) {
	assert.Equal(t, "connection 3 to server 2: asks for a new session, has session 0x10, timeout 4000 ms",
		connText(&check.Conn{Conn: 3, Server: 2, Session: 16, Given: 4000, Answered: 1}))
	assert.Equal(t, "connection 3 to server 2: asks for session 0x10 with a wrong password, is told that the session has expired; the server ends it",
		connText(&check.Conn{Conn: 3, Server: 2, Asked: 16, WrongPassword: true, Refused: true, Answered: 1, Closed: 2}))
	assert.Equal(t, "connection 3 to server 2: asks for a new session, is not answered; the client or the network ends it",
		connText(&check.Conn{Conn: 3, Server: 2, Closed: 2, ClosedByFault: true}))
}
