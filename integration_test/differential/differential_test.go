package differential

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
)

var (
	requestsFlag = flag.Int("requests", 5000, "how many requests are compared")
	lengthFlag   = flag.Int("length", 300, "how many requests a script has, about")
	seedFlag     = flag.Uint64("seed", 0, "seed of the first script; 0 takes one from the clock")
	seedsFlag    = flag.Int("seeds", 0, "play so many scripts instead of so many requests")
	serversFlag  = flag.Int("servers", 1, "how many servers of each kind")
	pairFlag     = flag.Int("scripts-per-server", 100, "scripts that are played on the same servers; the last one touches the root")
	scriptFlag   = flag.String("script", "", "play this file instead of what seeds make")
	binaryFlag   = flag.String("binary", "", "the quorate binary; empty builds one")
	shrinkFlag   = flag.Bool("shrink", true, "shrink a script that shows a difference")
	keepFlag     = flag.Int("failures", 1, "stop at this many kinds of differences that are not known")
)

// files is a place for what the servers write: memory, if there is some, for it
// is not the disk that is tried here.
func files(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "quorate-differential-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func quorateBinary(t *testing.T) string {
	t.Helper()
	if *binaryFlag != "" {
		return *binaryFlag
	}
	binary := filepath.Join(t.TempDir(), "quorate")
	out, err := exec.Command("go", "build", "-o", binary, "../../cmd/quorate").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// bench is where scripts are played: a pair of servers, renewed now and then.
type bench struct {
	t      *testing.T
	binary string
	dir    string
	// servers of each kind
	servers int
	pair    *Pair
	starts  int
}

func newBench(t *testing.T, servers int) *bench {
	t.Helper()
	if err := cluster.ZooKeeperInstalled(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	b := &bench{t: t, binary: quorateBinary(t), dir: files(t), servers: servers}
	t.Cleanup(func() { b.end() })
	return b
}

func (b *bench) end() {
	if b.pair != nil {
		b.pair.Close()
		b.pair = nil
	}
}

// crash names the known way in which ZooKeeper ended, or "".
func crash(e *DeadError) string {
	for _, d := range Differences {
		known := func(text string) bool { return strings.Contains(e.Log, text) }
		if e.Kind == cluster.ZooKeeper && slices.ContainsFunc(d.Crash, known) {
			return d.ID
		}
	}
	return ""
}

// renew starts new servers.
func (b *bench) renew() {
	b.t.Helper()
	b.end()
	b.starts++
	dir := filepath.Join(b.dir, fmt.Sprint(b.starts))
	require.NoError(b.t, os.RemoveAll(filepath.Join(b.dir, fmt.Sprint(b.starts-1))))
	// On a busy machine ZooKeeper's ensemble does not always find together.
	var err error
	for try := range 3 {
		b.pair, err = StartPair(PairConfig{Dir: filepath.Join(dir, fmt.Sprint(try)), Binary: b.binary, Servers: b.servers, TTL: b.starts%2 == 1})
		if err == nil {
			return
		}
		b.t.Logf("start again: %.300v", err)
	}
	require.NoError(b.t, err)
}

func (b *bench) play(s *Script) *Outcome {
	b.t.Helper()
	if b.pair == nil {
		b.renew()
	}
	outcome, err := b.pair.Play(s)
	var dead *DeadError
	if errors.As(err, &dead) {
		b.end()
		if reason := crash(dead); reason != "" {
			return &Outcome{Known: map[string]int{reason: 1}, Ended: reason}
		}
		at := strings.Index(dead.Log, "Severe unrecoverable error")
		b.t.Fatalf("%v\n%s\n%s", err, s, dead.Log[max(at, 0):])
	}
	require.NoError(b.t, err, "%s", s)
	return outcome
}

func TestDifferential_RandomHistories(t *testing.T) {
	b := newBench(t, *serversFlag)
	if *scriptFlag != "" {
		text, err := os.ReadFile(*scriptFlag)
		require.NoError(t, err)
		s, err := ParseScript(string(text))
		require.NoError(t, err)
		o := b.play(s)
		t.Logf("known: %v; ended: %q", o.Known, o.Ended)
		if o.Case != nil {
			t.Errorf("%s\n%s", o.Case, s)
		}
		return
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64N(1e9)
	}
	t.Logf("first seed %d", seed)
	run := &campaign{b: b, known: map[string]int{}, ended: map[string]int{}, kinds: map[string]int{}, began: time.Now()}
	for i := 0; run.wants(i); i++ {
		run.one(seed+uint64(i), i)
	}
	run.report(t.Logf)
}

// campaign is what a run has seen so far.
type campaign struct {
	b                           *bench
	scripts, requests, compared int
	failures                    int
	known, ended, kinds         map[string]int
	began, said                 time.Time
}

func (c *campaign) wants(i int) bool {
	if len(c.kinds) >= *keepFlag {
		return false
	}
	if *seedsFlag > 0 {
		return i < *seedsFlag
	}
	return c.compared < *requestsFlag
}

func (c *campaign) one(seed uint64, i int) {
	c.b.t.Helper()
	whole := (i+1)%*pairFlag == 0
	s := Generate(seed, GenerateConfig{Requests: *lengthFlag, Servers: *serversFlag, Whole: whole})
	o := c.b.play(s)
	c.scripts++
	c.requests += s.Requests()
	for i := range s.Steps[:o.Steps] {
		c.compared += max(len(s.Steps[i].Requests), 1)
	}
	for id, n := range o.Known {
		c.known[id] += n
	}
	if o.Ended != "" {
		c.ended[o.Ended]++
	}
	if o.Case != nil {
		c.failures++
		kind := o.Case.kind()
		if c.kinds[kind]++; c.kinds[kind] == 1 {
			c.fail(seed, s, o)
		}
	}
	if whole || o.Case != nil && (o.Case.RealEnd == "silent" || o.Case.OursEnd == "silent") {
		c.b.end()
	}
	if time.Since(c.said) > 10*time.Second {
		c.said = time.Now()
		c.report(func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
	}
}

func (c *campaign) report(logf func(string, ...any)) {
	took := time.Since(c.began)
	logf("%d scripts, %d requests, %d compared, %.0f/s; %d unexplained differences", c.scripts, c.requests, c.compared,
		float64(c.requests)/took.Seconds(), c.failures)
	var lines []string
	for id, n := range c.known {
		lines = append(lines, fmt.Sprintf("%s %d (ended %d scripts)", id, n, c.ended[id]))
	}
	slices.Sort(lines)
	logf("  known differences met: %s", strings.Join(lines, ", "))
}

// fail shrinks and prints.
func (c *campaign) fail(seed uint64, s *Script, o *Outcome) {
	t := c.b.t
	t.Helper()
	found := o.Case
	fmt.Printf("seed %d: a difference that is not known:\n%s", seed, found)
	if found.RealEnd == "silent" || found.OursEnd == "silent" {
		t.Logf("logs:\n%s\n%s", c.b.pair.Real.Cluster.Logs(3000), c.b.pair.Ours.Cluster.Logs(3000))
	}
	if !*shrinkFlag {
		t.Errorf("seed %d: a difference that is not known:\n%s", seed, found)
		return
	}
	s, found = c.b.shrink(s, found)
	t.Errorf("seed %d: a difference that is not known; to see it again: go test ./integration_test/differential -seed %d -seeds 1, "+
		"or -script with this file:\n\n%s\n%s", seed, seed, s, found)
}

// shrink makes the script small.
func (b *bench) shrink(s *Script, found *Case) (*Script, *Case) {
	b.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	if found.RealEnd == "silent" || found.OursEnd == "silent" {
		defer func(d time.Duration) { replyTimeout = d }(replyTimeout)
		replyTimeout = time.Second
	}
	b.renew()
	again := 0
	small := Shrink(s, func(try *Script) bool {
		if time.Now().After(deadline) {
			return false
		}
		o := b.play(try)
		if o.Case == nil || o.Case.kind() != found.kind() {
			return false
		}
		found = o.Case
		again++
		return true
	})
	if again == 0 {
		b.t.Logf("the difference did not show again on new servers")
	}
	return small, found
}
