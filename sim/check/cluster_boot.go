package check

import "github.com/quorate/quorate/ensemble"

// This file is the end of a process and the beginning of the next: what a disk
// must still have, and what the world may do to it in between.

// The words of Event.Mode that decide something here.
const (
	crashKill    = "kill"
	crashPower   = "power"
	crashStop    = "stop"
	bootDoubtful = "doubtful"
	planTrunc    = "TRUNC"
	planSnap     = "SNAP"
	ackCounted   = "counted"
)

// boot compares what a new process finds with what must be there.
func (c *Cluster) boot(g *ghost, ev *Event) *Violation {
	first := g.life == 0
	end, v := c.readLog(g, ev, first)
	if v != nil {
		return v
	}
	if v := c.bootEpochs(g, ev); v != nil {
		return v
	}
	if !first {
		if v := c.survived(g, ev, end); v != nil {
			return v
		}
	}
	if v := c.doubts(g, ev); v != nil {
		return v
	}
	c.count(invT2)
	snap, ok := c.histories.at(end, ev.Snap)
	if ok && first && c.histories.contains(snap, c.canon.end()) {
		c.canon.extend(&c.histories, snap) // the run begins with committed data
	}
	n, committed := c.canon.find(ev.Snap)
	if !ok || !committed || !c.histories.contains(c.canon.end(), snap) {
		return c.fail(invT2, ev, "server %d boots from a snapshot at %v, which is not committed or not in its history up to %v", g.id, ev.Snap, end.Zxid)
	}
	g.leave()
	g.up, g.halted, g.gone, g.life = true, false, "", ev.Life
	g.excused = g.disk.loss == damaged
	g.diskErr, g.adopting = false, nil
	g.committed, g.delivered = ev.Snap, n
	g.vote.reset()
	g.decided.Leader = ensemble.NoServer
	g.disk = disk{known: true, written: end, synced: end, accepted: ev.Accepted, current: ev.Current, unsure: ev.Unsure}
	return c.foresee(ev)
}

// readLog reads the log that a server found, and returns its end. At the first
// boot of a server whatever it finds is what the run begins with.
func (c *Cluster) readLog(g *ghost, ev *Event, first bool) (Entry, *Violation) {
	c.count(invB10)
	var end Entry
	for _, x := range ev.Log {
		f := c.histories.check(end, x)
		if f == unheard && first {
			f = c.histories.add(end, x)
		}
		if f != faultless {
			return end, c.blame(g, ev, f, end, x, "boots with a log in which")
		}
		end = x
	}
	return end, nil
}

// blame reports a fault of an entry behind prev.
func (c *Cluster) blame(g *ghost, ev *Event, f fault, prev, x Entry, does string) *Violation {
	rule := invB10
	if f == unheard || f == altered {
		rule = invB1
	}
	return c.fail(rule, ev, "server %d %s %v %s %v", g.id, does, x.Zxid, faultText[f], prev.Zxid)
}

func (c *Cluster) bootEpochs(g *ghost, ev *Event) *Violation {
	c.count(invE2)
	if ev.Current > ev.Accepted {
		return c.fail(invE2, ev, "server %d boots with current epoch %d and accepted epoch %d", g.id, ev.Current, ev.Accepted)
	}
	if g.disk.loss == rolledBack {
		return nil
	}
	c.count(invE1)
	if ev.Accepted < g.disk.accepted || ev.Current < g.disk.current {
		return c.fail(invE1, ev, "server %d boots with epochs %d/%d (accepted/current), its disk had confirmed %d/%d",
			g.id, ev.Accepted, ev.Current, g.disk.accepted, g.disk.current)
	}
	return nil
}

// survived checks what a crash has left (D1). A process that was killed leaves
// all it has written; power that fails, or a disk that did, what was synced. An
// operation that was under way may have been done. A disk that others have damaged
// may have lost any end of its log: what a server notices of that it must say, see
// doubts, and whether the rest is a danger the oracle says.
func (c *Cluster) survived(g *ghost, ev *Event, end Entry) *Violation {
	d := &g.disk
	if d.loss == rolledBack {
		return nil
	}
	c.count(invD1)
	must := d.synced
	if (g.gone == crashKill || g.gone == crashStop) && !g.diskErr {
		must = d.written
	}
	if d.plan.mode == planTrunc {
		if x, ok := c.histories.at(d.written, d.plan.from); ok && c.histories.contains(must, x) {
			must = x
		}
	}
	installed := d.plan.mode == planSnap && ev.Snap == end.Zxid && c.histories.contains(c.canon.end(), end)
	switch {
	case d.loss == wiped && end != Entry{}:
		return c.fail(invD1, ev, "server %d finds a log up to %v on a disk that was wiped", g.id, end.Zxid)
	case installed:
	case !c.histories.contains(end, must) && d.loss != damaged:
		return c.fail(invD1, ev, "server %d finds a log up to %v; up to %v it was on disk", g.id, end.Zxid, must.Zxid)
	case !c.histories.related(end, d.written):
		return c.fail(invD1, ev, "server %d finds a log up to %v that it never wrote: it had written up to %v", g.id, end.Zxid, d.written.Zxid)
	}
	return nil
}

// doubts sees that a server which may have lost what it acknowledged says so.
func (c *Cluster) doubts(g *ghost, ev *Event) *Violation {
	d := &g.disk
	if d.loss == rolledBack {
		return nil // nobody can notice, and the world knows how much it may do
	}
	c.count(invD1)
	switch {
	case ev.Unsure:
	case d.loss == wiped:
		return c.fail(invD1, ev, "server %d is sure of itself, and its disk was wiped", g.id)
	case ev.Mode == bootDoubtful:
		return c.fail(invD1, ev, "server %d is sure of itself, and its log ends in doubt", g.id)
	case d.unsure && !d.mayAdopt:
		return c.fail(invD1, ev, "server %d was unsure, and is sure after a crash", g.id)
	}
	return nil
}

// strike takes what the world does to a server.
func (c *Cluster) strike(g *ghost, ev *Event) *Violation {
	c.disturb(false)
	switch ev.Kind {
	case Crash:
		if g.up || ev.Mode == crashPower { // power may also fail behind a process that was killed
			g.up, g.gone = false, ev.Mode
			g.leave()
		}
		return nil
	case Damage:
		g.disk.loss = max(g.disk.loss, damaged)
	case Rollback:
		g.disk.loss = rolledBack
		g.forget()
	case Wipe:
		g.forget()
		g.disk = disk{known: true, loss: wiped, unsure: true}
		return c.foresee(ev)
	}
	g.disk.known = false
	return nil
}
