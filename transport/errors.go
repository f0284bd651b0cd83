package transport

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/ensemble"
)

// ErrClosed says that the Run which this call depends on has ended.
var ErrClosed = errors.New("transport: closed")

// ErrReplaced ends a connection whose peer has opened a newer one.
var ErrReplaced = errors.New("the peer opened a newer connection")

// ErrIdle ends a connection on which nothing was heard for the idle timeout.
var ErrIdle = errors.New("nothing heard for the idle timeout")

// ErrNoAddress says that no address is known for a sid, so it cannot be dialed.
var ErrNoAddress = errors.New("no election address is known for it")

// FrameError is a frame that breaks the rules. Its connection is closed.
type FrameError struct {
	Addr   string // of the peer
	Reason string // what is wrong with the frame
}

// Error names the peer and the reason.
func (e *FrameError) Error() string { return "bad frame from " + e.Addr + ": " + e.Reason }

// RefusedError is the dialer's view of a handshake that the acceptor refused.
type RefusedError struct {
	Addr   string            // that was dialed
	By     ensemble.ServerID // who refused
	Reason string            // the acceptor's sentence
}

// Error gives the acceptor's sentence.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("sid %d at %s refuses: %s", e.By, e.Addr, e.Reason)
}

// ZooKeeperError says that the peer speaks ZooKeeper's own wire protocol.
type ZooKeeperError struct{ Addr string }

// Error names the peer and what to do.
func (e *ZooKeeperError) Error() string {
	return e.Addr + " speaks Apache ZooKeeper's own server protocol; Quorate servers cannot join an ensemble of Java servers, check the addresses in the server.N lines"
}
