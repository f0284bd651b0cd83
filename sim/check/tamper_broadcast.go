package check

import (
	"slices"

	"github.com/quorate/quorate/ensemble"
)

var broadcastLies = []Tampering{
	{"something is delivered that nobody proposed", "B1", changing(Delivered, always, func(ev *Event) { ev.Chain ^= 1 })},
	{"something is delivered twice", "B1", repeating(Delivered, always, asItIs)},
	{"a transaction is altered on its way to a log", "B1", changing(LogAppend,
		func(t tape, i int) bool { return len(t[i].Log) > 0 },
		func(ev *Event) { ev.Log[len(ev.Log)-1].Chain ^= 1 })},
	{"a follower commits what no leader has committed", "B2", changing(Committed,
		func(t tape, i int) bool { return t.state(i) != ensemble.Leading },
		func(ev *Event) { ev.Zxid += 1 << 20 })},
	{"something is delivered before it is committed", "B2", deliveredEarly},
	{"two deliveries are swapped", "B3", swappedDeliveries},
	{"a delivery is missing", "B3", missingDelivery},
	{"something of an earlier epoch is delivered", "B4", deliveredFromBefore},
	{"a leader proposes before it has delivered what others have", "B5", proposedEarly},
	{"a leader commits before anybody has acknowledged", "B6", committedEarly},
	{"something is committed twice", "B6", repeating(Committed, always, asItIs)},
	{"a stranger's acknowledgement is counted", "B6", changing(AckCount,
		func(t tape, i int) bool { return t[i].Zxid.Counter() > 0 }, func(ev *Event) { ev.Peer = stranger })},
	{"the states after a transaction differ", "T1", otherState},
}

// proposal returns the index of the event behind which a leader's transaction was
// proposed in the same role, or -1.
func (t tape) proposal(i int, z ensemble.Zxid) int {
	return t.before(i, func(ev *Event) bool {
		return ev.Kind == Proposed && ev.Log[0].Zxid <= z && ev.Log[len(ev.Log)-1].Zxid >= z
	})
}

// deliveredEarly moves a leader's delivery behind its proposal.
func deliveredEarly(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	from := -1
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != Delivered || t.state(i) != ensemble.Leading {
			return false
		}
		from = t.proposal(i, t[i].Zxid)
		return from >= 0 && t[from].Log[0].Zxid == t[i].Zxid && t.kind(i, Delivered, Boot, SnapInstall) < from
	})
	if !ok {
		return nil, false
	}
	return t.earlier(i, from+1), true
}

// proposedBy reports whether a transaction was proposed before event i.
func (t tape) proposedBy(i int, z ensemble.Zxid) bool {
	return slices.ContainsFunc(t[:i], func(ev Event) bool {
		return ev.Kind == Proposed && ev.Log[0].Zxid <= z && ev.Log[len(ev.Log)-1].Zxid >= z
	})
}

// sameEpoch finds a delivery and the next one of the same server, of one epoch,
// which could have been delivered instead.
func (t tape) sameEpoch(pick func(int) int) (i, j int, ok bool) {
	i, ok = t.find(pick, func(i int) bool {
		if t[i].Kind != Delivered {
			return false
		}
		for j = t.next(i); j >= 0; j = t.next(j) {
			switch t[j].Kind {
			case Delivered:
				return t[j].Zxid == t[i].Zxid+1 && t.proposedBy(i, t[j].Zxid)
			case Boot, SnapInstall, SnapSave, Proposed:
				return false
			}
		}
		return false
	})
	return i, j, ok
}

func swappedDeliveries(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, j, ok := t.sameEpoch(pick)
	if !ok {
		return nil, false
	}
	swap := func(ev *Event, with Event) { ev.Zxid, ev.Chain, ev.Digest = with.Zxid, with.Chain, with.Digest }
	lie := t.with(i, func(ev *Event) { swap(ev, t[j]) })
	swap(&lie[j], t[i])
	return lie, true
}

func missingDelivery(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, _, ok := t.sameEpoch(pick)
	if !ok {
		return nil, false
	}
	return t.without(func(k int) bool { return k == i }), true
}

func deliveredFromBefore(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	old := -1
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != Delivered {
			return false
		}
		old = t.before(i, func(ev *Event) bool { return ev.Kind == Delivered && ev.Zxid.Epoch() < t[i].Zxid.Epoch() })
		return old >= 0
	})
	if !ok {
		return nil, false
	}
	return t.insert(i+1, t[old]), true
}

// proposedEarly moves a new leader's last delivery behind its first proposal.
func proposedEarly(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	from := -1
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != Proposed || t[i].Log[0].Zxid.Counter() != 1 {
			return false
		}
		from = t.kind(i, Delivered, SnapSave, SnapInstall)
		return from >= 0 && t[from].Kind == Delivered && t.deliveredByOthers(i, from)
	})
	if !ok {
		return nil, false
	}
	return t.later(from, i), true
}

// deliveredByOthers reports whether another server has delivered before event i
// what event j is the delivery of.
func (t tape) deliveredByOthers(i, j int) bool {
	for k := range t[:i] {
		if t[k].Kind == Delivered && t[k].Node != t[j].Node && t[k].Zxid == t[j].Zxid {
			return true
		}
	}
	return false
}

// committedEarly moves a leader's commit behind its proposal.
func committedEarly(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	from := -1
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != Committed || t.state(i) != ensemble.Leading {
			return false
		}
		from = t.proposal(i, t[i].Zxid)
		return from >= 0 && t.kind(i, Committed) < from && len(t.voters()) > 1
	})
	if !ok {
		return nil, false
	}
	return t.earlier(i, from+1), true
}

func otherState(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != Delivered || t[i].Digest == 0 {
			return false
		}
		for j := range t[:i] {
			if t[j].Kind == Delivered && t[j].Zxid == t[i].Zxid && t[j].Digest != 0 {
				return true
			}
		}
		return false
	})
	if !ok {
		return nil, false
	}
	return t.with(i, func(ev *Event) { ev.Digest ^= 1 << 40 }), true
}
