//go:build !linux

package cluster

import "syscall"

func DieWithParent() *syscall.SysProcAttr { return nil }
