package server

import (
	"flag"
	"fmt"
	"math/rand"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
)

var determinismSeed = flag.Int64("determinism.seed", 0, "the first seed of TestServer_SameCallsSameBytes; 0 takes the time of day")

// A map is iterated in another order each time: so if any order could be seen
// from outside, the same calls would soon give something else.
func TestServer_SameCallsSameBytes(t *testing.T) {
	seed := *determinismSeed
	if seed == 0 {
		seed = time.Now().UnixNano() % 1e9
	}
	t.Logf("-determinism.seed=%d", seed)
	seen := map[string]int{}
	for i := range int64(20) {
		first := newScript(seed+i, seen).run(1500)
		again := newScript(seed+i, map[string]int{}).run(1500)
		at := 0
		for at < min(len(first), len(again)) && first[at] == again[at] {
			at++
		}
		require.Equal(t, first[min(at, len(first)):min(at+1, len(first))], again[min(at, len(again)):min(at+1, len(again))],
			"seed %d: line %d of %d differs", seed+i, at, len(first))
	}
	for _, what := range []string{"connected", "renewed", "refused", "no room", "again", "expired", "touched", "event", "word",
		"left unknown", "moved on", "ended", "aborted", "several expired", "several touched"} {
		assert.Positive(t, seen[what], "the script never had: %s", what)
	}
	t.Log(seen)
}

// script is a random sequence of calls to a server, the same for the same seed.
type script struct {
	*hand
	rng      *rand.Rand
	seen     map[string]int
	sessions []int64
	expired  int // in one round of housekeeping
}

func newScript(seed int64, seen map[string]int) *script {
	s := &script{rng: rand.New(rand.NewSource(seed)), seen: seen}
	s.hand = newHand(Config{
		TickTime: 200 * time.Millisecond, MaxClientCnxns: 6, GlobalOutstandingLimit: 12,
		HandshakeTimeout: time.Second, WatchesMax: 40, OutputBytesMax: 2 << 20,
		Whitelist: []string{"ruok", "srvr", "stat", "cons", "dump", "wchs", "conf", "isro", "dgst"},
		Trace: &Trace{
			Accepted: func(_ netip.AddrPort, refused bool) { s.trace("accepted", refused) },
			Closed: func(remote netip.AddrPort, id int64, reason string) {
				s.trace("closed", remote, id, reason)
				if reason == "client reconnected" {
					s.seen["moved on"]++
				}
			},
			Connected: func(id int64, timeout time.Duration, renewed bool) {
				s.trace("connected", id, timeout, renewed)
				s.sessions = append(s.sessions, id)
				if renewed {
					s.seen["renewed"]++
				}
			},
			Refused: func(id int64) { s.trace("refused", id) },
			Touched: func(id int64, timeout time.Duration) { s.trace("touched", id, timeout) },
			Expired: func(id int64) { s.trace("expired", id); s.expired++ },
			Applied: func(z ensemble.Zxid, id int64, op, code int32) { s.trace("applied", z, id, op, code) },
		},
	})
	return s
}

func (s *script) trace(what string, args ...any) {
	s.seen[what]++
	s.note("%s", fmt.Sprintln(append([]any{what}, args...)...))
}

// run makes so many random calls and returns everything that happened.
func (s *script) run(calls int) []string {
	for range calls {
		s.call()
	}
	at, digest := s.s.TreeDigest()
	s.note("%v %x\n%s%s%s", at, digest, s.s.wordCons(), s.s.wordDump(), s.s.wordSrvr())
	return s.lines
}

func (s *script) call() {
	switch p := s.rng.Intn(100); {
	case p < 5:
		s.connect()
	case p < 40:
		s.request()
	case p < 60:
		s.work()
	case p < 70:
		s.write()
	case p < 85:
		s.step()
	case p < 86:
		s.late = !s.late
		for !s.late && len(s.queue) > 0 {
			s.step()
		}
	case p < 89:
		s.housekeep()
	case p < 91:
		s.clock += time.Duration(s.rng.Intn(1_000_000_000))
		s.note("heartbeat %x", s.s.Heartbeat())
	case p < 93:
		s.s.HeartbeatFrom(2, s.heartbeat())
	case p < 97:
		s.hangUp()
	case p < 98:
		s.seen["left unknown"] += len(s.lost)
		s.look()
		s.lead()
	default:
		s.clock += time.Duration(s.rng.Intn(20_000_000))
	}
}

