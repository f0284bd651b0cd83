package storage

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// listing is what lies in the directories, with the headers read.
type listing struct {
	epochs     *Epochs // nil if there is no such file
	initialize bool
	segments   []segment // by first zxid; only name and head are set
	snapshots  []foundSnapshot
	broken     []foundSnapshot // with the reason
	leftovers  []string        // temporary files
}

type foundSnapshot struct {
	name   string
	head   snapshotHead
	reason error
}

// history is the one generation that counts, as recovered; nothing on disk has
// been changed for it.
type history struct {
	generation uint64
	base       zab.Position
	segments   []segment
	shape      zab.Shape
	committed  ensemble.Zxid
	durable    int64 // what the last segment says of itself
	cut        *Cut
	snapshots  []zab.Position // usable, ascending
	skipped    []foundSnapshot
	obsolete   []string // files of no use any more
}

func (s *Store) remedy() string {
	dirs := strings.Join(s.dirs(), " and ")
	return "if the disk is sound, move " + dirs + " away and start the server with an empty directory: it takes everything from the leader, and does not vote before"
}

func (s *Store) damage(file string, offset int64, format string, args ...any) error {
	return &Damage{File: file, Offset: offset, Reason: fmt.Sprintf(format, args...), Remedy: s.remedy()}
}

// withRemedy completes a Damage from a decoder.
func (s *Store) withRemedy(err error) error {
	var d *Damage
	if errors.As(err, &d) && d.Remedy == "" {
		d.Remedy = s.remedy()
	}
	return err
}

// recover finds out what is on disk, then tidies up, in this order: nothing is
// changed before it is certain that the store can be opened.
func (s *Store) recover() (Recovery, error) {
	l, err := s.list()
	if err != nil {
		return Recovery{}, s.withRemedy(err)
	}
	data := len(l.segments)+len(l.snapshots)+len(l.broken) > 0
	if l.epochs == nil && data {
		return Recovery{}, s.damage(filepath.Join(s.cfg.Dir, epochsName), -1,
			"the epochs file is missing, but log or snapshots are there; without it this server could break a promise it made")
	}
	h, err := s.findHistory(l)
	if err != nil {
		return Recovery{}, s.withRemedy(err)
	}
	rec := Recovery{Fresh: !data && l.epochs == nil, Committed: h.committed, Cut: h.cut, Shape: h.shape.Clone()}
	for _, b := range h.skipped {
		rec.Skipped = append(rec.Skipped, b.reason)
		s.log.Warn("snapshot cannot be used; an older one will do", "file", b.name, "err", b.reason)
	}
	if n := len(h.snapshots); n > 0 {
		rec.Snapshot = h.snapshots[n-1]
	}
	if err := s.settleEpochs(l, h, rec.Fresh); err != nil {
		return Recovery{}, err
	}
	if err := s.settleFiles(l, h); err != nil {
		return Recovery{}, err
	}
	s.generation, s.segments, s.shape, s.snapshots = h.generation, h.segments, h.shape, h.snapshots
	for _, b := range h.skipped {
		s.suspects = append(s.suspects, b.name)
	}
	s.window.reset(s.shape.Last())
	rec.Epochs = s.epochs
	return rec, nil
}

// list reads the directories and the headers of our files.
func (s *Store) list() (listing, error) {
	var l listing
	for i, dir := range s.dirs() {
		names, err := s.fs.List(dir)
		if err != nil {
			return l, fmt.Errorf("list directory: %w", err)
		}
		for _, base := range names {
			if err := s.sort(&l, dir, base, i == 0, i == len(s.dirs())-1); err != nil {
				return l, err
			}
		}
	}
	slices.SortFunc(l.segments, func(a, b segment) int { return cmp.Compare(a.head.first, b.head.first) })
	byZxid := func(a, b foundSnapshot) int { return cmp.Compare(a.head.at.Zxid, b.head.at.Zxid) }
	slices.SortFunc(l.snapshots, byZxid)
	return l, nil
}

