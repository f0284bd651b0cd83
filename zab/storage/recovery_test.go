package storage

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// edit changes the content of one file, as a bad disk would.
func edit(t *testing.T, fs *MemFS, name string, change func([]byte) []byte) {
	t.Helper()
	f, err := fs.Open(name)
	require.NoError(t, err)
	node := f.(*memFile).node
	node.live = change(slices.Clone(node.live))
	node.durable, node.pending = slices.Clone(node.live), nil
}

// twin returns a copy of a file system, as another process would find it.
func twin(fs *MemFS) *MemFS {
	copied := fs.Crash(func(n int) int { return n })
	fs.crashed = false
	return copied
}

// flip returns a change of one bit.
func flip(bit int) func([]byte) []byte {
	return func(b []byte) []byte { b[bit/8] ^= 1 << (bit % 8); return b }
}

// files returns name and content of every file.
func files(t *testing.T, fs *MemFS) map[string]string {
	t.Helper()
	all := map[string]string{}
	for dir, d := range fs.dirs {
		for name, node := range d.live {
			all[dir+"/"+name] = string(node.live)
		}
	}
	return all
}

// filled returns a store of one segment with batches of the given numbers of
// txns, synced, and its model.
func filled(t *testing.T, fs *MemFS, batches ...int) (*Store, *model) {
	t.Helper()
	s, rec, err := Open(testConfig(fs))
	require.NoError(t, err)
	m := newModel(rec)
	for _, n := range batches {
		require.NoError(t, m.append(s, makeTxns(m.last(), 1, n, 40)))
		require.NoError(t, m.sync(s))
	}
	return s, m
}

const firstLog = "log/log.0000000100000001"

// TestRecovery_TornTailAtEveryByte cuts the last batch after each of its bytes,
// with preallocated zeros behind it and without.
func TestRecovery_TornTailAtEveryByte(t *testing.T) {
	fs := NewMemFS()
	s, m := filled(t, fs, 2, 3)
	end := s.segments[0].end
	start := end - frameBytes(3*(recordHeadBytes+40))
	whole := twin(fs)
	for cut := start; cut <= end; cut++ {
		for _, zeros := range []bool{true, false} {
			fs := twin(whole)
			edit(t, fs, firstLog, func(b []byte) []byte {
				if !zeros {
					return b[:cut]
				}
				clear(b[cut:])
				return b
			})
			s, rec, err := Open(testConfig(fs))
			require.NoError(t, err, "cut at %d", cut)
			switch {
			case cut == end:
				require.Nil(t, rec.Cut)
				require.Equal(t, m.last(), rec.Shape.Last())
			case cut == start:
				require.Nil(t, rec.Cut, "nothing of the batch is there")
				require.Equal(t, m.at(2), rec.Shape.Last())
			default:
				require.NotNil(t, rec.Cut, "cut at %d", cut)
				require.Equal(t, start, rec.Cut.Offset)
				require.Equal(t, zeros, rec.Cut.Unfinished, "cut at %d", cut)
				require.True(t, rec.Epochs.Unsure)
				require.Equal(t, m.at(2), rec.Shape.Last())
			}
			unsure := rec.Epochs.Unsure
			require.NoError(t, s.Append(makeTxns(rec.Shape.Last(), 1, 2, 9), 0))
			require.NoError(t, s.Sync())
			s, rec, err = Open(testConfig(fs.Crash(nil)))
			require.NoError(t, err)
			require.Nil(t, rec.Cut)
			require.Equal(t, unsure, rec.Epochs.Unsure, "until somebody saves other epochs")
			require.NoError(t, s.SaveEpochs(Epochs{Accepted: 1, Current: 1}))
			require.NoError(t, s.Close())
		}
	}
}

func TestRecovery_TrustUnfinished(t *testing.T) {
	fs := NewMemFS()
	s, m := filled(t, fs, 2)
	end := s.segments[0].end
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 40)))
	for name, c := range map[string]struct {
		damage func([]byte) []byte
		unsure bool
	}{
		"the end is missing": {func(b []byte) []byte { clear(b[end+60:]); return b }, false},
		"the middle is":      {func(b []byte) []byte { clear(b[end+60 : end+70]); return b }, true},
		"the header is":      {func(b []byte) []byte { clear(b[end : end+8]); return b }, true},
	} {
		t.Run(name, func(t *testing.T) {
			after := twin(fs)
			edit(t, after, firstLog, c.damage)
			cfg := testConfig(after)
			cfg.TrustUnfinished = true
			s, rec, err := Open(cfg)
			require.NoError(t, err)
			require.NotNil(t, rec.Cut)
			assert.Equal(t, !c.unsure, rec.Cut.Unfinished)
			assert.Equal(t, c.unsure, rec.Epochs.Unsure)
			require.NoError(t, s.Close())
		})
	}
}

