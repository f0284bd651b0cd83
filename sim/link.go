package sim

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// stream is a TCP connection between two servers.
type stream struct {
	open bool
	lost bool // what is under way when it closes does not arrive
}

// end is one end of a stream: a queue of what its process sends, and what it
// receives.
type end struct {
	p       *proc
	peer    ensemble.ServerID
	other   *end
	stream  *stream
	learner bool // the peer is our learner
	role    int  // of p
	deaf    bool // p has given it up, and reads no more

	queue    []item
	pumping  bool // a snapshot is being captured
	arrives  time.Duration
	incoming *storage.SnapshotWriter
	at       zab.Position // of incoming
}

// item is something to send: a packet, or something that is read when its turn
// comes.
type item struct {
	packet   *zab.Packet
	log      *zab.SendLog
	snapshot *zab.SendSnapshot
}

func (p *proc) linkEvent(kind check.Kind, peer ensemble.ServerID) {
	ev := p.event(kind)
	ev.Peer = peer
	p.w.emit(ev)
}

// send queues something for a peer; without a link it goes nowhere.
func (p *proc) send(to ensemble.ServerID, it item) {
	if e := p.links[to]; e != nil {
		e.queue = append(e.queue, it)
		e.pump()
	}
}

// pumpAll goes on with what waited for the log to grow.
func (p *proc) pumpAll() {
	for _, id := range p.w.ids() {
		if e := p.links[id]; e != nil && len(e.queue) > 0 {
			e.pump()
		}
	}
}

// pump sends what is queued until something has to wait.
func (e *end) pump() {
	for len(e.queue) > 0 && !e.pumping && e.stream.open {
		it := e.queue[0]
		switch {
		case it.packet != nil:
			e.transmit(*it.packet)
		case it.log != nil:
			if !e.sendLog(it.log) {
				return
			}
		default:
			e.pumping = true
			e.p.shots.transfers++
			upTo := it.snapshot.UpTo
			e.p.command(captureState{func(at zab.Position, snap zab.Snapshot) { e.captured(at, snap, upTo) }})
			return
		}
		e.queue[0] = item{}
		e.queue = e.queue[1:]
	}
}

// sendLog sends a stretch of the log. It reports false while the end of it is
// not in the log yet.
func (e *end) sendLog(s *zab.SendLog) bool {
	kind := zab.Proposal
	if s.Inform {
		kind = zab.Inform
	}
	for s.After < s.UpTo {
		txns, err := e.p.store.Read(s.After, readBytesMax)
		n := 0
		for n < len(txns) && txns[n].Zxid <= s.UpTo {
			n++
		}
		switch {
		case err != nil || n == 0 && len(txns) > 0:
			e.fail()
			return false
		case n == 0:
			rest := *s
			e.queue[0].log = &rest
			return false
		}
		e.transmit(zab.Packet{Type: kind, Txns: txns[:n:n]})
		rest := *s
		rest.After = txns[n-1].Zxid
		s = &rest
	}
	return true
}

// captured sends a state, and the log behind it.
func (e *end) captured(at zab.Position, snap zab.Snapshot, upTo ensemble.Zxid) {
	defer snap.Release()
	e.pumping = false
	e.p.shots.transfers--
	if !e.stream.open {
		return
	}
	e.queue[0] = item{log: &zab.SendLog{After: at.Zxid, UpTo: upTo}}
	if at.Zxid == 0 { // the history from its beginning
		e.transmit(zab.Packet{Type: zab.Diff})
		e.pump()
		return
	}
	var content pieces
	if _, err := snap.WriteTo(&content); err != nil {
		e.fail()
		return
	}
	e.transmit(zab.Packet{Type: zab.Snap, At: at})
	for _, piece := range content.cut(3) {
		e.transmit(zab.Packet{Type: zab.SnapData, Data: piece})
	}
	e.transmit(zab.Packet{Type: zab.SnapEnd, At: at})
	e.pump()
}

// pieces collects what is written and cuts it.
type pieces []byte

func (p *pieces) Write(b []byte) (int, error) {
	*p = append(*p, b...)
	return len(b), nil
}

func (p pieces) cut(n int) [][]byte {
	var out [][]byte
	for size := len(p)/n + 1; len(p) > 0; p = p[min(size, len(p)):] {
		out = append(out, p[:min(size, len(p))])
	}
	return out
}

// transmit gives a packet to the network, unless a script holds it.
func (e *end) transmit(p zab.Packet) {
	w := e.p.w
	if w.stage != nil && w.stage.keeps(e, p) {
		return
	}
	e.carry(p)
}

func (e *end) carry(p zab.Packet) {
	if e.p.gone || !e.stream.open {
		return
	}
	n := e.p.w.net
	e.arrives = max(e.arrives, e.p.w.now+n.some())
	if n.bandwidth > 0 {
		e.arrives += time.Duration(packetBytes(&p)) * time.Second / time.Duration(n.bandwidth)
	}
	id := e.p.w.messageSent(e.p, e.peer, &p)
	other := e.other
	way := direction{quorumPort, e.p.h.id, e.peer}
	e.p.w.queue.add(e.arrives, nil, func() {
		n.arrive(way, func() {
			other.p.run(func() {
				if e.stream.open || !e.stream.lost {
					other.receive(p, id)
				}
			})
		})
	})
}

func packetBytes(p *zab.Packet) int {
	n := 64 + len(p.Data)
	for i := range p.Txns {
		n += p.Txns[i].Bytes()
	}
	return n
}

// fail ends the stream from this end's own side; its process hears of it.
func (e *end) fail() {
	e.deaf = true
	e.close(true)
	e.p.after(0, e.hangUp)
}

// close closes the stream at this end: nothing more is sent, and the other end
// hears of it when the network lets it.
func (e *end) close(loud bool) {
	if e.incoming != nil {
		_ = e.incoming.Abort()
		e.incoming = nil
	}
	e.queue = nil
	if !e.stream.open {
		return
	}
	n := e.p.w.net
	e.stream.open, e.stream.lost = false, n.rng.IntN(2) == 0
	if !loud {
		return
	}
	e.farewell()
}

// farewell is the FIN or RST on its way to the other end.
func (e *end) farewell() {
	n := e.p.w.net
	other := e.other
	at := max(e.arrives, e.p.w.now+n.some())
	if e.stream.lost {
		at = e.p.w.now + n.some()
	}
	e.p.w.queue.add(at, nil, func() {
		n.arrive(direction{quorumPort, e.p.h.id, e.peer}, func() { other.p.run(other.hangUp) })
	})
}

// hangUp is the end of the stream as its process sees it.
func (e *end) hangUp() {
	p := e.p
	if p.links[e.peer] != e {
		return
	}
	delete(p.links, e.peer)
	if e.incoming != nil {
		_ = e.incoming.Abort()
		e.incoming = nil
	}
	p.linkEvent(check.LinkDown, e.peer)
	p.step(zab.LinkDown{Peer: e.peer, Err: errors.New("the connection is closed")})
}

// dropAll closes the links of a role that has ended.
func (p *proc) dropAll() {
	for _, id := range slices.Sorted(maps.Keys(p.links)) {
		e := p.links[id]
		delete(p.links, id)
		e.close(true)
	}
}

// cutAll is what a crash does to the links: after a kill the kernel says so;
// without power nobody does until the machine is up again, or never.
func (p *proc) cutAll(loud bool) {
	for _, id := range slices.Sorted(maps.Keys(p.links)) {
		p.links[id].close(loud || p.h.rng.IntN(2) == 0)
	}
	p.links = nil
	if p.service != nil {
		p.service.cutAll(loud)
	}
}
