package server

import (
	"context"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/jute"
	"github.com/quorate/quorate/server/proto"
)

// housekeeping wakes at every half tick: it closes idle connections and, on the
// leader, expires sessions.
func (s *Server) housekeeping(ctx context.Context) {
	period := min(max(s.cfg.TickTime/2, housekeepingMin), time.Second)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := s.now()
		s.closeIdle(now)
		if s.serving.Load() {
			s.limitOutstanding()
		}
		if s.leading.Load() {
			for _, t := range s.touched() {
				s.touch(t)
			}
			s.expire(now)
		}
		timer.Reset(period - s.now()%period)
	}
}

// closeIdle closes connections whose clients have been silent for longer than
// their sessions last, or have no session yet.
func (s *Server) closeIdle(now time.Duration) {
	for _, c := range s.connections() {
		p, _ := c.state()
		_, timeout := c.identity()
		switch {
		case p <= phaseDeciding && now-c.since > s.cfg.HandshakeTimeout:
			c.abort("no session within the handshake timeout")
		case p == phaseOpen && now-time.Duration(c.heard.Load()) > timeout:
			c.abort("silent for longer than its session timeout")
		}
	}
}

// touchEntry says that a session was heard of.
type touchEntry struct {
	id      int64
	timeout time.Duration
}

// touched returns the sessions of this server that were heard of since the last
// call.
func (s *Server) touched() []touchEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []touchEntry
	for id, c := range s.sessions {
		heard := time.Duration(c.heard.Load())
		if heard == c.shipped || len(out) == heartbeatSessions {
			continue
		}
		c.shipped = heard
		_, timeout := c.identity()
		out = append(out, touchEntry{id, timeout})
	}
	return out
}

// touch gives a session another timeout's time. It reports false if this server
// does not lead, or the session is not there or is being closed.
func (s *Server) touch(t touchEntry) bool {
	s.trackMu.Lock()
	defer s.trackMu.Unlock()
	return s.tracker != nil && s.tracker.Touch(t.id, t.timeout, s.now())
}

// expire closes the sessions that are due.
func (s *Server) expire(now time.Duration) {
	s.trackMu.Lock()
	var due, retry []int64
	if s.tracker != nil {
		due = s.tracker.Expire(now)
		retry, s.unclosed = s.unclosed, nil
	}
	s.trackMu.Unlock()
	for _, id := range due {
		s.log.Info("session expired", "session", sessionID(id))
		if s.cfg.Trace.Expired != nil {
			s.cfg.Trace.Expired(id)
		}
		s.closeSession(id)
	}
	for _, id := range retry {
		s.closeSession(id)
	}
}

// closeSession submits the transaction that ends a session, on the leader. If
// that fails and the server still leads it is tried again at the next tick.
func (s *Server) closeSession(id int64) {
	req := appendRequest(id, 0, proto.OpCloseSession, encodeIDs(nil), nil)
	s.quorum.Submit(req, func(_ any, err error) {
		if err == nil {
			return
		}
		s.trackMu.Lock()
		if s.tracker != nil {
			s.unclosed = append(s.unclosed, id)
		}
		s.trackMu.Unlock()
	})
}

// What servers tell one another beside transactions, in jute:
//
//	heartbeat    int n, n times { long session, int timeout in ms }
//	question     byte 1 (revalidate), long session, int timeout in ms
//	answer       byte 1, boolean: the session lives and is the asker's now
const questionRevalidate = 1

// touchEntryBytes is the length of one entry of a heartbeat.
const touchEntryBytes = 12

// Heartbeat implements zab.Conversation: the sessions heard of since the last
// one (ZooKeeper's touch table).
func (s *Server) Heartbeat() []byte {
	touched := s.touched()
	if len(touched) == 0 {
		return nil
	}
	e := jute.NewEncoder(make([]byte, 0, 4+touchEntryBytes*len(touched)))
	e.Vector(len(touched))
	for _, t := range touched {
		e.Long(t.id)
		e.Int(int32(t.timeout.Milliseconds()))
	}
	return e.Bytes()
}

// HeartbeatFrom implements zab.Conversation.
func (s *Server) HeartbeatFrom(from ensemble.ServerID, payload []byte) {
	d := jute.NewDecoder(payload)
	for range max(d.Vector(touchEntryBytes), 0) {
		t := touchEntry{d.Long(), time.Duration(d.Int()) * time.Millisecond}
		if d.Err() == nil && t.timeout > 0 {
			s.touch(t)
		}
	}
	if err := d.Err(); err != nil {
		s.log.Warn("a learner's heartbeat is damaged", "peer", from, "err", err)
	}
}

func askRevalidate(id int64, timeout time.Duration) []byte {
	e := jute.NewEncoder(nil)
	e.Byte(questionRevalidate)
	e.Long(id)
	e.Int(int32(timeout.Milliseconds()))
	return e.Bytes()
}

// readRevalidated reads the answer to askRevalidate. known is false for one that
// says nothing.
func readRevalidated(answer []byte) (valid, known bool) {
	d := jute.NewDecoder(answer)
	kind := d.Byte()
	valid = d.Bool()
	return valid, d.Err() == nil && kind == questionRevalidate
}

// Answer implements zab.Conversation. It answers nothing, nil, when this server
// does not lead or does not understand: the asker must not take that for the end
// of a session.
func (s *Server) Answer(from ensemble.ServerID, question []byte) []byte {
	d := jute.NewDecoder(question)
	kind := d.Byte()
	t := touchEntry{d.Long(), time.Duration(d.Int()) * time.Millisecond}
	if err := d.Err(); err != nil || kind != questionRevalidate {
		s.log.Warn("a server asks what this one does not understand", "peer", from, "kind", kind, "err", err)
		return nil
	}
	// With the state locked for writing no request is being prepared: what the
	// session's former server sent is prepared either before, or refused.
	s.state.Lock()
	defer s.state.Unlock()
	if s.epoch == 0 || !s.tracking() {
		return nil
	}
	valid := s.touch(t) && s.preparer.SetOwner(t.id, from)
	e := jute.NewEncoder(nil)
	e.Byte(questionRevalidate)
	e.Bool(valid)
	return e.Bytes()
}

func (s *Server) tracking() bool {
	s.trackMu.Lock()
	defer s.trackMu.Unlock()
	return s.tracker != nil
}