// sort puts one file where it belongs in the listing.
func (s *Store) sort(l *listing, dir, base string, isDir, isLogDir bool) error {
	name := filepath.Join(dir, base)
	stem, temporary := strings.CutSuffix(base, temporarySuffix)
	logZxid, isLog := parseFileName(segmentPrefix, stem)
	snapZxid, isSnap := parseFileName(snapshotPrefix, stem)
	switch {
	case temporary && (isLog || isSnap || stem == epochsName):
		l.leftovers = append(l.leftovers, name)
	case temporary:
	case isLog && !isLogDir, isSnap && !isDir:
		return &Damage{File: name, Offset: -1, Reason: "the file lies in the wrong directory",
			Remedy: "move it to the other one of " + s.cfg.Dir + " (snapshots) and " + s.cfg.LogDir + " (log), or correct the configuration"}
	case isLog:
		head, err := s.readSegmentHead(name)
		if err != nil {
			return err
		}
		if head.first != logZxid {
			return s.damage(name, 0, "the header says that the log begins with %s, the name says otherwise", head.first)
		}
		l.segments = append(l.segments, newSegment(name, head))
	case isSnap:
		head, err := s.readSnapshotHead(name)
		if err == nil && head.at.Zxid != snapZxid {
			err = s.damage(name, 0, "the header says that the snapshot is of %s, the name says otherwise", head.at.Zxid)
		}
		found := foundSnapshot{name: name, head: head, reason: err}
		if errors.Is(err, ErrDamaged) {
			l.broken = append(l.broken, found)
		} else if err != nil {
			return err
		} else {
			l.snapshots = append(l.snapshots, found)
		}
	case base == epochsName && isDir:
		e, err := s.readEpochs(name)
		l.epochs = &e
		return err
	case base == initializeName && isDir:
		l.initialize = true
	case foreignName(base):
		return &Damage{File: name, Offset: -1, Reason: "this looks like data of Apache ZooKeeper, which this server cannot read",
			Remedy: "name another directory"}
	}
	return nil
}

// foreignName reports whether ZooKeeper names its logs and snapshots so.
func foreignName(base string) bool {
	for _, prefix := range []string{segmentPrefix, snapshotPrefix} {
		digits, ok := strings.CutPrefix(base, prefix)
		if ok && digits != "" && len(digits) < 16 && strings.Trim(digits, "0123456789abcdef") == "" {
			return true
		}
	}
	return false
}

// findHistory takes the highest generation. An older one counts only where the
// higher consists of nothing but a damaged snapshot: then the Install that was to
// begin it never returned, and the older history is still whole.
func (s *Store) findHistory(l listing) (history, error) {
	generations := map[uint64]bool{}
	for _, seg := range l.segments {
		generations[seg.head.generation] = true
	}
	for _, snap := range l.snapshots {
		generations[snap.head.generation] = true
	}
	var order []uint64
	for g := range generations {
		order = append(order, g)
	}
	slices.Sort(order)
	slices.Reverse(order)
	var skipped []foundSnapshot
	for i, g := range order {
		h, err := s.readHistory(l, g)
		if err != nil {
			return h, err
		}
		unusable := len(h.segments) == 0 && len(h.snapshots) == 0
		if unusable && i+1 < len(order) {
			skipped = append(skipped, h.skipped...)
			continue
		}
		if unusable {
			return h, h.skipped[len(h.skipped)-1].reason
		}
		h.skipped = append(append(skipped, h.skipped...), l.broken...)
		h.obsolete = append(h.obsolete, otherGenerations(l, g, h.skipped)...)
		return h, nil
	}
	if len(l.broken) > 0 {
		return history{}, l.broken[len(l.broken)-1].reason
	}
	return history{}, nil
}

