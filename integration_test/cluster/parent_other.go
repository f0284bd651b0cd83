//go:build unix && !linux

package cluster

import "syscall"

// DieWithParent cannot do here what it does on Linux. The child may have a
// process group of its own.
func DieWithParent(ownGroup bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: ownGroup}
}
