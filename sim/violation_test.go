package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// A checker that nothing can violate proves nothing: each is shown what it is
// there to see.
func TestCheckers_SeeWhatTheyAreThereFor(t *testing.T) {
	for name, tamper := range map[string]func(w *world, h *host){
		"agreement": func(w *world, h *host) {
			w.history[0].Chain++
			h.applied = 0
			w.checkCommit(h, w.history[0].Zxid)
		},
		"log completeness": func(w *world, h *host) { w.checkCommit(h, ensemble.NewZxid(99, 1)) },
		"durability": func(w *world, h *host) {
			t := zab.Txn{Zxid: w.history[len(w.history)-1].Zxid + 1}
			h.written = append(h.written[:len(w.history):len(w.history)], t)
			h.applied = len(w.history)
			w.checkCommit(h, t.Zxid)
		},
		"one leader per epoch": func(w *world, h *host) {
			for e := range w.leaders {
				w.checkEstablished(h, e)
			}
		},
		"leader completeness": func(w *world, h *host) {
			h.written = h.written[:len(w.history)-1]
			w.checkEstablished(h, 99)
		},
		Liveness: func(w *world, h *host) {
			h.crash()
			h.log = nil
			for _, other := range w.hosts {
				other.crash()
			}
			w.events = nil
			w.demand()
		},
	} {
		w, err := newWorld(Config{Seed: 3, Servers: 3, Time: time.Second})
		require.NoError(t, err)
		w.chaos(time.Second)
		w.heal()
		leader := w.leading()
		require.NotNil(t, leader)
		func() {
			defer func() {
				v, ok := recover().(*Violation)
				require.True(t, ok, "%s: nothing was noticed", name)
				assert.Equal(t, name, v.Invariant)
				assert.Contains(t, v.Story(), "seed 3")
			}()
			tamper(w, leader)
		}()
	}
}
