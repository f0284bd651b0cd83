package fle

import (
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// receive is what ZooKeeper's WorkerReceiver and lookForLeader do with a
// notification.
func (b *Ballot) receive(now time.Duration, from ensemble.ServerID, n Notification, out *Effects) {
	b.cfg.Trace.received(from, n)
	if reason := b.dispatch(now, from, n, out); reason != "" {
		b.cfg.Trace.dropped(from, n, reason)
	}
}

func (b *Ballot) dispatch(now time.Duration, from ensemble.ServerID, n Notification, out *Effects) DropReason {
	switch {
	case !b.started:
		return DropNotStarted
	case from == b.self:
		return DropSelf
	case !b.view.IsVoter(from):
		b.answerOutsider(from, n, out)
		return DropOutsider
	case b.state != ensemble.Looking:
		if n.State == ensemble.Looking && b.state != ensemble.Observing {
			b.notify(from, out)
		}
		return DropNotLooking
	case n.State == ensemble.Observing:
		return DropObserving
	case n.State == ensemble.Looking && (n.Zxid < 0 || n.Leader < 0):
		return DropAsksOnly
	case !b.view.IsVoter(n.Leader):
		return DropNoCandidate
	case n.State == ensemble.Looking:
		return b.hearVote(now, from, n, out)
	case (n.State == ensemble.Leading) != (n.Leader == from):
		return DropContradiction
	}
	b.hearEstablished(now, from, n, out)
	return ""
}

// answerOutsider tells a server that is no voter, an observer above all, who
// leads. A LOOKING server knows no leader: it answers only whose view is older,
// so that it learns of the newer one. Two servers that take one another for
// outsiders therefore never answer an answer.
func (b *Ballot) answerOutsider(from ensemble.ServerID, n Notification, out *Effects) {
	if n.State != ensemble.Looking || b.state == ensemble.Observing {
		return
	}
	if b.state != ensemble.Looking || n.ViewVersion < b.view.Version() {
		b.notify(from, out)
	}
}

// hearVote counts the vote of a LOOKING voter.
func (b *Ballot) hearVote(now time.Duration, from ensemble.ServerID, n Notification, out *Effects) DropReason {
	delete(b.established, from) // it follows nobody any more
	if b.mute {
		return DropDoNotVote
	}
	if n.Round < b.round {
		// Rounds only go backwards by a restart: what it said in this round
		// before is not its word any more.
		delete(b.votes, from)
		if mutant.On(mutant.M16) {
			n.Round = b.round
			b.votes[from] = cast{Vote: n.Vote, state: n.State, unsure: n.Unsure}
		}
		b.notify(from, out)
		b.conclude(now, out)
		return DropStaleRound
	}
	changed := false
	if n.Round > b.round {
		b.beginRound(now, n.Round)
		changed = true
	}
	if from == b.vote.Leader && b.beats(b.vote, n.Vote) {
		// The candidate itself, of all servers, prefers a lesser vote: it has
		// restarted with less than it had. All votes for its past must go.
		b.beginRound(now, b.round+1)
		b.broadcast(out)
		b.conclude(now, out)
		return DropAmnesia
	}
	if n.Leader != b.self && b.beats(n.Vote, b.vote) {
		// A vote for this server is no news to it: only itself can say what it
		// has, and it has said so in its initial vote.
		b.setVote(now, n.Vote)
		b.cfg.Trace.voteChanged(from, n.Vote)
		changed = true
	}
	_, heard := b.votes[from]
	b.votes[from] = cast{Vote: n.Vote, state: n.State, unsure: n.Unsure}
	switch {
	case changed:
		b.broadcast(out)
	case !heard:
		// It may have been busy with its last leader when this server voted.
		b.notify(from, out)
	}
	b.conclude(now, out)
	return ""
}

// hearEstablished looks at the word of a voter that follows or leads.
func (b *Ballot) hearEstablished(now time.Duration, from ensemble.ServerID, n Notification, out *Effects) {
	c := cast{Vote: n.Vote, state: n.State, unsure: n.Unsure}
	b.established[from] = c
	tallies := []tally{b.established}
	if n.Round == b.round && !b.mute {
		b.votes[from] = c
		tallies = []tally{b.votes, b.established}
	}
	// A LOOKING server is not among those that lead, so nobody comes to lead by
	// the word of those who follow it: they may have followed it before it
	// restarted (ZOOKEEPER-1514). It leads only by the votes of its own round for
	// exactly its own vote, which conclude counts, theirs among them.
	for _, t := range tallies {
		if t.leads(n.Vote) && t.enough(b.view, n.Vote, n.State) {
			b.decide(n.Vote, t.supporters(b.view, n.Vote, n.State), out)
			return
		}
	}
	b.conclude(now, out)
}
