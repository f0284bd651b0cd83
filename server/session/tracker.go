package session

import "time"

// Tracker is the leader's table of the sessions that live, with the time at
// which each expires. Make one with NewTracker.
type Tracker struct {
	buckets *Buckets
	// closing is true between the decision that a session has expired and the
	// transaction that closes it. It stays in the table meanwhile, so that no
	// late touch revives it (ZOOKEEPER-1496).
	closing map[int64]bool
	// unborn are the sessions that have been proposed and not applied here.
	unborn map[int64]struct{}
}

// NewTracker returns an empty table whose sessions expire in steps of tick.
func NewTracker(tick time.Duration) *Tracker {
	return &Tracker{buckets: NewBuckets(tick), closing: map[int64]bool{}, unborn: map[int64]struct{}{}}
}

// Announce puts in a session that has been proposed. Until Add it lives, whatever
// time passes: other servers may have applied it before this one, and its clients
// may know of it.
func (t *Tracker) Announce(id int64) {
	if _, known := t.closing[id]; !known {
		t.unborn[id] = struct{}{}
	}
}

// Add puts in a session with a full timeout from now. One that is in the table
// is left as it is, unless it was only announced.
func (t *Tracker) Add(id int64, timeout, now time.Duration) {
	delete(t.unborn, id)
	if _, known := t.closing[id]; !known {
		t.closing[id] = false
		t.buckets.Touch(id, now, timeout)
	}
}

// Touch gives a session another timeout's time from now; the timeout is that of
// the connection it is touched by. It reports false for a session that is not
// in the table or is being closed.
func (t *Tracker) Touch(id int64, timeout, now time.Duration) bool {
	if _, unborn := t.unborn[id]; unborn {
		return true
	}
	closing, known := t.closing[id]
	if !known || closing {
		return false
	}
	t.buckets.Touch(id, now, timeout)
	return true
}

// Expire marks all sessions that are due at now as being closed and returns
// them, ascending.
func (t *Tracker) Expire(now time.Duration) []int64 {
	expired := t.buckets.Expire(now)
	for _, id := range expired {
		t.closing[id] = true
	}
	return expired
}

// Remove forgets a session, when the transaction that closes it has been applied.
func (t *Tracker) Remove(id int64) {
	t.buckets.Remove(id)
	delete(t.closing, id)
	delete(t.unborn, id)
}

// Due returns when a session will expire if it is not touched; false for one
// that is not there or is being closed.
func (t *Tracker) Due(id int64) (at time.Duration, ok bool) { return t.buckets.Due(id) }

// Has reports whether the session is in the table, also while it is being closed.
func (t *Tracker) Has(id int64) bool {
	_, known := t.closing[id]
	return known
}

// Len returns the number of sessions, those being closed included.
func (t *Tracker) Len() int { return len(t.closing) }

// List returns the sessions that live by the time at which they are due.
func (t *Tracker) List() []Set { return t.buckets.List() }
