package quorum

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/zab"
)

// world runs the pure peers of a whole ensemble in virtual time, from a seed:
// links that break as TCP's do, disks that lose what they have not finished, and
// servers that crash. It checks what must hold after every step.
type world struct {
	t      *testing.T
	rng    *rand.Rand
	now    time.Duration
	events eventQueue
	seq    int

	view  *ensemble.View
	hosts []*host
	cut   map[[2]ensemble.ServerID]bool
	loss  float64

	history []zab.Txn // what has been committed anywhere, in order
	leaders map[ensemble.Epoch]ensemble.ServerID
	acked   int
	steps   int
	log     []string
}

type simEvent struct {
	at  time.Duration
	seq int
	do  func()
}

type eventQueue []simEvent

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(simEvent)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

// host is a server: a disk that survives, and a process that does not.
type host struct {
	w      *world
	id     ensemble.ServerID
	log    []zab.Txn // on disk
	epochs zab.Epochs
	hint   ensemble.Zxid
	lost   []zab.Txn // the log that the last wipe took

	life    int // counts processes; 0 while down
	lives   int
	peer    *Peer
	written []zab.Txn // log, and what is on its way to the disk
	queue   []zab.Effect
	links   map[ensemble.ServerID]*simLink
	role    int
	applied int // transactions of history
}

// simLink is one end of a stream.
type simLink struct {
	open  *bool // shared by both ends
	last  time.Duration
	owner *host
	other *simLink
}

func newWorld(t *testing.T, seed uint64, voters, observers int, unsure bool) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 7)), cut: map[[2]ensemble.ServerID]bool{},
		leaders: map[ensemble.Epoch]ensemble.ServerID{},
	}
	var members []ensemble.Member
	for i := 1; i <= voters+observers; i++ {
		id := ensemble.ServerID(i)
		members = append(members, ensemble.Member{ID: id, Observer: i > voters})
		w.hosts = append(w.hosts, &host{w: w, id: id, epochs: zab.Epochs{Unsure: unsure}})
	}
	view, err := ensemble.NewView(0, members)
	require.NoError(t, err)
	w.view = view
	return w
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.events, simEvent{w.now + d, w.seq, do})
}

func (w *world) delay(upTo time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(upTo)))
}

func (w *world) run(until time.Duration) {
	for len(w.events) > 0 && w.events[0].at <= until {
		e := heap.Pop(&w.events).(simEvent)
		w.now = e.at
		w.steps++
		e.do()
	}
	w.now = until
}

func (w *world) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%8.3f ", w.now.Seconds())+fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	tail := w.log[max(0, len(w.log)-60):]
	for _, l := range tail {
		w.t.Log(l)
	}
	require.FailNow(w.t, fmt.Sprintf(format, args...))
}

func (w *world) reachable(a, b ensemble.ServerID) bool { return !w.cut[[2]ensemble.ServerID{a, b}] }

func (w *world) host(id ensemble.ServerID) *host { return w.hosts[id-1] }

// start begins a process on what the disk has.
func (h *host) start() {
	h.lives++
	h.life = h.lives
	h.written = append([]zab.Txn(nil), h.log...)
	h.queue, h.links, h.role, h.applied = nil, map[ensemble.ServerID]*simLink{}, 0, 0
	var shape zab.Shape
	for _, t := range h.log {
		shape = shape.Append(t)
	}
	h.epochs.Current = max(h.epochs.Current, shape.Last().Zxid.Epoch())
	h.epochs.Accepted = max(h.epochs.Accepted, h.epochs.Current)
	cfg := zab.Config{Self: h.id, View: h.w.view, TickTime: 200 * time.Millisecond, InitLimitTicks: 10, SyncLimitTicks: 5}
	ballot, err := fle.NewBallot(fle.Config{Server: h.id, View: h.w.view})
	require.NoError(h.w.t, err)
	h.peer = NewPeer(cfg, zab.NewJournal(shape, h.epochs, min(h.hint, shape.Last().Zxid)), ballot)
	h.w.note("%d starts at %v, epochs %d/%d", h.id, shape.Last().Zxid, h.epochs.Accepted, h.epochs.Current)
	h.tick(h.life)
}

func (h *host) tick(life int) {
	if h.life != life {
		return
	}
	h.step(Delivered{Any: true})
	h.step(zab.Tick{})
	if h.life == life {
		h.w.after(10*time.Millisecond, func() { h.tick(life) })
	}
}

// crash ends the process. Of what the disk had to do, a part may have been done.
func (h *host) crash() {
	if h.life == 0 {
		return
	}
	h.w.note("%d crashes", h.id)
	for range h.w.rng.IntN(len(h.queue) + 1) {
		h.write(h.queue[0])
		h.queue = h.queue[1:]
	}
	h.life, h.peer = 0, nil
	for _, l := range h.links {
		l.sever()
	}
	for _, other := range h.w.hosts {
		h.w.after(h.w.delay(20*time.Millisecond), func() { other.input(other.life, Reachable{Peer: h.id, Up: h.life != 0}) })
	}
}

