package quorum_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

var quiet = slog.New(slog.DiscardHandler)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must[T any](v T, err ...error) T {
	for _, e := range err {
		if e != nil {
			panic(e)
		}
	}
	return v
}

func TestNode_FollowerRestartsAndCatchesUpByDiff(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.start(1, 2, 3)
	e.add(1, 5)
	f := e.follower()
	e.stop(f)
	e.add(e.leader(), 6)
	e.lastMode(f)
	e.start(f)
	require.NoError(t, e.nodes[f-1].Sync(context.Background()))
	assert.Equal(t, int64(11), e.machines[f-1].value.Load())
	assert.Equal(t, "DIFF", e.lastMode(f))
}

func TestNode_WritesGoOnAfterTheLeaderIsGone(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.start(1, 2, 3)
	e.add(1, 1)
	l := e.leader()
	e.stop(l)
	other := l%3 + 1
	e.established(other)
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := e.nodes[other-1].Propose(ctx, []byte("10"))
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	e.start(l)
	require.NoError(t, e.nodes[l-1].Sync(context.Background()))
	// An attempt that failed may have taken effect all the same.
	assert.GreaterOrEqual(t, e.machines[l-1].value.Load(), int64(11))
	assert.Equal(t, int64(1), e.machines[l-1].value.Load()%10)
}

// A wiped follower whose leader no longer has the beginning of its log takes a
// snapshot, and its votes do not count before.
func TestNode_EmptyDiskIsFilledBySnapshot(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.tweak = func(c *quorum.Config) {
		c.SnapshotTxns, c.SnapshotsRetained, c.Initialize = 20, 1, e.disks[c.Self-1].Ops() == 0
	}
	e.start(1, 2, 3)
	for range 300 {
		e.add(1, 1)
	}
	f, l := e.follower(), e.leader()
	require.Eventually(t, func() bool {
		e.add(l, 0)
		return e.purged(l)
	}, 10*time.Second, time.Millisecond)
	e.stop(f)
	e.disks[f-1] = storage.NewMemFS()
	require.NoError(t, e.disks[f-1].MkdirAll("/data")) // an operation: not a new ensemble
	e.lastMode(f)
	e.start(f)
	require.NoError(t, e.nodes[f-1].Sync(context.Background()))
	assert.Equal(t, int64(300), e.machines[f-1].value.Load())
	assert.Equal(t, "SNAP", e.lastMode(f))
	assert.Less(t, e.machines[f-1].applied.Load(), int64(200), "most of it came in the snapshot")
	e.stop(f)
	e.start(f)
	require.NoError(t, e.nodes[f-1].Sync(context.Background()))
	assert.Equal(t, int64(300), e.machines[f-1].value.Load(), "from its own disk now")
}

// purged reports whether the log of a server no longer begins at the beginning.
func (e *trio) purged(id int) bool {
	names, err := e.disks[id-1].List("/data")
	require.NoError(e.t, err)
	for _, n := range names {
		if n == "log.100000001" || n == "log.0000000100000001" {
			return false
		}
	}
	return true
}

func TestNode_TwoWipedServersDoNotElectEachOther(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.start(1, 2, 3)
	e.add(1, 7)
	require.NoError(t, e.nodes[2].Sync(context.Background())) // server 3 has it, perhaps not synced
	require.NoError(t, e.nodes[2].Close())                    // and keeps it: this is no crash
	e.nodes[2] = nil
	e.stop(1)
	e.stop(2)
	e.tweak = func(c *quorum.Config) { c.Initialize = false }
	for id := 1; id <= 2; id++ {
		e.disks[id-1] = storage.NewMemFS()
		e.machines[id-1] = &sum{}
		e.nodes[id-1] = must(quorum.Start(context.Background(), e.config(id), e.machines[id-1]))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, e.nodes[0].Established(ctx), context.DeadlineExceeded)
	e.start(3)
	e.established(1)
	require.NoError(t, e.nodes[0].Sync(context.Background()))
	assert.Equal(t, int64(7), e.machines[0].value.Load())
}

func TestNode_ObserverServesAndNeverCounts(t *testing.T) {
	e := newTrio(t, 3, 1)
	e.start(1, 2, 3, 4)
	assert.Equal(t, int64(3), e.add(4, 3), "a write through the observer")
	assert.Equal(t, ensemble.Observing, e.nodes[3].Status().State)
	require.NoError(t, e.nodes[3].Sync(context.Background()))
	assert.Equal(t, int64(3), e.machines[3].value.Load())
	e.stop(1)
	e.stop(2)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := e.nodes[2].Propose(ctx, []byte("1"))
	require.Error(t, err, "one voter of three and an observer are no quorum")
}

