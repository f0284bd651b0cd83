package session

import (
	"maps"
	"slices"
	"time"
)

// Buckets keep sessions by the tick in which they are due. A session touched at
// now with a timeout is due at ((now+timeout)/tick + 1) * tick, integer division:
// between timeout and timeout plus one tick later (ZooKeeper's ExpiryQueue).
// Make one with NewBuckets.
type Buckets struct {
	tick    time.Duration
	due     map[int64]int64              // session to its bucket: a number of ticks
	buckets map[int64]map[int64]struct{} // bucket to its sessions
	next    int64                        // first bucket that has not expired
}

// NewBuckets returns empty buckets of that width, which must be positive.
func NewBuckets(tick time.Duration) *Buckets {
	if tick <= 0 {
		panic("session: NewBuckets: the tick must be positive")
	}
	return &Buckets{tick: tick, due: map[int64]int64{}, buckets: map[int64]map[int64]struct{}{}}
}

// Touch puts a session, new or known, where it is due after timeout from now.
func (b *Buckets) Touch(id int64, now, timeout time.Duration) {
	bucket := max(int64((now+timeout)/b.tick)+1, b.next)
	old, known := b.due[id]
	if known {
		if old == bucket {
			return
		}
		b.take(id, old)
	}
	b.due[id] = bucket
	set := b.buckets[bucket]
	if set == nil {
		set = map[int64]struct{}{}
		b.buckets[bucket] = set
	}
	set[id] = struct{}{}
}

// Remove forgets a session; an unknown one is no error.
func (b *Buckets) Remove(id int64) {
	if bucket, known := b.due[id]; known {
		delete(b.due, id)
		b.take(id, bucket)
	}
}

func (b *Buckets) take(id, bucket int64) {
	set := b.buckets[bucket]
	delete(set, id)
	if len(set) == 0 {
		delete(b.buckets, bucket)
	}
}

// Expire takes out all sessions that are due at now and returns them, ascending.
func (b *Buckets) Expire(now time.Duration) []int64 {
	last := int64(now / b.tick)
	if last < b.next {
		return nil
	}
	b.next = last + 1
	var expired []int64
	for bucket, set := range b.buckets {
		if bucket <= last {
			expired = slices.AppendSeq(expired, maps.Keys(set))
			delete(b.buckets, bucket)
		}
	}
	for _, id := range expired {
		delete(b.due, id)
	}
	slices.Sort(expired)
	return expired
}

// Due returns when a session will expire if it is not touched.
func (b *Buckets) Due(id int64) (at time.Duration, known bool) {
	bucket, known := b.due[id]
	return time.Duration(bucket) * b.tick, known
}

// Set is a bucket with what is in it.
type Set struct {
	At       time.Duration // when it is due
	Sessions []int64       // ascending
}

// List returns the buckets that hold a session, what is due first first.
func (b *Buckets) List() []Set {
	list := make([]Set, 0, len(b.buckets))
	for _, bucket := range slices.Sorted(maps.Keys(b.buckets)) {
		list = append(list, Set{time.Duration(bucket) * b.tick, slices.Sorted(maps.Keys(b.buckets[bucket]))})
	}
	return list
}

// Len returns the number of sessions.
func (b *Buckets) Len() int { return len(b.due) }

// Sets returns the number of buckets that hold a session.
func (b *Buckets) Sets() int { return len(b.buckets) }
