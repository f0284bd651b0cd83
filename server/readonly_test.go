package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
)

func (h *hand) password(id int64) []byte {
	p := session.Password(h.s.cfg.Secret, id)
	return p[:]
}

// ask connects with req and returns what came, nil if the connection was closed.
func (h *hand) connect(t testing.TB, req proto.ConnectRequest) (*handWire, *proto.ConnectResponse) {
	t.Helper()
	w := h.dial("10.0.0.9:9")
	require.NotNil(t, w)
	w.send(proto.AppendFrame(nil, &req))
	h.settle()
	frame, err := w.frame()
	if err != nil {
		require.True(t, w.closed || w.ended, "neither answered nor closed")
		return w, nil
	}
	var resp proto.ConnectResponse
	require.NoError(t, proto.Unmarshal(frame, &resp))
	w.session = resp.SessionID
	return w, &resp
}

var readOnlyHello = proto.ConnectRequest{TimeoutMillis: 4000, HasReadOnly: true, ReadOnly: true}

// withoutQuorum loses the quorum for long enough.
func (h *hand) withoutQuorum() {
	h.look()
	h.clock += readOnlyAfter
	h.s.Housekeep()
}

func TestReadOnly_OffByDefault(t *testing.T) {
	h := newHand(Config{})
	h.withoutQuorum()
	_, resp := h.connect(t, readOnlyHello)
	assert.Nil(t, resp)
}

func TestReadOnly_ServesReadsAndRefusesTheRest(t *testing.T) {
	h := newHand(Config{ReadOnly: true, Whitelist: []string{"*"}})
	before := h.join(t)
	before.do(proto.OpCreate, createOf("/a", "1", proto.FlagPersistent))
	h.look()
	h.settle()
	assert.True(t, before.ended)
	h.s.Housekeep()
	_, resp := h.connect(t, readOnlyHello)
	require.Nil(t, resp, "not at once")
	h.clock += readOnlyAfter
	h.s.Housekeep()

	_, resp = h.connect(t, proto.ConnectRequest{TimeoutMillis: 4000, HasReadOnly: true})
	assert.Nil(t, resp, "not a client that wants to write")
	_, resp = h.connect(t, proto.ConnectRequest{TimeoutMillis: 4000, HasReadOnly: true, ReadOnly: true,
		SessionID: before.session, Password: h.password(before.session)})
	assert.Nil(t, resp, "nor one whose session is the quorum's")

	w, resp := h.connect(t, readOnlyHello)
	require.NotNil(t, resp)
	assert.True(t, resp.ReadOnly)
	assert.NotZero(t, resp.SessionID)
	was := h.submitted()
	w.do(proto.OpGetData, read("/a", true))
	var data proto.DataReply
	assert.EqualValues(t, h.s.zxid.Load(), w.reply(t, &data).Zxid)
	assert.Equal(t, "1", string(data.Data))
	for op, rec := range map[proto.OpCode]proto.Record{
		proto.OpCreate: createOf("/b", "", 0), proto.OpSetData: setOf("/a", "2"), proto.OpSync: &proto.PathRequest{Path: "/"},
		proto.OpDelete: &proto.PathVersionRequest{Path: "/a", Version: -1}, proto.OpMulti: &proto.MultiRequest{},
		proto.OpCreate2: createOf("/b", "", 0), proto.OpSetACL: &proto.SetACLRequest{Path: "/a", ACL: proto.OpenACL, Version: -1},
	} {
		w.do(op, rec)
		head := w.reply(t, nil)
		assert.Equal(t, proto.ErrNotReadOnly, head.Err, op)
		assert.EqualValues(t, h.s.zxid.Load(), head.Zxid)
	}
	w.do(proto.OpPing, &proto.Empty{})
	assert.Equal(t, proto.OK, w.reply(t, nil).Err)
	assert.Equal(t, "ro", h.s.wordIsro())
	assert.Contains(t, h.s.wordSrvr(), "READ-ONLY mode; serving only read-only clients\n")
	assert.Contains(t, h.s.wordSrvr(), "Mode: read-only\n")
	again, resp := h.connect(t, proto.ConnectRequest{TimeoutMillis: 4000, HasReadOnly: true, ReadOnly: true,
		SessionID: w.session, Password: h.password(w.session)})
	require.NotNil(t, resp)
	assert.Equal(t, w.session, resp.SessionID, "it may come back to its session")
	again.do(proto.OpCloseSession, &proto.Empty{})
	assert.Equal(t, proto.OK, again.reply(t, nil).Err)
	assert.Equal(t, was, h.submitted(), "the quorum was asked for nothing")
}

func TestReadOnly_EndsWithTheQuorumsReturn(t *testing.T) {
	h := newHand(Config{ReadOnly: true})
	h.withoutQuorum()
	w, resp := h.connect(t, readOnlyHello)
	require.NotNil(t, resp)
	h.lead()
	h.settle()
	assert.True(t, w.ended)
	_, resp = h.connect(t, proto.ConnectRequest{TimeoutMillis: 4000, HasReadOnly: true, SessionID: w.session, Password: h.password(w.session)})
	require.NotNil(t, resp)
	assert.Zero(t, resp.SessionID, "its session was this server's alone")
	again := h.join(t)
	again.do(proto.OpCreate, createOf("/x", "", 0))
	assert.Equal(t, proto.OK, again.reply(t, nil).Err)
	assert.Equal(t, "rw", h.s.wordIsro())
}

func TestReadOnly_EndsBeforeTheStateIsReplaced(t *testing.T) {
	h := newHand(Config{ReadOnly: true})
	h.withoutQuorum()
	w, resp := h.connect(t, readOnlyHello)
	require.NotNil(t, resp)
	h.s.setTree(newHand(Config{}).s.tree)
	h.settle()
	assert.True(t, w.ended)
}

// What a server finds on its disk may never have been committed.
func TestReadOnly_NotBeforeTheFirstQuorum(t *testing.T) {
	h := newIdleHand(Config{ReadOnly: true})
	h.withoutQuorum()
	_, resp := h.connect(t, readOnlyHello)
	assert.Nil(t, resp)
	h.lead()
	h.withoutQuorum()
	_, resp = h.connect(t, readOnlyHello)
	assert.NotNil(t, resp)
}

func TestReadOnly_ServesOnlyAfterALongSearch(t *testing.T) {
	h := newHand(Config{ReadOnly: true, TickTime: 5 * time.Second})
	h.look()
	h.clock += 4 * time.Second
	h.s.Housekeep()
	_, resp := h.connect(t, readOnlyHello)
	assert.Nil(t, resp)
	h.clock += time.Second
	h.s.Housekeep()
	_, resp = h.connect(t, readOnlyHello)
	assert.NotNil(t, resp)
}
