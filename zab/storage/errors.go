package storage

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

var (
	// ErrCompacted: the position asked for lies before the base of the log. A
	// learner there needs a snapshot.
	ErrCompacted = errors.New("the log no longer reaches back that far")
	// ErrUnknownPosition: the position is not part of this history.
	ErrUnknownPosition = errors.New("the position is not in this history")
	// ErrNotNext: a transaction does not follow the end of the log in zxid or chain.
	ErrNotNext = errors.New("the transaction does not continue the log")
	// ErrTooLarge: a transaction is larger than TxnBytesMax.
	ErrTooLarge = errors.New("the transaction is too large for the log")
	// ErrBelowSnapshot: a truncation would undo what a snapshot already contains.
	ErrBelowSnapshot = errors.New("the newest snapshot lies behind that position")
	// ErrNoSnapshot: there is no snapshot to open.
	ErrNoSnapshot = errors.New("there is no snapshot")
	// ErrDamaged is matched by every *Damage.
	ErrDamaged = errors.New("damaged data")
	// ErrLocked: another process, or another Store, uses the directory.
	ErrLocked = errors.New("in use by another process")
	// ErrClosed: the Store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrFailed is matched by what every call returns after a write or a sync
	// went wrong in a way that leaves the disk's content uncertain. The process
	// should end; the next Open finds out what is there.
	ErrFailed = errors.New("the store has failed and must be opened again")
)

// Damage says what on the disk cannot be right, and what to do about it.
type Damage struct {
	File   string
	Offset int64 // in bytes; -1 when it is about the whole file
	Reason string
	Remedy string
}

// Error implements error.
func (d *Damage) Error() string {
	at := ""
	if d.Offset >= 0 {
		at = fmt.Sprintf(" at offset %d", d.Offset)
	}
	s := d.File + at + ": " + d.Reason
	if d.Remedy != "" {
		s += "; " + d.Remedy
	}
	return s
}

// Is makes errors.Is(err, ErrDamaged) true.
func (d *Damage) Is(target error) bool { return target == ErrDamaged }

// failure is the error of a failed store.
type failure struct{ cause error }

func (f *failure) Error() string { return ErrFailed.Error() + ": " + f.cause.Error() }

func (f *failure) Unwrap() []error { return []error{ErrFailed, f.cause} }

// explain adds what to do to errors whose cause the user can remove.
func explain(step, name string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%s %s: the disk is full: free some space and start the server again: %w", step, name, err)
	}
	return fmt.Errorf("%s %s: %w", step, name, err)
}

func notNext(last zab.Position, t zab.Txn) error {
	if !t.Zxid.Follows(last.Zxid) {
		return fmt.Errorf("%w: zxid %s may not stand behind %s", ErrNotNext, t.Zxid, last.Zxid)
	}
	return fmt.Errorf("%w: zxid %s carries chain %#x, which is not the hash of this history (up to %s, chain %#x) and the transaction",
		ErrNotNext, t.Zxid, t.Chain, last.Zxid, last.Chain)
}

func unknown(z ensemble.Zxid, s zab.Shape) error {
	return fmt.Errorf("%w: %s is not in %s", ErrUnknownPosition, z, s)
}
