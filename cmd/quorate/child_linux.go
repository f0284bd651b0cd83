package main

import "syscall"

// childAttributes makes the kernel end a child when the thread that started it
// ends, as it does when its process is killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