func TestNode_WithoutALeaderRequestsFailAtOnce(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.nodes[0] = must(quorum.Start(context.Background(), e.config(1), &sum{}))
	_, err := e.nodes[0].Propose(context.Background(), []byte("1"))
	require.ErrorIs(t, err, quorum.ErrNotServing)
	require.ErrorIs(t, e.nodes[0].Sync(context.Background()), quorum.ErrNotServing)
	n := e.nodes[0]
	require.NoError(t, n.Close())
	_, err = n.Propose(context.Background(), []byte("1"))
	require.ErrorIs(t, err, quorum.ErrClosed)
}

func TestNode_SubmitsKeepTheirOrder(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.start(1, 2, 3)
	var mu sync.Mutex
	var results []int64
	var wg sync.WaitGroup
	const n = 2000
	wg.Add(n)
	for range n {
		e.nodes[e.follower()-1].Submit([]byte("1"), func(result any, err error) {
			mu.Lock()
			if assert.NoError(t, err) {
				results = append(results, result.(int64))
			}
			mu.Unlock()
			wg.Done()
		})
	}
	wg.Wait()
	require.Len(t, results, n)
	for i, r := range results {
		require.Equal(t, int64(i+1), r)
	}
}

// Every request gets exactly one outcome, whatever becomes of the leader.
func TestNode_EveryRequestHasOneOutcome(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.start(1, 2, 3)
	f, l := e.follower(), e.leader()
	const n = 500
	outcomes := make(chan error, 2*n)
	for i := range n {
		e.nodes[f-1].Submit([]byte("1"), func(_ any, err error) { outcomes <- err })
		if i == n/2 {
			go func() { _ = e.nodes[l-1].Close() }()
		}
	}
	good := 0
	for range n {
		select {
		case err := <-outcomes:
			if err == nil {
				good++
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a request without an outcome")
		}
	}
	e.established(f)
	require.NoError(t, e.nodes[f-1].Sync(context.Background()))
	assert.GreaterOrEqual(t, e.machines[f-1].value.Load(), int64(good), "acknowledged and gone")
	assert.Empty(t, outcomes)
}

// A failed fsync is not retried: the server ends, and the others go on.
func TestNode_DiskFailureEndsTheServer(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.start(1, 2, 3)
	f := e.follower()
	e.disks[f-1].SetFault(func(op storage.Op) error {
		if op.Kind == storage.OpSync {
			return errors.New("input/output error")
		}
		return nil
	})
	e.add(e.leader(), 1)
	select {
	case <-e.nodes[f-1].Done():
	case <-time.After(5 * time.Second):
		t.Fatal("goes on with a broken disk")
	}
	err := e.nodes[f-1].Close()
	require.ErrorContains(t, err, "input/output error")
	e.add(e.leader(), 1)
}

func TestNode_BytesFromStrangersDisturbNobody(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.start(1, 2, 3)
	for _, addrs := range e.addrs {
		for _, addr := range addrs {
			for _, bytes := range [][]byte{
				{0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 0}, {0x7f, 0xff, 0xff, 0xff}, []byte("GET / HTTP/1.1\r\n\r\n"), make([]byte, 5000),
			} {
				conn, err := net.Dial("tcp", addr)
				require.NoError(t, err)
				_, _ = conn.Write(bytes)
				require.NoError(t, conn.Close())
			}
		}
	}
	l := e.leader()
	assert.Equal(t, int64(1), e.add(1, 1))
	assert.Equal(t, l, e.leader(), "an election for nothing")
}

func TestNode_TraceShowsEveryStep(t *testing.T) {
	e := newTrio(t, 1, 0)
	var mu sync.Mutex
	kinds := map[string]int{}
	e.tweak = func(c *quorum.Config) {
		c.Trace = func(ev quorum.Event) {
			mu.Lock()
			defer mu.Unlock()
			kinds[fmt.Sprintf("%T", ev.Input)]++
			for _, effect := range ev.Effects {
				kinds[fmt.Sprintf("%T", effect)]++
			}
		}
	}
	e.start(1)
	e.add(1, 1)
	mu.Lock()
	defer mu.Unlock()
	for _, k := range []string{"quorum.Delivered", "quorum.RoleChange", "zab.Propose", "zab.Append", "zab.Durable", "zab.Commit", "zab.Established"} {
		assert.Positive(t, kinds[k], k)
	}
}

func TestConfig_ValidateNamesEveryFault(t *testing.T) {
	_, err := quorum.Start(context.Background(), quorum.Config{Self: -1, TickTime: -1}, &sum{})
	for _, want := range []string{"Config.View", "Config.Self", "Config.Dir", "Config.TickTime"} {
		assert.ErrorContains(t, err, want)
	}
	e := newTrio(t, 1, 0)
	_, err = quorum.Start(context.Background(), e.config(1), nil)
	assert.ErrorContains(t, err, "state machine")
	taken := must(net.Listen("tcp", e.addrs[0][1]))
	defer func() { _ = taken.Close() }()
	_, err = quorum.Start(context.Background(), e.config(1), &sum{})
	assert.ErrorContains(t, err, "is another server using the port?")
}

var _ zab.StateMachine = &sum{}
