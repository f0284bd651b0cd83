//go:build mutants

package storage

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/zab"
)

// TestMutant_Store shows of each mutant of the store a scene in which it does
// something else than it should.
func TestMutant_Store(t *testing.T) {
	for _, c := range []struct {
		id    mutant.ID
		does  string
		scene func(t *testing.T) bool
	}{
		{mutant.M07, "is left without epochs by a failure and a crash", func(t *testing.T) bool {
			lost := false
			for n := 1; n <= 4; n++ {
				fs := NewMemFS()
				s, _ := filled(t, fs, 1)
				require.NoError(t, s.SaveEpochs(Epochs{Accepted: 1, Current: 1}))
				fs.FailNth(n, syscall.EIO)
				_ = s.SaveEpochs(Epochs{Accepted: 2, Current: 1})
				s, _, err := Open(testConfig(fs.Crash(func(n int) int { return n })))
				if lost = lost || err != nil; err == nil {
					require.NoError(t, s.Close())
				}
			}
			return lost
		}},
		{mutant.M08, "loses in a crash what was synced behind a truncation", func(t *testing.T) bool {
			fs := NewMemFS()
			s, m := filled(t, fs, 1, 1, 1, 1)
			require.NoError(t, m.truncate(s, 1))
			require.NoError(t, m.append(s, makeTxns(m.last(), 2, 1, 40)))
			require.NoError(t, m.sync(s))
			return m.last() != lastAfterCrash(t, fs)
		}},
		{mutant.M08, "does not sync a log that is as long as before a truncation", func(t *testing.T) bool {
			fs := NewMemFS()
			s, m := filled(t, fs, 1, 1)
			require.NoError(t, m.truncate(s, 1))
			require.NoError(t, m.append(s, makeTxns(m.last(), 2, 1, 40)))
			syncs := 0
			fs.SetFault(func(op Op) error {
				if op.Kind == OpSync {
					syncs++
				}
				return nil
			})
			require.NoError(t, s.Sync())
			require.NoError(t, s.Close())
			return syncs == 0
		}},
		{mutant.M10, "cuts off the last transaction of a file that should stay whole", func(t *testing.T) bool {
			s, m := openMem(t, testConfig(NewMemFS()))
			for range 10 {
				require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 1000)))
			}
			to := s.segments[0].last
			require.NoError(t, s.Truncate(to))
			return s.Shape().Last().Zxid == to.Zxid-1
		}},
		{mutant.M11, "writes a log with a hole", func(t *testing.T) bool {
			s, m := openMem(t, testConfig(NewMemFS()))
			return s.Append(makeTxns(m.last(), 1, 2, 10)[1:], 0) == nil
		}},
		{mutant.M12, "reads its log with a hole", func(t *testing.T) bool {
			s, m := openMem(t, testConfig(NewMemFS()))
			for range 3 {
				require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 10)))
			}
			txns, err := s.Read(0, 1<<20)
			require.NoError(t, err)
			return len(txns) == 2 && txns[0].Zxid == m.at(2).Zxid
		}},
		{mutant.M23, "believes in a write that failed", func(t *testing.T) bool {
			fs := NewMemFS()
			s, m := openMem(t, testConfig(fs))
			require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 10)))
			fs.FailNth(1, syscall.EIO)
			return m.append(s, makeTxns(m.last(), 1, 1, 10)) == nil
		}},
		{mutant.M23, "believes in a truncation that failed", func(t *testing.T) bool {
			fs := NewMemFS()
			s, m := openMem(t, testConfig(fs))
			require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 10)))
			require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 10)))
			fs.SetFault(func(op Op) error {
				if op.Kind == OpTruncate {
					return syscall.EIO
				}
				return nil
			})
			return s.Truncate(m.at(1)) == nil
		}},
		{mutant.M24, "tries a failed sync again, and loses in a crash what it then reports", func(t *testing.T) bool {
			fs := NewMemFS()
			s, m := filled(t, fs, 1)
			require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 10)))
			fs.FailNth(1, syscall.EIO)
			return s.Sync() == nil && m.last() != lastAfterCrash(t, fs)
		}},
		{mutant.M25, "is sure of an empty disk", func(t *testing.T) bool {
			cfg := testConfig(NewMemFS())
			cfg.Initialize = false
			s, rec, err := Open(cfg)
			require.NoError(t, err)
			require.NoError(t, s.Close())
			return !rec.Epochs.Unsure
		}},
		{mutant.M39, "is sure of a log with a damaged end", func(t *testing.T) bool {
			fs := NewMemFS()
			s, _ := filled(t, fs, 1, 1)
			end := int(s.segments[0].end)
			fs = fs.Crash(nil)
			edit(t, fs, firstLog, flip(8*(end-20)))
			s, rec, err := Open(testConfig(fs))
			require.NoError(t, err)
			require.NoError(t, s.Close())
			require.NotNil(t, rec.Cut)
			return !rec.Epochs.Unsure
		}},
	} {
		t.Run(c.id.String(), func(t *testing.T) {
			mutant.Show(t, c.id, "store", c.does, func() bool { return c.scene(t) })
		})
	}
}

// lastAfterCrash is where the log ends when the machine has lost what was not
// durable.
func lastAfterCrash(t *testing.T, fs *MemFS) zab.Position {
	t.Helper()
	s, rec, err := Open(testConfig(fs.Crash(nil)))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return rec.Shape.Last()
}
