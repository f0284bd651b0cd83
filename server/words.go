package server

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/session"
)

// word is a four-letter word: what an operator sends instead of a frame.
type word struct {
	text   func(s *Server) string
	always bool   // answered even when not serving
	idle   string // the answer when not serving; "" for the general one
}

const notServing = "This ZooKeeper instance is not currently serving requests\n"

// words are all that are known, by their four bytes as a number: larger than
// the length of any frame.
var words = map[int32]word{
	number("ruok"): {text: func(*Server) string { return "imok" }, always: true},
	number("isro"): {text: (*Server).wordIsro, idle: "null"},
	number("srvr"): {text: (*Server).wordSrvr},
	number("stat"): {text: (*Server).wordStat},
	number("conf"): {text: (*Server).wordConf},
	number("cons"): {text: (*Server).wordCons},
	number("mntr"): {text: (*Server).wordMntr},
	number("envi"): {text: (*Server).wordEnvi, always: true},
	number("dump"): {text: (*Server).wordDump},
	number("wchs"): {text: (*Server).wordWchs},
	number("crst"): {text: (*Server).wordCrst},
	number("srst"): {text: (*Server).wordSrst},
	number("memb"): {text: (*Server).wordMemb, always: true},
	number("dgst"): {text: (*Server).wordDgst},
}

// telnetIAC is what a telnet client sends by itself; it is dropped in silence.
const telnetIAC int32 = -720899 // 0xfff4fffd

func number(word string) int32 { return int32(binary.BigEndian.Uint32([]byte(word))) }

// fourLetterWord answers the first four bytes of a connection if they are a
// word, and then closes it. It reports false if they are a length.
func (c *Conn) fourLetterWord(n int32) bool {
	w, known := words[n]
	if !known && n != telnetIAC {
		return false
	}
	name := string(binary.BigEndian.AppendUint32(nil, uint32(n)))
	var text string
	switch s := c.s; {
	case !known:
	case !s.listed(name):
		text = name + " is not executed because it is not in the whitelist.\n"
	case w.always || s.serving.Load():
		text = w.text(s)
	case w.idle != "":
		text = w.idle
	default:
		text = notServing
	}
	c.mu.Lock()
	c.out = append(c.output(), text...)
	c.mu.Unlock()
	c.finish("four-letter word " + name)
	return true
}

func (s *Server) listed(name string) bool {
	return slices.Contains(s.cfg.Whitelist, name) || slices.Contains(s.cfg.Whitelist, "*")
}

// wordIsro is what clients ask that look for a server with a quorum.
func (s *Server) wordIsro() string {
	if s.readOnly.Load() {
		return "ro"
	}
	return "rw"
}

// mode names the role as srvr does.
func (s *Server) mode() string {
	if s.readOnly.Load() {
		return "read-only"
	}
	switch s.role.Load().State {
	case ensemble.Leading:
		if v := s.quorum.View(); len(v.Members()) == 1 {
			return "standalone"
		}
		return "leader"
	case ensemble.Following:
		return "follower"
	case ensemble.Observing:
		return "observer"
	}
	return "looking"
}

// wordDgst is not ZooKeeper's: what two replicas must agree in. It reads the whole
// tree, which mntr does only if that is small.
func (s *Server) wordDgst() string {
	applied := s.quorum.Status().Applied
	at, digest := s.TreeDigest()
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
	conns := s.connections()
	if clients {
		b.WriteString("Clients:\n")
		for _, c := range conns {
			b.WriteString(c.line(false) + "\n")
		}
		b.WriteString("\n")
	}
	low, avg, high := s.stats.latency()
	fmt.Fprintf(&b, "Latency min/avg/max: %d/%s/%d\n", low, decimal(avg), high)
	fmt.Fprintf(&b, "Received: %d\nSent: %d\nConnections: %d\n", s.stats.received.Load(), s.stats.sent.Load(), len(conns))
	fmt.Fprintf(&b, "Outstanding: %d\nZxid: 0x%x\nMode: %s\n", s.inflight.Load(), uint64(s.zxid.Load()), s.mode())
	fmt.Fprintf(&b, "Node count: %d\n", s.census().nodes)
	if st := s.quorum.Status(); st.State == ensemble.Leading {
		fmt.Fprintf(&b, "Proposal sizes last/min/max: %d/%d/%d\n", st.ProposalBytes.Last, st.ProposalBytes.Min, st.ProposalBytes.Max)
	}
	return b.String()
}

// decimal prints a number as Java's DecimalFormat does: 0.0, 1.25.
func decimal(v float64) string {
	text := strings.TrimRight(fmt.Sprintf("%.4f", v), "0")
	if strings.HasSuffix(text, ".") {
		text += "0"
	}
	return text
}

func (s *Server) wordCons() string {
	var b strings.Builder
	for _, c := range s.connections() {
		b.WriteString(c.line(true) + "\n")
	}
	b.WriteString("\n")
	return b.String()
}

func (s *Server) wordConf() string {
	var b strings.Builder
	c := s.cfg
	for _, line := range c.Conf {
		b.WriteString(line + "\n")
	}
	fmt.Fprintf(&b, "tickTime=%d\nmaxClientCnxns=%d\nminSessionTimeout=%d\nmaxSessionTimeout=%d\nserverId=%d\n",
		c.TickTime.Milliseconds(), max(c.MaxClientCnxns, 0), c.MinSessionTimeout.Milliseconds(), c.MaxSessionTimeout.Milliseconds(), c.Self)
	if v := s.quorum.View(); len(v.Members()) > 1 {
		peerType := 1
		if v.IsVoter(c.Self) {
			peerType = 0
		}
		fmt.Fprintf(&b, "peerType=%d\nmembership: \n%s", peerType, v)
	}
	return b.String()
}

func (s *Server) wordDump() string {
	var b strings.Builder
	sessions, ephemerals := s.sessionTable()
	fmt.Fprintf(&b, "SessionTracker dump:\nGlobal Sessions(%d):\n", len(sessions))
	for _, e := range sessions {
		fmt.Fprintf(&b, "%s\t%dms\n", session.Format(e.id), e.timeout.Milliseconds())
	}
	fmt.Fprintf(&b, "ephemeral nodes dump:\nSessions with Ephemerals (%d):\n", len(ephemerals))
	for _, e := range ephemerals {
		fmt.Fprintf(&b, "%s:\n", session.Format(e.id))
		for _, path := range e.paths {
			fmt.Fprintf(&b, "\t%s\n", path)
		}
	}
	conns := s.connections()
	fmt.Fprintf(&b, "Connections dump:\nConnections (%d):\n", len(conns))
	for _, c := range conns {
		id, _ := c.identity()
		fmt.Fprintf(&b, "\tip: /%s sessionId: %s\n", c.remote, session.Format(id))
	}
	return b.String()
}

func (s *Server) wordWchs() string {
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	return fmt.Sprintf("%d connections watching %d paths\nTotal watches:%d\n",
		s.watches.Watchers(), s.watches.Paths(), s.watches.Watches())
}

func (s *Server) wordCrst() string {
	for _, c := range s.connections() {
		c.mu.Lock()
		c.stats.reset()
		c.mu.Unlock()
	}
	return "Connection stats reset.\n"
}

func (s *Server) wordSrst() string {
	s.stats.reset()
	return "Server stats reset.\n"
}
