// Package integration_test tries the quorate binary from outside: real
// processes on loopback, real clients, kill -9. Nothing here looks into a
// server but through its ports, its log and its exit code.
//
// By default the tests are short. The flags below make them as long as a
// release deserves; .ci/run shows how. With -zookeeper the same tests run
// against Debian's Apache ZooKeeper, as far as they can: a check of the tests.
package integration_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
)

var (
	killsFlag      = flag.Int("kills", 5, "how often the leader is killed and restarted")
	behindFlag     = flag.Int("behind", 20000, "how many transactions a follower is behind before it catches up")
	hostileFlag    = flag.Int("frames", 100, "how many random frames each port is sent")
	crowdFlag      = flag.Int("crowd", 1000, "how many connections watch one node")
	ephemeralsFlag = flag.Int("ephemerals", 40000, "how many nodes go with one session")
	seedFlag       = flag.Uint64("seed", 0, "seed of all random bytes; 0 takes one from the clock")
	zooKeeperFlag  = flag.Bool("zookeeper", false, "run against Apache ZooKeeper instead")
	binaryFlag     = flag.String("binary", "", "the quorate binary; empty builds one")
	raceFlag       = flag.Bool("race-servers", false, "build the servers with the race detector")
)

// quorateBinary is the quorate command under test.
var quorateBinary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if *seedFlag == 0 {
		*seedFlag = uint64(time.Now().UnixNano())
	}
	quorateBinary = *binaryFlag
	if quorateBinary == "" && !*zooKeeperFlag {
		dir, err := os.MkdirTemp("", "quorate-integration-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		quorateBinary = filepath.Join(dir, "quorate")
		args := []string{"build", "-o", quorateBinary}
		if *raceFlag {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, "../cmd/quorate")...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the quorate command: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

func kind() cluster.Kind {
	if *zooKeeperFlag {
		return cluster.ZooKeeper
	}
	return cluster.Quorate
}

// onlyQuorate skips a test of what ZooKeeper does not have.
func onlyQuorate(t *testing.T) {
	t.Helper()
	if *zooKeeperFlag {
		t.Skip("skipped: Apache ZooKeeper has nothing of the kind")
	}
}

// newCluster makes a cluster whose processes end with the test, and prints the
// logs of a test that failed.
func newCluster(t *testing.T, cfg cluster.Config) *cluster.Cluster {
	t.Helper()
	cfg.Kind = kind()
	return newClusterOf(t, cfg)
}

// newClusterOf is newCluster with a kind of its own.
func newClusterOf(t *testing.T, cfg cluster.Config) *cluster.Cluster {
	t.Helper()
	cfg.Binary, cfg.Dir = quorateBinary, t.TempDir()
	if cfg.Kind == cluster.ZooKeeper {
		if err := cluster.ZooKeeperInstalled(); err != nil {
			t.Skipf("skipped: %v", err)
		}
	}
	c, err := cluster.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		for _, s := range c.Servers {
			for _, mark := range []string{"DATA RACE", "panic: ", "fatal error: "} {
				if i := strings.Index(s.Log(), mark); i >= 0 && s.Kind == cluster.Quorate {
					t.Errorf("server %d: %.4000s", s.ID, s.Log()[i:])
				}
			}
		}
		if t.Failed() {
			t.Log(c.Logs(4000))
		}
	})
	return c
}

// startCluster also starts all servers and waits for them.
func startCluster(t *testing.T, cfg cluster.Config) *cluster.Cluster {
	t.Helper()
	c := newCluster(t, cfg)
	require.NoError(t, c.Start())
	require.NoError(t, c.WaitServing(servingTimeout))
	return c
}

// servingTimeout is ample for a start on a busy machine.
const servingTimeout = 30 * time.Second

// dial opens a session that the test's end closes.
func dial(t *testing.T, addr string) *wire.Conn {
	t.Helper()
	conn, err := wire.Dial(addr, 10*time.Second)
	require.NoError(t, err)
	t.Cleanup(conn.Drop)
	return conn
}

// eventually polls f, and fails the test with its last error.
func eventually(t *testing.T, timeout time.Duration, what string, f func() error) {
	t.Helper()
	require.NoError(t, cluster.Poll(timeout, f), what)
}

// logSince returns what a server has logged behind the first n bytes.
func logSince(s *cluster.Server, n int) string { return s.Log()[n:] }

var syncedPattern = regexp.MustCompile(`\bsynchronized\b.*\bmode"?[=:]"?([A-Z+]+)`)

// syncModes lists how a learner was synchronized, each time, behind the first n
// bytes of its log.
func syncModes(s *cluster.Server, n int) []string {
	var modes []string
	for line := range strings.Lines(logSince(s, n)) {
		if s.Kind == cluster.ZooKeeper {
			for text, mode := range map[string]string{"Getting a diff from the leader": "DIFF",
				"Getting a snapshot from leader": "SNAP", "Truncating log to get in sync": "TRUNC"} {
				if strings.Contains(line, text) {
					modes = append(modes, mode)
				}
			}
		} else if m := syncedPattern.FindStringSubmatch(line); m != nil {
			modes = append(modes, m[1])
		}
	}
	return modes
}

// waitSynced waits until a learner has logged a synchronization behind the
// first n bytes of its log, and returns how the first was done.
func waitSynced(t *testing.T, s *cluster.Server, n int, timeout time.Duration) string {
	t.Helper()
	mode := ""
	eventually(t, timeout, fmt.Sprintf("server %d logs how it was synchronized", s.ID), func() error {
		modes := syncModes(s, n)
		if len(modes) == 0 {
			return fmt.Errorf("no line \"synchronized\" with a mode in the log of server %d", s.ID)
		}
		mode = modes[0]
		return nil
	})
	return mode
}

// caughtUp waits until a server has applied at least zxid.
func caughtUp(t *testing.T, s *cluster.Server, zxid int64, timeout time.Duration) {
	t.Helper()
	eventually(t, timeout, fmt.Sprintf("server %d catches up to 0x%x", s.ID, zxid), func() error {
		at, err := s.Zxid()
		if err == nil && at < zxid {
			err = fmt.Errorf("server %d is at 0x%x", s.ID, at)
		}
		return err
	})
}

// zxidOf returns the last zxid that a server has applied.
func zxidOf(t *testing.T, s *cluster.Server) int64 {
	t.Helper()
	var zxid int64
	eventually(t, servingTimeout, "ask for the zxid", func() (err error) {
		zxid, err = s.Zxid()
		return err
	})
	return zxid
}
