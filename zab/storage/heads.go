package storage

import (
	"errors"
	"fmt"
	"io"

	"github.com/quorate/quorate/ensemble"
)

// readHead returns up to n bytes from the start of a file.
func (s *Store) readHead(name string, n int) (b []byte, err error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b = make([]byte, n)
	got, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b[:got], nil
}

func (s *Store) readSegmentHead(name string) (segmentHead, error) {
	b, err := s.readHead(name, segmentHeaderBytes)
	if err != nil {
		return segmentHead{}, err
	}
	head, err := parseSegmentHead(b)
	if err != nil {
		return head, s.damage(name, 0, "%v", err)
	}
	return head, nil
}

func (s *Store) readSnapshotHead(name string) (snapshotHead, error) {
	b, err := s.readHead(name, snapshotHeaderBytes)
	if err != nil {
		return snapshotHead{}, err
	}
	head, err := parseSnapshotHead(b)
	if err != nil {
		return head, s.damage(name, 0, "%v", err)
	}
	return head, nil
}

func (s *Store) readEpochs(name string) (Epochs, error) {
	b, err := s.readHead(name, epochsBytes+1)
	if err != nil {
		return Epochs{}, err
	}
	e, owner, err := parseEpochs(b)
	if err != nil {
		return e, s.damage(name, 0, "%v", err)
	}
	if me := s.cfg.Server; owner != 0 && me != 0 && owner != ensemble.ServerID(uint32(me)) {
		return e, fmt.Errorf("%s: the data is that of server %d, and this is server %d, which may have promised other things: correct myid or dataDir, or empty the directory and let the leader fill it", name, owner, me)
	}
	return e, nil
}
