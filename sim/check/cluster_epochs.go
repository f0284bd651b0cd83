package check

import "github.com/quorate/quorate/ensemble"

// This file is discovery and synchronization: how an epoch gets its one leader,
// and its learners that leader's history.

// epochProposed judges a leader's new epoch against what its voters may have
// told it (E5).
func (c *Cluster) epochProposed(g *ghost, ev *Event) *Violation {
	c.count(invE5)
	if g.state != ensemble.Leading {
		return c.fail(invE5, ev, "server %d proposes epoch %d and does not lead", g.id, ev.Epoch)
	}
	clear(c.set)
	for _, id := range ev.Voters {
		u := c.byID[id]
		if u == nil || !u.voter {
			return c.fail(invE5, ev, "leader %d proposes epoch %d by the word of server %d, which is no voter", g.id, ev.Epoch, id)
		}
		t := u.told[g.index]
		if t.ok && ev.Epoch <= t.accepted {
			return c.fail(invE5, ev, "leader %d proposes epoch %d, and server %d had accepted %d", g.id, ev.Epoch, id, t.accepted)
		}
		c.set[u.index] = true
	}
	all := c.everybody()
	for _, u := range c.voters {
		if t := u.told[g.index]; t.ok && t.unsure && u.disk.unsure {
			c.set[u.index] = false
		}
	}
	if !all && !c.view.HasQuorum(c.inSet) {
		return c.fail(invE5, ev, "leader %d proposes epoch %d by the word of %v, which is no quorum of sure voters", g.id, ev.Epoch, ev.Voters)
	}
	g.disk.mayAdopt = true
	g.term = newLeadership(ev.Epoch, g, len(c.servers))
	g.adopting = g.term
	c.terms[termKey{ev.Epoch, g.id}] = g.term
	return nil
}

// everybody reports whether all voters with weight are in c.set.
func (c *Cluster) everybody() bool {
	for _, u := range c.voters {
		if u.weight > 0 && !c.set[u.index] {
			return false
		}
	}
	return true
}

func (c *Cluster) epochAck(g *ghost, ev *Event) *Violation {
	c.count(invE4)
	if ev.Epoch < g.disk.accepted {
		return c.fail(invE4, ev, "server %d promises epoch %d to %d, and has accepted %d", g.id, ev.Epoch, ev.Peer, g.disk.accepted)
	}
	c.count(invD2)
	if ev.Epoch > g.disk.accepted {
		return c.fail(invD2, ev, "server %d promises epoch %d to %d, and its disk says that it has accepted %d", g.id, ev.Epoch, ev.Peer, g.disk.accepted)
	}
	t := c.terms[termKey{ev.Epoch, ev.Peer}]
	g.adopting = t
	if ev.Mode != ackCounted {
		return nil
	}
	if ev.Epoch <= g.counted || ev.Epoch <= g.roleAccepted {
		return c.fail(invE4, ev, "server %d promises epoch %d to %d as if for the first time, and had accepted %d before", g.id, ev.Epoch, ev.Peer, max(g.counted, g.roleAccepted))
	}
	g.counted = ev.Epoch
	if t != nil {
		before := t.promises[g.index]
		t.promises[g.index] = promisedSure
		if g.disk.unsure {
			// One that was given before the disk was wiped has been counted.
			t.promises[g.index] = max(before, promisedUnsure)
		}
	}
	return nil
}

// promisedByQuorum reports whether the leader of t and those who have promised it
// are a quorum of sure voters, or all voters.
func (c *Cluster) promisedByQuorum(t *leadership) bool {
	for _, u := range c.voters {
		c.set[u.index] = u == t.leader || t.promises[u.index] != unpromised
	}
	if c.everybody() {
		return true
	}
	for _, u := range c.voters {
		c.set[u.index] = t.promises[u.index] == promisedSure || u == t.leader && !t.unsure
	}
	return c.view.HasQuorum(c.inSet)
}

