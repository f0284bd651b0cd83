package server

import (
	"log/slog"
	"time"

	"github.com/quorate/quorate/server/proto"
)

// A local session is known to one server only (spec client-protocol 4.6): it
// costs no transaction, cannot have ephemeral nodes and cannot move to another
// server. Its writes go to the quorum like all others, marked as local, so that
// the leader does not look for the session. What it sends is judged by what it is
// when its turn comes, not when it arrived (ZOOKEEPER-3471).

// localSession gives the connection a session of this server alone.
func (s *Server) localSession(c *Conn, in incoming, timeout time.Duration) {
	id := s.freshSessionID()
	s.trackMu.Lock()
	s.locals.Add(id, timeout, s.sessionTime())
	s.trackMu.Unlock()
	c.mu.Lock()
	c.local = true
	c.mu.Unlock()
	if _, ok := s.bind(c, id); !ok {
		s.dropLocal(id)
		c.unbound(in)
		return
	}
	s.connected(c, in, false)
}

// localAgain reports whether the session is a local one that lives here, and
// gives it another timeout's time if so.
func (s *Server) localAgain(c *Conn, id int64, timeout time.Duration) bool {
	s.trackMu.Lock()
	local := s.locals.Touch(id, timeout, s.sessionTime())
	s.trackMu.Unlock()
	if local {
		c.mu.Lock()
		c.local = true
		c.mu.Unlock()
	}
	return local
}

func (s *Server) dropLocal(id int64) {
	s.trackMu.Lock()
	s.locals.Remove(id)
	s.trackMu.Unlock()
}

// localSessions returns how many there are.
func (s *Server) localSessions() int {
	s.trackMu.Lock()
	defer s.trackMu.Unlock()
	return s.locals.Len()
}

// expireLocals closes the local sessions that were not heard of in time.
func (s *Server) expireLocals() {
	heard := s.heardOf(true)
	now := s.sessionTime()
	s.trackMu.Lock()
	for _, t := range heard {
		s.locals.Touch(t.id, t.timeout, now)
	}
	due := s.locals.Expire(now)
	for _, id := range due {
		s.locals.Remove(id)
	}
	s.trackMu.Unlock()
	for _, id := range due {
		s.complain(slog.LevelInfo, "local session expired", "session", sessionID(id))
		s.mu.Lock()
		c := s.sessions[id]
		s.mu.Unlock()
		if c != nil && c.isLocal() {
			c.finish("local session expired")
		}
	}
}

func (c *Conn) isLocal() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local
}

// closeLocal ends a local session at the client's wish. All that the client sent
// before has been answered.
func (c *Conn) closeLocal(in incoming, h proto.RequestHeader) {
	id, _ := c.identity()
	c.s.dropLocal(id)
	c.answer(in, proto.ReplyHeader{Xid: h.Xid, Zxid: c.s.zxid.Load()}, last, nil)
}

// upgrade makes the connection's local session a global one, in the order of its
// requests: whatever it sends to the quorum from now on comes behind the
// transaction that creates the session. It reports false if the session is another
// connection's by now, or over: this one is being closed then.
func (c *Conn) upgrade() bool {
	s := c.s
	if !s.unlocal(c) {
		c.finish("the local session is another connection's, or over")
		return false
	}
	c.mu.Lock()
	id, timeout, ids := c.session, c.timeout, c.idsBytes
	c.mu.Unlock()
	s.log.Debug("a local session becomes a global one", "session", sessionID(id), "remote", c.remote)
	s.submitCreateSession(id, timeout, ids, func(code proto.ErrCode, known bool) {
		if !known || code != proto.OK {
			c.finish("making the local session a global one: " + outcome(code, known))
		}
	})
	return true
}

// unlocal takes c's session out of the local ones, in one step with seeing that it
// is c's: whoever comes back to it afterwards finds that it is none.
func (s *Server) unlocal(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trackMu.Lock()
	defer s.trackMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.sessions[c.session] != c || !s.locals.Has(c.session) {
		return false
	}
	s.locals.Remove(c.session)
	c.local = false
	return true
}

// mustUpgrade reports whether a request of a local session creates an ephemeral
// node, alone or in a multi. Containers and nodes with a time to live are none.
func mustUpgrade(op proto.OpCode, body []byte) bool {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpMulti:
		rec, err := proto.DecodeRequest(op, body)
		return err == nil && proto.CreatesEphemeral(op, rec)
	}
	return false
}
