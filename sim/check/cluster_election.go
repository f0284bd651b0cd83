package check

import "github.com/quorate/quorate/ensemble"

// This file is fast leader election, seen from what each server sent and heard.

// ballot is what a server's election looks like from outside. A round of
// LOOKING begins with the first notification that the server sends as LOOKING
// in a new round and ends with its decision; what it heard before does not count.
type ballot struct {
	looking bool
	ended   bool // the round is decided
	round   int64
	own     Vote
	heard   []heard // votes heard in this round or a later one
	votes   []word  // by server: its last vote, or word in our round
	words   []word  // by server: its last word as one that follows or leads
	repeats repeats
}

type heard struct {
	round int64
	vote  Vote
}

// word is what a server said in a notification.
type word struct {
	said   bool
	state  ensemble.State
	unsure bool
	heard
}

func newBallot(servers int) ballot {
	return ballot{votes: make([]word, servers), words: make([]word, servers)}
}

// reset forgets everything: the process has ended.
func (b *ballot) reset() {
	b.begin()
	b.looking, b.ended, b.round = false, false, 0
}

// begin forgets what was heard.
func (b *ballot) begin() {
	b.looking, b.ended, b.own = true, false, Vote{}
	b.heard = b.heard[:0]
	clear(b.votes)
	clear(b.words)
	b.repeats = repeats{}
}

// hear notes a vote of this round or a later one, and forgets those of rounds
// that are over.
func (b *ballot) hear(round int64, v Vote) {
	n := 0
	for _, h := range b.heard {
		if h.round >= b.round {
			b.heard[n] = h
			n++
		}
	}
	b.heard = b.heard[:n]
	if round >= b.round && !b.hasHeard(round, v) {
		b.heard = append(b.heard, heard{round, v})
	}
}

func (b *ballot) hasHeard(round int64, v Vote) bool {
	for _, h := range b.heard {
		if h.round == round && h.vote == v {
			return true
		}
	}
	return false
}

func (c *Cluster) voteSend(g *ghost, ev *Event) *Violation {
	if v := c.countVotes(ev); v != nil {
		return v
	}
	if ev.Vote == nil {
		return c.fail(invH1, ev, "%s of server %d has no vote", ev.Kind, g.id)
	}
	if ev.State != ensemble.Looking {
		return nil
	}
	b, v := &g.vote, *ev.Vote
	c.count(invF3)
	if ev.Round < b.round {
		return c.fail(invF3, ev, "server %d votes in round %d after round %d", g.id, ev.Round, b.round)
	}
	if !b.looking {
		if b.ended && ev.Round == b.round {
			return nil // what was still to be sent of the round that is decided
		}
		b.begin()
	}
	again := ev.Round == b.round && v == b.own
	b.round, b.own = ev.Round, v
	if bad := c.repeats(g, ev, again); bad != nil {
		return bad
	}
	switch {
	case again || v.Leader == ensemble.NoServer:
		return nil
	case v.Leader == g.id:
		return c.speaksTruly(g, ev, v)
	}
	c.count(invF4)
	if c.view.Weight(v.Leader) == 0 {
		return c.fail(invF4, ev, "server %d votes for %d, which is no voter with weight", g.id, v.Leader)
	}
	if !b.hasHeard(ev.Round, v) {
		return c.fail(invF3, ev, "server %d votes for %d (epoch %d, %v) in round %d, and has not heard that vote in this round", g.id, v.Leader, v.Epoch, v.Zxid, ev.Round)
	}
	return nil
}

// speaksTruly compares a server's vote for itself with its disk (B11). More than
// is there could be lost; less could make others elect who lacks something.
func (c *Cluster) speaksTruly(g *ghost, ev *Event, v Vote) *Violation {
	c.count(invB11)
	if have := g.claim(); v != have {
		return c.fail(invB11, ev, "server %d says that it has epoch %d and %v, and its disk has epoch %d and %v", g.id, v.Epoch, v.Zxid, have.Epoch, have.Zxid)
	}
	if ev.Kind == VoteSend && ev.Unsure != g.disk.unsure {
		return c.fail(invB11, ev, "server %d says unsure=%t of itself, and its disk says %t", g.id, ev.Unsure, g.disk.unsure)
	}
	return nil
}

// voteRecv notes what counts of a notification, as the description of FLE has it:
// only voters are heard; a LOOKING one takes back that it followed or led.
func (c *Cluster) voteRecv(g *ghost, ev *Event) *Violation {
	if ev.Vote == nil {
		return c.fail(invH1, ev, "%s of server %d has no vote", ev.Kind, g.id)
	}
	u, v, b := c.byID[ev.Peer], *ev.Vote, &g.vote
	if !b.looking || u == nil || u == g || !u.voter || ev.State == ensemble.Observing {
		return nil
	}
	if v.Zxid < 0 || !c.view.IsVoter(v.Leader) {
		return nil
	}
	w := word{said: true, state: ev.State, unsure: ev.Unsure, heard: heard{ev.Round, v}}
	switch {
	case ev.State == ensemble.Looking:
		b.words[u.index] = word{}
		b.votes[u.index] = w
		b.hear(ev.Round, v)
	case (ev.State == ensemble.Leading) != (v.Leader == ev.Peer):
		// It contradicts itself.
	default:
		b.words[u.index] = w
		if ev.Round == b.round {
			b.votes[u.index] = w
		}
	}
	return nil
}