// sever ends a stream; both ends hear of it some time later.
func (l *simLink) sever() {
	if !*l.open {
		return
	}
	*l.open = false
	for _, end := range []*simLink{l, l.other} {
		end.owner.w.after(end.owner.w.delay(30*time.Millisecond), end.owner.hangUp(end))
	}
}

func (h *host) hangUp(l *simLink) func() {
	life, role := h.life, h.role
	peer := l.other.owner.id
	return func() {
		if h.life == life && h.role == role && h.links[peer] == l {
			delete(h.links, peer)
			h.step(zab.LinkDown{Peer: peer, Err: errors.New("severed")})
		}
	}
}

func (h *host) input(life int, in zab.Input) {
	if life != 0 && h.life == life {
		h.step(in)
	}
}

func (h *host) step(in zab.Input) {
	if h.peer == nil {
		return
	}
	var out zab.Effects
	h.peer.Step(h.w.now, in, &out)
	for _, e := range out.List {
		if h.life == 0 {
			return
		}
		h.perform(e)
	}
}

func (h *host) perform(effect zab.Effect) {
	w := h.w
	switch e := effect.(type) {
	case zab.Append:
		h.written = append(h.written, e.Txns...)
		h.disk(e)
	case zab.Truncate, zab.SaveEpochs, zab.Install:
		h.disk(e)
	case zab.SendSnapshot:
		h.sendState(e)
	case zab.Send:
		for _, to := range e.To {
			h.send(to, e.Packet)
		}
	case zab.SendLog:
		p := zab.Packet{Type: zab.Proposal}
		if e.Inform {
			p.Type = zab.Inform
		}
		for _, t := range h.written {
			if t.Zxid > e.After && t.Zxid <= e.UpTo {
				p.Txns = append(p.Txns, t)
			}
		}
		for _, to := range e.To {
			h.send(to, p)
		}
	case zab.Commit:
		w.checkCommit(h, e.UpTo)
	case zab.Established:
		w.checkEstablished(h, e.Epoch)
	case zab.Drop:
		if l := h.links[e.Peer]; l != nil {
			delete(h.links, e.Peer)
			l.sever()
		}
	case zab.Halt:
		w.fail("server %d halts: %s", h.id, e.Reason)
	case Notify:
		life := w.host(e.To).life
		if w.reachable(h.id, e.To) && w.rng.Float64() >= w.loss {
			w.after(w.delay(10*time.Millisecond), func() {
				w.host(e.To).input(life, Notified{From: h.id, Notification: e.Notification})
			})
		}
	case Connect:
		h.connect(h.life, h.role, e.Leader)
	case RoleChange:
		w.note("%d %v of %d %s", h.id, e.State, e.Leader, e.Reason)
		if e.State == ensemble.Looking {
			h.role++
			for id, l := range h.links {
				delete(h.links, id)
				l.sever()
			}
		}
	}
}

// sendState sends what this server has applied, which is a prefix of the world's
// history, and the log behind it.
func (h *host) sendState(e zab.SendSnapshot) {
	if h.applied == 0 {
		h.send(e.To, zab.Packet{Type: zab.Diff})
	} else {
		last := h.w.history[h.applied-1]
		h.send(e.To, zab.Packet{Type: zab.Snap, At: zab.Position{Zxid: last.Zxid, Chain: last.Chain}})
	}
	p := zab.Packet{Type: zab.Proposal}
	for _, t := range h.written[h.applied:] {
		if t.Zxid <= e.UpTo {
			p.Txns = append(p.Txns, t)
		}
	}
	h.send(e.To, p)
}

// connect dials until it succeeds or the role is over.
func (h *host) connect(life, role int, leader ensemble.ServerID) {
	if h.life != life || h.role != role {
		return
	}
	l := h.w.host(leader)
	ready := l.life != 0 && h.w.reachable(h.id, leader) && h.w.reachable(leader, h.id)
	if ready {
		state, _ := l.peer.State()
		ready = state == ensemble.Leading
	}
	if !ready {
		h.w.after(20*time.Millisecond, func() { h.connect(life, role, leader) })
		return
	}
	if old := l.links[h.id]; old != nil {
		delete(l.links, h.id)
		old.sever()
	}
	open := true
	mine, theirs := &simLink{open: &open, owner: h}, &simLink{open: &open, owner: l}
	mine.other, theirs.other = theirs, mine
	h.links[leader], l.links[h.id] = mine, theirs
	l.step(zab.LinkUp{Peer: h.id})
	if h.life == life && h.role == role && h.links[leader] == mine {
		h.step(zab.LinkUp{Peer: leader})
	}
}

func (h *host) send(to ensemble.ServerID, p zab.Packet) {
	l := h.links[to]
	if l == nil || !*l.open {
		return
	}
	if !h.w.reachable(h.id, to) { // a stream loses nothing inside: it breaks
		l.sever()
		return
	}
	l.last = max(l.last, h.w.now+h.w.delay(5*time.Millisecond))
	other, peer := l.other, l.other.owner
	life := peer.life
	h.w.after(l.last-h.w.now, func() {
		if peer.life == life && peer.links[h.id] == other {
			peer.step(zab.Received{From: h.id, Packet: p})
		}
	})
}

