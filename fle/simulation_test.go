package fle

import (
	"flag"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

var (
	seedFlag  = flag.Int64("fle.seed", 0, "run the simulations with this seed only")
	seedsFlag = flag.Int64("fle.seeds", 100, "run the simulations with that many seeds")
)

func eachSeed(t *testing.T, run func(t require.TestingT, seed int64)) {
	first, last := int64(1), *seedsFlag
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	for seed := first; seed <= last; seed++ {
		run(seeded{t, seed}, seed)
	}
}

// seeded names the seed in each failure.
type seeded struct {
	*testing.T
	seed int64
}

func (s seeded) Errorf(format string, args ...any) {
	s.T.Helper()
	s.T.Errorf("repeat with -fle.seed=%d\n"+format, append([]any{s.seed}, args...)...)
}

// disk is what a server has when it starts to look for a leader.
type disk struct {
	zxid   ensemble.Zxid
	epoch  ensemble.Epoch
	unsure bool
}

// claim is a candidate, compared in the obvious way.
type claim struct {
	epoch ensemble.Epoch
	zxid  ensemble.Zxid
	sid   ensemble.ServerID
}

func (c claim) less(d claim) bool {
	if c.epoch != d.epoch {
		return c.epoch < d.epoch
	}
	if c.zxid != d.zxid {
		return c.zxid < d.zxid
	}
	return c.sid < d.sid
}

func (d disk) claim(s ensemble.ServerID) claim {
	if d.unsure {
		return claim{min(d.epoch, d.zxid.Epoch()), d.zxid, s}
	}
	return claim{d.epoch, d.zxid, s}
}

type event struct {
	at   time.Duration
	from ensemble.ServerID
	to   ensemble.ServerID
	n    Notification
}

// server is a ballot with its disk and what the simulation knows about it.
type server struct {
	id      ensemble.ServerID
	disk    disk
	ballot  *Ballot // nil while crashed
	since   time.Duration
	settled bool
	heard   map[ensemble.ServerID]Notification // the last word of each, as delivered
}

// simulation runs ballots on links that keep order, delay and lose, with a
// stand-in for the rest of a server: followers of nobody and leaders of too few
// start again, and leaders of a quorum synchronize it and commit something.
type simulation struct {
	require.TestingT
	rng       *rand.Rand
	view      *ensemble.View
	now       time.Duration
	servers   []*server
	events    []event // under way, in order of sending
	last      map[link]time.Duration
	delayMax  time.Duration
	loss      float64
	sends     int
	accepted  ensemble.Epoch
	committed ensemble.Zxid
}

func newSimulation(t require.TestingT, seed int64, n int) *simulation {
	s := &simulation{TestingT: t, rng: rand.New(rand.NewSource(seed)), last: map[link]time.Duration{}}
	members := make([]ensemble.Member, n)
	for i := range members {
		members[i] = ensemble.Member{ID: ensemble.ServerID(i + 1), Weight: 1}
		s.servers = append(s.servers, &server{id: members[i].ID})
	}
	view, err := ensemble.NewView(0, members)
	require.NoError(t, err)
	s.view = view
	return s
}

func (s *simulation) boot(srv *server) {
	b, err := NewBallot(Config{Server: srv.id, View: s.view})
	require.NoError(s, err)
	srv.ballot = b
	s.look(srv)
}

func (s *simulation) look(srv *server) {
	srv.settled = false
	srv.heard = map[ensemble.ServerID]Notification{}
	s.step(srv, Start{Zxid: srv.disk.zxid, Epoch: srv.disk.epoch, Unsure: srv.disk.unsure})
}

func (s *simulation) server(id ensemble.ServerID) *server { return s.servers[id-1] }

func (s *simulation) step(srv *server, in Input) {
	var out Effects
	before := srv.ballot.Round()
	srv.ballot.Step(s.now, in, &out)
	require.GreaterOrEqual(s, srv.ballot.Round(), before, "rounds never decrease")
	for _, o := range out.Notify {
		s.sends++
		if s.rng.Float64() < s.loss {
			continue
		}
		l := link{srv.id, o.To}
		at := max(s.last[l], s.now+time.Duration(s.rng.Int63n(int64(s.delayMax)+1)))
		s.last[l] = at
		s.events = append(s.events, event{at, srv.id, o.To, o.Notification})
	}
	if out.Decide != nil {
		srv.since = s.now
		s.checkDecision(srv, *out.Decide)
	}
}

// checkDecision counts again, from what has been delivered.
func (s *simulation) checkDecision(srv *server, d Decision) {
	require.Equal(s, d.State == ensemble.Leading, d.Vote.Leader == srv.id)
	if d.State != ensemble.Leading {
		return
	}
	own := srv.disk.claim(srv.id)
	require.Equal(s, own, claim{d.Vote.PeerEpoch, d.Vote.Zxid, srv.id}, "a leader leads with what it has")
	sure, all := 0, 0
	for _, v := range s.servers {
		n, ok := srv.heard[v.id]
		if v == srv {
			n, ok = Notification{Vote: d.Vote, Unsure: srv.disk.unsure}, true
		}
		if ok && n.Vote == d.Vote {
			all++
			if !n.Unsure {
				sure++
			}
		}
	}
	require.True(s, sure > len(s.servers)/2 || all == len(s.servers),
		"server %d leads in round %d by %d sure votes, %d in all", srv.id, d.Vote.Round, sure, all)
}

// advance runs the world for d, in steps of 5 ms, or until done.
func (s *simulation) advance(d time.Duration, done func() bool) bool {
	for end := s.now + d; s.now < end; {
		s.now += 5 * time.Millisecond
		s.deliver()
		for _, srv := range s.servers {
			if srv.ballot == nil {
				continue
			}
			if at, ok := srv.ballot.Deadline(); ok && at <= s.now {
				s.step(srv, Tick{Delivered: s.rng.Intn(10) > 0})
			}
		}
		s.standIn()
		if done != nil && done() {
			return true
		}
	}
	return false
}

func (s *simulation) deliver() {
	for {
		i := -1
		for j, e := range s.events {
			if e.at <= s.now && (i < 0 || e.at < s.events[i].at) {
				i = j
			}
		}
		if i < 0 {
			return
		}
		e := s.events[i]
		s.events = slices.Delete(s.events, i, i+1)
		if to := s.server(e.to); to.ballot != nil {
			if e.n.State == ensemble.Looking || e.n.Round == to.ballot.Round() {
				to.heard[e.from] = e.n
			}
			s.step(to, Receive{From: e.from, Notification: e.n})
		}
	}
}

// standIn does what ZAB would do, in the roughest way.
func (s *simulation) standIn() {
	for _, srv := range s.servers {
		if srv.ballot == nil || srv.ballot.State() == ensemble.Looking {
			continue
		}
		switch srv.ballot.State() {
		case ensemble.Following:
			l := s.server(srv.ballot.Vote().Leader)
			if l.ballot == nil || l.ballot.State() != ensemble.Leading {
				if s.now-srv.since > 300*time.Millisecond {
					s.look(srv)
				}
				continue
			}
			if l.settled && !srv.settled {
				s.synchronize(srv, l)
			}
		case ensemble.Leading:
			s.lead(srv)
		}
	}
}

func (s *simulation) lead(l *server) {
	var followers []*server
	sure, behind := 0, true
	for _, f := range s.servers {
		if f == l || f.ballot != nil && f.ballot.State() == ensemble.Following && f.ballot.Vote().Leader == l.id {
			followers = append(followers, f)
			if !f.disk.unsure {
				sure++
			}
			if l.disk.claim(0).less(f.disk.claim(0)) {
				behind = false
			}
		}
	}
	quorum := sure > len(s.servers)/2 || len(followers) == len(s.servers)
	switch {
	case l.settled && len(followers) > len(s.servers)/2:
		l.since = s.now
	case !quorum || !behind:
		if s.now-l.since > 500*time.Millisecond {
			s.look(l)
		}
	case !l.settled:
		require.GreaterOrEqual(s, l.disk.zxid, s.committed, "leader %d lacks what was committed", l.id)
		s.accepted++
		l.disk.epoch, l.disk.unsure = s.accepted, false
		l.disk.zxid = ensemble.NewZxid(s.accepted, 1+uint32(s.rng.Intn(3)))
		s.committed = l.disk.zxid
		l.settled = true
		s.step(l, Settled{Epoch: s.accepted})
		for _, f := range followers {
			if f != l {
				s.synchronize(f, l)
			}
		}
	}
}

func (s *simulation) synchronize(f, l *server) {
	f.disk = l.disk
	f.settled = true
	s.step(f, Settled{Epoch: l.disk.epoch})
}

// agreed reports whether all servers that run have one leader.
func (s *simulation) agreed() bool {
	leader := ensemble.NoServer
	for _, srv := range s.servers {
		if srv.ballot == nil {
			continue
		}
		if srv.ballot.State() == ensemble.Looking || leader != ensemble.NoServer && srv.ballot.Vote().Leader != leader {
			return false
		}
		leader = srv.ballot.Vote().Leader
	}
	return s.server(leader).ballot != nil && s.server(leader).ballot.State() == ensemble.Leading
}

func TestSimulation_QuietColdStart(t *testing.T) {
	eachSeed(t, func(t require.TestingT, seed int64) {
		n := 1 + int(seed%7)
		s := newSimulation(t, seed, n)
		s.delayMax = time.Duration(1+s.rng.Intn(20)) * time.Millisecond
		s.accepted = 3
		best := claim{epoch: -1}
		for _, srv := range s.servers {
			e := ensemble.Epoch(s.rng.Intn(3))
			srv.disk = disk{zxid: ensemble.NewZxid(max(0, e-ensemble.Epoch(s.rng.Intn(2))), uint32(s.rng.Intn(3))), epoch: e}
			if s.rng.Intn(8) == 0 {
				srv.disk.unsure = true
			}
			if c := srv.disk.claim(srv.id); best.less(c) {
				best = c
			}
		}
		for _, i := range s.rng.Perm(n) {
			s.boot(s.servers[i])
			s.advance(time.Duration(s.rng.Intn(10))*time.Millisecond, nil)
		}
		leads := func() bool { return s.server(best.sid).ballot.State() == ensemble.Leading }
		require.True(t, s.advance(190*time.Millisecond, leads), "all have been heard: nobody waits for finalizeWait")
		require.True(t, s.advance(500*time.Millisecond, s.agreed), "all agree: %s", s)
		for _, srv := range s.servers {
			require.Equal(t, best.sid, srv.ballot.Vote().Leader, "server %d", srv.id)
		}
		s.advance(100*time.Millisecond, nil)
		require.LessOrEqual(t, s.sends, 5*n*n, "messages for a decision among %d", n)
	})
}

func TestSimulation_FaultsThenHealing(t *testing.T) {
	slowest := time.Duration(0)
	eachSeed(t, func(t require.TestingT, seed int64) {
		n := 3 + int(seed%4)
		s := newSimulation(t, seed, n)
		s.delayMax = 30 * time.Millisecond
		for _, srv := range s.servers {
			s.boot(srv)
		}
		s.loss = 0.3 * s.rng.Float64()
		for range 30 {
			s.fault()
			s.advance(time.Duration(s.rng.Intn(400))*time.Millisecond, nil)
		}
		s.loss = 0
		for _, srv := range s.servers {
			if srv.ballot == nil {
				s.boot(srv)
			}
		}
		start := s.now
		require.True(t, s.advance(10*time.Second, func() bool { return s.agreed() && s.settledAll() }),
			"seed %d: no agreement within 10 s: %s", seed, s)
		slowest = max(slowest, s.now-start)
	})
	t.Logf("slowest agreement after healing: %v", slowest)
}

// fault crashes, restarts, or restarts without its data some server. As long as
// a wiped one is not sure again no other is wiped, so nothing may be lost.
func (s *simulation) fault() {
	srv := s.servers[s.rng.Intn(len(s.servers))]
	if srv.ballot == nil {
		s.boot(srv)
		s.hint(srv, true)
		return
	}
	sure := !slices.ContainsFunc(s.servers, func(o *server) bool { return o.disk.unsure })
	switch s.rng.Intn(5) {
	case 0:
		s.look(srv)
	case 1:
		if sure && s.committed > 0 {
			srv.disk = disk{unsure: true}
			if s.rng.Intn(2) == 0 { // only the tail is gone, and the epoch stays
				srv.disk = disk{zxid: s.committed - 1, epoch: s.accepted, unsure: true}
			}
		}
		s.boot(srv)
	default:
		srv.ballot = nil
		s.hint(srv, false)
	}
}

func (s *simulation) hint(about *server, up bool) {
	for _, srv := range s.servers {
		if srv != about && srv.ballot != nil && s.rng.Intn(3) > 0 {
			s.step(srv, Reachable{Sid: about.id, Up: up})
		}
	}
}

func (s *simulation) settledAll() bool {
	return !slices.ContainsFunc(s.servers, func(o *server) bool { return !o.settled })
}

func (s *simulation) String() string {
	out := ""
	for _, srv := range s.servers {
		if srv.ballot != nil {
			out += fmt.Sprintf("\n%d %s %s settled=%v %+v", srv.id, srv.ballot.State(), srv.ballot.Vote(), srv.settled, srv.disk)
		}
	}
	return out
}
