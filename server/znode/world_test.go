package znode

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// world is one server that is its own quorum: what is prepared is applied,
// through the bytes, when the test says so.
type world struct {
	t       testing.TB
	tree    *Tree
	prep    *Preparer
	zxid    ensemble.Zxid
	now     int64
	pending [][]byte
	events  []Event
}

const (
	alice int64 = 0x100000000000001
	bob   int64 = 0x200000000000001
	home        = ensemble.ServerID(1)
)

func newWorld(t testing.TB) *world {
	w := &world{t: t, tree: NewTree(), zxid: ensemble.NewZxid(5, 0), now: 1000}
	w.prep = NewPreparer(w.tree)
	for _, s := range []int64{alice, bob} {
		w.do(s, proto.OpCreateSession, &proto.CreateSessionTxn{TimeoutMillis: 6000})
	}
	return w
}

// prepare prepares a request and leaves it outstanding.
func (w *world) prepare(origin ensemble.ServerID, session int64, op proto.OpCode, rec proto.Record, ids ...proto.ID) (proto.TxnHeader, proto.Record) {
	w.zxid++
	w.now += 7
	req := proto.Request{Session: session, Cxid: int32(w.zxid), Op: op, IDs: ids, Body: proto.Marshal(rec)}
	h, txn := w.prep.Prepare(w.zxid, w.now, origin, &req)
	w.pending = append(w.pending, proto.AppendTxn(nil, h, txn))
	return h, txn
}

// apply applies the oldest outstanding transaction.
func (w *world) apply() Result {
	w.t.Helper()
	h, rec, err := proto.DecodeTxn(w.pending[0])
	require.NoError(w.t, err)
	w.pending = w.pending[1:]
	var res Result
	res, w.events = w.tree.Apply(h, rec, w.events[:0])
	w.prep.Applied()
	return res
}

func (w *world) do(session int64, op proto.OpCode, rec proto.Record, ids ...proto.ID) Result {
	w.t.Helper()
	w.prepare(home, session, op, rec, ids...)
	for len(w.pending) > 1 {
		w.apply()
	}
	return w.apply()
}

func (w *world) create(path string, flags int32) Result {
	w.t.Helper()
	return w.do(alice, proto.OpCreate2, mkCreate(path, flags))
}

// must is create that has to succeed.
func (w *world) must(paths ...string) {
	w.t.Helper()
	for _, path := range paths {
		require.Equal(w.t, proto.OK, w.create(path, 0).Err, path)
	}
}

func (w *world) stat(path string) proto.Stat {
	w.t.Helper()
	n, ok := w.tree.Node(path)
	require.True(w.t, ok, path)
	return n.Stat()
}

// story prints the events of the last transaction.
func (w *world) story() string {
	var parts []string
	for _, e := range w.events {
		parts = append(parts, fmt.Sprintf("%s %s", strings.TrimPrefix(e.Type.String(), "Node"), e.Path))
	}
	return strings.Join(parts, ", ")
}

func mkCreate(path string, flags int32) *proto.CreateRequest {
	return &proto.CreateRequest{Path: path, Data: []byte("d"), ACL: proto.OpenACL, Flags: flags}
}

func mkDelete(path string, version int32) *proto.PathVersionRequest {
	return &proto.PathVersionRequest{Path: path, Version: version}
}

func mkSet(path, data string, version int32) *proto.SetDataRequest {
	return &proto.SetDataRequest{Path: path, Data: []byte(data), Version: version}
}

func aclOf(entries ...string) []proto.ACL {
	var list []proto.ACL
	for _, e := range entries { // perms:scheme:id
		part := strings.SplitN(e, ":", 3)
		var perms int32
		_, _ = fmt.Sscan(part[0], &perms)
		list = append(list, proto.ACL{Perms: perms, ID: proto.ID{Scheme: part[1], ID: part[2]}})
	}
	return list
}
