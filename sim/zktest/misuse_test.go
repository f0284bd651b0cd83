package zktest_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim/zktest"
)

// fakeTB is a test that may fail.
type fakeTB struct {
	testing.TB
	out      strings.Builder
	failures []string
	cleanups []func()
}

func (f *fakeTB) Helper()           {}
func (f *fakeTB) Output() io.Writer { return &f.out }
func (f *fakeTB) Cleanup(do func()) { f.cleanups = append(f.cleanups, do) }

func (f *fakeTB) Errorf(format string, args ...any) {
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// run runs a test and returns how it failed.
func (f *fakeTB) run(test func()) []string {
	f.failures = nil
	done := make(chan struct{})
	go func() {
		defer close(done)
		test()
	}()
	<-done
	return f.failures
}

func (f *fakeTB) end() {
	for _, do := range f.cleanups {
		do()
	}
}

func TestMisuse_EndsTheTestWithASentence(t *testing.T) {
	t.Parallel()
	tb := &fakeTB{}
	var e *zktest.Ensemble
	require.Empty(t, tb.run(func() { e = zktest.StartConfig(tb, zktest.Config{Servers: 2, Observers: 1}) }))
	for _, c := range []struct {
		do   func()
		want string
	}{
		{func() { e.Kill(7) }, "zktest: Kill: there is no server 7: the ids are 1 to 3"},
		{func() { e.Kill(0) }, "zktest: Kill: there is no server 0: the ids are 1 to 3"},
		{func() { e.Kill() }, "zktest: Kill: of which server? Name its id"},
		{func() { e.Kill(1, 2, 1) }, "zktest: Kill: server 1 is named twice"},
		{func() { e.Restart(1) }, "zktest: Restart: server 1 runs; Kill it first"},
		{func() { e.Wipe(2) }, "zktest: Wipe: server 2 runs; Kill it first"},
		{func() { e.Resume(2) }, "zktest: Resume: server 2 is not paused"},
		{func() { e.Pause(2); e.Pause(1, 2) }, "zktest: Pause: server 2 is paused already"},
		{func() { e.Resume(2); e.Kill(3); e.Kill(3) }, "zktest: Kill: server 3 does not run; Restart it first"},
		{func() { e.Pause(3) }, "zktest: Pause: server 3 does not run; Restart it first"},
		{func() { e.Resume(3) }, "zktest: Resume: server 3 does not run; Restart it first"},
		{func() { e.CutClients(3) }, "zktest: CutClients: server 3 does not run; Restart it first"},
		{func() { _ = e.WaitServing(t.Context(), 1, 3) }, "zktest: WaitServing: server 3 does not run; Restart it first"},
		{func() { _ = e.WaitServing(t.Context(), 4) }, "zktest: WaitServing: there is no server 4: the ids are 1 to 3"},
		{func() { e.Partition([]int{1, 2}) }, "zktest: Partition: one group is no partition; name two or more, or use Isolate"},
		{func() { e.Partition([]int{1, 2}, []int{2, 3}) }, "zktest: Partition: server 2 is named twice"},
		{func() { e.Partition([]int{1}, []int{5}) }, "zktest: Partition: there is no server 5: the ids are 1 to 3"},
		{func() { e.Isolate(9) }, "zktest: Isolate: there is no server 9: the ids are 1 to 3"},
		{func() { e.Stall(2, 2) }, "zktest: Stall: server 2 is named twice"},
		{func() { e.Server(4) }, "zktest: Server: there is no server 4: the ids are 1 to 3"},
	} {
		assert.Equal(t, []string{c.want}, tb.run(c.do))
	}
	assert.Empty(t, tb.run(func() { waitServing(t, e); tb.end() }))
	assert.Contains(t, tb.out.String(), "msg=serving", "the log is the test's")
	assert.Equal(t, []string{"zktest: Heal: the ensemble is closed"}, tb.run(func() { e.Heal() }))
	assert.Equal(t, []string{"zktest: Kill: the ensemble is closed"}, tb.run(func() { e.Kill(1) }))
}

func TestServer_ThatEndsByItselfFailsTheTest(t *testing.T) {
	t.Parallel()
	tb := &fakeTB{}
	var e *zktest.Ensemble
	require.Empty(t, tb.run(func() { e = zktest.StartConfig(tb, zktest.Config{TickTime: calm}) }))
	victim := others(3, e.Leader())[0]
	lost := client(t, 10*time.Second, e.Server(victim).Addr())
	c := client(t, 10*time.Second, addrs(e, others(3, victim)...)...)
	e.BreakDisk(victim)
	write(t, c, "/n", "x")
	require.Eventually(t, func() bool { return !e.Server(victim).Running() }, patience, time.Millisecond)
	require.Eventually(t, func() bool { return lost.State() != zk.StateHasSession }, patience, time.Millisecond,
		"its connections end, too")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := e.WaitServing(ctx, victim)
	require.ErrorContains(t, err, fmt.Sprintf("server %d has ended by itself", victim))
	assert.Equal(t, []string{fmt.Sprintf("zktest: Restart: server %d has ended by itself; Kill it first, for what is left of it", victim)},
		tb.run(func() { e.Restart(victim) }))

	require.Empty(t, tb.run(func() { e.Kill(victim); e.Restart(victim) }))
	waitServing(t, e)
	assert.Equal(t, "x", read(t, client(t, 10*time.Second, e.Server(victim).Addr()), "/n"))
	failures := tb.run(tb.end)
	require.Len(t, failures, 1)
	assert.Contains(t, failures[0], fmt.Sprintf("zktest: server %d has ended by itself: disk: ", victim))
	assert.Contains(t, failures[0], "input/output error")
}

func TestMisuse_StartOfNothing(t *testing.T) {
	t.Parallel()
	tb := &fakeTB{}
	assert.Equal(t, []string{"zktest: Start(0): an ensemble has at least one server"}, tb.run(func() { zktest.Start(tb, 0) }))
	assert.Empty(t, tb.cleanups)
}

func TestMisuse_WithoutATestIsAnError(t *testing.T) {
	t.Parallel()
	e, err := zktest.New(zktest.Config{Servers: 1, Logger: quiet})
	require.NoError(t, err)
	require.EqualError(t, e.Kill(2), "zktest: Kill: there is no server 2: the ids are 1 to 1")
	nobody := e.Server(2)
	assert.Zero(t, nobody.ID())
	assert.Empty(t, nobody.Addr())
	assert.False(t, nobody.Running())
	assert.Equal(t, "down", nobody.Status().Phase)
	require.NoError(t, e.Close())
	require.NoError(t, e.Close(), "twice is once")
	require.EqualError(t, e.Restart(1), "zktest: Restart: the ensemble is closed")
	assert.Zero(t, e.Leader())
}

func TestConfig_AllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := zktest.New(zktest.Config{Servers: -1, Observers: 99, TickTime: time.Microsecond, SnapshotTxns: -1,
		MinSessionTimeout: time.Hour, MaxSessionTimeout: time.Minute})
	require.Error(t, err)
	for _, want := range []string{"Config.Servers is -1", "98 together: at most 64", "Config.TickTime is 1µs: want at least 10ms",
		"Config.SnapshotTxns is -1", "Config.MinSessionTimeout is 1h0m0s and MaxSessionTimeout 1m0s"} {
		assert.ErrorContains(t, err, want)
	}
	_, err = zktest.New(zktest.Config{Observers: -1})
	assert.EqualError(t, err, "zktest: Config.Observers is -1: it must not be negative")
}

