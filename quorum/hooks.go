package quorum

import (
	"time"

	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// Hooks are told what a node does and how long it took, for metrics. Each may be
// nil; all must be quick, and must not call the node.
type Hooks struct {
	// Event gets every protocol event, from one goroutine. The effects are only
	// lent, for the time of the call: see Config.Trace for who keeps them.
	Event func(Event)
	// Loaded is called once, when the state is that of the disk.
	Loaded func(Loaded)
	// Snapshot is called for each snapshot of the own state, when it is complete.
	Snapshot func(at zab.Position, took time.Duration)
	// Storage hears of the disk.
	Storage *storage.Trace
}

// Loaded says what it cost to restore the state at the start.
type Loaded struct {
	Snapshot zab.Position  // zero if there was none
	Took     time.Duration // for the snapshot
	Txns     int           // applied behind it
	TxnsTook time.Duration
}

// loadedState is the applier's command that stands behind those of the start.
type loadedState struct{}

// LastSnapshot returns the newest snapshot and its file; none is "".
func (n *Node) LastSnapshot() (at zab.Position, file string) {
	at = n.store.Snapshot()
	if at.Zxid == 0 {
		return at, ""
	}
	return at, n.store.SnapshotName(at.Zxid)
}