// otherGenerations returns the files that an Install replaced. Snapshots found
// damaged are left for Purge.
func otherGenerations(l listing, g uint64, skipped []foundSnapshot) []string {
	var names []string
	for _, seg := range l.segments {
		if seg.head.generation != g {
			names = append(names, seg.name)
		}
	}
	for _, snap := range l.snapshots {
		known := slices.ContainsFunc(skipped, func(f foundSnapshot) bool { return f.name == snap.name })
		if snap.head.generation != g && !known {
			names = append(names, snap.name)
		}
	}
	return names
}

// readHistory reads and checks all of one generation.
func (s *Store) readHistory(l listing, g uint64) (history, error) {
	h := history{generation: g}
	for _, seg := range l.segments {
		if seg.head.generation == g {
			h.segments = append(h.segments, seg)
		}
	}
	var snapshots []foundSnapshot
	for _, snap := range l.snapshots {
		if snap.head.generation == g {
			snapshots = append(snapshots, snap)
		}
	}
	if err := s.dropEmpty(&h); err != nil {
		return h, err
	}
	if len(h.segments) == 0 {
		if n := len(snapshots); n > 1 || g == 0 && snapshots[0].head.at != (zab.Position{}) {
			return h, s.damage(filepath.Join(s.cfg.LogDir, segmentPrefix+"*"), -1,
				"there are snapshots, the newest of %s, but no log that belongs to them", snapshots[n-1].head.at.Zxid)
		}
		h.base = snapshots[0].head.at
	} else {
		h.base = h.segments[0].head.prev
	}
	h.shape.Base = h.base
	chains, err := s.readLog(&h, snapshots)
	if err != nil {
		return h, err
	}
	if err := s.chooseSnapshots(&h, snapshots, chains); err != nil {
		return h, err
	}
	return h, nil
}

// dropEmpty sets aside segments without a batch, as long as another is left: one
// is created before the empty one it replaces is removed.
func (s *Store) dropEmpty(h *history) error {
	for i := len(h.segments) - 1; i >= 0 && len(h.segments) > 1; i-- {
		name := h.segments[i].name
		empty, err := s.isEmpty(h.segments[i])
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if empty {
			h.obsolete = append(h.obsolete, name)
			h.segments = slices.Delete(h.segments, i, i+1)
		}
	}
	return nil
}

// isEmpty reports whether there is nothing behind the header.
func (s *Store) isEmpty(seg segment) (empty bool, err error) {
	b, err := s.readHead(seg.name, segmentHeaderBytes+batchHeaderBytes)
	if err != nil {
		return false, err
	}
	if b = b[segmentHeaderBytes:]; strings.Trim(string(b), "\x00") != "" {
		return false, nil
	}
	f, err := s.fs.Open(seg.name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return false, err
	}
	t, err := readTail(seg.head, newBlocks(f, size, 1<<20), segmentHeaderBytes, seg.head.prev.Zxid)
	return t.clean || size == segmentHeaderBytes, err
}

// readLog scans the segments and returns the chains at the snapshots' positions.
func (s *Store) readLog(h *history, snapshots []foundSnapshot) (map[ensemble.Zxid]uint64, error) {
	chains := map[ensemble.Zxid]uint64{}
	for _, snap := range snapshots {
		if snap.head.at.Zxid == h.base.Zxid {
			chains[h.base.Zxid] = h.base.Chain
		}
	}
	wanted := map[ensemble.Zxid]bool{}
	for _, snap := range snapshots {
		wanted[snap.head.at.Zxid] = true
	}
	visit := func(t zab.Txn) {
		h.shape = h.shape.Append(t)
		if wanted[t.Zxid] {
			chains[t.Zxid] = t.Chain
		}
	}
	for i := range h.segments {
		seg := &h.segments[i]
		if last := h.shape.Last(); seg.head.prev != last {
			return nil, s.damage(seg.name, 0, "this log continues a history up to %s (chain %#x), but the log before it ends at %s (chain %#x): a log file is missing or not of this server",
				seg.head.prev.Zxid, seg.head.prev.Chain, last.Zxid, last.Chain)
		}
		if err := s.readSegment(h, seg, i == len(h.segments)-1, visit); err != nil {
			return nil, err
		}
	}
	return chains, nil
}

