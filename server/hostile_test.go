package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// A request of a few kilobytes must not become a reply of gigabytes.
func TestHostile_MultiReadOfOneLongNode(t *testing.T) {
	h := newHand(Config{JuteMaxBuffer: 100_000})
	w := h.join(t)
	w.do(proto.OpCreate, createOf("/n", string(make([]byte, 90_000)), 0))
	w.reply(t, nil)
	read := func(op proto.OpCode, path string, times int) *proto.MultiRequest {
		r := &proto.MultiRequest{Reads: true}
		for range times {
			r.Ops = append(r.Ops, proto.MultiOp{Op: op, Request: read(path, false)})
		}
		return r
	}
	w.do(proto.OpMultiRead, read(proto.OpGetData, "/n", 10))
	assert.Equal(t, proto.OK, w.reply(t, nil).Err)
	w.do(proto.OpMultiRead, read(proto.OpGetData, "/n", 1000))
	assert.Equal(t, proto.ErrSystem, w.reply(t, nil).Err)
	for i := range 1000 {
		w.do(proto.OpCreate, createOf(fmt.Sprintf("/n/a-long-name-of-a-child-%d", i), "", 0))
		w.reply(t, nil)
	}
	w.do(proto.OpMultiRead, read(proto.OpGetChildren, "/n", 1000))
	assert.Equal(t, proto.ErrSystem, w.reply(t, nil).Err)
	w.do(proto.OpGetData, &proto.PathWatchRequest{Path: "/n"})
	assert.Equal(t, proto.OK, w.reply(t, nil).Err, "the connection lives")
}

// A client that sends its request a byte at a time is not kept alive by that for
// ever; one whose request comes slowly, but in time, is.
func TestHostile_RequestThatNeverGetsWhole(t *testing.T) {
	h := newHand(Config{TickTime: time.Second})
	slow, steady := h.join(t), h.join(t)
	long := request(1, proto.OpSetData, setOf("/none", string(make([]byte, 100))))
	for i := range 30 {
		h.clock += time.Second
		if i < len(long) && !slow.closed {
			slow.send(long[i : i+1])
		}
		steady.send(long[:len(long)/2])
		h.clock += time.Second
		steady.send(long[len(long)/2:])
		h.settle()
		steady.got = nil
		h.s.Housekeep()
	}
	assert.True(t, slow.closed)
	assert.False(t, steady.closed)
}

// Clients that do not read may have much waiting for them each, but not all of
// them together.
func TestHostile_ManyThatDoNotRead(t *testing.T) {
	h := newHand(Config{OutputBytesMax: 1 << 20, JuteMaxBuffer: 1 << 20, MaxClientCnxns: -1})
	writer := h.join(t)
	long := fmt.Sprintf("/%0200000d", 7)
	var lazy []*handWire
	for range 20 {
		w := h.join(t)
		w.do(proto.OpAddWatch, &proto.AddWatchRequest{Path: "/", Mode: proto.AddWatchPersistentRecursive})
		w.got = nil
		lazy = append(lazy, w)
	}
	for range 2 { // four events: one is being written, three wait
		writer.do2(proto.OpCreate, createOf(long, "", 0), lazy)
		writer.do2(proto.OpDelete, &proto.PathVersionRequest{Path: long, Version: -1}, lazy)
		h.clock += 2 * outputLag
	}
	closed := 0
	for _, w := range lazy {
		if w.closed || w.c.overflow {
			closed++
		}
	}
	assert.Positive(t, closed, "some had to go")
	assert.LessOrEqual(t, h.s.outputBytes.Load(), int64((outputAllFactor+1)<<20))
	assert.False(t, writer.closed)
	for _, w := range lazy {
		w.c.Abort("gone")
	}
	h.settle()
	assert.Zero(t, h.s.outputBytes.Load())
}

