package storage

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

var quiet = slog.New(slog.DiscardHandler)

// nextTxn makes the transaction z behind prev.
func nextTxn(prev zab.Position, z ensemble.Zxid, data []byte) zab.Txn {
	o := zab.Origin{Server: 3, Tag: uint64(z) * 7}
	return zab.Txn{Zxid: z, Origin: o, Data: data, Chain: zab.NextChain(prev.Chain, z, o, data)}
}

func positionOf(t zab.Txn) zab.Position { return zab.Position{Zxid: t.Zxid, Chain: t.Chain} }

// makeTxns makes n transactions of size bytes behind prev, in its epoch or, where
// that is lower, in epoch.
func makeTxns(prev zab.Position, epoch ensemble.Epoch, n, size int) []zab.Txn {
	var txns []zab.Txn
	for range n {
		z := prev.Zxid + 1
		if prev.Zxid.Epoch() < epoch {
			z = ensemble.NewZxid(epoch, 1)
		}
		txns = append(txns, nextTxn(prev, z, bytes.Repeat([]byte{byte(z), 1}, size)[:size:size]))
		prev = positionOf(txns[len(txns)-1])
	}
	return txns
}

func testConfig(fs FS) Config {
	return Config{Dir: "data", LogDir: "log", FS: fs, SegmentBytes: 4 << 10, WindowBytes: 2 << 10,
		SnapshotsRetained: 2, Initialize: true, Logger: quiet}
}

// readAll reads the whole history above the base.
func readAll(t require.TestingT, s *Store, bytesMax int) []zab.Txn {
	var all []zab.Txn
	after := s.Shape().Base.Zxid
	for {
		txns, err := s.Read(after, bytesMax)
		if err != nil {
			require.NoError(t, err)
		}
		if len(txns) == 0 {
			return all
		}
		all = append(all, txns...)
		after = txns[len(txns)-1].Zxid
	}
}

// model is the obvious store: a list. It knows what a crash may take.
type model struct {
	start     zab.Position
	txns      []zab.Txn
	durable   int            // so many txns are acknowledged as durable
	replaced  []zab.Position // an Install to here may have happened
	epochs    []Epochs       // any of these may be on disk
	snapshots []zab.Position // committed ones, ascending
	begun     []zab.Position // those a Commit of which failed or was cut short
}

func newModel(rec Recovery) *model { return &model{epochs: []Epochs{rec.Epochs}} }

func (m *model) at(n int) zab.Position {
	if n == 0 {
		return m.start
	}
	return positionOf(m.txns[n-1])
}

func (m *model) last() zab.Position { return m.at(len(m.txns)) }

// index returns how many txns lead to p, or -1.
func (m *model) index(p zab.Position) int {
	for n := range len(m.txns) + 1 {
		if m.at(n) == p {
			return n
		}
	}
	return -1
}

func (m *model) snapshot() zab.Position {
	if n := len(m.snapshots); n > 0 {
		return m.snapshots[n-1]
	}
	return zab.Position{}
}

// The methods below do the same to store and model. An error is returned; the
// model then allows for both outcomes.

func (m *model) append(s *Store, txns []zab.Txn) error {
	m.txns = append(slices.Clip(m.txns), txns...)
	return s.Append(txns, m.at(m.durable).Zxid)
}

func (m *model) sync(s *Store) error {
	if err := s.Sync(); err != nil {
		return err
	}
	m.durable = len(m.txns)
	return nil
}

func (m *model) truncate(s *Store, n int) error {
	durable := min(m.durable, n)
	m.durable = durable
	if err := s.Truncate(m.at(n)); err != nil {
		return err
	}
	m.txns, m.durable = m.txns[:n], n
	return nil
}

func (m *model) saveEpochs(s *Store, e Epochs) error {
	m.epochs = append(m.epochs, e)
	if err := s.SaveEpochs(e); err != nil {
		return err
	}
	m.epochs = []Epochs{e}
	return nil
}

func writeSnapshot(s *Store, at zab.Position) (*SnapshotWriter, error) {
	w, err := s.CreateSnapshot(at)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(snapshotContent(at)); err != nil {
		_ = w.Abort()
		return nil, err
	}
	return w, nil
}

func snapshotContent(at zab.Position) []byte {
	return []byte(fmt.Sprintf("state at %s %x", at.Zxid, at.Chain))
}

func (m *model) commit(s *Store, n int) error {
	w, err := writeSnapshot(s, m.at(n))
	if err != nil {
		return err
	}
	m.begun = append(m.begun, m.at(n))
	if err := w.Commit(); err != nil {
		return err
	}
	m.durable = max(m.durable, n)
	m.snapshots = insertSnapshot(m.snapshots, m.at(n))
	return nil
}

func (m *model) install(s *Store, at zab.Position) error {
	w, err := writeSnapshot(s, at)
	if err != nil {
		return err
	}
	m.replaced = append(m.replaced, at)
	if err := s.Install(w); err != nil {
		return err
	}
	*m = model{start: at, epochs: m.epochs, snapshots: []zab.Position{at}}
	return nil
}

