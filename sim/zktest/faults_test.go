package zktest_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/zktest"
)

func TestKill_WritesSurviveTheLeader(t *testing.T) {
	e := start(t, 3, calm)
	c := client(t, 10*time.Second, e.Addrs()...)
	for i := range 20 {
		_, err := c.Create(fmt.Sprintf("/n%d", i), []byte("x"), 0, anyone)
		require.NoError(t, err)
	}
	old := e.Leader()
	require.NotZero(t, old)
	require.NoError(t, e.Kill(old))
	assert.False(t, e.Server(old).Running())
	assert.NotEqual(t, old, e.Leader(), "the dead do not lead")
	leader := waitLeader(t, e)
	assert.NotEqual(t, old, leader)

	// A server that does not run serves nobody.
	_, events := dial(t, time.Second, e.Server(old).Addr())
	for range 3 {
		ev := <-events
		assert.NotEqual(t, zk.StateHasSession, ev.State)
	}

	write(t, c, "/after", "y")
	require.NoError(t, e.Restart(old))
	waitServing(t, e, old)
	back := client(t, 10*time.Second, e.Server(old).Addr())
	for i := range 20 {
		assert.Equal(t, "x", read(t, back, fmt.Sprintf("/n%d", i)))
	}
	assert.Equal(t, "y", read(t, back, "/after"))
}

func TestKill_WritesSurviveAllServers(t *testing.T) {
	e := start(t, 3, calm)
	c := client(t, 10*time.Second, e.Addrs()...)
	for i := range 20 {
		_, err := c.Create(fmt.Sprintf("/n%d", i), []byte("x"), 0, anyone)
		require.NoError(t, err)
	}
	session := c.SessionID()
	require.NoError(t, e.Kill(1, 2, 3))
	assert.Zero(t, e.Leader())
	require.NoError(t, e.Restart(3))
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := e.WaitLeader(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded, "one of three is no quorum")
	assert.ErrorContains(t, err, "server 1 is down; server 2 is down; server 3 LOOKING")
	require.NoError(t, e.Restart(1, 2))
	waitServing(t, e)
	for i := range 20 {
		assert.Equal(t, "x", read(t, c, fmt.Sprintf("/n%d", i)))
	}
	assert.Equal(t, session, c.SessionID(), "sessions survive, too")
}

func TestWipe_DisksInMemoryAreAllThereWas(t *testing.T) {
	e := start(t, 3, calm)
	c := client(t, 10*time.Second, e.Addrs()...)
	write(t, c, "/n", "x")
	require.NoError(t, e.Kill(1, 2, 3))
	require.NoError(t, e.Wipe(1, 2, 3))
	require.NoError(t, e.Restart(1, 2, 3))
	waitServing(t, e)
	fresh := client(t, 10*time.Second, e.Addrs()...)
	there, _, err := fresh.Exists("/n")
	require.NoError(t, err)
	assert.False(t, there)
}

func TestWipe_ServerGetsEverythingBack(t *testing.T) {
	t.Parallel()
	for name, snapshots := range map[string]int{"by the log": 0, "by a snapshot": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := zktest.StartConfig(t, zktest.Config{TickTime: calm, SnapshotTxns: snapshots})
			c := client(t, 10*time.Second, e.Addrs()...)
			for i := range 50 {
				write(t, c, fmt.Sprintf("/n%d", i), "x")
			}
			victim := e.Leader()
			require.NoError(t, e.Kill(victim))
			require.NoError(t, e.Wipe(victim))
			// With the wiped server there is no quorum that may elect: it must not
			// help to elect one that lacks what was committed.
			other := others(3, victim)[0]
			require.NoError(t, e.Kill(other))
			require.NoError(t, e.Restart(victim))
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			_, err := e.WaitLeader(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NoError(t, e.Restart(other))
			waitServing(t, e)
			back := client(t, 10*time.Second, e.Server(victim).Addr())
			for i := range 50 {
				assert.Equal(t, "x", read(t, back, fmt.Sprintf("/n%d", i)))
			}
		})
	}
}

func TestPause_LeaderIsReplacedAndStepsDownWhenResumed(t *testing.T) {
	e := start(t, 3, brisk)
	old := e.Leader()
	stale := client(t, 30*time.Second, e.Server(old).Addr())
	write(t, stale, "/n", "first")
	require.NoError(t, e.Pause(old))
	before := e.Server(old).Status()
	assert.Zero(t, e.Leader(), "a paused leader leads nobody")
	outcome := make(chan error, 1)
	go func() {
		_, err := stale.Set("/n", []byte("stale"), 0)
		outcome <- err
	}()
	leader := waitLeader(t, e)
	assert.NotEqual(t, old, leader)
	c := client(t, 10*time.Second, addrs(e, others(3, old)...)...)
	set(t, c, "/n", "new", 0)
	select {
	case err := <-outcome:
		require.Fail(t, "a paused server has answered", "%v", err)
	default:
	}
	assert.Equal(t, ensemble.Leading, before.State)
	assert.Equal(t, before, e.Server(old).Status(), "it knows of nothing")

	require.NoError(t, e.Resume(old))
	select {
	case err := <-outcome:
		require.Error(t, err, "a write that came second")
	case <-time.After(patience):
		require.Fail(t, "the write to the old leader has had no outcome")
	}
	waitServing(t, e, old)
	after := e.Server(old).Status()
	assert.Equal(t, ensemble.Following, after.State)
	assert.Greater(t, after.Epoch, before.Epoch)
	assert.Equal(t, "new", read(t, stale, "/n"))
}

