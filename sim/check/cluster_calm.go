package check

import (
	"time"

	"github.com/quorate/quorate/ensemble"
)

// This file is what is owed when nothing disturbs: that leaders stay and
// elections end; and that servers and sessions live as long as they should.

// calm is how long the world has left the ensemble alone.
type calm struct {
	faulty   bool // faults go on: between Fault and Healed
	broken   int  // Seq of the last thing that may have upset somebody
	healed   bool // Healed was the last word of the world
	healedAt time.Duration
	judged   bool // F8, since then
	votes    int  // notifications since then
}

// disturb notes that something has happened to the ensemble that it did not do
// itself; lasting: until Healed.
func (c *Cluster) disturb(lasting bool) {
	c.calm.broken = c.seq
	if lasting {
		c.calm.faulty, c.calm.healed = true, false
	}
}

func (c *Cluster) heal(ev *Event) {
	c.calm = calm{broken: c.seq, healed: true, healedAt: ev.At}
}

// countVotes bounds the notifications after the last fault (F7).
func (c *Cluster) countVotes(ev *Event) *Violation {
	if !c.calm.healed || c.opts.VotesAfterHealed == 0 {
		return nil
	}
	c.count(invF7)
	c.calm.votes++
	if c.calm.votes > c.opts.VotesAfterHealed {
		return c.fail(invF7, ev, "more than %d notifications were sent since the last fault, %v ago", c.opts.VotesAfterHealed, ev.At-c.calm.healedAt)
	}
	return nil
}

// hastyMax is how often a server may seem to repeat itself too early in a round.
// Answers to several servers that happen to fall together look the same.
const hastyMax = 5

// sameMomentMax is how many of them may be at one moment.
const sameMomentMax = 40

// repeats is how often a server has told everybody its vote.
type repeats struct {
	toldAt time.Duration // when it last told everybody
	now    time.Duration // the moment of the last notification
	next   int           // in Cluster.voters: who is to be told next, if it tells everybody
	hasty  int           // times that it told everybody again too early
	same   int           // and at the very same moment
}

// repeats sees that a server which has nothing new to say takes its time (F7).
// Only what it tells all others at one moment, by ascending id, is a repetition;
// one by one they are answered.
func (c *Cluster) repeats(g *ghost, ev *Event, again bool) *Violation {
	r := &g.vote.repeats
	if !again {
		*r = repeats{toldAt: ev.At}
		return nil
	}
	if c.opts.repeatAfter() < 0 || !c.toldAll(g, ev) {
		return nil
	}
	c.count(invF7)
	since := ev.At - r.toldAt
	r.toldAt = ev.At
	if since == 0 {
		// A server that was stopped for a while does all that waited at one moment;
		// what it says then is one notification in each mailbox.
		if r.same++; r.same <= sameMomentMax {
			return nil
		}
	}
	if float64(since) >= float64(c.opts.repeatAfter())/(1+c.opts.ClockDrift) {
		return nil
	}
	if r.hasty++; r.hasty > hastyMax {
		return c.fail(invF7, ev, "server %d tells all others the same vote again and again in round %d, the last time after %v", g.id, ev.Round, since)
	}
	return nil
}

// toldAll reports whether with this notification all other voters have been told,
// at one moment and in their order. One other is too few to tell.
func (c *Cluster) toldAll(g *ghost, ev *Event) bool {
	r := &g.vote.repeats
	first := 0
	if c.voters[0] == g {
		first = 1
	}
	if first+1 >= len(c.voters) {
		return false
	}
	if ev.At != r.now || r.next >= len(c.voters) || ev.Peer != c.voters[r.next].id {
		r.now, r.next = ev.At, first
	}
	if ev.Peer != c.voters[r.next].id {
		return false
	}
	if r.next++; r.next < len(c.voters) && c.voters[r.next] == g {
		r.next++
	}
	return r.next == len(c.voters)
}

// watchTheClock sees that a leader serves in time after the last fault (F8).
func (c *Cluster) watchTheClock(ev *Event) *Violation {
	if !c.calm.healed || c.calm.judged || c.opts.LeaderWithin == 0 || ev.At <= c.calm.healedAt+c.opts.LeaderWithin {
		return nil
	}
	c.calm.judged = true
	c.count(invF8)
	for _, g := range c.voters {
		if g.state == ensemble.Leading && g.serving && c.followed(g) {
			return nil
		}
	}
	return c.fail(invF8, ev, "%v after the last fault no leader serves with a quorum", c.opts.LeaderWithin)
}

// followed reports whether a quorum, the leader among them, serves in its epoch.
func (c *Cluster) followed(leader *ghost) bool {
	for _, u := range c.voters {
		c.set[u.index] = u == leader || u.follows(leader.id) && u.serving && u.served == leader.served
	}
	return c.view.HasQuorum(c.inSet)
}

// undisturbed reports whether a server leads, and nothing has happened to anybody
// since it was established.
func (c *Cluster) undisturbed(g *ghost) bool {
	return g.state == ensemble.Leading && g.serving && !c.calm.faulty && c.calm.broken <= g.servingSeq
}

// deposed judges a leader that gives up though nothing has happened since it was
// established but that servers started and joined it (F6). Two things excuse it:
// its epoch is used up, or a voter has promised a later one, which only another
// election gets back.
func (c *Cluster) deposed(g *ghost, ev *Event) *Violation {
	if !c.undisturbed(g) || !c.followed(g) {
		return nil
	}
	if z := c.endOf(g.term).Zxid; z.Epoch() == g.served && z.Counter() > c.opts.lastCounter()/2 {
		return nil
	}
	for _, u := range c.voters {
		if u.disk.accepted > g.served {
			return nil
		}
	}
	c.count(invF6)
	return c.fail(invF6, ev, "leader %d of epoch %d gives up (%s), and a quorum follows it undisturbed", g.id, g.served, ev.Text)
}

func (c *Cluster) halts(g *ghost, ev *Event) *Violation {
	c.disturb(false)
	c.count(invV7)
	g.halted = true
	if c.opts.HaltsAllowed || g.excused || g.disk.loss == damaged {
		return nil
	}
	return c.fail(invV7, ev, "server %d stops for good: %s", g.id, ev.Text)
}

func (c *Cluster) diskError(g *ghost) {
	c.disturb(false)
	g.excused, g.diskErr = true, true
}

// session judges what a leader does to sessions (S5).
func (c *Cluster) session(g *ghost, ev *Event) *Violation {
	if ev.Timeout > 0 {
		c.timeouts[ev.Session] = ev.Timeout
	}
	if g.state != ensemble.Leading {
		return nil // what others hear they tell the leader
	}
	timeout := c.timeouts[ev.Session]
	switch ev.Mode {
	case "create", "touch", "move":
		g.sessions[ev.Session] = clock{ev.At, timeout}
	case "close":
		delete(g.sessions, ev.Session)
	case "expire":
		c.count(invS5)
		told, ok := g.sessions[ev.Session]
		if !ok { // not since it leads: its time began with the leadership
			told = clock{g.servingFrom, timeout}
			if !g.serving {
				told.at = ev.At
			}
		}
		delete(g.sessions, ev.Session)
		if silent := ev.At - told.at; float64(silent) < float64(told.timeout)/(1+c.opts.ClockDrift) {
			return c.fail(invS5, ev, "leader %d expires session 0x%x %v after it was told of it; its timeout is %v", g.id, uint64(ev.Session), silent, told.timeout)
		}
	}
	return nil
}
