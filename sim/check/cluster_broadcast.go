package check

import "github.com/quorate/quorate/ensemble"

// This file is broadcast: proposals, acknowledgements, commits, deliveries.

func (c *Cluster) proposes(g *ghost, ev *Event) *Violation {
	c.count(invE6)
	t := g.term
	if t == nil || !t.established || t.epoch != ev.Epoch || !g.serving {
		return c.fail(invE6, ev, "server %d proposes in epoch %d, which it does not lead", g.id, ev.Epoch)
	}
	if !t.proposed {
		if v := c.ready(g, t, ev); v != nil {
			return v
		}
		t.proposed = true
	}
	prev := c.endOf(t)
	for _, x := range ev.Log {
		if x.Zxid.Epoch() != t.epoch || c.histories.add(prev, x) != faultless {
			return c.fail(invE6, ev, "leader %d of epoch %d proposes %v behind %v", g.id, t.epoch, x.Zxid, prev.Zxid)
		}
		prev = x
	}
	return nil
}

// ready reports whether a leader that is about to propose for the first time has
// delivered what anybody has delivered from the epochs before (B5).
func (c *Cluster) ready(g *ghost, t *leadership, ev *Event) *Violation {
	c.count(invB5)
	n, _ := c.canon.find(ensemble.NewZxid(t.epoch, 0))
	if n = min(n, c.deliveredBy); g.delivered < n {
		return c.fail(invB5, ev, "leader %d proposes in epoch %d before it has delivered %v, which others have", g.id, t.epoch, c.canon.entries[n-1].Zxid)
	}
	return nil
}

func (c *Cluster) ackSend(g *ghost, ev *Event) *Violation {
	if ev.Zxid.Counter() == 0 {
		return nil // it is about no transaction
	}
	c.count(invB7)
	t := g.ackTo
	if t == nil || t.leader.id != ev.Peer {
		return c.fail(invB7, ev, "server %d acknowledges %v to %d before NEWLEADER", g.id, ev.Zxid, ev.Peer)
	}
	if ev.Zxid <= g.acked {
		return c.fail(invB7, ev, "server %d acknowledges %v after %v", g.id, ev.Zxid, g.acked)
	}
	if _, ok := c.histories.at(g.disk.synced, ev.Zxid); !ok {
		return c.fail(invB7, ev, "server %d acknowledges %v, and has synced up to %v", g.id, ev.Zxid, g.disk.synced.Zxid)
	}
	g.acked = ev.Zxid
	t.acked[g.index] = max(t.acked[g.index], ev.Zxid)
	return nil
}

func (c *Cluster) ackCount(g *ghost, ev *Event) *Violation {
	u := c.byID[ev.Peer]
	if ev.Zxid.Counter() == 0 {
		return nil
	}
	c.count(invB6)
	if u == nil || !u.voter {
		return c.fail(invB6, ev, "leader %d counts an acknowledgement of server %d, which is no voter", g.id, ev.Peer)
	}
	c.count(invB7)
	if g.term == nil || g.term.acked[u.index] < ev.Zxid {
		return c.fail(invB7, ev, "leader %d counts an acknowledgement of %v that server %d has not sent", g.id, ev.Zxid, ev.Peer)
	}
	return nil
}

// backed reports whether a quorum of voters has acknowledged z to a term's
// leader. The acknowledgements are counted here from what was sent, and not from
// what the leader says; they were compared with the disks then. The leader itself
// counts by its disk.
func (c *Cluster) backed(t *leadership, z ensemble.Zxid) bool {
	for _, u := range c.voters {
		if u == t.leader {
			_, ok := c.histories.at(u.disk.synced, z)
			c.set[u.index] = ok && u.disk.current >= t.epoch
		} else {
			c.set[u.index] = t.welcomed[u.index] && t.acked[u.index] >= z
		}
	}
	return c.view.HasQuorum(c.inSet)
}

