package wire

import "sync"

// Window pipelines requests over one connection, with a limit on how many are
// without a reply. It is for one goroutine.
type Window struct {
	conn *Conn
	free chan struct{}

	mu   sync.Mutex
	errs int
	err  error // the first
}

// NewWindow makes a window of size requests.
func NewWindow(conn *Conn, size int) *Window {
	w := &Window{conn: conn, free: make(chan struct{}, size)}
	for range size {
		w.free <- struct{}{}
	}
	return w
}

// Create pipelines a create whose body is CreateRequest.
func (w *Window) Create(body []byte, done func(Reply)) { w.send(opCreate, body, done) }

// Set pipelines a setData whose body is SetRequest.
func (w *Window) Set(body []byte, done func(Reply)) { w.send(opSetData, body, done) }

// Get pipelines a getData.
func (w *Window) Get(path string, done func(Reply)) { w.send(opGetData, readRequest(path), done) }

// send waits for room, and then writes. Requests gather in the connection's
// buffer until there is none: so they leave in few writes, and none waits
// while the server is idle.
func (w *Window) send(op int32, body []byte, done func(Reply)) {
	select {
	case <-w.free:
	default:
		w.conn.Flush()
		<-w.free
	}
	w.conn.Send(op, body, true, func(r Reply) {
		if r.Err != nil {
			w.mu.Lock()
			if w.errs++; w.err == nil {
				w.err = r.Err
			}
			w.mu.Unlock()
		}
		if done != nil {
			done(r)
		}
		w.free <- struct{}{}
	})
}

// Wait waits for all replies and returns how many were errors, and the first.
func (w *Window) Wait() (int, error) {
	w.conn.Flush()
	for range cap(w.free) {
		<-w.free
	}
	for range cap(w.free) {
		w.free <- struct{}{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.errs, w.err
}
