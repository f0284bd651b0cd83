package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/quorate/quorate/internal/mutant"
)

// settleEpochs saves what the epochs file must say before anything else happens:
// that the directory was empty, that this server is unsure because of a cut, or an
// epoch that only the log knows.
func (s *Store) settleEpochs(l listing, h history, fresh bool) error {
	var e Epochs
	if l.epochs != nil {
		e = *l.epochs
	}
	saved := e
	if fresh {
		e.Unsure = !(s.cfg.Initialize || l.initialize || mutant.On(mutant.M25))
	}
	if h.cut != nil && !(h.cut.Unfinished && s.cfg.TrustUnfinished) && !mutant.On(mutant.M39) {
		e.Unsure = true
	}
	// A transaction of an epoch is in a log without gaps only behind that
	// epoch's whole initial history, so it proves what a crash kept the file
	// from saying.
	e.Current = max(e.Current, h.shape.Last().Zxid.Epoch())
	e.Accepted = max(e.Accepted, e.Current)
	s.epochs = e
	if fresh || e != saved {
		if err := s.writeEpochs(e); err != nil {
			return err
		}
	}
	if l.initialize {
		name := filepath.Join(s.cfg.Dir, initializeName)
		if err := s.removeDurably(name, s.cfg.Dir); err != nil {
			return explain("remove", name, err)
		}
	}
	return nil
}

// settleFiles removes what is left over, cuts the tail, and makes everything
// that recovery read durable: it may have come from the page cache alone.
func (s *Store) settleFiles(l listing, h history) error {
	for _, name := range append(l.leftovers, h.obsolete...) {
		if err := s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what is left over: %w", err)
		}
	}
	if n := len(h.segments); n > 0 {
		if err := s.settleSegment(h, h.segments[n-1]); err != nil {
			return explain("settle", h.segments[n-1].name, err)
		}
	}
	return s.syncDirs()
}

// settleSegment opens the last segment to append to it. Its tail, from what it
// knows to have been durable, is written once more: after a sync that failed in an
// earlier process the kernel may hold it as clean though the disk never got it.
func (s *Store) settleSegment(h history, seg segment) (err error) {
	f, err := s.fs.Open(seg.name)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if h.cut != nil {
		s.log.Warn("cutting off the damaged end of the log", "file", h.cut.File, "offset", h.cut.Offset,
			"bytes", h.cut.Bytes, "reason", h.cut.Reason, "unfinished", h.cut.Unfinished)
		if err = f.Truncate(h.cut.Offset); err != nil {
			return err
		}
	}
	if err = copyRange(f, f, h.durable, seg.end); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	s.active = &activeFile{file: f, size: size, durable: seg.end}
	return nil
}
