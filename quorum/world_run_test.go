package quorum

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

var (
	seedFlag  = flag.Uint64("world.seed", 1, "first seed of the simulated worlds")
	seedsFlag = flag.Int("world.seeds", 30, "number of simulated worlds")
)

// Random crashes, cuts and losses, with every invariant checked at every step;
// then all is healed and the ensemble must make progress.
func TestWorld_SafeThenAlive(t *testing.T) {
	elections, commits, steps := 0, 0, 0
	for seed := *seedFlag; seed < *seedFlag+uint64(*seedsFlag); seed++ {
		voters := 3
		if seed%4 == 0 {
			voters = 5
		}
		w := newWorld(t, seed, voters, int(seed%2), seed%3 == 0)
		w.loss = float64(seed%3) * 0.1
		w.chaos(8 * time.Second)
		w.heal(seed)
		elections += len(w.leaders)
		commits += len(w.history)
		steps += w.steps
	}
	t.Logf("seeds %d to %d: %d events, %d leaders, %d transactions committed",
		*seedFlag, *seedFlag+uint64(*seedsFlag)-1, steps, elections, commits)
	require.Positive(t, commits)
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
		if h.life != 0 && h.peer.leading != nil && h.peer.leading.Serving() {
			return h
		}
	}
	return nil
}

// heal ends all faults and demands that everybody gets the same history soon.
func (w *world) heal(seed uint64) {
	clear(w.cut)
	w.loss = 0
	for _, h := range w.hosts {
		if h.life == 0 {
			h.start()
		}
	}
	w.run(w.now + 15*time.Second)
	before := len(w.history)
	w.propose()
	w.run(w.now + time.Second)
	if len(w.history) <= before {
		w.fail("seed %d: no progress 15 s after the last fault", seed)
	}
	for _, h := range w.hosts {
		if len(h.log) != len(w.history) || h.log[len(h.log)-1].Chain != w.history[len(w.history)-1].Chain {
			w.fail("seed %d: server %d has %d transactions on disk, of %d", seed, h.id, len(h.log), len(w.history))
		}
	}
}
