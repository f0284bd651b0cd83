package storage

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// view is what a reader looked up: it stays usable while the log grows, and
// version tells whether anything else happened to it.
type view struct {
	version  uint64
	shape    zab.Shape
	segments []segment
}

// Read returns transactions behind after, in order: as many as fit into bytesMax
// (by Txn.Bytes), and one more than fits rather than none; nothing when after is
// the end of the log. It may return fewer than there are. Recent ones come from
// memory, others from disk. The caller owns the slice; the Data may be shared and
// must not be written to. ErrCompacted means that after lies before the log's
// base, ErrUnknownPosition that it is not in the log.
//
// What Read returns need not be durable yet.
func (s *Store) Read(after ensemble.Zxid, bytesMax int) ([]zab.Txn, error) {
	for {
		s.mu.Lock()
		if err := s.err; err != nil {
			s.mu.Unlock()
			return nil, err
		}
		if !s.shape.Contains(after) {
			shape := s.shape.Clone()
			s.mu.Unlock()
			if after < shape.Base.Zxid {
				return nil, fmt.Errorf("%w: %s lies before %s", ErrCompacted, after, shape.Base.Zxid)
			}
			return nil, unknown(after, shape)
		}
		if txns, ok := s.window.read(after, bytesMax); ok {
			s.mu.Unlock()
			return txns, nil
		}
		v := s.view()
		s.mu.Unlock()
		txns, err := s.readFiles(v, after, bytesMax)
		if err != nil {
			s.settle()
		}
		if s.unchanged(v.version) {
			return txns, err
		}
	}
}

// view returns a copy of what files there are; s.mu is held.
func (s *Store) view() view {
	return view{s.version, s.shape, append([]segment(nil), s.segments...)}
}

func (s *Store) unchanged(version uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version == version
}

// settle waits for a change of files that is under way. A reader that found
// something wrong then knows whether that was why.
func (s *Store) settle() {
	s.work <- struct{}{}
	<-s.work
}

// errStop ends a walk early.
var errStop = errors.New("stop")

// readFiles reads txns behind after from the segment that holds the next one.
func (s *Store) readFiles(v view, after ensemble.Zxid, bytesMax int) ([]zab.Txn, error) {
	var txns []zab.Txn
	bytes := 0
	i := len(v.segments) - 1
	for i >= 0 && v.segments[i].head.prev.Zxid > after {
		i--
	}
	if i < 0 {
		return nil, nil
	}
	err := s.walk(v.segments[i], after, func(t zab.Txn) error {
		if t.Zxid <= after {
			return nil
		}
		if len(txns) > 0 && bytes+t.Bytes() > bytesMax {
			return errStop
		}
		bytes += t.Bytes()
		txns = append(txns, t)
		return nil
	})
	return txns, err
}

// walk calls f with transactions of seg, from z or somewhere before it on, until
// f returns an error. The data of one batch shares memory of its own.
func (s *Store) walk(seg segment, z ensemble.Zxid, f func(zab.Txn) error) (err error) {
	file, err := s.fs.Open(seg.name)
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	b := newBlocks(file, seg.end, snapshotBufferBytes)
	for off := seg.seek(z); off < seg.end; {
		h, body, reason, err := b.batchAt(off, seg.head.salt())
		if err != nil {
			return fmt.Errorf("read %s at %d: %w", seg.name, off, err)
		}
		if reason != nil {
			return &Damage{File: seg.name, Offset: off, Reason: reason.Error()}
		}
		off += h.frameBytes()
		if err := eachRecord(h, append([]byte(nil), body...), f); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return &Damage{File: seg.name, Offset: off - h.frameBytes(), Reason: err.Error()}
		}
	}
	return nil
}

// checkPosition checks that at is in the history, with that chain. The caller
// holds the work baton.
func (s *Store) checkPosition(at zab.Position) error {
	s.mu.Lock()
	v := s.view()
	v.shape = v.shape.Clone()
	have, found := s.window.position(at.Zxid)
	s.mu.Unlock()
	if !v.shape.Contains(at.Zxid) {
		return unknown(at.Zxid, v.shape)
	}
	if at.Zxid == v.shape.Base.Zxid {
		have, found = v.shape.Base, true
	}
	if !found {
		var err error
		if have, err = s.position(v, at.Zxid); err != nil {
			return err
		}
	}
	if have != at {
		return fmt.Errorf("%w: at %s its chain is %#x, not %#x", ErrUnknownPosition, at.Zxid, have.Chain, at.Chain)
	}
	return nil
}

// position reads the position at z, which the log contains, from disk.
func (s *Store) position(v view, z ensemble.Zxid) (zab.Position, error) {
	i := len(v.segments) - 1
	for i > 0 && v.segments[i].head.first > z {
		i--
	}
	if i < 0 {
		return zab.Position{}, unknown(z, v.shape)
	}
	if seg := v.segments[i]; seg.last.Zxid == z {
		return seg.last, nil
	}
	var have zab.Position
	err := s.walk(v.segments[i], z, func(t zab.Txn) error {
		if t.Zxid < z {
			return nil
		}
		have = zab.Position{Zxid: t.Zxid, Chain: t.Chain}
		return errStop
	})
	return have, err
}
