//go:build mutants

package mutant_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/mutant"
)

func TestSet_OneAtATime(t *testing.T) {
	t.Cleanup(mutant.Clear)
	assert.True(t, mutant.Built)
	require.NoError(t, mutant.Set("M07"))
	assert.True(t, mutant.On(mutant.M07))
	require.NoError(t, mutant.Set("M08"))
	assert.False(t, mutant.On(mutant.M07))
	assert.True(t, mutant.On(mutant.M08))
	assert.ErrorContains(t, mutant.Set("m08"), `no mutant "m08": want one of M01 to M42`)
	assert.ErrorContains(t, mutant.Set(""), "want one of")
	assert.ErrorContains(t, mutant.Set("M26"), "M26 does not exist: there is no reconfiguration")
	assert.True(t, mutant.On(mutant.M08), "a refusal changes nothing")
	mutant.Clear()
	assert.False(t, mutant.On(mutant.M08))
}

func TestContrast_SwitchesOnAndOff(t *testing.T) {
	without, with := mutant.Contrast(mutant.M07, func() bool { return mutant.On(mutant.M07) })
	assert.False(t, without)
	assert.True(t, with)
	assert.False(t, mutant.On(mutant.M07))
	assert.Panics(t, func() { mutant.Contrast(mutant.M26, func() int { return 0 }) })
}

// complaints is a test that fails without ending.
type complaints []string

func (c *complaints) Helper() {}

func (c *complaints) Errorf(format string, args ...any) {
	*c = append(*c, fmt.Sprintf(format, args...))
}

func TestShow_WantsTheDifference(t *testing.T) {
	for want, scene := range map[string]func() bool{
		"[]":                              func() bool { return mutant.On(mutant.M07) },
		"[without M07, too, a shop ends]": func() bool { return true },
		"[with M07 no shop ends]":         func() bool { return false },
	} {
		var c complaints
		mutant.Show(&c, mutant.M07, "shop", "ends", scene)
		assert.Equal(t, want, fmt.Sprint(c))
	}
}

// A process started with the variable has the mutant, and says so.
func TestEnvironment_SwitchesOn(t *testing.T) {
	start := func(name string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), environmentMark+"="+name)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := start("M07")
	require.NoError(t, err)
	assert.Contains(t, out, "QUORATE_MUTANT=M07: this process is wrong on purpose: removes the epochs file")
	out, err = start("M99")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 2, exit.ExitCode())
	assert.Contains(t, out, `QUORATE_MUTANT: there is no mutant "M99"`)
}

func TestCatalogue_IsWhole(t *testing.T) {
	all := mutant.All()
	require.Len(t, all, int(mutant.M42))
	for i, m := range all {
		assert.Equal(t, mutant.M01+mutant.ID(i), m.ID)
		assert.NotEmpty(t, m.Does, m.ID)
		assert.NotEmpty(t, m.Alarms, m.ID)
		assert.Equal(t, m.Absent == "", len(m.Where) > 0, "%v is somewhere, or says why not", m.ID)
	}
	all[0].Does = "changed"
	assert.NotEqual(t, "changed", mutant.All()[0].Does)
}

// The catalogue says where each mutant is, and each has a test beside it.
func TestCatalogue_PlacesAndTestsAreThere(t *testing.T) {
	places, tested := map[mutant.ID][]string{}, map[string]bool{}
	on, row := regexp.MustCompile(`mutant\.On\(mutant\.(M\d\d)\)`), regexp.MustCompile(`mutant\.(M\d\d)`)
	root := os.DirFS(filepath.Join("..", ".."))
	require.NoError(t, fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasPrefix(path, "internal/mutant/") {
			return err
		}
		content, err := fs.ReadFile(root, path)
		if filepath.Base(path) == "mutant_test.go" {
			for _, m := range row.FindAllSubmatch(content, -1) {
				tested[filepath.Dir(path)+" "+string(m[1])] = true
			}
			return err
		}
		for _, m := range on.FindAllSubmatch(content, -1) {
			for _, c := range mutant.All() {
				if c.ID.String() == string(m[1]) && !slices.Contains(places[c.ID], path) {
					places[c.ID] = append(places[c.ID], path)
				}
			}
		}
		return err
	}))
	for _, m := range mutant.All() {
		assert.ElementsMatch(t, m.Where, places[m.ID], m.ID)
		for _, path := range m.Where {
			dir := filepath.Dir(path)
			assert.True(t, tested[dir+" "+m.ID.String()], "%v has no test in %s", m.ID, dir)
		}
	}
}
