package zktest_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/sim/zktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// calm is a TickTime with which no server gives another one up because the machine
// is busy; with brisk silence is long after a second.
const (
	calm  = time.Second
	brisk = 200 * time.Millisecond
)

// patience is how long anything may take that is to happen.
const patience = 20 * time.Second

var anyone = zk.WorldACL(zk.PermAll)

func start(t *testing.T, servers int, tick time.Duration) *zktest.Ensemble {
	t.Helper()
	t.Parallel()
	return zktest.StartConfig(t, zktest.Config{Servers: servers, TickTime: tick})
}

// within is a context for what is to happen.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func waitLeader(t testing.TB, e *zktest.Ensemble) int {
	t.Helper()
	id, err := e.WaitLeader(within(t))
	require.NoError(t, err)
	return id
}

func waitServing(t testing.TB, e *zktest.Ensemble, ids ...int) {
	t.Helper()
	require.NoError(t, e.WaitServing(within(t), ids...))
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// client is an unmodified go-zookeeper, with a session when it is returned.
func client(t testing.TB, timeout time.Duration, addrs ...string) *zk.Conn {
	t.Helper()
	c, events := dial(t, timeout, addrs...)
	for deadline := time.After(patience); c.State() != zk.StateHasSession; {
		select {
		case <-events:
		case <-deadline:
			require.Fail(t, "no session", "with %v; the state is %v", addrs, c.State())
		}
	}
	return c
}

func dial(t testing.TB, timeout time.Duration, addrs ...string) (*zk.Conn, <-chan zk.Event) {
	t.Helper()
	c, events, err := zk.Connect(addrs, timeout, zk.WithLogger(silent{}))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, events
}

// write creates a node and insists: go-zookeeper tries again elsewhere after an
// error that leaves the outcome open, and so does this.
func write(t testing.TB, c *zk.Conn, path, data string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := c.Create(path, []byte(data), 0, anyone)
		return err == nil || err == zk.ErrNodeExists
	}, patience, 5*time.Millisecond, "write %s", path)
}

// set replaces the data of a node of that version, and insists: after an error that
// leaves the outcome open, a version that is gone is its success.
func set(t testing.TB, c *zk.Conn, path, data string, version int32) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := c.Set(path, []byte(data), version)
		return err == nil || err == zk.ErrBadVersion
	}, patience, 5*time.Millisecond, "set %s", path)
}

// read returns the data of a node, as of now.
func read(t testing.TB, c *zk.Conn, path string) string {
	t.Helper()
	var data []byte
	require.Eventually(t, func() bool {
		if _, err := c.Sync(path); err != nil {
			return false
		}
		var err error
		data, _, err = c.Get(path)
		return err == nil
	}, patience, 5*time.Millisecond, "read %s", path)
	return string(data)
}

// others are the ids from 1 to n without one.
func others(n, without int) []int {
	var ids []int
	for id := 1; id <= n; id++ {
		if id != without {
			ids = append(ids, id)
		}
	}
	return ids
}

func addrs(e *zktest.Ensemble, ids ...int) []string {
	var list []string
	for _, id := range ids {
		list = append(list, e.Server(id).Addr())
	}
	return list
}

// BenchmarkStart measures from nothing to the first write that has succeeded.
func BenchmarkStart(b *testing.B) {
	for _, servers := range []int{1, 3, 5} {
		b.Run(fmt.Sprintf("servers=%d", servers), func(b *testing.B) {
			var serving, written time.Duration
			for b.Loop() {
				began := time.Now()
				e, err := zktest.New(zktest.Config{Servers: servers, Logger: quiet})
				require.NoError(b, err)
				serving += time.Since(began)
				c, _, err := zk.Connect(e.Addrs(), 4*time.Second, zk.WithLogger(silent{}))
				require.NoError(b, err)
				_, err = c.Create("/first", nil, 0, anyone)
				require.NoError(b, err)
				written += time.Since(began)
				b.StopTimer()
				c.Close()
				require.NoError(b, e.Close())
				b.StartTimer()
			}
			b.ReportMetric(float64(serving.Microseconds())/1000/float64(b.N), "ms-to-serving")
			b.ReportMetric(float64(written.Microseconds())/1000/float64(b.N), "ms-to-first-write")
		})
	}
}

var quiet = slog.New(slog.DiscardHandler)
