package znode

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

func mkTTL(path string, flags int32, ttl int64) *proto.CreateTTLRequest {
	return &proto.CreateTTLRequest{CreateRequest: *mkCreate(path, flags), TTLMillis: ttl}
}

func TestTTL_NeedsExtendedTypesAndALegalTime(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		extended bool
		op       proto.OpCode
		rec      proto.Record
		want     proto.ErrCode
	}{
		{false, proto.OpCreateTTL, mkTTL("/n", 5, 1), proto.ErrUnimplemented},
		{false, proto.OpCreateTTL, mkTTL("/n", 5, 0), proto.ErrUnimplemented},
		{false, proto.OpCreateTTL, mkTTL("/n", 0, 1), proto.ErrBadArguments},
		{false, proto.OpCreate, mkCreate("/n", 5), proto.ErrUnimplemented},
		{true, proto.OpCreate, mkCreate("/n", 5), proto.ErrBadArguments},
		{true, proto.OpCreate2, mkCreate("/n", 6), proto.ErrBadArguments},
		{true, proto.OpCreateContainer, mkCreate("/n", 5), proto.ErrBadArguments},
		{true, proto.OpCreateTTL, mkTTL("/n", 0, 1), proto.ErrBadArguments},
		{true, proto.OpCreateTTL, mkTTL("/n", 7, 1), proto.ErrBadArguments},
		{true, proto.OpCreateTTL, mkTTL("/n", 5, 0), proto.ErrBadArguments},
		{true, proto.OpCreateTTL, mkTTL("/n", 5, -1), proto.ErrBadArguments},
		{true, proto.OpCreateTTL, mkTTL("/n", 6, TTLMillisMax+1), proto.ErrBadArguments},
		{true, proto.OpCreateTTL, mkTTL("/n", 5, TTLMillisMax), proto.OK},
		{true, proto.OpCreateTTL, mkTTL("/s", 6, 1), proto.OK},
		{true, proto.OpCreateTTL, mkTTL("/n", 5, 1), proto.ErrNodeExists},
	} {
		w.prep.ExtendedTypes = c.extended
		assert.Equal(t, c.want, w.do(alice, c.op, c.rec).Err, "%v %+v", c.extended, c.rec)
	}
	assert.Equal(t, []string{"n", "s0000000001", "zookeeper"}, mustNode(w, "/").Children())
	assert.Zero(t, w.stat("/n").EphemeralOwner)
	assert.Equal(t, TTLMillisMax, mustNode(w, "/n").TTLMillis())
	assert.Equal(t, int64(1), mustNode(w, "/s0000000001").TTLMillis())
	w.must("/n/child")
	assert.Zero(t, mustNode(w, "/n/child").TTLMillis())
}

func TestTTL_InMultiAnswersAsCreate2(t *testing.T) {
	w := newWorld(t)
	m := &proto.MultiRequest{Ops: []proto.MultiOp{
		{Op: proto.OpCreateTTL, Request: mkTTL("/q", 6, 77)},
		{Op: proto.OpCreate, Request: mkCreate("/q0000000000/x", 0)},
	}}
	assert.Equal(t, proto.ErrUnimplemented, w.do(alice, proto.OpMulti, m).Multi[0].Err)
	w.prep.ExtendedTypes = true
	res := w.do(alice, proto.OpMulti, m)
	require.Equal(t, []proto.OpCode{proto.OpCreate2, proto.OpCreate}, []proto.OpCode{res.Multi[0].Type, res.Multi[1].Type})
	assert.Equal(t, "/q0000000000", res.Multi[0].Path)
	assert.Equal(t, int64(77), mustNode(w, "/q0000000000").TTLMillis())
}

func TestTTL_SurvivesASnapshotWithItsPlaceInTheReaper(t *testing.T) {
	w := newWorld(t)
	w.prep.ExtendedTypes = true
	w.do(alice, proto.OpCreateTTL, mkTTL("/n", 5, 1000))
	w.do(alice, proto.OpCreateContainer, mkCreate("/c", 4))
	got := NewTree()
	require.NoError(t, got.Restore(bytes.NewReader(dump(t, w.tree.Snapshot()))))
	n, _ := got.Node("/n")
	assert.Equal(t, int64(1000), n.TTLMillis())
	assert.Equal(t, []int{1, 1, 2}, []int{got.TTLCount(), got.ContainerCount(), got.MortalCount()})
	assert.True(t, got.IsDue(Reap{NowMillis: n.Stat().Mtime + 1001}, "/n"))
	assert.False(t, got.IsDue(Reap{NowMillis: n.Stat().Mtime + 1000}, "/n"))
}

func TestDue_Rules(t *testing.T) {
	w := newWorld(t)
	w.prep.ExtendedTypes = true
	w.do(alice, proto.OpCreateTTL, mkTTL("/ttl", 5, 100))
	w.do(alice, proto.OpCreateContainer, mkCreate("/c", 4))
	w.must("/plain")
	w.do(alice, proto.OpCreate, mkCreate("/eph", 1))
	due := func(after, neverUsed int64) []string {
		_, paths := w.tree.Due(Reap{NowMillis: w.now + after, NeverUsedMillis: neverUsed}, w.tree.MortalCount(), 100, nil)
		return paths
	}
	assert.Empty(t, due(0, 0))
	assert.Equal(t, []string{"/ttl"}, due(200, 0))
	assert.Equal(t, []string{"/c", "/ttl"}, due(200, 100), "a container that nobody used")
	w.do(alice, proto.OpSetData, mkSet("/ttl", "again", -1))
	assert.Empty(t, due(100, 0), "data written counts")
	assert.Equal(t, []string{"/ttl"}, due(101, 0))
	w.must("/ttl/x", "/c/x")
	assert.Empty(t, due(1<<40, 100), "nodes with children stay")
	w.do(alice, proto.OpDelete, mkDelete("/ttl/x", -1))
	w.do(alice, proto.OpDelete, mkDelete("/c/x", -1))
	assert.Equal(t, []string{"/c", "/ttl"}, due(1<<40, 0), "a container that was used")
	w.do(alice, proto.OpDelete, mkDelete("/c", -1))
	assert.Equal(t, []string{"/ttl"}, due(1<<40, 0))
}

