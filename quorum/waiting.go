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
	// ErrTooLarge: the request has more than RequestBytesMax bytes. It has not
	// been sent.
	ErrTooLarge = errors.New("quorum: the request is too large")
	// ErrClosed: the node has been closed or has failed.
	ErrClosed = errors.New("quorum: closed")
)

// RequestBytesMax is how long a request may be. What a zab.Preparer makes of it
// may have four times that.
const RequestBytesMax = 8 << 20

// Credit of a server's own requests: so many may be on their way, and Submit
// waits. So nobody has to stop reading from a server that has too many.
const (
	creditBytes  = 2 * RequestBytesMax
	creditWrites = 20_000
)

// write is a request on its way.
type write struct {
	done  func(any, error)
	bytes int
}

// waiting holds what waits for an outcome, by tag, while a role lasts.
type waiting struct {
	mu      sync.Mutex
	serving bool
	over    bool
	writes  map[uint64]write
	bytes   int // of writes
	room    signal
	syncs   map[uint64]func(error)
	asks    map[uint64]func([]byte, error)
}

func newWaiting() *waiting {
	return &waiting{
		writes: map[uint64]write{},
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

// write registers a request, when there is credit for it; false means that the
// role is over, or has not begun.
func (w *waiting) write(tag uint64, bytes int, done func(any, error)) bool {
	for {
		room := w.room.wait()
		w.mu.Lock()
		if !w.serving {
			w.mu.Unlock()
			return false
		}
		if w.bytes+bytes <= creditBytes && len(w.writes) < creditWrites || len(w.writes) == 0 {
			w.writes[tag] = write{done, bytes}
			w.bytes += bytes
			w.mu.Unlock()
			return true
		}
		w.mu.Unlock()
		<-room // comes with a completion, or with the end of the role
	}
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
	x, ok := w.writes[tag]
	delete(w.writes, tag)
	w.bytes -= x.bytes
	w.mu.Unlock()
	if ok {
		w.room.notify()
		x.done(result, nil)
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
	w.room.notify()
}

// fail ends everything that waits.
func (w *waiting) fail(err error) {
	w.close()
	w.mu.Lock()
	writes, syncs, asks := w.writes, w.syncs, w.asks
	w.writes, w.syncs, w.asks = nil, nil, nil
	w.mu.Unlock()
	for _, x := range writes {
		x.done(nil, err)
	}
	for _, done := range syncs {
		done(err)
	}
	for _, done := range asks {
		done(nil, err)
	}
}
