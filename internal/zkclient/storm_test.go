package zkclient

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/zktest"
)

// Servers die and come back while many goroutines write and read. Nothing hangs, no
// session ends, no zxid goes back, no acknowledged write is lost, and none whose
// connection was lost happens twice.
func TestClient_Storm(t *testing.T) {
	e := zktest.StartConfig(t, zktest.Config{Servers: 3, TickTime: 100 * time.Millisecond, MaxSessionTimeout: time.Minute})
	c := dial(t, Config{Servers: e.ConnectString(), SessionTimeout: 30 * time.Second})
	ctx, id := testContext(t), c.SessionID()
	const writers = 8
	var acknowledged, unknown [writers]int64
	var over atomic.Bool
	var all sync.WaitGroup
	for w := range writers {
		path := "/w" + string(rune('0'+w))
		_, _, err := c.Create(ctx, path, make([]byte, 8), Create{})
		require.NoError(t, err)
		all.Go(func() {
			for zxid := int64(0); !over.Load(); {
				data, st, err := c.Get(ctx, path, false)
				if err != nil {
					t.Error(err)
					return
				}
				if st.Mzxid < zxid {
					t.Errorf("%s went back from %x to %x", path, zxid, st.Mzxid)
				}
				zxid = st.Mzxid
				next := binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(data)+1)
				switch _, err := c.Set(ctx, path, next, st.Version); {
				case err == nil:
					acknowledged[w]++
				case errors.Is(err, ErrConnectionLoss):
					unknown[w]++
				case errors.Is(err, proto.ErrBadVersion) && unknown[w] > 0: // that one came late
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 4 {
		server := i%3 + 1
		require.NoError(t, e.Kill(server))
		time.Sleep(50 * time.Millisecond) // there is work meanwhile; its length proves nothing
		require.NoError(t, e.Restart(server))
		require.NoError(t, e.WaitServing(ctx))
	}
	over.Store(true)
	all.Wait()
	require.Equal(t, id, c.SessionID())
	for w := range writers {
		data, st, err := c.Get(ctx, "/w"+string(rune('0'+w)), false)
		require.NoError(t, err)
		n := int64(binary.BigEndian.Uint64(data))
		require.EqualValues(t, n, st.Version)
		require.GreaterOrEqual(t, n, acknowledged[w])
		require.LessOrEqual(t, n, acknowledged[w]+unknown[w])
		require.Positive(t, acknowledged[w])
	}
}
