//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package storage

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

var (
	lockedMu sync.Mutex
	locked   = map[string]bool{}
)

// lockFile knows only the Stores of this process where flock does not exist.
func lockFile(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		abs = name
	}
	lockedMu.Lock()
	defer lockedMu.Unlock()
	if locked[abs] {
		_ = f.Close()
		return nil, fmt.Errorf("directory %s is %w", filepath.Dir(name), ErrLocked)
	}
	locked[abs] = true
	return &processLock{f, abs}, nil
}

type processLock struct {
	*os.File
	name string
}

func (l *processLock) Close() error {
	lockedMu.Lock()
	delete(locked, l.name)
	lockedMu.Unlock()
	return l.File.Close()
}
