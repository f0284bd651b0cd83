package znode

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

func TestApplied_PanicsWhenTheTreeDidSomethingElse(t *testing.T) {
	w := newWorld(t)
	w.must("/a")
	w.prepare(home, alice, proto.OpSetData, mkSet("/a", "x", -1))
	h, _, err := proto.DecodeTxn(w.pending[0])
	require.NoError(t, err)
	w.tree.Apply(h, &proto.SetDataTxn{Path: "/a", Version: 77}, nil)
	defer func() { assert.Contains(t, recover(), "transaction 0x500000004 (epoch 5)") }()
	w.prep.Applied()
}

func TestApply_StrictPanicsOnContradiction(t *testing.T) {
	for name, rec := range map[string]proto.Record{
		"create of what exists": &proto.CreateTxn{Path: "/a", ParentCVersion: 3},
		"create without parent": &proto.CreateTxn{Path: "/none/x", ParentCVersion: 1},
		"create with a gap":     &proto.CreateTxn{Path: "/x", ParentCVersion: 9},
		"create of the root":    &proto.CreateTxn{Path: "/", ParentCVersion: 3},
		"create of nothing":     &proto.CreateTxn{Path: "", ParentCVersion: 3},
		"delete of nothing":     &proto.DeleteTxn{Path: "/none"},
		"delete without parent": &proto.DeleteTxn{Path: "/none/x"},
		"delete of a parent":    &proto.DeleteTxn{Path: "/a"},
		"delete of a reserved":  &proto.DeleteTxn{Path: "/zookeeper/quota"},
		"setData of nothing":    &proto.SetDataTxn{Path: "/none"},
		"setACL of nothing":     &proto.SetACLTxn{Path: "/none"},
		"close of another's":    &proto.CloseSessionTxn{Paths: []string{"/a/e"}},
		"close without its own": &proto.CloseSessionTxn{},
		"a record of no kind":   &proto.Empty{},
		"delete of the root":    &proto.DeleteTxn{Path: "/"},
		"create by zxid before": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must("/a", "/a/b")
			w.do(bob, proto.OpCreate, mkCreate("/a/e", 1))
			w.do(alice, proto.OpCreate, mkCreate("/mine", 1))
			h := proto.TxnHeader{Session: alice, Zxid: int64(w.zxid) + 1, Type: proto.OpCreate}
			if rec == nil {
				h.Zxid, rec = int64(w.zxid), &proto.CreateTxn{Path: "/new", ParentCVersion: 3}
			}
			assert.Panics(t, func() { w.tree.Apply(h, rec, nil) })
		})
	}
}

// Spec peer-protocol 6.4: what a log does to a snapshot that has some of it.
func TestApply_LenientReplaysTwice(t *testing.T) {
	w := newWorld(t)
	var log [][]byte
	do := func(op proto.OpCode, rec proto.Record) {
		h, txn := w.prepare(home, alice, op, rec)
		log = append(log, proto.AppendTxn(nil, h, txn))
		w.apply()
	}
	do(1, mkCreate("/p", 0))
	do(1, mkCreate("/p/a", 0))
	do(1, mkCreate("/p/e", 1))
	do(5, mkSet("/p/a", "x", -1))
	do(7, &proto.SetACLRequest{Path: "/p/a", ACL: aclOf("31:ip:1.2.3.4"), Version: -1})
	do(14, multiOf(2, mkDelete("/p/a", -1), 1, mkCreate("/p/s", 2)))
	do(-11, &proto.Empty{})
	want, zxid := w.tree.Digest(), w.tree.Zxid()
	w.tree.SetLenient(true)
	for range 2 {
		for _, data := range log {
			h, rec, err := proto.DecodeTxn(data)
			require.NoError(t, err)
			w.tree.Apply(h, rec, nil)
		}
		assert.Equal(t, zxid, w.tree.Zxid(), "never backwards")
		assert.Equal(t, want, w.tree.Digest())
	}
	res, _ := w.tree.Apply(proto.TxnHeader{Session: 9, Zxid: 1}, &proto.CloseSessionTxn{Unlisted: true}, nil)
	assert.Equal(t, proto.OK, res.Err)
	assert.Equal(t, zxid, w.tree.Zxid(), "nor by a single old transaction")

	w.do(bob, proto.OpCreate, mkCreate("/q", 0))
	late := int64(w.zxid) + 10
	res, events := w.tree.Apply(proto.TxnHeader{Session: alice, Zxid: late}, &proto.DeleteTxn{Path: "/q/gone"}, nil)
	assert.Equal(t, proto.ErrNoNode, res.Err)
	assert.Empty(t, events)
	assert.Equal(t, late, w.stat("/q").Pzxid, "deleting a missing child still raises pzxid (ZOOKEEPER-3125)")
}

func TestApply_TTLNodesOfForeignLogs(t *testing.T) {
	tree := NewTree()
	res, _ := tree.Apply(proto.TxnHeader{Session: 1, Zxid: 1, Type: proto.OpMulti}, &proto.MultiTxn{Txns: []proto.SubTxn{
		{Type: proto.OpCreateTTL, Record: &proto.CreateTTLTxn{Path: "/t", ACL: proto.OpenACL, ParentCVersion: 1, TTLMillis: 5000}}}}, nil)
	assert.Equal(t, proto.OpCreate2, res.Multi[0].Type)
	assert.Zero(t, res.Multi[0].Stat.EphemeralOwner)
	assert.Equal(t, uint64(0xFF00000000001388), uint64(tree.find("/t").owner))
	assert.Zero(t, tree.EphemeralCount())
	var server255 uint64 = 0xff01_9300_0000_0001
	assert.Equal(t, int64(server255), sessionOwner(int64(server255)), "a session of server 255 is one")
}
