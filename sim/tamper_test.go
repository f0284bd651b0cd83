package sim_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim"
	"github.com/quorate/quorate/sim/check"
)

// record plays a seed and returns what the checkers were shown.
func record(t *testing.T, cfg sim.Config) (events []check.Event, history *check.History) {
	t.Helper()
	cfg.Trace = func(ev *check.Event) {
		if ev.Seq > 0 { // others are for people
			events = append(events, *ev)
		}
	}
	cfg.History = func(h *check.History) { history = h }
	r, err := sim.Run(cfg)
	require.NoError(t, err)
	if r.Violation != nil {
		t.Fatal(r.Violation.Error())
	}
	return events, history
}

// A checker that nothing can violate proves nothing: each is shown real runs with
// a lie in them, and must see it for what it is.
func TestCheckers_SeeLiesAboutRealRuns(t *testing.T) {
	opts := check.Options{ClockDrift: 1, VotesAfterHealed: check.StormVotes - 1, LeaderWithin: time.Hour}
	told := map[string]int{}
	members := []ensemble.Member{{ID: 1}, {ID: 2}, {ID: 3}}
	view, err := ensemble.NewView(0, members)
	require.NoError(t, err)
	for seed := *seedFlag; seed < *seedFlag+8; seed++ {
		events, history := record(t, sim.Config{Seed: seed, Servers: 3, Time: 8 * time.Second, SnapshotTxns: 60})
		pick := rand.New(rand.NewPCG(seed, 9)).IntN
		for _, lie := range check.Tamperings() {
			tampered, ok := lie.Do(pick, events)
			if !ok {
				continue
			}
			told[lie.Name]++
			v := observe(view, opts, tampered)
			if assert.NotNil(t, v, "seed %d: nobody notices that %s", seed, lie.Name) {
				assert.Equal(t, lie.Invariant, v.Invariant, "seed %d: %s: %v", seed, lie.Name, v)
			}
		}
		for _, lie := range check.HistoryTamperings() {
			h := history.Clone()
			if !lie.Do(pick, h) {
				continue
			}
			told[lie.Name]++
			found := check.Witness(h)
			assert.True(t, found.Found(lie.Invariant), "seed %d: nobody notices %s of %s; noticed: %v", seed, lie.Invariant, lie.Name, found.Violations)
		}
		require.Nil(t, observe(view, opts, events), "seed %d: the run itself", seed)
	}
	for _, lie := range check.Tamperings() {
		if told[lie.Name] == 0 {
			t.Logf("no place in these runs for %s (%s)", lie.Name, lie.Invariant)
		}
	}
	assert.Greater(t, len(told), 60, "kinds of lies that were told")
}

// observe shows a trace to a fresh checker.
func observe(view *ensemble.View, opts check.Options, events []check.Event) *check.Violation {
	c := check.NewCluster(view, opts)
	for i := range events {
		if v := c.Observe(&events[i]); v != nil {
			return v
		}
	}
	return c.Finish()
}
