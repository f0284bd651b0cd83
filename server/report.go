package server

import (
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/metric"
	"github.com/quorate/quorate/server/session"
	"github.com/quorate/quorate/server/watch"
)

// What operators are told, as data: the four-letter words and the admin server
// print the same.

// Metrics returns the table of what the server measures. The quorum beneath and
// the admin server record there too.
func (s *Server) Metrics() *metric.Table { return s.metrics }

// Now returns the time by the server's clock, which metric.Table.Gather wants.
func (s *Server) Now() time.Duration { return s.now() }

// Serving reports whether the server is part of a quorum, and so has a state that
// clients may see.
func (s *Server) Serving() bool { return s.serving.Load() }

// Mode returns the role in the word of srvr: standalone, leader, follower,
// observer or looking.
func (s *Server) Mode() string { return s.mode() }

// Quorum returns the replication below the server; nil before Attach.
func (s *Server) Quorum() Quorum { return s.quorum }

// ShownID returns the server's id as conf tells it: a server alone has 0, whatever
// its number, as in ZooKeeper.
func (s *Server) ShownID() ensemble.ServerID {
	if len(s.quorum.View().Members()) <= 1 {
		return 0
	}
	return s.cfg.Self
}

// DirBytes returns the size of the files of DataDir and of LogDir (Setup).
func (s *Server) DirBytes() (data, log int64) {
	return dirBytes(s.cfg.Setup.DataDir), dirBytes(s.cfg.Setup.LogDir)
}

// Config returns the configuration in force, with every default filled in.
func (s *Server) Config() Config { return s.cfg }

// ConnReport is what cons tells of one connection.
type ConnReport struct {
	Remote         netip.AddrPort
	Secure         bool // it speaks TLS
	Interest       int  // 1: reading, 5: writing too, 0: a four-letter word
	Outstanding    int  // requests received and not answered
	Received, Sent int64

	Session     int64 // 0 before there is one; what follows means nothing then
	Op          string
	Established time.Time
	Timeout     time.Duration
	Cxid        int32     // of the last request; -1 before the first
	Zxid        int64     // of the last reply; -1 before the first
	Replied     time.Time // the last time

	LastLatency, LowLatency, AvgLatency, HighLatency time.Duration
}

// ConnReports returns all connections, the oldest first.
func (s *Server) ConnReports() []ConnReport {
	conns := s.alive()
	list := make([]ConnReport, len(conns))
	for i, c := range conns {
		list[i] = c.report()
	}
	return list
}

// alive returns the connections that are not closing, the oldest first: in
// ZooKeeper those that are do not exist any more.
func (s *Server) alive() []*Conn {
	return slices.DeleteFunc(s.connections(), func(c *Conn) bool {
		p, _ := c.state()
		return p >= phaseClosing
	})
}

func (c *Conn) report() ConnReport {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := &c.stats
	r := ConnReport{
		Remote: c.remote, Secure: c.encrypted, Interest: 1, Outstanding: c.requests, Received: st.received, Sent: st.sent,
		Session: c.session, Op: st.op, Established: c.s.timeOfDay(c.since), Timeout: c.timeout,
		Cxid: st.xid, Zxid: st.zxid, Replied: c.s.timeOfDay(st.replied),
		LastLatency: st.last, LowLatency: st.low, HighLatency: st.high,
	}
	if st.count > 0 {
		r.AvgLatency = st.sum / time.Duration(st.count)
	}
	switch {
	case c.asking:
		r.Interest = 0
	case c.flushing:
		r.Interest = 5
	}
	return r
}

// ResetConnStats forgets what was counted of each connection: crst.
func (s *Server) ResetConnStats() {
	for _, c := range s.connections() {
		c.mu.Lock()
		c.stats.reset()
		c.mu.Unlock()
	}
}

// ResetStats forgets what was counted of the whole server: srst.
func (s *Server) ResetStats() {
	s.stats.reset()
	s.metrics.Reset()
}

// Report is what srvr tells of the server.
type Report struct {
	Mode                                          string
	LatencyLow, LatencyHigh                       int64 // milliseconds
	LatencyAvg                                    float64
	Received, Sent                                int64 // packets
	Connections                                   int
	Outstanding                                   int64
	Zxid                                          ensemble.Zxid
	Nodes                                         int
	Uptime                                        time.Duration
	AuthFailed                                    int64
	PlainRemote, PlainLocal                       int64 // connections without TLS, of other machines and of this one
	LastReplyBytes, LowReplyBytes, HighReplyBytes int64 // -1 before the first
	// ProposalBytes are a leader's; nil on others.
	ProposalBytes *struct{ Last, Min, Max int }
}

