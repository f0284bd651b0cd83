package server

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/watch"
	"github.com/quorate/quorate/server/znode"
	"github.com/quorate/quorate/zab"
)

// Apply implements zab.StateMachine. For a transaction that this server asked
// for it returns a *znode.Result, else nil.
func (s *Server) Apply(txn zab.Txn) any {
	h, rec, err := proto.DecodeTxn(txn.Data)
	if err != nil || ensemble.Zxid(h.Zxid) != txn.Zxid {
		panic(fmt.Sprintf("server: transaction %s (epoch %d) cannot be applied: its header says 0x%x; %v",
			txn.Zxid, txn.Zxid.Epoch(), uint64(h.Zxid), err))
	}
	var res znode.Result
	s.state.Lock()
	if mutant.On(mutant.M29) {
		s.fire(s.zxid.Load()) // the events of the transaction before
	}
	res, s.events = s.tree.Apply(h, rec, s.events[:0])
	if s.leading.Load() {
		s.preparer.Applied()
	}
	gone := s.ephemeralsGone(&h)
	if !mutant.On(mutant.M29) {
		s.fire(h.Zxid)
	}
	s.zxid.Store(h.Zxid)
	s.state.Unlock()
	for _, n := range s.notified {
		n.c.after(n.t)
	}
	clear(s.notified)
	if res.Err == proto.OK {
		s.sessionChanged(&res)
	}
	s.measureTxn(txn, &h, rec)
	s.auditEphemerals(&h, gone)
	if s.cfg.Trace.Applied != nil {
		s.cfg.Trace.Applied(txn.Zxid, h.Session, int32(res.Op), int32(res.Err))
	}
	if txn.Origin.Server != s.cfg.Self {
		return nil
	}
	return &res
}

// fire queues the events of the transaction just applied on the connections that
// wait for them, and remembers those for which something remains to be done. The
// state is locked for writing: so no reply can come between the change and its
// events.
func (s *Server) fire(zxid int64) {
	s.notified = s.notified[:0]
	if s.cfg.OldEvents {
		zxid = -1
	}
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	for _, e := range s.events {
		s.hit = s.watches.Trigger(s.hit[:0], e.Type, e.Path)
		if len(s.hit) > 0 {
			s.watchesFired(e.Type).Observe(int64(len(s.hit)))
		}
		var frame []byte
		for _, c := range s.hit {
			if frame == nil {
				frame = proto.AppendEvent(nil, zxid, e.Type, e.Path)
			}
			if t := c.send(frame, e.ACL); t != 0 {
				s.notified = append(s.notified, notified{c, t})
			}
		}
		clear(s.hit)
	}
	clear(s.events)
}

// sessionChanged does what the beginning or end of a session brings about
// outside of the tree.
func (s *Server) sessionChanged(res *znode.Result) {
	switch res.Op {
	case proto.OpCreateSession:
		timeout := time.Duration(res.TimeoutMillis) * time.Millisecond
		s.trackMu.Lock()
		tracks := s.tracker != nil
		if tracks {
			s.tracker.Add(res.Session, timeout, s.sessionTime())
		}
		s.trackMu.Unlock()
		if tracks {
			s.traceTouched(res.Session, timeout)
		}
	case proto.OpCloseSession:
		s.trackMu.Lock()
		if s.tracker != nil {
			s.tracker.Remove(res.Session)
		}
		s.trackMu.Unlock()
		s.mu.Lock()
		c := s.sessions[res.Session]
		s.mu.Unlock()
		if c != nil {
			c.sessionEnds()
		}
	}
}

const sessionOver = "session closed or expired"

// sessionEnds closes the connection of a session that is over. A client that has
// asked for the end itself gets its answer first, and so does one that has come
// back for the session and does not know yet that it is too late.
func (c *Conn) sessionEnds() {
	c.mu.Lock()
	c.tooLate = c.phase == phaseDeciding
	stays := c.tooLate || c.closeSent
	c.mu.Unlock()
	if !stays {
		c.finish(sessionOver)
	}
}

// isTooLate reports whether the session that the client asks for has ended since.
func (c *Conn) isTooLate() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tooLate
}

