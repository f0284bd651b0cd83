package cli

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/sim/zktest"
)

var rewrite = flag.Bool("rewrite", false, "write what the scenes of testdata give into them")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testLimit = time.Minute // also the shells' session timeout

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

// marked writes into a common buffer, each line behind a mark.
type marked struct {
	into *bytes.Buffer
	mark string
}

func (m marked) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		line = m.mark + strings.TrimRight(line, "\n")
		if line == "" {
			line = "~" // not one between parts of the scene
		}
		m.into.WriteString(line + "\n")
	}
	return len(b), nil
}

// What differs from run to run.
var masks = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ \d{4}`), "TIME"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "SERVER"},
	{regexp.MustCompile(`0x[0-9a-f]{2,}`), "0xN"},
	{regexp.MustCompile(`go1\.[0-9.]+`), "GO"},
}

func steady(s string) string {
	for _, m := range masks {
		s = m.what.ReplaceAllString(s, m.with)
	}
	return s
}

// TestScenes plays the scripts of testdata, each on an ensemble of its own. A line that
// begins with > is a command; below it stands what it prints: on standard output as it
// is (~ for an empty line), on standard error behind "! ", and its exit code, if that is not 0. DIR is a
// directory of the scene's own, SERVER the server's address.
func TestScenes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			got := playScene(t, string(want))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(want), got)
		})
	}
}

func playScene(t *testing.T, script string) string {
	e := zktest.Start(t, 1)
	dir := t.TempDir()
	var shown bytes.Buffer
	s := New(Options{Servers: e.ConnectString(), Timeout: testLimit, Version: "1.2.3", In: strings.NewReader(""),
		Out: marked{&shown, ""}, Err: marked{&shown, "! "}})
	defer s.Close()
	for line := range strings.Lines(script) {
		switch {
		case strings.HasPrefix(line, "# ") || line == "\n":
			shown.WriteString(line)
		case strings.HasPrefix(line, "> "):
			shown.WriteString(line)
			words := strings.NewReplacer("DIR", dir, "SERVER", e.ConnectString()).Replace(line[2:])
			s.opt.JSON = false
			if rest, ok := strings.CutPrefix(words, "json "); ok {
				words, s.opt.JSON = rest, true
			}
			if code := exitCode(s.runLine(testContext(t), words)); code != exitOK {
				shown.WriteString("exit " + string(rune('0'+code)) + "\n")
			}
		}
	}
	return steady(strings.ReplaceAll(shown.String(), dir, "DIR"))
}