// Report returns what srvr tells.
func (s *Server) Report() Report {
	r := Report{
		Mode: s.mode(), Received: s.stats.received.Load(), Sent: s.stats.sent.Load(),
		Outstanding: s.inflight.Load(), Zxid: ensemble.Zxid(s.zxid.Load()), Nodes: s.census().nodes,
		Uptime: s.now() - s.started, AuthFailed: s.stats.authFailed.Load(),
		LastReplyBytes: s.stats.lastReply.Load(), LowReplyBytes: s.stats.lowReply.Load(), HighReplyBytes: s.stats.highReply.Load(),
	}
	r.PlainRemote, r.PlainLocal = s.handshakes.plainRemote.Load(), s.handshakes.plainLocal.Load()
	r.LatencyLow, r.LatencyAvg, r.LatencyHigh = s.latency()
	r.Connections = len(s.alive())
	if st := s.quorum.Status(); st.State == ensemble.Leading {
		r.ProposalBytes = &st.ProposalBytes
	}
	return r
}

// SessionReport is a session, or the owner of ephemeral nodes.
type SessionReport struct {
	ID      int64
	Timeout time.Duration
	Paths   []string // of ephemeral nodes
}

// Sessions returns all sessions, and all owners of ephemerals, by id.
func (s *Server) Sessions() (sessions, ephemerals []SessionReport) { return s.sessionTable() }

// Expiries returns sessions by the time, by the server's clock, at which they
// expire if they are not heard of: the global ones, of which only a leader knows
// that, and the local ones of this server.
func (s *Server) Expiries() (global, local []session.Set, leads bool) {
	s.trackMu.Lock()
	defer s.trackMu.Unlock()
	local = s.locals.List()
	if s.tracker == nil {
		return nil, local, false
	}
	return s.tracker.List(), local, true
}

// ConnSet are connections that are closed at the same time unless something is
// heard of their clients.
type ConnSet struct {
	At    time.Time
	Conns []ConnReport
}

// connSets returns the connections by the second in which they are due.
func (s *Server) connSets() []ConnSet {
	var sets []ConnSet
	for _, c := range s.alive() {
		at := s.timeOfDay(c.due()).Add(time.Second - 1).Truncate(time.Second)
		i, found := slices.BinarySearchFunc(sets, at, func(s ConnSet, at time.Time) int { return s.At.Compare(at) })
		if !found {
			sets = slices.Insert(sets, i, ConnSet{At: at})
		}
		sets[i].Conns = append(sets[i].Conns, c.report())
	}
	return sets
}

// due returns when the connection is closed if nothing more comes.
func (c *Conn) due() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.deadline != 0:
		return c.deadline
	case c.phase <= phaseDeciding:
		return c.since + c.s.cfg.HandshakeTimeout
	}
	return time.Duration(c.heard.Load()) + c.timeout
}

// WatchSummary returns what wchs tells.
func (s *Server) WatchSummary() watch.Summary {
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	return s.watches.DataSummary()
}

// WatchesBySession returns the paths that each session watches in the data table:
// wchc. While it makes the list nobody can be told of events; with very many
// watches that is felt.
func (s *Server) WatchesBySession() []watch.Watching[int64] {
	s.watchMu.Lock()
	list := s.watches.DataByWatcher()
	s.watchMu.Unlock()
	out := make([]watch.Watching[int64], len(list))
	for i, w := range list {
		id, _ := w.Key.identity()
		out[i] = watch.Watching[int64]{Key: id, Paths: w.Paths}
	}
	return out
}

// WatchesByPath returns the sessions that watch each path in the data table:
// wchp. As costly as WatchesBySession.
func (s *Server) WatchesByPath() []watch.Watched[int64] {
	s.watchMu.Lock()
	list := s.watches.DataByPath()
	s.watchMu.Unlock()
	out := make([]watch.Watched[int64], len(list))
	for i, at := range list {
		out[i].Path = at.Path
		for _, c := range at.Keys {
			id, _ := c.identity()
			out[i].Keys = append(out[i].Keys, id)
		}
	}
	return out
}
