//go:build unix

package server

import (
	"math"
	"os"
	"syscall"
)

// openFiles counts this process's file descriptors, where the system lists them,
// and returns how many it may have.
func openFiles() (open, limit int64, ok bool) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, 0, false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	var lim syscall.Rlimit
	if err != nil || syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim) != nil {
		return 0, 0, false
	}
	return int64(len(names)) - 1, int64(min(uint64(lim.Cur), math.MaxInt64)), true
}
