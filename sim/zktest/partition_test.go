package zktest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/zktest"
)

func TestPartition_MinorityRefusesWritesAndMajorityGoesOn(t *testing.T) {
	t.Parallel()
	e := zktest.StartConfig(t, zktest.Config{Servers: 5, TickTime: brisk})
	old := e.Leader()
	minority, majority := []int{old}, others(5, old)
	minority, majority = append(minority, majority[3]), majority[:3]
	few := client(t, time.Second, addrs(e, minority...)...)
	write(t, few, "/n", "before")

	require.NoError(t, e.Partition(minority, majority))
	leader := waitLeader(t, e)
	assert.Contains(t, majority, leader)
	many := client(t, 10*time.Second, addrs(e, majority...)...)
	set(t, many, "/n", "after", 0)

	// Go's client tries connections for ever, and so does its Set: what it must
	// not do is succeed.
	outcome := make(chan error, 1)
	go func() {
		_, err := few.Set("/n", []byte("minority"), 0)
		outcome <- err
	}()
	for _, id := range minority {
		require.Eventually(t, func() bool { return e.Server(id).Status().State == ensemble.Looking },
			patience, time.Millisecond, "server %d", id)
	}
	require.NoError(t, e.Heal())
	waitServing(t, e)
	select {
	case err := <-outcome:
		require.Error(t, err)
	case <-time.After(patience):
		require.Fail(t, "the write to the minority has had no outcome")
	}
	for _, s := range e.Servers() {
		c := client(t, 10*time.Second, s.Addr())
		assert.Equal(t, "after", read(t, c, "/n"))
	}
}

// A partition that nobody has given up leaves the streams whole.
func TestPartition_ShortOneIsOnlyADelay(t *testing.T) {
	t.Parallel()
	e := zktest.StartConfig(t, zktest.Config{TickTime: calm})
	leader := e.Leader()
	c := client(t, 10*time.Second, e.Server(leader).Addr())
	require.NoError(t, e.Isolate(leader))
	assert.Zero(t, e.Leader())
	outcome := make(chan error, 1)
	go func() {
		_, err := c.Create("/n", nil, 0, anyone)
		outcome <- err
	}()
	select {
	case err := <-outcome:
		require.Fail(t, "a write has succeeded without a quorum", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, e.Heal())
	require.NoError(t, <-outcome)
	assert.Equal(t, leader, e.Leader())
	assert.Equal(t, ensemble.Epoch(1), e.Server(leader).Status().Epoch)
}

func TestIsolate_BridgeIsLeft(t *testing.T) {
	e := start(t, 3, calm)
	leader := e.Leader()
	rest := others(3, leader)
	require.NoError(t, e.Partition(rest[:1], rest[1:]))
	c := client(t, 10*time.Second, e.Addrs()...)
	write(t, c, "/n", "x")
	assert.Equal(t, leader, e.Leader(), "both followers still reach it")
	require.NoError(t, e.Isolate(leader))
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := e.WaitLeader(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded, "nobody reaches anybody")
	require.NoError(t, e.Heal())
	waitServing(t, e)
	assert.Equal(t, "x", read(t, c, "/n"))
}

// What a leader says to its followers is lost on the way, and what they say
// arrives. It must not lead on for ever.
func TestStall_LeaderThatIsNotHeardIsReplaced(t *testing.T) {
	e := start(t, 3, brisk)
	old := e.Leader()
	for _, id := range others(3, old) {
		require.NoError(t, e.Stall(old, id))
	}
	leader := waitLeader(t, e)
	assert.NotEqual(t, old, leader)
	c := client(t, 10*time.Second, addrs(e, others(3, old)...)...)
	write(t, c, "/n", "x")
	require.NoError(t, e.Heal())
	waitServing(t, e)
	back := client(t, 10*time.Second, e.Server(old).Addr())
	assert.Equal(t, "x", read(t, back, "/n"))
}
