package check_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim/check"
)

// tamperBases is how many histories each tampering is tried on.
const tamperBases = 20

func TestHistoryTamperings_EachIsFoundByItsInvariant(t *testing.T) {
	var bases []*check.History
	for i := range uint64(tamperBases) {
		h := newTown(*witnessSeed + 10_000 + i).run(15_000)
		require.Empty(t, check.Witness(h).Violations)
		bases = append(bases, h)
	}
	names := map[string]bool{}
	for _, tampering := range check.HistoryTamperings() {
		require.False(t, names[tampering.Name], "two are called %q", tampering.Name)
		names[tampering.Name] = true
		t.Run(tampering.Name, func(t *testing.T) {
			places, first := 0, 0
			for i, base := range bases {
				seed := *witnessSeed + 10_000 + uint64(i)
				rng := rand.New(rand.NewPCG(seed, 2))
				h := base.Clone()
				if !tampering.Do(rng.IntN, h) {
					assert.Equal(t, base, h, "it says that it changed nothing")
					continue
				}
				places++
				f := check.Witness(h)
				require.True(t, f.Found(tampering.Invariant), "-check.seed %d, base %d: %s is not among the findings: %s", *witnessSeed, i, tampering.Invariant, report(f))
				if v := f.First(); v != nil && v.Invariant == tampering.Invariant {
					first++
				}
			}
			assert.Positive(t, places, "no history has a place for it")
			t.Logf("%s: %d of %d histories, first to be found in %d", tampering.Invariant, places, tamperBases, first)
		})
	}
	assert.GreaterOrEqual(t, len(names), 40)
}

func TestHistoryTamperings_CoverEveryInvariantOfWitness(t *testing.T) {
	covered := map[string]bool{"S6": true} // TestOverdue_SilentSessionMustEnd
	for _, tampering := range check.HistoryTamperings() {
		covered[tampering.Invariant] = true
	}
	for _, rule := range check.Invariants {
		if rule.Where == check.ByWitness {
			assert.True(t, covered[rule.ID], "%s (%s): nothing shows that Witness sees it", rule.ID, rule.Words)
		}
	}
}
