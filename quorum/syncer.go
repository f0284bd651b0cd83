package quorum

import (
	"context"
	"fmt"
	"sync"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// backlogBytesMax is how much may wait for the disk before links stop being read;
// syncBytesMax is how much is appended at most before it is synced and reported,
// so that a slow disk shows progress.
const (
	backlogBytesMax = 16 << 20
	syncBytesMax    = 4 << 20
)

// syncer is the one goroutine that writes to the disk. It takes what has come
// meanwhile as one batch, so that one fdatasync serves all of it.
type syncer struct {
	node *Node

	mu    sync.Mutex
	queue []zab.Effect
	bytes int
	held  bool          // a snapshot is not installed yet, or the log not truncated
	room  chan struct{} // closed when the backlog falls below its limit; nil if nobody waits
	wake  chan struct{}

	incoming *storage.SnapshotWriter // received whole, waiting for its Install
}

// installReceived is an Install with the snapshot that it is about.
type installReceived struct {
	zab.Install
	snapshot *storage.SnapshotWriter
}

func newSyncer(n *Node) *syncer { return &syncer{node: n, wake: make(chan struct{}, 1)} }

// push queues a storage effect; it never blocks.
func (s *syncer) push(e zab.Effect) {
	s.mu.Lock()
	if in, ok := e.(zab.Install); ok {
		e = installReceived{in, s.incoming}
		s.incoming = nil
	}
	if _, ok := e.(zab.Truncate); ok {
		s.held = true
	}
	s.queue = append(s.queue, e)
	if a, ok := e.(zab.Append); ok {
		s.bytes += bytesOf(a.Txns)
	}
	s.mu.Unlock()
	notify(s.wake)
}

func bytesOf(txns []zab.Txn) int {
	n := 0
	for i := range txns {
		n += txns[i].Bytes()
	}
	return n
}

// waitRoom blocks while too much waits for the disk, or the history is being
// replaced: what comes behind that waits on the network rather than in memory.
func (s *syncer) waitRoom(ctx context.Context) error {
	for {
		s.mu.Lock()
		if s.bytes <= backlogBytesMax && !s.held {
			s.mu.Unlock()
			return nil
		}
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *syncer) take() []zab.Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.queue
	s.queue, s.bytes = nil, 0
	s.makeRoom()
	return batch
}

func (s *syncer) makeRoom() {
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// setIncoming hands over a snapshot that a link of a role has received; nil drops
// one that nobody wants any more. Of a role that is over none is taken.
func (s *syncer) setIncoming(role context.Context, w *storage.SnapshotWriter) {
	s.mu.Lock()
	if w != nil && role.Err() != nil {
		s.mu.Unlock()
		_ = w.Abort()
		return
	}
	old := s.incoming
	s.incoming, s.held = w, w != nil
	s.makeRoom()
	s.mu.Unlock()
	if old != nil {
		_ = old.Abort()
	}
}

// run writes until the context ends. An error of the disk ends the node: a
// failed fsync is never retried.
func (s *syncer) run(ctx context.Context) error {
	defer s.abandon()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		}
		if err := s.write(ctx, s.take()); err != nil && ctx.Err() == nil {
			return fmt.Errorf("disk: %w", err)
		}
	}
}

// abandon drops the snapshots that will not be installed.
func (s *syncer) abandon() {
	for _, e := range s.take() {
		if in, ok := e.(installReceived); ok && in.snapshot != nil {
			_ = in.snapshot.Abort()
		}
	}
	s.setIncoming(context.Background(), nil)
}

// write carries out a batch in order. Appends are synced together, before
// anything else that follows them, and before they are reported.
func (s *syncer) write(ctx context.Context, batch []zab.Effect) error {
	store := s.node.store
	ticket, dirty := uint64(0), 0
	settle := func() error {
		if dirty == 0 {
			return nil
		}
		dirty = 0
		if err := store.Sync(); err != nil {
			return err
		}
		return s.node.post(ctx, nil, zab.Durable{Ticket: ticket})
	}
	for _, e := range batch {
		switch e := e.(type) {
		case zab.Append:
			if err := store.Append(e.Txns, e.Committed); err != nil {
				return err
			}
			ticket = e.Ticket
			dirty += bytesOf(e.Txns)
			s.node.applier.poke()
			s.node.appended.notify()
			if dirty < syncBytesMax {
				continue
			}
			if err := settle(); err != nil {
				return err
			}
		case zab.SaveEpochs:
			if err := settle(); err != nil {
				return err
			}
			if err := store.SaveEpochs(e.Epochs); err != nil {
				return err
			}
			if err := s.node.post(ctx, nil, zab.Durable{Ticket: e.Ticket}); err != nil {
				return err
			}
		case zab.Truncate:
			if err := settle(); err != nil {
				return err
			}
			if err := s.truncate(ctx, e); err != nil {
				return err
			}
		case installReceived:
			if err := settle(); err != nil {
				return err
			}
			if err := s.install(ctx, e); err != nil {
				return err
			}
		}
	}
	return settle()
}

func (s *syncer) truncate(ctx context.Context, e zab.Truncate) error {
	defer s.installed()
	to, err := positionOf(s.node.store, e.To)
	if err != nil {
		return fmt.Errorf("truncate to %v: %w", e.To, err)
	}
	if err := s.node.store.Truncate(to); err != nil {
		return fmt.Errorf("truncate to %v: %w", e.To, err)
	}
	return s.node.post(ctx, nil, zab.Truncated{Ticket: e.Ticket, Last: to})
}

// install makes the received snapshot the history and the state.
func (s *syncer) install(ctx context.Context, e installReceived) error {
	w := e.snapshot
	if w == nil {
		panic(fmt.Sprintf("quorum: install of a snapshot at %v that has not been received", e.At.Zxid))
	}
	defer s.installed()
	if err := s.node.snapshots.pause(ctx); err != nil {
		_ = w.Abort()
		return nil //nolint:nilerr // the node is closing
	}
	defer s.node.snapshots.resume()
	install := func() error {
		if err := s.node.store.Install(w); err != nil {
			return fmt.Errorf("install snapshot at %v: %w", e.At.Zxid, err)
		}
		return nil
	}
	if err := s.node.applier.restore(ctx, install); err != nil {
		return err
	}
	return s.node.post(ctx, nil, zab.Installed(e.Install))
}

func (s *syncer) installed() {
	s.mu.Lock()
	s.held = s.incoming != nil
	s.makeRoom()
	s.mu.Unlock()
}

// positionOf finds the chain at a zxid of the log.
func positionOf(store *storage.Store, z ensemble.Zxid) (zab.Position, error) {
	shape := store.Shape()
	if shape.Base.Zxid == z {
		return shape.Base, nil
	}
	before := shape.Base.Zxid
	for _, r := range shape.Runs {
		if r.Last == z {
			return zab.Position{Zxid: z, Chain: r.Chain}, nil
		}
		if z > r.First && z < r.Last {
			before = z - 1
		}
		if z == r.First {
			break
		}
		if r.Last < z {
			before = r.Last
		}
	}
	txns, err := store.Read(before, 1)
	if err != nil {
		return zab.Position{}, err
	}
	if len(txns) == 0 || txns[0].Zxid != z {
		return zab.Position{}, fmt.Errorf("the log %v does not have it", shape)
	}
	return zab.Position{Zxid: z, Chain: txns[0].Chain}, nil
}