func (c *Cluster) commits(g *ghost, ev *Event) *Violation {
	c.count(invB6)
	if ev.Zxid <= g.committed {
		return c.fail(invB6, ev, "server %d commits %v after %v", g.id, ev.Zxid, g.committed)
	}
	if g.state == ensemble.Leading {
		return c.decides(g, ev)
	}
	c.count(invB2)
	x, ok := c.histories.at(c.canon.end(), ev.Zxid)
	if !ok {
		return c.fail(invB2, ev, "server %d commits %v, which no leader has committed: the last one is %v", g.id, ev.Zxid, c.canon.end().Zxid)
	}
	if !c.histories.related(g.disk.written, x) {
		return c.fail(invB2, ev, "server %d commits %v, and its history, up to %v, is another one", g.id, ev.Zxid, g.disk.written.Zxid)
	}
	g.committed = ev.Zxid
	return nil
}

// decides takes a leader's commit, which is the decision.
func (c *Cluster) decides(g *ghost, ev *Event) *Violation {
	t := g.term
	if t == nil {
		return c.fail(invB6, ev, "leader %d commits %v before it has an epoch", g.id, ev.Zxid)
	}
	x, ok := c.histories.at(c.endOf(t), ev.Zxid)
	if !ok {
		return c.fail(invB6, ev, "leader %d of epoch %d commits %v, which is not in its history", g.id, t.epoch, ev.Zxid)
	}
	if !c.backed(t, ev.Zxid) {
		return c.fail(invB6, ev, "leader %d of epoch %d commits %v, which no quorum has acknowledged", g.id, t.epoch, ev.Zxid)
	}
	c.count(invB2)
	end := c.canon.end()
	if !c.histories.related(x, end) {
		return c.fail(invB2, ev, "leader %d of epoch %d commits %v in a history that does not have %v, which is committed", g.id, t.epoch, ev.Zxid, end.Zxid)
	}
	g.committed = ev.Zxid
	if x.Zxid <= end.Zxid {
		return nil
	}
	c.canon.extend(&c.histories, x)
	return c.foresee(ev)
}

// delivers judges one transaction applied by a server.
func (c *Cluster) delivers(g *ghost, ev *Event) *Violation {
	var last Entry
	if g.delivered > 0 {
		last = c.canon.entries[g.delivered-1]
	}
	x := Entry{ev.Zxid, ev.Chain}
	c.count(invB1)
	if y, ok := c.histories.entry(x.Zxid); !ok || y != x {
		return c.fail(invB1, ev, "server %d delivers %v (chain %x), which nobody has proposed", g.id, x.Zxid, x.Chain)
	}
	c.count(invB4)
	if x.Zxid.Epoch() < last.Zxid.Epoch() {
		return c.fail(invB4, ev, "server %d delivers %v after %v", g.id, x.Zxid, last.Zxid)
	}
	if x.Zxid <= last.Zxid {
		return c.fail(invB1, ev, "server %d delivers %v again after %v", g.id, x.Zxid, last.Zxid)
	}
	c.count(invB3)
	if !follows(x.Zxid, last.Zxid) {
		return c.fail(invB3, ev, "server %d delivers %v behind %v", g.id, x.Zxid, last.Zxid)
	}
	c.count(invB2)
	if g.delivered == len(c.canon.entries) {
		return c.fail(invB2, ev, "server %d delivers %v, which is not committed", g.id, x.Zxid)
	}
	if must := c.canon.entries[g.delivered]; must != x {
		return c.fail(invB2, ev, "server %d delivers %v where %v was committed", g.id, x.Zxid, must.Zxid)
	}
	g.delivered++
	c.deliveredBy = max(c.deliveredBy, g.delivered)
	if ev.Digest == 0 {
		return nil
	}
	c.count(invT1)
	known := &c.canon.digests[g.delivered-1]
	if *known == 0 {
		*known = ev.Digest
	}
	if *known != ev.Digest {
		return c.fail(invT1, ev, "the state of server %d after %v has digest %x; on others it has %x", g.id, x.Zxid, ev.Digest, *known)
	}
	return nil
}
