package integration_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
)

// An observer serves reads and passes writes on, and never counts: with it and
// one of three voters nothing is written.
func TestObserver_ServesAndNeverCounts(t *testing.T) {
	c := startCluster(t, cluster.Config{Servers: 3, Observers: 1})
	observer := c.Server(4)
	mode, err := observer.Mode()
	require.NoError(t, err)
	assert.Equal(t, "observer", mode)

	conn := dial(t, observer.ClientAddr())
	require.NoError(t, conn.Create("/o", []byte("through the observer")))
	data, _, err := conn.Get("/o")
	require.NoError(t, err)
	assert.Equal(t, "through the observer", string(data))

	voter := dial(t, c.Server(1).ClientAddr())
	require.NoError(t, voter.Set("/o", []byte("by a voter")))
	require.NoError(t, conn.Sync("/o"))
	data, _, err = conn.Get("/o")
	require.NoError(t, err)
	assert.Equal(t, "by a voter", string(data))

	c.Server(2).Kill()
	c.Server(3).Kill()
	eventually(t, servingTimeout, "one voter and an observer stop serving", func() error {
		for _, id := range []int{1, 4} {
			if mode, err := c.Server(id).Mode(); err == nil {
				return fmt.Errorf("server %d still serves as %s", id, mode)
			}
		}
		return nil
	})
	// They must not begin again: three times as long as an election takes.
	if err := cluster.Poll(3*time.Second, func() error {
		for _, id := range []int{1, 4} {
			if conn, err := wire.Dial(c.Server(id).ClientAddr(), time.Second); err == nil {
				conn.Drop()
				return nil
			}
		}
		return errors.New("nobody serves")
	}); err == nil {
		t.Fatal("one voter of three and an observer opened a session: the observer was counted")
	}
	require.NoError(t, c.Start(2))
	require.NoError(t, c.WaitServing(servingTimeout, 1, 2, 4))
	conn = dial(t, observer.ClientAddr())
	require.NoError(t, conn.Set("/o", []byte("with two voters again")))
}
