package integration_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
)

// The leader is killed with -9 and restarted, again and again, under writers on
// all servers. No acknowledged write may be missing anywhere afterwards.
func TestKill_LeaderAgainAndAgain(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 3})
	l := startLoad(t, "kill", 2, c.Servers...)
	l.WaitAcks(t, 100, servingTimeout)
	var gaps []time.Duration
	for range *killsFlag {
		leader, err := c.Leader(servingTimeout)
		require.NoError(t, err)
		killed := time.Since(l.start)
		leader.Kill()
		l.WaitAcks(t, 50, servingTimeout)
		gaps = append(gaps, l.LongestGap(killed, time.Since(l.start)))
		t.Logf("leader %d killed: no write succeeded for %v", leader.ID, gaps[len(gaps)-1].Round(time.Millisecond))
		require.NoError(t, leader.Start())
		require.NoError(t, leader.WaitServing(servingTimeout))
		l.WaitAcks(t, 50, servingTimeout)
	}
	nodes := l.verify(t, c.Servers...)
	sameHistory(t, c.Servers...)
	slices.Sort(gaps)
	t.Logf("%d kills, %d writes acknowledged, %d unknown, %d nodes on each server; no write for: median %v, maximum %v",
		len(gaps), len(l.acked), l.unknown, nodes,
		gaps[len(gaps)/2].Round(time.Millisecond), gaps[len(gaps)-1].Round(time.Millisecond))
}

// All servers are killed at once under load and restarted.
func TestKill_AllAtOnce(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 3})
	l := startLoad(t, "all", 4, c.Servers...)
	l.WaitAcks(t, 2000, time.Minute)
	c.Close()
	before := l.Acked()
	started := time.Now()
	require.NoError(t, c.Start())
	l.WaitAcks(t, 100, servingTimeout)
	t.Logf("all killed with %d writes acknowledged; after restart the next write succeeded within %v", before, time.Since(started).Round(time.Millisecond))
	require.NoError(t, c.WaitServing(servingTimeout))
	l.verify(t, c.Servers...)
	sameHistory(t, c.Servers...)
}

func TestKill_FiveServersWorkWithTwoDead(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 5})
	l := startLoad(t, "five", 1, c.Servers...)
	l.WaitAcks(t, 100, servingTimeout)
	leader, err := c.Leader(servingTimeout)
	require.NoError(t, err)
	other := c.Server(leader.ID%5 + 1)
	killed := time.Since(l.start)
	leader.Kill()
	other.Kill()
	l.WaitAcks(t, 500, servingTimeout)
	t.Logf("leader %d and server %d killed: no write succeeded for %v", leader.ID, other.ID,
		l.LongestGap(killed, time.Since(l.start)).Round(time.Millisecond))
	require.NoError(t, c.Start(leader.ID, other.ID))
	require.NoError(t, c.WaitServing(servingTimeout))
	l.verify(t, c.Servers...)
	sameHistory(t, c.Servers...)
}
