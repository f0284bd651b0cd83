// Command crowd measures what many clients cost: three servers of ours, and three
// of Apache ZooKeeper's, get ten thousand idle sessions, and then a thousand new
// ones a second, each closed at once, for a minute. It prints the memory of the
// servers and the latency of a client that works meanwhile, as a Markdown table:
//
//	go run ./integration_test/bench/crowd
//
// Both are measured in one run, one after the other: absolute figures wander with
// the machine, so compare the columns.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/integration_test/cluster"
)

// options are the command line.
type options struct {
	idle, rate     int
	calm, storm    time.Duration
	binary, commit string
	alone, last    bool
}

func main() {
	var o options
	flag.IntVar(&o.idle, "idle", 10000, "idle sessions, spread over the servers")
	flag.IntVar(&o.rate, "rate", 1000, "sessions that are opened and closed in a second")
	flag.DurationVar(&o.calm, "calm", 10*time.Second, "how long the working client is watched beside the idle sessions, and alone")
	flag.DurationVar(&o.storm, "storm", time.Minute, "how long sessions come and go")
	flag.StringVar(&o.binary, "binary", "", "the quorate binary; empty builds one")
	flag.StringVar(&o.commit, "commit", "", "what to print as the commit; empty asks the build, or git")
	flag.BoolVar(&o.alone, "alone", false, "measure Quorate only")
	flag.BoolVar(&o.last, "last", false, "measure Quorate last")
	flag.Parse()
	if flag.NArg() > 0 || o.idle < 0 || o.rate < 1 || o.calm < time.Second || o.storm < time.Second {
		fmt.Fprintln(os.Stderr, "crowd takes flags only, and their numbers are positive; see -h")
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if err := raiseFiles(uint64(o.idle + 5000)); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "quorate-crowd-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.binary == "" {
		o.binary = filepath.Join(dir, "quorate")
		out, err := exec.Command("go", "build", "-o", o.binary, "github.com/quorate/quorate/cmd/quorate").CombinedOutput()
		if err != nil {
			return fmt.Errorf("build the quorate command: %w\n%s", err, out)
		}
	}
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	kinds := []cluster.Kind{cluster.Quorate}
	if err := cluster.ZooKeeperInstalled(); err != nil && !o.alone {
		fmt.Fprintf(os.Stderr, "no comparison: %v\n", err)
	} else if !o.alone {
		kinds = append(kinds, cluster.ZooKeeper)
	}
	if o.last {
		slices.Reverse(kinds)
	}
	before := loadAverage()
	var columns []column
	for _, kind := range kinds {
		c, err := measure(o, kind, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		columns = append(columns, c)
	}
	fmt.Printf("%s, commit %s, %d CPUs (%s), load average %s before and %s after\n\n", time.Now().Format(time.DateOnly),
		commit(o), runtime.NumCPU(), processor(), before, loadAverage())
	printTable(o, kinds, columns)
	return nil
}

// raiseFiles raises the limit of open files, if it can and must.
func raiseFiles(want uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Max < want {
		return fmt.Errorf("%d open files are needed, and %d are the limit: ulimit -n, or fewer sessions by -idle", want, limit.Max)
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

func commit(o options) string {
	if o.commit != "" {
		return o.commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) > 10 {
				return s.Value[:10]
			}
		}
	}
	out, err := exec.Command("git", "rev-parse", "--short=10", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// loadAverage is that of the last minute.
func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(data), " ")
	return first
}

func processor() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