// TestRecovery_BitFlips flips every bit of a log with three synced batches. What
// is not refused must be a cut of the last one, and make the server unsure.
func TestRecovery_BitFlips(t *testing.T) {
	fs := NewMemFS()
	s, m := filled(t, fs, 1, 1, 1)
	seg := s.segments[0]
	last := seg.end - frameBytes(recordHeadBytes+40)
	for bit := 0; int64(bit) < 8*seg.end; bit++ {
		damaged := twin(fs)
		edit(t, damaged, firstLog, flip(bit))
		before := files(t, damaged)
		s, rec, err := Open(testConfig(damaged))
		if int64(bit) < 8*last {
			require.ErrorIs(t, err, ErrDamaged, "bit %d", bit)
			require.ErrorContains(t, err, firstLog)
			require.ErrorContains(t, err, "offset")
			require.ErrorContains(t, err, "move data and log away")
			require.Equal(t, before, files(t, damaged), "a refusal changes nothing")
			continue
		}
		require.NoError(t, err, "bit %d", bit)
		require.NotNil(t, rec.Cut, "bit %d", bit)
		require.False(t, rec.Cut.Unfinished, "bit %d", bit)
		require.True(t, rec.Epochs.Unsure)
		require.Equal(t, m.at(2), rec.Shape.Last())
		require.NoError(t, s.Close())
	}
}

// TestRecovery_LaterBatchWithoutEarlier: of two batches that were never synced the
// disk may have written only the second. That is no reason to refuse.
func TestRecovery_LaterBatchWithoutEarlier(t *testing.T) {
	fs := NewMemFS()
	s, m := filled(t, fs, 2)
	end := s.segments[0].end
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 40)))
	middle := s.segments[0].end
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 40)))
	fs = fs.Crash(func(n int) int { return n })
	edit(t, fs, firstLog, func(b []byte) []byte { clear(b[end:middle]); return b })
	s, rec, err := Open(testConfig(fs))
	require.NoError(t, err)
	assert.Equal(t, m.at(2), rec.Shape.Last())
	assert.True(t, rec.Epochs.Unsure)
	assert.Equal(t, end, rec.Cut.Offset)
	require.NoError(t, s.Close())
}

// TestRecovery_DataThatLooksLikeABatch: a client may store the bytes of a log.
func TestRecovery_DataThatLooksLikeABatch(t *testing.T) {
	fs := NewMemFS()
	s, m := filled(t, fs, 2)
	end := s.segments[0].end
	var image []byte
	edit(t, fs, firstLog, func(b []byte) []byte { image = slices.Clone(b[:end]); return b })
	data := append(make([]byte, 4), image...) // aligned as the original is
	require.NoError(t, m.append(s, []zab.Txn{nextTxn(m.last(), m.last().Zxid+1, data)}))
	fs = fs.Crash(func(n int) int { return n })
	edit(t, fs, firstLog, func(b []byte) []byte { b[end] ^= 1; return b })
	s, rec, err := Open(testConfig(fs))
	require.NoError(t, err)
	assert.Equal(t, m.at(2), rec.Shape.Last())
	require.NoError(t, s.Close())
}

// rolled returns a file system with several segments and two snapshots.
func rolled(t *testing.T) (*MemFS, *model) {
	t.Helper()
	fs := NewMemFS()
	s, m := filled(t, fs, 10, 50, 40)
	require.NoError(t, m.commit(s, 20))
	require.NoError(t, m.commit(s, 70))
	require.NoError(t, m.append(s, makeTxns(m.last(), 2, 50, 40)))
	require.NoError(t, m.append(s, makeTxns(m.last(), 2, 3, 40)))
	require.NoError(t, m.sync(s))
	require.GreaterOrEqual(t, len(s.segments), 3)
	require.NoError(t, s.Close())
	return fs, m
}

