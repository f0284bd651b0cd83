package server

import (
	"errors"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// Quorum is the replication below a Server, as the server sees it. The callbacks
// must not be called while the quorum holds a lock that its methods need.
type Quorum interface {
	// Submit hands a request to the quorum; the quorum owns it from then on.
	// Requests of this server keep their order. done is called exactly once:
	// by the goroutine that calls Apply, right after the Apply of the resulting
	// transaction, with what Apply returned; or with an error when the outcome
	// is unknown (a change of role, a lost link). Submit may wait until others of
	// this server's requests are done, so done must not call it.
	Submit(request []byte, done func(result any, err error))
	// Sync calls done once this server has applied everything that was committed
	// when Sync was called, as confirmed by a quorum; like Submit's in the
	// goroutine that calls Apply, or with an error.
	Sync(done func(err error))
	// Ask sends a question to the Answer method of the leader's state machine.
	// done gets the answer or an error, in any goroutine.
	Ask(question []byte, done func(answer []byte, err error))
	// Status returns what the replication knows of itself.
	Status() zab.Status
	// View returns the membership in force.
	View() *ensemble.View
}

// Errors of this package.
var (
	// ErrNoQuorum says that Run was called before Attach.
	ErrNoQuorum = errors.New("server: Run called without a quorum; call Attach first")
	// ErrState says that a snapshot could not be read. The state is undefined
	// then.
	ErrState = errors.New("server: unreadable state")
)
