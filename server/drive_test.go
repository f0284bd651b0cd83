package server

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

func TestConn_AnyCutsGiveTheSameOutput(t *testing.T) {
	stream := proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000})
	stream = append(stream, request(1, proto.OpCreate, createOf("/n", string(make([]byte, 3000)), 0))...)
	stream = append(stream, request(2, proto.OpGetData, read("/n", true))...)
	stream = append(stream, request(3, proto.OpSetData, setOf("/n", "x"))...)
	var want []byte
	for _, cut := range []int{len(stream), 1, 7, 1000} {
		h := newHand(Config{})
		w := h.dial("10.0.0.1:1000")
		for rest := stream; len(rest) > 0; rest = rest[min(cut, len(rest)):] {
			w.send(rest[:min(cut, len(rest))])
			h.settle()
		}
		if want == nil {
			want = w.got
		}
		assert.Equal(t, want, w.got, "cut every %d bytes", cut)
	}
	require.Greater(t, len(want), 3000)
}

func TestConn_ReadyAndFlushSayOnceWhatThereIs(t *testing.T) {
	h := newHand(Config{})
	w := h.join(t)
	w.readies, w.flushes = 0, 0
	b := request(1, proto.OpExists, read("/", false))
	b = append(b, request(2, proto.OpExists, read("/", false))...)
	w.send(b)
	require.True(t, w.ready)
	require.False(t, w.flush, "nothing is begun before Serve")
	require.False(t, w.c.Serve())
	assert.Equal(t, []int{1, 1}, []int{w.readies, w.flushes}, "two replies, one flush")
	assert.True(t, w.output())
	assert.False(t, w.output())
	assert.EqualValues(t, 1, w.reply(t, &proto.StatReply{}).Xid)
	assert.EqualValues(t, 2, w.reply(t, &proto.StatReply{}).Xid)
}

func TestConn_ServeEndsItsTurn(t *testing.T) {
	h := newHand(Config{})
	w := h.join(t)
	for i := range int32(turnRequests + 1) {
		w.send(request(1+i, proto.OpPing, &proto.Empty{}))
	}
	assert.True(t, w.c.Serve())
	assert.False(t, w.c.Serve())
	h.settle()
	for range turnRequests + 1 {
		w.reply(t, nil)
	}
}

func TestConn_ClosesInGoodOrder(t *testing.T) {
	h := newHand(Config{})
	w := h.join(t)
	w.send(request(1, proto.OpCloseSession, &proto.Empty{}))
	w.serve()
	require.True(t, w.output(), "the answer")
	require.False(t, w.ended)
	require.True(t, w.output(), "and behind it the end")
	require.True(t, w.ended)
	require.False(t, w.output())
	assert.False(t, w.closed, "the client has its time to end its side")
	n := w.c.Receive([]byte("what comes now is forgotten"))
	assert.Equal(t, 27, n)
	w.c.End(nil)
	assert.True(t, w.closed)
	w.c.End(nil)
	w.c.Abort("twice")
	assert.Equal(t, 1, w.closes)
	assert.Empty(t, h.s.connections())
}

func TestConn_ClosingOneIsCutInTheEnd(t *testing.T) {
	h := newHand(Config{})
	w := h.join(t)
	w.do(proto.OpCloseSession, &proto.Empty{})
	require.True(t, w.ended)
	h.clock += drainTimeout - 1
	h.s.Housekeep()
	require.False(t, w.closed)
	h.clock++
	h.s.Housekeep()
	require.True(t, w.closed)
}

func TestConn_EndLetsWhatCameBeFinished(t *testing.T) {
	var reason string
	h := newHand(Config{Trace: &Trace{Closed: func(_ netip.AddrPort, _ int64, why string) { reason = why }}})
	w := h.join(t)
	h.late = true
	w.send(append(request(1, proto.OpCreate, createOf("/n", "", 0)), request(2, proto.OpExists, read("/n", false))...))
	w.c.End(nil)
	h.settle()
	require.False(t, w.closed, "a write is under way")
	h.step()
	h.settle()
	assert.True(t, w.closed)
	assert.EqualValues(t, 1, w.reply(t, &proto.PathReply{}).Xid)
	assert.EqualValues(t, 2, w.reply(t, &proto.StatReply{}).Xid)
	assert.Equal(t, "closed by the client", reason)

	h.late = false
	w = h.join(t)
	w.c.End(errors.New("connection reset by peer"))
	assert.True(t, w.closed, "nothing was to be done")
	assert.Equal(t, "connection reset by peer", reason)
}

func TestConn_EndDoesNotWaitForEver(t *testing.T) {
	h := newHand(Config{})
	w := h.join(t)
	h.late = true
	w.do(proto.OpCreate, createOf("/n", "", 0))
	w.c.End(nil)
	h.clock += 4*time.Second - 1
	h.s.Housekeep()
	require.False(t, w.closed)
	h.clock++
	h.s.Housekeep()
	require.True(t, w.closed)
	h.step()
	h.settle()
	assert.Zero(t, h.s.inflight.Load(), "an answer that comes too late harms nobody")
}

func TestConn_AbortLosesWhatIsQueued(t *testing.T) {
	h := newHand(Config{})
	w := h.join(t)
	w.send(request(1, proto.OpPing, &proto.Empty{}))
	w.serve()
	w.send(request(2, proto.OpPing, &proto.Empty{}))
	w.c.Abort("link lost")
	assert.True(t, w.closed)
	h.settle()
	assert.Empty(t, w.got)
	assert.False(t, w.c.Serve())
	assert.Equal(t, 3, w.c.Receive([]byte{1, 2, 3}))
	assert.Zero(t, h.s.inflight.Load())
}

