package server

import (
	"cmp"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/metric"
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
	now     func() time.Duration // cfg.Clock
	started time.Duration        // by now, when it was made
	born    time.Time            // by cfg.Time, at the same moment

	serving        atomic.Bool
	hasServed      atomic.Bool  // there was a role once
	readOnly       atomic.Bool  // serving without a quorum; changes with mu locked, as serving does when it ends
	lookingSince   atomic.Int64 // by now, when the server last lost its role; a time.Duration
	leading        atomic.Bool
	role           atomic.Pointer[zab.Role]
	zxid           atomic.Int64 // of the state; changes only with state locked
	inflight       atomic.Int64 // requests received and not answered
	outstandingMax atomic.Int64
	largeBytes     atomic.Int64 // of large requests, coming in or in work
	outputBytes    atomic.Int64 // waiting to be written, on the connections where it is much
	stats          serverStats
	metrics        *metric.Table // cfg.Metrics
	traceMask      atomic.Int64
	ledSince       atomic.Pointer[time.Duration] // nil unless leading
	digests        digestLog
	writtenBytes   nsSummary // of the goroutine that applies
	handshakes     handshakes
	complaints     complaints

	state    sync.RWMutex // read: look at the tree, prepare; write: apply a transaction
	tree     *znode.Tree
	preparer *znode.Preparer
	excesses excesses       // of Prepare
	epoch    ensemble.Epoch // of this server's leadership; 0 for none

	events   []znode.Event // of the transaction being applied; reused, as the next two
	hit      []*Conn       // connections that one event concerns
	notified []notified    // connections that heard of the transaction

	watchMu sync.Mutex
	watches *watch.Manager[*Conn]

	mu       sync.Mutex
	conns    map[*Conn]struct{}
	opened   uint64          // connections so far
	sessions map[int64]*Conn // connections that have, or ask for, a session
	perAddr  map[netip.Addr]int
	ids      session.Generator
	creating creations
	throttle *throttle

	digestMu sync.Mutex // of shownDigest; taken before all others
	digestOf int64      // the zxid whose state it was
	digestAt ensemble.Zxid
	digest   uint64

	trackMu  sync.Mutex
	tracker  *session.Tracker // on the leader, else nil
	unclosed []int64          // sessions whose closeSession has to be submitted again
	locals   *session.Tracker // sessions that only this server knows
	reaper   *reaper          // on the leader, else nil
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
		now:      cfg.Clock,
		born:     cfg.Time(),
		watches:  watch.New[*Conn](cfg.WatchesMax),
		conns:    map[*Conn]struct{}{},
		sessions: map[int64]*Conn{},
		perAddr:  map[netip.Addr]int{},
	}
	s.complaints = complaints{log: s.log, kinds: map[string]*complaint{}}
	s.started = s.now()
	s.lookingSince.Store(int64(s.started))
	s.locals = s.newTracker()
	s.throttle = newThrottle(cfg.ConnectionThrottle, s.started, uint64(s.born.UnixNano()))
	s.ids = session.NewGenerator(cfg.Self, s.born.UnixMilli())
	s.setTree(znode.NewTree())
	s.role.Store(&zab.Role{State: ensemble.Looking, Leader: ensemble.NoServer})
	s.outstandingMax.Store(int64(cfg.GlobalOutstandingLimit))
	s.stats.reset()
	s.traceMask.Store(traceMaskDefault)
	s.metrics = cfg.Metrics
	s.metrics.Source(s.gauges)
	return s
}

// notified is a connection with what is to be done for it.
type notified struct {
	c *Conn
	t todo
}

func (s *Server) newTracker() *session.Tracker { return session.NewTracker(s.cfg.TickTime) }

// Attach gives the server its quorum. It must come before the quorum's first
// RoleChanged and before Run.
func (s *Server) Attach(q Quorum) { s.quorum = q }

// timeOfDay translates a time of the server's clock, for people to read.
func (s *Server) timeOfDay(at time.Duration) time.Time { return s.born.Add(at - s.started) }

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

// sessionTable returns all sessions, and all owners of ephemerals, by id.
func (s *Server) sessionTable() (sessions, ephemerals []SessionReport) {
	s.state.RLock()
	defer s.state.RUnlock()
	for id, ms := range s.tree.Sessions() {
		sessions = append(sessions, SessionReport{ID: id, Timeout: time.Duration(ms) * time.Millisecond})
	}
	slices.SortFunc(sessions, func(a, b SessionReport) int { return cmp.Compare(a.ID, b.ID) })
	for _, id := range s.tree.EphemeralOwners() {
		ephemerals = append(ephemerals, SessionReport{ID: id, Paths: s.tree.Ephemerals(id)})
	}
	return sessions, ephemerals
}
