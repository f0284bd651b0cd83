package storage

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

const (
	snapshotMagic        = "QUORSNP\n"
	snapshotEndMagic     = "QUOREND\n"
	snapshotVersion      = 1
	snapshotHeaderBytes  = 48
	snapshotTrailerBytes = 24
	snapshotPrefix       = "snapshot."
	temporarySuffix      = ".tmp"
	snapshotBufferBytes  = 64 << 10
)

// snapshotHead is the header of a snapshot. doc.go has the layout.
type snapshotHead struct {
	generation uint64
	at         zab.Position
}

func (h snapshotHead) encode() []byte {
	b := make([]byte, 0, snapshotHeaderBytes)
	b = append(b, snapshotMagic...)
	b = binary.BigEndian.AppendUint32(b, snapshotVersion)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint64(b, h.generation)
	b = binary.BigEndian.AppendUint64(b, uint64(h.at.Zxid))
	b = binary.BigEndian.AppendUint64(b, h.at.Chain)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func parseSnapshotHead(b []byte) (snapshotHead, error) {
	var h snapshotHead
	if err := checkHead(b, snapshotHeaderBytes, snapshotMagic, snapshotVersion, "snapshot"); err != nil {
		return h, err
	}
	h.generation = binary.BigEndian.Uint64(b[16:])
	h.at.Zxid = ensemble.Zxid(binary.BigEndian.Uint64(b[24:]))
	h.at.Chain = binary.BigEndian.Uint64(b[32:])
	return h, nil
}

func snapshotTrailer(content int64, sum uint64) []byte {
	b := make([]byte, 0, snapshotTrailerBytes)
	b = binary.BigEndian.AppendUint64(b, uint64(content))
	b = binary.BigEndian.AppendUint64(b, sum)
	return append(b, snapshotEndMagic...)
}

// snapshotReader reads the content of a snapshot. Where the content should end
// it returns io.EOF only if the checksum is right, and a *Damage otherwise.
type snapshotReader struct {
	name    string
	file    io.ReaderAt
	close   func() error
	off     int64
	content int64 // bytes
	sum     xxhash.Digest
	err     error
}

// openSnapshotContent checks header and trailer of a snapshot of size bytes.
func openSnapshotContent(name string, file io.ReaderAt, size int64) (snapshotHead, *snapshotReader, error) {
	b := make([]byte, snapshotHeaderBytes)
	n, err := file.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return snapshotHead{}, nil, fmt.Errorf("read %s: %w", name, err)
	}
	head, reason := parseSnapshotHead(b[:n])
	if reason != nil {
		return head, nil, &Damage{File: name, Offset: 0, Reason: reason.Error()}
	}
	r := &snapshotReader{name: name, file: file, off: snapshotHeaderBytes, content: size - snapshotHeaderBytes - snapshotTrailerBytes}
	if r.content < 0 {
		return head, nil, &Damage{File: name, Offset: size, Reason: "the snapshot ends before its trailer"}
	}
	r.sum.Reset()
	return head, r, nil
}

// Read implements io.Reader.
func (r *snapshotReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	left := snapshotHeaderBytes + r.content - r.off
	if left == 0 {
		r.err = r.verify()
		return 0, r.err
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := r.file.ReadAt(p, r.off)
	_, _ = r.sum.Write(p[:n])
	r.off += int64(n)
	if n == len(p) {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = &Damage{File: r.name, Offset: r.off, Reason: "the snapshot has become shorter"}
	} else if err != nil {
		err = fmt.Errorf("read %s at %d: %w", r.name, r.off, err)
	}
	r.err = err
	return n, err
}

func (r *snapshotReader) verify() error {
	var b [snapshotTrailerBytes]byte
	if _, err := r.file.ReadAt(b[:], r.off); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s at %d: %w", r.name, r.off, err)
	}
	content, sum := binary.BigEndian.Uint64(b[0:]), binary.BigEndian.Uint64(b[8:])
	switch {
	case string(b[16:]) != snapshotEndMagic:
		return &Damage{File: r.name, Offset: r.off, Reason: "the snapshot has no trailer at its end: it is cut off, or its trailer damaged"}
	case content != uint64(r.content):
		return &Damage{File: r.name, Offset: r.off, Reason: fmt.Sprintf("the snapshot has %d bytes of content, its trailer says %d", r.content, content)}
	case sum != r.sum.Sum64():
		return &Damage{File: r.name, Offset: -1, Reason: fmt.Sprintf("checksum of the snapshot is %#016x, want %#016x", r.sum.Sum64(), sum)}
	}
	return io.EOF
}