func (c *Cluster) syncPlan(g *ghost, ev *Event) *Violation {
	u := c.byID[ev.Peer]
	if u == nil {
		return nil
	}
	if u.up {
		u.disk.plan = plan{ev.Mode, ev.Zxid}
		u.disk.mayAdopt = true
	}
	if g.term != nil {
		g.term.plans[u.index] = ev.To
	}
	return nil
}

// newLeaderAck judges a learner that says it has its leader's history, on disk,
// and the epoch with it.
func (c *Cluster) newLeaderAck(g *ghost, ev *Event) *Violation {
	c.count(invE4)
	t := c.terms[termKey{ev.Epoch, ev.Peer}]
	switch {
	case t == nil:
		return c.fail(invE4, ev, "server %d acknowledges NEWLEADER of epoch %d to %d, which never proposed it", g.id, ev.Epoch, ev.Peer)
	case ev.Epoch < g.disk.accepted:
		return c.fail(invE4, ev, "server %d acknowledges NEWLEADER of epoch %d to %d, and has accepted %d", g.id, ev.Epoch, ev.Peer, g.disk.accepted)
	case ev.Epoch < g.acknowledged || ev.Epoch == g.acknowledged && ev.Peer != g.toWhom:
		return c.fail(invE4, ev, "server %d acknowledges NEWLEADER of epoch %d to %d, and acknowledged that of epoch %d to %d", g.id, ev.Epoch, ev.Peer, g.acknowledged, g.toWhom)
	}
	c.count(invB7)
	upTo := t.origin.Zxid
	if p := t.plans[g.index]; p > upTo {
		upTo = p
	}
	_, written := c.histories.at(g.disk.written, upTo)
	if written && g.disk.synced.Zxid < upTo {
		return c.fail(invB7, ev, "server %d acknowledges NEWLEADER of epoch %d with a history up to %v, and has synced up to %v", g.id, ev.Epoch, upTo, g.disk.synced.Zxid)
	}
	c.count(invD2)
	if g.disk.current != ev.Epoch {
		return c.fail(invD2, ev, "server %d acknowledges NEWLEADER of epoch %d, and its disk has current epoch %d", g.id, ev.Epoch, g.disk.current)
	}
	c.count(invB8)
	if !written || !c.histories.contains(g.disk.synced, t.origin) {
		return c.fail(invB8, ev, "server %d acknowledges NEWLEADER of epoch %d, but its history up to %v does not have that of leader %d, up to %v", g.id, ev.Epoch, g.disk.synced.Zxid, t.leader.id, upTo)
	}
	if end := c.endOf(t); !c.histories.contains(end, g.disk.written) {
		return c.fail(invB8, ev, "server %d acknowledges NEWLEADER of epoch %d, but its history up to %v is not one of leader %d, which goes up to %v", g.id, ev.Epoch, g.disk.written.Zxid, t.leader.id, end.Zxid)
	}
	g.acknowledged, g.toWhom = ev.Epoch, ev.Peer
	g.ackTo, g.acked = t, ensemble.NoZxid
	t.welcomed[g.index] = true
	t.acked[g.index] = g.disk.synced.Zxid
	return nil
}

// endOf returns the end of the history of a term's leader, what it has proposed
// included.
func (c *Cluster) endOf(t *leadership) Entry {
	if log := c.histories.of(t.epoch); log != nil && t.established {
		return log.last()
	}
	return t.origin
}