// Snapshot implements zab.StateMachine.
func (s *Server) Snapshot() (zab.Snapshot, error) { return s.capture(), nil }

func (s *Server) capture() *znode.Snapshot {
	s.state.Lock()
	defer s.state.Unlock()
	return s.tree.Snapshot()
}

// Restore implements zab.StateMachine.
func (s *Server) Restore(r io.Reader) error {
	t := znode.NewTree()
	t.SetEmulate353(s.cfg.Emulate353TTLNodes)
	if err := t.Restore(r); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	s.setTree(t)
	return nil
}

// setTree makes t the state. All watches are dropped: what has changed under
// them is not known. (No client is connected while that happens.)
func (s *Server) setTree(t *znode.Tree) {
	s.endReadOnly("the state is replaced")
	s.state.Lock()
	defer s.state.Unlock()
	s.tree = t
	s.preparer = s.newPreparer(t)
	s.zxid.Store(int64(t.Zxid()))
	s.watchMu.Lock()
	s.watches = watch.New[*Conn](s.cfg.WatchesMax)
	s.watchMu.Unlock()
}

// TreeDigest returns a hash of the whole state, sessions included, and the zxid
// of the last transaction in it. Servers with the same history have the same.
// It reads every node, without holding up anything else meanwhile.
func (s *Server) TreeDigest() (ensemble.Zxid, uint64) {
	s.state.Lock()
	at, snap := s.tree.Zxid(), s.tree.Snapshot()
	s.state.Unlock()
	defer snap.Release()
	d := xxhash.New()
	_, _ = snap.WriteTo(d) // a hash does not fail
	return at, d.Sum64()
}

// shownDigest is TreeDigest for operators, and for whoever else asks: of one state
// it is made once, and one at a time.
func (s *Server) shownDigest() (ensemble.Zxid, uint64) {
	s.digestMu.Lock()
	defer s.digestMu.Unlock()
	if now := s.zxid.Load(); s.digestOf != now || s.digestOf == 0 {
		s.digestAt, s.digest = s.TreeDigest()
		s.digestOf = now // or older, and then it is made again
	}
	return s.digestAt, s.digest
}

// Prepare implements zab.Preparer.
func (s *Server) Prepare(z ensemble.Zxid, origin zab.Origin, request []byte) []byte {
	var req proto.Request
	h := proto.TxnHeader{Zxid: int64(z), Time: s.cfg.Time().UnixMilli(), Type: proto.OpError}
	if err := proto.Unmarshal(request, &req); err != nil {
		s.log.Error("a server sent a request that is none", "from", origin.Server, "err", err)
		return proto.AppendTxn(nil, h, &proto.ErrorTxn{Err: proto.ErrMarshalling})
	}
	h, rec := s.prepare(z, h.Time, origin.Server, &req)
	s.tellExcesses()
	return proto.AppendTxn(make([]byte, 0, len(request)+proto.TxnHeaderBytes), h, rec)
}

// prepare is Prepare for a request that could be read.
func (s *Server) prepare(z ensemble.Zxid, nowMillis int64, origin ensemble.ServerID, req *proto.Request) (proto.TxnHeader, proto.Record) {
	s.state.RLock()
	defer s.state.RUnlock()
	if s.epoch != z.Epoch() {
		// A leadership that is over: this will not be committed, and must not
		// leave a trace in the preparer.
		h := proto.TxnHeader{Session: req.Session, Cxid: req.Cxid, Zxid: int64(z), Time: nowMillis, Type: proto.OpError}
		return h, &proto.ErrorTxn{Err: proto.ErrSystem}
	}
	s.metrics.Prepared.Inc()
	h, rec := s.preparer.Prepare(z, nowMillis, origin, req)
	if _, ok := rec.(*proto.CreateSessionTxn); ok {
		// From here on, and not from its Apply: a follower may apply the session
		// before we do, lose its client, and have another server ask us about it.
		s.trackMu.Lock()
		if s.tracker != nil {
			s.tracker.Announce(h.Session)
		}
		s.trackMu.Unlock()
	}
	return h, rec
}

