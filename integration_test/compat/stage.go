package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/integration_test/cluster"
)

// stage is what one run of a suite plays on: servers of one kind, in peace or
// under fire, and a directory of its own.
type stage struct {
	col     Column
	dir     string
	quorate string // the binary
	every   time.Duration
	leftOut []string // keys that our servers refuse
	kills   atomic.Int64
	post    *post // where shims report
}

func (s *stage) kind() cluster.Kind {
	if s.col.ours() {
		return cluster.Quorate
	}
	return cluster.ZooKeeper
}

// newStage makes the stage of one run; close ends it.
func newStage(dir, quorate string, col Column, every time.Duration) (*stage, error) {
	s := &stage{col: col, quorate: quorate, every: every}
	var err error
	if s.dir, err = os.MkdirTemp(dir, string(col)+"-"); err != nil {
		return nil, err
	}
	if s.col.ours() {
		if s.leftOut, err = refusedKeys(quorate, s.dir); err != nil {
			return nil, err
		}
	}
	if s.post, err = newPost(filepath.Join(s.dir, "post")); err != nil {
		return nil, err
	}
	return s, s.writeShims()
}

func (s *stage) close() {
	s.post.close()
	_ = os.RemoveAll(s.dir)
}

// binDir holds the programs that stand for ZooKeeper's.
func (s *stage) binDir() string { return filepath.Join(s.dir, "bin") }

// writeShims puts programs called like those that start a ZooKeeper server into
// binDir. Each of them is this program once more: see shim.go.
func (s *stage) writeShims() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.binDir(), 0o755); err != nil {
		return err
	}
	for _, name := range []string{"zkServer.sh", "java"} {
		script := fmt.Sprintf("#!/bin/sh\nexec '%s' %s %s \"$@\"\n", self, shimCommand, name)
		if err := os.WriteFile(filepath.Join(s.binDir(), name), []byte(script), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// env is what the programs of binDir go by.
func (s *stage) env() []string {
	java, err := exec.LookPath("java")
	if err != nil {
		java = "/usr/bin/java"
	}
	vars := []string{envPost + "=" + s.post.path, envJava + "=" + java}
	if s.col.ours() {
		vars = append(vars, envQuorate+"="+s.quorate, envLeftOut+"="+strings.Join(s.leftOut, ","))
	}
	return vars
}

// burn kills the leader of whatever ensemble there is every now and then, until
// the returned function is called. In peace it does nothing.
func (s *stage) burn(ctx context.Context, kill func(context.Context) bool) (stop func()) {
	if !s.col.fire() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		due := time.NewTicker(s.every)
		defer due.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-due.C:
			}
			// Between two ensembles nobody leads; the next leader is killed then.
			for ctx.Err() == nil && !kill(ctx) {
				sleep(ctx, 200*time.Millisecond)
			}
			if ctx.Err() == nil {
				s.kills.Add(1)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// restartPause is how long a killed server stays down.
const restartPause = time.Second

// sleep waits, or not when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// startCluster starts three servers of the stage's kind for suites that bring
// none. Under fire their leader is killed until the returned function ends them.
func (s *stage) startCluster(ctx context.Context) (*cluster.Cluster, func(), error) {
	dir, err := os.MkdirTemp(s.dir, "cluster-")
	if err != nil {
		return nil, nil, err
	}
	lines := s.filter([]string{"extendedTypesEnabled=true",
		"DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU="}) // password test
	c, err := cluster.New(cluster.Config{Kind: s.kind(), Binary: s.quorate, Dir: dir, Servers: 3, Lines: lines})
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(c.Start(), c.WaitServing(time.Minute)); err != nil {
		logs := c.Logs(2000)
		c.Close()
		return nil, nil, fmt.Errorf("%s: %w\n%s", s.kind(), err, logs)
	}
	stop := s.burn(ctx, func(ctx context.Context) bool {
		leader, err := c.Leader(time.Second)
		if err != nil {
			return false
		}
		leader.Kill()
		sleep(ctx, restartPause)
		return leader.Start() == nil
	})
	return c, func() { stop(); c.Close() }, nil
}

// filter drops lines whose key our servers refuse.
func (s *stage) filter(lines []string) []string {
	var kept []string
	for _, line := range lines {
		if key, _, _ := strings.Cut(line, "="); !slices.Contains(s.leftOut, key) {
			kept = append(kept, line)
		}
	}
	return kept
}

// wanted are settings that the clients' suites give their servers and that we
// might not have.
var wanted = []string{"reconfigEnabled=true", "extendedTypesEnabled=true", "emulate353TTLNodes=true", "readonlymode.enabled=true",
	"authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider"}

var refusedPattern = regexp.MustCompile(`zoo\.cfg:(\d+): \S+ is not supported yet`)

// refusedKeys asks the binary which of the wanted settings it refuses. A server
// with a configuration that is wrong anyway names all faults and ends.
func refusedKeys(quorate, dir string) ([]string, error) {
	path := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(path, []byte(strings.Join(wanted, "\n")+"\ntickTime=-1\n"), 0o644); err != nil {
		return nil, err
	}
	out, err := exec.Command(quorate, "server", path).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "tickTime=-1") {
		return nil, fmt.Errorf("a configuration with tickTime=-1 should be refused, and that be said: %v: %s", err, out)
	}
	var keys []string
	for _, m := range refusedPattern.FindAllStringSubmatch(string(out), -1) {
		n := 0
		if _, err := fmt.Sscan(m[1], &n); err != nil || n < 1 || n > len(wanted) {
			return nil, fmt.Errorf("no such line in the configuration: %s", m[0])
		}
		key, _, _ := strings.Cut(wanted[n-1], "=")
		keys = append(keys, key)
	}
	return keys, nil
}
