package server

import (
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strings"
)

// What four-letter words tell of the process and not of the server.

func (s *Server) wordEnvi() string {
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	name, home := "", ""
	if u, err := user.Current(); err == nil {
		name, home = u.Username, u.HomeDir
	}
	var b strings.Builder
	b.WriteString("Environment:\n")
	for _, kv := range [][2]string{
		{"zookeeper.version", s.cfg.Version}, {"host.name", host}, {"go.version", runtime.Version()},
		{"os.name", runtime.GOOS}, {"os.arch", runtime.GOARCH},
		{"user.name", name}, {"user.home", home}, {"user.dir", dir},
	} {
		fmt.Fprintf(&b, "%s=%s\n", kv[0], kv[1])
	}
	return b.String()
}

// openFiles counts this process's file descriptors, where the system lists them.
func openFiles() (int, bool) {
	entries, err := os.ReadDir("/proc/self/fd")
	return len(entries), err == nil
}
