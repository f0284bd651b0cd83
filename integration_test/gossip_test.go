package integration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
)

const (
	gossipKey = "gossip.key=AAECAwQFBgcICQoLDA0ODw=="
	wrongKey  = "gossip.key=/wECAwQFBgcICQoLDA0ODw=="
)

// status runs quorate status and returns what it prints and its exit code.
func status(t *testing.T, args ...string) (string, int) {
	t.Helper()
	out, err := exec.Command(quorateBinary, append([]string{"status"}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	code := 0
	if exit != nil {
		code = exit.ExitCode()
	}
	return string(out), code
}

// statusSids lists the first fields of the lines that begin with a number: the sids.
func statusSids(out string) []int {
	var sids []int
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 0 {
			if sid, err := strconv.Atoi(fields[0]); err == nil {
				sids = append(sids, sid)
			}
		}
	}
	slices.Sort(sids)
	return sids
}

// listed waits until the status asked of one server lists these sids, with one
// leader and so many observers.
func listed(t *testing.T, s *cluster.Server, observers int, want ...int) {
	t.Helper()
	eventually(t, 15*time.Second, fmt.Sprintf("quorate status -s server %d lists %v", s.ID, want), func() error {
		out, code := status(t, "-s", s.ClientAddr())
		modes := func(mode string) int { return strings.Count(strings.ToLower(out), mode) }
		if got := statusSids(out); code != 0 || !slices.Equal(got, want) || modes("leader") != 1 ||
			modes("observer") != observers || modes("follower") != len(want)-1-observers {
			return fmt.Errorf("exit code %d, sids %v:\n%s", code, got, out)
		}
		return nil
	})
}

func TestGossip_StatusOfOneListsAll(t *testing.T) {
	onlyQuorate(t)
	c := startCluster(t, cluster.Config{Servers: 3, Observers: 1, Gossip: true, Lines: []string{gossipKey}})
	for _, s := range c.Servers {
		listed(t, s, 1, 1, 2, 3, 4)
	}
	out, code := status(t, "-s", c.Server(1).ClientAddr(), "-o", "json")
	assert.Equal(t, 0, code)
	var decoded any
	require.NoError(t, json.Unmarshal([]byte(out), &decoded), out)

	c.Server(1).Kill()
	c.Server(2).Kill()
	eventually(t, servingTimeout, "status exits with 1 without a quorum", func() error {
		if out, code := status(t, "-s", c.Server(3).ClientAddr()); code != 1 {
			return fmt.Errorf("exit code %d:\n%s", code, out)
		}
		return nil
	})
	out, code = status(t, "-o", "yaml")
	assert.Equal(t, 2, code, "wrong usage: %s", out)
}

// nobody writes a configuration that knows nothing but where to join.
func nobody(t *testing.T, c *cluster.Cluster, id int, lines ...string) *cluster.Server {
	t.Helper()
	s, err := c.Stranger(id)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("--- log of stranger %d ---\n%s", id, s.Log())
		}
	})
	require.NoError(t, s.WriteConfig(append(lines, fmt.Sprintf("gossip.join=127.0.0.1:%d", c.Server(2).GossipPort))...))
	return s
}

func TestGossip_ObserverThatKnowsNothingElse(t *testing.T) {
	onlyQuorate(t)
	c := startCluster(t, cluster.Config{Servers: 3, Gossip: true, Lines: []string{gossipKey}})
	require.NoError(t, dial(t, c.Server(1).ClientAddr()).Create("/g", []byte("seen")))
	s := nobody(t, c, 9, gossipKey)
	started := time.Now()
	require.NoError(t, s.Start())
	require.NoError(t, s.WaitServing(servingTimeout))
	took := time.Since(started)
	t.Logf("the observer serves after %v", took.Round(time.Millisecond))
	assert.Less(t, took, 2*time.Second)
	conn := dial(t, s.ClientAddr())
	require.NoError(t, conn.Sync("/g"))
	data, _, err := conn.Get("/g")
	require.NoError(t, err)
	assert.Equal(t, "seen", string(data))
	require.NoError(t, conn.Set("/g", []byte("written")))
	mode, err := s.Mode()
	require.NoError(t, err)
	assert.Equal(t, "observer", mode)
	listed(t, c.Server(3), 1, 1, 2, 3, 9)

	// It finds a new leader too.
	leader, err := c.Leader(servingTimeout)
	require.NoError(t, err)
	leader.Kill()
	eventually(t, servingTimeout, "the observer follows the next leader", func() error {
		return existing(tryWrite(s, "/h"))
	})
}

func TestGossip_StrangersAreRefusedWithASentence(t *testing.T) {
	onlyQuorate(t)
	tests := []struct {
		name  string
		lines []string
		words []string // of the sentence, in any order and case
	}{
		{"wrong key", []string{wrongKey, "ensemble.name=orders"}, []string{"gossip", "key"}},
		{"no key", []string{"ensemble.name=orders"}, []string{"gossip", "key"}},
		{"other ensemble", []string{gossipKey, "ensemble.name=invoices"}, []string{"ensemble", "orders", "invoices"}},
	}
	c := startCluster(t, cluster.Config{Servers: 3, Gossip: true, Lines: []string{gossipKey, "ensemble.name=orders"}})
	l := startLoad(t, "meanwhile", 1, c.Servers...)
	l.WaitAcks(t, 50, servingTimeout)
	for i, test := range tests {
		from := time.Since(l.start)
		s := nobody(t, c, 7+i, test.lines...)
		require.NoError(t, s.Start())
		line := sentence(t, s, 0, test.words...)
		t.Logf("%s: %s", test.name, line)
		_, err := s.Mode()
		assert.Error(t, err, "%s: it serves", test.name)
		s.Kill()
		l.WaitAcks(t, 50, servingTimeout)
		l.Quiet(t, from, 2*time.Second)
	}
	listed(t, c.Server(1), 0, 1, 2, 3)
}

// sentence waits for a line of a server's log, behind its first n bytes, that
// has all these words, and returns it.
func sentence(t *testing.T, s *cluster.Server, n int, words ...string) string {
	t.Helper()
	var found string
	eventually(t, 15*time.Second, fmt.Sprintf("a line of server %d's log with %q", s.ID, words), func() error {
		for line := range strings.Lines(logSince(s, n)) {
			if hasAll(line, words) {
				found = strings.TrimSpace(line)
				return nil
			}
		}
		return errors.New("there is none")
	})
	return found
}

func hasAll(line string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(strings.ToLower(line), strings.ToLower(word)) {
			return false
		}
	}
	return true
}

// A server whose configured name nobody can resolve is found by the address that
// it announces, also when there is no quorum without it.
func TestGossip_FindsAServerWhoseNameDoesNotResolve(t *testing.T) {
	onlyQuorate(t)
	c := startCluster(t, cluster.Config{Servers: 3, Gossip: true, Lines: []string{gossipKey}})
	for _, s := range c.Servers {
		s.Kill()
		config, err := os.ReadFile(s.ConfigPath())
		require.NoError(t, err)
		changed := strings.Replace(string(config), "server.3=127.0.0.1:", "server.3=no-such-host.invalid:", 1)
		require.NotEqual(t, string(config), changed)
		require.NoError(t, os.WriteFile(s.ConfigPath(), []byte(changed), 0o644))
	}
	require.NoError(t, c.Start(1, 3))
	require.NoError(t, c.WaitServing(servingTimeout, 1, 3))
	require.NoError(t, dial(t, c.Server(1).ClientAddr()).Create("/found", nil))
	require.NoError(t, c.Start(2))
	require.NoError(t, c.WaitServing(servingTimeout, 2))
}