// pick returns one of the wires that are open; nil if there is none.
func (s *script) pick(want func(*handWire) bool) *handWire {
	var some []*handWire
	for _, w := range s.wires {
		if !w.closed && want(w) {
			some = append(some, w)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some[s.rng.Intn(len(some))]
}

func (s *script) connect() {
	w := s.dial(fmt.Sprintf("10.0.0.%d:%d", s.rng.Intn(4), 1000+len(s.wires)))
	if w == nil {
		return
	}
	req := &proto.ConnectRequest{TimeoutMillis: int32(400 + s.rng.Intn(2000)), Password: make([]byte, 16), HasReadOnly: true}
	switch {
	case s.rng.Intn(8) == 0:
		s.seen["word"]++
		w.send([]byte([]string{"srvr", "stat", "cons", "dump", "wchs", "conf", "isro", "dgst"}[s.rng.Intn(8)]))
		return
	case len(s.sessions) > 0 && s.rng.Intn(2) == 0:
		req.SessionID = s.sessions[max(0, len(s.sessions)-1-s.rng.Intn(6))]
		password := session.Password(s.s.cfg.Secret, req.SessionID)
		req.Password = password[:]
	}
	if s.rng.Intn(20) == 0 {
		req.LastZxidSeen = int64(s.zxid) + 1000
	}
	w.send(proto.AppendFrame(nil, req))
}

// request sends requests of a client, cut somewhere, or what was left of them.
func (s *script) request() {
	w := s.pick(func(*handWire) bool { return true })
	if w == nil {
		return
	}
	var b []byte
	for range 1 + s.rng.Intn(4) {
		w.xid++
		op, rec := s.anything()
		b = append(b, request(w.xid, op, rec)...)
	}
	if s.rng.Intn(100) == 0 {
		b = append(b, 0xff, 0xff, 0xff, 0xff)
	}
	if s.rng.Intn(20) == 0 { // more than a turn
		for range 3 * turnRequests {
			b = append(b, request(proto.XidPing, proto.OpPing, &proto.Empty{})...)
		}
	}
	cut := s.rng.Intn(len(b) + 1)
	w.send(b[:cut])
	w.in = append(w.in, b[cut:]...)
	if len(w.in) > len(b)-cut {
		s.seen["no room"]++
	}
}

func (s *script) path() string {
	parts := []string{"", "/a", "/b", "/a/x", "/a/y", "/b/z", "/c"}
	return parts[s.rng.Intn(len(parts))]
}

func (s *script) paths() []string {
	list := make([]string, s.rng.Intn(4))
	for i := range list {
		list[i] = s.path()
	}
	return list
}

// anything returns a random request.
func (s *script) anything() (proto.OpCode, proto.Record) {
	path, watch := s.path(), s.rng.Intn(2) == 0
	switch s.rng.Intn(22) {
	case 0, 1, 2, 3, 4:
		return proto.OpCreate2, createOf(path, "data", int32(s.rng.Intn(4)))
	case 5:
		return proto.OpCreate, createOf(path+"/e-", "", proto.FlagEphemeralSequential)
	case 6, 7:
		return proto.OpSetData, setOf(path, fmt.Sprint(s.rng.Int()))
	case 8, 9:
		return proto.OpGetData, read(path, watch)
	case 10:
		return proto.OpExists, read(path, watch)
	case 11:
		return proto.OpGetChildren2, read(path, watch)
	case 12, 13:
		return proto.OpDelete, &proto.PathVersionRequest{Path: path, Version: -1}
	case 14:
		return proto.OpMulti, &proto.MultiRequest{Ops: []proto.MultiOp{
			{Op: proto.OpCreate, Request: createOf(path, "", proto.FlagEphemeral)},
			{Op: proto.OpSetData, Request: setOf(s.path(), "multi")}}}
	case 15:
		return proto.OpSync, &proto.PathRequest{Path: path}
	case 16:
		return proto.OpSetWatches2, &proto.SetWatchesRequest{RelativeZxid: int64(s.zxid) - 5, Data: s.paths(), Exist: s.paths(),
			Child: s.paths(), Extended: true, Persistent: s.paths(), PersistentRecursive: s.paths()}
	case 17:
		return proto.OpAddWatch, &proto.AddWatchRequest{Path: path, Mode: int32(s.rng.Intn(2))}
	case 18:
		return proto.OpGetEphemerals, &proto.GetEphemeralsRequest{PrefixPath: "/"}
	case 19:
		return proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: []byte(fmt.Sprint("user", s.rng.Intn(3), ":p"))}
	case 20:
		if s.rng.Intn(4) == 0 {
			return proto.OpCloseSession, &proto.Empty{}
		}
		return proto.OpWhoAmI, &proto.Empty{}
	default:
		return proto.OpRemoveWatches, &proto.WatchesRequest{Path: path, Type: proto.WatcherAny}
	}
}

// work lets a worker serve a connection.
func (s *script) work() {
	if w := s.pick(func(w *handWire) bool { return w.ready }); w != nil {
		if w.serve(); w.ready {
			s.seen["again"]++
		}
	}
}

// write takes output, and lets the client read it.
func (s *script) write() {
	w := s.pick(func(w *handWire) bool { return w.flush })
	if w == nil {
		return
	}
	for w.output() && s.rng.Intn(4) > 0 {
	}
	for {
		frame, err := w.frame()
		if err != nil {
			break
		}
		var h proto.ReplyHeader
		if _, err := proto.UnmarshalHeader(frame, &h); err == nil && h.Xid == proto.XidNotification {
			s.seen["event"]++
		}
	}
	if w.room {
		w.room = false
		w.send(nil)
	}
}

func (s *script) housekeep() {
	s.clock += s.s.HousekeepingPeriod()
	touched := s.seen["touched"]
	s.expired = 0
	s.s.Housekeep()
	if s.expired > 1 {
		s.seen["several expired"]++
	}
	if s.seen["touched"]-touched > 1 {
		s.seen["several touched"]++
	}
}

// heartbeat is what a learner reports: it has heard of some sessions.
func (s *script) heartbeat() []byte {
	other := &Server{sessions: map[int64]*Conn{}}
	for i, id := range s.sessions[max(0, len(s.sessions)-4):] {
		c := &Conn{session: id, timeout: time.Second, seq: uint64(i)}
		c.heard.Store(1)
		other.sessions[id] = c
	}
	return other.Heartbeat()
}

// hangUp ends a connection from the client's side.
func (s *script) hangUp() {
	w := s.pick(func(*handWire) bool { return true })
	switch {
	case w == nil:
	case s.rng.Intn(3) == 0:
		s.seen["aborted"]++
		w.c.Abort("link lost")
	default:
		s.seen["ended"]++
		w.c.End(nil)
	}
	if i := slices.IndexFunc(s.wires, func(w *handWire) bool { return !w.closed }); i > 20 {
		s.wires = s.wires[i:]
	}
}
