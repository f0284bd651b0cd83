package server

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
	"github.com/quorate/quorate/server/znode"
)

// FuzzSession plays whole sessions. The input is a list of steps: clients connect,
// come back, send requests, some of them damaged, in pieces or cut short, read or
// do not, and go away, while the clock, the quorum and the server's role do what
// they like. What each client gets must be what the specification allows, byte for
// byte, nothing may be left in the books at the end, and whoever applies the logged
// transactions to an empty tree must get the same one.
func FuzzSession(f *testing.F) {
	for _, seed := range [][]byte{
		nil,
		{0, 0, 2, 0, 1, 3, 1, 2, 9, 4, 0, 5, 0},
		append([]byte{0, 0, 0, 1}, make([]byte, 200)...),
	} {
		f.Add(seed)
	}
	for i := range 40 { // long ones, in which everything comes
		b := make([]byte, 1500)
		for j := range b {
			b[j] = byte((j*7919 + i*104729 + j*j*31) >> (j % 5))
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		goroutines := runtime.NumGoroutine()
		p := newPlay(t, input)
		for steps := 0; len(p.input) > 0 && steps < 2000; steps++ {
			p.step()
		}
		p.end()
		require.LessOrEqual(t, runtime.NumGoroutine(), goroutines, "a server driven by hand has none")
	})
}

// play is one run.
type play struct {
	*hand
	t        *testing.T
	input    []byte
	actors   []*actor
	sessions []int64
	log      [][]byte // transactions, in order
}

// actor is a client with what it may expect.
type actor struct {
	*handWire
	open    bool // the ConnectResponse has come
	word    bool // it asked a four-letter word instead
	wild    bool // it sent what is no request: from there on only the form counts
	asked   []expected
	watches map[string]bool // paths that it may hear of
	below   []string        // it may hear of these, and of what is below them
	zxid    int64           // of the last reply
	over    bool            // nothing may come any more
}

// expected is a request that has not been answered.
type expected struct {
	xid   int32
	op    proto.OpCode
	rec   proto.Record
	paths []string // that it arms if it succeeds; with a * in front, and what is below
}

const (
	playOutputMax = 1 << 20
	playPause     = 200 * time.Millisecond
)

func newPlay(t *testing.T, input []byte) *play {
	p := &play{t: t, input: input}
	p.hand = newHand(Config{
		TickTime: 200 * time.Millisecond, MaxClientCnxns: 12, GlobalOutstandingLimit: 12, HandshakeTimeout: time.Second,
		JuteMaxBuffer: 4096, OutputBytesMax: playOutputMax, WatchesMax: 30, LargeRequestThreshold: 2000, LargeRequestMaxBytes: 20_000,
	})
	p.applied = func(data []byte) { p.log = append(p.log, data) }
	return p
}

// byte takes the next byte of the input.
func (p *play) byte() int {
	if len(p.input) == 0 {
		return 0
	}
	b := p.input[0]
	p.input = p.input[1:]
	return int(b)
}

// pick takes one of the actors whose connection is open.
func (p *play) pick() *actor {
	var some []*actor
	for _, a := range p.actors {
		if !a.closed {
			some = append(some, a)
		}
	}
	p.actors = some
	if len(some) == 0 {
		return nil
	}
	return some[p.byte()%len(some)]
}

func (p *play) step() {
	kind := p.byte() % 16
	if kind == 0 {
		p.connect()
		return
	}
	switch kind {
	case 1:
		p.hand.clock += time.Duration(p.byte()) * playPause / 64
		p.s.Housekeep()
		return
	case 2:
		p.late = !p.late
		return
	case 3, 4:
		p.hand.step()
		return
	case 5:
		if p.byte()%8 == 0 {
			p.look()
			p.lead()
			return
		}
	}
	a := p.pick()
	if a == nil {
		return
	}
	switch kind {
	case 6:
		a.serve()
	case 7:
		p.hangUp(a)
	case 8, 9:
		p.read(a)
	case 10:
		if a.wild || p.byte()%8 == 0 {
			p.damage(a)
		} else {
			p.ask(a)
		}
	default:
		p.ask(a)
	}
	if kind%2 == 1 {
		p.settle()
		p.read(a)
	}
	if len(p.wires) > 100 {
		p.wires = slices.DeleteFunc(p.wires, func(w *handWire) bool { return w.closed })
	}
	require.LessOrEqual(p.t, len(a.c.out), playOutputMax+64<<10)
	require.LessOrEqual(p.t, a.c.requests, inboxRequestsMax+64<<10/lengthBytes)
}

