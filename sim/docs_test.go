package sim_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim"
	"github.com/quorate/quorate/sim/check"
)

var rewriteDocs = flag.Bool("docs.rewrite", false, "renew the tables of docs/testing.md")

// The tables of docs/testing.md are those of the code.
func TestDocs_TablesAreTrue(t *testing.T) {
	const name = "../docs/testing.md"
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	text := string(content)
	renew := func(mark, table string) {
		begin, end := "<!-- "+mark+" -->\n", "<!-- end of "+mark+" -->"
		before, rest, ok := strings.Cut(text, begin)
		require.True(t, ok, "%s has no mark %q", name, begin)
		old, after, ok := strings.Cut(rest, end)
		require.True(t, ok, "%s has no mark %q", name, end)
		if *rewriteDocs {
			text = before + begin + table + end + after
			return
		}
		assert.Equal(t, table, old, "%s is out of date: go test ./sim -run Docs -docs.rewrite", name)
	}
	var rules strings.Builder
	rules.WriteString("| id | rule | checked by |\n|---|---|---|\n")
	for _, r := range check.Invariants {
		fmt.Fprintf(&rules, "| %s | %s | %s |\n", r.ID, r.Words, r.Where)
	}
	renew("invariants", rules.String())
	var faults []string
	for _, f := range sim.Families {
		faults = append(faults, "`"+string(f)+"`")
	}
	renew("faults", strings.Join(faults, ", ")+"\n")
	if *rewriteDocs {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
}
