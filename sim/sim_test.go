package sim_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 1, "first seed")
	seedsFlag = flag.Int("sim.seeds", 60, "number of seeds")
)

// Random crashes, cuts, losses and wipes, with every invariant checked at every
// step; then all is healed and the ensemble must make progress.
func TestRun_SafeThenAlive(t *testing.T) {
	var sum sim.Report
	for seed := *seedFlag; seed < *seedFlag+uint64(*seedsFlag); seed++ {
		r, err := sim.Run(sim.Varied(sim.Config{Time: 8 * time.Second}, seed))
		require.NoError(t, err)
		if r.Violation != nil {
			t.Fatal(r.Violation.Story())
		}
		sum.Events += r.Events
		sum.Leaders += r.Leaders
		sum.Crashes += r.Crashes
		sum.Wipes += r.Wipes
		sum.Committed += r.Committed
	}
	t.Logf("%d events, %d leaders, %d crashes, %d wipes, %d transactions committed", sum.Events, sum.Leaders, sum.Crashes, sum.Wipes, sum.Committed)
	assert.Positive(t, sum.Committed)
	assert.Positive(t, sum.Crashes)
	assert.Positive(t, sum.Wipes)
}

func TestRun_SameSeedSameStory(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		tell := func() (story []string, hash uint64) {
			r, err := sim.Run(sim.Varied(sim.Config{Time: 3 * time.Second, Trace: func(l string) { story = append(story, l) }}, seed))
			require.NoError(t, err)
			return story, r.Hash
		}
		a, ha := tell()
		b, hb := tell()
		require.Equal(t, a, b, "seed %d", seed)
		assert.Equal(t, ha, hb)
		assert.NotEmpty(t, a)
	}
}

func TestConfig_ValidateNamesEveryFault(t *testing.T) {
	_, err := sim.Run(sim.Config{Servers: 60, Time: -1, Loss: 2})
	for _, want := range []string{"60 servers", "Time", "Loss"} {
		assert.ErrorContains(t, err, want)
	}
}

func Example() {
	report, err := sim.Run(sim.Config{Seed: 7, Servers: 5, Time: 2 * time.Second})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Leaders > 0, report.Committed > 0, report.Violation == nil)
	// Output: true true true
}