// connect lets a client come, new or back to a session, with more or less truth.
func (p *play) connect() {
	w := p.dial(fmt.Sprintf("10.0.0.%d:%d", p.byte()%3, 1000+len(p.wires)))
	if w == nil {
		return
	}
	a := &actor{handWire: w, watches: map[string]bool{}}
	p.actors = append(p.actors, a)
	req := &proto.ConnectRequest{TimeoutMillis: int32(p.byte() * 20), Password: make([]byte, 16), HasReadOnly: p.byte()%2 == 0}
	switch how := p.byte() % 8; {
	case how == 0:
		a.word = true
		a.push([]byte([]string{"ruok", "srvr", "stat", "conf"}[p.byte()%4]))
		return
	case how < 4 && len(p.sessions) > 0:
		req.SessionID = p.sessions[p.byte()%len(p.sessions)]
		password := session.Password(p.s.cfg.Secret, req.SessionID)
		if how > 1 {
			req.Password = password[:]
		}
	case how == 4:
		req.LastZxidSeen = int64(p.zxid) + int64(p.byte()) - 128
	}
	b := proto.AppendFrame(nil, req)
	if p.byte()%8 == 0 {
		b[p.byte()%len(b)] = byte(p.byte())
		a.wild = true
	}
	a.push(b)
}

// push gives the server some of the bytes, in two pieces.
func (a *actor) push(b []byte) {
	cut := len(b) / 2
	a.send(b[:cut])
	a.send(b[cut:])
}

// ask lets a client send a few requests.
func (p *play) ask(a *actor) {
	var b []byte
	for range 1 + p.byte()%3 {
		op, rec, paths := p.request()
		a.xid++
		xid := a.xid
		if op == proto.OpPing {
			xid = proto.XidPing
		}
		a.asked = append(a.asked, expected{xid, op, rec, paths})
		if _, ok := rec.(*proto.SetWatchesRequest); ok { // its events come before its reply
			a.arm(paths)
		}
		b = append(b, request(xid, op, rec)...)
	}
	if p.byte()%64 == 0 { // cut short: what comes behind is another request to the server
		a.wild = true
		b = b[:len(b)-1-p.byte()%(len(b)-1)]
	}
	a.push(b)
}

// damage lets a client send a request with a byte or two changed.
func (p *play) damage(a *actor) {
	op, rec, _ := p.request()
	a.xid++
	b := request(a.xid, op, rec)
	for range 1 + p.byte()%3 {
		b[p.byte()%len(b)] = byte(p.byte())
	}
	a.wild = true
	a.push(b)
}

func (p *play) hangUp(a *actor) {
	switch p.byte() % 3 {
	case 0:
		a.c.Abort("link lost")
	case 1:
		a.c.End(nil)
	default:
		a.c.Abort("twice")
		a.c.Abort("twice")
		a.c.End(nil)
	}
}

// read lets a client take what there is for it, and judges that.
func (p *play) read(a *actor) {
	for a.flush && a.output() {
	}
	if a.room {
		a.room = false
		a.send(nil)
	}
	p.judge(a)
}

// end lets everything come to its end, and looks at what is left.
func (p *play) end() {
	p.late = false
	for len(p.queue) > 0 {
		p.hand.step()
	}
	for range 50 {
		p.settle()
		for _, w := range p.wires {
			if w.room && !w.closed {
				w.room = false
				w.send(nil)
			}
		}
	}
	for _, a := range p.actors {
		p.read(a)
		if !a.wild && !a.word {
			require.Empty(p.t, a.got, "no whole frame")
		}
	}
	for _, w := range p.wires {
		if !w.closed {
			w.c.Abort("the end")
		}
		w.serve()
	}
	s := p.s
	require.Zero(p.t, s.inflight.Load(), "requests in the books")
	require.Zero(p.t, s.largeBytes.Load(), "bytes of large requests in the books")
	require.Zero(p.t, s.outputBytes.Load(), "output in the books")
	require.Empty(p.t, s.connections())
	require.Empty(p.t, s.sessions)
	require.Empty(p.t, s.perAddr)
	require.Zero(p.t, s.census().watches)
	require.Zero(p.t, s.creating.active)

	again := znode.NewTree()
	for _, data := range p.log {
		h, rec, err := proto.DecodeTxn(data)
		require.NoError(p.t, err)
		again.Apply(h, rec, nil)
	}
	require.Equal(p.t, s.tree.Digest(), again.Digest(), "the log makes another tree")
}
