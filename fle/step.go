package fle

import "github.com/quorate/quorate/ensemble"

// Input is what happens to a ballot: Start, Receive, Tick, Reachable, Settled
// or SetView.
type Input interface{ input() }

// Start makes the server LOOKING and begins a round with a vote for itself. It
// may come in any state; what went on before is over.
type Start struct {
	// Zxid is the end of the server's log on disk, or NoZxid if it cannot say:
	// then it does not vote at all, and only looks for an established leader.
	Zxid ensemble.Zxid
	// Epoch is the server's current epoch.
	Epoch ensemble.Epoch
	// Unsure says that the disk is empty or its log's tail doubtful: what the
	// log holds up to Zxid is intact, but there may have been more. It ends
	// with Settled.
	Unsure bool
}

// Receive hands over a notification from another server. From is what the
// transport says, not the sender.
type Receive struct {
	From         ensemble.ServerID
	Notification Notification
}

// Tick says that time has passed. It is due at Ballot.Deadline; more ticks do
// no harm.
type Tick struct {
	// Delivered says whether the transport has handed some recent notification
	// to its network (Transport.HaveDelivered). If not, the ballot asks for
	// connections rather than repeating itself.
	Delivered bool
}

// Reachable is a hint of the transport: a connection to a server has been made
// (Up), or lost or refused. A ballot without hints decides the same, later.
type Reachable struct {
	Sid ensemble.ServerID
	Up  bool
}

// Settled says that the leadership that was decided is established and that
// this server is synchronized in it: the leader gives it when it starts to
// serve, a learner after UPTODATE. The server's vote gets the new epoch
// (QuorumPeer.updateElectionVote, ZOOKEEPER-1732), and an unsure server is sure
// from now on. A ballot that is LOOKING ignores it.
type Settled struct {
	Epoch ensemble.Epoch
}

// SetView replaces the committed view. A LOOKING ballot begins a new round.
type SetView struct {
	View *ensemble.View
}

func (Start) input()     {}
func (Receive) input()   {}
func (Tick) input()      {}
func (Reachable) input() {}
func (Settled) input()   {}
func (SetView) input()   {}

// Effects is what a step asks its caller to do. The caller acts on it after
// each step and may then Reset and reuse it. Notifications come first: those
// of a step that decides are still to be sent.
type Effects struct {
	// Notify are the notifications to send, in order. For one destination the
	// last one replaces all before.
	Notify []Outgoing
	// Connect asks the transport to try all servers it is not connected to.
	Connect bool
	// Decide is not nil when the round is over.
	Decide *Decision
}

// Reset empties e and keeps its memory.
func (e *Effects) Reset() { *e = Effects{Notify: e.Notify[:0]} }

// Outgoing is a notification and whom it is for.
type Outgoing struct {
	To           ensemble.ServerID
	Notification Notification
}

// Decision is the outcome of a round.
type Decision struct {
	// Vote is for the leader that was found.
	Vote Vote
	// State is Leading if that is this server; else Following, or Observing
	// for a server that is no voter.
	State ensemble.State
	// Supporters are the voters whose votes were counted, ascending. They are
	// the ones a new leader may expect.
	Supporters []ensemble.ServerID
}