// A pause that nobody had the time to notice changes nothing but the time.
func TestPause_ShortOneIsOnlyADelay(t *testing.T) {
	t.Parallel()
	e := zktest.StartConfig(t, zktest.Config{Servers: 1, TickTime: calm})
	c := client(t, 30*time.Second, e.Addrs()...)
	require.NoError(t, e.Pause(1))
	outcome := make(chan error, 1)
	go func() {
		_, err := c.Create("/n", nil, 0, anyone)
		outcome <- err
	}()
	select {
	case err := <-outcome:
		require.Fail(t, "a paused server has answered", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, e.Resume(1))
	require.NoError(t, <-outcome)
	assert.Equal(t, ensemble.Epoch(1), e.Server(1).Status().Epoch)
}

func TestPause_ServerCanBeKilled(t *testing.T) {
	e := start(t, 3, calm)
	require.NoError(t, e.Pause(1, 2, 3))
	require.NoError(t, e.Kill(2))
	require.NoError(t, e.Restart(2))
	require.NoError(t, e.Resume(1, 3))
	waitServing(t, e)
}

func TestCutClients_SessionMovesWithItsEphemeral(t *testing.T) {
	e := start(t, 3, calm)
	c, events := dial(t, 10*time.Second, e.Addrs()...)
	seen := map[string]bool{}
	var session int64
	for deadline := time.After(patience); len(seen) < 2; {
		select {
		case ev := <-events:
			require.NotEqual(t, zk.StateExpired, ev.State, "a session of 10 s")
			if ev.State != zk.StateHasSession {
				continue
			}
		case <-deadline:
			require.Fail(t, "the client does not move", "%v %v", seen, c.State())
		}
		if session == 0 {
			session = c.SessionID()
			_, err := c.Create("/e", nil, zk.FlagEphemeral, anyone)
			require.NoError(t, err)
		}
		at := serverOf(e, c)
		seen[c.Server()] = true
		require.NoError(t, e.CutClients(at))
	}
	assert.Equal(t, session, c.SessionID())
	write(t, c, "/after", "x")
	_, stat, err := c.Get("/e")
	require.NoError(t, err)
	assert.Equal(t, session, stat.EphemeralOwner)
	assert.Equal(t, ensemble.Epoch(1), e.Server(e.Leader()).Status().Epoch, "the servers have noticed nothing")
}

func TestKill_SessionMovesToALivingServer(t *testing.T) {
	e := start(t, 3, calm)
	c := client(t, 10*time.Second, e.Addrs()...)
	session := c.SessionID()
	require.NoError(t, e.Kill(serverOf(e, c)))
	write(t, c, "/n", "x")
	assert.Equal(t, session, c.SessionID())
}

// The dead do not log: what they would say in their last moments is not what a
// machine that has lost its power says.
func TestKill_IsSilent(t *testing.T) {
	t.Parallel()
	var lines lockedLines
	e := zktest.StartConfig(t, zktest.Config{TickTime: calm, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	require.NotZero(t, lines.count("sid=1"))
	require.NoError(t, e.Pause(1))
	before := lines.count("sid=1")
	require.NoError(t, e.Kill(1))
	assert.Equal(t, before, lines.count("sid=1"), lines.String())
}

// lockedLines collects a log.
type lockedLines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedLines) count(what string) int { return strings.Count(l.String(), what) }

// serverOf returns the id of the server that a client is connected to.
func serverOf(e *zktest.Ensemble, c *zk.Conn) int {
	at := c.Server()
	for _, s := range e.Servers() {
		if s.Addr() == at {
			return s.ID()
		}
	}
	return 0
}

func TestObserver_ServesAndCountsInNoQuorum(t *testing.T) {
	t.Parallel()
	e := zktest.StartConfig(t, zktest.Config{Servers: 2, Observers: 2, TickTime: calm})
	require.Len(t, e.Servers(), 4)
	assert.Equal(t, ensemble.Observing, e.Server(3).Status().State)
	c := client(t, 10*time.Second, e.Server(4).Addr())
	write(t, c, "/n", "x")
	require.NoError(t, e.Kill(1))
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := e.WaitLeader(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded, "three of four run, but one of two voters")
	require.NoError(t, e.Restart(1))
	waitServing(t, e)
	assert.Equal(t, "x", read(t, c, "/n"))
}

func TestSession_ExpiresSoonIfTheTestWants(t *testing.T) {
	t.Parallel()
	e := zktest.StartConfig(t, zktest.Config{TickTime: calm, MinSessionTimeout: time.Millisecond})
	follower := others(3, e.Leader())[0]
	lost := client(t, time.Second, e.Server(follower).Addr())
	_, err := lost.Create("/e", nil, zk.FlagEphemeral, anyone)
	require.NoError(t, err)
	c := client(t, 10*time.Second, addrs(e, others(3, follower)...)...)
	there, _, gone, err := c.ExistsW("/e")
	require.NoError(t, err)
	require.True(t, there)
	require.NoError(t, e.Kill(follower)) // the client knows no other
	select {
	case ev := <-gone:
		assert.Equal(t, zk.EventNodeDeleted, ev.Type)
	case <-time.After(patience):
		require.Fail(t, "the ephemeral is still there")
	}
}
