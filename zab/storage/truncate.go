package storage

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/zab"
)

// Truncate cuts the history behind to, durably: what comes back after a crash
// during it is the old history or a part of it that still reaches to. It refuses
// to go below the newest snapshot (ErrBelowSnapshot: the server then needs a
// snapshot of the leader), and a position that is not in the log.
func (s *Store) Truncate(to zab.Position) error {
	s.work <- struct{}{}
	defer func() { <-s.work }()
	s.mu.Lock()
	err, shape, segments := s.err, s.shape.Clone(), s.segments
	var newest zab.Position
	if n := len(s.snapshots); n > 0 {
		newest = s.snapshots[n-1]
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if to.Zxid < newest.Zxid {
		return fmt.Errorf("truncate to %s: %w (%s)", to.Zxid, ErrBelowSnapshot, newest.Zxid)
	}
	if err := s.checkPosition(to); err != nil {
		return fmt.Errorf("truncate: %w", err)
	}
	if to == shape.Last() {
		return s.Sync()
	}
	if mutant.On(mutant.M10) && slices.ContainsFunc(segments, func(seg segment) bool { return seg.last == to }) {
		if p, err := s.position(view{shape: shape, segments: segments}, to.Zxid-1); err == nil && p.Zxid == to.Zxid-1 {
			to = p
		}
	}
	keep := 1 // at least, if empty: it is what says that the log begins at its base
	for keep < len(segments) && segments[keep].head.first <= to.Zxid {
		keep++
	}
	// With the mutex free a reader may see a file that is already cut; it then
	// finds the new version and looks again.
	s.changed(func() {
		s.shape = shape.Truncate(to)
		s.window.truncate(to)
	})
	if err := s.dropSegments(keep); err != nil {
		return s.fail(fmt.Errorf("truncate to %s: %w", to.Zxid, err))
	}
	if err := s.cutSegment(to); err != nil && !mutant.On(mutant.M23) {
		return s.fail(fmt.Errorf("truncate to %s: %w", to.Zxid, err))
	}
	notify(s.hooks.Truncate, to)
	return nil
}

// changed makes a change that may invalidate what readers have looked up.
func (s *Store) changed(change func()) {
	s.mu.Lock()
	s.version++
	change()
	s.mu.Unlock()
}

// dropSegments removes the log files behind the first keep, newest first, each
// for good before the next: never is there a gap.
func (s *Store) dropSegments(keep int) error {
	s.mu.Lock()
	drop := s.segments[keep:]
	s.mu.Unlock()
	for i := len(drop) - 1; i >= 0; i-- {
		if i == len(drop)-1 {
			if err := s.closeActive(); err != nil {
				return err
			}
		}
		s.changed(func() { s.segments = s.segments[: keep+i : keep+i] })
		if err := s.removeDurably(drop[i].name, s.cfg.LogDir); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) removeDurably(name, dir string) error {
	if err := s.fs.Remove(name); err != nil {
		return err
	}
	return s.fs.SyncDir(dir)
}

// closeActive closes the active file, if there is one, without making anything
// durable.
func (s *Store) closeActive() error {
	s.syncing <- struct{}{}
	defer func() { <-s.syncing }()
	s.mu.Lock()
	a := s.active
	s.active = nil
	s.mu.Unlock()
	if a == nil {
		return nil
	}
	return a.file.Close()
}

// cutSegment cuts the last segment behind to, which lies in it. Where to is the
// last of its batch the file is cut; otherwise a copy with a shorter batch at its
// end takes its place.
func (s *Store) cutSegment(to zab.Position) error {
	s.mu.Lock()
	seg, a := s.segments[len(s.segments)-1], s.active
	s.mu.Unlock()
	old := a
	if seg.last == to {
		return s.reopen(seg, a)
	}
	file, err := s.fs.Open(seg.name)
	if err != nil {
		return err
	}
	offset, kept, hint, err := findCut(seg, file, to)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if err = s.closeActive(); err != nil {
		return errors.Join(err, file.Close())
	}
	cut := seg
	cut.trim(offset)
	cut.end, cut.last = offset, to
	if len(kept) == 0 {
		a, err = shorten(file, offset)
	} else {
		batch := appendBatch(nil, offset, seg.head.salt(), kept, hint.committed, hint.durable)
		cut.add(kept[0].Zxid, to, int64(len(batch)))
		a, err = s.createSegment(cut, func(f File) error {
			if err := copyRange(f, file, segmentHeaderBytes, offset); err != nil {
				return err
			}
			_, err := f.WriteAt(batch, offset)
			return err
		})
		// It was only read: how closing it ends says nothing of the copy.
		_ = file.Close()
	}
	if err != nil {
		return err
	}
	if mutant.On(mutant.M08) && old != nil {
		a.durable = old.durable
	}
	s.changed(func() {
		s.segments = append(s.segments[:len(s.segments)-1:len(s.segments)-1], cut)
		s.active = a
	})
	return nil
}

// shorten cuts a file at offset, durably, and takes it over: if that fails, it is
// closed.
func shorten(file File, offset int64) (*activeFile, error) {
	err := file.Truncate(offset)
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &activeFile{file: file, size: offset, durable: offset}, nil
}

// reopen makes a segment that stays whole the active one again, durable.
func (s *Store) reopen(seg segment, a *activeFile) error {
	if a == nil {
		file, err := s.fs.Open(seg.name)
		if err != nil {
			return err
		}
		size, err := file.Size()
		if err != nil {
			return errors.Join(err, file.Close())
		}
		a = &activeFile{file: file, size: size, durable: seg.end}
		s.changed(func() { s.active = a })
	}
	return s.syncFile(a)
}

// findCut finds where seg is to be cut: the offset of the first batch that does
// not stay as it is, and what stays of its transactions.
func findCut(seg segment, file File, to zab.Position) (int64, []zab.Txn, batchHeader, error) {
	if to == seg.head.prev {
		return segmentHeaderBytes, nil, batchHeader{}, nil
	}
	b := newBlocks(file, seg.end, snapshotBufferBytes)
	for off := seg.seek(to.Zxid); off < seg.end; {
		h, body, reason, err := b.batchAt(off, seg.head.salt())
		if err == nil && reason != nil {
			err = &Damage{File: seg.name, Offset: off, Reason: reason.Error()}
		}
		if err != nil {
			return 0, nil, h, err
		}
		var kept []zab.Txn
		last := zab.Position{}
		if err := eachRecord(h, body, func(t zab.Txn) error {
			last = zab.Position{Zxid: t.Zxid, Chain: t.Chain}
			if t.Zxid <= to.Zxid {
				kept = append(kept, t)
			}
			return nil
		}); err != nil {
			return 0, nil, h, &Damage{File: seg.name, Offset: off, Reason: err.Error()}
		}
		switch {
		case last == to:
			return off + h.frameBytes(), nil, h, nil
		case last.Zxid > to.Zxid:
			return off, kept, h, nil
		}
		off += h.frameBytes()
	}
	return 0, nil, batchHeader{}, fmt.Errorf("%w: %s is not in %s", ErrUnknownPosition, to.Zxid, seg.name)
}

// copyRange copies the bytes from start to end to the same place.
func copyRange(dst io.WriterAt, src io.ReaderAt, start, end int64) error {
	_, err := io.CopyBuffer(io.NewOffsetWriter(dst, start), struct{ io.Reader }{io.NewSectionReader(src, start, end-start)},
		make([]byte, snapshotBufferBytes))
	return err
}
