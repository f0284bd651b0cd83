package sim

import (
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// healSpan is how long after the last fault everybody must work again.
const healSpan = 15 * time.Second

// nextProposal returns the zxid that this server would propose next, if it leads.
func (h *host) nextProposal() (ensemble.Zxid, bool) {
	if h.life == 0 {
		return 0, false
	}
	return h.peer.NextProposal()
}

// propose lets whoever leads propose a few transactions.
func (w *world) propose() {
	for _, h := range w.hosts {
		next, leads := h.nextProposal()
		if !leads {
			continue
		}
		var entries []zab.Entry
		for range 1 + w.rng.IntN(3) {
			w.asked++
			entries = append(entries, zab.Entry{Origin: zab.Origin{Server: h.id, Tag: uint64(w.asked)}, Data: []byte{byte(w.asked)}})
		}
		h.step(zab.Propose{First: next, Entries: entries})
	}
}

func (w *world) chaos(span time.Duration) {
	for _, h := range w.hosts {
		w.after(w.delay(300*time.Millisecond), h.start)
	}
	for at := time.Duration(0); at < span; at += 5 * time.Millisecond {
		w.after(at, w.propose)
	}
	for at := 500 * time.Millisecond; at < span; at += w.delay(400 * time.Millisecond) {
		w.after(at, w.fault)
	}
	w.run(span)
}

func (w *world) fault() {
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	if leader := w.leading(); leader != nil && w.rng.IntN(2) == 0 {
		h = leader
	}
	switch w.rng.IntN(6) {
	case 5:
		h.wipe()
		w.after(w.delay(500*time.Millisecond), func() {
			if h.life == 0 {
				h.start()
			}
		})
	case 0, 1:
		h.crash()
		w.after(w.delay(500*time.Millisecond), func() {
			if h.life == 0 {
				h.start()
			}
		})
	case 2: // one direction is silent for a while
		pair := [2]ensemble.ServerID{h.id, w.hosts[w.rng.IntN(len(w.hosts))].id}
		w.cut[pair] = true
		w.after(w.delay(time.Second), func() { delete(w.cut, pair) })
	case 3: // cut off from everybody
		for _, other := range w.hosts {
			for _, pair := range [][2]ensemble.ServerID{{h.id, other.id}, {other.id, h.id}} {
				w.cut[pair] = true
				w.after(500*time.Millisecond, func() { delete(w.cut, pair) })
			}
		}
	case 4:
		for _, other := range w.hosts {
			if l := h.links[other.id]; l != nil {
				l.sever()
				break
			}
		}
	}
}

func (w *world) leading() *host {
	for _, h := range w.hosts {
		if _, leads := h.nextProposal(); leads {
			return h
		}
	}
	return nil
}

// heal ends all faults and demands that everybody gets the same history soon.
func (w *world) heal() {
	clear(w.cut)
	w.loss = 0
	for _, h := range w.hosts {
		if h.life == 0 {
			h.start()
		}
	}
	w.run(w.now + healSpan)
	w.demand()
}

// demand asks for progress, and for one history everywhere.
func (w *world) demand() {
	before := len(w.history)
	w.propose()
	w.run(w.now + time.Second)
	if len(w.history) <= before {
		w.fail(Liveness, "no progress %v after the last fault", healSpan)
	}
	for _, h := range w.hosts {
		if len(h.log) != len(w.history) || h.log[len(h.log)-1].Chain != w.history[len(w.history)-1].Chain {
			w.fail(Liveness, "server %d has %d transactions on disk, of %d", h.id, len(h.log), len(w.history))
		}
	}
}