// Close implements io.Closer.
func (r *snapshotReader) Close() error {
	if r.err == nil {
		r.err = fs.ErrClosed
	}
	return r.close()
}

// OpenSnapshot opens the newest snapshot and returns its position and a stream
// of its content. A read returns an error that matches ErrDamaged where the
// content is not what was written, at its end at the latest: what was read is
// good only once io.EOF came. Memory is bounded by the caller's buffers. The
// stream survives Purge and Install; the caller closes it.
func (s *Store) OpenSnapshot() (zab.Position, io.ReadCloser, error) {
	for {
		s.mu.Lock()
		err, version := s.err, s.version
		var at zab.Position
		have := len(s.snapshots) > 0
		if have {
			at = s.snapshots[len(s.snapshots)-1]
		}
		s.mu.Unlock()
		if err != nil {
			return zab.Position{}, nil, err
		}
		if !have {
			return zab.Position{}, nil, ErrNoSnapshot
		}
		r, err := s.openSnapshot(at)
		if err == nil {
			return at, r, nil
		}
		s.settle()
		if s.unchanged(version) {
			return zab.Position{}, nil, err
		}
	}
}

func (s *Store) openSnapshot(at zab.Position) (*snapshotReader, error) {
	name := s.SnapshotName(at.Zxid)
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open snapshot: %w", err), f.Close())
	}
	head, r, err := openSnapshotContent(name, f, size)
	if err == nil && head.at != at {
		err = &Damage{File: name, Offset: 0, Reason: fmt.Sprintf("the snapshot is of %s, not of %s", head.at.Zxid, at.Zxid)}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.close = f.Close
	return r, nil
}

// SnapshotName returns the path of the snapshot of a zxid, there or not.
func (s *Store) SnapshotName(z ensemble.Zxid) string {
	return filepath.Join(s.cfg.Dir, fileName(snapshotPrefix, z))
}

// SnapshotWriter writes one snapshot. It ends with exactly one call of Commit,
// Abort, or the Store's Install; later calls return an error and change nothing.
// Its methods are for one goroutine.
type SnapshotWriter struct {
	store *Store
	at    zab.Position
	name  string
	file  File
	buf   *bufio.Writer
	sum   xxhash.Digest
	bytes int64
	err   error
}

