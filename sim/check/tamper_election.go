package check

import "github.com/quorate/quorate/ensemble"

var electionLies = []Tampering{
	{"a server claims more than it has", "B11", changing(VoteSend, votesForItself,
		func(ev *Event) { ev.Vote.Zxid++ })},
	{"a server claims less than it has", "B11", changing(VoteSend,
		func(t tape, i int) bool { return votesForItself(t, i) && t[i].Vote.Zxid > 0 },
		func(ev *Event) { ev.Vote.Zxid-- })},
	{"a server claims an epoch that it has not adopted", "B11", changing(VoteSend, votesForItself,
		func(ev *Event) { ev.Vote.Epoch++ })},
	{"a server hides that it is unsure, or says that it is", "B11", changing(VoteSend,
		func(t tape, i int) bool {
			j := t.kind(i, VoteSend)
			return votesForItself(t, i) && (j < 0 || t[j].Round != t[i].Round || t[j].State != t[i].State)
		}, func(ev *Event) { ev.Unsure = !ev.Unsure })},
	{"a server elects itself in a round of its own", "F1", changing(Decide,
		func(t tape, i int) bool { return t[i].State == ensemble.Leading && t.kind(i, VoteRecv) >= 0 },
		func(ev *Event) { ev.Round++ })},
	{"a server takes a role that it was not elected to", "F1", roleOfAnother},
	{"a better vote is not heeded", "F2", betterVote},
	{"an election round goes back", "F3", roundGoesBack},
	{"a server adopts a vote that nobody told it", "F3", changing(VoteSend,
		func(t tape, i int) bool {
			v := t[i].Vote
			return t[i].State == ensemble.Looking && v.Leader != t[i].Node && v.Leader != ensemble.NoServer && !t.decidedRound(i)
		}, func(ev *Event) { ev.Vote.Zxid += 1 << 20 })},
	{"a stranger is elected", "F4", changing(Decide, always, func(ev *Event) { ev.Vote.Leader = stranger })},
	{"a stranger is voted for", "F4", changing(VoteSend,
		func(t tape, i int) bool { return votesForItself(t, i) }, func(ev *Event) { ev.Vote.Leader = stranger })},
	{"a stranger is followed", "F5", changing(RoleChange,
		func(t tape, i int) bool { return t[i].State == ensemble.Following }, func(ev *Event) { ev.Peer = stranger })},
}

// decidedRound reports whether a notification is one that was still to be sent
// of a round that is decided.
func (t tape) decidedRound(i int) bool {
	j := t.kind(i, Decide, Boot)
	return j >= 0 && t[j].Kind == Decide && t[j].Round >= t[i].Round
}

func votesForItself(t tape, i int) bool {
	return t[i].State == ensemble.Looking && t[i].Vote.Leader == t[i].Node && !t.decidedRound(i)
}

func roleOfAnother(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool { return t[i].Kind == RoleChange && t[i].State == ensemble.Following })
	if !ok {
		return nil, false
	}
	id, ok := t.other(t[i].Node, t[i].Peer)
	return t.with(i, func(ev *Event) { ev.Peer = id }), ok
}

// betterVote lets a voter that a leader has heard prefer itself, just before the
// decision.
func betterVote(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	from := -1
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != Decide || t[i].State != ensemble.Leading {
			return false
		}
		from = t.before(i, func(ev *Event) bool {
			return ev.Kind == VoteRecv && ev.State == ensemble.Looking && ev.Vote.Leader >= 0 && ev.Round == t[i].Round
		})
		return from >= 0
	})
	if !ok {
		return nil, false
	}
	ev := t[from]
	v := *t[i].Vote
	v.Leader, v.Epoch = ev.Peer, v.Epoch+1
	ev.Vote = &v
	return t.insert(i, ev), true
}

func roundGoesBack(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	from := -1
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != VoteSend || t[i].State != ensemble.Looking {
			return false
		}
		from = t.before(i, func(ev *Event) bool { return ev.Kind == VoteSend && ev.State == ensemble.Looking })
		return from >= 0
	})
	if !ok {
		return nil, false
	}
	return t.with(i, func(ev *Event) { ev.Round = t[from].Round - 1 }), true
}
