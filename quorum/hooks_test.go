package quorum_test

import (
	"context"
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

// heard counts what the hooks of one node were told.
type heard struct {
	mu                   sync.Mutex
	loaded               []quorum.Loaded
	snapshots            []zab.Position
	established, commits int
	syncs                int
}

func (h *heard) hooks() quorum.Hooks {
	locked := func(f func()) {
		h.mu.Lock()
		defer h.mu.Unlock()
		f()
	}
	return quorum.Hooks{
		Loaded:   func(l quorum.Loaded) { locked(func() { h.loaded = append(h.loaded, l) }) },
		Snapshot: func(at zab.Position, took time.Duration) { locked(func() { h.snapshots = append(h.snapshots, at) }) },
		Storage:  &storage.Trace{Sync: func(zab.Position, time.Duration, error) { locked(func() { h.syncs++ }) }},
		Event: func(e quorum.Event) {
			locked(func() {
				for _, effect := range e.Effects {
					switch effect.(type) {
					case zab.Established:
						h.established++
					case zab.Commit:
						h.commits++
					}
				}
			})
		},
	}
}

func TestHooks_TellOfElectionsDiskAndStart(t *testing.T) {
	e := newTrio(t, 3, 0)
	ears := map[ensemble.ServerID]*heard{}
	e.tweak = func(c *quorum.Config) {
		ears[c.Self] = &heard{}
		c.Hooks, c.SnapshotTxns = ears[c.Self].hooks(), 20
	}
	e.start(1, 2, 3)
	for range 50 {
		e.add(1, 1)
	}
	f := e.follower()
	first := ears[ensemble.ServerID(f)]
	require.Eventually(t, func() bool {
		first.mu.Lock()
		defer first.mu.Unlock()
		return len(first.snapshots) > 0
	}, 10*time.Second, time.Millisecond)
	at, file := e.nodes[f-1].LastSnapshot()
	assert.Positive(t, at.Zxid)
	names, err := e.disks[f-1].List("/data")
	require.NoError(t, err)
	assert.Contains(t, names, file[len("/data/"):])
	first.mu.Lock()
	assert.Equal(t, []quorum.Loaded{{}}, noTimes(first.loaded), "nothing was there")
	assert.Equal(t, 1, first.established)
	assert.Positive(t, first.commits)
	assert.Positive(t, first.syncs)
	first.mu.Unlock()

	e.stop(f)
	e.start(f)
	require.NoError(t, e.nodes[f-1].Sync(context.Background()))
	again := ears[ensemble.ServerID(f)]
	again.mu.Lock()
	defer again.mu.Unlock()
	require.Len(t, again.loaded, 1, "once a start")
	assert.GreaterOrEqual(t, again.loaded[0].Snapshot.Zxid, at.Zxid)
	assert.Positive(t, again.loaded[0].Took)
}

func noTimes(list []quorum.Loaded) []quorum.Loaded {
	for i := range list {
		list[i].Took, list[i].TxnsTook = 0, 0
	}
	return list
}
