package storage

import (
	"errors"
	"fmt"
	"math/rand"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// ending is what happens to the machine after a fault.
type ending struct {
	name string
	end  func(fs *MemFS, r *rand.Rand) *MemFS
}

var endings = []ending{
	{"crash", func(fs *MemFS, _ *rand.Rand) *MemFS { return fs.Crash(nil) }},
	{"crash with a prefix", func(fs *MemFS, r *rand.Rand) *MemFS { return fs.Crash(random(r)) }},
	{"crash with any sectors", func(fs *MemFS, r *rand.Rand) *MemFS { return fs.CrashTorn(random(r)) }},
	// The process alone dies; what it read back after that must survive a crash.
	{"kill", func(fs *MemFS, _ *rand.Rand) *MemFS { fs.SetFault(nil); fs.Kill(); return fs }},
}

// TestFaults_NthOperationFails makes every single operation of a store's life
// fail, each in turn, and looks what is there afterwards.
func TestFaults_NthOperationFails(t *testing.T) {
	for _, end := range endings {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			for done := false; !done; {
				n++
				cause := []error{syscall.EIO, syscall.ENOSPC}[n%2]
				done = failNth(t, n, cause, end)
				if t.Failed() {
					t.Fatalf("operation %d, %v", n, cause)
				}
			}
			require.Greater(t, n, 150, "operations of the script")
		})
	}
}

// failNth reports whether the n-th operation is beyond the end of the script.
func failNth(t *testing.T, n int, cause error, end ending) bool {
	fs := NewMemFS()
	fs.FailNth(n, cause)
	m := &model{epochs: []Epochs{{}}}
	s, _, err := Open(testConfig(fs))
	if err == nil {
		err = script(m, s)
	}
	if err == nil {
		return true
	}
	where := fmt.Sprintf("operation %d, %v", n, err)
	require.ErrorIs(t, err, cause, where)
	if s != nil && s.Err() != nil {
		require.ErrorIs(t, s.Err(), ErrFailed, where)
		again := s.Sync()
		require.ErrorIs(t, again, cause, where)
		require.ErrorIs(t, s.SaveEpochs(Epochs{Accepted: 99}), ErrFailed, where)
	} else if s != nil && n%3 == 0 {
		// The store says that it still works: then it must.
		require.NoError(t, healthy(m, s), where)
	}
	r := rand.New(rand.NewSource(int64(n)))
	fs = end.end(fs, r)
	for range 2 {
		s, rec, err := Open(testConfig(fs))
		require.NoError(t, err, where)
		m.check(t, s, rec)
		require.NoError(t, healthy(m, s), where)
		fs = fs.Crash(nil)
	}
	return false
}

// healthy uses a store that should have nothing wrong with it.
func healthy(m *model, s *Store) error {
	have := s.Shape()
	n := m.index(have.Last())
	if n < 0 {
		return fmt.Errorf("the end of the history is %s: the model does not know it", have.Last().Zxid)
	}
	m.txns = m.txns[:n]
	m.durable = min(m.durable, n)
	epoch := max(have.Last().Zxid.Epoch(), 1)
	return errors.Join(
		m.append(s, makeTxns(m.last(), epoch, 3, 50)), m.sync(s), m.commit(s, len(m.txns)-1),
		m.saveEpochs(s, Epochs{Accepted: 100, Current: 100}))
}

// TestFaults_SyncIsNeverRetried: a sync that failed once is not believed when the
// next would succeed (faults.md, mutant M24).
func TestFaults_SyncIsNeverRetried(t *testing.T) {
	fs := NewMemFS()
	s, rec, err := Open(testConfig(fs))
	require.NoError(t, err)
	m := newModel(rec)
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 3, 10)))
	require.NoError(t, m.sync(s))
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 3, 10)))
	fs.FailNth(1, syscall.EIO)
	for range 3 {
		err = s.Sync()
		require.ErrorIs(t, err, syscall.EIO)
		require.ErrorIs(t, err, ErrFailed)
	}
	_, err = s.Read(0, 100)
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, s.Append(nil, 0), ErrFailed)
	require.ErrorIs(t, s.Truncate(m.at(1)), ErrFailed)
	_, err = s.CreateSnapshot(m.at(1))
	require.ErrorIs(t, err, ErrFailed)
	require.NoError(t, s.Close())

	// A new process reads what the disk never got, and must write it again.
	_, rec, err = Open(testConfig(fs))
	require.NoError(t, err)
	require.Equal(t, m.last(), rec.Shape.Last())
	fs = fs.Crash(nil)
	s, rec, err = Open(testConfig(fs))
	require.NoError(t, err)
	require.Equal(t, m.last(), rec.Shape.Last(), "what was reported after the restart")
	require.NoError(t, s.Close())
}

