package fle

import (
	"fmt"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// RoundMax is the highest election round. Rounds count elections since the
// processes started, so nothing but a fault comes near it; a ballot that did
// would stay in that round.
const RoundMax int64 = 1 << 62

// Vote names a server that should lead and the history that recommends it.
// Votes are values and comparable; two votes of LOOKING servers agree if they
// are equal.
type Vote struct {
	// Leader is the candidate, or NoServer for a server that only asks.
	Leader ensemble.ServerID
	// Zxid is the end of the candidate's log when the vote was first cast.
	Zxid ensemble.Zxid
	// Round is the election round in which the vote was cast (ZooKeeper's
	// electionEpoch or logicalclock). It is not an epoch, and lives in memory only.
	Round int64
	// PeerEpoch is the candidate's current epoch. In votes for an established
	// leader it is the epoch of that leadership.
	PeerEpoch ensemble.Epoch
}

// nobody is the vote of a server that asks and does not vote.
func nobody(round int64) Vote {
	return Vote{Leader: ensemble.NoServer, Zxid: ensemble.NoZxid, Round: round, PeerEpoch: ensemble.NoEpoch}
}

// String prints the vote as leader, epoch, zxid, round: 2 e5 0x50000000c r3.
func (v Vote) String() string {
	if v == nobody(v.Round) {
		return fmt.Sprintf("nobody r%d", v.Round)
	}
	return fmt.Sprintf("%d e%d %s r%d", v.Leader, v.PeerEpoch, v.Zxid, v.Round)
}

// beats reports whether the challenger is to be preferred to the incumbent: by
// epoch, then by zxid, then by sid, each only where those before are equal
// (FastLeaderElection.totalOrderPredicate; ZOOKEEPER-1419). A candidate without
// weight, and whoever is no voter of the view, beats nobody and yields to
// anybody with weight. Rounds are not compared.
func beats(view *ensemble.View, challenger, incumbent Vote) bool {
	if view.Weight(challenger.Leader) == 0 {
		return false
	}
	if view.Weight(incumbent.Leader) == 0 {
		return true
	}
	if mutant.On(mutant.M15) && challenger.Zxid != incumbent.Zxid {
		return challenger.Zxid > incumbent.Zxid
	}
	if challenger.PeerEpoch != incumbent.PeerEpoch {
		return challenger.PeerEpoch > incumbent.PeerEpoch
	}
	if challenger.Zxid != incumbent.Zxid {
		return challenger.Zxid > incumbent.Zxid
	}
	return challenger.Leader > incumbent.Leader
}

// Notification is what one server tells another about an election: its state
// and its vote. Notifications are values and comparable.
type Notification struct {
	Vote
	// State is what the sender is doing.
	State ensemble.State
	// Unsure says that the sender may once have known more than it knows now,
	// so that its vote does not vouch for anything; see the package comment.
	Unsure bool
	// ViewVersion and Config are the version and the text of the sender's
	// committed view. A ballot does not look at the text: whoever feeds it may,
	// and answer with SetView.
	ViewVersion int64
	Config      string
}

// String prints state and vote: LOOKING 2 e5 0x50000000c r3.
func (n Notification) String() string {
	s := n.State.String() + " " + n.Vote.String()
	if n.Unsure {
		s += " unsure"
	}
	return s
}
