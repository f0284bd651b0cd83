package check_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim/check"
)

var (
	witnessSeed  = flag.Uint64("check.seed", 0, "first seed of the histories that Witness is tried on")
	witnessSeeds = flag.Int("check.seeds", 1000, "how many of them")
)

// report prints findings for a test that fails.
func report(f check.Findings) string {
	s := ""
	for _, v := range f.Violations {
		s += fmt.Sprintf("\n  order %d: %v", v.Order, v)
	}
	return s
}

func TestWitness_HonestHistoriesPass(t *testing.T) {
	total := map[string]int{}
	unknown := 0
	for i := range *witnessSeeds {
		seed := *witnessSeed + uint64(i)
		h := newTown(seed).run(4000)
		f := check.Witness(h)
		require.Empty(t, f.Violations, "-check.seed %d: %s", seed, report(f))
		for k, n := range f.Checked {
			total[k] += n
		}
		unknown += f.Unknown
	}
	t.Logf("seeds %d to %d: %v, doubts %d", *witnessSeed, *witnessSeed+uint64(*witnessSeeds)-1, total, unknown)
	for _, id := range []string{"C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "T4", "T5", "T6", "T7",
		"S1", "S2", "S3", "S4", "S7", "W1", "W2", "W3", "W4", "W5", "W6", "W7"} {
		assert.Positive(t, total[id], "%s was never put to the test", id)
	}
}
