package quorum

import (
	"errors"
	"sync"
)

// Errors that the outcome of a request may be.
var (
	// ErrNotServing: there is no established leader that this server knows. The
	// request has not been sent.
	ErrNotServing = errors.New("quorum: not serving: no established leader")
	// ErrOutcomeUnknown: the leader was lost while the request was on its way.
	// It may or may not take effect.
	ErrOutcomeUnknown = errors.New("quorum: the leader was lost; the outcome of the request is unknown")
	// ErrClosed: the node has been closed or has failed.
	ErrClosed = errors.New("quorum: closed")
)

// waiting holds what waits for an outcome, by tag, while a role lasts.
type waiting struct {
	mu      sync.Mutex
	serving bool
	over    bool
	writes  map[uint64]func(any, error)
	syncs   map[uint64]func(error)
	asks    map[uint64]func([]byte, error)
}

func newWaiting() *waiting {
	return &waiting{
		writes: map[uint64]func(any, error){},
		syncs:  map[uint64]func(error){},
		asks:   map[uint64]func([]byte, error){},
	}
}

// open lets requests in.
func (w *waiting) open() {
	w.mu.Lock()
	w.serving = !w.over
	w.mu.Unlock()
}

func (w *waiting) write(tag uint64, done func(any, error)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.serving {
		w.writes[tag] = done
	}
	return w.serving
}

func (w *waiting) sync(tag uint64, done func(error)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.serving {
		w.syncs[tag] = done
	}
	return w.serving
}

func (w *waiting) ask(tag uint64, done func([]byte, error)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.serving {
		w.asks[tag] = done
	}
	return w.serving
}

func (w *waiting) complete(tag uint64, result any) {
	w.mu.Lock()
	done := w.writes[tag]
	delete(w.writes, tag)
	w.mu.Unlock()
	if done != nil {
		done(result, nil)
	}
}

func (w *waiting) takeSync(tag uint64) func(error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := w.syncs[tag]
	delete(w.syncs, tag)
	return done
}

func (w *waiting) answer(tag uint64, data []byte) {
	w.mu.Lock()
	done := w.asks[tag]
	delete(w.asks, tag)
	w.mu.Unlock()
	if done != nil {
		done(data, nil)
	}
}

// close lets nothing more in; what is there waits for fail.
func (w *waiting) close() {
	w.mu.Lock()
	w.serving, w.over = false, true
	w.mu.Unlock()
}

// fail ends everything that waits.
func (w *waiting) fail(err error) {
	w.close()
	w.mu.Lock()
	writes, syncs, asks := w.writes, w.syncs, w.asks
	w.writes, w.syncs, w.asks = nil, nil, nil
	w.mu.Unlock()
	for _, done := range writes {
		done(nil, err)
	}
	for _, done := range syncs {
		done(err)
	}
	for _, done := range asks {
		done(nil, err)
	}
}