// do2 is do while some clients do not take their output.
func (w *handWire) do2(op proto.OpCode, rec proto.Record, lazy []*handWire) {
	w.xid++
	w.send(request(w.xid, op, rec))
	w.serve()
	for w.output() {
	}
	for _, l := range lazy {
		if l.flush && l.c.writing == nil {
			l.output() // the socket takes the first batch, and is stuck then
		}
	}
}

// Clients that come and go while the quorum does nothing leave nothing behind.
func TestHostile_SessionsAskedForAndLeft(t *testing.T) {
	h := newHand(Config{MaxClientCnxns: -1})
	h.late = true
	connect := proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000})
	for range 10 * creationsMax {
		w := h.dial("10.0.0.1:1000")
		require.NotNil(t, w)
		w.send(connect)
		w.serve()
		w.c.Abort("gone")
	}
	assert.Less(t, len(h.s.creating.waiting), 2*creationsMax)
	for len(h.queue) > 0 {
		h.step()
	}
	assert.Zero(t, h.s.inflight.Load())
	assert.Zero(t, h.s.creating.active)
	assert.Empty(t, h.s.creating.waiting)
}

// Ten thousands of watches to be armed again do not hold up the others, and what
// changes meanwhile is told.
func TestHostile_SetWatchesInManyTurns(t *testing.T) {
	h := newHand(Config{})
	w, other := h.join(t), h.join(t)
	const n = 3 * turnRequests * rearmPaths / 2
	r := &proto.SetWatchesRequest{RelativeZxid: 1 << 40}
	for i := range n {
		r.Exist = append(r.Exist, fmt.Sprintf("/%d", i))
	}
	w.xid = 7
	w.send(request(7, proto.OpSetWatches, r))
	w.serve()
	require.True(t, w.ready, "it has not been done in one turn")
	assert.Equal(t, turnRequests*rearmPaths, h.s.census().watches)
	w.send(request(8, proto.OpPing, &proto.Empty{}))
	for _, i := range []int{0, n - 1} { // armed already, and not yet
		other.xid++
		other.send(request(other.xid, proto.OpCreate, createOf(fmt.Sprintf("/%d", i), "", 0)))
		other.serve()
	}
	h.settle()
	for _, i := range []int{0, n - 1} {
		var e proto.WatcherEvent
		assert.Equal(t, proto.XidNotification, w.reply(t, &e).Xid)
		assert.Equal(t, proto.WatcherEvent{Type: proto.EventNodeCreated, State: proto.StateSyncConnected, Path: fmt.Sprintf("/%d", i)}, e)
	}
	assert.EqualValues(t, 7, w.reply(t, nil).Xid)
	assert.Equal(t, proto.XidPing, w.reply(t, nil).Xid, "in its turn")
	assert.Equal(t, n-2, h.s.census().watches)

	w.send(request(9, proto.OpSetWatches, r))
	w.serve()
	w.c.Abort("gone in the middle of it")
	w.serve()
	assert.Zero(t, h.s.inflight.Load())
	assert.Zero(t, h.s.census().watches)
}

// Ten thousand clients that were busy once and only ping now do not keep the memory
// that they needed then.
func TestHostile_QuietClientsNeedLittle(t *testing.T) {
	h := newHand(Config{})
	w := h.join(t)
	for i := range int32(1000) {
		w.send(request(1+i, proto.OpExists, read("/", false)))
		h.settle()
	}
	require.Greater(t, len(w.c.in.chunk), 10*chunkBytesMin)
	ping := request(proto.XidPing, proto.OpPing, &proto.Empty{})
	h.clock += quietAfter
	w.send(ping[:5])
	h.settle()
	w.send(ping[5:])
	h.settle()
	require.Greater(t, len(w.c.in.chunk), 10*chunkBytesMin, "half a request stays where it is")
	h.clock += quietAfter
	w.send(ping)
	h.settle()
	assert.LessOrEqual(t, len(w.c.in.chunk), chunkBytesMin)
	w.got = nil
	w.send(ping)
	h.settle()
	assert.Equal(t, proto.XidPing, w.reply(t, nil).Xid)
}
