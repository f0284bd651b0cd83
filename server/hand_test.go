package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/zab"
)

// hand drives a server with one hand: it is the server's world, its quorum and
// its clock, and writes down everything that it is asked and given.
type hand struct {
	s     *Server
	clock time.Duration
	lines []string // what happened
	wires []*handWire

	zxid   ensemble.Zxid
	inDone int  // in the callback of Submit, which must not call it
	late   bool // the quorum does nothing before step
	slow   bool // answers to questions are on their way until answer is called
	answer func()
	queue  []func() // of the quorum
	lost   []func() // what to tell them if the role is lost instead

	applied func(txn []byte) // hears of every transaction, if not nil
}

var handBorn = time.UnixMilli(1_700_000_000_000)

// newHand makes a server that leads an ensemble of its own.
func newHand(cfg Config) *hand {
	h := newIdleHand(cfg)
	h.lead()
	return h
}

// newIdleHand makes a server that has no role yet.
func newIdleHand(cfg Config) *hand {
	h := &hand{}
	if cfg.Trace == nil {
		cfg.Trace = &Trace{}
	}
	if cfg.TickTime == 0 {
		cfg.TickTime = time.Second
	}
	cfg.Self = 1
	cfg.Clock = func() time.Duration { return h.clock }
	cfg.Time = func() time.Time { return handBorn.Add(h.clock) }
	cfg.Logger = slog.New(slog.DiscardHandler)
	h.s = New(cfg)
	h.s.Attach(h)
	return h
}

func (h *hand) note(format string, args ...any) {
	h.lines = append(h.lines, fmt.Sprintf("%v ", h.clock)+fmt.Sprintf(format, args...))
}

// lead begins the next epoch.
func (h *hand) lead() {
	h.zxid = ensemble.NewZxid(h.zxid.Epoch()+1, 0)
	h.s.ResetPrepared()
	h.s.RoleChanged(zabLeading(h.zxid.Epoch()))
}

// look ends the epoch; nobody knows what becomes of what was under way.
func (h *hand) look() {
	h.s.RoleChanged(zabLooking)
	lost := h.lost
	h.queue, h.lost = nil, nil
	for _, f := range lost {
		f()
	}
}

// step lets the quorum do what it was asked first.
func (h *hand) step() {
	if len(h.queue) > 0 {
		f := h.queue[0]
		h.queue, h.lost = h.queue[1:], h.lost[1:]
		f()
	}
}

func (h *hand) ask(do, lose func()) {
	h.queue, h.lost = append(h.queue, do), append(h.lost, lose)
	if !h.late {
		h.step()
	}
}

func (h *hand) done(f func()) {
	h.inDone++
	f()
	h.inDone--
}

func (h *hand) Submit(request []byte, done func(any, error)) {
	if h.inDone > 0 {
		panic("Submit was called by the done of another: it may wait for what only the caller can do")
	}
	h.note("submit %x", request)
	h.ask(func() {
		h.zxid++
		origin := zab.Origin{Server: 1, Tag: uint64(h.zxid)}
		data := h.s.Prepare(h.zxid, origin, request)
		h.note("txn %x", data)
		if h.applied != nil {
			h.applied(data)
		}
		result := h.s.Apply(zab.Txn{Zxid: h.zxid, Origin: origin, Data: data})
		h.done(func() { done(result, nil) })
	}, func() { h.done(func() { done(nil, errRoleLost) }) })
}

func (h *hand) Sync(done func(error)) {
	h.note("sync")
	h.ask(func() { done(nil) }, func() { done(errRoleLost) })
}

func (h *hand) Ask(question []byte, done func([]byte, error)) {
	h.note("ask %x", question)
	h.ask(func() {
		answer := h.s.Answer(1, question)
		h.answer = func() { done(answer, nil) }
		if !h.slow {
			h.answer()
		}
	}, func() { done(nil, errRoleLost) })
}

func (h *hand) Status() zab.Status {
	h.note("status")
	return zab.Status{State: ensemble.Leading}
}

func (h *hand) View() *ensemble.View {
	h.note("view")
	v, err := ensemble.NewView(0, []ensemble.Member{{ID: 1}})
	if err != nil {
		panic(err)
	}
	return v
}

