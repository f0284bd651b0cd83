package check

import (
	"slices"

	"github.com/quorate/quorate/ensemble"
)

// Tampering is a lie told about a run. A checker that does not see it is blind:
// each is flagged by the invariant that it breaks, and by no other before.
type Tampering struct {
	Name      string
	Invariant string
	// Do returns a copy of the events of a run without a violation, with the lie
	// in it at a place that pick chooses: pick(n) is any number from 0 to n-1. ok is
	// false if there is no place for it in this run. The events given are not changed.
	//
	// F7 is flagged if Options.VotesAfterHealed is set, to less than StormVotes, and
	// F8 if LeaderWithin is set, to less than a day.
	Do func(pick func(n int) int, events []Event) (lie []Event, ok bool)
}

// StormVotes is how many notifications the tampering with F7 adds.
const StormVotes = 5000

// Tamperings returns all lies, sorted by what they are about. Each invariant
// that a Cluster checks is in at least one of them.
func Tamperings() []Tampering {
	return slices.Concat(epochLies, broadcastLies, ackLies, diskLies, electionLies, runLies)
}

// stranger is a server that is in no view.
const stranger ensemble.ServerID = 1 << 40

// tape is a trace to be tampered with. Its methods return copies.
type tape []Event

// find returns the first index from a random one on, around the end, that ok
// accepts.
func (t tape) find(pick func(int) int, ok func(i int) bool) (int, bool) {
	if len(t) == 0 {
		return 0, false
	}
	start := pick(len(t))
	for k := range t {
		if i := (start + k) % len(t); ok(i) {
			return i, true
		}
	}
	return 0, false
}

// before returns the index of the last event before i that is of the same life
// of the same server and that match accepts, or -1. The life's Boot is its first.
func (t tape) before(i int, match func(ev *Event) bool) int {
	for j := i - 1; j >= 0; j-- {
		if t[j].Node != t[i].Node {
			continue
		}
		if match(&t[j]) {
			return j
		}
		if t[j].Kind == Boot {
			return -1
		}
	}
	return -1
}

// kind returns the last event before i of that kind, of the same life of the
// same server, or -1.
func (t tape) kind(i int, kinds ...Kind) int {
	return t.before(i, func(ev *Event) bool { return slices.Contains(kinds, ev.Kind) })
}

// next returns the next event of the same server behind i, or -1.
func (t tape) next(i int) int {
	for j := i + 1; j < len(t); j++ {
		if t[j].Node == t[i].Node {
			return j
		}
	}
	return -1
}

// state returns what the server of event i was doing then.
func (t tape) state(i int) ensemble.State {
	if j := t.kind(i, RoleChange); j >= 0 {
		return t[j].State
	}
	return ensemble.Looking
}

// leads reports whether event i is a leader that is established.
func (t tape) leads(i int) bool {
	return t[i].Kind == Established && t[i].State == ensemble.Leading
}

// voters returns the servers that have voted for themselves or that leaders have
// counted in discovery, ascending.
func (t tape) voters() []ensemble.ServerID {
	var ids []ensemble.ServerID
	for i := range t {
		ev := &t[i]
		switch {
		case ev.Kind == EpochProposed:
			ids = append(ids, ev.Voters...)
		case ev.Kind == VoteSend && ev.State == ensemble.Looking && ev.Vote.Leader == ev.Node:
			ids = append(ids, ev.Node)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// other returns a voter that is none of those.
func (t tape) other(not ...ensemble.ServerID) (ensemble.ServerID, bool) {
	for _, id := range t.voters() {
		if !slices.Contains(not, id) {
			return id, true
		}
	}
	return 0, false
}

// with returns the trace with event i changed.
func (t tape) with(i int, change func(ev *Event)) []Event {
	lie := slices.Clone(t)
	ev := &lie[i]
	ev.Log, ev.Voters = slices.Clone(ev.Log), slices.Clone(ev.Voters)
	if ev.Vote != nil {
		v := *ev.Vote
		ev.Vote = &v
	}
	change(ev)
	return lie
}

// insert returns the trace with events put in behind event i-1, at its time.
func (t tape) insert(i int, events ...Event) []Event {
	for k := range events {
		events[k].At = t[i-1].At
	}
	return numbered(slices.Insert(slices.Clone(t), i, events...))
}

// without returns the trace without some events.
func (t tape) without(drop func(i int) bool) []Event {
	var lie []Event
	for i := range t {
		if !drop(i) {
			lie = append(lie, t[i])
		}
	}
	return numbered(lie)
}

// earlier returns the trace with event i moved to stand before event to.
func (t tape) earlier(i, to int) []Event {
	ev := t[i]
	ev.At = t[to].At
	lie := slices.Delete(slices.Clone(t), i, i+1)
	return numbered(slices.Insert(lie, to, ev))
}

// later returns the trace with event i moved to stand behind event to.
func (t tape) later(i, to int) []Event {
	ev := t[i]
	ev.At = t[to].At
	lie := slices.Insert(slices.Clone(t), to+1, ev)
	return numbered(slices.Delete(lie, i, i+1))
}

// numbered gives the events new numbers: that some are missing shall not show.
func numbered(events []Event) []Event {
	n := 0
	for i := range events {
		if !unnumbered(&events[i]) {
			n++
			events[i].Seq = n
		}
	}
	return events
}

// changing makes a lie that changes one event of a kind for which ok holds.
func changing(kind Kind, ok func(t tape, i int) bool, change func(ev *Event)) func(func(int) int, []Event) ([]Event, bool) {
	return func(pick func(int) int, events []Event) ([]Event, bool) {
		t := tape(events)
		i, found := t.find(pick, func(i int) bool { return t[i].Kind == kind && ok(t, i) })
		if !found {
			return nil, false
		}
		return t.with(i, change), true
	}
}

// repeating makes a lie in which an event of a kind happens twice, the second
// time changed.
func repeating(kind Kind, ok func(t tape, i int) bool, change func(ev *Event)) func(func(int) int, []Event) ([]Event, bool) {
	return func(pick func(int) int, events []Event) ([]Event, bool) {
		t := tape(events)
		i, found := t.find(pick, func(i int) bool { return t[i].Kind == kind && ok(t, i) })
		if !found {
			return nil, false
		}
		ev := t[i]
		change(&ev)
		return t.insert(i+1, ev), true
	}
}

func always(tape, int) bool { return true }

func asItIs(*Event) {}
