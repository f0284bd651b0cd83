package lf

import "sync/atomic"

// Handler is the work of one session.
type Handler interface {
	// Serve does what there is to do and returns; it must not wait for anything
	// slow, or it keeps a worker. It returns true when it stopped early, to let
	// others have a turn: the session is then lined up again at once. It is never
	// called twice at the same time.
	Serve() (again bool)
}

// The states of a session. Only the worker that serves it leaves running and
// again; anybody may go from idle to queued and from running to again.
const (
	idle    uint32 = iota // nothing to do
	queued                // ready, in the source
	running               // in a worker
	again                 // in a worker, and made ready meanwhile
)

// Session is a Handler's place in a pool. Get one from [Pool.Join]. It needs no
// farewell: a session that is never made ready again is garbage.
type Session struct {
	state   atomic.Uint32
	source  Source
	handler Handler
}

// Ready says that the session has something to do. It never blocks and may be
// called by any goroutine, also by the session's own Handler.
func (s *Session) Ready() {
	for {
		switch state := s.state.Load(); state {
		case idle:
			if s.state.CompareAndSwap(idle, queued) {
				s.source.Ready(s)
				return
			}
		case running:
			if s.state.CompareAndSwap(running, again) {
				return
			}
		default: // it will be served after this call anyway
			return
		}
	}
}

// serve runs the handler once. The caller took s out of its source.
func (s *Session) serve() {
	s.state.Store(running)
	if s.handler.Serve() || !s.state.CompareAndSwap(running, idle) {
		s.state.Store(queued)
		s.source.Ready(s)
	}
}
