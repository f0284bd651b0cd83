package storage

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/zab"
)

const (
	defaultSegmentBytes = 64 << 20
	defaultWindowBytes  = 16 << 20
	defaultSnapshots    = 3
	segmentBytesMin     = 4 << 10
	allocateBytesMax    = 4 << 20
	slowSync            = time.Second // ZooKeeper's fsync.warningthresholdms

	lockName       = "lock"
	initializeName = "initialize"
)

// Config says where and how a Store keeps its data. Only Dir must be set.
type Config struct {
	// Dir holds snapshots and epochs, and the log too unless LogDir says
	// otherwise. Directories are made when missing.
	Dir    string
	LogDir string
	// Server is whose data this is. Data of another server is refused: its
	// promises are not this one's. 0 means that nobody checks.
	Server ensemble.ServerID
	// FS is the file system; nil means the operating system's.
	FS FS
	// SegmentBytes is where the log begins its next file. 0 means 64 MiB; at
	// least 4 KiB.
	SegmentBytes int64
	// WindowBytes bounds the recent transactions kept in memory for Read. 0
	// means 16 MiB.
	WindowBytes int64
	// SnapshotsRetained is how many snapshots Purge keeps. 0 means 3.
	SnapshotsRetained int
	// Initialize allows a server with an empty directory to vote: it belongs to
	// a new ensemble. A file named initialize in Dir says the same, once.
	Initialize bool
	// TrustUnfinished leaves Epochs.Unsure alone when the cut tail was provably
	// a write that never finished (Cut.Unfinished) and so was never synced or
	// acknowledged. Without it every cut makes the server unsure, and an
	// ensemble of which a majority was killed in the middle of a write waits for
	// its operator.
	TrustUnfinished bool
	// Logger gets what an operator should know; nil means slog.Default().
	Logger *slog.Logger
	// Trace gets events; nil, and nil fields, mean nobody listens.
	Trace *Trace
}

func (c Config) withDefaults() (Config, error) {
	if c.LogDir == "" {
		c.LogDir = c.Dir
	}
	if c.FS == nil {
		c.FS = OS()
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = defaultSegmentBytes
	}
	if c.WindowBytes == 0 {
		c.WindowBytes = defaultWindowBytes
	}
	if c.SnapshotsRetained == 0 {
		c.SnapshotsRetained = defaultSnapshots
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, c.Validate()
}

// Validate returns all faults of the configuration, joined.
func (c Config) Validate() error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("storage: Dir is empty; name the data directory"))
	}
	if c.SegmentBytes != 0 && (c.SegmentBytes < segmentBytesMin || c.SegmentBytes > 1<<40) {
		faults = append(faults, fmt.Errorf("storage: SegmentBytes is %d, want %d to 1 TiB, or 0 for the default", c.SegmentBytes, segmentBytesMin))
	}
	if c.WindowBytes < 0 {
		faults = append(faults, fmt.Errorf("storage: WindowBytes is %d, want 0 or more", c.WindowBytes))
	}
	if c.SnapshotsRetained < 0 {
		faults = append(faults, fmt.Errorf("storage: SnapshotsRetained is %d, want 1 or more, or 0 for the default", c.SnapshotsRetained))
	}
	return errors.Join(faults...)
}

// Trace is told what happens. The functions are called by the goroutine that
// does it, with no lock held, and must not call the Store.
type Trace struct {
	Recovered func(Recovery)
	Append    func(from, to zab.Position, bytes int)                 // written, not yet durable
	Sync      func(upTo zab.Position, took time.Duration, err error) // the log is durable up to upTo
	Segment   func(name string)                                      // a new log file
	Truncate  func(to zab.Position)
	Epochs    func(Epochs)
	Snapshot  func(at zab.Position, bytes int64)
	Install   func(at zab.Position, bytes int64)
	Purge     func(removed string)
}

// tracer calls the hooks that are there.
type tracer struct{ t *Trace }

