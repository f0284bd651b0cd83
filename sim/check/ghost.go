package check

import (
	"time"

	"github.com/quorate/quorate/ensemble"
)

// ghost is what the trace has shown of one server: its disk, what it has said,
// and what it is doing. It is never asked of the server itself.
type ghost struct {
	id     ensemble.ServerID
	index  int // in Cluster.servers
	voter  bool
	weight int64

	// The process.
	up       bool
	halted   bool
	life     int // the last one; 0 before the first Boot
	excused  bool
	diskErr  bool   // what was written and not synced may be gone
	gone     string // how the last life ended: Crash.Mode
	state    ensemble.State
	leader   ensemble.ServerID
	roleFrom time.Duration
	// roleAccepted and roleUnsure are what it tells a leader: its disk at the
	// moment in which the role began, when nothing was on its way to it.
	roleAccepted ensemble.Epoch
	roleUnsure   bool
	serving      bool
	served       ensemble.Epoch // the epoch in which it serves
	servingFrom  time.Duration
	servingSeq   int
	decided      Vote // what the last election gave, until its role begins; then Leader is NoServer
	decidedState ensemble.State

	disk disk
	vote ballot

	// What it has promised, by whatever life. Only an empty or an older disk
	// makes it forget.
	counted      ensemble.Epoch // highest epoch of a counted promise
	acknowledged ensemble.Epoch // highest epoch whose NEWLEADER it acknowledged
	toWhom       ensemble.ServerID
	adopting     *leadership // that it promised, or proposed, last in this life: it may save the epoch even when the role is over

	// As a learner.
	ackTo *leadership   // whose NEWLEADER it has acknowledged in this role
	acked ensemble.Zxid // what it has acknowledged there since
	told  []told        // by leader: what that one may have been told, see E5

	// As a leader.
	term     *leadership
	sessions map[int64]clock

	// What it applies.
	committed ensemble.Zxid
	delivered int // how many of the committed history
}

// disk is what is on a server's disk, and how much of it is synced.
type disk struct {
	known             bool // the server has booted from it, and nobody has touched it since
	loss              loss // since the last crash
	written, synced   Entry
	accepted, current ensemble.Epoch
	unsure            bool
	// plan is the last way to a leader's history that was decided for it in this
	// life, if it may be being carried out. The process may end when the disk has
	// done it, and before it can say so.
	plan     plan
	mayAdopt bool // it may be saving the epochs of a leader in this life, itself perhaps
}

type plan struct {
	mode string
	from ensemble.Zxid
}

// loss is a declared loss: what a disk lost by other hands than the server's.
type loss uint8

const (
	intact loss = iota
	damaged
	wiped
	rolledBack
)

// claim returns the vote for itself that the server casts now. An epoch vouches for the history
// before it, which a server that is unsure may have lost; so it claims no more
// than the epoch of the last transaction that it still has.
func (g *ghost) claim() Vote {
	e := g.disk.current
	if g.disk.unsure {
		e = min(e, g.disk.synced.Zxid.Epoch())
	}
	return Vote{Leader: g.id, Zxid: g.disk.synced.Zxid, Epoch: e}
}

// claimAfterRestart returns the one that it would cast if it restarted now: a log with a
// transaction of an epoch has the whole initial history of that epoch, so
// recovery takes that epoch for current.
func (g *ghost) claimAfterRestart() Vote {
	v := g.claim()
	v.Epoch = max(v.Epoch, v.Zxid.Epoch())
	return v
}

// told is what a follower may have told a leader at the beginning of the role in
// which it joined it; of several roles, the least.
type told struct {
	ok       bool
	accepted ensemble.Epoch
	unsure   bool
}

func (t told) least(u told) told {
	if !t.ok {
		return u
	}
	return told{ok: true, accepted: min(t.accepted, u.accepted), unsure: t.unsure && u.unsure}
}

// clock is when a leader was last told of a session, and how long that lasts.
type clock struct {
	at      time.Duration
	timeout time.Duration
}

// leadership is one server's attempt to lead one epoch.
type leadership struct {
	epoch       ensemble.Epoch
	leader      *ghost
	unsure      bool  // the leader was, when it proposed the epoch
	origin      Entry // the end of its history then
	established bool
	proposed    bool

	// By index of server.
	promises []promised
	welcomed []bool          // has acknowledged NEWLEADER
	acked    []ensemble.Zxid // has acknowledged everything up to here
	plans    []ensemble.Zxid // where the way ends that the leader decided for it; NoZxid: none
}

type promised uint8

const (
	unpromised promised = iota
	promisedUnsure
	promisedSure
)

func newLeadership(e ensemble.Epoch, leader *ghost, servers int) *leadership {
	t := &leadership{
		epoch: e, leader: leader, unsure: leader.disk.unsure, origin: leader.disk.written,
		promises: make([]promised, servers), welcomed: make([]bool, servers),
		acked: make([]ensemble.Zxid, servers), plans: make([]ensemble.Zxid, servers),
	}
	for i := range t.acked {
		t.acked[i], t.plans[i] = ensemble.NoZxid, ensemble.NoZxid
	}
	return t
}

// leave ends the server's role, by its own word or with its process.
func (g *ghost) leave() {
	g.state, g.leader = ensemble.Looking, ensemble.NoServer
	g.serving, g.served = false, 0
	g.term, g.ackTo = nil, nil
	g.acked = ensemble.NoZxid
	clear(g.sessions)
}

// follows reports whether the server is in the role of a learner of that leader.
func (g *ghost) follows(leader ensemble.ServerID) bool {
	return g.up && (g.state == ensemble.Following || g.state == ensemble.Observing) && g.leader == leader
}

// forget is for a disk that has become empty, or older: what the server has
// promised is not on it any more.
func (g *ghost) forget() {
	g.counted, g.acknowledged, g.toWhom = 0, 0, ensemble.NoServer
}