func TestRecovery_Refusals(t *testing.T) {
	snapshot := func(m *model, n int) string { return "data/" + fileName(snapshotPrefix, m.at(n).Zxid) }
	remove := func(t *testing.T, fs *MemFS, name string) { require.NoError(t, fs.Remove(name)) }
	logs := func(t *testing.T, fs *MemFS) []string {
		names, err := fs.List("log")
		require.NoError(t, err)
		return names
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, fs *MemFS, m *model)
		want   string
	}{
		"epochs missing": {func(t *testing.T, fs *MemFS, _ *model) { remove(t, fs, "data/epochs") }, "data/epochs: the epochs file is missing"},
		"epochs damaged": {func(t *testing.T, fs *MemFS, _ *model) { edit(t, fs, "data/epochs", flip(130)) }, "data/epochs at offset 0: checksum"},
		"an older log damaged": {func(t *testing.T, fs *MemFS, _ *model) { edit(t, fs, firstLog, flip(8*100)) },
			firstLog + " at offset 56: "},
		"an older log cut": {func(t *testing.T, fs *MemFS, _ *model) {
			edit(t, fs, firstLog, func(b []byte) []byte { return b[:len(b)-1] })
		}, "this is not the newest log file"},
		"a log in the middle missing": {func(t *testing.T, fs *MemFS, _ *model) { remove(t, fs, "log/"+logs(t, fs)[1]) }, "a log file is missing"},
		"all logs missing": {func(t *testing.T, fs *MemFS, _ *model) {
			for _, n := range logs(t, fs) {
				remove(t, fs, "log/"+n)
			}
		}, "no log that belongs to them"},
		"the log behind the snapshot missing": {func(t *testing.T, fs *MemFS, _ *model) {
			for _, n := range logs(t, fs)[1:] {
				remove(t, fs, "log/"+n)
			}
		}, "lies behind the end of the log"},
		"the header of the log damaged": {func(t *testing.T, fs *MemFS, _ *model) { edit(t, fs, firstLog, flip(8*30)) }, "checksum of the header"},
		"a log renamed": {func(t *testing.T, fs *MemFS, _ *model) {
			require.NoError(t, fs.Rename(firstLog, "log/log.0000000100000002"))
		}, "the name says otherwise"},
		"a newer version": {func(t *testing.T, fs *MemFS, _ *model) {
			edit(t, fs, firstLog, func(b []byte) []byte {
				b[11] = 9
				binary.BigEndian.PutUint32(b[segmentHeaderBytes-4:], crc32.Checksum(b[:segmentHeaderBytes-4], castagnoli))
				return b
			})
		}, "the log has version 9; this program knows version 1"},
		"a snapshot of another history": {func(t *testing.T, fs *MemFS, m *model) {
			edit(t, fs, snapshot(m, 70), func(b []byte) []byte {
				return append(snapshotHead{0, zab.Position{Zxid: m.at(70).Zxid, Chain: 1}}.encode(), b[snapshotHeaderBytes:]...)
			})
		}, "a history that is not the one in the log"},
		"a log in the snapshot directory": {func(t *testing.T, fs *MemFS, _ *model) {
			f, err := fs.Create("data/log.0000000100000001")
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}, "wrong directory"},
		"data of ZooKeeper": {func(t *testing.T, fs *MemFS, _ *model) {
			f, err := fs.Create("log/log.100000001")
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}, "Apache ZooKeeper"},
	} {
		t.Run(name, func(t *testing.T) {
			fs, m := rolled(t)
			c.damage(t, fs, m)
			before := files(t, fs)
			_, _, err := Open(testConfig(fs))
			require.ErrorIs(t, err, ErrDamaged)
			assert.ErrorContains(t, err, c.want)
			var d *Damage
			require.ErrorAs(t, err, &d)
			assert.NotEmpty(t, d.Remedy)
			assert.Equal(t, before, files(t, fs), "a refusal changes nothing")
			_, _, err = Open(testConfig(fs))
			assert.NotErrorIs(t, err, ErrLocked, "the lock is free again")
		})
	}
}

