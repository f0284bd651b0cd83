package transport

import (
	"context"
	"sync"

	"github.com/quorate/quorate/ensemble"
)

// mailbox holds the newest message for one peer and remembers the last one that
// was given to a SendWorker.
type mailbox struct {
	mu    sync.Mutex
	next  []byte        // nil: empty
	last  []byte        // nil: none yet
	ready chan struct{} // one slot: there is something to take
}

func newMailbox() *mailbox { return &mailbox{ready: make(chan struct{}, 1)} }

// put replaces the content and reports whether an older message was lost by it.
func (b *mailbox) put(message []byte) (dropped bool) {
	b.mu.Lock()
	dropped = b.next != nil
	b.next = message
	b.mu.Unlock()
	b.signal()
	return dropped
}

// take empties the mailbox. The message becomes the last one, before it is written.
func (b *mailbox) take() ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		return nil, false
	}
	b.last, b.next = b.next, nil
	return b.last, true
}

// again puts the last message back if no newer one waits, and reports whether it
// did: on a new connection the peer may not have read it from the old one.
func (b *mailbox) again() bool {
	b.mu.Lock()
	redo := b.next == nil && b.last != nil
	if redo {
		b.next = b.last
	}
	b.mu.Unlock()
	if redo {
		b.signal()
	}
	return redo
}

// pending reports whether a message waits.
func (b *mailbox) pending() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next != nil
}

func (b *mailbox) signal() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// letter is a message that has arrived.
type letter struct {
	from    ensemble.ServerID
	payload []byte
}

// inbox is the queue of what has arrived, from all peers. When it is full the
// oldest letter is lost.
type inbox struct {
	mu     sync.Mutex
	max    int
	queue  []letter
	ready  chan struct{} // one slot
	closed chan struct{}
}

func newInbox(max int) *inbox {
	return &inbox{max: max, ready: make(chan struct{}, 1), closed: make(chan struct{})}
}

func (b *inbox) put(l letter) (dropped bool) {
	b.mu.Lock()
	if len(b.queue) >= b.max {
		copy(b.queue, b.queue[1:])
		b.queue = b.queue[:len(b.queue)-1]
		dropped = true
	}
	b.queue = append(b.queue, l)
	b.mu.Unlock()
	b.signal()
	return dropped
}

func (b *inbox) pop() (l letter, ok bool) {
	b.mu.Lock()
	n := len(b.queue)
	if n > 0 {
		l = b.queue[0]
		copy(b.queue, b.queue[1:])
		b.queue[n-1] = letter{}
		b.queue = b.queue[:n-1]
	}
	b.mu.Unlock()
	if n > 1 {
		b.signal() // for another receiver
	}
	return l, n > 0
}

func (b *inbox) get(ctx context.Context) (letter, error) {
	for {
		if l, ok := b.pop(); ok {
			return l, nil
		}
		select {
		case <-b.ready:
		case <-ctx.Done():
			return letter{}, ctx.Err()
		case <-b.closed:
			if l, ok := b.pop(); ok {
				return l, nil
			}
			return letter{}, ErrClosed
		}
	}
}

func (b *inbox) signal() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}
