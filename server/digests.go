package server

import (
	"sync"

	"github.com/quorate/quorate/ensemble"
)

// How much of the history's digest is kept for the word hash, as in ZooKeeper.
const (
	digestsMax   = 1024
	digestsEvery = 128 // zxids
)

// Digest is the chained hash of the history up to a transaction. Two servers that
// have the same zxid with different hashes have different histories.
type Digest struct {
	Zxid  ensemble.Zxid
	Chain uint64
}

// digestLog remembers the last digests.
type digestLog struct {
	mu   sync.Mutex
	ring []Digest
	next int // where the oldest is, once the ring is full
}

// add notes the digest behind a transaction, if it is one of those kept. There is
// one in 128, so the lock costs nothing.
func (l *digestLog) add(at Digest) {
	if uint64(at.Zxid)%digestsEvery != 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < digestsMax {
		l.ring = append(l.ring, at)
		return
	}
	l.ring[l.next] = at
	l.next = (l.next + 1) % digestsMax
}

// Digests returns what the word hash tells, the oldest first.
func (s *Server) Digests() []Digest {
	l := &s.digests
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(append([]Digest(nil), l.ring[l.next:]...), l.ring[:l.next]...)
}
