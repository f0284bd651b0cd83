package storage

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openMem(t *testing.T, cfg Config) (*Store, *model) {
	t.Helper()
	s, rec, err := Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s, newModel(rec)
}

func TestAppend_RefusesWhatDoesNotFollow(t *testing.T) {
	s, m := openMem(t, testConfig(NewMemFS()))
	require.NoError(t, m.append(s, makeTxns(m.last(), 3, 4, 10)))
	last := m.last()
	for name, txn := range map[string]zab.Txn{
		"a gap":          nextTxn(last, last.Zxid+2, nil),
		"again":          m.txns[3],
		"an older epoch": nextTxn(last, ensemble.NewZxid(2, 1), nil),
		"not the first":  nextTxn(last, ensemble.NewZxid(4, 2), nil),
		"another chain":  nextTxn(zab.Position{Zxid: last.Zxid, Chain: 5}, last.Zxid+1, nil),
		"other data":     {Zxid: last.Zxid + 1, Data: []byte("x"), Chain: zab.NextChain(last.Chain, last.Zxid+1, zab.Origin{}, []byte("y"))},
	} {
		good := makeTxns(last, 3, 1, 10)
		if name == "a gap" { // also behind a good one
			require.ErrorIs(t, s.Append([]zab.Txn{good[0], nextTxn(positionOf(good[0]), last.Zxid+3, nil)}, 0), ErrNotNext)
		}
		err := s.Append([]zab.Txn{txn}, 0)
		require.ErrorIs(t, err, ErrNotNext, name)
		require.ErrorContains(t, err, last.Zxid.String(), name)
	}
	require.ErrorIs(t, s.Append([]zab.Txn{{Zxid: last.Zxid + 1, Data: make([]byte, TxnBytesMax+1)}}, 0), ErrTooLarge)
	assert.Equal(t, m.txns, readAll(t, s, 1<<20), "nothing was written")
	require.NoError(t, m.append(s, makeTxns(last, 4, 1, 10)))
	require.NoError(t, s.Err())
}

func TestAppend_ManyLargeAtOnce(t *testing.T) {
	cfg := testConfig(NewMemFS())
	cfg.SegmentBytes = 2 << 20
	s, m := openMem(t, cfg)
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 20, 400<<10)))
	require.NoError(t, m.sync(s))
	assert.Greater(t, len(s.segments), 2)
	require.NoError(t, s.Close())
	s, rec, err := Open(cfg)
	require.NoError(t, err)
	m.check(t, s, rec)
	assert.Equal(t, m.txns, readAll(t, s, 1<<20))
	require.NoError(t, s.Close())
}

func TestRead_Limits(t *testing.T) {
	for name, window := range map[string]int64{"from memory": 1 << 20, "from disk": 1} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(NewMemFS())
			cfg.WindowBytes = window
			s, m := openMem(t, cfg)
			require.NoError(t, m.append(s, makeTxns(m.last(), 1, 10, 36))) // 100 bytes each
			require.NoError(t, m.append(s, makeTxns(m.last(), 2, 10, 36)))
			for after := range 20 {
				for _, bytesMax := range []int{0, 99, 100, 250, 1 << 20} {
					got, err := s.Read(m.at(after).Zxid, bytesMax)
					require.NoError(t, err)
					n := min(max(1, bytesMax/100), 20-after)
					require.Equal(t, m.txns[after:after+n], got, "after %d, %d bytes", after, bytesMax)
				}
			}
			got, err := s.Read(m.last().Zxid, 100)
			require.NoError(t, err)
			assert.Empty(t, got)
			for _, z := range []ensemble.Zxid{m.last().Zxid + 1, ensemble.NewZxid(1, 11), ensemble.NewZxid(2, 0), 5, -1} {
				_, err := s.Read(z, 100)
				if z < 0 {
					require.ErrorIs(t, err, ErrCompacted)
					continue
				}
				require.ErrorIs(t, err, ErrUnknownPosition, z)
			}
		})
	}
}

func TestTruncate_Refusals(t *testing.T) {
	s, m := openMem(t, testConfig(NewMemFS()))
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 20, 10)))
	require.NoError(t, m.commit(s, 10))
	require.ErrorIs(t, s.Truncate(m.at(9)), ErrBelowSnapshot)
	require.ErrorIs(t, s.Truncate(zab.Position{Zxid: m.at(12).Zxid, Chain: 1}), ErrUnknownPosition)
	require.ErrorIs(t, s.Truncate(zab.Position{Zxid: m.last().Zxid + 1}), ErrUnknownPosition)
	require.NoError(t, s.Err())
	require.NoError(t, m.truncate(s, 10))
	assert.Equal(t, m.txns, readAll(t, s, 100))
}

