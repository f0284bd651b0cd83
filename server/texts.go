package server

import (
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/server/session"
)

// The answers to four-letter words, in ZooKeeper's formats: spec client-protocol
// 7.4. What stands in sets there, in no order, is sorted here.

// wordDgst is not ZooKeeper's: what two replicas must agree in. It reads the whole
// tree, which mntr does only if that is small.
func (s *Server) wordDgst() string {
	applied := s.quorum.Status().Applied
	at, digest := s.shownDigest()
	return fmt.Sprintf("history_zxid\t%v\nhistory_chain\t%016x\ntree_zxid\t%v\ntree_digest\t%016x\n", applied.Zxid, applied.Chain, at, digest)
}

// wordMemb answers for a server that knows of others.
func (s *Server) wordMemb() string {
	if s.cfg.Members == nil {
		return ""
	}
	return s.cfg.Members()
}

func (s *Server) wordSrvr() string { return s.srvr(false) }
func (s *Server) wordStat() string { return s.srvr(true) }

func (s *Server) srvr(clients bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Zookeeper version: %s\n", s.cfg.Version)
	if s.readOnly.Load() {
		b.WriteString("READ-ONLY mode; serving only read-only clients\n")
	}
	if clients {
		b.WriteString("Clients:\n")
		for _, c := range s.ConnReports() {
			b.WriteString(c.line(false) + "\n")
		}
		b.WriteString("\n")
	}
	r := s.Report()
	fmt.Fprintf(&b, "Latency min/avg/max: %d/%s/%d\n", r.LatencyLow, Decimal(r.LatencyAvg), r.LatencyHigh)
	fmt.Fprintf(&b, "Received: %d\nSent: %d\nConnections: %d\n", r.Received, r.Sent, r.Connections)
	fmt.Fprintf(&b, "Outstanding: %d\nZxid: 0x%x\nMode: %s\n", r.Outstanding, uint64(r.Zxid), r.Mode)
	fmt.Fprintf(&b, "Node count: %d\n", r.Nodes)
	if p := r.ProposalBytes; p != nil && r.Mode == "leader" {
		fmt.Fprintf(&b, "Proposal sizes last/min/max: %d/%d/%d\n", p.Last, p.Min, p.Max)
	}
	return b.String()
}

// Decimal prints a number as Java prints a double of four decimals: 0.0, 1.25.
func Decimal(v float64) string {
	text := strings.TrimRight(fmt.Sprintf("%.4f", v), "0")
	if strings.HasSuffix(text, ".") {
		text += "0"
	}
	return text
}

// line returns the connection's line of stat (brief) or cons.
func (r ConnReport) line(full bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, " /%s[%x](queued=%d,recved=%d,sent=%d", r.Remote, r.Interest, r.Outstanding, r.Received, r.Sent)
	if full && r.Session != 0 {
		fmt.Fprintf(&b, ",sid=%s,lop=%s,est=%d,to=%d", session.Format(r.Session), r.Op,
			r.Established.UnixMilli(), r.Timeout.Milliseconds())
		if r.Cxid >= 0 {
			fmt.Fprintf(&b, ",lcxid=0x%x", r.Cxid)
		}
		fmt.Fprintf(&b, ",lzxid=0x%x,lresp=%d,llat=%d,minlat=%d,avglat=%d,maxlat=%d", uint64(r.Zxid), r.Replied.UnixMilli(),
			r.LastLatency.Milliseconds(), r.LowLatency.Milliseconds(), r.AvgLatency.Milliseconds(), r.HighLatency.Milliseconds())
	}
	b.WriteString(")")
	return b.String()
}

func (s *Server) wordCons() string {
	var b strings.Builder
	for _, c := range s.ConnReports() {
		b.WriteString(c.line(true) + "\n")
	}
	b.WriteString("\n")
	return b.String()
}

func (s *Server) wordConf() string {
	var b strings.Builder
	c, at := s.cfg, s.cfg.Setup
	put := func(name string, value any) { fmt.Fprintf(&b, "%s=%v\n", name, value) }
	port := func(n int) int { // as ZooKeeper shows that there is none
		if n == 0 {
			return -1
		}
		return n
	}
	put("clientPort", port(at.ClientPort))
	put("secureClientPort", port(at.SecureClientPort))
	put("dataDir", at.DataDir)
	data, log := s.DirBytes()
	put("dataDirSize", data)
	put("dataLogDir", at.LogDir)
	put("dataLogSize", log)
	put("tickTime", c.TickTime.Milliseconds())
	put("maxClientCnxns", max(c.MaxClientCnxns, 0))
	put("minSessionTimeout", c.MinSessionTimeout.Milliseconds())
	put("maxSessionTimeout", c.MaxSessionTimeout.Milliseconds())
	put("clientPortListenBacklog", -1) // the system's
	put("serverId", s.ShownID())
	if v := s.quorum.View(); len(v.Members()) > 1 {
		peerType := 1
		if v.IsVoter(c.Self) {
			peerType = 0
		}
		put("initLimit", at.InitLimitTicks)
		put("syncLimit", at.SyncLimitTicks)
		put("electionAlg", 3)
		put("electionPort", port(at.ElectionPort))
		put("quorumPort", port(at.QuorumPort))
		put("peerType", peerType)
		fmt.Fprintf(&b, "membership: \n%s", v)
	}
	return b.String()
}