func TestRecovery_DamagedSnapshotFallsBack(t *testing.T) {
	for bit := 0; ; bit += 11 {
		fs, m := rolled(t)
		name := "data/" + fileName(snapshotPrefix, m.at(70).Zxid)
		size := 0
		edit(t, fs, name, func(b []byte) []byte { size = len(b); return b })
		if bit >= 8*size {
			return
		}
		edit(t, fs, name, flip(bit))
		s, rec, err := Open(testConfig(fs))
		require.NoError(t, err, "bit %d", bit)
		require.Equal(t, m.at(20), rec.Snapshot, "bit %d", bit)
		require.Len(t, rec.Skipped, 1)
		require.ErrorIs(t, rec.Skipped[0], ErrDamaged)
		require.Equal(t, m.last(), rec.Shape.Last())
		if bit%3 == 0 { // a new one of the same name survives the purge of the damaged one
			require.NoError(t, m.commit(s, 70))
			_, err = s.Purge()
			require.NoError(t, err)
			at, r, err := s.OpenSnapshot()
			require.NoError(t, err)
			require.Equal(t, m.at(70), at)
			require.NoError(t, r.Close())
		}
		require.NoError(t, s.Close())
	}
}

func TestRecovery_NoSnapshotButWholeLog(t *testing.T) {
	fs, m := rolled(t)
	for _, n := range []int{20, 70} {
		edit(t, fs, "data/"+fileName(snapshotPrefix, m.at(n).Zxid), flip(8*60))
	}
	s, rec, err := Open(testConfig(fs))
	require.NoError(t, err)
	assert.Zero(t, rec.Snapshot)
	assert.Len(t, rec.Skipped, 2)
	assert.Equal(t, m.txns, readAll(t, s, 1<<20))
	_, _, err = s.OpenSnapshot()
	require.ErrorIs(t, err, ErrNoSnapshot)
	require.NoError(t, s.Close())
}

func TestRecovery_PurgedLogNeedsASnapshot(t *testing.T) {
	fs, m := rolled(t)
	s, _, err := Open(testConfig(fs))
	require.NoError(t, err)
	require.NoError(t, m.commit(s, 90))
	require.NoError(t, m.commit(s, 140))
	base, err := s.Purge()
	require.NoError(t, err)
	require.NotZero(t, base)
	require.NoError(t, s.Close())
	for _, n := range []int{90, 140} {
		edit(t, fs, "data/"+fileName(snapshotPrefix, m.at(n).Zxid), flip(8*60))
	}
	_, _, err = Open(testConfig(fs))
	require.ErrorIs(t, err, ErrDamaged)
	assert.ErrorContains(t, err, "no usable snapshot")
}

// TestRecovery_EmptyDirectory: spec 6.5, ZOOKEEPER-261.
func TestRecovery_EmptyDirectory(t *testing.T) {
	open := func(fs *MemFS, initialize bool) Recovery {
		cfg := testConfig(fs)
		cfg.Initialize = initialize
		s, rec, err := Open(cfg)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		return rec
	}
	fs := NewMemFS()
	assert.Equal(t, Recovery{Fresh: true, Epochs: Epochs{Unsure: true}}, open(fs, false))
	fs = fs.Crash(nil)
	assert.Equal(t, Recovery{Epochs: Epochs{Unsure: true}}, open(fs, true), "only once")

	assert.Equal(t, Recovery{Fresh: true}, open(NewMemFS(), true))

	fs = NewMemFS()
	require.NoError(t, fs.MkdirAll("data"))
	f, err := fs.Create("data/initialize")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	assert.Equal(t, Recovery{Fresh: true}, open(fs, false))
	fs = fs.Crash(nil)
	names, err := fs.List("data")
	require.NoError(t, err)
	assert.Equal(t, []string{"epochs"}, names, "initialize is used up")
	assert.Equal(t, Recovery{}, open(fs, false))
}

// TestRecovery_EpochOfTheLog: spec 3.4, current = max(file, epoch of the last txn).
func TestRecovery_EpochOfTheLog(t *testing.T) {
	fs := NewMemFS()
	s, m := filled(t, fs, 2)
	require.NoError(t, s.SaveEpochs(Epochs{Accepted: 3, Current: 1}))
	require.NoError(t, m.append(s, makeTxns(m.last(), 2, 2, 10)))
	require.NoError(t, m.sync(s))
	s, rec, err := Open(testConfig(fs.Crash(nil)))
	require.NoError(t, err)
	assert.Equal(t, Epochs{Accepted: 3, Current: 2}, rec.Epochs)
	assert.Error(t, s.SaveEpochs(Epochs{Accepted: 3, Current: 1}), "no epoch goes back")
	assert.Error(t, s.SaveEpochs(Epochs{Accepted: 2, Current: 2}))
	assert.Error(t, s.SaveEpochs(Epochs{Accepted: 3, Current: 4}))
	assert.NoError(t, s.SaveEpochs(Epochs{Accepted: 4, Current: 4}))
	require.NoError(t, s.Close())
}

