package sim

import (
	"math/rand/v2"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/quorum"
)

// channel is one of the ways between machines; each can fail alone.
type channel uint8

const (
	electionPort channel = iota
	quorumPort
	clientPort
	channels
)

var channelNames = [channels]string{"election", "quorum", "client"}

// anybody stands for all clients.
const anybody ensemble.ServerID = 0

// direction is a way from one machine to another.
type direction struct {
	ch       channel
	from, to ensemble.ServerID
}

// network is what lies between machines. A blocked direction loses nothing, as
// TCP does not: what is sent waits until it is open again, or the connection is
// cut.
type network struct {
	w         *world
	rng       *rand.Rand
	blocked   map[direction]bool
	waiting   map[direction][]func() // what arrives when the direction opens again
	loss      float64                // of election messages
	delay     time.Duration          // up to which messages take
	bandwidth int                    // bytes a second of a quorum link; 0: no limit
	holds     []heldType             // by a script
}

func newNetwork(w *world) *network {
	return &network{
		w: w, rng: w.stream("network", 0), blocked: map[direction]bool{}, waiting: map[direction][]func(){},
		loss: w.cfg.Loss, delay: normalDelay,
	}
}

// some returns a random delay of a message.
func (n *network) some() time.Duration { return time.Duration(n.rng.Int64N(int64(n.delay))) }

// arrive does something that comes from a machine, now, or when its way is open.
func (n *network) arrive(d direction, do func()) {
	if n.blocked[d] || len(n.waiting[d]) > 0 {
		n.waiting[d] = append(n.waiting[d], do)
		return
	}
	do()
}

// block stops a direction.
func (n *network) block(d direction) {
	if d.from == d.to || n.blocked[d] {
		return
	}
	n.blocked[d] = true
	n.hint(d)
}

// open lets a direction work again, and what waits arrive.
func (n *network) open(d direction) {
	if !n.blocked[d] {
		return
	}
	delete(n.blocked, d)
	waiting := n.waiting[d]
	delete(n.waiting, d)
	for _, do := range waiting {
		do()
	}
	n.hint(d)
}

// openAll ends all blocks, in a fixed order.
func (n *network) openAll() {
	n.loss, n.delay, n.bandwidth = 0, normalDelay, 0
	for ch := range channels {
		for _, a := range append(n.w.ids(), anybody) {
			for _, b := range append(n.w.ids(), anybody) {
				n.open(direction{ch, a, b})
			}
		}
	}
}

// reaches reports whether two machines can talk.
func (n *network) reaches(ch channel, a, b ensemble.ServerID) bool {
	return !n.blocked[direction{ch, a, b}] && !n.blocked[direction{ch, b, a}]
}

// ids are the servers, ascending.
func (w *world) ids() []ensemble.ServerID {
	ids := make([]ensemble.ServerID, 0, len(w.hosts)+1)
	for _, h := range w.hosts {
		ids = append(ids, h.id)
	}
	return ids
}

// changed tells the others that a machine has come or gone.
func (n *network) changed(id ensemble.ServerID) {
	for _, h := range n.w.hosts {
		if h.id != id {
			n.tell(h, id)
			if h.alive() {
				n.tell(n.w.host(id), h.id)
				h.proc.remail(id)
			}
		}
	}
}

// hint tells both ends that a way between them has changed.
func (n *network) hint(d direction) {
	if d.ch != electionPort {
		return
	}
	a, b := n.w.host(d.from), n.w.host(d.to)
	n.tell(a, d.to)
	n.tell(b, d.from)
	for _, h := range []*host{a, b} {
		other := d.from
		if h.id == d.from {
			other = d.to
		}
		if h.alive() {
			h.proc.remail(other)
		}
	}
}

// tell gives a process the news of its connection to another, some time later,
// or never: a connection may die without a word.
func (n *network) tell(h *host, about ensemble.ServerID) {
	if !h.alive() || n.rng.IntN(8) == 0 {
		return
	}
	h.proc.after(n.some()*10, func() {
		up := n.w.host(about).alive() && n.reaches(electionPort, h.id, about)
		h.proc.step(quorum.Reachable{Peer: about, Up: up})
	})
}

// mailbox is the election transport's place for the newest vote to a server.
type mailbox struct {
	vote    fle.Notification
	id      uint64 // for the trace
	arrives time.Duration
	empty   bool // the vote has left
	planned bool
}

// mail puts a vote into the mailbox of a server, in place of one that is there.
func (p *proc) mail(to ensemble.ServerID, vote fle.Notification, id uint64) {
	m := p.mailboxes[to]
	if m == nil {
		m = &mailbox{}
		p.mailboxes[to] = m
	}
	m.vote, m.id, m.empty = vote, id, false
	p.post(to, m)
}

// remail tries again when the way to a server may be open.
func (p *proc) remail(to ensemble.ServerID) {
	if m := p.mailboxes[to]; m != nil && !m.empty {
		p.post(to, m)
	}
}

func (p *proc) post(to ensemble.ServerID, m *mailbox) {
	if m.planned {
		return
	}
	m.planned = true
	p.after(p.some(time.Millisecond), func() {
		m.planned = false
		n := p.w.net
		h := p.w.host(to)
		if m.empty || !h.alive() || !n.reaches(electionPort, p.h.id, to) {
			return // it stays, and goes when they are connected
		}
		m.empty = true
		if n.loss > 0 && n.rng.Float64() < n.loss {
			return // the connection broke with it inside
		}
		vote, id, other := m.vote, m.id, h.proc
		m.arrives = max(m.arrives, p.w.now+n.some())
		other.after(m.arrives-p.w.now, func() {
			n.arrive(direction{electionPort, p.h.id, to}, func() {
				other.run(func() {
					other.voteID = id
					other.step(quorum.Notified{From: p.h.id, Notification: vote})
				})
			})
		})
	})
}