func (s *Server) wordDirs() string {
	data, log := s.DirBytes()
	return fmt.Sprintf("datadir_size: %d\nlogdir_size: %d\n", data, log)
}

// javaDate is how Java prints a Date.
const javaDate = "Mon Jan 02 15:04:05 MST 2006"

func (s *Server) wordDump() string {
	var b strings.Builder
	sessions, ephemerals := s.Sessions()
	b.WriteString("SessionTracker dump:\n")
	sets, locals, leads := s.Expiries()
	if s.cfg.LocalSessions {
		b.WriteString("Local " + s.dumpSets(locals))
		if leads {
			b.WriteString("Global ")
		}
	}
	if leads {
		b.WriteString(s.dumpSets(sets))
	} else {
		fmt.Fprintf(&b, "Global Sessions(%d):\n", len(sessions))
		for _, e := range sessions {
			fmt.Fprintf(&b, "%s\t%dms\n", session.Format(e.ID), e.Timeout.Milliseconds())
		}
	}
	fmt.Fprintf(&b, "ephemeral nodes dump:\nSessions with Ephemerals (%d):\n", len(ephemerals))
	for _, e := range ephemerals {
		fmt.Fprintf(&b, "%s:\n", session.Format(e.ID))
		for _, path := range e.Paths {
			fmt.Fprintf(&b, "\t%s\n", path)
		}
	}
	b.WriteString(dumpConns(s.connSets()))
	return b.String()
}

func (s *Server) dumpSets(sets []session.Set) string {
	var b strings.Builder
	n := 0
	for _, set := range sets {
		n += len(set.Sessions)
	}
	fmt.Fprintf(&b, "Session Sets (%d)/(%d):\n", len(sets), n)
	for _, set := range sets {
		fmt.Fprintf(&b, "%d expire at %s:\n", len(set.Sessions), s.timeOfDay(set.At).Format(javaDate))
		for _, id := range set.Sessions {
			fmt.Fprintf(&b, "\t%s\n", session.Format(id))
		}
	}
	return b.String()
}

func dumpConns(sets []ConnSet) string {
	var b strings.Builder
	n := 0
	for _, set := range sets {
		n += len(set.Conns)
	}
	fmt.Fprintf(&b, "Connections dump:\nConnections Sets (%d)/(%d):\n", len(sets), n)
	for _, set := range sets {
		fmt.Fprintf(&b, "%d expire at %s:\n", len(set.Conns), set.At.Format(javaDate))
		for _, c := range set.Conns {
			fmt.Fprintf(&b, "\tip: /%s sessionId: %s\n", c.Remote, session.Format(c.Session))
		}
	}
	return b.String()
}

func (s *Server) wordWchs() string {
	w := s.WatchSummary()
	return fmt.Sprintf("%d connections watching %d paths\nTotal watches:%d\n", w.Watchers, w.Paths, w.Watches)
}

func (s *Server) wordWchc() string {
	var b strings.Builder
	for _, w := range s.WatchesBySession() {
		b.WriteString(session.Format(w.Key) + "\n")
		for _, path := range w.Paths {
			b.WriteString("\t" + path + "\n")
		}
	}
	b.WriteString("\n")
	return b.String()
}

func (s *Server) wordWchp() string {
	var b strings.Builder
	for _, at := range s.WatchesByPath() {
		b.WriteString(at.Path + "\n")
		for _, id := range at.Keys {
			b.WriteString("\t" + session.Format(id) + "\n")
		}
	}
	b.WriteString("\n")
	return b.String()
}

// wordHash tells the chained hash of the history, where ZooKeeper tells one of
// the tree: both are there to be compared between the servers of one ensemble.
func (s *Server) wordHash() string {
	var b strings.Builder
	for _, d := range s.Digests() {
		fmt.Fprintf(&b, "%x: %d\n", uint64(d.Zxid), int64(d.Chain))
	}
	return b.String()
}

func (s *Server) wordCrst() string {
	s.ResetConnStats()
	return "Connection stats reset.\n"
}

func (s *Server) wordSrst() string {
	s.ResetStats()
	return "Server stats reset.\n"
}

// leaderSince returns how long this server has led; 0 if it does not.
func (s *Server) leaderSince() time.Duration {
	at := s.ledSince.Load()
	if at == nil {
		return 0
	}
	return s.now() - *at
}
