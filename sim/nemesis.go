package sim

import (
	"math/rand/v2"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

// normalDelay is what messages take at most on a healthy network.
const normalDelay = 2 * time.Millisecond

// nemesis makes things go wrong, at random times and right behind events of the
// protocol.
type nemesis struct {
	w      *world
	rng    *rand.Rand
	faults Faults
	armed  []trigger
	active bool
	done   []timedAction
}

// timedAction is an Action that has happened.
type timedAction struct {
	at time.Duration
	Action
}

// trigger waits for an event.
type trigger struct {
	kind   check.Kind
	skip   int
	family Family
}

// moments are the events that faults wait for: the windows in which protocols
// like this one have their bugs.
var moments = []check.Kind{
	check.Decide, check.EpochProposed, check.EpochAck, check.EpochsDurable, check.SyncPlan, check.LogTruncate, check.SnapInstall,
	check.NewLeaderAck, check.Established, check.LogAppend, check.LogDurable, check.Proposed, check.AckCount, check.Committed,
	check.RoleChange, check.LinkUp, check.LinkDown, check.Boot, check.SnapSave, check.Crash, check.AckSend, check.Delivered,
}

func newNemesis(w *world) *nemesis {
	n := &nemesis{w: w, rng: w.stream("nemesis", 0)}
	if w.cfg.Faults != nil {
		n.faults = *w.cfg.Faults
	} else {
		n.faults = swarm(n.rng)
	}
	if n.faults.Interval <= 0 {
		n.faults.Interval = 500 * time.Millisecond
	}
	return n
}

func (n *nemesis) some(d time.Duration) time.Duration { return time.Duration(n.rng.Int64N(int64(d))) }

// begin starts the trouble.
func (n *nemesis) begin() {
	if len(n.faults.Families) == 0 {
		return
	}
	n.active = true
	n.later()
}

func (n *nemesis) later() {
	d := time.Duration(min(n.rng.ExpFloat64(), 5) * float64(n.faults.Interval))
	n.w.after(d, func() {
		if !n.active {
			return
		}
		n.strike()
		n.later()
	})
}

// strike does something now, or arms a trigger.
func (n *nemesis) strike() {
	family := n.faults.Families[n.rng.IntN(len(n.faults.Families))]
	for _, h := range n.w.hosts {
		if h.copy == nil && n.rng.IntN(4) == 0 {
			h.backup()
		}
	}
	if n.rng.Float64() < n.faults.Triggered {
		if len(n.armed) < 8 {
			kind := moments[n.rng.IntN(len(moments))]
			n.armed = append(n.armed, trigger{kind, n.rng.IntN(4), family})
		}
		return
	}
	h := n.w.hosts[n.rng.IntN(len(n.w.hosts))]
	if leader := n.w.leading(); leader != nil && n.rng.IntN(2) == 0 {
		h = leader
	}
	n.act(family, h.id)
}

// observe fires what waits for an event. What happens comes behind it.
func (n *nemesis) observe(ev *check.Event) {
	for i := range n.armed {
		t := &n.armed[i]
		if t.kind != ev.Kind {
			continue
		}
		if t.skip > 0 {
			t.skip--
			continue
		}
		family := t.family
		n.armed = append(n.armed[:i], n.armed[i+1:]...)
		id := ev.Node
		switch n.rng.IntN(4) {
		case 0:
			if ev.Peer > 0 {
				id = ev.Peer
			}
		case 1:
			if leader := n.w.leading(); leader != nil {
				id = leader.id
			}
		}
		d := time.Duration(1) // right behind it, at a time of its own
		if n.rng.IntN(3) > 0 {
			d += n.some(3 * time.Millisecond)
		}
		n.w.after(d, func() {
			if n.active && n.w.host(id) != nil {
				n.act(family, id)
			}
		})
		return
	}
}

// act completes a fault and lets it happen.
func (n *nemesis) act(family Family, id ensemble.ServerID) {
	a := Action{Family: family, Server: id, Salt: n.rng.Uint64() >> 32}
	a.For = time.Duration(min(n.rng.ExpFloat64(), 6) * float64(400*time.Millisecond)).Round(time.Microsecond)
	switch family {
	case Cut, OneWay, Reset, Flap:
		a.Peer = n.w.hosts[n.rng.IntN(len(n.w.hosts))].id
		if a.Peer == id {
			return
		}
	case Port:
		a.Port = channelNames[n.rng.IntN(2)]
	case Blackout, Loss, Delay, Bandwidth:
		a.Server = 0
	}
	n.done = append(n.done, timedAction{n.w.now, a})
	n.w.act(a)
}

// leading returns a server that leads and serves, if there is one.
func (w *world) leading() *host {
	for _, h := range w.hosts {
		if h.proc != nil {
			if _, leads := h.proc.peer.NextProposal(); leads {
				return h
			}
		}
	}
	return nil
}
