package storage

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/zab"
)

// writeBytesMax bounds one write, and so the buffer that Append keeps.
const writeBytesMax = 4 << 20

// Append writes txns behind the end of the log, in one write unless they are
// more than 4 MiB, with committed as a hint for the next recovery. They can be
// read at once and are durable after the next Sync. Each must follow the one
// before it in zxid and chain, or nothing is written and the error matches
// ErrNotNext. The store keeps txns and their Data for a while; nobody may write
// to them.
//
// A disk too full to extend the log is an error that leaves the store working:
// Append may be tried again with what is missing at the end of Shape, since of
// very many txns some may have been written. Any other failed write makes the
// store fail.
func (s *Store) Append(txns []zab.Txn, committed ensemble.Zxid) error {
	s.mu.Lock()
	err, last := s.err, s.shape.Last()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	end := last
	for _, t := range txns {
		if len(t.Data) > TxnBytesMax {
			return fmt.Errorf("append %s: %w: %d bytes, at most %d", t.Zxid, ErrTooLarge, len(t.Data), TxnBytesMax)
		}
		follows := t.Zxid.Follows(end.Zxid) && zab.NextChain(end.Chain, t.Zxid, t.Origin, t.Data) == t.Chain
		if !follows && !mutant.On(mutant.M11) {
			return fmt.Errorf("append: %w", notNext(end, t))
		}
		end = zab.Position{Zxid: t.Zxid, Chain: t.Chain}
	}
	for len(txns) > 0 {
		n, err := s.appendSome(txns, committed)
		if err != nil {
			return err
		}
		txns = txns[n:]
	}
	return nil
}

// pending is a batch in the buffer.
type pending struct {
	first ensemble.Zxid
	last  zab.Position
	bytes int64
}

// appendSome writes as many batches of txns as go into one write, and returns
// how many txns that were.
func (s *Store) appendSome(txns []zab.Txn, committed ensemble.Zxid) (int, error) {
	a, seg, err := s.lastSegment(txns[0].Zxid)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	durable := a.durable
	s.mu.Unlock()
	if cap(s.buf) > 2*writeBytesMax {
		s.buf = nil
	}
	s.buf = s.buf[:0]
	var batches []pending
	done := 0
	for done < len(txns) && len(s.buf) < writeBytesMax && seg.end+int64(len(s.buf)) < s.cfg.SegmentBytes || done == 0 {
		n := splitBatch(txns[done:])
		batch := txns[done : done+n]
		before := len(s.buf)
		s.buf = appendBatch(s.buf, seg.end+int64(before), seg.head.salt(), batch, committed, durable)
		t := batch[n-1]
		batches = append(batches, pending{batch[0].Zxid, zab.Position{Zxid: t.Zxid, Chain: t.Chain}, int64(len(s.buf) - before)})
		done += n
	}
	if err := s.reserve(a, seg, seg.end+int64(len(s.buf))); err != nil {
		return 0, err
	}
	if _, err := a.file.WriteAt(s.buf, seg.end); err != nil && !mutant.On(mutant.M23) {
		return 0, s.fail(explain("append to", seg.name, err))
	}
	s.mu.Lock()
	from := s.shape.Last()
	current := &s.segments[len(s.segments)-1]
	for _, b := range batches {
		current.add(b.first, b.last, b.bytes)
	}
	for _, t := range txns[:done] {
		s.shape = s.shape.Append(t)
	}
	s.window.add(txns[:done])
	to := s.shape.Last()
	s.mu.Unlock()
	s.trace.appended(from, to, len(s.buf))
	return done, nil
}

// reserve extends the segment so that it has room up to end. The new size is
// durable before anything is written there: so a write never ends behind the end
// of the file after a crash, and a later sync has only data to write.
func (s *Store) reserve(a *activeFile, seg segment, end int64) error {
	if end <= a.size {
		return nil
	}
	step := min(allocateBytesMax, max(s.cfg.SegmentBytes/16, segmentBytesMin))
	size := (end + step - 1) / step * step
	if err := a.file.Allocate(size); err != nil && !mutant.On(mutant.M23) {
		return explain("extend", seg.name, err)
	}
	if err := s.syncFile(a); err != nil {
		return err
	}
	a.size = size
	return nil
}