func (t tracer) appended(from, to zab.Position, bytes int) {
	if t.t != nil && t.t.Append != nil {
		t.t.Append(from, to, bytes)
	}
}

func (t tracer) synced(upTo zab.Position, took time.Duration, err error) {
	if t.t != nil && t.t.Sync != nil {
		t.t.Sync(upTo, took, err)
	}
}

func (t tracer) snapshot(at zab.Position, bytes int64) {
	if t.t != nil && t.t.Snapshot != nil {
		t.t.Snapshot(at, bytes)
	}
}

func (t tracer) install(at zab.Position, bytes int64) {
	if t.t != nil && t.t.Install != nil {
		t.t.Install(at, bytes)
	}
}

// notify calls hook with v if it is there.
func notify[T any](hook func(T), v T) {
	if hook != nil {
		hook(v)
	}
}

// Recovery is what Open found.
type Recovery struct {
	Shape     zab.Shape
	Snapshot  zab.Position  // newest usable snapshot; zero if none
	Epochs    Epochs        // as effective: Current is at least the epoch of the last transaction
	Committed ensemble.Zxid // known to be committed, from snapshot and log; never behind the end of the log
	Cut       *Cut          // the tail that was cut off; nil if none
	Skipped   []error       // snapshots that cannot be used, and why
	Fresh     bool          // the directory was empty
}

// Cut says what was cut off the end of the log because it was damaged and
// nothing valid lay behind it.
type Cut struct {
	File   string
	Offset int64
	Bytes  int64 // to the end of the file, preallocated zeros included
	Reason string
	// Unfinished means that the damage is a single write that stopped before
	// its last byte: it was never synced. Otherwise synced data may be lost.
	Unfinished bool
}

// activeFile is the open last segment.
type activeFile struct {
	file    File
	size    int64 // allocated; only Append and what excludes it use it
	durable int64 // synced up to here
}

// Store keeps the history, snapshots and epochs of one server on disk.
//
// One goroutine calls Append, Sync, Truncate, Install, SaveEpochs and Close; all
// other methods, and those of SnapshotWriter, may be called by any goroutine at
// any time. Only Truncate, Install, Commit and Purge wait for one another, and
// none of them makes Read wait.
type Store struct {
	cfg   Config
	fs    FS
	log   *slog.Logger
	trace tracer
	hooks Trace
	locks []io.Closer
	buf   []byte // Append's

	// Batons, held across I/O; the mutex is not. work: whoever changes which
	// files make up the history. syncing: whoever syncs or closes the active
	// file; two syncs at once could hide the failure of one from the other.
	// Taken in this order.
	work    chan struct{}
	syncing chan struct{}

	mu         sync.Mutex
	err        error // why nothing works any more
	version    uint64
	generation uint64
	segments   []segment
	active     *activeFile // of the last segment; nil if that is finished or there is none
	shape      zab.Shape
	window     window
	epochs     Epochs
	snapshots  []zab.Position // ascending
	suspects   []string       // unusable snapshot files that Purge removes
	writing    map[string]bool
}

// Open opens the store in cfg.Dir, after a crash too, and reports what it found.
// Everything that it reports is durable. It changes nothing when it returns an
// error about damaged or missing data (ErrDamaged); that error says which file,
// where, and what to do.
func Open(cfg Config) (*Store, Recovery, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, Recovery{}, err
	}
	s := &Store{
		cfg: cfg, fs: cfg.FS, log: cfg.Logger, trace: tracer{cfg.Trace},
		work: make(chan struct{}, 1), syncing: make(chan struct{}, 1),
		writing: map[string]bool{},
	}
	if cfg.Trace != nil {
		s.hooks = *cfg.Trace
	}
	s.window.limit = int(min(cfg.WindowBytes, 1<<30))
	for _, dir := range s.dirs() {
		if err = s.fs.MkdirAll(dir); err != nil {
			err = fmt.Errorf("make directory %s: %w", dir, err)
			break
		}
		var l io.Closer
		if l, err = s.fs.Lock(filepath.Join(dir, lockName)); err != nil {
			err = fmt.Errorf("open storage: %w", err)
			break
		}
		s.locks = append(s.locks, l)
	}
	var rec Recovery
	if err == nil {
		rec, err = s.recover()
	}
	if err != nil {
		return nil, Recovery{}, errors.Join(err, s.close())
	}
	notify(s.hooks.Recovered, rec)
	return s, rec, nil
}

