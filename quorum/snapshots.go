package quorum

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/quorate/quorate/zab"
)

// snapshots decides when to take one, and has it written while transactions go
// on being applied. At most one is written at a time.
type snapshots struct {
	node *Node
	jobs chan snapshotJob
	free chan struct{} // holds a token while none is being written

	mu    sync.Mutex
	since int // transactions applied since the last
	next  int
}

type snapshotJob struct {
	at   zab.Position
	snap zab.Snapshot
}

func newSnapshots(n *Node) *snapshots {
	s := &snapshots{node: n, jobs: make(chan snapshotJob), free: make(chan struct{}, 1)}
	s.free <- struct{}{}
	s.next = s.interval()
	return s
}

// interval is between a half and the whole of SnapshotTxns, so that servers do
// not all write at the same time.
func (s *snapshots) interval() int {
	half := max(1, s.node.cfg.SnapshotTxns/2)
	return half + rand.IntN(half)
}

// restored notes that the state comes from a snapshot.
func (s *snapshots) restored(zab.Position) {
	s.mu.Lock()
	s.since = 0
	s.mu.Unlock()
}

// applied notes progress and starts a snapshot when it is time and none is
// being written. The applier calls it, between transactions.
func (s *snapshots) applied(at zab.Position, n int) {
	s.mu.Lock()
	s.since += n
	due := s.since >= s.next
	s.mu.Unlock()
	if !due {
		return
	}
	select {
	case <-s.free:
	default:
		return
	}
	snap, err := s.node.machine.Snapshot()
	if err != nil {
		s.free <- struct{}{}
		s.node.log.Error("snapshot failed", "zxid", at.Zxid.String(), "err", err)
		return
	}
	s.mu.Lock()
	s.since, s.next = 0, s.interval()
	s.mu.Unlock()
	select {
	case s.jobs <- snapshotJob{at, snap}:
	case <-s.node.ctx.Done():
		snap.Release()
		s.free <- struct{}{}
	}
}

// pause waits until no snapshot is being written and lets none start.
func (s *snapshots) pause(ctx context.Context) error {
	select {
	case <-s.free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *snapshots) resume() { s.free <- struct{}{} }

func (s *snapshots) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case job := <-s.jobs:
			err := s.write(ctx, job)
			s.free <- struct{}{}
			if err != nil && ctx.Err() == nil {
				// The log has everything; the next one may succeed.
				s.node.log.Error("snapshot failed", "zxid", job.at.Zxid.String(), "err", err)
			}
		}
	}
}

func (s *snapshots) write(ctx context.Context, job snapshotJob) error {
	defer job.snap.Release()
	began := time.Now()
	w, err := s.node.store.CreateSnapshot(job.at)
	if err != nil {
		return err
	}
	n, err := job.snap.WriteTo(w)
	if err != nil {
		_ = w.Abort()
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	if s.node.cfg.Hooks.Snapshot != nil {
		s.node.cfg.Hooks.Snapshot(job.at, time.Since(began))
	}
	s.node.log.Debug("snapshot written", "zxid", job.at.Zxid.String(), "bytes", n)
	if s.node.transfers.Load() > 0 {
		return nil // a learner is being sent what a purge might take; the next one will do
	}
	base, err := s.node.store.Purge()
	if err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	return s.node.post(ctx, nil, zab.Purged{Base: base})
}
