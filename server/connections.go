package server

import (
	"cmp"
	"log/slog"
	"slices"
)

// connections returns all connections, the oldest first.
func (s *Server) connections() []*Conn {
	s.mu.Lock()
	all := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *Conn) int { return cmp.Compare(a.seq, b.seq) })
	return all
}

// forgetPaths is how many paths a closing connection's watches are taken from at a
// time: in less than a millisecond.
const forgetPaths = 1000

// forget takes a closing connection out of everything that could still send to
// it: the table of sessions and the watches. It may be called more than once.
func (s *Server) forget(c *Conn) {
	for more := true; more; { // there may be many: nobody shall wait for all of them
		s.watchMu.Lock()
		c.unwatched = true
		more = s.watches.RemoveSome(c, forgetPaths)
		s.watchMu.Unlock()
	}
	id, _ := c.identity()
	s.mu.Lock()
	if s.sessions[id] == c {
		delete(s.sessions, id)
	}
	s.mu.Unlock()
	c.takeTurn() // nobody serves it any more
}

// misbehaved writes into the log that the connection is being closed because of
// what the client did.
func (c *Conn) misbehaved(why string) {
	session, _ := c.identity()
	c.s.complain(slog.LevelWarn, "closing a connection", "remote", c.remote, "session", sessionID(session), "err", why)
}

// leave takes out a connection that is over.
func (s *Server) leave(c *Conn) {
	s.mu.Lock()
	delete(s.conns, c)
	addr := c.remote.Addr()
	if s.perAddr[addr]--; s.perAddr[addr] <= 0 {
		delete(s.perAddr, addr)
	}
	s.mu.Unlock()
	c.mu.Lock()
	id, reason, overflow := c.session, c.reason, c.overflow
	c.mu.Unlock()
	if overflow {
		s.complain(slog.LevelWarn, "closed a connection whose client did not read", "remote", c.remote, "session", sessionID(id),
			"limit", s.cfg.OutputBytesMax)
	}
	s.log.Debug("connection closed", "remote", c.remote, "session", sessionID(id), "reason", reason)
	if s.cfg.Trace.Closed != nil {
		s.cfg.Trace.Closed(c.remote, id, reason)
	}
}
