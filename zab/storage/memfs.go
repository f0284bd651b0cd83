package storage

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// OpKind names an operation on a MemFS.
type OpKind string

// The operations that a fault can make fail.
const (
	OpMkdir    OpKind = "mkdir"
	OpList     OpKind = "list"
	OpCreate   OpKind = "create"
	OpOpen     OpKind = "open"
	OpRename   OpKind = "rename"
	OpRemove   OpKind = "remove"
	OpSyncDir  OpKind = "syncdir"
	OpLock     OpKind = "lock"
	OpRead     OpKind = "read"
	OpWrite    OpKind = "write"
	OpAllocate OpKind = "allocate"
	OpTruncate OpKind = "truncate"
	OpSync     OpKind = "sync"
)

// Op is one operation on a MemFS, before it happens.
type Op struct {
	N    int // operations are counted from 1
	Kind OpKind
	Name string
}

// MemFS is a file system in memory that forgets in a crash what a disk would
// forget: written bytes that no Sync, and directory entries that no SyncDir made
// durable. It is for tests and simulation: the same calls give the same result.
//
// A failed Sync is as on Linux: what was written before it stays readable, and no
// later Sync makes it durable. A failed write writes the first half.
type MemFS struct {
	mu       sync.Mutex
	dirs     map[string]*memDir
	locks    map[string]bool
	fault    func(Op) error
	ops      int
	capacity int64 // bytes of all files; 0 means no limit
	crashed  bool
}

// memDir is a directory: its entries now, on disk, and what leads from the one
// to the other.
type memDir struct {
	live, durable map[string]*memNode
	pending       []dirOp
}

// dirOp removes one entry and makes another, both or one of them.
type dirOp struct {
	remove, put string
	node        *memNode
}

func (o dirOp) apply(entries map[string]*memNode) {
	if o.remove != "" {
		delete(entries, o.remove)
	}
	if o.put != "" {
		entries[o.put] = o.node
	}
}

// NewMemFS returns an empty file system.
func NewMemFS() *MemFS {
	return &MemFS{dirs: map[string]*memDir{}, locks: map[string]bool{}}
}

// SetFault makes f decide before every operation whether it fails, and how; nil
// means none does. f must not use the file system.
func (m *MemFS) SetFault(f func(Op) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// FailNth makes the n-th operation from now, counted from 1, fail with err, for
// example syscall.EIO or syscall.ENOSPC. Others before and after work.
func (m *MemFS) FailNth(n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n += m.ops
	m.fault = func(op Op) error {
		if op.N == n {
			return err
		}
		return nil
	}
}

// SetCapacity limits the bytes of all files together; 0 means no limit.
func (m *MemFS) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Ops returns how many operations there have been.
func (m *MemFS) Ops() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// errCrashed is what a file system answers after its crash.
var errCrashed = fmt.Errorf("the machine has crashed: %w", syscall.EIO)

// begin counts an operation and decides its fate. m.mu is held.
func (m *MemFS) begin(kind OpKind, name string) error {
	m.ops++
	err := error(nil)
	if m.crashed {
		err = errCrashed
	} else if m.fault != nil {
		err = m.fault(Op{m.ops, kind, name})
	}
	if err != nil {
		return &fs.PathError{Op: string(kind), Path: name, Err: err}
	}
	return nil
}

func (m *MemFS) dir(kind OpKind, name string) (*memDir, error) {
	if d := m.dirs[filepath.Clean(name)]; d != nil {
		return d, nil
	}
	return nil, &fs.PathError{Op: string(kind), Path: name, Err: fs.ErrNotExist}
}

// MkdirAll implements FS.
func (m *MemFS) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(OpMkdir, dir); err != nil {
		return err
	}
	if dir = filepath.Clean(dir); m.dirs[dir] == nil {
		m.dirs[dir] = &memDir{live: map[string]*memNode{}, durable: map[string]*memNode{}}
	}
	return nil
}

// List implements FS.
func (m *MemFS) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(OpList, dir); err != nil {
		return nil, err
	}
	d, err := m.dir(OpList, dir)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(d.live)), nil
}

// Create implements FS.
func (m *MemFS) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(OpCreate, name); err != nil {
		return nil, err
	}
	d, err := m.dir(OpCreate, filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	base := filepath.Base(name)
	if d.live[base] != nil {
		return nil, &fs.PathError{Op: string(OpCreate), Path: name, Err: fs.ErrExist}
	}
	node := &memNode{}
	d.change(dirOp{put: base, node: node})
	return &memFile{fs: m, node: node, name: name}, nil
}

func (d *memDir) change(op dirOp) {
	op.apply(d.live)
	d.pending = append(d.pending, op)
}

