package integration_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
)

// load is a crowd of writers, each with keys of its own and pinned to one
// server, which create one node after another and remember which were
// acknowledged. A write is never tried twice: one without a reply stays unknown.
type load struct {
	root  string
	start time.Time
	stop  chan struct{}
	wg    sync.WaitGroup

	mu      sync.Mutex
	acks    []time.Duration // when, since start
	acked   []string        // paths; the data of a node is its path
	unknown int
	refused []error // replies with an error code: there should be none
}

const (
	loadInterval = 2 * time.Millisecond // between the writes of one writer
	loadBucket   = 1000                 // nodes below one parent
	loadSession  = 4 * time.Second
)

// startLoad begins to write to each of these servers with n writers. The test's
// end stops it.
func startLoad(t *testing.T, root string, n int, servers ...*cluster.Server) *load {
	t.Helper()
	l := &load{root: "/" + root, start: time.Now(), stop: make(chan struct{})}
	eventually(t, servingTimeout, "make "+l.root, func() error {
		conn, err := wire.Dial(servers[0].ClientAddr(), loadSession)
		if err != nil {
			return err
		}
		defer conn.Drop()
		return existing(conn.Create(l.root, nil))
	})
	for _, s := range servers {
		for i := range n {
			l.wg.Add(1)
			go l.write(s.ClientAddr(), fmt.Sprintf("%s/s%d-%d", l.root, s.ID, i))
		}
	}
	t.Cleanup(l.Stop)
	return l
}

// existing takes a node that is there already for made.
func existing(err error) error {
	if errors.Is(err, wire.ErrNodeExists) {
		return nil
	}
	return err
}

// Stop ends the load and waits for its writers. It may be called twice.
func (l *load) Stop() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.wg.Wait()
}

func (l *load) write(addr, prefix string) {
	defer l.wg.Done()
	tick := time.NewTicker(loadInterval)
	defer tick.Stop()
	var conn *wire.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for n, bucket := 0, -1; ; {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
		if conn == nil {
			var err error
			if conn, err = wire.Dial(addr, loadSession); err != nil {
				conn = nil
				continue
			}
		}
		parent := fmt.Sprintf("%s-%d", prefix, n/loadBucket)
		if bucket != n/loadBucket {
			if err := existing(conn.Create(parent, nil)); err != nil {
				conn = l.lost(conn, err)
				continue
			}
			bucket = n / loadBucket
		}
		path := fmt.Sprintf("%s/%d", parent, n)
		n++
		if err := conn.Create(path, []byte(path)); err != nil {
			conn = l.lost(conn, err)
			continue
		}
		l.mu.Lock()
		l.acks = append(l.acks, time.Since(l.start))
		l.acked = append(l.acked, path)
		l.mu.Unlock()
	}
}

// lost counts a write without success. It returns the connection if that is
// still good, which an error in a reply means.
func (l *load) lost(conn *wire.Conn, err error) *wire.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !errors.Is(err, wire.ErrLost) {
		l.refused = append(l.refused, err)
		return conn
	}
	l.unknown++
	conn.Drop()
	return nil
}

// Acked returns the number of acknowledged writes so far.
func (l *load) Acked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acks)
}

// WaitAcks waits until n more writes have been acknowledged.
func (l *load) WaitAcks(t *testing.T, n int, timeout time.Duration) {
	t.Helper()
	want := l.Acked() + n
	eventually(t, timeout, "writes succeed", func() error {
		if got := l.Acked(); got < want {
			return fmt.Errorf("%d of %d writes acknowledged", n-(want-got), n)
		}
		return nil
	})
}

// LongestGap returns the longest time without an acknowledged write between two
// moments, given since the start of the load.
func (l *load) LongestGap(from, to time.Duration) time.Duration {
	l.mu.Lock()
	acks := slices.Sorted(slices.Values(l.acks))
	l.mu.Unlock()
	longest, last := time.Duration(0), from
	for _, at := range acks {
		if at <= from {
			continue
		}
		if at > to {
			break
		}
		longest, last = max(longest, at-last), at
	}
	return max(longest, to-last)
}

