package server

import (
	"log/slog"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/jute"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
	"github.com/quorate/quorate/server/znode"
)

// connect handles the first frame, a ConnectRequest, in the order of spec
// client-protocol 1.2.
func (c *Conn) connect(in incoming) {
	s := c.s
	var req proto.ConnectRequest
	s.metrics.ConnectionRequests.Inc()
	err := proto.Unmarshal(in.frame, &req)
	seen, here := ensemble.Zxid(req.LastZxidSeen), ensemble.Zxid(s.zxid.Load())
	refusal := ""
	switch {
	case err != nil:
		refusal = "ConnectRequest: " + err.Error()
		c.misbehaved(refusal)
	case !s.serving.Load():
		refusal = "not serving"
	case s.readOnly.Load() && !req.ReadOnly:
		refusal = "no quorum, and the client did not ask for a read-only session"
	case seen > here && !mutant.On(mutant.M32):
		// The client has seen a state that this server has not: let it find
		// another one, lest its time goes backwards.
		s.complain(slog.LevelInfo, "sending a client away that has seen a later state", "remote", c.remote, "seen", seen, "zxid", here)
		refusal = "the client has seen a later zxid"
	case !s.admit(req.SessionID):
		refusal = "connection throttle"
	}
	if refusal != "" {
		c.drop(in, 0)
		c.Abort(refusal)
		return
	}
	timeout := time.Duration(req.TimeoutMillis) * time.Millisecond
	timeout = min(max(timeout, s.cfg.MinSessionTimeout), s.cfg.MaxSessionTimeout)
	c.decide(timeout, req.HasReadOnly)
	switch {
	case req.SessionID != 0:
		s.oldSession(c, in, req.SessionID, req.Password)
	case s.cfg.LocalSessions || c.readOnly:
		s.localSession(c, in, timeout)
	default:
		s.newSession(c, in, timeout)
	}
}

// decide enters the phase in which nothing is answered until the session is
// settled.
func (c *Conn) decide(timeout time.Duration, hasReadOnly bool) {
	c.mu.Lock()
	if c.phase == phaseFresh {
		c.phase = phaseDeciding
	}
	c.timeout, c.hasRO, c.readOnly = timeout, hasReadOnly, c.s.readOnly.Load()
	c.mu.Unlock()
}

// bind makes c the connection of a session, so that the end of the session ends
// it, and returns the one that was. It reports false if c is closing already, or
// must, because the server has stopped to serve, or to serve as it did when the
// client came: who stops that closes the connections that are bound.
func (s *Server) bind(c *Conn, id int64) (old *Conn, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != phaseDeciding || !s.serving.Load() || c.readOnly != s.readOnly.Load() {
		return nil, false
	}
	old = s.sessions[id]
	if id != c.session && s.sessions[c.session] == c {
		delete(s.sessions, c.session)
	}
	c.session, c.tooLate = id, false
	s.sessions[id] = c
	return old, true
}

// unbound closes a connection that bind refused.
func (c *Conn) unbound(in incoming) {
	c.drop(in, 0)
	if p, _ := c.state(); p == phaseDeciding {
		c.finish("the server does not serve as it did any more")
	}
}

// freshSessionID returns an id that no session has, as far as this server knows.
func (s *Server) freshSessionID() int64 {
	s.state.RLock()
	defer s.state.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trackMu.Lock()
	defer s.trackMu.Unlock()
	return s.ids.Next(func(id int64) bool {
		_, inTree := s.tree.Session(id)
		return inTree || s.sessions[id] != nil || s.locals.Has(id)
	})
}

// sessionIDTries is how many ids are tried for a session.
const sessionIDTries = 8

// newSession asks the quorum for a session, in its turn.
func (s *Server) newSession(c *Conn, in incoming, timeout time.Duration) {
	s.create(c, func() bool { return s.tryNewSession(c, in, timeout, sessionIDTries) })
}

// tryNewSession asks the quorum for a session. It reports false if it did not,
// because the client is gone.
func (s *Server) tryNewSession(c *Conn, in incoming, timeout time.Duration, tries int) bool {
	id := s.freshSessionID()
	if _, ok := s.bind(c, id); !ok {
		c.unbound(in)
		return false
	}
	s.submitCreateSession(id, timeout, c.idsBytes, func(code proto.ErrCode, known bool) {
		if known && code == proto.ErrBadArguments && tries > 1 { // the id is taken after all
			if !c.giveTurn(func() bool { return s.tryNewSession(c, in, timeout, tries-1) }) {
				c.drop(in, 0)
				s.created()
			}
			return
		}
		if known && code == proto.OK {
			s.connected(c, in, false)
		} else {
			c.drop(in, 0)
			c.finish("creating a session: " + outcome(code, known))
		}
		s.created()
	})
	return true
}