func (c *Cluster) decide(g *ghost, ev *Event) *Violation {
	if ev.Vote == nil {
		return c.fail(invH1, ev, "%s of server %d has no vote", ev.Kind, g.id)
	}
	v := *ev.Vote
	c.count(invF4)
	if c.view.Weight(v.Leader) == 0 {
		return c.fail(invF4, ev, "server %d elects %d, which is no voter with weight", g.id, v.Leader)
	}
	c.count(invF1)
	leads := v.Leader == g.id
	if leads != (ev.State == ensemble.Leading) || ev.State == ensemble.Looking {
		return c.fail(invF1, ev, "server %d elects %d and becomes %v", g.id, v.Leader, ev.State)
	}
	if leads {
		if bad := c.speaksTruly(g, ev, v); bad != nil {
			return bad
		}
	}
	if leads || !c.joins(g, v) {
		c.count(invF2)
		for _, u := range c.voters {
			w := &g.vote.votes[u.index]
			if w.said && w.state == ensemble.Looking && w.round == ev.Round && w.vote.Leader != g.id &&
				c.view.Weight(w.vote.Leader) > 0 && c.better(w.vote, v) {
				return c.fail(invF2, ev, "server %d elects %d (epoch %d, %v), and has heard %d vote for %d (epoch %d, %v) in round %d", g.id,
					v.Leader, v.Epoch, v.Zxid, u.id, w.vote.Leader, w.vote.Epoch, w.vote.Zxid, ev.Round)
			}
		}
		if !c.elected(g, ev.Round, v) {
			return c.fail(invF1, ev, "server %d elects %d in round %d, and has heard no quorum of sure voters for that", g.id, v.Leader, ev.Round)
		}
	}
	g.vote.looking, g.vote.ended = false, true
	g.vote.round = max(g.vote.round, ev.Round)
	g.decided, g.decidedState = v, ev.State
	return nil
}

// elected reports whether a quorum of sure voters, the server itself among them
// if it is one, has voted for v in that round; or all voters, sure or not.
func (c *Cluster) elected(g *ghost, round int64, v Vote) bool {
	for _, u := range c.voters {
		w := &g.vote.votes[u.index]
		c.set[u.index] = u == g || w.said && w.round == round && w.vote == v
	}
	if c.everybody() {
		return true
	}
	for _, u := range c.voters {
		if u == g && u.disk.unsure || u != g && g.vote.votes[u.index].unsure {
			c.set[u.index] = false
		}
	}
	return c.view.HasQuorum(c.inSet)
}

// joins reports whether v is for a leader that says itself that it leads in that
// epoch, and that a quorum of voters follows or votes for. Whether those are sure
// matters only for votes: to follow is not to vouch.
func (c *Cluster) joins(g *ghost, v Vote) bool {
	l := c.byID[v.Leader]
	if w := &g.vote.words[l.index]; !w.said || w.state != ensemble.Leading || w.vote.Epoch != v.Epoch {
		return false
	}
	all := true
	for _, u := range c.voters {
		w, x := &g.vote.words[u.index], &g.vote.votes[u.index]
		follows := w.said && w.vote.Leader == v.Leader && w.vote.Epoch == v.Epoch
		votes := x.said && x.state == ensemble.Looking && x.vote == v || u == g && g.vote.own == v
		unsure := x.unsure
		if u == g {
			unsure = g.disk.unsure
		}
		c.set[u.index] = follows || votes && !unsure
		all = all && (follows || votes || u.weight == 0)
	}
	return all || c.view.HasQuorum(c.inSet)
}

// roleChange takes the role that an election gave, or the end of one.
func (c *Cluster) roleChange(g *ghost, ev *Event) *Violation {
	c.count(invF5)
	switch ev.State {
	case ensemble.Following, ensemble.Observing:
		if !c.view.IsVoter(ev.Peer) || ev.Peer == g.id {
			return c.fail(invF5, ev, "server %d becomes %v of %d, which is no other voter of its view", g.id, ev.State, ev.Peer)
		}
	case ensemble.Leading:
		if !g.voter {
			return c.fail(invF5, ev, "server %d leads and is no voter", g.id)
		}
	}
	if ev.State != ensemble.Looking {
		c.count(invF1)
		leader := ev.Peer
		if ev.State == ensemble.Leading {
			leader = g.id
		}
		if g.decided.Leader != leader || g.decidedState != ev.State {
			return c.fail(invF1, ev, "server %d becomes %v of %d, and no election said so", g.id, ev.State, leader)
		}
		g.decided.Leader = ensemble.NoServer
	}
	if v := c.deposed(g, ev); v != nil {
		return v
	}
	g.leave()
	g.state, g.roleFrom = ev.State, ev.At
	g.roleAccepted, g.roleUnsure = g.disk.accepted, g.disk.unsure
	c.forgetTold(g)
	says := told{true, g.roleAccepted, g.roleUnsure}
	switch ev.State {
	case ensemble.Leading:
		g.leader = g.id
		g.told[g.index] = says
	case ensemble.Following, ensemble.Observing:
		g.leader = ev.Peer
		l := c.byID[ev.Peer].index
		g.told[l] = g.told[l].least(says)
	}
	return nil
}

// forgetTold forgets what this server was told as a leader: that role is over.
// Who is its follower already may join it in the next one.
func (c *Cluster) forgetTold(g *ghost) {
	for _, u := range c.servers {
		u.told[g.index] = told{}
		if u != g && u.follows(g.id) {
			u.told[g.index] = told{true, u.roleAccepted, u.roleUnsure}
		}
	}
}
