package zab

import (
	"io"

	"github.com/quorate/quorate/ensemble"
)

// StateMachine is what a quorum replicates. One goroutine calls Apply, Snapshot
// and Restore, never two at once, and every server makes the same calls to
// Apply in the same order, so Apply must be deterministic: no clock, no
// randomness, no map order.
type StateMachine interface {
	// Apply applies a committed transaction and returns its result, which is
	// handed to whoever submitted the request on this server. It cannot fail:
	// what is committed is a fact. Zxids arrive ascending, each once.
	Apply(txn Txn) any

	// Snapshot captures the state as it is now and returns quickly; the capture
	// is then written by another goroutine while Apply goes on.
	Snapshot() (Snapshot, error)

	// Restore replaces the state by one that a Snapshot wrote. It reads r to
	// its end. After an error the state is undefined and the server stops.
	Restore(r io.Reader) error
}

// Snapshot is a captured state.
type Snapshot interface {
	// WriteTo writes the state; it may be called at most once, from any
	// goroutine, concurrently with the StateMachine's methods.
	io.WriterTo
	// Release ends the capture. It is called exactly once, also without WriteTo.
	Release()
}

// Preparer is implemented by a StateMachine whose requests are not yet
// transactions. On the leader one goroutine calls Prepare for every request in
// the order in which the transactions will commit; on other servers nobody does.
type Preparer interface {
	// Prepare turns a request into the data of the transaction that will get
	// zxid. It may look at the applied state and must take into account the
	// transactions it prepared before and that have not been applied yet.
	// Prepare runs concurrently with Apply. A request that must fail becomes a
	// transaction that says so.
	Prepare(zxid ensemble.Zxid, origin Origin, request []byte) []byte
	// ResetPrepared forgets everything prepared and not applied: a leadership
	// begins or ended. It is called with no Prepare running.
	ResetPrepared()
}

// Role is what a StateMachine that implements RoleObserver is told.
type Role struct {
	State  ensemble.State
	Epoch  ensemble.Epoch    // 0 while Looking
	Leader ensemble.ServerID // NoServer while Looking
}

// RoleObserver is implemented by a StateMachine that wants to know when its
// server begins and stops to serve.
type RoleObserver interface {
	// RoleChanged is called by the goroutine that calls Apply: with Leading,
	// Following or Observing once the server is synchronized, has applied
	// everything that was committed before and may serve; with Looking when it
	// may no longer. The state at that moment counts as the state at zxid
	// NewZxid(role.Epoch, 0) until the next Apply. It must not block.
	RoleChanged(role Role)
}

// Conversation is implemented by a StateMachine with things to tell between
// leader and learners besides transactions. Both travel on the quorum link.
// The methods are called from several goroutines and must not block.
type Conversation interface {
	// Heartbeat returns what this learner wants to tell the leader with its
	// next answer to a ping; nil for nothing. (ZooKeeper's touch table.)
	Heartbeat() []byte
	// HeartbeatFrom is called on the leader with what a learner told.
	HeartbeatFrom(from ensemble.ServerID, payload []byte)
	// Answer is called on the leader with a question from a server, possibly
	// itself, and returns the answer. (ZooKeeper's REVALIDATE.) The goroutine that
	// calls Prepare calls it, in the order in which requests and questions came:
	// so no question overtakes a request that came by the same link.
	Answer(from ensemble.ServerID, question []byte) []byte
}
