package sim

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
)

// healSpan is how long after the last fault everybody must work again.
const healSpan = 7 * time.Second

// chaos is the first part of a run: everything begins, and things go wrong.
func (w *world) chaos() {
	w.begin()
	w.nemesis.begin()
	w.run(w.now + w.cfg.Time)
	w.nemesis.active, w.nemesis.armed = false, nil
}

// begin starts servers and clients.
func (w *world) begin() {
	for _, h := range w.hosts {
		w.after(time.Duration(h.rng.Int64N(int64(300*time.Millisecond))), h.startUnlessKept)
	}
	for _, c := range w.clients {
		c.begin()
	}
	if w.cfg.Machine != nil {
		w.ask()
	}
}

// ask makes requests for a machine that has no clients, at any server.
func (w *world) ask() {
	if w.cfg.Clients == 0 {
		return
	}
	rng := w.stream("requests", 0)
	mean := float64(second) / (w.cfg.Rate * float64(w.cfg.Clients))
	var next func()
	next = func() {
		if p := w.hosts[rng.IntN(len(w.hosts))].proc; p != nil && !p.h.paused && p.waiting.open && !w.hushed {
			p.Submit(w.cfg.Request(rng.IntN), func(_ any, err error) {
				if err == nil {
					w.report.Requests++
				} else {
					w.report.Unanswered++
				}
			})
		}
		w.after(time.Duration(min(rng.ExpFloat64(), 5)*mean), next)
	}
	w.after(0, next)
}

// finale demands life: everything is healed, and everybody must get to work and
// to one history within a bound; and once more after all were killed.
func (w *world) finale() {
	w.heal()
	w.rest(w.audit("after the last fault"))
	for _, h := range w.hosts {
		h.crash(kill, nil)
		w.after(time.Duration(h.rng.Int64N(int64(50*time.Millisecond))), h.start)
	}
	w.audit("after a restart of all")
	w.judge()
}

// heal ends all faults.
func (w *world) heal() {
	w.healed, w.healedAt = true, w.now
	w.net.openAll()
	for _, h := range w.hosts {
		h.slow, h.stuck, h.unsynced, h.late = 0, false, false, 0
		h.keptDown, h.faulty, h.cut = false, false, nil
		h.fs.SetFault(nil)
		h.setDrift(1)
		h.makeRoom()
		h.resume()
		h.startUnlessKept()
	}
	for _, c := range w.clients {
		c.comeBack()
	}
	w.emit(&check.Event{Kind: check.Healed})
}

// restSpan is how long nothing happens but what the servers do by themselves: long
// enough for them to owe that something is reaped.
const restSpan = 2*reapPeriod + 1500*time.Millisecond

// rest lets time pass in which nobody asks for anything. All is well since then,
// under the leader of that epoch.
func (w *world) rest(since time.Duration, epoch ensemble.Epoch) {
	if len(w.clients) == 0 {
		return
	}
	w.run(w.now + restSpan)
	if h := w.leading(); h != nil && h.proc.journal.Epochs().Current == epoch {
		w.history.Calm = append(w.history.Calm, check.Span{From: since, To: w.now})
	}
}

// audit waits and then asks for progress, for one history, and for one state. It
// returns since when everybody works, and in which epoch.
func (w *world) audit(when string) (since time.Duration, epoch ensemble.Epoch) {
	w.hush(false)
	w.demand(when, w.unsettled)
	since, epoch = w.now, w.leading().proc.journal.Epochs().Current
	before := len(w.canon)
	if len(w.clients) > 0 || w.cfg.Machine != nil && w.cfg.Clients > 0 {
		w.demand(when, func() string {
			if len(w.canon) <= before+2 {
				return "nothing is committed any more"
			}
			return ""
		})
	}
	w.hush(true)
	w.run(w.now + 300*time.Millisecond)
	w.demand(when, w.different)
	w.compare(when)
	return since, epoch
}

// demand waits until there is no complaint any more.
func (w *world) demand(when string, complaint func() string) {
	limit := w.now + healSpan
	for complaint() != "" {
		if w.now >= limit {
			w.broken(Liveness, "a healed ensemble works again", 0, "%s, %v %s", complaint(), healSpan, when)
		}
		w.run(w.now + 50*time.Millisecond)
	}
}

// hush lets clients make no new requests, or again.
func (w *world) hush(quiet bool) {
	w.hushed = quiet
	for _, c := range w.clients {
		was := c.quiet
		c.quiet = quiet
		if was && !quiet && c.conn != nil && c.conn.ready {
			c.think()
		}
	}
}

// unsettled says who is not at work; "" when all are.
func (w *world) unsettled() string {
	if w.leading() == nil {
		return "no server leads"
	}
	for _, h := range w.hosts {
		switch {
		case h.proc == nil:
			return "server " + h.id.String() + " is down"
		case h.proc.state == ensemble.Looking || !h.proc.waiting.open:
			return "server " + h.id.String() + " does not serve"
		}
	}
	for _, c := range w.clients {
		if c.conn == nil || !c.conn.ready {
			return "a client has no session"
		}
	}
	return ""
}

// different says who does not have the whole history; "" when all do.
func (w *world) different() string {
	if len(w.canon) == 0 {
		return ""
	}
	tip := w.canon[len(w.canon)-1]
	for _, h := range w.hosts {
		p := h.proc
		if p == nil {
			return fmt.Sprintf("server %d is down", h.id)
		}
		if last := p.journal.Last(); last != (zab.Position{Zxid: tip.Zxid, Chain: tip.Chain}) || p.applier.position != last {
			return fmt.Sprintf("server %d has logged up to %v and applied up to %v, and %v is committed", h.id, last.Zxid, p.applier.position.Zxid, tip.Zxid)
		}
	}
	return ""
}

// compare asks that all servers have the same state.
func (w *world) compare(when string) {
	var digest uint64
	for i, h := range w.hosts {
		if d, ok := h.proc.machine.(Digester); ok {
			_, sum := d.TreeDigest()
			if i > 0 && sum != digest {
				w.broken("T1", "equal histories make equal states", h.id, "server %d has another state than server %d at %v, %s",
					h.id, w.hosts[0].id, h.proc.applier.position.Zxid, when)
			}
			digest = sum
		}
	}
}

// judge asks the checkers that look at the whole.
func (w *world) judge() {
	if v := w.cluster.Finish(); v != nil {
		w.fail(v)
	}
	if w.cfg.Machine != nil {
		return
	}
	w.history.End = w.now
	found := check.Witness(&w.history)
	w.report.Checked = found.Checked
	if w.healed {
		w.conclude(check.Overdue(&w.history, w.healedAt, overdueSlack))
	}
	if w.cfg.Seed%secondOpinionEvery == 0 {
		second := check.Linear(&w.history, check.LinearLimits{})
		w.report.Checked["second opinion"] += second.Operations
		found.Violations = append(found.Violations, second.Violations...)
	}
	w.conclude(found)
}

// conclude ends the run if the checkers of a whole history have found something.
func (w *world) conclude(found check.Findings) {
	for name, n := range found.Checked {
		w.report.Checked[name] = max(w.report.Checked[name], n)
	}
	if len(found.Violations) > 0 {
		w.fail(found.Violations[0])
	}
}

const (
	// overdueSlack is what elections and restarts may add to a session's timeout.
	overdueSlack = 6 * second
	// secondOpinionEvery is how many seeds share one search for an order that
	// explains what clients saw; the witness looks at every run.
	secondOpinionEvery = 4
)