// check compares what a store has recovered with what is allowed, and makes the
// model agree with it.
func (m *model) check(t require.TestingT, s *Store, rec Recovery) {
	got := readAll(t, s, 3000)
	require.Equal(t, rec.Shape, s.Shape())
	end := rec.Shape.Base
	for _, txn := range got {
		if !txn.Zxid.Follows(end.Zxid) || zab.NextChain(end.Chain, txn.Zxid, txn.Origin, txn.Data) != txn.Chain {
			require.FailNow(t, "a gap", "%s behind %s", txn.Zxid, end.Zxid)
		}
		end = positionOf(txn)
	}
	require.Equal(t, end, rec.Shape.Last(), "Read and Shape agree")
	require.LessOrEqual(t, rec.Committed, end.Zxid)

	from, to := m.index(rec.Shape.Base), m.index(end)
	isNew := len(got) == 0 && slices.Contains(m.replaced, end) && rec.Snapshot == end
	if !isNew {
		require.True(t, from >= 0 && to >= m.durable, "recovered %s, durable up to %s", rec.Shape, m.at(max(0, m.durable)).Zxid)
		require.Equal(t, len(m.txns[from:to]), len(got))
		require.GreaterOrEqual(t, rec.Snapshot.Zxid, m.snapshot().Zxid)
		require.True(t, rec.Snapshot == m.snapshot() || slices.Contains(m.begun, rec.Snapshot))
		m.txns = m.txns[:to]
		if rec.Snapshot != m.snapshot() {
			m.snapshots = insertSnapshot(m.snapshots, rec.Snapshot)
		}
	} else {
		*m = model{start: end, epochs: m.epochs, snapshots: []zab.Position{end}}
	}
	m.durable, m.replaced, m.begun = len(m.txns), nil, nil
	if rec.Snapshot.Zxid > 0 {
		at, r, err := s.OpenSnapshot()
		require.NoError(t, err)
		require.Equal(t, rec.Snapshot, at)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, snapshotContent(at), content)
	}
	m.checkEpochs(t, rec, end)
}

func (m *model) checkEpochs(t require.TestingT, rec Recovery, end zab.Position) {
	found := slices.ContainsFunc(m.epochs, func(e Epochs) bool {
		e.Current = max(e.Current, end.Zxid.Epoch())
		e.Accepted = max(e.Accepted, e.Current)
		e.Unsure = e.Unsure || rec.Cut != nil
		return e == rec.Epochs
	})
	require.True(t, found, "epochs %+v, one of %+v was saved (cut %v)", rec.Epochs, m.epochs, rec.Cut)
	m.epochs = []Epochs{rec.Epochs}
}

// random returns a choose function for crashes: often all or nothing.
func random(r *rand.Rand) func(int) int {
	return func(n int) int {
		switch r.Intn(4) {
		case 0:
			return 0
		case 1:
			return n
		}
		return r.Intn(n + 1)
	}
}

// script is a life of a store that visits every path that writes. It returns the
// first error that the file system caused.
func script(m *model, s *Store) error {
	epoch := m.epochs[0].Current + 1
	steps := []func() error{
		func() error { return m.saveEpochs(s, Epochs{Accepted: epoch}) },
		func() error { return m.append(s, makeTxns(m.last(), epoch, 5, 100)) },
		func() error { return m.append(s, makeTxns(m.last(), epoch, 5, 300)) },
		func() error { return m.sync(s) },
		func() error { return m.saveEpochs(s, Epochs{Accepted: epoch, Current: epoch}) },
		func() error { return m.commit(s, 7) },
		func() error { return m.append(s, makeTxns(m.last(), epoch, 20, 200)) }, // rolls
		func() error { return m.append(s, makeTxns(m.last(), epoch, 8, 200)) },
		func() error { return m.commit(s, 25) },
		func() error { return m.append(s, makeTxns(m.last(), epoch, 30, 100)) }, // rolls
		func() error { return m.append(s, makeTxns(m.last(), epoch, 4, 10)) },
		func() error { return m.sync(s) },
		func() error { return m.truncate(s, 66) },                              // inside a batch
		func() error { return m.append(s, makeTxns(m.last(), epoch, 6, 300)) }, // rolls
		func() error { return m.append(s, makeTxns(m.last(), epoch, 30, 100)) },
		func() error { return m.append(s, makeTxns(m.last(), epoch, 3, 100)) },
		func() error { return m.truncate(s, 50) }, // over files, inside a batch
		func() error { return m.append(s, makeTxns(m.last(), epoch+1, 3, 100)) },
		func() error { return m.append(s, makeTxns(m.last(), epoch+1, 3, 100)) },
		func() error { return m.truncate(s, 53) }, // between batches
		func() error { return m.commit(s, 52) },
		func() error { _, err := s.Purge(); return err },
		func() error { return m.append(s, makeTxns(m.last(), epoch+1, 3, 100)) },
		func() error {
			return m.install(s, zab.Position{Zxid: ensemble.NewZxid(epoch+2, 9), Chain: 12345})
		},
		func() error { return m.append(s, makeTxns(m.last(), epoch+2, 9, 100)) },
		func() error { return m.sync(s) },
		func() error { return m.saveEpochs(s, Epochs{Accepted: epoch + 2, Current: epoch + 2}) },
		func() error { return m.commit(s, 4) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func TestModel_ScriptWithoutFaults(t *testing.T) {
	fs := NewMemFS()
	s, rec, err := Open(testConfig(fs))
	require.NoError(t, err)
	assert.True(t, rec.Fresh)
	m := newModel(rec)
	require.NoError(t, script(m, s))
	assert.Equal(t, m.txns, readAll(t, s, 1000))
	require.NoError(t, s.Close())
	after := fs.Crash(nil)
	s, rec, err = Open(testConfig(after))
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	assert.False(t, rec.Fresh)
	m.check(t, s, rec)
	assert.Equal(t, m.txns, readAll(t, s, 1<<20))
}
