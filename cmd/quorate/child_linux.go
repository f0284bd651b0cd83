package main

import "syscall"

// childAttributes makes the kernel end a child whose parent was killed, and keeps
// the terminal's Ctrl-C from reaching it before its parent ends it.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
