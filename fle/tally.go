package fle

import "github.com/quorate/quorate/ensemble"

// cast is a vote as one voter told it.
type cast struct {
	Vote
	state  ensemble.State
	unsure bool
}

// agrees reports whether c supports v, told by a server in the given state.
// While either side is LOOKING that takes the very same vote. Two servers that
// have both found their leader agree if leader and epoch are the same: they may
// have found it in different rounds and with different zxids (ZOOKEEPER-1805,
// ZOOKEEPER-1732).
func (c cast) agrees(v Vote, state ensemble.State) bool {
	if c.state == ensemble.Looking || state == ensemble.Looking {
		return c.Vote == v
	}
	return c.Leader == v.Leader && c.PeerEpoch == v.PeerEpoch
}

// tally holds the last vote of each voter.
type tally map[ensemble.ServerID]cast

// enough reports whether the votes that agree with v decide. A quorum of sure
// votes does. So do all voters with weight together, sure or not: then nobody
// is left who could know better. The votes of servers that follow or lead are
// as good as sure where the question is only whom to follow; see the package
// comment.
func (t tally) enough(view *ensemble.View, v Vote, state ensemble.State) bool {
	established := state != ensemble.Looking
	if view.HasQuorum(func(s ensemble.ServerID) bool {
		c, ok := t[s]
		return ok && c.agrees(v, state) && (!c.unsure || established && c.state != ensemble.Looking)
	}) {
		return true
	}
	for _, s := range view.Voters() {
		if c, ok := t[s]; view.Weight(s) > 0 && (!ok || !c.agrees(v, state)) {
			return false
		}
	}
	return true
}

// leads reports whether the leader that v is for has itself said that it leads,
// in that epoch. Without it the word of its followers is not enough: it may be
// dead, and they may not know yet (ZOOKEEPER-569, ZOOKEEPER-3537). What it said
// of another epoch may be older than theirs; asked again, it says the new one.
func (t tally) leads(v Vote) bool {
	c, ok := t[v.Leader]
	return ok && c.state == ensemble.Leading && c.PeerEpoch == v.PeerEpoch
}

// supporters returns the voters that agree with v, ascending.
func (t tally) supporters(view *ensemble.View, v Vote, state ensemble.State) []ensemble.ServerID {
	var out []ensemble.ServerID
	for _, s := range view.Voters() {
		if c, ok := t[s]; ok && c.agrees(v, state) {
			out = append(out, s)
		}
	}
	return out
}