// Quiet asserts that since a moment no write was refused and none waited longer
// than the limit, and returns the longest wait.
func (l *load) Quiet(t *testing.T, since, limit time.Duration) time.Duration {
	t.Helper()
	l.mu.Lock()
	refused := l.refused
	l.mu.Unlock()
	assert.Empty(t, refused, "writes were refused")
	gap := l.LongestGap(since, time.Since(l.start))
	assert.Less(t, gap, limit, "the rest of the quorum noticed: no write succeeded for this long")
	return gap
}

// verify stops the load and asserts that every acknowledged write is on every
// one of these servers, and that their trees are equal. It returns the number
// of nodes on each.
func (l *load) verify(t *testing.T, servers ...*cluster.Server) int {
	t.Helper()
	l.Stop()
	assert.Empty(t, l.refused, "writes were refused")
	var first []wire.Node
	for _, s := range servers {
		nodes := dumpOf(t, s, l.root)
		if first == nil {
			first = nodes
			byPath := make(map[string]string, len(nodes))
			for _, n := range nodes {
				byPath[n.Path] = n.Data
			}
			missing := 0
			for _, p := range l.acked {
				if data, ok := byPath[p]; !ok || data != p {
					if missing++; missing <= 5 {
						t.Errorf("the acknowledged write %s is missing on server %d (there: %q)", p, s.ID, data)
					}
				}
			}
			require.Zero(t, missing, "acknowledged writes are missing on server %d", s.ID)
			continue
		}
		// Trees that are equal miss equally little.
		require.Empty(t, wire.Difference(first, nodes), "servers %d and %d have different trees", servers[0].ID, s.ID)
	}
	return len(first)
}

// dumpOf reads a tree from one server, synced.
func dumpOf(t *testing.T, s *cluster.Server, root string) []wire.Node {
	t.Helper()
	var nodes []wire.Node
	eventually(t, time.Minute, fmt.Sprintf("read the tree of server %d", s.ID), func() error {
		conn, err := wire.Dial(s.ClientAddr(), 10*time.Second)
		if err != nil {
			return err
		}
		defer conn.Drop()
		nodes, err = conn.Dump(root)
		return err
	})
	return nodes
}

// sameHistory waits until these servers agree in history, its hash and the tree.
func sameHistory(t *testing.T, servers ...*cluster.Server) {
	t.Helper()
	if *zooKeeperFlag {
		t.Log("ZooKeeper reports no chain of its history; trees were compared node by node")
		return
	}
	eventually(t, 30*time.Second, "dgst agrees on history and tree", func() error {
		first := ""
		for _, s := range servers {
			text, err := s.FourLetter("dgst")
			if err != nil {
				return err
			}
			if !strings.Contains(text, "history_chain") || !strings.Contains(text, "tree_digest") {
				return fmt.Errorf("server %d answers %q", s.ID, text)
			}
			if first == "" {
				first = text
			}
			if text != first {
				return fmt.Errorf("server %d says\n%sand server %d\n%s", servers[0].ID, first, s.ID, text)
			}
		}
		return nil
	})
}

// pipeline writes n nodes below root through one connection, many at a time.
func pipeline(t *testing.T, s *cluster.Server, root string, n int) {
	t.Helper()
	conn := dial(t, s.ClientAddr())
	require.NoError(t, existing(conn.Create(root, nil)))
	window := wire.NewWindow(conn, 256)
	data := make([]byte, 100)
	for i := range n {
		if i%loadBucket == 0 {
			require.NoError(t, existing(conn.Create(fmt.Sprintf("%s/%d", root, i/loadBucket), nil)))
		}
		window.Create(wire.CreateRequest(fmt.Sprintf("%s/%d/%d", root, i/loadBucket, i), data), nil)
	}
	_, err := window.Wait()
	require.NoError(t, err)
	conn.Close()
}
