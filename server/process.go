package server

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// What four-letter words tell of the process and not of the server.

func (s *Server) wordEnvi() string {
	var b strings.Builder
	b.WriteString("Environment:\n")
	for _, kv := range s.Environment() {
		fmt.Fprintf(&b, "%s=%s\n", kv[0], kv[1])
	}
	return b.String()
}

// Environment returns what the word envi tells, in its order: ZooKeeper's keys,
// with Go's in place of Java's.
func (s *Server) Environment() [][2]string {
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	name, home := "", ""
	if u, err := user.Current(); err == nil {
		name, home = u.Username, u.HomeDir
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	mib := func(bytes uint64) string { return fmt.Sprintf("%dMB", bytes>>20) }
	return [][2]string{
		{"zookeeper.version", s.cfg.Version}, {"host.name", host}, {"go.version", runtime.Version()},
		{"java.io.tmpdir", os.TempDir()},
		{"os.name", runtime.GOOS}, {"os.arch", runtime.GOARCH}, {"os.version", osRelease()},
		{"user.name", name}, {"user.home", home}, {"user.dir", dir},
		{"os.memory.free", mib(mem.HeapIdle)}, {"os.memory.max", mib(memoryLimit())}, {"os.memory.total", mib(mem.Sys)},
	}
}

// osRelease returns the kernel's version, where there is a file with it.
func osRelease() string {
	b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(b))
}

// memoryLimit returns what GOMEMLIMIT says, and 0 where it says nothing.
func memoryLimit() uint64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return 0
	}
	return uint64(limit)
}

// dirBytes returns the size of the files in a directory and below it. Files that
// go away meanwhile are not counted; without a directory it is 0.
func dirBytes(dir string) int64 {
	if dir == "" {
		return 0
	}
	total := int64(0)
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}