// submitCreateSession hands the quorum the transaction that begins a session.
// done hears its code, or that what became of it is not known.
func (s *Server) submitCreateSession(id int64, timeout time.Duration, ids []byte, done func(code proto.ErrCode, known bool)) {
	body := proto.Marshal(&proto.CreateSessionTxn{TimeoutMillis: int32(timeout.Milliseconds())})
	req := appendRequest(id, 0, proto.OpCreateSession, false, ids, body)
	s.quorum.Submit(req, func(result any, err error) {
		if res, _ := result.(*znode.Result); err == nil && res != nil {
			done(res.Err, true)
			return
		}
		done(0, false)
	})
}

// outcome says in a log what became of a request.
func outcome(code proto.ErrCode, known bool) string {
	if !known {
		return "outcome unknown"
	}
	return code.Error()
}

// oldSession asks the leader whether the client may have its session back.
func (s *Server) oldSession(c *Conn, in incoming, id int64, passwd []byte) {
	s.metrics.ConnectionRevalidates.Inc()
	// The password comes first: who does not know it must not be able to
	// disconnect the one who does.
	if !session.Verify(s.cfg.Secret, id, passwd) {
		s.complain(slog.LevelWarn, "refusing a client: wrong password for the session", "remote", c.remote, "session", sessionID(id))
		s.refuse(c, in, id)
		return
	}
	old, ok := s.bind(c, id)
	if !ok {
		c.unbound(in)
		return
	}
	if old != nil && old != c {
		old.finish("client reconnected")
	}
	_, timeout := c.identity()
	switch {
	case s.localAgain(c, id, timeout):
		s.connected(c, in, true)
	case c.readOnly:
		// A session of the quorum, which may live or be over: nobody here knows.
		c.drop(in, 0)
		c.Abort("no quorum to ask for the session")
	default:
		s.revalidate(c, in, id, false)
	}
}

// revalidate asks for the session. A leader that has been replaced and does not
// know it knows nothing of younger sessions: that one is over counts only if a
// quorum has confirmed the leader since the client came.
func (s *Server) revalidate(c *Conn, in incoming, id int64, confirmed bool) {
	_, timeout := c.identity()
	s.quorum.Ask(askRevalidate(id, timeout), func(answer []byte, err error) {
		valid, known := readRevalidated(answer)
		switch {
		case err != nil || !known:
			c.drop(in, 0)
			c.Abort("asking the leader for the session: no answer")
		case valid && !c.isTooLate():
			s.connected(c, in, true)
		case valid || confirmed:
			s.refuse(c, in, id)
		default:
			s.quorum.Sync(func(err error) {
				if err != nil {
					c.drop(in, 0)
					c.Abort("asking the leader for the session: no quorum")
					return
				}
				s.revalidate(c, in, id, true)
			})
		}
	})
}

// connected gives the client its session and lets its requests begin.
func (s *Server) connected(c *Conn, in incoming, renewed bool) {
	c.mu.Lock()
	id, timeout := c.session, c.timeout
	resp := &proto.ConnectResponse{TimeoutMillis: int32(timeout.Milliseconds()), SessionID: id,
		Password: session.Password(s.cfg.Secret, id), HasReadOnly: c.hasRO, ReadOnly: c.readOnly}
	c.stats.op = opCodes(proto.OpCreateSession)
	c.mu.Unlock()
	t := c.queue(in, proto.ReplyHeader{Zxid: s.zxid.Load()}, welcome, resp)
	c.after(t)
	if c.isTooLate() { // sessionEnds left it to us
		c.finish(sessionOver)
	}
	if t&todoOpened == 0 {
		return
	}
	s.log.Debug("client connected", "remote", c.remote, "session", sessionID(id), "timeout", timeout, "renewed", renewed)
	if s.cfg.Trace.Connected != nil {
		s.cfg.Trace.Connected(id, timeout, renewed)
	}
}

// refuse tells the client that the session it asked for is no more. Never is it
// given another one unasked: its ephemerals would be lost in silence.
func (s *Server) refuse(c *Conn, in incoming, id int64) {
	c.mu.Lock()
	resp := &proto.ConnectResponse{HasReadOnly: c.hasRO}
	c.mu.Unlock()
	if s.cfg.Trace.Refused != nil {
		s.cfg.Trace.Refused(id)
	}
	c.answer(in, proto.ReplyHeader{Err: proto.ErrSessionExpired}, welcome|last, resp)
}

// appendRequest encodes a proto.Request whose identities are encoded already.
func appendRequest(id int64, xid int32, op proto.OpCode, local bool, ids, body []byte) []byte {
	e := jute.NewEncoder(make([]byte, 0, 8+4+4+1+len(ids)+4+len(body)))
	e.Long(id)
	e.Int(xid)
	e.Int(int32(op))
	e.Bool(local)
	e.Raw(ids)
	e.Buffer(body)
	return e.Bytes()
}

// encodeIDs encodes identities as appendRequest wants them.
func encodeIDs(ids []proto.ID) []byte {
	e := jute.NewEncoder(nil)
	e.Vector(len(ids))
	for i := range ids {
		ids[i].Encode(e)
	}
	return e.Bytes()
}
