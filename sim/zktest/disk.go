package zktest

import (
	"io"

	"github.com/quorate/quorate/zab/storage"
)

// disk is a file system as one process sees it: every operation that reads or
// changes something waits while the process is paused and fails once it is
// killed. Files and locks can always be closed.
type disk struct {
	fs   storage.FS
	gate *gate
}

var _ storage.FS = disk{}

// through does an operation that has a result when the gate is open.
func through[T any](g *gate, do func() (T, error)) (T, error) {
	if err := g.enter(); err != nil {
		var none T
		return none, err
	}
	defer g.leave()
	return do()
}

func (d disk) run(do func() error) error {
	_, err := through(d.gate, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (d disk) MkdirAll(dir string) error { return d.run(func() error { return d.fs.MkdirAll(dir) }) }

func (d disk) List(dir string) ([]string, error) {
	return through(d.gate, func() ([]string, error) { return d.fs.List(dir) })
}

func (d disk) Create(name string) (storage.File, error) { return d.open(name, d.fs.Create) }

func (d disk) Open(name string) (storage.File, error) { return d.open(name, d.fs.Open) }

func (d disk) open(name string, open func(string) (storage.File, error)) (storage.File, error) {
	f, err := through(d.gate, func() (storage.File, error) { return open(name) })
	if err != nil {
		return nil, err
	}
	return file{f, d}, nil
}

func (d disk) Rename(oldName, newName string) error {
	return d.run(func() error { return d.fs.Rename(oldName, newName) })
}

func (d disk) Remove(name string) error { return d.run(func() error { return d.fs.Remove(name) }) }

func (d disk) SyncDir(dir string) error { return d.run(func() error { return d.fs.SyncDir(dir) }) }

func (d disk) Lock(name string) (io.Closer, error) {
	return through(d.gate, func() (io.Closer, error) { return d.fs.Lock(name) })
}

// file is an open file of a disk.
type file struct {
	f    storage.File
	disk disk
}

func (f file) ReadAt(p []byte, off int64) (int, error) {
	return through(f.disk.gate, func() (int, error) { return f.f.ReadAt(p, off) })
}

func (f file) WriteAt(p []byte, off int64) (int, error) {
	return through(f.disk.gate, func() (int, error) { return f.f.WriteAt(p, off) })
}

func (f file) Size() (int64, error) { return through(f.disk.gate, f.f.Size) }

func (f file) Allocate(size int64) error {
	return f.disk.run(func() error { return f.f.Allocate(size) })
}

func (f file) Truncate(size int64) error {
	return f.disk.run(func() error { return f.f.Truncate(size) })
}

func (f file) Sync() error { return f.disk.run(f.f.Sync) }

func (f file) Close() error { return f.f.Close() }
