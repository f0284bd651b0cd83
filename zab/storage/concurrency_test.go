package storage

import (
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// TestStore_Concurrently lets readers and snapshots go on while the log grows, is
// truncated, purged and replaced.
func TestStore_Concurrently(t *testing.T) {
	cfg := testConfig(NewMemFS())
	s, m := openMem(t, cfg)
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 5, 100)))
	stop := make(chan struct{})
	var group sync.WaitGroup
	loop := func(f func()) {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
				}
			}
		})
	}
	expected := func(err error) {
		if err != nil && !errors.Is(err, ErrCompacted) && !errors.Is(err, ErrUnknownPosition) && !errors.Is(err, ErrNoSnapshot) {
			assert.NoError(t, err)
		}
	}
	for range 2 {
		loop(func() { // a reader checks that what it gets hangs together
			base := s.Shape().Base
			for after := base; ; {
				txns, err := s.Read(after.Zxid, 3000)
				expected(err)
				if len(txns) == 0 {
					return
				}
				for _, txn := range txns {
					if !txn.Zxid.Follows(after.Zxid) || zab.NextChain(after.Chain, txn.Zxid, txn.Origin, txn.Data) != txn.Chain {
						return // truncated or replaced between two reads
					}
					after = positionOf(txn)
				}
			}
		})
	}
	loop(func() {
		at, r, err := s.OpenSnapshot()
		expected(err)
		if err == nil {
			content, err := io.ReadAll(r)
			assert.NoError(t, err)
			assert.Equal(t, snapshotContent(at), content)
			assert.NoError(t, r.Close())
		}
	})
	loop(func() {
		w, err := writeSnapshot(s, s.Shape().Base) // committed for certain
		if err == nil {
			expected(w.Commit())
		}
		_, err = s.Purge()
		expected(err)
	})
	for i := range 60 {
		epoch := m.last().Zxid.Epoch()
		require.NoError(t, m.append(s, makeTxns(m.last(), epoch, 20, 100)))
		require.NoError(t, m.sync(s))
		switch i % 6 {
		case 1, 3:
			require.NoError(t, m.truncate(s, len(m.txns)-7))
			require.NoError(t, m.append(s, makeTxns(m.last(), epoch+1, 3, 100)))
		case 4:
			w, err := writeSnapshot(s, m.last())
			if err == nil {
				require.NoError(t, w.Commit())
			}
		case 5:
			require.NoError(t, m.install(s, zab.Position{Zxid: ensemble.NewZxid(epoch+2, 3), Chain: uint64(i)}))
		}
	}
	close(stop)
	group.Wait()
	require.NoError(t, s.Err())
	got := readAll(t, s, 1<<20)
	assert.Equal(t, m.txns[len(m.txns)-len(got):], got)
}

// gate is a file system whose log syncs wait.
type gate struct {
	FS
	hold chan struct{}
}

type gatedFile struct {
	File
	hold chan struct{}
}

func (g gate) Create(name string) (File, error) {
	f, err := g.FS.Create(name)
	return gatedFile{f, g.hold}, err
}

func (f gatedFile) Sync() error { f.hold <- struct{}{}; <-f.hold; return f.File.Sync() }

func TestRead_DoesNotWaitForSync(t *testing.T) {
	fs := NewMemFS()
	hold := make(chan struct{})
	cfg := testConfig(gate{fs, hold})
	cfg.WindowBytes = 1 // everything from disk
	var s *Store
	var err error
	opened := make(chan struct{})
	go func() { s, _, err = Open(cfg); close(opened) }()
	<-hold // epochs
	hold <- struct{}{}
	<-opened
	require.NoError(t, err)
	txns := makeTxns(zab.Position{}, 1, 5, 100)
	appended := make(chan error)
	go func() { appended <- s.Append(txns, 0) }()
	<-hold // the header of the segment
	hold <- struct{}{}
	require.NoError(t, <-appended)
	synced := make(chan error)
	go func() { synced <- s.Sync() }()
	<-hold // now the sync is under way
	got, err := s.Read(0, 1<<20)
	require.NoError(t, err)
	assert.Equal(t, txns, got)
	assert.Equal(t, positionOf(txns[4]), s.Shape().Last())
	require.NoError(t, s.Append(makeTxns(positionOf(txns[4]), 1, 1, 10), 0), "nor does Append")
	hold <- struct{}{}
	require.NoError(t, <-synced)
	require.NoError(t, s.Close())
}

// held is a file system on which Sync of files that were opened, not created,
// waits for release.
type held struct {
	FS
	release chan struct{}
}

type heldFile struct {
	File
	release chan struct{}
}

func (h held) Open(name string) (File, error) {
	f, err := h.FS.Open(name)
	return heldFile{f, h.release}, err
}

func (f heldFile) Sync() error { <-f.release; return f.File.Sync() }

// TestRead_DuringTruncate: a reader that meets a file already cut looks again
// instead of reporting damage.
func TestRead_DuringTruncate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		cfg := testConfig(held{NewMemFS(), release})
		cfg.WindowBytes = 1 // everything from disk
		s, m := openMem(t, cfg)
		for range 3 {
			require.NoError(t, m.append(s, makeTxns(m.last(), 1, 5, 100)))
		}
		truncated := make(chan error)
		go func() { truncated <- s.Truncate(m.at(5)) }()
		synctest.Wait() // the file is cut, the sync waits
		var got []zab.Txn
		var err error
		read := make(chan struct{})
		go func() { got, err = s.Read(0, 1<<20); close(read) }()
		synctest.Wait() // the reader has found the end
		close(release)
		<-read
		require.NoError(t, err)
		assert.Equal(t, m.txns[:5], got)
		require.NoError(t, <-truncated)
		require.NoError(t, s.Close())
	})
}