// TestFaults_DiskFull fills the disk: a clear error, nothing lost, and the log
// goes on when there is space again.
func TestFaults_DiskFull(t *testing.T) {
	fs := NewMemFS()
	s, rec, err := Open(testConfig(fs))
	require.NoError(t, err)
	m := newModel(rec)
	fs.SetCapacity(20 << 10)
	for err == nil {
		if err = m.append(s, makeTxns(m.last(), 1, 2, 100)); err == nil {
			err = m.sync(s)
		}
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "the disk is full: free some space")
	require.NoError(t, s.Err())
	m.txns = m.txns[:m.durable]
	require.Equal(t, m.txns, readAll(t, s, 1000))

	fs.SetCapacity(1)
	err = m.commit(s, m.durable)
	require.ErrorIs(t, err, syscall.ENOSPC)
	err = m.saveEpochs(s, Epochs{Accepted: 1, Current: 1})
	require.ErrorIs(t, err, syscall.ENOSPC)
	m.epochs = m.epochs[:1]
	require.NoError(t, s.Err())

	fs.SetCapacity(0)
	require.NoError(t, healthy(m, s))
	fs = fs.Crash(nil)
	s, rec, err = Open(testConfig(fs))
	require.NoError(t, err)
	m.check(t, s, rec)
	require.NoError(t, s.Close())
}

// lent counts the files of a file system that are open.
type lent struct {
	FS
	open *int
}

type lentFile struct {
	File
	open *int
}

func (l lent) lend(f File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	*l.open++
	return lentFile{f, l.open}, nil
}

func (l lent) Create(name string) (File, error) { return l.lend(l.FS.Create(name)) }
func (l lent) Open(name string) (File, error)   { return l.lend(l.FS.Open(name)) }
func (f lentFile) Close() error                 { *f.open--; return f.File.Close() }

// TestFaults_TruncateLeavesNoFileOpen: whichever operation of a truncation fails,
// the store has closed all its files once it is closed itself. It cuts between two
// batches, within one, and at the end of a file that is not the last.
func TestFaults_TruncateLeavesNoFileOpen(t *testing.T) {
	for _, to := range []int{5, 7, 20} {
		failures := 0
		for n, done := 1, false; !done; n++ {
			fs, open := NewMemFS(), 0
			s, m := openMem(t, testConfig(lent{fs, &open}))
			for range 8 {
				require.NoError(t, m.append(s, makeTxns(m.last(), 1, 5, 200)))
			}
			fs.FailNth(n, syscall.EIO)
			if done = s.Truncate(m.at(to)) == nil; !done {
				failures++
			}
			_ = s.Close()
			require.Zero(t, open, "files are open after operation %d of a truncation to %d failed", n, to)
		}
		require.Greater(t, failures, 3, "operations of a truncation to %d", to)
	}
}

// A truncation whose sync fails may be undone by a crash much later: the process
// that is started next finds the file short, as the page cache has it, and writes on
// from there. What then comes back behind its own batches is no reason to refuse.
func TestFaults_TruncationThatComesUndone(t *testing.T) {
	undone := 0
	for size := 1; size < 400; size += 7 {
		fs := NewMemFS()
		s, m := openMem(t, testConfig(fs))
		for range 8 {
			require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 100)))
			require.NoError(t, m.sync(s))
		}
		fs.SetFault(func(op Op) error {
			if op.Kind == OpSync {
				return syscall.EIO
			}
			return nil
		})
		require.ErrorIs(t, s.Truncate(m.at(2)), syscall.EIO)
		_ = s.Close()
		fs.SetFault(nil)
		fs.Kill()

		s, rec, err := Open(testConfig(fs))
		require.NoError(t, err)
		require.Equal(t, m.at(2), rec.Shape.Last())
		added := makeTxns(m.at(2), 2, 1, size)
		require.NoError(t, s.Append(added, 0))
		require.NoError(t, s.Sync())
		_ = s.Close()

		s, rec, err = Open(testConfig(fs.Crash(nil)))
		require.NoError(t, err, "%d bytes were appended", size)
		require.Equal(t, positionOf(added[0]), rec.Shape.Last())
		if rec.Cut != nil {
			undone++
		}
		require.NoError(t, s.Close())
	}
	require.Positive(t, undone, "the old end came back")
}
