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

// manyEphemerals gives alice n ephemerals, whose names begin with prefix.
func (w *world) manyEphemerals(prefix string, n int) {
	w.t.Helper()
	for at := 0; at < n; at += 10_000 {
		m := &proto.MultiRequest{}
		for i := at; i < min(n, at+10_000); i++ {
			m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpCreate, Request: mkCreate(fmt.Sprintf("%s-%06d", prefix, i), 1)})
		}
		require.Equal(w.t, proto.OK, w.do(alice, proto.OpMulti, m).Multi[0].Err)
	}
	require.Len(w.t, w.tree.Ephemerals(alice), n)
}

// Listed, very many ephemerals would be a transaction of more than a quorum takes
// (ZOOKEEPER-4306).
func TestCloseSession_LongListIsLeftOut(t *testing.T) {
	w := newWorld(t)
	prefix := "/" + strings.Repeat("p", 500)
	w.manyEphemerals(prefix, 2500)
	w.do(bob, proto.OpCreate, mkCreate("/bobs", 1))
	replica := NewTree()
	require.NoError(t, replica.Restore(bytes.NewReader(dump(t, w.tree.Snapshot()))))

	w.prepare(home, alice, proto.OpCreate, mkCreate("/outstanding", 1))
	w.prepare(home, bob, proto.OpDelete, mkDelete(prefix+"-000007", -1))
	_, rec := w.prepare(home, alice, proto.OpCloseSession, &proto.Empty{})
	w.prepare(home, alice, proto.OpCreate, mkCreate("/late", 1))
	assert.True(t, rec.(*proto.CloseSessionTxn).Unlisted)
	assert.Len(t, w.pending[2], proto.TxnHeaderBytes)
	for _, data := range w.pending {
		h, rec, err := proto.DecodeTxn(data)
		require.NoError(t, err)
		replica.Apply(h, rec, nil)
	}
	for len(w.pending) > 0 {
		w.apply()
	}
	assert.Equal(t, []int64{bob}, w.tree.EphemeralOwners())
	assert.Equal(t, 5, w.tree.NodeCount())
	assert.Equal(t, w.tree.Digest(), replica.Digest())
}

func TestCloseSession_OfAHundredThousandEphemerals(t *testing.T) {
	w := newWorld(t)
	w.manyEphemerals("/e", 100_000)
	w.do(alice, proto.OpCloseSession, &proto.Empty{})
	assert.Len(t, w.events, 200_000)
	assert.Equal(t, 4, w.tree.NodeCount())
	assert.Zero(t, w.prep.Outstanding())
}

func TestCloseSession_OfManyEphemeralsListsThem(t *testing.T) {
	w := newWorld(t)
	w.manyEphemerals("/e", 1000)
	_, rec := w.prepare(home, alice, proto.OpCloseSession, &proto.Empty{})
	assert.Len(t, rec.(*proto.CloseSessionTxn).Paths, 1000)
	w.apply()
}
