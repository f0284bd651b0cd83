package zab

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/quorate/quorate/ensemble"
)

// Origin says where a transaction was asked for, so that the server that is
// waiting for it knows it when it comes by. The pair is unique: Tag counts up
// from a random start in each process (client cxids would not do: clients
// restart them, see spec 7.1 of the client protocol).
type Origin struct {
	Server ensemble.ServerID
	Tag    uint64
}

// Txn is one transaction of the replicated history. It is immutable once made;
// Data may be shared and must not be written to.
type Txn struct {
	Zxid   ensemble.Zxid
	Origin Origin
	Data   []byte
	// Chain is the hash of the whole history up to and including this
	// transaction: NextChain of the chain before it. Two logs that agree in
	// Zxid and Chain agree in everything before.
	Chain uint64
}

// Bytes returns about how much memory the transaction holds.
func (t Txn) Bytes() int { return len(t.Data) + 64 }

// NextChain returns the chain of a history whose chain was prev and whose next
// transaction is (zxid, origin, data). The chain of the empty history is 0.
// It is XXH64 over prev, zxid, origin (big-endian) and data: it finds
// divergence by fault or bug, and is no defence against a forger.
func NextChain(prev uint64, zxid ensemble.Zxid, origin Origin, data []byte) uint64 {
	var head [32]byte
	binary.BigEndian.PutUint64(head[0:], prev)
	binary.BigEndian.PutUint64(head[8:], uint64(zxid))
	binary.BigEndian.PutUint64(head[16:], uint64(origin.Server))
	binary.BigEndian.PutUint64(head[24:], origin.Tag)
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(head[:])
	_, _ = d.Write(data)
	return d.Sum64()
}

// Position is a point in a history: a zxid and the chain up to it. The zero
// Position is the beginning, before any transaction.
type Position struct {
	Zxid  ensemble.Zxid
	Chain uint64
}
