package quorum_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// slowly is a sum that takes its time, as large states do.
type slowly struct {
	sum
	apply   time.Duration // for each transaction
	piece   time.Duration // for each of ten pieces of a snapshot
	restore time.Duration // for all of a snapshot
}

// take lets time pass in a device that is slow.
func take(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

func (m *slowly) Apply(txn zab.Txn) any { take(m.apply); return m.sum.Apply(txn) }

func (m *slowly) Snapshot() (zab.Snapshot, error) {
	s, err := m.sum.Snapshot()
	return slowSnapshot{s, m.piece}, err
}

func (m *slowly) Restore(r io.Reader) error {
	take(m.restore)
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return m.sum.Restore(bytes.NewReader(bytes.TrimLeft(b, "0")))
}

type slowSnapshot struct {
	zab.Snapshot
	piece time.Duration
}

func (s slowSnapshot) WriteTo(w io.Writer) (int64, error) {
	for range 10 {
		take(s.piece)
		if _, err := w.Write(bytes.Repeat([]byte("0"), 300<<10)); err != nil {
			return 0, err
		}
	}
	return s.Snapshot.WriteTo(w)
}

func (e *trio) startWith(id int, m *slowly) {
	e.machines[id-1] = &m.sum
	e.nodes[id-1] = must(quorum.Start(context.Background(), e.config(id), m))
}

func TestNode_LargeRequestsAreRefusedBeforeTheyAreSent(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.tweak = func(c *quorum.Config) { c.TickTime = time.Second }
	e.start(1, 2, 3)
	for _, id := range []int{e.leader(), e.follower()} {
		_, err := e.nodes[id-1].Propose(context.Background(), make([]byte, quorum.RequestBytesMax+1))
		require.ErrorIs(t, err, quorum.ErrTooLarge)
	}
	huge := append(bytes.Repeat([]byte("0"), quorum.RequestBytesMax-1), '1')
	_, err := e.nodes[e.follower()-1].Propose(context.Background(), huge)
	require.NoError(t, err, "as large as may be")
	assert.Equal(t, int64(3), e.add(1, 2))
}

// A snapshot arrives although its way takes longer than initLimit, because it
// makes progress, and so does its installation.
func TestNode_LongSnapshotArrives(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.tweak = func(c *quorum.Config) {
		c.TickTime, c.InitLimitTicks = 50*time.Millisecond, 6
		c.Initialize = e.disks[c.Self-1].Ops() == 0
	}
	for id := 1; id <= 3; id++ {
		e.startWith(id, &slowly{piece: 100 * time.Millisecond})
	}
	for id := 1; id <= 3; id++ {
		e.established(id)
	}
	e.add(1, 1)
	f := e.follower()
	e.stop(f)
	e.disks[f-1] = storage.NewMemFS()
	require.NoError(t, e.disks[f-1].MkdirAll("/data")) // an operation: not a new ensemble
	e.startWith(f, &slowly{restore: time.Second})
	e.established(f)
	assert.Equal(t, "SNAP", e.lastMode(f))
	assert.Equal(t, int64(1), e.machines[f-1].value.Load())
}

// A server that is still applying its own log when a snapshot comes does not
// lose the log from under its feet.
func TestNode_SnapshotWaitsForTheApplier(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.tweak = func(c *quorum.Config) { c.SnapshotTxns, c.SnapshotsRetained, c.LogSegmentBytes = 50, 1, 4<<10 }
	e.start(1, 2, 3)
	f := e.follower()
	for range 12 { // so much that it is read in several pieces
		_, err := e.nodes[f-1].Propose(context.Background(), append(bytes.Repeat([]byte("0"), 200<<10), '1'))
		require.NoError(t, err)
	}
	e.stop(f)
	l := e.leader()
	require.Eventually(t, func() bool {
		for range 50 {
			e.add(l, 1)
		}
		return e.purged(l)
	}, 10*time.Second, time.Millisecond)
	e.startWith(f, &slowly{apply: 50 * time.Millisecond})
	e.established(f)
	require.NoError(t, e.nodes[f-1].Sync(context.Background()))
	assert.Equal(t, e.machines[l-1].value.Load(), e.machines[f-1].value.Load())
}

// More requests than anybody can take at once: Submit waits, and nobody stops
// reading acknowledgements.
func TestNode_FloodOfRequestsIsServed(t *testing.T) {
	e := newTrio(t, 3, 0)
	dir := t.TempDir()
	e.tweak = func(c *quorum.Config) {
		c.TickTime, c.FS, c.Dir, c.LogSegmentBytes = time.Second, nil, filepath.Join(dir, c.Self.String()), 0
	}
	e.start(1, 2, 3)
	request := append(bytes.Repeat([]byte("0"), 128<<10), '1')
	const n = 160 // 20 MiB, more than a server has credit for
	var wg sync.WaitGroup
	wg.Add(n)
	f := e.follower()
	for range n {
		e.nodes[f-1].Submit(request, func(_ any, err error) {
			assert.NoError(t, err)
			wg.Done()
		})
	}
	wg.Wait()
	assert.Equal(t, int64(n), e.add(1, 0))
}

func TestNode_LeaderWithAHungDiskResigns(t *testing.T) {
	e := newTrio(t, 3, 0)
	e.tweak = func(c *quorum.Config) { c.TickTime = 50 * time.Millisecond }
	e.start(1, 2, 3)
	e.add(1, 1)
	l, f := e.leader(), e.follower()
	hang := make(chan struct{})
	e.disks[l-1].SetFault(func(op storage.Op) error {
		if op.Kind == storage.OpSync {
			<-hang
		}
		return nil
	})
	e.nodes[f-1].Submit([]byte("1"), func(any, error) {})
	require.Eventually(t, func() bool {
		return e.nodes[l-1].Status().State == ensemble.Looking && e.nodes[f-1].Status().Epoch > 1
	}, 10*time.Second, 5*time.Millisecond)
	_, err := e.nodes[l-1].Propose(context.Background(), []byte("1"))
	require.True(t, errors.Is(err, quorum.ErrNotServing), "%v", err)
	close(hang)
	e.established(l)
}
