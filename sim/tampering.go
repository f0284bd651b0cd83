package sim

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab/storage"
)

// This file has what scripts do to disks.

// operations are those of a disk that a script can make fail.
var operations = []storage.OpKind{
	storage.OpCreate, storage.OpOpen, storage.OpRename, storage.OpRemove, storage.OpSyncDir, storage.OpRead,
	storage.OpWrite, storage.OpAllocate, storage.OpTruncate, storage.OpSync,
}

// disk carries out disk N ….
func (s *stage) disk(words []string) error {
	id, err := s.server(words[0])
	if err != nil {
		return err
	}
	h := s.w.host(id)
	if len(words) > 2 && words[1] != "fails" && words[1] != "dies" {
		return fmt.Errorf("want: %s", verbs["disk"].usage)
	}
	switch words[1] {
	case "stuck":
		h.stuck = true
	case "unsynced":
		h.unsynced = true
	case "full":
		h.fill(0)
	case "ok":
		h.stuck, h.unsynced = false, false
		h.makeRoom()
	case "fails":
		return h.failAt(words[2:])
	case "dies":
		return h.dieAt(words[2:])
	default:
		return fmt.Errorf("want: %s", verbs["disk"].usage)
	}
	return nil
}

// moment is an operation of a disk that has not happened yet.
type moment struct {
	kind storage.OpKind
	file string
	nth  int
}

// parseMoment reads OPERATION [FILE] [nth K].
func parseMoment(words []string) (m moment, err error) {
	m.nth = 1
	if n := len(words); n >= 2 && words[n-2] == "nth" {
		if m.nth, err = strconv.Atoi(words[n-1]); err != nil {
			return m, err
		}
		words = words[:n-2]
	}
	if len(words) == 2 {
		m.file, words = words[1], words[:1]
	}
	if len(words) != 1 || !slices.Contains(operations, storage.OpKind(words[0])) {
		return m, fmt.Errorf("want an operation, one of %v, then perhaps a file and nth K", operations)
	}
	m.kind = storage.OpKind(words[0])
	return m, nil
}

// comes reports whether an operation is the one, and counts.
func (m *moment) comes(op storage.Op) bool {
	if op.Kind != m.kind || !strings.Contains(filepath.Base(op.Name), m.file) {
		return false
	}
	m.nth--
	return m.nth == 0
}

// failAt makes one operation fail, once, with EIO.
func (h *host) failAt(words []string) error {
	m, err := parseMoment(words)
	if err != nil {
		return err
	}
	h.faulty = true
	h.fs.SetFault(func(op storage.Op) error {
		if m.comes(op) {
			return syscall.EIO
		}
		return nil
	})
	return nil
}

// dieAt cuts the power in the middle of an operation. With kept, what was
// written before survives though nothing synced it. The server stays down.
func (h *host) dieAt(words []string) error {
	survives := func(int) int { return 0 }
	if n := len(words); n > 0 && words[n-1] == "kept" {
		survives, words = func(n int) int { return n }, words[:n-1]
	}
	m, err := parseMoment(words)
	if err != nil {
		return err
	}
	if h.proc == nil {
		return fmt.Errorf("server %d is down", h.id)
	}
	cut := &powerCut{choose: survives}
	h.cut, h.keptDown = cut, true
	h.fs.SetFault(func(op storage.Op) error {
		if cut.happened = cut.happened || m.comes(op); cut.happened {
			return errors.New("the power is off")
		}
		return nil
	})
	return nil
}

// down reads the number of a server that is down.
func (s *stage) down(word string) (*host, error) {
	id, err := s.server(word)
	if err != nil {
		return nil, err
	}
	h := s.w.host(id)
	if h.proc != nil {
		return nil, fmt.Errorf("server %d is up: nobody may change its disk behind its back; crash it first", id)
	}
	return h, nil
}

func (s *stage) empty(words []string) error {
	h, err := s.down(words[0])
	if err == nil {
		h.wipe()
	}
	return err
}

// newest finds the last file, by name, of log, snapshot or epochs.
func (h *host) newest(kind string) (string, error) {
	names, err := h.fs.List("data")
	if err != nil {
		return "", err
	}
	for _, name := range slices.Backward(names) {
		if strings.HasPrefix(name, kind) {
			return filepath.Join("data", name), nil
		}
	}
	return "", fmt.Errorf("no %s among its files, which are %v", kind, names)
}

// spoil flips a bit of the last byte that was written to a file, and is not zero.
func (s *stage) spoil(words []string) error {
	h, err := s.down(words[0])
	if err != nil {
		return err
	}
	name, err := h.newest(words[1])
	if err != nil {
		return err
	}
	f, err := h.fs.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil || size == 0 {
		return fmt.Errorf("%s is empty", name)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	at := int64(len(strings.TrimRight(string(b), "\x00")) - 1)
	if at < 0 {
		return fmt.Errorf("%s has nothing but zeros", name)
	}
	if _, err := f.WriteAt([]byte{b[at] ^ 1}, at); err != nil {
		return err
	}
	h.doubt = true
	h.mark(check.Damage, "%s at %d of %d", name, at, size)
	return f.Sync()
}

// lose removes a file.
func (s *stage) lose(words []string) error {
	h, err := s.down(words[0])
	if err != nil {
		return err
	}
	name, err := h.newest(words[1])
	if err != nil {
		return err
	}
	h.doubt = true
	h.mark(check.Damage, "%s is lost", name)
	if err := h.fs.Remove(name); err != nil {
		return err
	}
	return h.fs.SyncDir("data")
}
