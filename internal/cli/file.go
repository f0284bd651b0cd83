package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// wholeFile is a file of the user's that has its name only when it is whole. What
// is there under that name and is no ordinary file, a device or a pipe, is written
// to as it is, and a symbolic link stays one.
type wholeFile struct {
	*os.File
	name string // what it is to be called; empty if that is what it is called
}

// createWhole begins the file. One that is replaced keeps its permissions; a new one
// has these.
func createWhole(name string, perm fs.FileMode) (*wholeFile, error) {
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	old, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !old.Mode().IsRegular():
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		return &wholeFile{File: f}, err
	default:
		perm = old.Mode().Perm()
	}
	f, err := os.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	return &wholeFile{f, name}, err
}

// finish closes the file, and gives it its name if all went well until now.
func (f *wholeFile) finish(err error) error {
	if err == nil && f.name != "" {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	switch {
	case f.name == "":
	case err == nil:
		err = os.Rename(f.Name(), f.name)
	default:
		_ = os.Remove(f.Name())
	}
	return err
}
