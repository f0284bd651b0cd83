package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/quorate/quorate/zab"
)

// Install completes the snapshot w and makes it the whole history: log and older
// snapshots go, and Shape is the snapshot's position and nothing else. The rename
// of the snapshot is the moment: a crash before it leaves the old history whole,
// one after it the new.
func (s *Store) Install(w *SnapshotWriter) error {
	s.work <- struct{}{}
	defer func() { <-s.work }()
	s.mu.Lock()
	if s.err != nil && w.err == nil {
		w.err = s.err
	}
	generation := s.generation + 1
	s.mu.Unlock()
	if err := w.finish(generation); err != nil {
		return err
	}
	defer w.release()
	if err := s.publish(w.name, s.SnapshotName(w.at.Zxid)); err != nil {
		return err
	}
	if err := s.closeActive(); err != nil {
		return s.fail(fmt.Errorf("install snapshot: %w", err))
	}
	var old []string
	s.changed(func() {
		for _, seg := range s.segments {
			old = append(old, seg.name)
		}
		for _, at := range s.snapshots {
			if at.Zxid != w.at.Zxid {
				old = append(old, s.SnapshotName(at.Zxid))
			}
		}
		for _, name := range s.suspects {
			if name != s.SnapshotName(w.at.Zxid) {
				old = append(old, name)
			}
		}
		s.generation = generation
		s.segments, s.suspects = nil, nil
		s.snapshots = []zab.Position{w.at}
		s.shape = zab.Shape{Base: w.at}
		s.window.reset(w.at)
	})
	if err := s.removeAll(old); err != nil {
		return s.fail(fmt.Errorf("install snapshot: remove the old history: %w", err))
	}
	s.trace.install(w.at, w.bytes)
	return nil
}

// removeAll removes files in any order and syncs the directories once.
func (s *Store) removeAll(names []string) error {
	for _, name := range names {
		if err := s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return s.syncDirs()
}

func (s *Store) syncDirs() error {
	for _, dir := range s.dirs() {
		if err := s.fs.SyncDir(dir); err != nil {
			return fmt.Errorf("sync directory %s: %w", dir, err)
		}
	}
	return nil
}

// Purge removes what nobody needs: all but the newest snapshots
// (Config.SnapshotsRetained), and the log files that end before the oldest of
// these. While there are fewer snapshots, it removes nothing. It returns the base
// of the log. To be called after each Commit. An error leaves the store working
// with more files than it needs.
func (s *Store) Purge() (zab.Position, error) {
	s.work <- struct{}{}
	defer func() { <-s.work }()
	s.mu.Lock()
	err, base := s.err, s.shape.Base
	surplus := len(s.snapshots) - s.cfg.SnapshotsRetained
	var names []string
	if err == nil && surplus >= 0 {
		names, s.suspects = s.suspects, nil
		for _, at := range s.snapshots[:surplus] {
			names = append(names, s.SnapshotName(at.Zxid))
		}
		s.snapshots = s.snapshots[surplus:]
		// Removed snapshots may be what a reader was about to open.
		s.version++
	}
	var oldest zab.Position
	if surplus >= 0 && len(s.snapshots) > 0 {
		oldest = s.snapshots[0]
	}
	s.mu.Unlock()
	if err != nil || surplus < 0 {
		return base, err
	}
	for i, name := range names {
		if err := s.remove(name); err != nil {
			s.retry(names[i:])
			return base, err
		}
	}
	for {
		name := ""
		s.changed(func() {
			// The newest file stays: it is where the log goes on.
			if len(s.segments) > 1 && s.segments[0].last.Zxid <= oldest.Zxid {
				name = s.segments[0].name
				s.segments = s.segments[1:]
				s.shape = rebase(s.shape, s.segments[0].head.prev)
			}
			base = s.shape.Base
		})
		if name == "" {
			return base, nil
		}
		if err := s.remove(name); err != nil {
			s.retry([]string{name})
			return base, err
		}
	}
}

// retry leaves files to the next Purge, which removes them before any other, so
// that the log on disk never has a gap.
func (s *Store) retry(names []string) {
	s.mu.Lock()
	s.suspects = append(s.suspects, names...)
	s.mu.Unlock()
}

// remove removes one file that Purge no longer counts, durably.
func (s *Store) remove(name string) error {
	if err := s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("purge %s: %w", name, err)
	}
	if err := s.fs.SyncDir(filepath.Dir(name)); err != nil {
		return s.fail(fmt.Errorf("purge: sync directory %s: %w", filepath.Dir(name), err))
	}
	notify(s.hooks.Purge, name)
	return nil
}

// rebase returns the shape without what lies before base, which is in it.
func rebase(shape zab.Shape, base zab.Position) zab.Shape {
	out := zab.Shape{Base: base}
	for _, r := range shape.Runs {
		if r.Last <= base.Zxid {
			continue
		}
		r.First = max(r.First, base.Zxid+1)
		out.Runs = append(out.Runs, r)
	}
	return out
}
