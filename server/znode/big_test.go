package znode

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// Listed, very many ephemerals would be a transaction of more than a quorum takes
// (ZOOKEEPER-4306).
func TestCloseSession_OfVeryManyEphemeralsIsShort(t *testing.T) {
	const n = 100_000
	w := newWorld(t)
	prefix := "/" + strings.Repeat("p", 30)
	for at := 0; at < n; at += 10_000 {
		m := &proto.MultiRequest{}
		for i := range 10_000 {
			m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpCreate, Request: mkCreate(fmt.Sprintf("%s-%06d", prefix, at+i), 1)})
		}
		require.Equal(t, proto.OK, w.do(alice, proto.OpMulti, m).Multi[0].Err)
	}
	w.do(bob, proto.OpCreate, mkCreate("/bobs", 1))
	require.Len(t, w.tree.Ephemerals(alice), n)
	before := dump(t, w.tree.Snapshot())

	w.prepare(home, alice, proto.OpCreate, mkCreate("/outstanding", 1))
	w.prepare(home, bob, proto.OpDelete, mkDelete(prefix+"-000007", -1))
	w.prepare(home, alice, proto.OpCloseSession, &proto.Empty{})
	w.prepare(home, alice, proto.OpCreate, mkCreate("/late", 1))
	assert.Less(t, len(w.pending[2]), 1000, "the transaction")
	replica := NewTree()
	require.NoError(t, replica.Restore(bytes.NewReader(before)))
	for _, data := range w.pending {
		h, rec, err := proto.DecodeTxn(data)
		require.NoError(t, err)
		replica.Apply(h, rec, nil)
	}
	for len(w.pending) > 0 {
		w.apply()
	}
	assert.Equal(t, 1, w.tree.EphemeralCount())
	assert.Equal(t, 6, w.tree.NodeCount()+1)
	assert.Equal(t, w.tree.Digest(), replica.Digest())
}

func TestCloseSession_OfManyEphemeralsListsThem(t *testing.T) {
	w := newWorld(t)
	for i := range 1000 {
		w.create(fmt.Sprintf("/e%d", i), 1)
	}
	_, rec := w.prepare(home, alice, proto.OpCloseSession, &proto.Empty{})
	assert.Len(t, rec.(*proto.CloseSessionTxn).Paths, 1000)
	w.apply()
}
