package cluster

import "syscall"

// DieWithParent has the kernel kill a child whose parent has died.
func DieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
