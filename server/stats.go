package server

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
)

// serverStats are what srvr and mntr tell. All of it is reset by srst.
type serverStats struct {
	received, sent atomic.Int64 // packets

	count, sum, low, high atomic.Int64 // latencies in nanoseconds

	lastReply, lowReply, highReply atomic.Int64 // bytes; -1 before the first
	authFailed, largeRejected      atomic.Int64
}

func (s *serverStats) reset() {
	for _, v := range []*atomic.Int64{&s.received, &s.sent, &s.count, &s.sum, &s.high, &s.authFailed, &s.largeRejected} {
		v.Store(0)
	}
	s.low.Store(math.MaxInt64)
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

func (s *serverStats) answered(latency time.Duration, replyBytes int) {
	s.sent.Add(1)
	s.count.Add(1)
	s.sum.Add(int64(latency))
	raise(&s.high, int64(latency))
	lower(&s.low, int64(latency))
	s.lastReply.Store(int64(replyBytes))
	raise(&s.highReply, int64(replyBytes))
	lower(&s.lowReply, int64(replyBytes))
}

// latency returns the smallest, average and largest latency in milliseconds.
func (s *serverStats) latency() (low int64, avg float64, high int64) {
	n := s.count.Load()
	if n == 0 {
		return 0, 0, 0
	}
	avg = float64(s.sum.Load()) / float64(n) / float64(time.Millisecond)
	return s.low.Load() / int64(time.Millisecond), math.Round(avg*1e4) / 1e4, s.high.Load() / int64(time.Millisecond)
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

// opCodes returns ZooKeeper's short word for an operation, of cons.
func opCodes(op proto.OpCode) string {
	switch op {
	case proto.OpCreateSession:
		return "SESS"
	case proto.OpPing:
		return "PING"
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		return "CREA"
	case proto.OpDelete:
		return "DELE"
	case proto.OpExists:
		return "EXIS"
	case proto.OpGetData:
		return "GETD"
	case proto.OpSetData:
		return "SETD"
	case proto.OpGetACL:
		return "GETA"
	case proto.OpSetACL:
		return "SETA"
	case proto.OpGetChildren, proto.OpGetChildren2:
		return "GETC"
	case proto.OpGetAllChildrenNumber:
		return "GETACN"
	case proto.OpMulti:
		return "MULT"
	case proto.OpMultiRead:
		return "MLTR"
	case proto.OpSync:
		return "SYNC"
	case proto.OpCloseSession:
		return "CLOS"
	case proto.OpSetWatches:
		return "SETW"
	case proto.OpSetWatches2:
		return "STW2"
	case proto.OpAddWatch:
		return "ADDW"
	case proto.OpCheckWatches:
		return "CHKW"
	case proto.OpRemoveWatches:
		return "REMW"
	case proto.OpReconfig:
		return "RECO"
	case proto.OpWhoAmI:
		return "HOMI"
	case proto.OpGetEphemerals:
		return "GETE"
	}
	return "NA"
}

// line returns the connection's line of stat (brief) or cons.
func (c *Conn) line(full bool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	interest := 1 // reading
	if c.flushing {
		interest = 5
	}
	if c.phase >= phaseClosing {
		interest = 0
	}
	st := &c.stats
	fmt.Fprintf(&b, " /%s[%x](queued=%d,recved=%d,sent=%d", c.remote, interest, c.requests, st.received, st.sent)
	if full && c.session != 0 {
		fmt.Fprintf(&b, ",sid=%s,lop=%s,est=%d,to=%d", session.Format(c.session), st.op,
			c.s.timeOfDay(c.since).UnixMilli(), c.timeout.Milliseconds())
		if st.xid >= 0 {
			fmt.Fprintf(&b, ",lcxid=0x%x", st.xid)
		}
		avg := int64(0)
		if st.count > 0 {
			avg = int64(st.sum) / st.count / int64(time.Millisecond)
		}
		fmt.Fprintf(&b, ",lzxid=0x%x,lresp=%d,llat=%d,minlat=%d,avglat=%d,maxlat=%d", uint64(st.zxid),
			c.s.timeOfDay(st.replied).UnixMilli(), st.last.Milliseconds(), st.low.Milliseconds(), avg, st.high.Milliseconds())
	}
	b.WriteString(")")
	return b.String()
}

// sessionID prints a session id in logs.
type sessionID int64

func (id sessionID) String() string { return session.Format(int64(id)) }
