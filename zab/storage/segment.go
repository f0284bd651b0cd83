package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

const (
	segmentMagic       = "QUORLOG\n"
	segmentVersion     = 1
	segmentHeaderBytes = 56
	segmentPrefix      = "log."
	indexStrideBytes   = 64 << 10
)

// segmentHead is the header of a segment. doc.go has the layout.
type segmentHead struct {
	generation uint64
	first      ensemble.Zxid // of the first transaction, and the file's name
	prev       zab.Position  // the end of the history before it
}

// salt goes into the checksums of the segment's batch headers.
func (h segmentHead) salt() uint64 { return h.prev.Chain + h.generation }

func (h segmentHead) encode() []byte {
	b := make([]byte, 0, segmentHeaderBytes)
	b = append(b, segmentMagic...)
	b = binary.BigEndian.AppendUint32(b, segmentVersion)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint64(b, h.generation)
	b = binary.BigEndian.AppendUint64(b, uint64(h.first))
	b = binary.BigEndian.AppendUint64(b, uint64(h.prev.Zxid))
	b = binary.BigEndian.AppendUint64(b, h.prev.Chain)
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func parseSegmentHead(b []byte) (segmentHead, error) {
	var h segmentHead
	if err := checkHead(b, segmentHeaderBytes, segmentMagic, segmentVersion, "log"); err != nil {
		return h, err
	}
	h.generation = binary.BigEndian.Uint64(b[16:])
	h.first = ensemble.Zxid(binary.BigEndian.Uint64(b[24:]))
	h.prev.Zxid = ensemble.Zxid(binary.BigEndian.Uint64(b[32:]))
	h.prev.Chain = binary.BigEndian.Uint64(b[40:])
	return h, nil
}

// checkHead checks what the headers of all our files have in common: magic,
// version, and a checksum in the last four bytes.
func checkHead(b []byte, size int, magic string, version uint32, what string) error {
	if len(b) < size {
		return fmt.Errorf("the file has %d bytes, a %s has a header of %d", len(b), what, size)
	}
	if got := string(b[:8]); got != magic {
		if strings.HasPrefix(got, "ZKLG") || strings.HasPrefix(got, "ZKSN") {
			return fmt.Errorf("this is a file of Apache ZooKeeper, not a %s of ours", what)
		}
		return fmt.Errorf("this is no %s: it begins with %q, not %q", what, got, magic)
	}
	if got, want := crc32.Checksum(b[:size-4], castagnoli), binary.BigEndian.Uint32(b[size-4:]); got != want {
		return fmt.Errorf("checksum of the header is %#08x, want %#08x", got, want)
	}
	if v := binary.BigEndian.Uint32(b[8:]); v != version {
		return fmt.Errorf("the %s has version %d; this program knows version %d", what, v, version)
	}
	return nil
}

// fileName returns prefix and z as 16 hexadecimal digits.
func fileName(prefix string, z ensemble.Zxid) string {
	return fmt.Sprintf("%s%016x", prefix, uint64(z))
}

// parseFileName is the inverse of fileName.
func parseFileName(prefix, name string) (ensemble.Zxid, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || len(digits) != 16 || strings.ToLower(digits) != digits {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 63)
	return ensemble.Zxid(n), err == nil
}

// indexEntry says where a batch begins.
type indexEntry struct {
	first  ensemble.Zxid
	offset int64
}

// segment is one file of the log as the store knows it. Copies are views: they
// stay true while the log grows, up to their end.
type segment struct {
	name  string // with its directory
	head  segmentHead
	last  zab.Position // head.prev while it is empty
	end   int64        // behind the last batch
	index []indexEntry // every indexStrideBytes or so, ascending
}

func newSegment(name string, head segmentHead) segment {
	return segment{name: name, head: head, last: head.prev, end: segmentHeaderBytes}
}

// add notes a batch at s.end.
func (s *segment) add(first ensemble.Zxid, last zab.Position, frame int64) {
	if n := len(s.index); n == 0 || s.end-s.index[n-1].offset >= indexStrideBytes {
		s.index = append(s.index, indexEntry{first, s.end})
	}
	s.end += frame
	s.last = last
}

// seek returns the offset of an indexed batch from which z can be found reading
// forward.
func (s *segment) seek(z ensemble.Zxid) int64 {
	i := sort.Search(len(s.index), func(i int) bool { return s.index[i].first > z })
	if i == 0 {
		return segmentHeaderBytes
	}
	return s.index[i-1].offset
}

// trim forgets the index behind offset. The slice is cut off from its array,
// which views may still read.
func (s *segment) trim(offset int64) {
	i := sort.Search(len(s.index), func(i int) bool { return s.index[i].offset >= offset })
	s.index = slices.Clone(s.index[:i])
}

// blocks reads a file in blocks; the fewer calls the better.
type blocks struct {
	r     io.ReaderAt
	size  int64
	block int
	buf   []byte
	off   int64
}

func newBlocks(r io.ReaderAt, size int64, block int) *blocks {
	return &blocks{r: r, size: size, block: block}
}

// at returns the n bytes at off, fewer only at the end of the file. They are
// valid until the next call. Memory is allocated only for bytes the file has.
func (b *blocks) at(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), max(0, b.size-off)))
	if off >= b.off && off+int64(n) <= b.off+int64(len(b.buf)) {
		return b.buf[off-b.off:][:n], nil
	}
	want := int(min(int64(max(n, b.block)), b.size-off))
	if want <= 0 {
		return nil, nil
	}
	if cap(b.buf) < want {
		b.buf = make([]byte, want)
	}
	b.buf, b.off = b.buf[:want], off
	got, err := b.r.ReadAt(b.buf, off)
	b.buf = b.buf[:got]
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b.buf[:min(n, got)], nil
}