// Open implements FS.
func (m *MemFS) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(OpOpen, name); err != nil {
		return nil, err
	}
	_, node, err := m.lookup(OpOpen, name)
	if err != nil {
		return nil, err
	}
	return &memFile{fs: m, node: node, name: name}, nil
}

func (m *MemFS) lookup(kind OpKind, name string) (*memDir, *memNode, error) {
	d, err := m.dir(kind, filepath.Dir(name))
	if err != nil {
		return nil, nil, err
	}
	node := d.live[filepath.Base(name)]
	if node == nil {
		return nil, nil, &fs.PathError{Op: string(kind), Path: name, Err: fs.ErrNotExist}
	}
	return d, node, nil
}

// Rename implements FS.
func (m *MemFS) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(OpRename, newName); err != nil {
		return err
	}
	if filepath.Dir(oldName) != filepath.Dir(newName) {
		return &fs.PathError{Op: string(OpRename), Path: newName, Err: syscall.EXDEV}
	}
	d, node, err := m.lookup(OpRename, oldName)
	if err != nil {
		return err
	}
	d.change(dirOp{remove: filepath.Base(oldName), put: filepath.Base(newName), node: node})
	return nil
}

// Remove implements FS.
func (m *MemFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(OpRemove, name); err != nil {
		return err
	}
	d, _, err := m.lookup(OpRemove, name)
	if err != nil {
		return err
	}
	d.change(dirOp{remove: filepath.Base(name)})
	return nil
}

// SyncDir implements FS.
func (m *MemFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(OpSyncDir, dir); err != nil {
		return err
	}
	d, err := m.dir(OpSyncDir, dir)
	if err != nil {
		return err
	}
	d.durable, d.pending = maps.Clone(d.live), nil
	return nil
}

// Lock implements FS. The lock file has no content and is not listed.
func (m *MemFS) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.begin(OpLock, name); err != nil {
		return nil, err
	}
	if m.locks[name] {
		return nil, fmt.Errorf("directory %s is %w", filepath.Dir(name), ErrLocked)
	}
	m.locks[name] = true
	return memLock{m, name}, nil
}

type memLock struct {
	fs   *MemFS
	name string
}

func (l memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.name)
	return nil
}

// Used returns the bytes of all files together.
func (m *MemFS) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used()
}

// Copy returns another file system with all that is written now, as if it were
// durable: a backup.
func (m *MemFS) Copy() *MemFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := NewMemFS()
	for _, name := range slices.Sorted(maps.Keys(m.dirs)) {
		copied := &memDir{live: map[string]*memNode{}, durable: map[string]*memNode{}}
		for base, n := range m.dirs[name].live {
			node := &memNode{live: slices.Clone(n.live), durable: slices.Clone(n.live)}
			copied.live[base], copied.durable[base] = node, node
		}
		after.dirs[name] = copied
	}
	return after
}

// Kill ends the process that uses the file system, without a crash of the
// machine: everything written stays, locks are released.
func (m *MemFS) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.locks = map[string]bool{}
}

// Crash stops the machine: this file system answers every later operation with
// an error, and the one returned holds what survived. choose(n), in [0, n], says
// how much survives of n things that nothing made durable: of each directory the
// first so many changes, of each file the first so many writes and the first so
// many bytes of the next. nil means nothing of them.
func (m *MemFS) Crash(choose func(n int) int) *MemFS {
	return m.crash(choose, func(n *memNode) []byte { return n.prefix(choose) })
}

// CrashTorn is Crash on a disk that writes its 512-byte sectors in any order:
// each sector of each write that nothing made durable is there or not, as
// choose(1) says.
func (m *MemFS) CrashTorn(choose func(n int) int) *MemFS {
	return m.crash(choose, func(n *memNode) []byte { return n.sectors(choose) })
}

func (m *MemFS) crash(choose func(n int) int, content func(*memNode) []byte) *MemFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashed = true
	after := NewMemFS()
	after.capacity = m.capacity
	for _, name := range slices.Sorted(maps.Keys(m.dirs)) {
		d := m.dirs[name]
		survived := maps.Clone(d.durable)
		if n := len(d.pending); n > 0 && choose != nil {
			for _, op := range d.pending[:choose(n)] {
				op.apply(survived)
			}
		}
		copied := &memDir{live: map[string]*memNode{}, durable: map[string]*memNode{}}
		for _, base := range slices.Sorted(maps.Keys(survived)) {
			b := content(survived[base])
			node := &memNode{live: b, durable: slices.Clone(b)}
			copied.live[base], copied.durable[base] = node, node
		}
		after.dirs[name] = copied
	}
	return after
}

// used returns the bytes of all files. m.mu is held.
func (m *MemFS) used() int64 {
	var sum int64
	for _, d := range m.dirs {
		for _, n := range d.live {
			sum += int64(len(n.live))
		}
	}
	return sum
}