func TestDir_LaterEnsembleGoesOn(t *testing.T) {
	t.Parallel()
	cfg := zktest.Config{Servers: 3, Dir: filepath.Join(t.TempDir(), "data"), TickTime: calm}
	first := zktest.StartConfig(t, cfg)
	write(t, client(t, 10*time.Second, first.Addrs()...), "/n", "x")

	_, err := zktest.New(cfg)
	require.ErrorContains(t, err, "start server 1", "two ensembles in one directory")
	require.NoError(t, first.Kill(1, 2, 3))
	require.NoError(t, first.Restart(1, 2, 3))
	waitServing(t, first)
	require.NoError(t, first.Close())

	second := zktest.StartConfig(t, cfg)
	c := client(t, 10*time.Second, second.Addrs()...)
	assert.Equal(t, "x", read(t, c, "/n"))
	victim := second.Leader()
	require.NoError(t, second.Kill(victim))
	require.NoError(t, second.Wipe(victim))
	require.NoDirExists(t, filepath.Join(cfg.Dir, fmt.Sprintf("server-%d", victim)))
	require.NoError(t, second.Restart(victim))
	waitServing(t, second)
	assert.Equal(t, "x", read(t, client(t, 10*time.Second, second.Server(victim).Addr()), "/n"))
	require.NoError(t, second.Close())

	cfg.Servers = 5
	_, err = zktest.New(cfg)
	require.ErrorContains(t, err, "holds the data of 3 servers, and this ensemble has 5")
}

func TestStart_ManyAtOnce(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			e := zktest.Start(t, 3)
			assert.Equal(t, strings.Join(e.Addrs(), ","), e.ConnectString())
			c := client(t, 10*time.Second, e.Addrs()...)
			there, _, err := c.Exists("/mine")
			require.NoError(t, err)
			require.False(t, there, "another test's ensemble")
			write(t, c, "/mine", "x")
			c.Close()
			leader := e.Leader()
			require.NoError(t, e.Kill(leader))
			waitServing(t, e)
			c = client(t, 10*time.Second, addrs(e, others(3, leader)...)...)
			assert.Equal(t, "x", read(t, c, "/mine"))
			require.NoError(t, e.Restart(leader))
			waitServing(t, e)
		})
	}
}
