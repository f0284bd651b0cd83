package cluster

import "syscall"

// DieWithParent has the kernel kill a child whose parent, the thread that
// started it, has died. The child may have a process group of its own.
func DieWithParent(ownGroup bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: ownGroup}
}
