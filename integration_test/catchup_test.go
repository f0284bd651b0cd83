package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
)

// follower returns a server that does not lead.
func follower(t *testing.T, c *cluster.Cluster) *cluster.Server {
	t.Helper()
	leader, err := c.Leader(servingTimeout)
	require.NoError(t, err)
	return c.Server(leader.ID%c.Config.Servers + 1)
}

func others(c *cluster.Cluster, s *cluster.Server) []*cluster.Server {
	var out []*cluster.Server
	for _, o := range c.Servers {
		if o != s {
			out = append(out, o)
		}
	}
	return out
}

func TestCatchUp_RestartedFollowerByDiff(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 3})
	f := follower(t, c)
	l := startLoad(t, "diff", 1, others(c, f)...)
	l.WaitAcks(t, 100, servingTimeout)
	f.Kill()
	l.WaitAcks(t, 200, servingTimeout)
	logged := len(f.Log())
	require.NoError(t, f.Start())
	assert.Equal(t, "DIFF", waitSynced(t, f, logged, servingTimeout))
	require.NoError(t, f.WaitServing(servingTimeout))
	l.WaitAcks(t, 100, servingTimeout)
	l.verify(t, c.Servers...)
	sameHistory(t, c.Servers...)
}

// A leader alone appends what nobody else gets and dies; the others elect
// without it and write. When it comes back, its tail must go.
func TestCatchUp_UncommittedTailByTrunc(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 3})
	l := startLoad(t, "trunc", 1, c.Servers...)
	l.WaitAcks(t, 50, servingTimeout)
	l.verify(t, c.Servers...)
	old, err := c.Leader(servingTimeout)
	require.NoError(t, err)
	conn := dial(t, old.ClientAddr())

	// Frozen now and killed before they thaw, the others never see the proposal,
	// not even in the buffers of their sockets.
	for _, s := range others(c, old) {
		require.NoError(t, s.Freeze())
	}
	marker := fmt.Sprintf("a tail that only server %d has", old.ID)
	reply := make(chan wire.Reply, 1)
	conn.SendCreate(wire.CreateRequest("/tail", []byte(marker)), false, func(r wire.Reply) { reply <- r })
	eventually(t, servingTimeout, "the leader appends to its own log", func() error {
		return fileWith(old.DataDir(), marker)
	})
	old.Kill()
	require.Error(t, (<-reply).Err, "the write must not have been acknowledged")
	for _, s := range others(c, old) {
		s.Kill()
		require.Error(t, fileWith(s.DataDir(), marker), "server %d has the tail too", s.ID)
		require.NoError(t, s.Start())
	}
	l = startLoad(t, "after", 1, others(c, old)...)
	l.WaitAcks(t, 100, servingTimeout)

	logged := len(old.Log())
	require.NoError(t, old.Start())
	ways := []string{"TRUNC", "TRUNC+DIFF"}
	if *zooKeeperFlag {
		ways = append(ways, "SNAP") // which it prefers where the log is short
	}
	assert.Contains(t, ways, waitSynced(t, old, logged, servingTimeout))
	require.NoError(t, old.WaitServing(servingTimeout))
	l.verify(t, c.Servers...)
	for _, s := range c.Servers {
		_, _, err := dial(t, s.ClientAddr()).Get("/tail")
		assert.ErrorIs(t, err, wire.ErrNoNode, "the tail came back on server %d", s.ID)
	}
	sameHistory(t, c.Servers...)
}

// fileWith returns nil if a file below dir contains the text.
func fileWith(dir, text string) error {
	found := errors.New("found")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte(text)) {
			return found
		}
		return nil
	})
	if err == found {
		return nil
	}
	return fmt.Errorf("no file in %s has %q", dir, text)
}

// A server whose disk has been emptied cannot vouch for anything: with one that
// has data it makes no quorum, or it would elect what it has forgotten. A leader
// gives it a snapshot.
func TestCatchUp_EmptyDiskBySnapAndNoVoteBefore(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 3, Lines: []string{"snapCount=200"}})
	f := follower(t, c)
	pipeline(t, c.Server(1), "/snap", 2000)
	rest := others(c, f)
	c.Close()
	require.NoError(t, f.Wipe())

	logged := len(f.Log())
	require.NoError(t, c.Start(f.ID, rest[0].ID))
	if *zooKeeperFlag {
		t.Log("ZooKeeper lets an emptied disk vote unless db.autocreate is off; not asked here")
	} else if s := servesWithin(c, 3*time.Second, f, rest[0]); s != nil {
		t.Fatalf("server %d serves with a quorum of itself and a server whose disk is empty", s.ID)
	}
	require.NoError(t, c.Start(rest[1].ID))
	assert.Equal(t, "SNAP", waitSynced(t, f, logged, servingTimeout))
	require.NoError(t, c.WaitServing(servingTimeout))
	require.Empty(t, wire.Difference(dumpOf(t, rest[0], "/snap"), dumpOf(t, f, "/snap")))
	sameHistory(t, c.Servers...)

	// Synchronized, it votes again.
	rest[0].Kill()
	l := startLoad(t, "voter", 1, f, rest[1])
	l.WaitAcks(t, 20, servingTimeout)
	l.Stop()
}

// servesWithin returns the first of these servers that serves within the time.
func servesWithin(c *cluster.Cluster, d time.Duration, servers ...*cluster.Server) *cluster.Server {
	var found *cluster.Server
	_ = cluster.Poll(d, func() error {
		for _, s := range servers {
			if _, err := s.Mode(); err == nil {
				found = s
				return nil
			}
		}
		return errors.New("nobody serves")
	})
	return found
}

// A follower that is far behind catches up while writes go on.
func TestCatchUp_FarBehindWhileWritesGoOn(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 3})
	f := follower(t, c)
	rest := others(c, f)
	pipeline(t, rest[0], "/before", 100) // one that has nothing is another case
	caughtUp(t, f, zxidOf(t, rest[0]), servingTimeout)
	f.Kill()
	started := time.Now()
	pipeline(t, rest[0], "/behind", *behindFlag)
	wrote := time.Since(started)
	l := startLoad(t, "meanwhile", 1, rest...)
	l.WaitAcks(t, 50, servingTimeout)

	zxid := zxidOf(t, rest[0])
	logged, acked, from := len(f.Log()), l.Acked(), time.Since(l.start)
	started = time.Now()
	require.NoError(t, f.Start())
	mode := waitSynced(t, f, logged, 5*time.Minute)
	caughtUp(t, f, zxid, 5*time.Minute)
	took := time.Since(started)
	t.Logf("%d transactions behind (they took %v to write): caught up by %s in %v; %d writes succeeded meanwhile, the longest wait was %v",
		*behindFlag, wrote.Round(time.Millisecond), mode, took.Round(time.Millisecond),
		l.Acked()-acked, l.LongestGap(from, time.Since(l.start)).Round(time.Millisecond))
	l.WaitAcks(t, 50, servingTimeout)
	l.verify(t, c.Servers...)
	require.Empty(t, wire.Difference(dumpOf(t, rest[0], "/behind"), dumpOf(t, f, "/behind")))
	sameHistory(t, c.Servers...)
}
