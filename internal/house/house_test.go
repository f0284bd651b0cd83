package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/quorate/quorate/"

// downhill says which of our packages each of them may import. Test files may
// import more.
var downhill = map[string][]string{
	"ensemble":         {},
	"fle":              {"ensemble", "internal/mutant"},
	"zab":              {"ensemble", "internal/mutant"},
	"zab/storage":      {"ensemble", "zab", "internal/mutant"},
	"transport":        {"ensemble", "internal/pack", "internal/mutant"},
	"transport/gossip": {"ensemble", "internal/pack"},
	"quorum":           {"ensemble", "fle", "zab", "zab/storage", "transport", "internal/mutant", "internal/ports"},
	"sim":              {"ensemble", "fle", "zab", "zab/storage", "quorum", "server", "server/proto", "sim/check", "internal/jute", "internal/mutant"},
	"sim/check":        {"ensemble", "server/proto"},
	"sim/picture":      {"ensemble", "server/proto", "sim/check"},
	"sim/zktest":       {"ensemble", "quorum", "server", "zab", "zab/storage", "transport"},
	"internal/certs":   {},
	"internal/jute":    {},
	"internal/mutant":  {},
	"internal/pack":    {},
	"internal/ports":   {},
	"internal/house":   {},
	"internal/x500":    {},
	"server":           {"ensemble", "zab", "server/lf", "server/metric", "server/proto", "server/znode", "server/session", "server/watch", "server/sasl", "internal/jute", "internal/mutant", "internal/x500"},
	"server/lf":        {},
	"server/metric":    {},
	"server/audit":     {"server"},
	"server/meter":     {"ensemble", "quorum", "server/metric", "server/proto", "zab", "zab/storage"},
	"server/admin":     {"ensemble", "server", "server/metric"},
	"server/proto":     {"ensemble", "internal/jute"},
	"server/znode":     {"ensemble", "zab", "server/proto", "internal/jute", "internal/mutant", "internal/x500"},
	"server/sasl":      {},
	"server/session":   {"ensemble"},
	"server/watch":     {"server/proto"},
	"cmd/quorate":      {"ensemble", "quorum", "server", "server/admin", "server/audit", "server/meter", "server/sasl", "internal/certs", "transport/gossip", "zab", "zab/storage", "sim", "sim/check", "sim/picture", "internal/cli", "internal/zkclient", "internal/mutant", "internal/ports"},

	"internal/certs/certstest": {},
	"server/sasl/sasltest":     {},

	"internal/zkclient": {"server/proto"},
	"internal/cli":      {"internal/zkclient", "server/proto"},
}

// pure are the packages, and files of packages, that decide and do nothing else.
var pure = []string{
	"ensemble/id.go", "ensemble/quorum.go", "ensemble/view.go",
	"fle/ballot.go", "fle/step.go", "fle/receive.go", "fle/tally.go", "fle/vote.go",
	"zab/", "quorum/peer.go",
	"sim/", "sim/check/",
	"server/proto/", "server/znode/", "server/sasl/", "server/session/", "server/watch/", "internal/jute/", "internal/pack/", "internal/x500/",
	"server/auth.go",
	"server/wire.go", "server/frames.go", "server/input.go", "server/answer.go", "server/closing.go", "server/dispatch.go",
	"server/handshake.go", "server/eager.go", "server/policy.go", "server/quota.go", "server/reads.go", "server/rearm.go", "server/reaper.go", "server/expiry.go", "server/statemachine.go", "server/stats.go",
	"server/words.go", "server/texts.go", "server/audit.go", "server/report.go", "server/measure.go", "server/ops.go", "server/mntr.go", "server/config.go", "server/quorum.go",
}

// impure is what a pure file must not import.
var impure = []string{"net", "os", "sync", "context", "math/rand", "math/rand/v2", "crypto/rand"}

// seeded are the packages, pure otherwise, that make randomness from a seed.
var seeded = []string{"sim"}

// onlyImporters are libraries that one package hides from all others.
var onlyImporters = map[string]string{
	"github.com/hashicorp/memberlist":                "transport/gossip",
	"github.com/spf13/cobra":                         "cmd/quorate",
	"github.com/prometheus/client_golang/prometheus": "server/admin",
}

func TestHouse_ImportsPointDownhill(t *testing.T) {
	seen := map[string]bool{}
	eachFile(t, func(path string, file *ast.File) {
		pkg := filepath.ToSlash(filepath.Dir(path))
		if strings.HasPrefix(pkg, "integration_test") {
			return
		}
		allowed, planned := downhill[pkg]
		require.True(t, planned, "package %s is not in the plan of the house", pkg)
		seen[pkg] = true
		for _, imp := range imports(file) {
			if ours, ok := strings.CutPrefix(imp, module); ok {
				assert.Contains(t, allowed, ours, "%s imports %s", path, ours)
			}
			if only, ok := onlyImporters[imp]; ok {
				assert.Equal(t, only, pkg, "%s imports %s", path, imp)
			}
		}
	})
	for pkg := range downhill {
		assert.True(t, seen[pkg], "package %s is in the plan and does not exist", pkg)
	}
}

func TestHouse_PureFilesKnowNoWorld(t *testing.T) {
	found := map[string]bool{}
	eachFile(t, func(path string, file *ast.File) {
		i := slices.IndexFunc(pure, func(p string) bool {
			if dir, ok := strings.CutSuffix(p, "/"); ok {
				return filepath.ToSlash(filepath.Dir(path)) == dir
			}
			return filepath.ToSlash(path) == p
		})
		if i < 0 {
			return
		}
		found[pure[i]] = true
		for _, imp := range imports(file) {
			if imp == "math/rand/v2" && slices.Contains(seeded, filepath.ToSlash(filepath.Dir(path))) {
				continue
			}
			assert.NotContains(t, impure, imp, "%s is pure and imports %s", path, imp)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && x.Obj == nil {
					assert.NotContains(t, []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
						sel.Sel.Name, "%s is pure and calls time.%s", path, sel.Sel.Name)
				}
			}
			return true
		})
	})
	for _, p := range pure {
		assert.True(t, found[p], "%s is said to be pure and does not exist", p)
	}
}

func imports(file *ast.File) []string {
	var list []string
	for _, i := range file.Imports {
		list = append(list, strings.Trim(i.Path.Value, `"`))
	}
	return list
}

// eachFile parses every Go file of the module that is not a test.
func eachFile(t *testing.T, visit func(path string, file *ast.File)) {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	n := 0
	err = fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.SkipObjectResolution)
		if err == nil {
			n++
			visit(path, file)
		}
		return err
	})
	require.NoError(t, err)
	require.Positive(t, n)
}

func TestHouse_ReadmeShowsTheExampleThatRuns(t *testing.T) {
	example, err := os.ReadFile("../../quorum/example_test.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	begin := strings.Index(string(example), "// counter is a state machine")
	require.Positive(t, begin)
	body := string(example[begin:])
	assert.Less(t, strings.Count(body, "\n"), 80, "the example is to be under 80 lines")
	assert.Contains(t, string(readme), body)
}
