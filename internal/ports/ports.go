// Package ports says why a port could not be opened, and what to look at.
package ports

import (
	"errors"
	"fmt"
	"syscall"
)

// Fault makes a sentence of a failed net.Listen: for what, and where, it was.
func Fault(what, addr string, err error) error {
	return fmt.Errorf("listen for %s on %s: %w%s", what, addr, err, hint(err))
}

func hint(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return ": is another server using the port?"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return ": is that an address of this machine?"
	case errors.Is(err, syscall.EACCES):
		return ": may this user open that port? Those below 1024 are mostly root's"
	}
	return ""
}
