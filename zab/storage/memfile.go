package storage

import (
	"io"
	"io/fs"
	"slices"
	"syscall"
)

const sectorBytes = 512

// memNode is a file: its content now, on disk, and the writes in between.
type memNode struct {
	live, durable []byte
	pending       []fileOp
}

// fileOp is a write at an offset, or a change of size.
type fileOp struct {
	resize bool
	off    int64 // or the size
	data   []byte
}

func (o fileOp) apply(b []byte) []byte {
	if o.resize {
		return resize(b, o.off)
	}
	if end := o.off + int64(len(o.data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[o.off:], o.data)
	return b
}

func resize(b []byte, size int64) []byte {
	have := int64(len(b))
	if size <= have {
		clear(b[size:])
		return b[:size]
	}
	b = slices.Grow(b, int(size-have))[:size]
	clear(b[have:])
	return b
}

func (n *memNode) do(op fileOp) {
	n.live = op.apply(n.live)
	n.pending = append(n.pending, op)
}

func (n *memNode) sync() {
	for _, op := range n.pending {
		n.durable = op.apply(n.durable)
	}
	n.pending = nil
}

// prefix returns the content after a crash that lets the first writes survive.
func (n *memNode) prefix(choose func(int) int) []byte {
	b := slices.Clone(n.durable)
	if choose == nil || len(n.pending) == 0 {
		return b
	}
	k := choose(len(n.pending))
	for _, op := range n.pending[:k] {
		b = op.apply(b)
	}
	if k < len(n.pending) && !n.pending[k].resize {
		op := n.pending[k]
		if part := op.data[:choose(len(op.data))]; len(part) > 0 {
			b = fileOp{off: op.off, data: part}.apply(b)
		}
	}
	return b
}

// sectors returns the content after a crash that lets any sectors survive.
func (n *memNode) sectors(choose func(int) int) []byte {
	b := slices.Clone(n.durable)
	if choose == nil {
		return b
	}
	for _, op := range n.pending {
		if op.resize {
			if choose(1) == 1 {
				b = op.apply(b)
			}
			continue
		}
		for off, data := op.off, op.data; len(data) > 0; {
			part := min(int64(len(data)), sectorBytes-off%sectorBytes)
			if choose(1) == 1 {
				b = fileOp{off: off, data: data[:part]}.apply(b)
			}
			off, data = off+part, data[part:]
		}
	}
	return b
}

// memFile is an open file of a MemFS.
type memFile struct {
	fs     *MemFS
	node   *memNode
	name   string
	closed bool
}

// begin takes the lock and starts an operation; the caller unlocks.
func (f *memFile) begin(kind OpKind) error {
	f.fs.mu.Lock()
	if f.closed {
		return f.fail(kind, fs.ErrClosed)
	}
	return f.fs.begin(kind, f.name)
}

func (f *memFile) fail(kind OpKind, err error) error {
	return &fs.PathError{Op: string(kind), Path: f.name, Err: err}
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	defer f.fs.mu.Unlock()
	if err := f.begin(OpRead); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, f.fail(OpRead, fs.ErrInvalid)
	}
	if off >= int64(len(f.node.live)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.live[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	defer f.fs.mu.Unlock()
	err := f.begin(OpWrite)
	if f.closed || f.fs.crashed {
		return 0, err
	}
	if off < 0 {
		return 0, f.fail(OpWrite, fs.ErrInvalid)
	}
	n := len(p)
	if err != nil {
		n /= 2
	} else if grow := off + int64(n) - int64(len(f.node.live)); f.fs.capacity > 0 && grow > 0 {
		if free := f.fs.capacity - f.fs.used(); grow > free {
			n = max(0, n-int(grow-max(0, free)))
			err = f.fail(OpWrite, syscall.ENOSPC)
		}
	}
	if n > 0 {
		f.node.do(fileOp{off: off, data: slices.Clone(p[:n])})
	}
	return n, err
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.node.live)), nil
}

func (f *memFile) Allocate(size int64) error {
	defer f.fs.mu.Unlock()
	if err := f.begin(OpAllocate); err != nil {
		return err
	}
	grow := size - int64(len(f.node.live))
	if grow <= 0 {
		return nil
	}
	if f.fs.capacity > 0 && f.fs.used()+grow > f.fs.capacity {
		return f.fail(OpAllocate, syscall.ENOSPC)
	}
	f.node.do(fileOp{resize: true, off: size})
	return nil
}

func (f *memFile) Truncate(size int64) error {
	defer f.fs.mu.Unlock()
	if err := f.begin(OpTruncate); err != nil {
		return err
	}
	f.node.do(fileOp{resize: true, off: size})
	return nil
}

func (f *memFile) Sync() error {
	defer f.fs.mu.Unlock()
	err := f.begin(OpSync)
	switch {
	case f.closed || f.fs.crashed:
	case err != nil:
		f.node.pending = nil // still readable, as from a page cache, and lost at the next crash
	default:
		f.node.sync()
	}
	return err
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	return nil
}
