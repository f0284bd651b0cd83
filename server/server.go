package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/lf"
	"github.com/quorate/quorate/server/session"
	"github.com/quorate/quorate/server/watch"
	"github.com/quorate/quorate/server/znode"
	"github.com/quorate/quorate/zab"
)

// Server is ZooKeeper for clients on top of a quorum. It is that quorum's
// zab.StateMachine, and also its Preparer, RoleObserver and Conversation. Make
// one with New, hand it to the quorum, hand the quorum to Attach, then Run.
//
// Locks are taken in this order: state, watchMu, mu, trackMu, a connection's mu.
// None is held across I/O, a channel operation or a call to the quorum.
type Server struct {
	cfg     Config
	log     *slog.Logger
	quorum  Quorum
	started time.Time
	pool    *lf.Pool
	tasks   sync.WaitGroup // readers and flushes of connections

	serving        atomic.Bool
	leading        atomic.Bool
	role           atomic.Pointer[zab.Role]
	zxid           atomic.Int64 // of the state; changes only with state locked
	inflight       atomic.Int64 // requests received and not answered
	outstandingMax atomic.Int64
	stats          serverStats

	state    sync.RWMutex // read: look at the tree, prepare; write: apply a transaction
	tree     *znode.Tree
	preparer *znode.Preparer
	epoch    ensemble.Epoch // of this server's leadership; 0 for none
	events   []znode.Event  // of the transaction being applied; reused, as the next two
	hit      []*conn        // connections that one event concerns
	notified []notified     // connections that heard of the transaction

	watchMu sync.Mutex
	watches *watch.Manager[*conn]

	mu       sync.Mutex
	conns    map[*conn]struct{}
	sessions map[int64]*conn // connections that have, or ask for, a session
	perAddr  map[netip.Addr]int
	refusals refusals
	ids      session.Generator

	trackMu  sync.Mutex
	tracker  *session.Tracker // on the leader, else nil
	unclosed []int64          // sessions whose closeSession has to be submitted again
}

var (
	_ zab.StateMachine = (*Server)(nil)
	_ zab.Preparer     = (*Server)(nil)
	_ zab.RoleObserver = (*Server)(nil)
	_ zab.Conversation = (*Server)(nil)
)

// New makes a server with an empty tree. It panics if cfg.Validate fails; call
// that first for anything that a user wrote.
func New(cfg Config) *Server {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	cfg = cfg.withDefaults()
	s := &Server{
		cfg: cfg, log: cfg.Logger.With("sid", cfg.Self),
		started:  time.Now(),
		pool:     lf.New(lf.Config{Sets: cfg.Sets, Workers: cfg.Workers, Trace: &cfg.Trace.LF}),
		watches:  watch.New[*conn](cfg.WatchesMax),
		conns:    map[*conn]struct{}{},
		sessions: map[int64]*conn{},
		perAddr:  map[netip.Addr]int{},
		ids:      session.NewGenerator(cfg.Self, time.Now().UnixMilli()),
	}
	s.setTree(znode.NewTree())
	s.role.Store(&zab.Role{State: ensemble.Looking, Leader: ensemble.NoServer})
	s.outstandingMax.Store(int64(cfg.GlobalOutstandingLimit))
	s.stats.reset()
	return s
}

// notified is a connection with what is to be done for it.
type notified struct {
	c *conn
	t todo
}

// Attach gives the server its quorum. It must come before the quorum's first
// RoleChanged and before Run.
func (s *Server) Attach(q Quorum) { s.quorum = q }

// now is the server's clock: the time since it was made.
func (s *Server) now() time.Duration { return time.Since(s.started) }

// Run accepts and serves clients on ln until ctx ends or ln fails, and returns
// when all connections are closed: nil after the end of ctx. It closes ln. A
// server runs once.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	if s.quorum == nil {
		_ = ln.Close()
		return ErrNoQuorum
	}
	poolCtx, stopPool := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPool()
	accepting, stopAccepting := context.WithCancel(ctx)
	defer stopAccepting()

	var wg sync.WaitGroup
	var poolErr error
	wg.Go(func() {
		poolErr = s.pool.Run(poolCtx)
		stopAccepting()
	})
	wg.Go(func() { s.housekeeping(accepting) })
	unlisten := context.AfterFunc(accepting, func() { _ = ln.Close() })
	acceptErr := s.accept(accepting, ln)
	stopAccepting()
	if unlisten() {
		_ = ln.Close()
	}

	for _, c := range s.connections() {
		c.finish("server stops")
	}
	s.tasks.Wait()
	stopPool()
	wg.Wait()
	return errors.Join(acceptErr, poolErr)
}

