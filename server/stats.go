package server

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
)

// serverStats are what srvr and mntr tell beside the table of metrics. All of it
// is reset by srst, and the table too.
type serverStats struct {
	received, sent atomic.Int64 // packets

	lastReply, lowReply, highReply atomic.Int64 // bytes; -1 before the first
	authFailed                     atomic.Int64
}

func (s *serverStats) reset() {
	for _, v := range []*atomic.Int64{&s.received, &s.sent, &s.authFailed} {
		v.Store(0)
	}
	for _, v := range []*atomic.Int64{&s.lastReply, &s.lowReply, &s.highReply} {
		v.Store(-1)
	}
}

func raise(v *atomic.Int64, to int64) {
	for old := v.Load(); to > old && !v.CompareAndSwap(old, to); old = v.Load() {
	}
}

func lower(v *atomic.Int64, to int64) {
	for old := v.Load(); (to < old || old < 0) && !v.CompareAndSwap(old, to); old = v.Load() {
	}
}

// answered notes a reply to a request of an operation; wrote says that the answer
// had to wait for a transaction.
func (s *Server) answered(op proto.OpCode, wrote bool, latency time.Duration, replyBytes int) {
	st, m := &s.stats, s.metrics
	st.sent.Add(1)
	st.lastReply.Store(int64(replyBytes))
	raise(&st.highReply, int64(replyBytes))
	lower(&st.lowReply, int64(replyBytes))
	if wrote {
		m.UpdateLatency.Took(latency)
	} else {
		m.ReadLatency.Took(latency)
	}
	m.ResponseBytes.Add(replyBytes)
	m.Ops[opKind(op)].Inc()
}

// latency returns the smallest, average and largest latency in milliseconds, of
// all requests.
func (s *Server) latency() (low int64, avg float64, high int64) {
	n, sum, least, most := s.metrics.Latency()
	if n == 0 {
		return 0, 0, 0
	}
	avg = float64(sum.Microseconds()) / float64(n) / 1e3
	return least.Milliseconds(), math.Round(avg*1e4) / 1e4, most.Milliseconds()
}

// connStats are what cons tells of one connection. crst resets them.
type connStats struct {
	received, sent int64
	op             string // code of the last operation
	xid            int32  // of the last request
	zxid           int64  // of the last reply
	replied        time.Duration
	count          int64
	last, low      time.Duration
	high, sum      time.Duration
}

func (s *connStats) reset() { *s = connStats{op: "NA", xid: -1, zxid: -1} }

func (s *connStats) began(h proto.RequestHeader) { s.op, s.xid = opCodes(h.Op), h.Xid }

func (s *connStats) answered(zxid int64, now, latency time.Duration) {
	s.sent++
	s.zxid, s.replied, s.last = zxid, now, latency
	if s.count == 0 || latency < s.low {
		s.low = latency
	}
	s.high = max(s.high, latency)
	s.sum += latency
	s.count++
}

// sessionID prints a session id in logs.
type sessionID int64

func (id sessionID) String() string { return session.Format(int64(id)) }