// lastSegment returns the segment to append to, a new one named by first if the
// last is full, or there is none, or it is empty and of another name: what it was
// made for has been lost in a crash or truncated.
func (s *Store) lastSegment(first ensemble.Zxid) (*activeFile, segment, error) {
	s.mu.Lock()
	a, last, generation := s.active, s.shape.Last(), s.generation
	var seg segment
	if len(s.segments) > 0 {
		seg = s.segments[len(s.segments)-1]
	}
	s.mu.Unlock()
	empty := len(seg.name) > 0 && seg.end == segmentHeaderBytes
	if a != nil && seg.end < s.cfg.SegmentBytes && !(empty && seg.head.first != first) {
		return a, seg, nil
	}
	if a != nil && !empty {
		if err := s.finishSegment(a, seg); err != nil {
			return nil, segment{}, err
		}
	}
	name := filepath.Join(s.cfg.LogDir, fileName(segmentPrefix, first))
	fresh := newSegment(name, segmentHead{generation: generation, first: first, prev: last})
	a, err := s.createSegment(fresh, nil)
	if err != nil {
		return nil, segment{}, err
	}
	if empty {
		// Now that there is another, the empty one may go, and not before: a log
		// without any file would look like a lost one.
		if err := s.closeActive(); err != nil {
			return nil, segment{}, s.fail(explain("close", seg.name, err))
		}
	}
	s.changed(func() {
		n := len(s.segments)
		if empty {
			n--
		}
		s.segments = append(s.segments[:n:n], fresh)
		s.active = a
	})
	if empty && seg.name != name {
		if err := s.removeDurably(seg.name, s.cfg.LogDir); err != nil {
			return nil, segment{}, s.fail(explain("remove", seg.name, err))
		}
	}
	notify(s.hooks.Segment, name)
	return a, fresh, nil
}

// finishSegment makes the active segment one of the finished: cut to its content
// and durable, so that damage in it later is never taken for a torn write.
func (s *Store) finishSegment(a *activeFile, seg segment) error {
	if err := a.file.Truncate(seg.end); err != nil {
		return s.fail(explain("finish", seg.name, err))
	}
	a.size = seg.end
	if err := s.syncFile(a); err != nil {
		return err
	}
	s.syncing <- struct{}{}
	s.mu.Lock()
	s.active = nil
	s.mu.Unlock()
	err := a.file.Close()
	<-s.syncing
	if err != nil {
		return s.fail(explain("close", seg.name, err))
	}
	return nil
}

// createSegment makes the file of a segment whose batches fill has to write (nil
// for none), under a temporary name until header and size are durable.
func (s *Store) createSegment(seg segment, fill func(File) error) (*activeFile, error) {
	temporary := seg.name + temporarySuffix
	f, err := s.recreate(temporary)
	if err != nil {
		return nil, explain("create", seg.name, err)
	}
	step := min(allocateBytesMax, max(s.cfg.SegmentBytes/16, segmentBytesMin))
	a := &activeFile{file: f, size: (seg.end + step) / step * step, durable: seg.end}
	if err = f.Allocate(a.size); err == nil {
		_, err = f.WriteAt(seg.head.encode(), 0)
	}
	if err == nil && fill != nil {
		err = fill(f)
	}
	if err == nil {
		// A failed sync here concerns a file that nothing relies on yet.
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close()
		_ = s.fs.Remove(temporary)
		return nil, explain("create", seg.name, err)
	}
	if err := s.publish(temporary, seg.name); err != nil {
		_ = f.Close()
		return nil, err
	}
	return a, nil
}

// Sync makes everything appended so far durable (fdatasync on Linux). A sync that
// fails makes the store fail for good: the kernel may have dropped the data while
// a second try would succeed.
func (s *Store) Sync() error {
	s.mu.Lock()
	err, a := s.err, s.active
	if a != nil && a.durable == s.segments[len(s.segments)-1].end {
		a = nil
	}
	s.mu.Unlock()
	if err != nil || a == nil {
		return err
	}
	return s.syncFile(a)
}

// syncFile syncs a, unless that is no longer the active file: then it was
// finished meanwhile and is durable.
func (s *Store) syncFile(a *activeFile) error {
	s.syncing <- struct{}{}
	defer func() { <-s.syncing }()
	s.mu.Lock()
	err, gone := s.err, s.active != a
	var end int64
	var upTo zab.Position
	if !gone {
		end, upTo = s.segments[len(s.segments)-1].end, s.shape.Last()
	}
	s.mu.Unlock()
	if err != nil || gone {
		return err
	}
	start := time.Now()
	err = a.file.Sync()
	if err != nil && mutant.On(mutant.M24) {
		err = a.file.Sync()
	}
	took := time.Since(start)
	if err != nil {
		err = s.fail(explain("sync the log in", s.cfg.LogDir, err))
	} else {
		s.mu.Lock()
		a.durable = max(a.durable, end)
		s.mu.Unlock()
	}
	s.trace.synced(upTo, took, err)
	if took > slowSync {
		s.log.Warn("slow sync of the log; the disk limits every write", "dir", s.cfg.LogDir, "took", took)
	}
	return err
}
