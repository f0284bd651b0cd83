package mutant_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The marks that mutants leave in a binary: the names of this package's functions
// and variables, the variable of the environment, and the catalogue.
const (
	symbolMark      = "/internal/mutant."
	environmentMark = "QUORATE_MUTANT"
	catalogueMark   = "ZOOKEEPER-4925, ZOOKEEPER-2418"
)

// The binary with mutants is here to show that the marks would be found.
func TestBinary_HasMutantsOnlyIfBuiltSo(t *testing.T) {
	for _, c := range []struct {
		tags string
		want bool
	}{{"", false}, {"mutants", true}} {
		t.Run("tags="+c.tags, func(t *testing.T) {
			binary := filepath.Join(t.TempDir(), "quorate")
			run(t, "go", "build", "-tags", c.tags, "-o", binary, "github.com/quorate/quorate/cmd/quorate")
			content, err := os.ReadFile(binary)
			require.NoError(t, err)
			assert.Equal(t, c.want, bytes.Contains(content, []byte(environmentMark)))
			assert.Equal(t, c.want, bytes.Contains(content, []byte(catalogueMark)))
			assert.Equal(t, c.want, strings.Contains(run(t, "go", "tool", "nm", binary), symbolMark))
		})
	}
}

// run runs a command and returns what it prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var complaints bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v: %s", name, args, &complaints)
	return string(out)
}
