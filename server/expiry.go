package server

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/jute"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
)

// HousekeepingPeriod is how often Housekeep is to be called: every half tick,
// but not oftener than every 10 ms nor seldomer than every second. Run calls it
// when the clock shows a multiple of it.
func (s *Server) HousekeepingPeriod() time.Duration {
	return min(max(s.cfg.TickTime/2, housekeepingMin), time.Second)
}

// Housekeep does what has to be done from time to time: it closes connections
// that are idle or do not end, and on the leader it expires sessions and deletes
// containers and nodes with a time to live that nobody needs any more. Run calls
// it; who drives the server by hand does it instead. Not twice at a time.
func (s *Server) Housekeep() {
	now := s.now()
	s.closeIdle(now)
	s.complaints.sum(now)
	s.serveReadOnly(now)
	if s.serving.Load() {
		s.limitOutstanding()
	}
	s.expireLocals()
	if s.leading.Load() {
		for _, t := range s.heardOf(false) {
			s.touch(t)
		}
		s.expire(s.sessionTime())
		s.reap(now)
	}
}

// closeIdle closes connections whose clients have been silent for longer than
// their sessions last, have no session yet, or do not come to their end.
func (s *Server) closeIdle(now time.Duration) {
	for _, c := range s.connections() {
		if reason, yes := c.overdue(now); yes {
			if p, _ := c.state(); p <= phaseDeciding {
				s.metrics.SessionlessExpired.Inc()
			}
			if reason == noSession {
				c.misbehaved(reason)
			}
			c.Abort(reason)
		}
	}
}

// touchEntry says that a session was heard of.
type touchEntry struct {
	id      int64
	timeout time.Duration
}

// heardOf returns the global, or the local, sessions of this server that were
// heard of since the last call. If they are too many, those come first that have
// waited longest.
func (s *Server) heardOf(local bool) []touchEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var heard []*Conn
	for _, c := range s.sessions {
		if time.Duration(c.heard.Load()) != c.shipped && c.isLocal() == local {
			heard = append(heard, c)
		}
	}
	slices.SortFunc(heard, func(a, b *Conn) int {
		return cmp.Or(cmp.Compare(a.shipped, b.shipped), cmp.Compare(a.seq, b.seq))
	})
	out := make([]touchEntry, min(len(heard), heartbeatSessions))
	for i := range out {
		c := heard[i]
		c.shipped = time.Duration(c.heard.Load())
		out[i].id, out[i].timeout = c.identity()
	}
	return out
}

// sessionTime is the clock by which sessions expire: it never jumps.
func (s *Server) sessionTime() time.Duration {
	if mutant.On(mutant.M27) {
		return time.Duration(s.cfg.Time().UnixNano())
	}
	return s.now()
}

// touch gives a session another timeout's time. It reports false if this server
// does not lead, or the session is not there or is being closed.
func (s *Server) touch(t touchEntry) bool {
	s.trackMu.Lock()
	ok := s.tracker != nil && s.tracker.Touch(t.id, t.timeout, s.sessionTime())
	s.trackMu.Unlock()
	if ok {
		s.traceTouched(t.id, t.timeout)
	}
	return ok
}

func (s *Server) traceTouched(id int64, timeout time.Duration) {
	if s.cfg.Trace.Touched != nil {
		s.cfg.Trace.Touched(id, timeout)
	}
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
		s.metrics.SessionsExpired.Inc()
		s.complain(slog.LevelInfo, "session expired", "session", sessionID(id))
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
	req := appendRequest(id, 0, proto.OpCloseSession, false, encodeIDs(nil), nil)
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
	touched := s.heardOf(false)
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
	if from != s.cfg.Self {
		s.metrics.Revalidates.Inc()
	}
	// It is asked in the order of the requests (see zab.Conversation): what the
	// session's former server sent, or the same one for an earlier connection, is
	// prepared before, or refused.
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