// TestTruncate_EveryPosition cuts at each transaction of a log of several files
// and several batches, appends, and looks again after a crash (ZOOKEEPER-1154, 1489).
func TestTruncate_EveryPosition(t *testing.T) {
	for n := range 41 {
		fs := NewMemFS()
		s, m := openMem(t, testConfig(fs))
		for range 8 {
			require.NoError(t, m.append(s, makeTxns(m.last(), 1, 5, 200)))
		}
		require.NoError(t, m.truncate(s, n))
		assert.Len(t, readAll(t, s, 500), n)
		require.NoError(t, m.append(s, makeTxns(m.last(), 2, 5, 100)))
		require.NoError(t, m.sync(s))
		assert.Equal(t, m.txns, readAll(t, s, 500))
		s, rec, err := Open(testConfig(fs.Crash(nil)))
		require.NoError(t, err)
		m.check(t, s, rec)
		require.Equal(t, n+5, len(m.txns))
		require.NoError(t, s.Close())
	}
}

// TestAppend_ExtendsDurably: a write never ends behind what is the end of the file
// after a crash, so that a torn one can be told from a file cut short.
func TestAppend_ExtendsDurably(t *testing.T) {
	fs := NewMemFS()
	s, m := openMem(t, testConfig(fs))
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 10)))
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 9, 1000)))
	end := s.segments[0].end
	fs = fs.Crash(nil)
	f, err := fs.Open(firstLog)
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, size, end)
	assert.Greater(t, end, int64(9000))
	require.NoError(t, f.Close())
}

// TestAppend_ReplacesAnEmptySegment: a crash may leave a segment without what it
// was made and named for; the log then goes on with something else.
func TestAppend_ReplacesAnEmptySegment(t *testing.T) {
	for name, failing := range map[string]bool{"works": false, "the old one cannot be removed": true} {
		t.Run(name, func(t *testing.T) {
			fs := NewMemFS()
			s, _ := openMem(t, testConfig(fs))
			require.NoError(t, s.Append(makeTxns(zab.Position{}, 1, 2, 10), 0))
			fs = fs.Crash(nil)
			s, m := openMem(t, testConfig(fs))
			require.Len(t, s.segments, 1)
			if failing {
				fs.SetFault(func(op Op) error {
					if op.Kind == OpRemove {
						return syscall.EIO
					}
					return nil
				})
				require.ErrorIs(t, s.Append(makeTxns(m.last(), 2, 2, 10), 0), ErrFailed)
				fs = fs.Crash(nil)
				s, m = openMem(t, testConfig(fs))
				require.Equal(t, 1, len(s.segments))
			}
			require.NoError(t, m.append(s, makeTxns(m.last(), 2, 2, 10)))
			require.NoError(t, m.sync(s))
			names, err := fs.List("log")
			require.NoError(t, err)
			assert.Equal(t, []string{"log.0000000200000001"}, names)
			s, rec, err := Open(testConfig(fs.Crash(nil)))
			require.NoError(t, err)
			m.check(t, s, rec)
			require.NoError(t, s.Close())
		})
	}
}

// TestSnapshot_OfTruncatedHistoryIsRefused: spec 7.1, ZOOKEEPER-1549.
func TestSnapshot_OfTruncatedHistoryIsRefused(t *testing.T) {
	fs := NewMemFS()
	s, m := openMem(t, testConfig(fs))
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 10, 10)))
	dirty, err := writeSnapshot(s, m.last())
	require.NoError(t, err)
	require.NoError(t, m.truncate(s, 5))
	require.ErrorIs(t, dirty.Commit(), ErrUnknownPosition)

	dirty, err = writeSnapshot(s, m.last())
	require.NoError(t, err)
	require.NoError(t, m.install(s, zab.Position{Zxid: ensemble.NewZxid(2, 2), Chain: 2}))
	require.ErrorIs(t, dirty.Commit(), ErrUnknownPosition, "the history was replaced")
	assert.Equal(t, m.start, s.Snapshot())
	names, err := fs.List("data")
	require.NoError(t, err)
	assert.Equal(t, []string{"epochs", "snapshot.0000000200000002"}, names, "nothing is left behind")
}

// TestSnapshot_IsNeverAheadOfTheLog: Commit makes the log durable first.
func TestSnapshot_IsNeverAheadOfTheLog(t *testing.T) {
	fs := NewMemFS()
	s, m := openMem(t, testConfig(fs))
	require.NoError(t, s.Append(makeTxns(m.last(), 1, 10, 10), 0))
	w, err := writeSnapshot(s, s.Shape().Last())
	require.NoError(t, err)
	require.NoError(t, w.Commit())
	want := s.Shape()
	s, rec, err := Open(testConfig(fs.Crash(nil)))
	require.NoError(t, err)
	assert.Equal(t, want, rec.Shape)
	assert.Equal(t, want.Last(), rec.Snapshot)
	require.NoError(t, s.Close())
}

