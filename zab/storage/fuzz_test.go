package storage

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/zab"
)

// FuzzSegment reads any bytes as a segment: no panic, and what is accepted is a
// history that encodes to the same bytes of content.
func FuzzSegment(f *testing.F) {
	head := segmentHead{first: 0x100000001}
	txns := makeTxns(zab.Position{}, 1, 3, 20)
	whole := appendBatch(head.encode(), segmentHeaderBytes, head.salt(), txns[:2], 0, segmentHeaderBytes)
	whole = appendBatch(whole, int64(len(whole)), head.salt(), txns[2:], 0x100000001, int64(len(whole)))
	f.Add(whole)
	f.Add(append(whole, make([]byte, 100)...))
	f.Add(whole[:len(whole)-9])
	f.Add(head.encode())
	f.Add([]byte("ZKLG"))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, err := parseSegmentHead(b)
		if err != nil {
			return
		}
		r := newBlocks(bytes.NewReader(b), int64(len(b)), 512)
		last := head.prev
		n := 0
		s, err := scanSegment("log", head, r, func(txn zab.Txn) {
			require.True(t, txn.Zxid.Follows(last.Zxid))
			last = positionOf(txn)
			n++
		})
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		require.Equal(t, last, s.last)
		require.LessOrEqual(t, s.end, int64(len(b)))
		if s.stopped != nil {
			tail, err := readTail(head, r, s.end, s.last.Zxid)
			require.NoError(t, err)
			require.False(t, tail.clean && tail.unfinished)
		}
		require.Equal(t, n > 0, s.end > segmentHeaderBytes)
	})
}

// FuzzSnapshot reads any bytes as a snapshot: either there is an error, or they
// are exactly what writing that content gives.
func FuzzSnapshot(f *testing.F) {
	whole := snapshotHead{1, zab.Position{Zxid: 5, Chain: 6}}.encode()
	whole = append(whole, "content"...)
	whole = append(whole, snapshotTrailer(7, 0x7fa4b3d3a0dc2e67)...)
	f.Add(whole)
	f.Add(whole[:60])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		head, r, err := openSnapshotContent("snapshot", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		content, err := io.ReadAll(r)
		if err != nil {
			require.ErrorIs(t, err, ErrDamaged)
			return
		}
		again := append(head.encode(), content...)
		again = append(again, snapshotTrailer(int64(len(content)), r.sum.Sum64())...)
		require.Equal(t, b, again)
	})
}

// FuzzEpochs reads any bytes as an epochs file.
func FuzzEpochs(f *testing.F) {
	f.Add(encodeEpochs(Epochs{Accepted: 3, Current: 2}, 3))
	f.Add(encodeEpochs(Epochs{Unsure: true}, 3))
	f.Add(encodeEpochs(Epochs{Accepted: 1, Current: 2}, 3))
	f.Add([]byte("5"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, owner, err := parseEpochs(b)
		if err != nil {
			return
		}
		require.NoError(t, validateEpochs(e))
		require.Equal(t, b, encodeEpochs(e, owner))
	})
}

// TestSnapshotReader_EveryBitFlip: no bit of a snapshot is without a checksum.
func TestSnapshotReader_EveryBitFlip(t *testing.T) {
	fs := NewMemFS()
	s, m := openMem(t, testConfig(fs))
	require.NoError(t, m.append(s, makeTxns(m.last(), 1, 1, 1)))
	require.NoError(t, m.commit(s, 1))
	var whole []byte
	edit(t, fs, s.SnapshotName(m.last().Zxid), func(b []byte) []byte { whole = b; return b })
	for bit := range 8 * len(whole) {
		b := flip(bit)(bytes.Clone(whole))
		_, r, err := openSnapshotContent("snapshot", bytes.NewReader(b), int64(len(b)))
		if err == nil {
			_, err = io.ReadAll(r)
		}
		require.True(t, errors.Is(err, ErrDamaged), "bit %d", bit)
	}
	for n := range len(whole) {
		_, r, err := openSnapshotContent("snapshot", bytes.NewReader(whole[:n]), int64(n))
		if err == nil {
			_, err = io.ReadAll(r)
		}
		require.ErrorIs(t, err, ErrDamaged, "first %d bytes", n)
	}
}