func (s *Store) readSegment(h *history, seg *segment, newest bool, visit func(zab.Txn)) (err error) {
	f, err := s.fs.Open(seg.name)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	b := newBlocks(f, size, 1<<20)
	found, err := scanSegment(seg.name, seg.head, b, visit)
	if err != nil {
		return err
	}
	*seg = found.segment
	h.committed = max(h.committed, found.committed)
	h.durable = found.durable
	if found.stopped == nil {
		return nil
	}
	if !newest {
		return s.damage(seg.name, found.end, "%v, and this is not the newest log file", found.stopped)
	}
	t, err := readTail(seg.head, b, found.end, seg.last.Zxid)
	if err != nil {
		return fmt.Errorf("read %s: %w", seg.name, err)
	}
	switch {
	case t.clean:
	case t.witness > 0:
		return s.damage(seg.name, found.end, "%v; the batch at offset %d proves that this was complete on disk once", found.stopped, t.witness)
	default:
		h.cut = &Cut{File: seg.name, Offset: found.end, Bytes: size - found.end, Reason: found.stopped.Error(), Unfinished: t.unfinished}
	}
	return nil
}

// chooseSnapshots finds the newest snapshot whose content is whole. Older ones
// are trusted until they are needed.
func (s *Store) chooseSnapshots(h *history, snapshots []foundSnapshot, chains map[ensemble.Zxid]uint64) error {
	last := h.shape.Last()
	for _, snap := range slices.Backward(snapshots) {
		at := snap.head.at
		chain, known := chains[at.Zxid]
		switch {
		case at.Zxid < h.base.Zxid:
			h.obsolete = append(h.obsolete, snap.name)
			continue
		case at.Zxid > last.Zxid && h.cut != nil:
			return s.damage(h.cut.File, h.cut.Offset, "%s, and the snapshot %s lies behind it", h.cut.Reason, snap.name)
		case at.Zxid > last.Zxid:
			return s.damage(snap.name, -1, "the snapshot lies behind the end of the log, %s: a log file is missing", last.Zxid)
		case !known || chain != at.Chain:
			return s.damage(snap.name, 0, "the snapshot is of a history that is not the one in the log: at %s its chain is %#x, the log's %#x", at.Zxid, at.Chain, chain)
		}
		if len(h.snapshots) == 0 {
			if err := s.verifySnapshot(snap); errors.Is(err, ErrDamaged) {
				snap.reason = s.withRemedy(err)
				h.skipped = append(h.skipped, snap)
				continue
			} else if err != nil {
				return err
			}
		}
		h.snapshots = append(h.snapshots, at)
	}
	slices.Reverse(h.snapshots)
	if n := len(h.snapshots); n > 0 {
		h.committed = max(h.committed, h.snapshots[n-1].Zxid)
	} else if h.base != (zab.Position{}) && len(h.segments) > 0 {
		reason := "there is none at all"
		if n := len(h.skipped); n > 0 {
			reason = h.skipped[n-1].reason.Error()
		}
		return s.damage(h.segments[0].name, -1, "there is no usable snapshot for the log, which begins behind %s (%s)", h.base.Zxid, reason)
	}
	h.committed = min(h.committed, last.Zxid)
	return nil
}

// verifySnapshot reads a snapshot to its end.
func (s *Store) verifySnapshot(snap foundSnapshot) (err error) {
	f, err := s.fs.Open(snap.name)
	if err != nil {
		return fmt.Errorf("open snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return fmt.Errorf("open snapshot: %w", err)
	}
	_, r, err := openSnapshotContent(snap.name, f, size)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, snapshotBufferBytes))
	return err
}
