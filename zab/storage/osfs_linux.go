package storage

import (
	"errors"
	"os"
	"syscall"
)

// syncData is fdatasync: content, and of the metadata what reading it back
// needs, the size included.
func syncData(f *os.File) error {
	return control(f, func(fd int) error {
		for {
			// An interrupted call has promised nothing yet; it is no failed sync.
			if err := syscall.Fdatasync(fd); err != syscall.EINTR {
				return os.NewSyscallError("fdatasync", err)
			}
		}
	})
}

// allocate is fallocate. It reports false where the file system has none.
func allocate(f *os.File, offset, size int64) (bool, error) {
	err := control(f, func(fd int) error {
		for {
			if err := syscall.Fallocate(fd, 0, offset, size); err != syscall.EINTR {
				return os.NewSyscallError("fallocate", err)
			}
		}
	})
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return false, nil
	}
	return err == nil, err
}

func control(f *os.File, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := conn.Control(func(fd uintptr) { result = call(int(fd)) }); err != nil {
		return err
	}
	return result
}
