package server

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
	waiting []func() bool
}

// create calls submit, now or when its turn comes. submit reports whether it gave
// the quorum something to do; then created is to be called when that is done.
func (s *Server) create(submit func() bool) {
	s.mu.Lock()
	wait := s.creating.active >= creationsMax
	if wait {
		s.creating.waiting = append(s.creating.waiting, submit)
	} else {
		s.creating.active++
	}
	s.mu.Unlock()
	if !wait && !submit() {
		s.created()
	}
}

// created lets the next one begin.
func (s *Server) created() {
	for {
		var submit func() bool
		s.mu.Lock()
		w := &s.creating
		if len(w.waiting) > 0 {
			submit, w.waiting[0] = w.waiting[0], nil
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