// batchAt returns the batch at off; its body is valid until the next call. reason
// says why there is none, err that reading failed.
func (b *blocks) batchAt(off int64, salt uint64) (h batchHeader, body []byte, reason, err error) {
	head, err := b.at(off, batchHeaderBytes)
	if err != nil {
		return h, nil, nil, err
	}
	if h, reason = parseBatchHeader(head, off, salt); reason != nil {
		return h, nil, reason, nil
	}
	rest, err := b.at(off+batchHeaderBytes, int(h.frameBytes())-batchHeaderBytes)
	if err != nil {
		return h, nil, nil, err
	}
	if reason = checkBatch(h, rest); reason != nil {
		return h, nil, reason, nil
	}
	return h, rest[:h.bodyBytes], nil, nil
}

// scan is what reading a whole segment found.
type scan struct {
	segment
	committed ensemble.Zxid // newest hint
	durable   int64         // newest claim of a batch about what was durable when it was written
	stopped   error         // why there is no batch at end; nil when the file ends there
}

// scanSegment reads all batches of a segment, checks that every transaction
// continues the history, and calls visit (may be nil) for each.
func scanSegment(name string, head segmentHead, b *blocks, visit func(zab.Txn)) (scan, error) {
	s := scan{segment: newSegment(name, head), durable: segmentHeaderBytes}
	for s.end < b.size {
		off := s.end
		h, body, reason, err := b.batchAt(off, head.salt())
		if err != nil {
			return s, fmt.Errorf("read %s at %d: %w", name, off, err)
		}
		if reason != nil {
			s.stopped = reason
			return s, nil
		}
		if off > segmentHeaderBytes && h.first <= s.last.Zxid {
			s.stopped = fmt.Errorf("the batch here begins with %s, which lies before %s: it was left behind by a truncation", h.first, s.last.Zxid)
			return s, nil
		}
		last := s.last
		err = eachRecord(h, body, func(t zab.Txn) error {
			if !t.Zxid.Follows(last.Zxid) || zab.NextChain(last.Chain, t.Zxid, t.Origin, t.Data) != t.Chain {
				return notNext(last, t)
			}
			if last == s.last && t.Zxid != h.first {
				return fmt.Errorf("a batch said to begin with %s begins with %s", h.first, t.Zxid)
			}
			last = zab.Position{Zxid: t.Zxid, Chain: t.Chain}
			if visit != nil {
				visit(t)
			}
			return nil
		})
		if err == nil && off == segmentHeaderBytes && h.first != head.first {
			err = fmt.Errorf("a segment said to begin with %s begins with %s", head.first, h.first)
		}
		if err != nil {
			return s, &Damage{File: name, Offset: off, Reason: err.Error()}
		}
		s.add(h.first, last, h.frameBytes())
		s.committed = max(s.committed, h.committed)
		s.durable = max(s.durable, h.durable)
	}
	return s, nil
}

// tail is what lies behind the last whole batch of the last segment.
type tail struct {
	clean      bool  // nothing but zeros
	unfinished bool  // the write of one batch stopped in the middle, provably
	witness    int64 // offset of a later batch that knew the damaged one as durable; 0 when there is none
}

// readTail looks at everything from off on, where no batch begins that is whole.
// before is the last transaction in front of it: a batch with an earlier one is no
// witness. It is what a truncation left behind whose sync failed: the file looked
// shorter, was written to, and was as long as before after the next crash.
func readTail(head segmentHead, b *blocks, off int64, before ensemble.Zxid) (tail, error) {
	var t tail
	last := int64(-1) // of the bytes that are not zero
	for at := off; at < b.size; {
		chunk, err := b.at(at, b.block)
		if err != nil {
			return t, err
		}
		if len(chunk) == 0 {
			break
		}
		for i := len(chunk) - 1; i >= 0; i-- {
			if chunk[i] != 0 {
				last = at + int64(i)
				break
			}
		}
		at += int64(len(chunk))
	}
	if last < 0 {
		t.clean = true
		return t, nil
	}
	first, err := b.at(off, batchHeaderBytes)
	if err != nil {
		return t, err
	}
	if h, reason := parseBatchHeader(first, off, head.salt()); reason == nil {
		t.unfinished = last < off+h.frameBytes()-1 && off+h.frameBytes() <= b.size
	} else {
		t.unfinished = last < off+batchHeaderBytes-1 && off+batchHeaderBytes <= b.size
	}
	for at := off + batchAlign; at <= last; at += batchAlign {
		raw, err := b.at(at, batchHeaderBytes)
		if err != nil {
			return t, err
		}
		if len(raw) < batchHeaderBytes {
			break
		}
		if binary.BigEndian.Uint32(raw) != batchMagic {
			continue
		}
		if h, reason := parseBatchHeader(raw, at, head.salt()); reason == nil && h.durable > off && h.first > before {
			t.witness = at
			return t, nil
		}
	}
	return t, nil
}
