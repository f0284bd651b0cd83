package fle

import "github.com/quorate/quorate/ensemble"

// Trace is a set of hooks into an election; any of them may be nil, and so may
// the pointer to it. A hook is called where the thing happens, by the goroutine
// that steps the ballot or by one of the messenger's two; it must not block.
type Trace struct {
	// RoundStarted: the ballot begins a round, or joins one that is ahead.
	RoundStarted func(round int64, initial Vote)
	// VoteChanged: the ballot adopts the vote that from told it.
	VoteChanged func(from ensemble.ServerID, vote Vote)
	// QuorumSeen: enough voters agree on the ballot's vote; it waits for better
	// news, unless it has heard everybody.
	QuorumSeen func(vote Vote)
	// Sent: the ballot asks for n to be sent.
	Sent func(to ensemble.ServerID, n Notification)
	// Received: n has reached the ballot.
	Received func(from ensemble.ServerID, n Notification)
	// Dropped: n has reached the ballot and is neither counted nor kept. It may
	// have been answered.
	Dropped func(from ensemble.ServerID, n Notification, reason DropReason)
	// Decided: the round is over.
	Decided func(d Decision)

	// Malformed: the messenger could not read what from sent.
	Malformed func(from ensemble.ServerID, err error)
	// Replaced: a notification that waited in the messenger's queue will not be
	// sent, because there is a newer one for that server or no room for one more.
	Replaced func(to ensemble.ServerID, n Notification)
}

// DropReason says why a ballot did not count a notification.
type DropReason string

// The reasons.
const (
	DropNotStarted    DropReason = "not started"               // no Start yet
	DropSelf          DropReason = "from myself"               // two servers with one sid, or a loop
	DropOutsider      DropReason = "not from a voter"          // answered if that helps the sender
	DropNotLooking    DropReason = "not looking"               // answered if the sender is LOOKING
	DropAsksOnly      DropReason = "sender does not vote"      // a server without a zxid
	DropNoCandidate   DropReason = "votes for no voter"        // the candidate is no voter of the view
	DropStaleRound    DropReason = "stale round"               // answered
	DropDoNotVote     DropReason = "this server has no vote"   // an observer, or a server without a zxid
	DropObserving     DropReason = "observers are not asked"   // OBSERVING says nothing about a leader
	DropContradiction DropReason = "contradicts itself"        // leads for another, or follows itself
	DropAmnesia       DropReason = "candidate has less by now" // see the package comment, "Votes for the past"
)

func (t *Trace) roundStarted(round int64, initial Vote) {
	if t != nil && t.RoundStarted != nil {
		t.RoundStarted(round, initial)
	}
}

func (t *Trace) voteChanged(from ensemble.ServerID, v Vote) {
	if t != nil && t.VoteChanged != nil {
		t.VoteChanged(from, v)
	}
}

func (t *Trace) quorumSeen(v Vote) {
	if t != nil && t.QuorumSeen != nil {
		t.QuorumSeen(v)
	}
}

func (t *Trace) sent(to ensemble.ServerID, n Notification) {
	if t != nil && t.Sent != nil {
		t.Sent(to, n)
	}
}

func (t *Trace) received(from ensemble.ServerID, n Notification) {
	if t != nil && t.Received != nil {
		t.Received(from, n)
	}
}

func (t *Trace) dropped(from ensemble.ServerID, n Notification, reason DropReason) {
	if t != nil && t.Dropped != nil {
		t.Dropped(from, n, reason)
	}
}

func (t *Trace) decided(d Decision) {
	if t != nil && t.Decided != nil {
		t.Decided(d)
	}
}

func (t *Trace) malformed(from ensemble.ServerID, err error) {
	if t != nil && t.Malformed != nil {
		t.Malformed(from, err)
	}
}

func (t *Trace) replaced(to ensemble.ServerID, n Notification) {
	if t != nil && t.Replaced != nil {
		t.Replaced(to, n)
	}
}
