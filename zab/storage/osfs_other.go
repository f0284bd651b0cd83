//go:build !linux

package storage

import "os"

// syncData is the full sync (F_FULLFSYNC on macOS).
func syncData(f *os.File) error { return f.Sync() }

func allocate(*os.File, int64, int64) (bool, error) { return false, nil }