func TestSnapshot_WriterEndsOnce(t *testing.T) {
	fs := NewMemFS()
	s, m := openMem(t, testConfig(fs))
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 2, 10)))
	w, err := s.CreateSnapshot(m.last())
	require.NoError(t, err)
	_, err = s.CreateSnapshot(m.last())
	require.ErrorContains(t, err, "another snapshot of 0x100000002 is being written")
	require.NoError(t, w.Abort())
	require.Error(t, w.Commit())
	require.Error(t, w.Abort())
	require.Error(t, s.Install(w))
	_, err = w.Write([]byte("x"))
	require.Error(t, err)
	assert.Zero(t, s.Snapshot())
	_, _, err = s.OpenSnapshot()
	require.ErrorIs(t, err, ErrNoSnapshot)

	w, err = writeSnapshot(s, m.last())
	require.NoError(t, err)
	require.NoError(t, w.Commit())
	require.Error(t, w.Commit())
	_, err = s.CreateSnapshot(zab.Position{Zxid: ensemble.NoZxid})
	require.Error(t, err)
}

func TestPurge_KeepsTheNewest(t *testing.T) {
	fs := NewMemFS()
	s, m := openMem(t, testConfig(fs)) // keeps 2
	for i := range 6 {
		require.NoError(t, m.append(s, makeTxns(m.last(), 1, 20, 200)))
		require.NoError(t, m.commit(s, 20*i+10))
		base, err := s.Purge()
		require.NoError(t, err)
		require.Equal(t, s.Shape().Base, base)
		if i == 0 {
			require.Zero(t, base)
			continue
		}
		require.LessOrEqual(t, base.Zxid, m.at(20*i-10).Zxid, "the log behind the older snapshot stays")
		require.Len(t, s.snapshots, 2)
	}
	assert.NotZero(t, s.Shape().Base)
	_, err := s.Read(0, 100)
	require.ErrorIs(t, err, ErrCompacted)
	names, err := fs.List("log")
	require.NoError(t, err)
	assert.Len(t, names, len(s.segments))
	s, rec, err := Open(testConfig(fs.Crash(nil)))
	require.NoError(t, err)
	m.durable = 0
	m.check(t, s, rec)
	require.NoError(t, s.Close())
}

// TestPurge_FailureLeavesNoGap: a file that cannot be removed is removed later,
// before any other.
func TestPurge_FailureLeavesNoGap(t *testing.T) {
	fs := NewMemFS()
	s, m := openMem(t, testConfig(fs))
	for i := range 3 {
		require.NoError(t, m.append(s, makeTxns(m.last(), 1, 40, 200)))
		require.NoError(t, m.append(s, makeTxns(m.last(), 1, 40, 200)))
		require.NoError(t, m.commit(s, 80*i+75))
	}
	removed := 0
	fs.SetFault(func(op Op) error {
		if op.Kind == OpRemove {
			if removed++; removed%2 == 0 {
				return syscall.EIO
			}
		}
		return nil
	})
	for range 20 {
		if _, err := s.Purge(); err == nil {
			break
		}
		after := fs.Crash(nil) // the disk as it is now
		fs.crashed = false     // and the process goes on
		s, rec, err := Open(testConfig(after))
		require.NoError(t, err)
		require.Equal(t, m.last(), rec.Shape.Last())
		require.NoError(t, s.Close())
	}
	fs.SetFault(nil)
	names, err := fs.List("log")
	require.NoError(t, err)
	assert.Len(t, names, len(s.segments))
}

func TestOpen_OnlyOnce(t *testing.T) {
	for name, cfg := range map[string]Config{"memory": {Dir: "d", FS: NewMemFS()}, "disk": {Dir: t.TempDir()}} {
		t.Run(name, func(t *testing.T) {
			cfg.Logger = quiet
			s, _, err := Open(cfg)
			require.NoError(t, err)
			_, _, err = Open(cfg)
			require.ErrorIs(t, err, ErrLocked)
			require.ErrorContains(t, err, "directory "+cfg.Dir+" is in use by another process")
			require.NoError(t, s.Close())
			require.ErrorIs(t, s.Close(), ErrClosed)
			require.ErrorIs(t, s.Sync(), ErrClosed)
			require.ErrorIs(t, s.Append(nil, 0), ErrClosed)
			s, _, err = Open(cfg)
			require.NoError(t, err)
			require.NoError(t, s.Close())
		})
	}
}

