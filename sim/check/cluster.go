package check

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// Options says what is owed to a Cluster's judgement. The zero value is right
// for a run whose faults keep within what the protocol bears; the bounds are
// then not checked.
type Options struct {
	// HaltsAllowed lets servers stop for good without a fault of their disks (V7).
	HaltsAllowed bool
	// IdleAllowed lets a run end without a commit (H3).
	IdleAllowed bool
	// ClockDrift is by how much a server's clock may run fast: with 0.05 a
	// session of 10 s may expire after 10 s / 1.05 (S5).
	ClockDrift float64
	// VotesAfterHealed is how many notifications all servers together may send
	// from Healed to the next fault or the end (F7); 0: not checked.
	VotesAfterHealed int
	// RepeatAfter is the least time after which a server tells all others a vote
	// again that has not changed, by its own clock (F7); 0 means 200 ms, as in FLE,
	// and less that it is not checked.
	RepeatAfter time.Duration
	// LeaderWithin is how long after Healed a leader must serve with a quorum
	// (F8); 0: not checked.
	LeaderWithin time.Duration
	// LastCounter is where epochs end; 0: at ensemble.MaxCounter (E6, F6).
	LastCounter uint32
	// Better is the order of votes with which the servers elect, if it is not
	// FLE's (F2, HEO); nil: by epoch, then zxid, then id.
	Better func(challenger, incumbent Vote) bool
	// NoOracle leaves out the hypothetical elections, to measure what they find.
	NoOracle bool
}

func (o Options) repeatAfter() time.Duration {
	if o.RepeatAfter == 0 {
		return 200 * time.Millisecond
	}
	return o.RepeatAfter
}

func (o Options) lastCounter() uint32 {
	if o.LastCounter == 0 {
		return ensemble.MaxCounter
	}
	return o.LastCounter
}

// Cluster checks the server side of a run, event by event. It keeps a ghost of
// each server: what its disk holds and has synced, what it has promised, what
// role it is in; and of the ensemble: what was proposed and what was committed.
//
// It may be used by one goroutine at a time. Nothing in it depends on anything
// but the view, the options and the events.
type Cluster struct {
	view    *ensemble.View
	opts    Options
	servers []*ghost // by id
	voters  []*ghost
	byID    map[ensemble.ServerID]*ghost
	set     []bool // a set of servers, for inSet
	inSet   func(ensemble.ServerID) bool

	histories   histories
	canon       canon
	deliveredBy int // how many of the committed history somebody has delivered
	terms       map[termKey]*leadership
	established []*leadership // ascending by epoch
	timeouts    map[int64]time.Duration
	calm        calm

	seq     int
	at      time.Duration
	counts  [len(Invariants)]int
	verdict *Violation
}

type termKey struct {
	epoch  ensemble.Epoch
	leader ensemble.ServerID
}

// NewCluster returns a checker for an ensemble of that view, which must not
// change during the run.
func NewCluster(view *ensemble.View, opts Options) *Cluster {
	c := &Cluster{
		view: view, opts: opts,
		byID: map[ensemble.ServerID]*ghost{}, histories: newHistories(),
		terms: map[termKey]*leadership{}, timeouts: map[int64]time.Duration{},
	}
	for i, m := range view.Members() {
		g := &ghost{
			id: m.ID, index: i, voter: !m.Observer, weight: view.Weight(m.ID),
			toWhom: ensemble.NoServer, decided: Vote{Leader: ensemble.NoServer}, sessions: map[int64]clock{},
			told: make([]told, len(view.Members())), vote: newBallot(len(view.Members())),
		}
		g.leave()
		c.servers = append(c.servers, g)
		c.byID[m.ID] = g
		if g.voter {
			c.voters = append(c.voters, g)
		}
	}
	c.set = make([]bool, len(c.servers))
	c.inSet = func(id ensemble.ServerID) bool { return c.set[c.byID[id].index] }
	return c
}

// Observe takes the next event and returns the first violation that it or one
// before it showed, or nil. The event is only read, and not kept. Messages are
// passed over if they have no number: a trace may hold them for people only.
func (c *Cluster) Observe(ev *Event) *Violation {
	if c.verdict == nil && !unnumbered(ev) {
		c.verdict = c.observe(ev)
	}
	return c.verdict
}

func unnumbered(ev *Event) bool {
	return ev.Seq == 0 && (ev.Kind == MessageSend || ev.Kind == MessageRecv)
}

// Finish says that there are no more events. It returns the first violation of
// the run, also one that only the end shows: that the trace was empty (H1) or
// that nothing was committed (H3).
func (c *Cluster) Finish() *Violation {
	if c.verdict != nil {
		return c.verdict
	}
	end := &Event{At: c.at, Seq: c.seq}
	c.count(invH1)
	if c.seq == 0 {
		c.verdict = c.fail(invH1, end, "there was no event at all")
		return c.verdict
	}
	if !c.opts.IdleAllowed {
		c.count(invH3)
		if len(c.canon.entries) == 0 {
			c.verdict = c.fail(invH3, end, "nothing was committed in %d events", c.seq)
		}
	}
	return c.verdict
}

