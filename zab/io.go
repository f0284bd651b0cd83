package zab

import (
	"github.com/quorate/quorate/ensemble"
)

// Input is something that happened. The concrete types are the structs of this
// file that have an Input method; package quorum adds its own.
type Input interface{ Input() }

// LinkUp says that the stream to a peer is open: on a leader a learner has
// connected, on a learner its leader has been reached.
type LinkUp struct{ Peer ensemble.ServerID }

// LinkDown says that the stream to a peer has ended.
type LinkDown struct {
	Peer ensemble.ServerID
	Err  error
}

// Progress says that something has come from a peer that is no packet for the
// core: a piece of a snapshot.
type Progress struct{ Peer ensemble.ServerID }

// Unreachable says that the leader cannot be connected to.
type Unreachable struct {
	Peer ensemble.ServerID
	Err  error
}

// Received is a packet from a peer. The core keeps the packet's slices.
type Received struct {
	From   ensemble.ServerID
	Packet Packet
}

// Durable says that every storage effect up to Ticket is on disk.
type Durable struct{ Ticket uint64 }

// Truncated ends a Truncate: the log now ends at Last, on disk.
type Truncated struct {
	Ticket uint64
	Last   Position
}

// Installed ends an Install: the snapshot is the history now, on disk, and the
// state machine holds it.
type Installed struct {
	Ticket uint64
	At     Position
}

// Purged says that the log now begins behind Base.
type Purged struct{ Base Position }

// Propose asks the leader to propose transactions. First is the zxid that the
// proposer expects for the first of them; the core refuses any other.
type Propose struct {
	First   ensemble.Zxid
	Entries []Entry
}

// Entry is a transaction that has no place in the history yet.
type Entry struct {
	Origin Origin
	Data   []byte
}

// SyncRequest asks the leader up to where a server must apply so that it has
// seen everything committed before now. ID comes back in SyncPoint.
type SyncRequest struct {
	From ensemble.ServerID
	ID   uint64
}

// Tick lets time pass; it must come several times per TickTime.
type Tick struct{}

func (LinkUp) Input()      {}
func (LinkDown) Input()    {}
func (Progress) Input()    {}
func (Unreachable) Input() {}
func (Received) Input()    {}
func (Durable) Input()     {}
func (Truncated) Input()   {}
func (Installed) Input()   {}
func (Purged) Input()      {}
func (Propose) Input()     {}
func (SyncRequest) Input() {}
func (Tick) Input()        {}

// Effect is something that the shell must do. Effects are carried out in order;
// see the package comment for what order means to each.
type Effect interface{ Effect() }

// Append writes transactions to the log. Committed is the commit point known
// at this moment, a hint to be stored with them.
type Append struct {
	Ticket    uint64
	Txns      []Txn
	Committed ensemble.Zxid
}

// Truncate cuts the log behind To. It is answered by Truncated.
type Truncate struct {
	Ticket uint64
	To     ensemble.Zxid
}

// Install replaces the history by the snapshot just received on the link from
// the leader. It is answered by Installed.
type Install struct {
	Ticket uint64
	At     Position
}

// SaveEpochs stores the epochs record.
type SaveEpochs struct {
	Ticket uint64
	Epochs Epochs
}

// Epochs is the durable record of what this server has promised.
type Epochs struct {
	// Accepted is the highest epoch whose leader this server has agreed to
	// follow, or proposed itself: it will follow none with a lower one.
	Accepted ensemble.Epoch
	// Current is the epoch of the last leader whose initial history this
	// server has adopted whole. Accepted >= Current >= epoch of the last zxid.
	Current ensemble.Epoch
	// Unsure is set while the server cannot vouch for its history: its disk was
	// empty, or its log's tail damaged. It counts in no quorum until a leader
	// has synchronized it.
	Unsure bool
}

// Send queues a packet on the links to the given peers.
type Send struct {
	To     []ensemble.ServerID
	Packet Packet
}

// SendLog queues the transactions behind After up to UpTo, read from the log, on
// the links to the given peers: as INFORM packets to observers, as PROPOSALs
// otherwise.
type SendLog struct {
	To          []ensemble.ServerID
	After, UpTo ensemble.Zxid
	Inform      bool
}

// SendSnapshot queues a snapshot on the link, announced by a SNAP packet with
// its position, and behind it the log from there up to UpTo. Any position that
// is committed and from which the log goes on will do. A shell that has applied
// nothing says DIFF from 0 instead.
type SendSnapshot struct {
	To   ensemble.ServerID
	UpTo ensemble.Zxid
}

// Commit moves the commit point: everything up to UpTo may be applied.
type Commit struct{ UpTo ensemble.Zxid }

// Established says that the role serves now: after applying all that was
// committed before, the state machine is told.
type Established struct{ Epoch ensemble.Epoch }

// SyncPoint answers a SyncRequest of this server: everything up to UpTo must be
// applied.
type SyncPoint struct {
	ID   uint64
	UpTo ensemble.Zxid
}

// Drop closes the link to a peer.
type Drop struct {
	Peer   ensemble.ServerID
	Reason string
}

// Resign ends the role: back to LOOKING.
type Resign struct{ Reason string }

// Halt stops the server for good: going on would damage somebody's history.
type Halt struct{ Reason string }

// Synchronized reports how this learner was synchronized.
type Synchronized struct {
	Mode   string // DIFF, TRUNC, TRUNC+DIFF or SNAP
	Leader ensemble.ServerID
	Epoch  ensemble.Epoch
	Last   ensemble.Zxid
}

func (Append) Effect()       {}
func (Truncate) Effect()     {}
func (Install) Effect()      {}
func (SaveEpochs) Effect()   {}
func (Send) Effect()         {}
func (SendLog) Effect()      {}
func (SendSnapshot) Effect() {}
func (Commit) Effect()       {}
func (Established) Effect()  {}
func (SyncPoint) Effect()    {}
func (Drop) Effect()         {}
func (Resign) Effect()       {}
func (Halt) Effect()         {}
func (Synchronized) Effect() {}

// Effects collects effects in order. The zero value is ready to use.
type Effects struct{ List []Effect }

// Add appends an effect.
func (e *Effects) Add(x Effect) { e.List = append(e.List, x) }

// Reset forgets all effects and keeps the space.
func (e *Effects) Reset() {
	clear(e.List)
	e.List = e.List[:0]
}
