package quorum_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// trio is an ensemble of nodes in this process, on loopback, with disks in memory.
type trio struct {
	t        *testing.T
	view     *ensemble.View
	addrs    [][2]string
	disks    []*storage.MemFS
	machines []*sum
	nodes    []*quorum.Node
	modes    []chan string // how each was synchronized
	tweak    func(*quorum.Config)
}

// sum is a counter that may be read while it is applied to.
type sum struct {
	counter
	value   atomic.Int64
	applied atomic.Int64
}

func (s *sum) Restore(r io.Reader) error {
	err := s.counter.Restore(r)
	s.value.Store(s.counter.n)
	return err
}

func (s *sum) Apply(txn zab.Txn) any {
	r := s.counter.Apply(txn)
	s.value.Store(s.counter.n)
	s.applied.Add(1)
	return r
}

func newTrio(t *testing.T, voters, observers int) *trio {
	e := &trio{t: t, tweak: func(*quorum.Config) {}}
	var lines []string
	var open []net.Listener
	for i := range voters + observers {
		q, v := must(net.Listen("tcp", "127.0.0.1:0")), must(net.Listen("tcp", "127.0.0.1:0"))
		role := ":participant"
		if i >= voters {
			role = ":observer"
		}
		lines = append(lines, fmt.Sprintf("server.%d=127.0.0.1:%d:%d%s", i+1, q.Addr().(*net.TCPAddr).Port, v.Addr().(*net.TCPAddr).Port, role))
		e.addrs = append(e.addrs, [2]string{q.Addr().String(), v.Addr().String()})
		open = append(open, q, v)
		e.disks = append(e.disks, storage.NewMemFS())
		e.machines = append(e.machines, nil)
		e.nodes = append(e.nodes, nil)
		e.modes = append(e.modes, make(chan string, 100))
	}
	for _, l := range open {
		require.NoError(t, l.Close())
	}
	e.view = must(ensemble.ParseView(strings.Join(lines, "\n")))
	t.Cleanup(func() {
		for i := range e.nodes {
			e.stop(i + 1)
		}
	})
	return e
}

func (e *trio) config(id int) quorum.Config {
	cfg := quorum.Config{
		Self: ensemble.ServerID(id), View: e.view, Dir: "/data", FS: e.disks[id-1], Initialize: true,
		TickTime: 200 * time.Millisecond, Logger: quiet, LogSegmentBytes: 64 << 10,
		Trace: func(ev quorum.Event) {
			for _, effect := range ev.Effects {
				if s, ok := effect.(zab.Synchronized); ok {
					e.modes[id-1] <- s.Mode
				}
			}
		},
	}
	e.tweak(&cfg)
	return cfg
}

func (e *trio) start(ids ...int) {
	e.t.Helper()
	for _, id := range ids {
		e.machines[id-1] = &sum{}
		node, err := quorum.Start(context.Background(), e.config(id), e.machines[id-1])
		require.NoError(e.t, err)
		e.nodes[id-1] = node
	}
	for _, id := range ids {
		e.established(id)
	}
}

func (e *trio) established(id int) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(e.t, e.nodes[id-1].Established(ctx), "server %d", id)
}

// stop ends a node as a crash would: what its disk has not synced is lost.
func (e *trio) stop(id int) {
	if n := e.nodes[id-1]; n != nil {
		_ = n.Close()
		e.nodes[id-1] = nil
		e.disks[id-1] = e.disks[id-1].Crash(func(int) int { return 0 })
	}
}

func (e *trio) add(id, n int) int64 {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	result, err := e.nodes[id-1].Propose(ctx, fmt.Appendf(nil, "%d", n))
	require.NoError(e.t, err)
	return result.(int64)
}

func (e *trio) leader() int {
	for i, n := range e.nodes {
		if n != nil && n.Status().State == ensemble.Leading {
			return i + 1
		}
	}
	return 0
}

// follower returns a server that does not lead.
func (e *trio) follower() int {
	if e.leader() == 1 {
		return 2
	}
	return 1
}

func (e *trio) lastMode(id int) string {
	mode := ""
	for {
		select {
		case mode = <-e.modes[id-1]:
		default:
			return mode
		}
	}
}
