package lf

import (
	"context"
	"sync"
)

// Source is where the holder of a set's baton waits for the next ready session.
type Source interface {
	// Next waits until a session is ready and takes it out. Only the holder of
	// the set's baton calls it, so never two goroutines at once. It returns an
	// error when ctx ends.
	Next(ctx context.Context) (*Session, error)
	// Ready puts in a session that is not in. It never blocks and may be called
	// by any goroutine. A session is in a source at most once, so a source holds
	// no more than there are sessions.
	Ready(s *Session)
}

// Queue is the portable Source: first made ready, first served. The zero value
// is not usable; see NewQueue.
type Queue struct {
	mu   sync.Mutex
	ring []*Session // length a power of two
	head int        // index of the oldest
	n    int
	wake chan struct{} // one slot: something was put in
}

// NewQueue returns an empty queue.
func NewQueue() *Queue {
	return &Queue{ring: make([]*Session, 16), wake: make(chan struct{}, 1)}
}

// Ready implements Source.
func (q *Queue) Ready(s *Session) {
	q.mu.Lock()
	if q.n == len(q.ring) {
		grown := make([]*Session, 2*len(q.ring))
		k := copy(grown, q.ring[q.head:])
		copy(grown[k:], q.ring[:q.head])
		q.ring, q.head = grown, 0
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = s
	q.n++
	first := q.n == 1
	q.mu.Unlock()
	if first { // with more than one in it, the holder is on its way or woken
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// Next implements Source.
func (q *Queue) Next(ctx context.Context) (*Session, error) {
	for {
		if s := q.pop(); s != nil {
			return s, nil
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *Queue) pop() *Session {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return nil
	}
	s := q.ring[q.head]
	q.ring[q.head] = nil
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return s
}

// Len returns how many sessions are ready and not taken by a worker yet.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}
