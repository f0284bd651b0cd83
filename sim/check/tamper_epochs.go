package check

import (
	"slices"

	"github.com/quorate/quorate/ensemble"
)

var epochLies = []Tampering{
	{"the accepted epoch goes back on disk", "E1", repeating(EpochsDurable,
		func(t tape, i int) bool { return t[i].Accepted > 1 && t.kind(i, Boot) >= 0 },
		func(ev *Event) { ev.Accepted--; ev.Current = min(ev.Current, ev.Accepted) })},
	{"a restart forgets the epochs", "E1", changing(Boot, forgetsEpochs,
		func(ev *Event) { ev.Accepted, ev.Current = 0, 0 })},
	{"the current epoch is above the accepted one", "E2", changing(EpochsDurable,
		func(t tape, i int) bool { return t.kind(i, Boot) >= 0 },
		func(ev *Event) { ev.Current = ev.Accepted + 1 })},
	{"an epoch has two leaders", "E3", twoLeaders},
	{"a server follows another than the established leader", "E3", lateLeader},
	{"NEWLEADER is acknowledged to two leaders", "E4", twoAcknowledged},
	{"an epoch is promised twice as if for the first time", "E4", repeating(EpochAck,
		func(t tape, i int) bool { return t[i].Mode == ackCounted }, asItIs)},
	{"an epoch is proposed that was accepted before", "E5", changing(EpochProposed,
		func(t tape, i int) bool { return t[i].Epoch > 0 }, func(ev *Event) { ev.Epoch = 0 })},
	{"an epoch is proposed without a quorum", "E5", changing(EpochProposed,
		func(t tape, i int) bool { return len(t[i].Voters) > 1 },
		func(ev *Event) { ev.Voters = []ensemble.ServerID{ev.Node} })},
	{"an epoch is adopted that nobody promised", "E5", unpromisedEpoch},
	{"a zxid is left out", "E6", changing(Proposed, always, func(ev *Event) { ev.Log[0].Zxid++ })},
	{"a leader proposes in the next epoch", "E6", changing(Proposed, always, func(ev *Event) { ev.Epoch++ })},
	{"a leader has lost what is committed", "E7", leaderWithoutCommitted},
	{"a leader has more than an epoch was established with", "E8", leaderWithMore},
}

// forgetsEpochs finds a boot before which the disk had confirmed an epoch.
func forgetsEpochs(t tape, i int) bool {
	for j := i - 1; j >= 0; j-- {
		if t[j].Node != t[i].Node {
			continue
		}
		switch t[j].Kind {
		case Wipe, Rollback:
			return false
		case Boot, EpochsDurable:
			return t[j].Accepted > 0
		}
	}
	return false
}

// twoLeaders lets another server that runs be established, too.
func twoLeaders(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	var ev Event
	i, ok := t.find(pick, func(i int) bool {
		if !t.leads(i) {
			return false
		}
		id, ok := t.other(t[i].Node)
		if !ok {
			return false
		}
		ev = t[i]
		ev.Node, ev.Life = id, t.lifeAt(i, id)
		return ev.Life > 0
	})
	if !ok {
		return nil, false
	}
	return t.insert(i+1, ev), true
}

// lifeAt returns the life that a server leads at event i, or 0.
func (t tape) lifeAt(i int, id ensemble.ServerID) int {
	for j := i; j >= 0; j-- {
		if t[j].Node != id {
			continue
		}
		switch t[j].Kind {
		case Crash, Halted:
			return 0
		case Boot:
			return t[j].Life
		}
	}
	return 0
}

// lateLeader moves a leader's Established behind that of its first follower.
func lateLeader(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	follower := -1
	i, ok := t.find(pick, func(i int) bool {
		if !t.leads(i) {
			return false
		}
		for follower = i + 1; follower < len(t); follower++ {
			ev := &t[follower]
			if ev.Kind == Established && ev.Epoch == t[i].Epoch {
				return true
			}
			if ev.Node == t[i].Node && slices.Contains([]Kind{Proposed, RoleChange, Crash}, ev.Kind) {
				return false
			}
		}
		return false
	})
	if !ok {
		return nil, false
	}
	return t.later(i, follower), true
}

func twoAcknowledged(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool { return t[i].Kind == NewLeaderAck })
	if !ok {
		return nil, false
	}
	ev := t[i]
	if ev.Peer, ok = t.other(ev.Node, ev.Peer); !ok {
		return nil, false
	}
	return t.insert(i+1, ev), true
}

// unpromisedEpoch takes away all promises of an epoch that its leader adopts.
func unpromisedEpoch(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != EpochsDurable || t[i].Current != t[i].Accepted {
			return false
		}
		j := t.kind(i, EpochProposed, RoleChange)
		if j < 0 || t[j].Kind != EpochProposed || t[j].Epoch != t[i].Current || len(t[j].Voters) == 1 {
			return false
		}
		for ; j < i; j++ {
			if t[j].Kind == EpochsDurable && t[j].Current == t[i].Current {
				return false // a follower's disk was faster
			}
		}
		return true
	})
	if !ok {
		return nil, false
	}
	return t.without(func(j int) bool {
		return t[j].Kind == EpochAck && t[j].Epoch == t[i].Current && t[j].Peer == t[i].Node
	}), true
}

// committedBefore returns the last zxid below an epoch that was committed before
// event i.
func (t tape) committedBefore(i int, e ensemble.Epoch) ensemble.Zxid {
	var z ensemble.Zxid
	for _, ev := range t[:i] {
		if ev.Kind == Committed && ev.Zxid.Epoch() < e {
			z = max(z, ev.Zxid)
		}
	}
	return z
}

func leaderWithoutCommitted(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool { return t.leads(i) && t.committedBefore(i, t[i].Epoch) > 0 })
	if !ok {
		return nil, false
	}
	return t.with(i, func(ev *Event) { ev.Zxid, ev.Chain = 0, 0 }), true
}

// leaderWithMore gives a leader one more transaction than an epoch before was
// established with, of before that epoch; which has committed nothing itself.
func leaderWithMore(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	var end ensemble.Zxid
	i, ok := t.find(pick, func(i int) bool {
		if !t.leads(i) {
			return false
		}
		before := -1
		for j := range t[:i] {
			if t.leads(j) && t[j].Epoch < t[i].Epoch && (before < 0 || t[j].Epoch > t[before].Epoch) {
				before = j
			}
		}
		if before < 0 {
			return false
		}
		end = t[before].Zxid
		return t.committedBefore(i, t[i].Epoch) <= end
	})
	if !ok {
		return nil, false
	}
	return t.with(i, func(ev *Event) { ev.Zxid, ev.Chain = end+1, 12345 }), true
}
