package znode

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// bigTree has n nodes of 100 bytes under perParent each.
func bigTree(n, perParent int) *Tree {
	tree, zxid := NewTree(), int64(0)
	data := bytes.Repeat([]byte("x"), 100)
	put := func(path string, data []byte) {
		zxid++
		tree.Apply(proto.TxnHeader{Zxid: zxid, Time: 1},
			&proto.CreateTxn{Path: path, Data: data, ACL: proto.OpenACL, ParentCVersion: proto.NoParentCVersion}, nil)
	}
	for i := range n {
		if i%perParent == 0 {
			put(fmt.Sprintf("/p%d", i/perParent), nil)
		}
		put(pathOf(i, perParent), data)
	}
	return tree
}

func pathOf(i, perParent int) string { return fmt.Sprintf("/p%d/n%07d", i/perParent, i) }

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestNode_Is96Bytes(t *testing.T) { require.Equal(t, uintptr(96), unsafe.Sizeof(node{})) }

func BenchmarkTree_MemoryPerNode(b *testing.B) {
	const n = 800_000
	for _, perParent := range []int{n, 1000, 5} {
		b.Run(fmt.Sprintf("children=%d", perParent), func(b *testing.B) {
			for b.Loop() {
				before := heap()
				tree := bigTree(n, perParent)
				b.ReportMetric(float64(heap()-before)/n, "B/node")
				runtime.KeepAlive(tree)
			}
		})
	}
}

func benchmarkSetData(b *testing.B, prepare bool, n, perParent int) {
	tree := bigTree(n, perParent)
	tree.Apply(proto.TxnHeader{Session: alice, Zxid: int64(ensemble.NewZxid(1, 1))}, &proto.CreateSessionTxn{}, nil)
	prep, zxid := NewPreparer(tree), ensemble.NewZxid(1, 1)
	data := bytes.Repeat([]byte("y"), 100)
	bodies := make([][]byte, 4096)
	for i := range bodies {
		bodies[i] = proto.Marshal(&proto.SetDataRequest{Path: pathOf(i*7919%n, perParent), Data: data, Version: -1})
	}
	var buf []byte
	var events []Event
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		zxid++
		if prepare {
			h, rec := prep.Prepare(zxid, 1, 1, &proto.Request{Session: alice, Op: proto.OpSetData, Body: bodies[i%len(bodies)]})
			buf = proto.AppendTxn(buf[:0], h, rec)
		} else {
			buf = proto.Append(buf[:0], &proto.TxnHeader{Zxid: int64(zxid), Type: proto.OpSetData})
			buf = append(buf, bodies[i%len(bodies)]...)
		}
		h, rec, err := proto.DecodeTxn(buf)
		if err != nil {
			b.Fatal(err)
		}
		_, events = tree.Apply(h, rec, events[:0])
		prep.Applied()
		i++
	}
}

func BenchmarkApply_SetData(b *testing.B)           { benchmarkSetData(b, false, 10_000, 1000) }
func BenchmarkApply_SetDataOf800000(b *testing.B)   { benchmarkSetData(b, false, 800_000, 800_000) }
func BenchmarkPrepareAndApply_SetData(b *testing.B) { benchmarkSetData(b, true, 10_000, 1000) }
func BenchmarkPrepareAndApply_Create(b *testing.B) {
	tree := NewTree()
	tree.Apply(proto.TxnHeader{Session: alice, Zxid: 1}, &proto.CreateSessionTxn{}, nil)
	prep, zxid := NewPreparer(tree), ensemble.Zxid(1)
	body := proto.Marshal(&proto.CreateRequest{Path: "/n", Data: make([]byte, 100), ACL: proto.OpenACL, Flags: 2})
	var buf []byte
	var events []Event
	b.ReportAllocs()
	for b.Loop() {
		zxid++
		h, rec := prep.Prepare(zxid, 1, 1, &proto.Request{Session: alice, Op: proto.OpCreate, Body: body})
		buf = proto.AppendTxn(buf[:0], h, rec)
		h, rec, _ = proto.DecodeTxn(buf)
		_, events = tree.Apply(h, rec, events[:0])
	}
}

func BenchmarkSnapshot_Write800000(b *testing.B) {
	tree := bigTree(800_000, 800_000)
	for b.Loop() {
		s := tree.Snapshot()
		n, _ := s.WriteTo(io.Discard)
		b.SetBytes(n)
	}
}

func BenchmarkRestore_800000(b *testing.B) {
	var buf bytes.Buffer
	_, _ = bigTree(800_000, 800_000).Snapshot().WriteTo(&buf)
	for b.Loop() {
		if err := NewTree().Restore(bytes.NewReader(buf.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApply_FirstChangeAfterSnapshot is the longest that a snapshot delays
// one transaction.
func BenchmarkApply_FirstChangeAfterSnapshot(b *testing.B) {
	tree := bigTree(800_000, 800_000)
	zxid := tree.zxid
	for b.Loop() {
		tree.Snapshot()
		zxid++
		tree.Apply(proto.TxnHeader{Zxid: zxid}, &proto.SetDataTxn{Path: pathOf(int(zxid)%800_000, 800_000)}, nil)
	}
}

func BenchmarkDigest_800000(b *testing.B) {
	tree := bigTree(800_000, 800_000)
	for b.Loop() {
		tree.Digest()
	}
}
