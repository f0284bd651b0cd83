package server

import "slices"

// When a server is lost its clients come to the others all at once, most to have
// their sessions back, some for new ones. A new session is a transaction, and
// whoever wants an old one waits behind all that were submitted before. So only
// some are submitted at a time, and the rest waits, in order.

// creationsMax is how many sessions are being created at a time: more than a batch
// of the log takes while the one before it is written, so that they cost nobody
// throughput, and few enough to wait for.
const creationsMax = 256

// creations are the new sessions under way and, behind them, those that wait: at
// most one for each connection. Server.mu guards them.
type creations struct {
	active  int
	waiting []creation
}

// creation is a session that waits to be created.
type creation struct {
	c      *Conn
	submit func() bool
}

// create calls submit for c, now or when its turn comes. submit reports whether it
// gave the quorum something to do; then created is to be called when that is done.
// A worker that serves c calls create, and it is a worker of c that calls submit.
func (s *Server) create(c *Conn, submit func() bool) {
	var gone []creation
	s.mu.Lock()
	wait := s.creating.active >= creationsMax
	if wait {
		gone = s.creating.line(creation{c, submit}, s.conns)
	} else {
		s.creating.active++
	}
	s.mu.Unlock()
	for _, one := range gone {
		one.submit() // does nothing for a client that is gone, but count its request as done
	}
	if !wait && !submit() {
		s.created()
	}
}

// line lets one more wait. Now and then it takes out and returns those whose
// clients are gone: while the quorum is slow there may come and go any number.
func (w *creations) line(next creation, open map[*Conn]struct{}) (gone []creation) {
	if len(w.waiting) > 2*len(open) {
		w.waiting = slices.DeleteFunc(w.waiting, func(one creation) bool {
			_, there := open[one.c]
			if !there {
				gone = append(gone, one)
			}
			return !there
		})
	}
	w.waiting = append(w.waiting, next)
	return gone
}

// created gives the turn to the next one. It may be called by the goroutine that
// applies, which must not submit anything: Submit may wait for what that goroutine
// has to do.
func (s *Server) created() {
	for {
		var next creation
		s.mu.Lock()
		w := &s.creating
		if len(w.waiting) > 0 {
			next, w.waiting[0] = w.waiting[0], creation{}
			w.waiting = w.waiting[1:]
		} else {
			w.active--
		}
		s.mu.Unlock()
		if next.c == nil || next.c.giveTurn(next.submit) {
			return
		}
		next.submit() // the client is gone: see above
	}
}

// giveTurn has a worker call submit. It reports false if the client is gone.
func (c *Conn) giveTurn(submit func() bool) bool {
	c.mu.Lock()
	there := c.phase == phaseDeciding
	if there {
		c.turn = submit
	}
	c.mu.Unlock()
	if there {
		c.wire.Ready()
	}
	return there
}

// takeTurn calls the submit of giveTurn, once, and reports whether there was one.
// It is called by the worker that serves the connection, and by forget.
func (c *Conn) takeTurn() bool {
	c.mu.Lock()
	submit := c.turn
	c.turn = nil
	c.mu.Unlock()
	if submit != nil && !submit() {
		c.s.created()
	}
	return submit != nil
}
