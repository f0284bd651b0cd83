package check

import "github.com/quorate/quorate/ensemble"

// better reports whether FLE prefers a to b: by epoch, then by zxid, then by id,
// each only where those before are equal.
//
// This is the order that package fle has too, written down again on purpose. If
// the oracle used fle's, a mistake in that order would move server and oracle
// alike, and stay invisible.
func better(a, b Vote) bool {
	if a.Epoch != b.Epoch {
		return a.Epoch > b.Epoch
	}
	if a.Zxid != b.Zxid {
		return a.Zxid > b.Zxid
	}
	return a.Leader > b.Leader
}

// better is the order of votes of this run.
func (c *Cluster) better(a, b Vote) bool {
	if c.opts.Better != nil {
		return c.opts.Better(a, b)
	}
	return better(a, b)
}

// foresee is the oracle of hypothetical elections. It supposes that everything
// stops now, and that some voters start again from what is synced on their disks
// and elect: whichever they are, the elected one must have everything that was
// ever committed. So a danger is seen when it arises, and not when, many events
// later, the one crash comes that turns it into a loss.
//
// Who elects: voters of which the sure ones are a quorum, or all voters. It is
// not necessary to go through all such sets. Take a voter w that lacks something.
// It is elected by the voters that do not prefer themselves to it, and by no
// others; if they are a quorum, some quorum elects w, and if they are none, no
// quorum does, because a set with more voters is a quorum if one with fewer is.
//
// Disks of servers that have not booted yet, or that somebody has touched since
// they ran, are not known, and elect nobody.
func (c *Cluster) foresee(ev *Event) *Violation {
	if c.opts.NoOracle {
		return nil
	}
	c.count(invHEO)
	end := c.canon.end()
	for _, w := range c.voters {
		if !w.disk.known || w.weight == 0 || c.histories.contains(w.disk.synced, end) {
			continue
		}
		if c.electable(w) {
			return c.foretell(w, ev)
		}
	}
	return nil
}

// electable reports whether some set of voters elects w, and leaves in c.set the
// largest one. A voter that keeps running speaks for its disk as it is, one that
// restarts may hold a higher epoch; both happens, so w is taken at its best and
// the others at their least.
func (c *Cluster) electable(w *ghost) bool {
	best := w.claimAfterRestart()
	all := true
	for _, u := range c.voters {
		in := u.disk.known && (u == w || !c.better(u.claim(), best))
		c.set[u.index] = in && !u.disk.unsure
		all = all && (in || u.weight == 0)
	}
	return all || c.view.HasQuorum(c.inSet)
}

// foretell says how to lose what w lacks.
func (c *Cluster) foretell(w *ghost, ev *Event) *Violation {
	best := w.claimAfterRestart()
	var with []ensemble.ServerID
	for _, u := range c.voters {
		if u != w && u.disk.known && !c.better(u.claim(), best) {
			with = append(with, u.id)
		}
	}
	end := c.canon.end()
	return c.fail(invHEO, ev, "stop all and start %d with %v: they elect %d (epoch %d, %v), which lacks %v, committed",
		w.id, with, w.id, best.Epoch, w.disk.synced.Zxid, end.Zxid)
}
