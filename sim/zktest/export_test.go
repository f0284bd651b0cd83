package zktest

import (
	"syscall"

	"github.com/quorate/quorate/zab/storage"
)

// BreakDisk lets no sync of a server's disk in memory succeed any more.
func (e *Ensemble) BreakDisk(id int) {
	e.hosts[id-1].platter.mem.SetFault(func(op storage.Op) error {
		if op.Kind == storage.OpSync {
			return syscall.EIO
		}
		return nil
	})
}
