//go:build mutants

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim"
	"github.com/quorate/quorate/sim/check"
)

// A script made of a red run says which mutant it needs, and is red with it.
func TestSim_ShrunkScriptsNameTheirMutant(t *testing.T) {
	t.Cleanup(clearMutant)
	script := filepath.Join(t.TempDir(), "s.txt")
	code, _, errs := runCommand("sim", "shrink", "--mutant", "M05", "--seed", "1", "--time", "20s", "--budget", "1s", "-o", script)
	require.Equal(t, exitOK, code, errs)
	clearMutant()
	text, err := os.ReadFile(script)
	require.NoError(t, err)
	assert.Contains(t, string(text), "\nmutant M05 violates B6\n")
	code, out, _ := runCommand("sim", "script", script)
	assert.Equal(t, exitOK, code, out)
	code, out, _ = runCommand("sim", "script", script, "--mutant", "M05")
	assert.Equal(t, exitUnsafe, code, out)
	assert.Contains(t, out, "violates B6")
}

// Only an invariant that a mutant breaks has noticed it; another one is luck, or a
// false alarm.
func TestHunt_CountsOnlyWhatIsMeant(t *testing.T) {
	f := &fate{by: map[string]int{}, others: map[string]int{}}
	for _, name := range []string{"", "V1", "B6", "B6", "", "C2", "V1"} {
		r := sim.Report{}
		if name != "" {
			r.Violation = &sim.Violation{Violation: check.Violation{Invariant: name}}
		}
		f.take(r, []string{"B6", "HEO"})
	}
	assert.Equal(t, []int{3, 1}, f.seeds)
	assert.Equal(t, 7, f.run)
	assert.Equal(t, "B6 (2); not counted: V1 (2), C2 (1)", f.names())
	none := &fate{others: map[string]int{"V7": 1}}
	assert.Equal(t, "nobody; not counted: V7 (1)", none.names())
}
