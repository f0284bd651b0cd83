package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/integration_test/cluster"
)

// kazoo is the test suite that Debian's python3-kazoo contains.
type kazoo struct{}

//go:embed testdata/pytest_compat.py
var pytestPlugin []byte

const (
	python = "/usr/bin/python3"
	// kazooTimeout is ample for the longest test on a busy machine.
	kazooTimeout = time.Minute
)

func (*kazoo) Name() string { return "kazoo" }

func (*kazoo) About() string {
	return "The tests that kazoo, the Python client, has in its own package (`kazoo.tests`, as Debian's python3-kazoo ships them), unmodified, run by pytest. " +
		"All tests share an ensemble of three that the suite starts by `java … QuorumPeerMain`; under fire its leader is killed every 20 s. " +
		"Some tests are of the client alone."
}

// Slow are the tests of other threading models, which repeat those of the
// client, tests of how long a client waits, and those of the client alone that
// take long.
func (*kazoo) Slow(test string) bool {
	for _, part := range []string{"test_gevent_handler ", "test_eventlet_handler ", "test_partitioner ", "test_update_host_list", "TestReconfig.",
		"TestReadOnlyMode.", "test_child_watcher_remove_session_watcher", "test_barrier_exists"} {
		if strings.Contains(test, part) {
			return true
		}
	}
	return false
}

func (*kazoo) Missing() error {
	if out, err := exec.Command(python, "-c", "import kazoo.tests, pytest, mock, objgraph").CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s (Debian: apt-get install python3-kazoo python3-pytest python3-mock python3-objgraph)", lines[len(lines)-1])
	}
	return nil
}

func (*kazoo) Client() string {
	out, err := exec.Command(python, "-c", "import kazoo; print(kazoo.__version__)").Output()
	if err != nil {
		return "kazoo"
	}
	return "kazoo " + strings.TrimSpace(string(out))
}

// pytest is the command line that all runs share.
var pytest = []string{"-m", "pytest", "-p", "pytest_compat", "-p", "no:cacheprovider", "-q", "--pyargs", "kazoo.tests"}

func (*kazoo) Tests(ctx context.Context) ([]string, error) {
	dir, err := os.MkdirTemp("", "quorate-compat-kazoo-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "pytest_compat.py"), pytestPlugin, 0o644); err != nil {
		return nil, err
	}
	return list(ctx, dir, kazooEnv(dir), python, append(pytest, "--collect-only")...)
}

func kazooEnv(dir string) []string {
	return []string{"PYTHONPATH=" + dir, "PYTHONDONTWRITEBYTECODE=1", "ZOOKEEPER_VERSION=3.8.0",
		// For the original this is what Debian's jar needs; ours ignores it.
		"ZOOKEEPER_CLASSPATH=" + cluster.ZooKeeperClassPath}
}

func (k *kazoo) Run(ctx context.Context, s *stage, tests []string, rec *recorder) error {
	if err := os.WriteFile(filepath.Join(s.dir, "pytest_compat.py"), pytestPlugin, 0o644); err != nil {
		return err
	}
	defer s.burn(ctx, s.post.killLeader)()
	r := eventRun{timeout: kazooTimeout, launch: func(tests []string) (*program, error) {
		wanted := filepath.Join(s.dir, "wanted")
		if err := writeList(wanted, tests); err != nil {
			return nil, err
		}
		// Each of its three servers takes four ports, ten apart.
		ports, err := cluster.FreePorts(30)
		if err != nil {
			return nil, err
		}
		env := append(kazooEnv(s.dir), s.env()...)
		env = append(env, "PATH="+s.binDir()+":"+os.Getenv("PATH"), fmt.Sprintf("ZOOKEEPER_PORT_OFFSET=%d", ports[0]))
		return start(s.dir, env, python, append(pytest, "--compat-tests", wanted)...)
	}}
	return r.run(ctx, tests, rec)
}