// establishes takes a server that begins to serve.
func (c *Cluster) establishes(g *ghost, ev *Event) *Violation {
	c.count(invE3)
	i, known := c.establishedAt(ev.Epoch)
	if ev.State != g.state {
		return c.fail(invE3, ev, "server %d serves in epoch %d as %v, and is %v", g.id, ev.Epoch, ev.State, g.state)
	}
	if ev.State != ensemble.Leading {
		if !known || c.established[i].leader.id != g.leader {
			return c.fail(invE3, ev, "server %d serves in epoch %d under %d, which is not its established leader", g.id, ev.Epoch, g.leader)
		}
		if c.undisturbed(c.established[i].leader) {
			c.count(invF6) // it has borne this newcomer
		}
		g.serve(ev)
		return nil
	}
	if known {
		return c.fail(invE3, ev, "server %d is established as leader of epoch %d, as %d was before", g.id, ev.Epoch, c.established[i].leader.id)
	}
	t := g.term
	if t == nil || t.epoch != ev.Epoch {
		return c.fail(invE3, ev, "server %d is established as leader of epoch %d, which it did not propose in this role", g.id, ev.Epoch)
	}
	for _, id := range ev.Voters {
		if u := c.byID[id]; u == nil || u != g && !t.welcomed[u.index] {
			return c.fail(invE3, ev, "leader %d of epoch %d counts server %d, which has not acknowledged NEWLEADER", g.id, ev.Epoch, id)
		}
	}
	if !c.backed(t, t.origin.Zxid) {
		return c.fail(invE3, ev, "server %d is established as leader of epoch %d, and no quorum has acknowledged NEWLEADER", g.id, ev.Epoch)
	}
	if v := c.inherits(t, i, ev); v != nil {
		return v
	}
	t.established = true
	c.established = append(c.established, nil)
	copy(c.established[i+1:], c.established[i:])
	c.established[i] = t
	g.serve(ev)
	return nil
}

func (g *ghost) serve(ev *Event) {
	g.serving, g.served, g.servingFrom, g.servingSeq = true, ev.Epoch, ev.At, ev.Seq
}

// establishedAt finds the place of an epoch among those established, and whether
// it is there. Epochs come in ascending order but for leaders that learn late of
// the last acknowledgement that they needed.
func (c *Cluster) establishedAt(e ensemble.Epoch) (i int, ok bool) {
	i = len(c.established)
	for i > 0 && c.established[i-1].epoch >= e {
		i--
	}
	return i, i < len(c.established) && c.established[i].epoch == e
}

// inherits judges the history with which a leader is established: it has all that
// was committed in earlier epochs (E7), and below each earlier epoch exactly what
// that one was established with (E8). i is its place among the established.
func (c *Cluster) inherits(t *leadership, i int, ev *Event) *Violation {
	c.count(invE7)
	end := Entry{ev.Zxid, ev.Chain}
	need := c.histories.below(c.canon.end(), t.epoch)
	if end.Zxid < need.Zxid {
		return c.fail(invE7, ev, "leader %d of epoch %d has a history up to %v, and %v is committed", t.leader.id, t.epoch, end.Zxid, need.Zxid)
	}
	if i > 0 {
		c.count(invE8)
		before := c.established[i-1]
		has := end
		if end.Zxid.Epoch() >= before.epoch {
			has = c.histories.below(t.origin, before.epoch)
		}
		if has != before.origin {
			return c.fail(invE8, ev, "leader %d of epoch %d has a history up to %v below epoch %d, which was established with one up to %v", t.leader.id, t.epoch, has.Zxid, before.epoch, before.origin.Zxid)
		}
	}
	if i < len(c.established) {
		c.count(invE8)
		later := c.established[i]
		if has := c.histories.below(later.origin, t.epoch); has != t.origin {
			return c.fail(invE8, ev, "leader %d of epoch %d is established with a history up to %v, and epoch %d was with one up to %v below it", t.leader.id, t.epoch, t.origin.Zxid, later.epoch, has.Zxid)
		}
	}
	if end != t.origin {
		return c.fail(invE7, ev, "leader %d of epoch %d says that its history ends at %v (chain %x), and its disk has one up to %v (chain %x)", t.leader.id, t.epoch, end.Zxid, end.Chain, t.origin.Zxid, t.origin.Chain)
	}
	if !c.histories.contains(t.origin, need) {
		return c.fail(invE7, ev, "leader %d of epoch %d does not have %v, which is committed", t.leader.id, t.epoch, need.Zxid)
	}
	return nil
}
