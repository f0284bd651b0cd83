package zab

import "github.com/quorate/quorate/ensemble"

// Status is what a server knows about itself and, on a leader, its learners.
type Status struct {
	Server ensemble.ServerID
	State  ensemble.State
	Phase  string // election, discovery, synchronization or broadcast
	Leader ensemble.ServerID
	Epoch  ensemble.Epoch // the established leader's; 0 while Looking

	Logged    ensemble.Zxid // end of the log
	Committed ensemble.Zxid
	Applied   Position // last transaction applied, with the chain of the history up to it

	Voters          int
	Outstanding     int // proposals not committed yet; leader only, as all below
	Learners        int // connected followers and observers
	SyncedFollowers int
	SyncedObservers int
	Observers       []ensemble.ServerID // those synchronized, ascending; nobody may write to it
	PendingSyncs    int                 // syncs that wait for a quorum
	// ProposalBytes are the sizes of the last, smallest and largest proposal;
	// -1 before the first.
	ProposalBytes struct{ Last, Min, Max int }
}