// ResetPrepared implements zab.Preparer.
func (s *Server) ResetPrepared() {
	s.state.Lock()
	defer s.state.Unlock()
	s.preparer.Reset()
}

// RoleChanged implements zab.RoleObserver.
func (s *Server) RoleChanged(role zab.Role) {
	s.role.Store(&role)
	if role.State == ensemble.Looking {
		s.stopServing()
		return
	}
	s.endReadOnly("a quorum was found")
	view := s.quorum.View()
	text := ""
	if len(view.Members()) > 1 {
		text = view.String()
	}
	leading := role.State == ensemble.Leading
	s.state.Lock()
	s.preparer.Reset()
	s.epoch = 0
	if leading {
		s.epoch = role.Epoch
	}
	s.leading.Store(leading)
	s.ledSince.Store(nil)
	if now := s.now(); leading {
		s.ledSince.Store(&now)
	}
	// A server that was never more than alone leaves the node as it is on a fresh
	// one, version 0, as ZooKeeper does.
	if config, _ := s.tree.Node(znode.ConfigPath); text != "" || len(config.Data()) > 0 {
		s.tree.SetConfig(text, view.Version())
	}
	s.zxid.Store(max(s.zxid.Load(), int64(ensemble.NewZxid(role.Epoch, 0))))
	s.state.Unlock()
	s.limitOutstanding()
	s.mu.Lock()
	s.ids.Advance(s.cfg.Self, s.cfg.Time().UnixMilli())
	s.mu.Unlock()
	if leading {
		s.track()
	}
	s.hasServed.Store(true)
	s.serving.Store(true)
	s.log.Info("serving clients", "state", role.State, "epoch", role.Epoch, "zxid", ensemble.Zxid(s.zxid.Load()))
}

// stopServing closes the connections of all sessions and forgets everything that
// belonged to the role.
func (s *Server) stopServing() {
	s.mu.Lock()
	s.lookingSince.Store(int64(s.now()))
	s.serving.Store(false)
	s.readOnly.Store(false)
	s.mu.Unlock()
	s.state.Lock()
	s.preparer.Reset()
	s.epoch = 0
	s.leading.Store(false)
	s.ledSince.Store(nil)
	s.state.Unlock()
	s.trackMu.Lock()
	s.tracker, s.unclosed, s.reaper = nil, nil, nil
	s.trackMu.Unlock()
	s.log.Info("not serving clients", "closed", s.closeSessions("the server is not part of a quorum any more"))
}

// closeSessions closes all connections that have a session or ask for one, and
// returns how many.
func (s *Server) closeSessions(why string) (closed int) {
	for _, c := range s.connections() {
		if p, _ := c.state(); p == phaseDeciding || p == phaseOpen {
			c.finish(why)
			closed++
		}
	}
	return closed
}

// limitOutstanding sets the limit of requests in work from the number of voters.
func (s *Server) limitOutstanding() {
	limit := s.cfg.GlobalOutstandingLimit
	if voters := len(s.quorum.View().Voters()); voters > 2 {
		limit = max(limit/(voters-1), 1)
	}
	s.outstandingMax.Store(int64(limit))
}

// track begins a leadership's table of sessions: all that exist, with a full
// fresh timeout. Ephemerals without a session, which a foreign snapshot may
// have, get theirs closed.
func (s *Server) track() {
	s.state.RLock()
	sessions, owners := s.tree.Sessions(), s.tree.EphemeralOwners()
	s.state.RUnlock()
	now := s.sessionTime()
	tracker := s.newTracker()
	for _, id := range slices.Sorted(maps.Keys(sessions)) {
		timeout := time.Duration(sessions[id]) * time.Millisecond
		tracker.Add(id, timeout, now)
		s.traceTouched(id, timeout)
	}
	var orphans []int64
	for _, id := range owners {
		if _, ok := sessions[id]; !ok {
			orphans = append(orphans, id)
		}
	}
	s.trackMu.Lock()
	s.tracker, s.unclosed, s.reaper = tracker, orphans, s.newReaper()
	s.trackMu.Unlock()
}
