package check

import "github.com/quorate/quorate/ensemble"

// This file is a server's disk, as long as the process lives: epochs, log and
// snapshots.

func (c *Cluster) epochsDurable(g *ghost, ev *Event) *Violation {
	if !g.up {
		return nil // recovery: Boot will say what came of it
	}
	d := &g.disk
	c.count(invE1)
	if ev.Accepted < d.accepted || ev.Current < d.current {
		return c.fail(invE1, ev, "server %d saves epochs %d/%d (accepted/current) over %d/%d", g.id, ev.Accepted, ev.Current, d.accepted, d.current)
	}
	c.count(invE2)
	if ev.Current > ev.Accepted {
		return c.fail(invE2, ev, "server %d saves current epoch %d with accepted epoch %d", g.id, ev.Current, ev.Accepted)
	}
	adopts, surer := ev.Current > d.current, d.unsure && !ev.Unsure
	d.accepted, d.current, d.unsure = ev.Accepted, ev.Current, ev.Unsure
	if adopts || surer {
		if v := c.adopts(g, ev, surer); v != nil {
			return v
		}
	}
	return c.foresee(ev)
}

// adopts judges a server that vouches for an epoch: it has promised it to a
// leader, and has on disk the history that the leader began it with. A leader
// has its own, and needs the promises of a quorum.
func (c *Cluster) adopts(g *ghost, ev *Event, surer bool) *Violation {
	t := g.adopting
	if t == nil || t.epoch != ev.Current {
		if surer {
			return c.fail(invD1, ev, "server %d was unsure and becomes sure without a leader of epoch %d", g.id, ev.Current)
		}
		return nil // the log may know of an epoch what a crash kept from the record
	}
	c.count(invB8)
	if !c.histories.contains(g.disk.synced, t.origin) {
		return c.fail(invB8, ev, "server %d adopts epoch %d, whose history begins with what leader %d had up to %v, and has synced up to %v",
			g.id, t.epoch, t.leader.id, t.origin.Zxid, g.disk.synced.Zxid)
	}
	if t.leader != g {
		return nil
	}
	c.count(invE5)
	if !c.promisedByQuorum(t) {
		return c.fail(invE5, ev, "leader %d adopts epoch %d, which no quorum has promised it", g.id, t.epoch)
	}
	return nil
}

func (c *Cluster) logAppend(g *ghost, ev *Event) *Violation {
	d := &g.disk
	d.plan = plan{}
	for _, x := range ev.Log {
		c.count(invB10)
		if f := c.histories.check(d.written, x); f != faultless {
			return c.blame(g, ev, f, d.written, x, "appends to its log, and")
		}
		d.written = x
	}
	return nil
}

func (c *Cluster) logDurable(g *ghost, ev *Event) *Violation {
	d := &g.disk
	c.count(invB10)
	x, ok := c.histories.at(d.written, ev.Zxid)
	if !ok {
		return c.fail(invB10, ev, "the log of server %d is durable up to %v, which is not in it: it was written up to %v", g.id, ev.Zxid, d.written.Zxid)
	}
	if x.Zxid <= d.synced.Zxid {
		return nil
	}
	d.synced = x
	return c.foresee(ev)
}

// losesBy reports whether a server whose history becomes the one that ends with
// to loses something that is committed, and what.
func (c *Cluster) losesBy(g *ghost, to Entry) (ensemble.Zxid, bool) {
	n, _ := c.canon.find(to.Zxid)
	if n == len(c.canon.entries) {
		return 0, false
	}
	next := c.canon.entries[n]
	return next.Zxid, c.histories.contains(g.disk.written, next)
}

func (c *Cluster) logTruncate(g *ghost, ev *Event) *Violation {
	d := &g.disk
	c.count(invB10)
	to, ok := c.histories.at(d.written, ev.Zxid)
	if !ok {
		return c.fail(invB10, ev, "server %d cuts its log behind %v, which is not in it: it ends with %v", g.id, ev.Zxid, d.written.Zxid)
	}
	c.count(invB9)
	if z, loses := c.losesBy(g, to); loses {
		return c.fail(invB9, ev, "server %d cuts its log behind %v, and %v is committed", g.id, ev.Zxid, z)
	}
	d.written, d.synced, d.plan = to, to, plan{}
	return c.foresee(ev)
}

func (c *Cluster) snapInstall(g *ghost, ev *Event) *Violation {
	d := &g.disk
	c.count(invT2)
	to := Entry{ev.Zxid, ev.Chain}
	n, ok := c.canon.find(ev.Zxid)
	if !ok || !c.histories.contains(c.canon.end(), to) {
		return c.fail(invT2, ev, "server %d installs a snapshot at %v (chain %x), which is not committed", g.id, ev.Zxid, ev.Chain)
	}
	c.count(invB9)
	if z, loses := c.losesBy(g, to); loses {
		return c.fail(invB9, ev, "server %d installs a snapshot at %v over a log that has %v, which is committed", g.id, ev.Zxid, z)
	}
	d.written, d.synced, d.plan = to, to, plan{}
	g.delivered = n
	g.committed = max(g.committed, ev.Zxid)
	return c.foresee(ev)
}

// snapSave judges a snapshot of the own state, and what it gives when restored.
func (c *Cluster) snapSave(g *ghost, ev *Event) *Violation {
	c.count(invT2)
	n, ok := c.canon.find(ev.Zxid)
	switch {
	case !ok || !c.histories.contains(c.canon.end(), Entry{ev.Zxid, ev.Chain}):
		return c.fail(invT2, ev, "server %d saves a snapshot at %v (chain %x), which is not committed", g.id, ev.Zxid, ev.Chain)
	case n > g.delivered:
		return c.fail(invT2, ev, "server %d saves a snapshot at %v, which it has not delivered", g.id, ev.Zxid)
	case ev.To != 0 && ev.To != ev.Zxid:
		return c.fail(invT2, ev, "the snapshot of server %d at %v is of %v when restored", g.id, ev.Zxid, ev.To)
	case ev.Digest != ev.Digest2:
		return c.fail(invT2, ev, "the snapshot of server %d at %v gives another state when restored: digest %x, not %x", g.id, ev.Zxid, ev.Digest2, ev.Digest)
	case n > 0 && ev.Digest != 0 && c.canon.digests[n-1] != 0 && c.canon.digests[n-1] != ev.Digest:
		return c.fail(invT2, ev, "the snapshot of server %d says %v and is of another state: digest %x, not %x", g.id, ev.Zxid, ev.Digest, c.canon.digests[n-1])
	}
	return nil
}
