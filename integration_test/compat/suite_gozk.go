package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// goZooKeeper is the test suite of github.com/go-zookeeper/zk, at the version
// that our go.mod requires.
type goZooKeeper struct{}

const goZooKeeperModule = "github.com/go-zookeeper/zk"

func (*goZooKeeper) Name() string { return "go-zookeeper" }

func (*goZooKeeper) About() string {
	return "The integration tests of " + goZooKeeperModule + " (`TestIntegration_…`), unmodified, from the module cache. " +
		"Each test starts its own servers, one or three, by `zkServer.sh start-foreground`, and stops and restarts them itself. " +
		"Tests with one server have no leader: nothing is killed under them. " +
		"This version cannot read the date in the first line of ZooKeeper 3.8's `srvr`, by which the tests wait for their servers; " +
		"for ZooKeeper only, that pattern is changed in the copy that runs. For Quorate nothing is."
}

// Slow are two tests that spend their time waiting.
func (*goZooKeeper) Slow(test string) bool {
	return test == "TestIntegration_Children" || test == "TestIntegration_NoQuorum"
}

func (*goZooKeeper) Missing() error {
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("there is no go command")
	}
	return nil
}

func (g *goZooKeeper) Client() string {
	out, err := exec.Command("go", "list", "-m", goZooKeeperModule).Output()
	if err != nil {
		return goZooKeeperModule
	}
	return strings.TrimSpace(string(out))
}

func (g *goZooKeeper) moduleDir() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", goZooKeeperModule).Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return "", fmt.Errorf("%s is not in the module cache: go mod download (%v)", goZooKeeperModule, err)
	}
	return dir, nil
}

var integrationTest = regexp.MustCompile(`(?m)^func (TestIntegration_\w+)\(`)

// Tests reads their names out of the source.
func (g *goZooKeeper) Tests(context.Context) ([]string, error) {
	dir, err := g.moduleDir()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range integrationTest.FindAllSubmatch(data, -1) {
			names = append(names, string(m[1]))
		}
	}
	slices.Sort(names)
	return names, nil
}

// goTestTimeout is what the suite's Makefile gives all tests together.
const goTestTimeout = 2 * time.Minute

func (g *goZooKeeper) Run(ctx context.Context, s *stage, tests []string, rec *recorder) error {
	binary, err := g.compile(ctx, s)
	if err != nil {
		return err
	}
	defer s.burn(ctx, s.post.killLeader)()
	// An old go line in its go.mod makes all runs choose the same ports.
	env := append(s.env(), "ZOOKEEPER_BIN_PATH="+s.binDir(), "ZK_VERSION=3.8.0", "GODEBUG=randautoseed=1")
	for _, name := range tests {
		rec.begin(name)
		p, err := start(filepath.Dir(binary), env, binary, "-test.run", "^"+name+"$", "-test.v", "-test.timeout", goTestTimeout.String())
		if err != nil {
			return err
		}
		outcome, reason, err := readGoTest(ctx, p, name)
		p.end()
		if err != nil {
			return err
		}
		rec.end(name, outcome, reason)
	}
	return nil
}

// compile copies the module, which is read-only, and compiles its tests.
func (g *goZooKeeper) compile(ctx context.Context, s *stage) (string, error) {
	from, err := g.moduleDir()
	if err != nil {
		return "", err
	}
	to := filepath.Join(s.dir, "zk")
	if _, err := os.Stat(filepath.Join(to, "zk.test")); err == nil {
		return filepath.Join(to, "zk.test"), nil
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return "", err
	}
	if !s.col.ours() {
		if err := readNewDates(filepath.Join(to, "flw.go")); err != nil {
			return "", err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-o", "zk.test", ".")
	cmd.Dir = to
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile the tests of %s: %w\n%s", goZooKeeperModule, err, out)
	}
	return filepath.Join(to, "zk.test"), nil
}

// newDates make go-zookeeper read the first line that ZooKeeper 3.8 answers to
// srvr. Its tests wait for their servers by that answer, and it takes only the
// dates of ZooKeeper before 3.6 and versions of letters and digits, which
// Debian's is not.
var newDates = strings.NewReplacer(
	`([A-Za-z0-9\.\-]+), built on (\d\d/\d\d/\d\d\d\d `, `(\S+), built on (\d\d\d\d-\d\d-\d\d `,
	`"01/02/2006 15:04 MST"`, `"2006-01-02 15:04 MST"`)

// readNewDates changes the copy of the client that runs against the original.
func readNewDates(path string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed := newDates.Replace(string(old))
	if n := strings.Count(changed, `-\d\d `) + strings.Count(changed, "2006-01-02"); n != 2 {
		return fmt.Errorf("%s is not the file that is known: %d places changed, not 2", path, n)
	}
	// The module cache is read-only, and so is its copy.
	return errors.Join(os.Remove(path), os.WriteFile(path, []byte(changed), 0o644))
}

var (
	goTestEnd = regexp.MustCompile(`^--- (PASS|FAIL|SKIP): (\w+) `)
	goTestLog = regexp.MustCompile(`^\s+\w+_test\.go:\d+: (.*)`)
)

// readGoTest follows the output of one test, whose servers print into it too.
func readGoTest(ctx context.Context, p *program, name string) (Outcome, string, error) {
	var reasons []string
	outcome := Fail
	deadline := time.Now().Add(goTestTimeout + 10*time.Second)
	for {
		line, err := p.next(ctx, deadline)
		if errors.Is(err, io.EOF) || errors.Is(err, errSilent) {
			break
		}
		if err != nil {
			return Fail, "", err
		}
		if m := goTestEnd.FindStringSubmatch(line); m != nil && m[2] == name {
			outcome = map[string]Outcome{"PASS": Pass, "FAIL": Fail, "SKIP": Skip}[m[1]]
		}
		if m := goTestLog.FindStringSubmatch(line); m != nil && !strings.Contains(line, "[ZKERR]") {
			reasons = append(reasons, strings.TrimSpace(line))
		}
		if strings.HasPrefix(line, "panic: ") {
			reasons = append(reasons, line)
		}
	}
	if outcome == Pass {
		return Pass, "", nil
	}
	if len(reasons) == 0 {
		reasons = []string{"it ended without a result"}
	}
	return outcome, strings.Join(reasons[max(0, len(reasons)-2):], "; "), nil
}