// Checked returns how often each invariant that a Cluster checks was really
// evaluated. One that stays at 0 was not put to the test.
func (c *Cluster) Checked() map[string]int {
	m := map[string]int{}
	for _, i := range rulesOfCluster() {
		m[Invariants[i].ID] = c.counts[i]
	}
	return m
}

// Committed returns how many transactions have been committed, and the last one.
func (c *Cluster) Committed() (n int, last ensemble.Zxid) {
	return len(c.canon.entries), c.canon.end().Zxid
}

func (c *Cluster) count(i invariant) { c.counts[i]++ }

func (c *Cluster) fail(i invariant, ev *Event, format string, args ...any) *Violation {
	return &Violation{
		Invariant: Invariants[i].ID, Rule: Invariants[i].Words, Text: fmt.Sprintf(format, args...),
		At: ev.At, Node: ev.Node, Seq: ev.Seq,
	}
}

func (c *Cluster) observe(ev *Event) *Violation {
	g := c.byID[ev.Node]
	if v := c.honest(g, ev); v != nil {
		return v
	}
	if v := c.watchTheClock(ev); v != nil {
		return v
	}
	if g == nil {
		return c.ofNobody(ev)
	}
	return c.ofServer(g, ev)
}

// honest looks at the trace itself (H1).
func (c *Cluster) honest(g *ghost, ev *Event) *Violation {
	c.count(invH1)
	if ev.Seq != c.seq+1 {
		return c.fail(invH1, ev, "event %d comes behind event %d", ev.Seq, c.seq)
	}
	if ev.At < c.at {
		return c.fail(invH1, ev, "event %d is of %v, the one before of %v", ev.Seq, ev.At, c.at)
	}
	c.seq, c.at = ev.Seq, ev.At
	switch {
	case ev.Node == 0 && g == nil:
		return nil
	case g == nil:
		return c.fail(invH1, ev, "%s of server %d, which is not in the view", ev.Kind, ev.Node)
	}
	switch ev.Kind {
	case Boot:
		if ev.Life <= g.life {
			return c.fail(invH1, ev, "server %d boots to its life %d after life %d", g.id, ev.Life, g.life)
		}
		if g.up && !g.halted {
			return c.fail(invH1, ev, "server %d boots while its life %d has not ended", g.id, g.life)
		}
	case Crash, Wipe, Rollback, Damage, Fault, Healed, LinkUp, LinkDown, MessageSend, MessageRecv:
	case Halted, DiskError, EpochsDurable:
		// A process may fail, or save its epochs, while it recovers: before Boot.
	default:
		if !g.up || ev.Life != 0 && ev.Life != g.life {
			return c.fail(invH1, ev, "%s of life %d of server %d, whose life %d has ended or not begun", ev.Kind, ev.Life, g.id, g.life)
		}
	}
	return nil
}

// ofNobody takes an event that concerns the whole ensemble.
func (c *Cluster) ofNobody(ev *Event) *Violation {
	switch ev.Kind {
	case Fault:
		c.disturb(true)
	case Healed:
		c.heal(ev)
	}
	return nil
}

// ofServer takes an event of a server.
func (c *Cluster) ofServer(g *ghost, ev *Event) *Violation {
	switch ev.Kind {
	case Boot:
		return c.boot(g, ev)
	case Crash, Wipe, Rollback, Damage:
		return c.strike(g, ev)
	case RoleChange:
		return c.roleChange(g, ev)
	case VoteSend:
		return c.voteSend(g, ev)
	case VoteRecv:
		return c.voteRecv(g, ev)
	case Decide:
		return c.decide(g, ev)
	case EpochProposed:
		return c.epochProposed(g, ev)
	case EpochAck:
		return c.epochAck(g, ev)
	case EpochsDurable:
		return c.epochsDurable(g, ev)
	case SyncPlan:
		return c.syncPlan(g, ev)
	case LogAppend:
		return c.logAppend(g, ev)
	case LogDurable:
		return c.logDurable(g, ev)
	case LogTruncate:
		return c.logTruncate(g, ev)
	case SnapInstall:
		return c.snapInstall(g, ev)
	case SnapSave:
		return c.snapSave(g, ev)
	case NewLeaderAck:
		return c.newLeaderAck(g, ev)
	case Established:
		return c.establishes(g, ev)
	case Proposed:
		return c.proposes(g, ev)
	case AckSend:
		return c.ackSend(g, ev)
	case AckCount:
		return c.ackCount(g, ev)
	case Committed:
		return c.commits(g, ev)
	case Delivered:
		return c.delivers(g, ev)
	case Halted:
		return c.halts(g, ev)
	case DiskError:
		c.diskError(g)
	case SessionEvent:
		return c.session(g, ev)
	case LinkDown:
		c.disturb(false)
	case Fault, Healed:
		return c.ofNobody(ev)
	}
	return nil
}