// handWire is a connection driven by hand.
type handWire struct {
	h                   *hand
	n                   int
	c                   *Conn
	ready, flush, room  bool
	ended, closed       bool
	got                 []byte // output not looked at yet
	in                  []byte // what the client has sent and the server not taken
	session             int64
	xid                 int32
	readies, flushes    int
	rooms, closes, ends int
}

func (w *handWire) Ready() { w.ready = true; w.readies++; w.h.note("wire %d ready", w.n) }
func (w *handWire) Flush() { w.flush = true; w.flushes++; w.h.note("wire %d flush", w.n) }
func (w *handWire) Room()  { w.room = true; w.rooms++; w.h.note("wire %d room", w.n) }
func (w *handWire) Close() { w.closed = true; w.closes++; w.h.note("wire %d close", w.n) }

// dial opens a connection; nil if it is refused.
func (h *hand) dial(remote string) *handWire {
	w := &handWire{h: h, n: len(h.wires)}
	c, ok := h.s.Open(netip.MustParseAddrPort(remote), w)
	h.note("open %s %v", remote, ok)
	if !ok {
		return nil
	}
	w.c = c
	h.wires = append(h.wires, w)
	return w
}

// send gives the server as much of the client's bytes as it takes.
func (w *handWire) send(b []byte) {
	w.in = append(w.in, b...)
	n := w.c.Receive(w.in)
	w.h.note("wire %d took %d of %d", w.n, n, len(w.in))
	w.in = w.in[n:]
}

// serve lets a worker have a turn.
func (w *handWire) serve() {
	w.ready = false
	if w.c.Serve() {
		w.h.note("wire %d again", w.n)
		w.ready = true
	}
}

// output takes one batch, or the end of the stream, and reports whether there was
// any.
func (w *handWire) output() bool {
	batch, end := w.c.Output()
	sum := fnv.New64a()
	_, _ = sum.Write(batch)
	w.h.note("wire %d output %d %x %v", w.n, len(batch), sum.Sum64(), end)
	w.got = append(w.got, batch...)
	if end {
		w.ended = true
		w.ends++
	}
	if len(batch) == 0 && !end {
		w.flush = false
		return false
	}
	return true
}

// settle does everything that there is to do for all wires.
func (h *hand) settle() {
	for busy := true; busy; {
		busy = false
		for _, w := range h.wires {
			for w.ready || w.flush {
				busy = true
				if w.ready {
					w.serve()
				}
				for w.flush && w.output() {
				}
			}
		}
	}
}

// frame takes the first whole frame out of what the client got.
func (w *handWire) frame() ([]byte, error) {
	if len(w.got) < 4 || len(w.got) < 4+int(binary.BigEndian.Uint32(w.got)) {
		return nil, errors.New("no whole frame has come")
	}
	n := 4 + int(binary.BigEndian.Uint32(w.got))
	frame := w.got[4:n]
	w.got = w.got[n:]
	return frame, nil
}

// reply returns the next reply or event.
func (w *handWire) reply(t testing.TB, into proto.Record) proto.ReplyHeader {
	t.Helper()
	frame, err := w.frame()
	require.NoError(t, err)
	var head proto.ReplyHeader
	body, err := proto.UnmarshalHeader(frame, &head)
	require.NoError(t, err)
	if into != nil {
		require.NoError(t, proto.Unmarshal(body, into))
	}
	return head
}

// join opens a connection and gets a session of 4 s.
func (h *hand) join(t testing.TB) *handWire {
	t.Helper()
	w := h.dial("10.0.0.1:1000")
	require.NotNil(t, w)
	w.send(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000}))
	h.settle()
	frame, err := w.frame()
	require.NoError(t, err)
	var resp proto.ConnectResponse
	require.NoError(t, proto.Unmarshal(frame, &resp))
	require.NotZero(t, resp.SessionID)
	w.session = resp.SessionID
	return w
}

// do sends a request and lets everything be done.
func (w *handWire) do(op proto.OpCode, rec proto.Record) {
	w.xid++
	w.send(request(w.xid, op, rec))
	w.h.settle()
}
