package sim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/zab"
)

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
	peer    *quorum.Peer
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
	if err != nil {
		panic(err)
	}
	h.peer = quorum.NewPeer(cfg, zab.NewJournal(shape, h.epochs, min(h.hint, shape.Last().Zxid)), ballot)
	h.w.note("%d starts at %v, epochs %d/%d", h.id, shape.Last().Zxid, h.epochs.Accepted, h.epochs.Current)
	h.tick(h.life)
}

func (h *host) tick(life int) {
	if h.life != life {
		return
	}
	h.step(quorum.Delivered{Any: true})
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
	h.w.report.Crashes++
	h.w.note("%d crashes", h.id)
	for range h.w.rng.IntN(len(h.queue) + 1) {
		h.write(h.queue[0])
		h.queue = h.queue[1:]
	}
	h.life, h.peer = 0, nil
	for _, id := range slices.Sorted(maps.Keys(h.links)) {
		h.links[id].sever()
	}
	for _, other := range h.w.hosts {
		h.w.after(h.w.delay(20*time.Millisecond), func() { other.input(other.life, quorum.Reachable{Peer: h.id, Up: h.life != 0}) })
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
		p.Txns = stretch(h.written, e.After, e.UpTo)
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
		w.fail("no halt", "server %d halts: %s", h.id, e.Reason)
	case quorum.Notify:
		life := w.host(e.To).life
		if w.reachable(h.id, e.To) && w.rng.Float64() >= w.loss {
			w.after(w.delay(10*time.Millisecond), func() {
				w.host(e.To).input(life, quorum.Notified{From: h.id, Notification: e.Notification})
			})
		}
	case quorum.Connect:
		h.connect(h.life, h.role, e.Leader)
	case quorum.RoleChange:
		w.note("%d %v of %d %s", h.id, e.State, e.Leader, e.Reason)
		if e.State == ensemble.Looking {
			h.role++
			for _, id := range slices.Sorted(maps.Keys(h.links)) {
				l := h.links[id]
				delete(h.links, id)
				l.sever()
			}
		}
	}
}

// stretch returns a copy of the transactions of a log behind after, up to upTo.
func stretch(log []zab.Txn, after, upTo ensemble.Zxid) []zab.Txn {
	find := func(z ensemble.Zxid) int {
		i, _ := slices.BinarySearchFunc(log, z, func(t zab.Txn, z ensemble.Zxid) int { return cmp.Compare(t.Zxid, z+1) })
		return i
	}
	return slices.Clone(log[find(after):max(find(after), find(upTo))])
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
	p.Txns = stretch(h.written[h.applied:], 0, e.UpTo)
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
		h.log = append(h.log, e.Txns...)
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
	h.w.report.Wipes++
	h.w.note("%d is wiped", h.id)
	h.lost = h.log
	h.log, h.hint, h.epochs = nil, 0, zab.Epochs{Unsure: true}
}
