package check

import (
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
)

var runLies = []Tampering{
	{"a newcomer deposes a leader that a quorum follows", "F6", deposedByNewcomer},
	{"notifications flood a healed ensemble", "F7", storm},
	{"a server repeats its vote without a pause", "F7", repeatedVote},
	{"a healed ensemble finds no leader", "F8", leaderless},
	{"a session expires at once", "S5", expiredAtOnce},
	{"a server stops for good", "V7", stopped},
	{"an event is missing", "H1", missingEvent},
	{"an event is told twice", "H1", toldTwice},
	{"time goes back", "H1", timeGoesBack},
	{"a process that is gone goes on", "H1", afterDeath},
	{"there is no trace at all", "H1", func(func(int) int, []Event) ([]Event, bool) { return nil, true }},
	{"nothing was ever committed", "H3", nothingCommitted},
}

// upsets are the events behind which a leader has an excuse.
var upsets = []Kind{Fault, Crash, Wipe, Rollback, Damage, DiskError, Halted, LinkDown}

// deposedByNewcomer ends a leadership when a quorum has just come to follow it.
func deposedByNewcomer(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	voters := t.voters()
	leader := -1
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != Established || t[i].State != ensemble.Following {
			return false
		}
		followers := []ensemble.ServerID{}
		for leader = i; leader >= 0 && !t.leads(leader); leader-- {
			if slices.Contains(upsets, t[leader].Kind) {
				return false
			}
			if t[leader].Kind == Established && slices.Contains(voters, t[leader].Node) && !slices.Contains(followers, t[leader].Node) {
				followers = append(followers, t[leader].Node)
			}
			if t[leader].Kind == RoleChange || t[leader].Kind == Proposed { // an epoch that is used up excuses, too
				return false
			}
		}
		return leader >= 0 && t[leader].Epoch == t[i].Epoch && len(followers)+1 > len(voters)/2 && t.calmAt(leader) && !t.laterEpoch(i, t[i].Epoch)
	})
	if !ok {
		return nil, false
	}
	return t.insert(i+1, Event{
		Kind: RoleChange, Node: t[leader].Node, Life: t[leader].Life,
		State: ensemble.Looking, Peer: ensemble.NoServer, Text: "a newcomer wants to lead",
	}), true
}

// calmAt reports whether no fault goes on at event i.
func (t tape) calmAt(i int) bool {
	for j := i; j >= 0; j-- {
		switch t[j].Kind {
		case Healed:
			return true
		case Fault:
			return false
		}
	}
	return true
}

// laterEpoch reports whether somebody has accepted a later epoch before event i.
func (t tape) laterEpoch(i int, e ensemble.Epoch) bool {
	for _, ev := range t[:i] {
		if (ev.Kind == EpochsDurable || ev.Kind == Boot) && ev.Accepted > e {
			return true
		}
	}
	return false
}

// healed returns the index of the last word of the world, if that is Healed.
func (t tape) healed() (int, bool) {
	for i := len(t) - 1; i >= 0; i-- {
		switch t[i].Kind {
		case Healed:
			return i, true
		case Fault:
			return 0, false
		}
	}
	return 0, false
}

func storm(_ func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.healed()
	if !ok {
		return nil, false
	}
	for _, id := range t.voters() {
		if life := t.lifeAt(i, id); life > 0 {
			many := make([]Event, StormVotes)
			for k := range many {
				many[k] = Event{Kind: VoteSend, Node: id, Life: life, State: ensemble.Following, Vote: &Vote{Leader: id}}
			}
			return t.insert(i+1, many...), true
		}
	}
	return nil, false
}

// repeatedVote lets a server tell all others its vote fifty times more at once.
func repeatedVote(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool {
		return t[i].Kind == VoteSend && t[i].State == ensemble.Looking && !t.decidedRound(i) && len(t.voters()) > 2
	})
	if !ok {
		return nil, false
	}
	var many []Event
	for range 50 {
		for _, id := range t.voters() {
			if id != t[i].Node {
				ev := t[i]
				ev.Peer = id
				many = append(many, ev)
			}
		}
	}
	return t.insert(i+1, many...), true
}

// leaderless ends all roles when everything is healed, and lets a day pass.
func leaderless(_ func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.healed()
	if !ok {
		return nil, false
	}
	end := slices.Clone(t[:i+1])
	for _, id := range t.voters() {
		if life := t.lifeAt(i, id); life > 0 {
			end = append(end, Event{Kind: RoleChange, Node: id, Life: life, At: t[i].At, State: ensemble.Looking, Peer: ensemble.NoServer})
		}
	}
	return numbered(append(end, Event{Kind: LinkUp, At: t[i].At + 24*time.Hour})), true
}

func expiredAtOnce(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool {
		return t[i].Kind == SessionEvent && t[i].Mode == "touch" && t[i].Timeout > 0 && t.state(i) == ensemble.Leading
	})
	if !ok {
		return nil, false
	}
	ev := t[i]
	ev.Mode = "expire"
	return t.insert(i+1, ev), true
}

func stopped(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool {
		return t[i].Kind == RoleChange && t.kind(i, DiskError) < 0 && t.fate(i, Damage, Boot) == Boot && !t.bootedDamaged(i)
	})
	if !ok {
		return nil, false
	}
	return t.insert(i+1, Event{Kind: Halted, Node: t[i].Node, Life: t[i].Life, Text: "it says so"}), true
}

// bootedDamaged reports whether the life of event i began on a damaged disk.
func (t tape) bootedDamaged(i int) bool {
	boot := t.kind(i, Boot)
	return boot >= 0 && t.fate(boot, Damage, Boot) == Damage
}

func missingEvent(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	last := 0 // nobody can miss what comes behind it
	for i := range t {
		if !unnumbered(&t[i]) {
			last = i
		}
	}
	i, ok := t.find(pick, func(i int) bool { return !unnumbered(&t[i]) && i < last })
	if !ok {
		return nil, false
	}
	return slices.Delete(slices.Clone(events), i, i+1), true
}

func toldTwice(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool { return !unnumbered(&t[i]) })
	if !ok {
		return nil, false
	}
	return slices.Insert(slices.Clone(events), i, events[i]), true
}

func timeGoesBack(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool { return i > 0 && t[i-1].At > 0 && !unnumbered(&t[i-1]) && !unnumbered(&t[i]) })
	if !ok {
		return nil, false
	}
	return t.with(i, func(ev *Event) { ev.At = t[i-1].At - 1 }), true
}

func afterDeath(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool { return t[i].Kind == Crash && t.kind(i, LogDurable) >= 0 })
	if !ok {
		return nil, false
	}
	return t.insert(i+1, t[t.kind(i, LogDurable)]), true
}

func nothingCommitted(_ func(int) int, events []Event) ([]Event, bool) {
	i := slices.IndexFunc(events, func(ev Event) bool { return ev.Kind == Committed })
	if i <= 0 {
		return nil, false
	}
	return slices.Clone(events[:i]), true
}
