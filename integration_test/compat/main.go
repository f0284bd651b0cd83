// Command compat runs the clients' own test suites against Apache ZooKeeper and
// against Quorate, in peace and while leaders are killed, and writes down what
// passes where:
//
//	go run ./integration_test/compat                       everything; rewrites docs/compatibility.md
//	go run ./integration_test/compat -suites kazoo -columns real,ours
//	go run ./integration_test/compat -short -check         what CI runs
//
// The results go into a JSON file, which holds the last run of each suite and
// column; the document is made from that file. A run of some suites or columns
// replaces only those.
//
// A suite starts servers as its authors meant it to, by zkServer.sh or java.
// What it finds under these names is this program once more (shim.go), which
// starts the original or ours.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/quorate/quorate/integration_test/cluster"
)

// options are the command line.
type options struct {
	suites, columns, tests string
	short, check           bool
	binary, json, doc      string
	every, limit           time.Duration
	tries                  int
	render, rewrite        bool
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == shimCommand {
		os.Exit(shim(os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.suites, "suites", "", "suites to run, separated by commas; empty is all")
	flag.StringVar(&o.columns, "columns", "real,ours,real-fire,ours-fire", "runs to make of each")
	flag.StringVar(&o.tests, "tests", "", "only tests whose name contains this; writes no results")
	flag.BoolVar(&o.short, "short", false, "leave out slow tests, and write no results")
	flag.BoolVar(&o.check, "check", false, "exit 1 if a test passes on ZooKeeper and not on Quorate")
	flag.StringVar(&o.binary, "binary", "", "the quorate binary; empty builds one")
	flag.StringVar(&o.json, "json", "integration_test/compat/results.json", "file of results")
	flag.StringVar(&o.doc, "doc", "docs/compatibility.md", "the document")
	flag.DurationVar(&o.every, "every", 20*time.Second, "under fire, how often the leader is killed")
	flag.DurationVar(&o.limit, "limit", 2*time.Hour, "stop everything after this time")
	flag.IntVar(&o.tries, "tries", 2, "how often a test is run that fails")
	flag.BoolVar(&o.render, "render", false, "run nothing, write the document from the file of results")
	flag.BoolVar(&o.rewrite, "rewrite", false, "run the scripts against ZooKeeper, and take what is printed for what should be")
	flag.Parse()
	if flag.NArg() > 0 || o.tries < 1 || o.every <= 0 {
		fmt.Fprintln(os.Stderr, "compat takes flags only, and -tries and -every are positive; see -h")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "compat:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("not done after %v", o.limit))
	defer cancel()
	if o.render {
		r, err := loadResults(o.json)
		if err != nil {
			return err
		}
		return writeDocument(r, o.doc)
	}
	picked, err := pickSuites(o.suites)
	if err != nil {
		return err
	}
	if o.rewrite {
		o.columns = string(Real)
		picked = rewriting(picked)
	}
	cols, err := pickColumns(o.columns)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "quorate-compat-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(ctx, &o, dir); err != nil {
		return err
	}
	fresh := Results{}
	for _, s := range picked {
		if err := s.Missing(); err != nil {
			fmt.Printf("%s: skipped: %v\n", s.Name(), err)
			continue
		}
		for _, col := range cols {
			if err := play(ctx, o, dir, s, col, fresh); err != nil {
				return fmt.Errorf("%s, %s: %w", s.Name(), col, err)
			}
		}
	}
	return judge(o, fresh)
}

// judge prints what passes on ZooKeeper only and is not known to, and fails if
// that is asked for.
func judge(o options, fresh Results) error {
	bad := slices.DeleteFunc(fresh.regressions(), func(b regression) bool { return b.Known() != "" })
	for _, b := range bad {
		fmt.Printf("passes on ZooKeeper and not on Quorate (%s, %d tries): %s %s: %s\n", b.Column, b.Verdict.Tries, b.Suite, b.Test, b.Verdict.Reason)
	}
	if stale := fresh.staleKnown(); o.check && len(stale) > 0 {
		return fmt.Errorf("these pass now; remove them from known.go: %s", strings.Join(stale, ", "))
	}
	if o.check && len(bad) > 0 {
		return fmt.Errorf("%d tests pass on ZooKeeper and not on Quorate", len(bad))
	}
	return nil
}

// build makes the quorate binary unless one is given.
func build(ctx context.Context, o *options, dir string) error {
	var err error
	if o.binary == "" {
		o.binary = filepath.Join(dir, "quorate")
		out, err := exec.CommandContext(ctx, "go", "build", "-o", o.binary, "github.com/quorate/quorate/cmd/quorate").CombinedOutput()
		if err != nil {
			return fmt.Errorf("build the quorate command: %w\n%s", err, out)
		}
	}
	o.binary, err = filepath.Abs(o.binary)
	return err
}

func pickSuites(list string) ([]suite, error) {
	all := suites()
	if list == "" {
		return all, nil
	}
	var picked []suite
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(s suite) bool { return s.Name() == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no suite %q", name)
		}
		picked = append(picked, all[i])
	}
	return picked, nil
}

// rewriting keeps the suites that are scripts, and has them renewed.
func rewriting(picked []suite) []suite {
	var scripts []suite
	for _, s := range picked {
		if h, ok := s.(*shell); ok {
			h.rewrite = true
			scripts = append(scripts, h)
		}
	}
	return scripts
}

func pickColumns(list string) ([]Column, error) {
	var picked []Column
	for name := range strings.SplitSeq(list, ",") {
		if !slices.Contains(columns, Column(name)) {
			return nil, fmt.Errorf("there is no column %q; want some of %v", name, columns)
		}
		picked = append(picked, Column(name))
	}
	return picked, nil
}

// play makes one run of a suite, and saves what came of it.
func play(ctx context.Context, o options, dir string, s suite, col Column, fresh Results) error {
	if !col.ours() {
		if err := cluster.ZooKeeperInstalled(); err != nil {
			fmt.Printf("%s, %s: skipped: %v\n", s.Name(), col, err)
			return nil
		}
	}
	tests, err := s.Tests(ctx)
	if err != nil {
		return err
	}
	tests = slices.DeleteFunc(tests, func(name string) bool {
		return !strings.Contains(name, o.tests) || o.short && s.Slow(name)
	})
	st, err := newStage(dir, o.binary, col, o.every)
	if err != nil {
		return err
	}
	defer st.close()
	started := time.Now()
	verdicts, err := tryAll(ctx, o, s, st, tests)
	if err != nil {
		return err
	}
	info := RunInfo{Date: started.UTC().Format("2006-01-02 15:04"), Commit: commit(), Server: serverName(col), Client: s.Client(),
		Seconds: time.Since(started).Round(time.Second).Seconds(), Kills: int(st.kills.Load()), LeftOut: st.leftOut}
	fresh.put(s.Name(), col, info, verdicts)
	fmt.Printf("%s %s: %s\n", s.Name(), col, fresh[s.Name()].total(col))
	if o.short || o.rewrite || o.tests != "" {
		return nil
	}
	all, err := loadResults(o.json)
	if err != nil {
		return err
	}
	all.put(s.Name(), col, info, verdicts)
	return errors.Join(all.save(o.json), writeDocument(all, o.doc))
}

// tryAll runs tests, and those that fail again.
func tryAll(ctx context.Context, o options, s suite, st *stage, tests []string) (map[string]Verdict, error) {
	rec := &recorder{out: os.Stdout, prefix: fmt.Sprintf("%-12s %-9s", s.Name(), st.col), stage: st, verdicts: map[string]Verdict{}}
	for range o.tries {
		left := slices.DeleteFunc(slices.Clone(tests), func(name string) bool {
			v, ran := rec.verdicts[name]
			return ran && (v.Outcome != Fail || st.col.ours() && known[s.Name()][name] != "")
		})
		if len(left) == 0 {
			break
		}
		if err := s.Run(ctx, st, left, rec); err != nil {
			return nil, err
		}
	}
	for _, name := range tests {
		if _, ran := rec.verdicts[name]; !ran {
			return nil, fmt.Errorf("test %s was not run", name)
		}
	}
	return rec.verdicts, nil
}

// commit is what the working tree was made of when the first run began: later the
// results themselves have changed it.
var commit = sync.OnceValue(func() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
})

// serverName is what a run is made against.
func serverName(col Column) string {
	if col.ours() {
		return "Quorate"
	}
	return "Apache ZooKeeper " + packageVersion("libzookeeper-java")
}

// packageVersion asks Debian for the version of a package.
func packageVersion(name string) string {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
	if err != nil {
		return "of unknown version"
	}
	return string(out)
}
