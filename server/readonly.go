package server

import (
	"time"

	"github.com/quorate/quorate/ensemble"
)

// A server without a quorum may serve reads, to clients that agree (spec
// client-protocol 4.7). It shows the state as it was when the quorum was lost: so
// only a server does it that has been in a quorum since it was started. Before that
// it knows what is in its log, and not how much of that was ever committed.
// Sessions made there are local ones; they end when the server finds a quorum,
// unless local sessions exist anyway.

// readOnlyAfter is how long a server looks for a quorum before it serves without
// one, at least.
const readOnlyAfter = 2 * time.Second

// serveReadOnly begins to serve without a quorum, if that is wanted and there has
// been none for long enough.
func (s *Server) serveReadOnly(now time.Duration) {
	if !s.cfg.ReadOnly || !s.hasServed.Load() || s.serving.Load() {
		return
	}
	s.mu.Lock() // as who ends it: a role that is found meanwhile is either seen here, or ends it
	looking := !s.serving.Load() && s.role.Load().State == ensemble.Looking &&
		now-time.Duration(s.lookingSince.Load()) >= max(readOnlyAfter, s.cfg.TickTime)
	if looking {
		s.readOnly.Store(true)
		s.serving.Store(true)
	}
	s.mu.Unlock()
	if looking {
		s.log.Warn("no quorum: serving reads to clients that asked for a read-only session", "zxid", ensemble.Zxid(s.zxid.Load()))
	}
}

// endReadOnly stops serving without a quorum: one was found, or the state is about
// to be replaced. All clients have to come again.
func (s *Server) endReadOnly(why string) {
	s.mu.Lock()
	was := s.readOnly.Swap(false)
	if was {
		s.serving.Store(false)
	}
	s.mu.Unlock()
	if !was {
		return
	}
	n := s.closeSessions(why)
	if !s.cfg.LocalSessions {
		s.trackMu.Lock()
		s.locals = s.newTracker()
		s.trackMu.Unlock()
	}
	s.log.Info("not serving read-only clients any more", "because", why, "closed", n)
}