// What the reaper saw may be out of date when its request is prepared.
func TestDeleteContainer_LooksAgainAtTimesToLive(t *testing.T) {
	w := newWorld(t)
	w.prep.ExtendedTypes = true
	w.do(alice, proto.OpCreateTTL, mkTTL("/n", 5, 100))
	w.now += 1000
	require.True(t, w.tree.IsDue(Reap{NowMillis: w.now}, "/n"))
	w.prepare(home, alice, proto.OpSetData, mkSet("/n", "x", -1))
	w.prepare(home, 0, proto.OpDeleteContainer, &proto.PathRequest{Path: "/n"})
	require.Equal(t, proto.OK, w.apply().Err)
	assert.Equal(t, proto.ErrBadVersion, w.apply().Err, "it was written meanwhile")
	w.now += 200
	w.prepare(home, alice, proto.OpCreate, mkCreate("/n/x", 0))
	w.prepare(home, 0, proto.OpDeleteContainer, &proto.PathRequest{Path: "/n"})
	w.prepare(home, alice, proto.OpDelete, mkDelete("/n/x", -1))
	w.prepare(home, 0, proto.OpDeleteContainer, &proto.PathRequest{Path: "/n"})
	w.prepare(home, 0, proto.OpDeleteContainer, &proto.PathRequest{Path: "/n"})
	for i, want := range []proto.ErrCode{proto.OK, proto.ErrNotEmpty, proto.OK, proto.OK, proto.ErrNoNode} {
		assert.Equal(t, want, w.apply().Err, i)
	}
	assert.Zero(t, w.tree.MortalCount())
}

// The container that the reaper found may have been deleted, and another one made
// in its place, before its request is prepared.
func TestDeleteContainer_SparesTheNextContainer(t *testing.T) {
	w := newWorld(t)
	w.do(alice, proto.OpCreateContainer, mkCreate("/c", 4))
	w.must("/c/x")
	w.do(alice, proto.OpDelete, mkDelete("/c/x", -1))
	require.True(t, w.tree.IsDue(Reap{NowMillis: w.now}, "/c"))
	w.prepare(home, alice, proto.OpDelete, mkDelete("/c", -1))
	w.prepare(home, alice, proto.OpCreateContainer, mkCreate("/c", 4))
	w.prepare(home, 0, proto.OpDeleteContainer, &proto.PathRequest{Path: "/c"})
	for _, want := range []proto.ErrCode{proto.OK, proto.OK, proto.ErrBadVersion} {
		assert.Equal(t, want, w.apply().Err)
	}
	w.prep.NeverUsedMillis = 100
	reap := func() proto.ErrCode { return w.do(0, proto.OpDeleteContainer, &proto.PathRequest{Path: "/c"}).Err }
	assert.Equal(t, proto.ErrBadVersion, reap())
	w.now += 100
	assert.Equal(t, proto.OK, reap())
}

func TestRestore_Emulates353(t *testing.T) {
	far := int64(-1<<63) | 5000             // 3.5.3: the sign, and 5 s
	forever := int64(-1<<63) | (1<<59 - 1)  // its longest
	session := int64(-1<<63) | 0x1234567890 // of server 128
	tree := NewTree()
	tree.sessions[session] = 4000
	for i, owner := range []int64{far, forever, session, containerOwner, ttlOwner(7), alice} {
		n := &node{acl: tree.acls.open, owner: owner}
		tree.attach(tree.own("/"), fmt.Sprintf("/%d", i), fmt.Sprint(i), n)
	}
	data := dump(t, tree.Snapshot())
	owners := func(emulate bool) []int64 {
		got := NewTree()
		got.SetEmulate353(emulate)
		require.NoError(t, got.Restore(bytes.NewReader(data)))
		var list []int64
		for i := range 6 {
			list = append(list, got.find(fmt.Sprintf("/%d", i)).owner)
		}
		return list
	}
	assert.Equal(t, []int64{far, forever, session, containerOwner, ttlOwner(7), alice}, owners(false))
	assert.Equal(t, []int64{ttlOwner(5000), ttlOwner(TTLMillisMax), session, containerOwner, ttlOwner(7), alice}, owners(true))
}

func TestMortals_KeepTheirPlaces(t *testing.T) {
	var m mortals
	for i := range 3000 {
		m.add(fmt.Sprint(i))
	}
	for i := 0; i < 3000; i += 3 {
		m.remove(fmt.Sprint(i))
	}
	for i := 1; i < 3000; i += 3 {
		m.remove(fmt.Sprint(i))
	}
	require.Len(t, m.paths, 1000)
	require.Len(t, m.at, 1000)
	for i, path := range m.paths {
		require.EqualValues(t, i, m.at[path])
	}
	for i := 2; i < 3000; i += 3 {
		m.remove(fmt.Sprint(i))
	}
	assert.Empty(t, m.paths)
	assert.LessOrEqual(t, cap(m.paths), 1024)
}