// accept takes connections until ctx ends. Errors that pass, such as too many
// open files, are waited out.
func (s *Server) accept(ctx context.Context, ln net.Listener) error {
	pause := time.Duration(0)
	for {
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Error("cannot accept a client; trying again", "err", err, "in", pause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		pause = 0
		s.join(nc)
	}
}

// join takes in a new connection, or refuses it.
func (s *Server) join(nc net.Conn) {
	remote := remoteOf(nc)
	limit := s.cfg.MaxClientCnxns
	s.mu.Lock()
	n := s.perAddr[remote.Addr()]
	refused := limit > 0 && n >= limit
	var c *conn
	if !refused {
		s.perAddr[remote.Addr()] = n + 1
		c = newConn(s, nc, remote)
		s.conns[c] = struct{}{}
		s.tasks.Add(1)
	}
	s.mu.Unlock()
	if s.cfg.Trace.Accepted != nil {
		s.cfg.Trace.Accepted(remote, refused)
	}
	if refused {
		_ = nc.Close()
		s.refusals.note(s.log, remote, n, limit)
		return
	}
	go c.serve()
}

// remoteOf returns the other end's address; the zero one if it has none in IP.
func remoteOf(nc net.Conn) netip.AddrPort {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// refusals keeps clients that knock too often from filling the log.
type refusals struct {
	mu    sync.Mutex
	last  time.Time
	since int // refused and not logged
}

const refusalsEvery = 10 * time.Second

func (r *refusals) note(log *slog.Logger, remote netip.AddrPort, connections, limit int) {
	r.mu.Lock()
	now := time.Now()
	quiet := now.Sub(r.last) < refusalsEvery
	more := r.since
	if quiet {
		r.since++
	} else {
		r.last, r.since = now, 0
	}
	r.mu.Unlock()
	if !quiet {
		log.Warn("refusing a client: too many connections from its address; see maxClientCnxns",
			"remote", remote, "connections", connections, "limit", limit, "refusedBefore", more)
	}
}

// forget takes a closing connection out of everything that could still send to
// it: the table of sessions and the watches. It may be called more than once.
func (s *Server) forget(c *conn) {
	s.watchMu.Lock()
	if !c.unwatched {
		c.unwatched = true
		s.watches.RemoveWatcher(c)
	}
	s.watchMu.Unlock()
	id, _ := c.identity()
	s.mu.Lock()
	if s.sessions[id] == c {
		delete(s.sessions, id)
	}
	s.mu.Unlock()
}

// leave takes out a connection whose reader has ended.
func (s *Server) leave(c *conn) {
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
		s.log.Warn("closed a connection whose client did not read", "remote", c.remote, "session", sessionID(id),
			"limit", s.cfg.OutputBytesMax)
	}
	s.log.Debug("connection closed", "remote", c.remote, "session", sessionID(id), "reason", reason)
	if s.cfg.Trace.Closed != nil {
		s.cfg.Trace.Closed(c.remote, id, reason)
	}
}

// connections returns all connections, the oldest first.
func (s *Server) connections() []*conn {
	s.mu.Lock()
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *conn) int {
		return cmp.Or(cmp.Compare(a.since, b.since), a.remote.Compare(b.remote))
	})
	return all
}

// census is what the state amounts to.
type census struct {
	nodes, ephemerals, sessions, watches int
	dataBytes                            int64
}

func (s *Server) census() census {
	s.state.RLock()
	n := census{
		// ZooKeeper counts the root twice, and dashboards compare.
		nodes:      s.tree.NodeCount() + 1,
		ephemerals: s.tree.EphemeralCount(), sessions: s.tree.SessionCount(), dataBytes: s.tree.Bytes(),
	}
	s.state.RUnlock()
	s.watchMu.Lock()
	n.watches = s.watches.Watches()
	s.watchMu.Unlock()
	return n
}

// sessionEntry is a session in a dump.
type sessionEntry struct {
	id      int64
	timeout time.Duration
	paths   []string
}

// sessionTable returns all sessions, and all owners of ephemerals, by id.
func (s *Server) sessionTable() (sessions, ephemerals []sessionEntry) {
	s.state.RLock()
	defer s.state.RUnlock()
	for id, ms := range s.tree.Sessions() {
		sessions = append(sessions, sessionEntry{id: id, timeout: time.Duration(ms) * time.Millisecond})
	}
	slices.SortFunc(sessions, func(a, b sessionEntry) int { return cmp.Compare(a.id, b.id) })
	for _, id := range s.tree.EphemeralOwners() {
		ephemerals = append(ephemerals, sessionEntry{id: id, paths: s.tree.Ephemerals(id)})
	}
	return sessions, ephemerals
}