func TestOpen_BadConfig(t *testing.T) {
	_, _, err := Open(Config{SegmentBytes: 5, WindowBytes: -1, SnapshotsRetained: -1})
	for _, want := range []string{"Dir is empty", "SegmentBytes is 5", "WindowBytes is -1", "SnapshotsRetained is -1"} {
		require.ErrorContains(t, err, want)
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, _, err = Open(Config{Dir: filepath.Join(file, "data"), Logger: quiet})
	require.ErrorContains(t, err, "make directory "+file)
}

// TestOS_LivesOnARealDisk runs the script on the operating system's files.
func TestOS_LivesOnARealDisk(t *testing.T) {
	dir := t.TempDir()
	cfg := testConfig(nil)
	cfg.Dir, cfg.LogDir = filepath.Join(dir, "a", "data"), filepath.Join(dir, "b")
	s, rec, err := Open(cfg)
	require.NoError(t, err)
	m := newModel(rec)
	require.NoError(t, script(m, s))
	require.NoError(t, s.Close())
	s, rec, err = Open(cfg)
	require.NoError(t, err)
	m.check(t, s, rec)
	require.NoError(t, m.append(s, makeTxns(m.last(), 9, 1, 100)))
	require.NoError(t, m.sync(s))
	require.NoError(t, s.Close())

	log := filepath.Join(cfg.LogDir, filepath.Base(s.segments[0].name))
	require.NoError(t, os.Truncate(log, s.segments[0].end-1))
	s, rec, err = Open(cfg)
	require.NoError(t, err)
	require.NotNil(t, rec.Cut)
	assert.True(t, rec.Epochs.Unsure)
	require.NoError(t, s.Close())
}

func TestTrace_TellsWhatHappens(t *testing.T) {
	var log []string
	cfg := testConfig(NewMemFS())
	note := func(what string) { log = append(log, what) }
	cfg.Trace = &Trace{
		Recovered: func(Recovery) { note("recovered") },
		Append:    func(_, to zab.Position, _ int) { note("append " + to.Zxid.String()) },
		Sync:      func(upTo zab.Position, _ time.Duration, err error) { note("sync " + upTo.Zxid.String()) },
		Segment:   func(name string) { note("segment " + filepath.Base(name)) },
		Truncate:  func(to zab.Position) { note("truncate " + to.Zxid.String()) },
		Epochs:    func(Epochs) { note("epochs") },
		Snapshot:  func(at zab.Position, _ int64) { note("snapshot " + at.Zxid.String()) },
		Install:   func(at zab.Position, _ int64) { note("install " + at.Zxid.String()) },
	}
	s, m := openMem(t, cfg)
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 5, 10)))
	require.NoError(t, m.sync(s))
	require.NoError(t, m.sync(s)) // nothing to do
	require.NoError(t, m.commit(s, 3))
	require.NoError(t, m.truncate(s, 4))
	require.NoError(t, m.install(s, zab.Position{Zxid: 0x200000001}))
	assert.Equal(t, []string{"epochs", "recovered", "segment log.0000000100000001", "append 0x100000005", "sync 0x100000005",
		"snapshot 0x100000003", "truncate 0x100000004", "install 0x200000001"}, log)
}

// TestFormat_Golden pins the bytes: data written today must be read tomorrow.
func TestFormat_Golden(t *testing.T) {
	head := segmentHead{generation: 2, first: 0x300000001, prev: zab.Position{Zxid: 0x200000009, Chain: 0xabcdef}}
	var b []byte
	b = append(b, head.encode()...)
	b = appendBatch(b, segmentHeaderBytes, head.salt(), []zab.Txn{nextTxn(head.prev, head.first, []byte("hello"))}, 0x200000009, segmentHeaderBytes)
	b = append(b, encodeEpochs(Epochs{Accepted: 7, Current: 6, Unsure: true}, 0)...)
	b = append(b, snapshotHead{2, head.prev}.encode()...)
	b = append(b, snapshotTrailer(5, 0x1122334455667788)...)
	want, err := os.ReadFile(filepath.Join("testdata", "golden"))
	if os.Getenv("REWRITE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(filepath.Join("testdata", "golden"), b, 0o644))
		want, err = b, nil
	}
	require.NoError(t, err)
	assert.True(t, bytes.Equal(want, b), "got %x, want %x", b, want)
}

func TestOpen_RefusesTheDataOfAnotherServer(t *testing.T) {
	fs := NewMemFS()
	open := func(id ensemble.ServerID) error {
		st, _, err := Open(Config{Dir: "/d", FS: fs, Server: id, Initialize: true, Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			err = st.Close()
		}
		return err
	}
	require.NoError(t, open(2))
	require.ErrorContains(t, open(1), "the data is that of server 2, and this is server 1")
	require.NoError(t, open(2))
	require.NoError(t, open(0), "nobody checks")
}