func TestConn_ReceiveStopsWhenCrowded(t *testing.T) {
	h := newHand(Config{GlobalOutstandingLimit: 10})
	w, other := h.join(t), h.join(t)
	w.do(proto.OpCreate, createOf("/n", "", 0))
	w.reply(t, nil)
	h.late = true
	for i := range int32(200) {
		w.in = append(w.in, request(100+i, proto.OpSetData, setOf("/n", string(make([]byte, 1000))))...)
	}
	w.send(nil)
	h.settle()
	require.NotEmpty(t, w.in, "it does not take all")
	require.Zero(t, w.c.Receive(w.in), "nor any more, until there is room")
	other.do(proto.OpExists, read("/n", false))
	other.reply(t, &proto.StatReply{})
	for len(h.queue) > 0 {
		h.step()
		h.settle()
		if w.room {
			w.room = false
			w.send(nil)
			h.settle()
		}
	}
	assert.Empty(t, w.in)
	assert.Positive(t, w.rooms)
	for i := range int32(200) {
		require.Equal(t, 100+i, w.reply(t, &proto.StatReply{}).Xid)
	}
	assert.Zero(t, h.s.inflight.Load())
}

func TestConn_WhoDoesNotReadIsNotServed(t *testing.T) {
	h := newHand(Config{})
	w := h.join(t)
	w.do(proto.OpCreate, createOf("/big", string(make([]byte, 500_000)), 0))
	w.reply(t, nil)
	for i := range int32(20) {
		w.send(request(10+i, proto.OpGetData, read("/big", false)))
	}
	w.serve()
	require.True(t, w.output())
	require.False(t, w.ready)
	first := len(w.got)
	assert.Less(t, first, 4*500_000, "the others have not been begun")
	assert.False(t, w.c.Serve(), "Serve begins none before the batch is written")
	w.output() // which says that it is
	assert.True(t, w.ready)
	h.settle()
	for i := range int32(20) {
		require.Equal(t, 10+i, w.reply(t, &proto.DataReply{}).Xid)
	}
}

func TestConn_FramesInWorkAreNotOverwritten(t *testing.T) {
	var f frames
	stream := request(1, proto.OpPing, &proto.Empty{})
	f.took(copy(f.space(), stream))
	frame, ok := f.cut(len(stream) - lengthBytes)
	require.True(t, ok)
	f.drop()
	for range 200 {
		for i := range f.space() {
			f.space()[i] = 0xff
		}
		f.took(min(len(f.space()), 100))
		f.drop()
	}
	assert.Equal(t, stream[lengthBytes:], frame)
}

func TestOpen_RefusesOneTooMany(t *testing.T) {
	h := newHand(Config{MaxClientCnxns: 1})
	w := h.dial("10.0.0.1:1000")
	require.NotNil(t, w)
	require.Nil(t, h.dial("10.0.0.1:1001"))
	require.NotNil(t, h.dial("10.0.0.2:1001"))
	w.c.Abort("")
	require.NotNil(t, h.dial("10.0.0.1:1002"))
}

func TestConfig_TimeGoesIntoTransactions(t *testing.T) {
	h := newHand(Config{})
	h.clock = time.Hour
	w := h.join(t)
	w.do(proto.OpCreate2, createOf("/n", "", 0))
	var r proto.Create2Reply
	w.reply(t, &r)
	assert.Equal(t, handBorn.Add(time.Hour).UnixMilli(), r.Stat.Ctime)
}

func TestConfig_ClockExpiresSessions(t *testing.T) {
	var expired []int64
	h := newHand(Config{TickTime: time.Second, Trace: &Trace{Expired: func(id int64) { expired = append(expired, id) }}})
	w := h.join(t)
	w.c.Abort("gone")
	h.clock = 5*time.Second - 1
	h.s.Housekeep()
	require.Empty(t, expired)
	h.clock++
	h.s.Housekeep()
	require.Equal(t, []int64{w.session}, expired)
	_, lives := h.s.tree.Session(w.session)
	assert.False(t, lives)
}

func TestTrace_Touched(t *testing.T) {
	type touch struct {
		id int64
		d  time.Duration
	}
	var got []touch
	taken := func() []touch { defer func() { got = nil }(); return got }
	h := newHand(Config{Trace: &Trace{Touched: func(id int64, d time.Duration) { got = append(got, touch{id, d}) }},
		MinSessionTimeout: time.Second})
	a, b := h.join(t), h.join(t)
	both := []touch{{a.session, 4 * time.Second}, {b.session, 4 * time.Second}}
	assert.Equal(t, both, taken(), "created")

	h.clock += time.Second
	h.s.Housekeep()
	taken()
	h.s.Housekeep()
	assert.Empty(t, taken(), "nobody was heard of")
	h.clock += time.Second
	b.send(request(1, proto.OpPing, &proto.Empty{}))
	h.s.Housekeep()
	assert.Equal(t, both[1:], taken(), "heard of on a connection")

	h.s.HeartbeatFrom(2, []byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 8, 0})
	assert.Empty(t, taken(), "a session that is none")
	h.clock += time.Second
	a.send(request(1, proto.OpPing, &proto.Empty{}))
	h.s.HeartbeatFrom(2, h.s.Heartbeat())
	assert.Equal(t, both[:1], taken(), "reported by a learner")
	h.s.Answer(3, askRevalidate(b.session, time.Second))
	assert.Equal(t, []touch{{b.session, time.Second}}, taken(), "came back to its session")

	h.look()
	h.s.HeartbeatFrom(2, h.s.Heartbeat())
	assert.Empty(t, taken(), "who does not lead touches nobody")
	h.lead()
	assert.Equal(t, both, taken(), "a leadership begins")
}
