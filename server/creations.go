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

// created lets the next one begin.
func (s *Server) created() {
	for {
		var submit func() bool
		s.mu.Lock()
		w := &s.creating
		if len(w.waiting) > 0 {
			submit, w.waiting[0] = w.waiting[0].submit, creation{}
			w.waiting = w.waiting[1:]
		} else {
			w.active--
		}
		s.mu.Unlock()
		if submit == nil || submit() {
			return
		}
	}
}