// disk queues an operation; one at a time is done, in order, slowly.
func (h *host) disk(e zab.Effect) {
	h.queue = append(h.queue, e)
	if len(h.queue) == 1 {
		h.next(h.life)
	}
}

func (h *host) next(life int) {
	h.w.after(h.w.delay(4*time.Millisecond), func() {
		if h.life != life {
			return
		}
		e := h.queue[0]
		h.queue = h.queue[1:]
		if len(h.queue) > 0 {
			h.next(life)
		}
		h.step(h.write(e))
	})
}

func (h *host) write(effect zab.Effect) zab.Input {
	switch e := effect.(type) {
	case zab.Append:
		h.log = append(h.log[:len(h.log):len(h.log)], e.Txns...)
		h.hint = e.Committed
		return zab.Durable{Ticket: e.Ticket}
	case zab.SaveEpochs:
		h.epochs = e.Epochs
		return zab.Durable{Ticket: e.Ticket}
	case zab.Truncate:
		n := 0
		for n < len(h.log) && h.log[n].Zxid <= e.To {
			n++
		}
		h.log = h.log[:n:n]
		h.written = append([]zab.Txn(nil), h.log...)
		last := zab.Position{}
		if n > 0 {
			last = zab.Position{Zxid: h.log[n-1].Zxid, Chain: h.log[n-1].Chain}
		}
		return zab.Truncated{Ticket: e.Ticket, Last: last}
	case zab.Install: // a snapshot is worth the history up to it
		n := 0
		for h.w.history[n].Zxid < e.At.Zxid {
			n++
		}
		h.log = append([]zab.Txn(nil), h.w.history[:n+1]...)
		h.written = append([]zab.Txn(nil), h.log...)
		return zab.Installed(e)
	}
	panic(fmt.Sprintf("%T", effect))
}

// wipe crashes a server and empties its disk, unless another is unsure already:
// two disks at once may be more than the ensemble can lose.
func (h *host) wipe() {
	for _, other := range h.w.hosts {
		if other.epochs.Unsure {
			return
		}
	}
	h.crash()
	h.w.note("%d is wiped", h.id)
	h.lost = h.log
	h.log, h.hint, h.epochs = nil, 0, zab.Epochs{Unsure: true}
}

// checkCommit: what is committed is the same everywhere, in the same order, and
// on the disks of a quorum (I6).
func (w *world) checkCommit(h *host, upTo ensemble.Zxid) {
	n := h.applied
	for n < len(h.written) && h.written[n].Zxid <= upTo {
		if n < len(w.history) {
			if a, b := h.written[n], w.history[n]; a.Zxid != b.Zxid || a.Chain != b.Chain {
				w.fail("server %d commits %v at place %d, where %v was committed", h.id, a.Zxid, n, b.Zxid)
			}
		} else {
			w.history = append(w.history, h.written[n])
			w.checkDurable(h.written[n])
		}
		n++
	}
	h.applied = n
	if n == 0 || h.written[n-1].Zxid != upTo {
		w.fail("server %d commits %v, which its log does not have", h.id, upTo)
	}
}

func (w *world) checkDurable(t zab.Txn) {
	has := func(id ensemble.ServerID) bool {
		i := len(w.history) - 1
		has := func(log []zab.Txn) bool {
			return i < len(log) && log[i].Zxid == t.Zxid && log[i].Chain == t.Chain
		}
		return has(w.host(id).log) || has(w.host(id).lost)
	}
	if !w.view.HasQuorum(has) {
		w.fail("%v is committed and not on the disks of a quorum", t.Zxid)
	}
}

// checkEstablished: one leader per epoch (I1), which has all that was committed (I5).
func (w *world) checkEstablished(h *host, epoch ensemble.Epoch) {
	state, _ := h.peer.State()
	if state != ensemble.Leading {
		return
	}
	w.note("%d leads epoch %d", h.id, epoch)
	if other, ok := w.leaders[epoch]; ok {
		w.fail("servers %d and %d both lead epoch %d", other, h.id, epoch)
	}
	w.leaders[epoch] = h.id
	if len(h.written) < len(w.history) {
		w.fail("leader %d of epoch %d has %d of %d committed transactions", h.id, epoch, len(h.written), len(w.history))
	}
	for i, t := range w.history {
		if h.written[i].Zxid != t.Zxid || h.written[i].Chain != t.Chain {
			w.fail("leader %d of epoch %d has %v where %v was committed", h.id, epoch, h.written[i].Zxid, t.Zxid)
		}
	}
}

// propose lets whoever leads propose a few transactions.
func (w *world) propose() {
	for _, h := range w.hosts {
		if h.life == 0 || h.peer.leading == nil || !h.peer.leading.Serving() {
			continue
		}
		var entries []zab.Entry
		for range 1 + w.rng.IntN(3) {
			w.acked++
			entries = append(entries, zab.Entry{Origin: zab.Origin{Server: h.id, Tag: uint64(w.acked)}, Data: []byte{byte(w.acked)}})
		}
		h.step(zab.Propose{First: h.peer.leading.NextZxid(), Entries: entries})
	}
}
