package storage

import "io"

// FS is what the store needs of a file system. Names are slash- or
// OS-separated paths as given in Config, joined by path/filepath. Errors match
// fs.ErrExist and fs.ErrNotExist where they apply. All methods may be called
// concurrently.
type FS interface {
	// MkdirAll makes a directory and its missing parents, durably.
	MkdirAll(dir string) error
	// List returns the names of the entries of dir, ascending.
	List(dir string) ([]string, error)
	// Create makes a new file for reading and writing; it must not exist.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// Rename replaces newName, atomically also in a crash. Both lie in one directory.
	Rename(oldName, newName string) error
	// Remove removes a file. Open handles of it stay usable.
	Remove(name string) error
	// SyncDir makes the entries of dir durable.
	SyncDir(dir string) error
	// Lock takes the lock file name for this process, or fails at once with an
	// error that matches ErrLocked. Closing the result releases it, and so does
	// the end of the process.
	Lock(name string) (io.Closer, error)
}

// File is an open file. ReadAt and WriteAt may be called concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Size returns the length in bytes.
	Size() (int64, error)
	// Allocate extends the file from its size up to size with zeros for which
	// the disk has set space aside.
	Allocate(size int64) error
	// Truncate cuts the file to size.
	Truncate(size int64) error
	// Sync makes content and size durable.
	Sync() error
	// Close closes the file without making anything durable.
	Close() error
}
