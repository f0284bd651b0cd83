package zktest

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/zab/storage"
)

// A power cut leaves what was synced, and nobody who still holds the old disk can
// add to that.
func TestPlatter_CrashForgetsWhatWasNotSynced(t *testing.T) {
	t.Parallel()
	plate := Config{}.platter(1)
	g := newGate()
	d := disk{plate.fs(), g}
	require.NoError(t, d.MkdirAll(plate.dir))
	f, err := d.Create(plate.dir + "/f")
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("safe"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, d.SyncDir(plate.dir))
	_, err = f.WriteAt([]byte("lost"), 4)
	require.NoError(t, err)

	g.setShut(true)
	synced := make(chan error, 1)
	go func() { synced <- f.Sync() }()
	select {
	case err := <-synced:
		require.Fail(t, "a paused server has synced", "%v", err)
	case <-time.After(moment):
	}
	plate.crash()
	g.kill()
	require.ErrorIs(t, <-synced, errKilled)
	_, err = d.List(plate.dir)
	require.ErrorIs(t, err, errKilled)
	require.NoError(t, f.Close())

	after, err := disk{plate.fs(), newGate()}.Open(plate.dir + "/f")
	require.NoError(t, err)
	b := make([]byte, 10)
	n, err := after.ReadAt(b, 0)
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, "safe", string(b[:n]))
}

// Under load, disks do nothing from the return of Pause to the call of Resume.
func TestPause_DisksStandStill(t *testing.T) {
	t.Parallel()
	e := StartConfig(t, Config{TickTime: time.Second})
	var paused atomic.Bool
	var late, ops atomic.Int64
	for _, h := range e.hosts {
		h.platter.mem.SetFault(func(op storage.Op) error {
			ops.Add(1)
			if paused.Load() {
				late.Add(1)
			}
			return nil
		})
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for i := range 4 {
		c, _, err := zk.Connect(e.Addrs(), 20*time.Second, zk.WithLogger(nobody{}))
		require.NoError(t, err)
		defer c.Close()
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := c.Create(fmt.Sprintf("/n%d-%d", i, n), nil, 0, zk.WorldACL(zk.PermAll))
				assert.NoError(t, err, "a pause is a delay")
			}
		})
	}
	for range 30 {
		before := ops.Load()
		require.Eventually(t, func() bool { return ops.Load() > before+100 }, 20*time.Second, time.Millisecond)
		require.NoError(t, e.Pause(1, 2, 3))
		paused.Store(true)
		<-time.After(time.Millisecond)
		paused.Store(false)
		require.NoError(t, e.Resume(1, 2, 3))
	}
	close(stop)
	writers.Wait()
	assert.Zero(t, late.Load())
}

func TestConfig_FindsTheEnsembleThatWasThere(t *testing.T) {
	t.Parallel()
	c := Config{Servers: 2, Observers: 1, Dir: t.TempDir()}
	for id := 1; id <= 3; id++ {
		found, err := c.found()
		if id == 1 {
			require.NoError(t, err)
			assert.False(t, found)
		} else {
			require.ErrorContains(t, err, fmt.Sprintf("holds the data of %d servers, and this ensemble has 3", id-1))
		}
		require.NoError(t, os.Mkdir(c.dataDir(id), 0o755))
	}
	found, err := c.found()
	require.NoError(t, err)
	assert.True(t, found, "so an empty disk is no longer a new server's")
}

type nobody struct{}

func (nobody) Printf(string, ...any) {}