func TestRecovery_CommittedHint(t *testing.T) {
	fs := NewMemFS()
	s, m := filled(t, fs, 2)
	require.NoError(t, s.Append(makeTxns(m.last(), 1, 2, 10), m.at(1).Zxid))
	require.NoError(t, s.Sync())
	s, rec, err := Open(testConfig(fs.Crash(nil)))
	require.NoError(t, err)
	assert.Equal(t, m.at(1).Zxid, rec.Committed)
	require.NoError(t, s.Append(makeTxns(rec.Shape.Last(), 1, 2, 10), ensemble.NewZxid(9, 9)))
	require.NoError(t, s.Sync())
	require.NoError(t, s.Close())
}

// TestRecovery_FailsInTheMiddle makes every operation of a recovery with much to
// do fail; the next one must find what the first would have.
func TestRecovery_FailsInTheMiddle(t *testing.T) {
	messy := func() *MemFS {
		fs, m := rolled(t)
		s, _, err := Open(testConfig(fs))
		require.NoError(t, err)
		fs.SetFault(func(op Op) error { // an Install that gets no further than its rename
			if op.Kind == OpRemove {
				return syscall.EIO
			}
			return nil
		})
		require.Error(t, m.install(s, zab.Position{Zxid: ensemble.NewZxid(7, 7), Chain: 7}))
		fs.SetFault(nil)
		require.NoError(t, s.Close())
		s, rec, err := Open(testConfig(fs))
		require.NoError(t, err)
		require.NoError(t, s.Append(makeTxns(rec.Shape.Last(), 7, 5, 10), 0))
		w, err := s.CreateSnapshot(zab.Position{Zxid: 1})
		require.NoError(t, err)
		_, err = w.Write(make([]byte, 1<<20))
		require.NoError(t, err)
		end := s.segments[0].end
		name := s.segments[0].name
		require.NoError(t, s.Close())
		edit(t, fs, name, func(b []byte) []byte { b[end-20] ^= 1; return b })
		return fs
	}
	s, want, err := Open(testConfig(messy()))
	require.NoError(t, err)
	require.NotNil(t, want.Cut)
	require.NoError(t, s.Close())
	for n := 1; ; n++ {
		fs := messy()
		fs.FailNth(n, syscall.EIO)
		s, rec, err := Open(testConfig(fs))
		if err == nil {
			require.Equal(t, want, rec)
			require.NoError(t, s.Close())
			require.Greater(t, n, 20)
			return
		}
		require.ErrorIs(t, err, syscall.EIO)
		require.NotErrorIs(t, err, ErrDamaged)
		fs = fs.CrashTorn(random(rand.New(rand.NewSource(int64(n)))))
		s, rec, err = Open(testConfig(fs))
		require.NoError(t, err, "operation %d", n)
		assert.Equal(t, want.Shape, rec.Shape, "operation %d", n)
		assert.True(t, rec.Epochs.Unsure, "operation %d", n)
		assert.Equal(t, want.Snapshot, rec.Snapshot, "operation %d", n)
		require.NoError(t, s.Close())
	}
}

func TestRecovery_SnapshotStreamIsVerified(t *testing.T) {
	fs, m := rolled(t)
	s, rec, err := Open(testConfig(fs))
	require.NoError(t, err)
	require.Equal(t, m.at(70), rec.Snapshot)
	name := "data/" + fileName(snapshotPrefix, m.at(70).Zxid)
	edit(t, fs, name, flip(8*50))
	_, r, err := s.OpenSnapshot()
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	require.ErrorIs(t, err, ErrDamaged)
	assert.ErrorContains(t, err, name)
	require.NoError(t, r.Close())
	require.NoError(t, s.Close())
	assert.True(t, strings.HasPrefix(name, "data/snapshot.00000001"))
}
