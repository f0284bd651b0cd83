package server

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
	"github.com/quorate/quorate/zab"
)

func TestHandshake_ReadOnlyByteIsEchoedOnlyIfSent(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	for _, has := range []bool{true, false} {
		c := dialRaw(t, e.members[0].addr)
		req := proto.ConnectRequest{TimeoutMillis: 1000, Password: make([]byte, 16), HasReadOnly: has}
		c.write(proto.AppendFrame(nil, &req))
		frame, err := c.frame()
		require.NoError(t, err)
		want := 36
		if has {
			want = 37
		}
		assert.Len(t, frame, want)
	}
}

func TestHandshake_TimeoutIsNegotiated(t *testing.T) {
	e := newEnsemble(t, 1, Config{TickTime: 100 * time.Millisecond})
	for asked, want := range map[int32]int32{0: 200, -5: 200, 700: 700, 1 << 30: 2000} {
		resp, ok := dialRaw(t, e.members[0].addr).connect(proto.ConnectRequest{TimeoutMillis: asked})
		require.True(t, ok)
		assert.Equal(t, want, resp.TimeoutMillis, "asked for %d", asked)
	}
}

func TestHandshake_SessionIDsNameTheServer(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	seen := map[int64]bool{}
	for _, m := range e.members {
		for range 3 {
			c := open(t, m.addr)
			assert.EqualValues(t, m.id, c.session>>56)
			assert.False(t, seen[c.session])
			seen[c.session] = true
		}
	}
}

// The bytes of spec client-protocol 1.2.
var expiredResponse = append([]byte{0, 0, 0, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10},
	make([]byte, 17)...)

func TestHandshake_ExpiredIsToldExactly(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	old := open(t, e.members[0].addr)
	old.mustDo(1, proto.OpCloseSession, &proto.Empty{}, nil)
	old.closed()
	for name, req := range map[string]proto.ConnectRequest{
		"closed":         {SessionID: old.session, Password: old.password},
		"wrong password": {SessionID: old.session, Password: bytes.Repeat([]byte{1}, 16)},
		"no password":    {SessionID: old.session, Password: []byte{}},
		"never existed":  {SessionID: 77, Password: make([]byte, 16)},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, e.members[0].addr)
			req.HasReadOnly, req.TimeoutMillis = true, 4000
			c.write(proto.AppendFrame(nil, &req))
			got, err := io.ReadAll(c.nc) // and then a FIN
			require.NoError(t, err)
			assert.Equal(t, expiredResponse, got)
		})
	}
}

func TestHandshake_WrongPasswordDoesNotDisconnectTheOwner(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	owner := open(t, e.members[0].addr)
	thief := &rawClient{session: owner.session, password: bytes.Repeat([]byte{7}, 16)}
	_, resp, ok := reopen(t, e.members[0].addr, thief)
	require.True(t, ok)
	assert.Zero(t, resp.SessionID)
	owner.mustDo(1, proto.OpExists, read("/", false), &proto.StatReply{})
}

func TestHandshake_ReconnectClosesTheOldConnection(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	old := open(t, e.members[0].addr)
	again, resp, ok := reopen(t, e.members[0].addr, old)
	require.True(t, ok)
	assert.Equal(t, old.session, resp.SessionID)
	assert.Equal(t, old.password, resp.Password[:])
	old.closed()
	again.create(1, "/x", "", proto.FlagEphemeral)
}

func TestHandshake_ClientOfTheFutureIsSentAway(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	c.last = int64(ensemble.NewZxid(1, 1000))
	_, _, ok := reopen(t, e.members[0].addr, c)
	assert.False(t, ok, "no bytes, only the end")
	c.last = int64(e.zxid)
	_, _, ok = reopen(t, e.members[0].addr, c)
	assert.True(t, ok)
}

func TestHandshake_NotServingClosesWithoutAByte(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	e.members[0].look()
	_, ok := dialRaw(t, e.members[0].addr).connect(proto.ConnectRequest{TimeoutMillis: 4000})
	assert.False(t, ok)
}

func TestHandshake_PipelinedRequestsWaitForIt(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	release := e.hold()
	c := dialRaw(t, e.members[0].addr)
	b := proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000, Password: make([]byte, 16)})
	b = append(b, request(1, proto.OpCreate, createOf("/p", "", 0))...)
	b = append(b, request(2, proto.OpExists, read("/p", false))...)
	c.write(b)
	release()
	_, err := c.frame()
	require.NoError(t, err)
	assert.Equal(t, proto.OK, c.expect(1, &proto.PathReply{}).Err)
	assert.Equal(t, proto.OK, c.expect(2, &proto.StatReply{}).Err)
}

func TestHandshake_SilentConnectionIsClosed(t *testing.T) {
	e := newEnsemble(t, 1, Config{HandshakeTimeout: 100 * time.Millisecond})
	dialRaw(t, e.members[0].addr).closed()
}

// A client that comes back while the end of its session is on its way hears that
// the session is over, whenever that arrives here: it is not left without a word.
func TestHandshake_SessionEndsWhileItIsAskedFor(t *testing.T) {
	for _, answered := range []bool{false, true} {
		h := newHand(Config{})
		first := h.join(t)
		h.late, h.slow = true, answered
		w := h.dial("10.0.0.1:1001")
		password := session.Password(h.s.cfg.Secret, first.session)
		w.send(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000, SessionID: first.session, Password: password[:]}))
		h.settle()
		if answered {
			h.step() // the leader says that the session is there
		}
		h.zxid++
		origin := zab.Origin{Server: 2}
		end := h.s.Prepare(h.zxid, origin, appendRequest(first.session, 0, proto.OpCloseSession, false, encodeIDs(nil), nil))
		h.s.Apply(zab.Txn{Zxid: h.zxid, Origin: origin, Data: end})
		h.settle()
		require.False(t, w.ended, "the client is to be told")
		if answered {
			h.answer()
		}
		for len(h.queue) > 0 {
			h.step()
		}
		h.settle()
		frame, err := w.frame()
		require.NoError(t, err, "answered before: %v", answered)
		var resp proto.ConnectResponse
		require.NoError(t, proto.Unmarshal(frame, &resp))
		assert.Zero(t, resp.SessionID)
		assert.Zero(t, resp.TimeoutMillis)
		assert.True(t, w.ended)
	}
}
