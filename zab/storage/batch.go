package storage

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

const (
	batchMagic       = uint32(0x51424154) // "QBAT"
	batchHeaderBytes = 48
	recordHeadBytes  = 36
	batchAlign       = 8
	batchEndByte     = 0x42 // 'B', as behind ZooKeeper's records

	// TxnBytesMax is the most data one transaction may carry: 64 MiB.
	TxnBytesMax = 64 << 20
	// batchBytesTarget is where Append begins the next batch.
	batchBytesTarget = 1 << 20
	batchBodyMax     = batchBytesTarget + recordHeadBytes + TxnBytesMax
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batchHeader is the header of a batch. doc.go has the layout.
type batchHeader struct {
	bodyBytes int
	count     int
	bodyCRC   uint32
	committed ensemble.Zxid
	durable   int64 // the segment was durable up to this offset when the batch was written
	first     ensemble.Zxid
}

// frameBytes is the size of the whole batch: header, body, and one to eight end
// bytes up to a multiple of eight.
func (h batchHeader) frameBytes() int64 { return frameBytes(h.bodyBytes) }

func frameBytes(body int) int64 {
	return (int64(batchHeaderBytes+body)/batchAlign + 1) * batchAlign
}

// splitBatch returns how many of txns go into the next batch.
func splitBatch(txns []zab.Txn) int {
	bytes := 0
	for i, t := range txns {
		bytes += recordHeadBytes + len(t.Data)
		if bytes >= batchBytesTarget {
			return i + 1
		}
	}
	return len(txns)
}

// appendBatch appends the batch of txns, which must not be empty, as it stands
// at offset of the segment whose salt is given.
func appendBatch(b []byte, offset int64, salt uint64, txns []zab.Txn, committed ensemble.Zxid, durable int64) []byte {
	start := len(b)
	b = append(b, make([]byte, batchHeaderBytes)...)
	for _, t := range txns {
		b = binary.BigEndian.AppendUint64(b, uint64(t.Zxid))
		b = binary.BigEndian.AppendUint64(b, uint64(t.Origin.Server))
		b = binary.BigEndian.AppendUint64(b, t.Origin.Tag)
		b = binary.BigEndian.AppendUint64(b, t.Chain)
		b = binary.BigEndian.AppendUint32(b, uint32(len(t.Data)))
		b = append(b, t.Data...)
	}
	head, body := b[start:start+batchHeaderBytes], b[start+batchHeaderBytes:]
	binary.BigEndian.PutUint32(head[0:], batchMagic)
	binary.BigEndian.PutUint32(head[4:], uint32(len(body)))
	binary.BigEndian.PutUint32(head[8:], uint32(len(txns)))
	binary.BigEndian.PutUint32(head[12:], crc32.Checksum(body, castagnoli))
	binary.BigEndian.PutUint64(head[16:], uint64(committed))
	binary.BigEndian.PutUint64(head[24:], uint64(durable))
	binary.BigEndian.PutUint64(head[32:], uint64(txns[0].Zxid))
	binary.BigEndian.PutUint32(head[44:], headerCRC(head, offset, salt))
	for end := start + int(frameBytes(len(body))); len(b) < end; {
		b = append(b, batchEndByte)
	}
	return b
}

// headerCRC covers the header without its last four bytes, and where it stands,
// so that a copy of a batch elsewhere (a client may store one) is none.
func headerCRC(head []byte, offset int64, salt uint64) uint32 {
	var place [16]byte
	binary.BigEndian.PutUint64(place[0:], salt)
	binary.BigEndian.PutUint64(place[8:], uint64(offset))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, head[:batchHeaderBytes-4])
}

// parseBatchHeader reads the header that stands at offset.
func parseBatchHeader(b []byte, offset int64, salt uint64) (batchHeader, error) {
	var h batchHeader
	if len(b) < batchHeaderBytes {
		return h, fmt.Errorf("the file ends inside a batch header, after %d of %d bytes", len(b), batchHeaderBytes)
	}
	b = b[:batchHeaderBytes]
	if m := binary.BigEndian.Uint32(b); m != batchMagic {
		return h, fmt.Errorf("no batch begins here (magic %#08x, want %#08x)", m, batchMagic)
	}
	if got, want := headerCRC(b, offset, salt), binary.BigEndian.Uint32(b[44:]); got != want {
		return h, fmt.Errorf("checksum of the batch header is %#08x, want %#08x", got, want)
	}
	body := binary.BigEndian.Uint32(b[4:])
	count := binary.BigEndian.Uint32(b[8:])
	durable := binary.BigEndian.Uint64(b[24:])
	if body > batchBodyMax || count == 0 || uint64(count)*recordHeadBytes > uint64(body) ||
		durable > uint64(offset) || binary.BigEndian.Uint32(b[40:]) != 0 {
		return h, fmt.Errorf("a batch header makes no sense: %d records in %d bytes, durable up to %d", count, body, durable)
	}
	h.bodyBytes, h.count = int(body), int(count)
	h.bodyCRC = binary.BigEndian.Uint32(b[12:])
	h.committed = ensemble.Zxid(binary.BigEndian.Uint64(b[16:]))
	h.durable = int64(durable)
	h.first = ensemble.Zxid(binary.BigEndian.Uint64(b[32:]))
	return h, nil
}

// checkBatch verifies what follows the header: rest is body and end bytes.
func checkBatch(h batchHeader, rest []byte) error {
	if want := int(h.frameBytes()) - batchHeaderBytes; len(rest) != want {
		return fmt.Errorf("the file ends inside a batch, after %d of %d bytes", len(rest), want)
	}
	if got := crc32.Checksum(rest[:h.bodyBytes], castagnoli); got != h.bodyCRC {
		return fmt.Errorf("checksum of the batch is %#08x, want %#08x", got, h.bodyCRC)
	}
	for _, c := range rest[h.bodyBytes:] {
		if c != batchEndByte {
			return fmt.Errorf("the batch does not end in %#02x but in %#02x", batchEndByte, c)
		}
	}
	return nil
}

// eachRecord calls f for each record of a checked body. Data aliases the body.
func eachRecord(h batchHeader, body []byte, f func(zab.Txn) error) error {
	for range h.count {
		if len(body) < recordHeadBytes {
			return fmt.Errorf("a batch of %d records ends early", h.count)
		}
		t := zab.Txn{
			Zxid: ensemble.Zxid(binary.BigEndian.Uint64(body[0:])),
			Origin: zab.Origin{
				Server: ensemble.ServerID(binary.BigEndian.Uint64(body[8:])),
				Tag:    binary.BigEndian.Uint64(body[16:]),
			},
			Chain: binary.BigEndian.Uint64(body[24:]),
		}
		n := binary.BigEndian.Uint32(body[32:])
		body = body[recordHeadBytes:]
		if uint64(n) > uint64(len(body)) {
			return fmt.Errorf("record %s claims %d bytes of data, %d are left", t.Zxid, n, len(body))
		}
		if n > 0 {
			t.Data = body[:n:n]
		}
		body = body[n:]
		if err := f(t); err != nil {
			return err
		}
	}
	if len(body) != 0 {
		return fmt.Errorf("%d bytes are left behind the %d records of a batch", len(body), h.count)
	}
	return nil
}