// dirs returns Dir, and LogDir if it is another.
func (s *Store) dirs() []string {
	if filepath.Clean(s.cfg.LogDir) == filepath.Clean(s.cfg.Dir) {
		return []string{s.cfg.Dir}
	}
	return []string{s.cfg.Dir, s.cfg.LogDir}
}

// fail makes err the answer of every later call, and returns it as such.
func (s *Store) fail(err error) error {
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.err = &failure{err}
	}
	err = s.err
	s.mu.Unlock()
	if first {
		s.log.Error("storage failed", "dir", s.cfg.Dir, "err", err)
	}
	return err
}

// Err returns the error that made the store fail, ErrClosed, or nil.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Shape returns the history as Read would give it, durable or not.
func (s *Store) Shape() zab.Shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shape.Clone()
}

// Snapshot returns the position of the newest snapshot, zero if there is none.
func (s *Store) Snapshot() zab.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.snapshots); n > 0 {
		return s.snapshots[n-1]
	}
	return zab.Position{}
}

// Epochs returns the epochs last saved, or found by Open.
func (s *Store) Epochs() Epochs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epochs
}

// SaveEpochs makes e durable, in place of the last record: at every moment one
// of the two is on disk. Neither epoch may go back.
func (s *Store) SaveEpochs(e Epochs) error {
	s.mu.Lock()
	err, old := s.err, s.epochs
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := validateEpochs(e); err != nil {
		return fmt.Errorf("save epochs: %w", err)
	}
	if e.Accepted < old.Accepted || e.Current < old.Current {
		return fmt.Errorf("save epochs: accepted %d, current %d would go back behind accepted %d, current %d",
			e.Accepted, e.Current, old.Accepted, old.Current)
	}
	return s.writeEpochs(e)
}

func (s *Store) writeEpochs(e Epochs) error {
	name := filepath.Join(s.cfg.Dir, epochsName)
	temporary := name + temporarySuffix
	if mutant.On(mutant.M07) {
		_ = s.fs.Remove(name)
	}
	f, err := s.recreate(temporary)
	if err != nil {
		return explain("save epochs", name, err)
	}
	if _, err = f.WriteAt(encodeEpochs(e, s.cfg.Server), 0); err != nil {
		return errors.Join(explain("save epochs", name, err), f.Close(), s.fs.Remove(temporary))
	}
	if err = f.Sync(); err != nil {
		return errors.Join(s.fail(explain("sync epochs", name, err)), f.Close())
	}
	if err = f.Close(); err != nil {
		return errors.Join(explain("save epochs", name, err), s.fs.Remove(temporary))
	}
	if err = s.publish(temporary, name); err != nil {
		return err
	}
	s.mu.Lock()
	s.epochs = e
	s.mu.Unlock()
	notify(s.hooks.Epochs, e)
	return nil
}

// Close releases files and locks. It makes nothing durable: what Sync has not
// acknowledged may be lost. Snapshots being written are left unfinished; the
// next Open removes them.
func (s *Store) Close() error {
	s.work <- struct{}{}
	defer func() { <-s.work }()
	s.mu.Lock()
	if s.err == ErrClosed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.err = ErrClosed
	s.mu.Unlock()
	return s.close()
}

func (s *Store) close() error {
	s.syncing <- struct{}{}
	s.mu.Lock()
	a := s.active
	s.active = nil
	s.mu.Unlock()
	var err error
	if a != nil {
		err = a.file.Close()
	}
	<-s.syncing
	for _, l := range s.locks {
		err = errors.Join(err, l.Close())
	}
	s.locks = nil
	return err
}
