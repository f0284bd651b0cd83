package sim_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim"
	"github.com/quorate/quorate/sim/check"
)

var chancesFlag = flag.Uint64("sim.chances", 12, "number of seeds under which each scenario is played")

var storyFlag = flag.Bool("sim.story", false, "print everything that happens in scenarios")

// scenarios returns all scripts of testdata, by name.
func scenarios(t *testing.T) map[string]*sim.Script {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	scripts := map[string]*sim.Script{}
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(t, err)
		script, err := sim.ParseScript(f)
		require.NoError(t, f.Close())
		require.NoError(t, err, name)
		scripts[strings.TrimSuffix(filepath.Base(name), ".txt")] = script
	}
	return scripts
}

// told is the configuration to play a script under a seed, 0 for its own.
func told(t *testing.T, seed uint64) sim.Config {
	cfg := sim.Config{Seed: seed}
	if *storyFlag {
		cfg.Trace = func(ev *check.Event) { t.Log(sim.Line(ev)) }
	}
	return cfg
}

func play(t *testing.T, script *sim.Script, seed uint64) sim.Report {
	t.Helper()
	report, err := script.Run(told(t, seed))
	require.NoError(t, err)
	return report
}

func TestScenarios_AreGreen(t *testing.T) {
	for name, script := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			if r := play(t, script, 0); r.Violation != nil {
				t.Fatal(r.Violation.Story())
			}
		})
	}
}

// A scene reaches its moment by what it holds back and waits for, and not by the
// luck of one seed.
func TestScenarios_DoNotDependOnChance(t *testing.T) {
	for name, script := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= *chancesFlag; seed++ {
				if r := play(t, script, seed); r.Violation != nil {
					t.Error(r.Violation.Story())
				}
			}
		})
	}
}
