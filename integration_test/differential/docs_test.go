package differential

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewriteFlag = flag.Bool("rewrite", false, "write docs/compatibility-differences.md anew instead of comparing it")

// The page of differences is what the comparison believes.
func TestDifferences_PageIsTrue(t *testing.T) {
	const name = "../../docs/compatibility-differences.md"
	var b strings.Builder
	b.WriteString(`# Where Quorate differs from ZooKeeper 3.8.0

Random histories of clients are played on Apache ZooKeeper 3.8.0, as Debian has it, and on Quorate, and
what the clients see is compared byte by byte (` + "`go doc ./integration_test/differential`" + `). These are all
differences that are known; one that is not here fails the test. This page is written by
` + "`go test ./integration_test/differential -run Page -rewrite`" + `.

| id | what | why |
|---|---|---|
`)
	for _, d := range Differences {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", d.ID, d.What, d.Why)
	}
	page := b.String()
	if *rewriteFlag {
		require.NoError(t, os.WriteFile(name, []byte(page), 0o644))
	}
	have, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, page, string(have), "%s is out of date: go test ./integration_test/differential -run Page -rewrite", name)
}
