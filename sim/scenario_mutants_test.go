//go:build mutants

package sim

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/sim/check"
)

// A scene about a bug turns red when the bug is there, and by an invariant that
// its script names: this is what the scenes are worth, and the checkers.
func TestScenarios_AreRedWithTheirMutants(t *testing.T) {
	t.Cleanup(mutant.Clear)
	for name, script := range scenarios(t) {
		for _, m := range script.Mutants {
			t.Run(name+"/"+m.ID, func(t *testing.T) {
				defer mutant.Clear()
				for seed := uint64(0); seed <= *chancesFlag; seed++ {
					mutant.Clear()
					r, err := script.RunMutant(told(t, seed), func() { require.NoError(t, mutant.Set(m.ID)) })
					require.NoError(t, err)
					if !assert.NotNil(t, r.Violation, "seed %d: nobody noticed; want one of %s", seed, strings.Join(m.Invariants, ", ")) {
						continue
					}
					if !slices.Contains(m.Invariants, r.Violation.Invariant) {
						t.Errorf("want one of %s\n%s", strings.Join(m.Invariants, ", "), r.Violation.Story())
					}
				}
			})
		}
	}
}

// Every mutant that a simulation can have has a scene, which names the invariants
// that the catalogue has for it, or the scene's own expectations.
func TestScenarios_EveryMutantHasOne(t *testing.T) {
	shown, alarms := map[string]bool{}, map[string][]string{}
	for _, m := range mutant.All() {
		alarms[m.ID.String()] = append(m.Alarms, "expect")
		for _, name := range m.Alarms {
			assert.True(t, slices.ContainsFunc(check.Invariants[:], func(r check.Rule) bool { return r.ID == name }), "%v: there is no %s", m.ID, name)
		}
	}
	for _, script := range scenarios(t) {
		for _, m := range script.Mutants {
			shown[m.ID] = true
			assert.Subset(t, alarms[m.ID], m.Invariants, "%s: %s", script.Title, m.ID)
		}
	}
	for _, m := range mutant.All() {
		assert.Equal(t, m.Absent == "" && !m.Real, shown[m.ID.String()], "%v: %s", m.ID, m.Does)
	}
}