// CreateSnapshot begins a snapshot of the state as it is after the transaction
// at. It lies in a temporary file until it is complete. Only committed
// transactions belong in a snapshot: what it contains cannot be truncated.
func (s *Store) CreateSnapshot(at zab.Position) (*SnapshotWriter, error) {
	if at.Zxid < 0 {
		return nil, fmt.Errorf("create snapshot: %s is no zxid", at.Zxid)
	}
	w := &SnapshotWriter{store: s, at: at, name: s.SnapshotName(at.Zxid) + temporarySuffix}
	s.mu.Lock()
	err, busy := s.err, s.writing[w.name]
	if err == nil && !busy {
		s.writing[w.name] = true
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if busy {
		return nil, fmt.Errorf("create snapshot: another snapshot of %s is being written", at.Zxid)
	}
	if w.file, err = s.recreate(w.name); err != nil {
		w.release()
		return nil, explain("create snapshot", w.name, err)
	}
	w.buf = bufio.NewWriterSize(io.NewOffsetWriter(w.file, snapshotHeaderBytes), snapshotBufferBytes)
	w.sum.Reset()
	return w, nil
}

// recreate creates a temporary file, in the place of one left over.
func (s *Store) recreate(name string) (File, error) {
	f, err := s.fs.Create(name)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	if err := s.fs.Remove(name); err != nil {
		return nil, err
	}
	return s.fs.Create(name)
}

// Write implements io.Writer. The first error stays; the snapshot can then only
// be aborted.
func (w *SnapshotWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.buf.Write(p)
	_, _ = w.sum.Write(p[:n])
	w.bytes += int64(n)
	if err != nil {
		w.err = explain("write snapshot", w.name, err)
	}
	return n, w.err
}

// Commit completes the snapshot: trailer and header, sync, rename, sync of the
// directory. The log up to its position is made durable first, so that no
// snapshot is ever ahead of the log. It fails if the position is not, or no
// longer, in the history.
func (w *SnapshotWriter) Commit() error {
	s := w.store
	if w.err == nil {
		w.err = s.Sync()
	}
	s.mu.Lock()
	generation := s.generation
	s.mu.Unlock()
	if err := w.finish(generation); err != nil {
		return err
	}
	defer w.release()
	s.work <- struct{}{}
	defer func() { <-s.work }()
	if err := s.checkCommit(w.at, generation); err != nil {
		return errors.Join(fmt.Errorf("commit snapshot: %w", err), s.fs.Remove(w.name))
	}
	if err := s.publish(w.name, s.SnapshotName(w.at.Zxid)); err != nil {
		return err
	}
	s.mu.Lock()
	s.snapshots = insertSnapshot(s.snapshots, w.at)
	// A damaged one of that name, still to be purged, has just been replaced.
	name := s.SnapshotName(w.at.Zxid)
	s.suspects = slices.DeleteFunc(s.suspects, func(n string) bool { return n == name })
	s.mu.Unlock()
	s.trace.snapshot(w.at, w.bytes)
	return nil
}

func (s *Store) checkCommit(at zab.Position, generation uint64) error {
	s.mu.Lock()
	err := s.err
	if err == nil && generation != s.generation {
		err = fmt.Errorf("%w: the history was replaced meanwhile", ErrUnknownPosition)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.checkPosition(at)
}

// publish renames a complete file and syncs the directory.
func (s *Store) publish(temporary, name string) error {
	if err := s.fs.Rename(temporary, name); err != nil {
		return errors.Join(explain("rename", temporary, err), s.fs.Remove(temporary))
	}
	if err := s.fs.SyncDir(filepath.Dir(name)); err != nil {
		return s.fail(fmt.Errorf("sync directory %s: %w", filepath.Dir(name), err))
	}
	return nil
}

// finish writes header and trailer and syncs and closes the file. After an error
// the file is gone.
func (w *SnapshotWriter) finish(generation uint64) error {
	if w.file == nil {
		return w.err
	}
	file := w.file
	w.file = nil
	err := w.err
	w.err = errors.New("the snapshot has already been committed or aborted")
	if err == nil {
		_, err = w.buf.Write(snapshotTrailer(w.bytes, w.sum.Sum64()))
	}
	if err == nil {
		err = w.buf.Flush()
	}
	if err == nil {
		_, err = file.WriteAt(snapshotHead{generation, w.at}.encode(), 0)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		return nil
	}
	// Nothing relies on this file yet, so its failed sync harms no other: the
	// file goes, the store stays.
	defer w.release()
	return errors.Join(explain("complete snapshot", w.name, err), w.store.fs.Remove(w.name))
}

// Abort drops the snapshot.
func (w *SnapshotWriter) Abort() error {
	if w.file == nil {
		return w.err
	}
	defer w.release()
	err := errors.Join(w.file.Close(), w.store.fs.Remove(w.name))
	w.file = nil
	w.err = errors.New("the snapshot has already been committed or aborted")
	return err
}

func (w *SnapshotWriter) release() {
	w.store.mu.Lock()
	delete(w.store.writing, w.name)
	w.store.mu.Unlock()
}

// insertSnapshot returns the ascending list with one more position.
func insertSnapshot(list []zab.Position, at zab.Position) []zab.Position {
	out := make([]zab.Position, 0, len(list)+1)
	i := 0
	for ; i < len(list) && list[i].Zxid < at.Zxid; i++ {
		out = append(out, list[i])
	}
	out = append(out, at)
	for ; i < len(list); i++ {
		if list[i].Zxid != at.Zxid {
			out = append(out, list[i])
		}
	}
	return out
}
