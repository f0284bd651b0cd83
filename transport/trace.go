package transport

import (
	"sync"
	"sync/atomic"

	"github.com/quorate/quorate/ensemble"
)

// eventsMax bounds the events that wait for a hook that is held up.
const eventsMax = 4096

// events calls hooks in the order in which they were added, though each is added
// with a lock held and called with none.
type events struct {
	mu        sync.Mutex
	queue     []func()
	closed    bool
	ready     chan struct{} // one slot
	forgotten atomic.Uint64
}

func newEvents() *events { return &events{ready: make(chan struct{}, 1)} }

// add queues a call; nil is no call.
func (e *events) add(call func()) {
	if call == nil {
		return
	}
	e.mu.Lock()
	if len(e.queue) >= eventsMax {
		e.queue = append(e.queue[:0], e.queue[1:]...)
		e.forgotten.Add(1)
	}
	e.queue = append(e.queue, call)
	e.mu.Unlock()
	e.signal()
}

// close lets run return once the queue is empty.
func (e *events) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.signal()
}

func (e *events) run() {
	for range e.ready {
		e.mu.Lock()
		batch, closed := e.queue, e.closed
		e.queue = nil
		e.mu.Unlock()
		for _, call := range batch {
			call()
		}
		if closed {
			return
		}
	}
}

func (e *events) signal() {
	select {
	case e.ready <- struct{}{}:
	default:
	}
}

func (t *Trace) connected(sid ensemble.ServerID) func() {
	if t == nil || t.Connected == nil {
		return nil
	}
	return func() { t.Connected(sid) }
}

func (t *Trace) disconnected(sid ensemble.ServerID, err error) func() {
	if t == nil || t.Disconnected == nil {
		return nil
	}
	return func() { t.Disconnected(sid, err) }
}

func (t *Trace) dialFailed(sid ensemble.ServerID, err error) func() {
	if t == nil || t.DialFailed == nil {
		return nil
	}
	return func() { t.DialFailed(sid, err) }
}

func (t *Trace) refused(remote string, err error) func() {
	if t == nil || t.Refused == nil {
		return nil
	}
	return func() { t.Refused(remote, err) }
}
