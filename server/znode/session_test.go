package znode

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

func TestCloseSession_ListsEphemeralsIncludingOutstanding(t *testing.T) {
	w := newWorld(t)
	w.must("/p")
	for _, path := range []string{"/p/old", "/p/gone", "/p/taken"} {
		w.do(alice, proto.OpCreate, mkCreate(path, 1))
	}
	w.prepare(home, alice, proto.OpCreate, mkCreate("/p/new", 1))
	w.prepare(home, bob, proto.OpDelete, mkDelete("/p/gone", -1))
	w.prepare(home, bob, proto.OpDelete, mkDelete("/p/taken", -1))
	w.prepare(home, bob, proto.OpCreate, mkCreate("/p/taken", 1))
	w.prepare(home, alice, proto.OpCreate, mkCreate("/p/brief", 1))
	w.prepare(home, alice, proto.OpDelete, mkDelete("/p/brief", -1))
	assert.True(t, w.prep.SessionAlive(alice))
	_, rec := w.prepare(home, alice, proto.OpCloseSession, &proto.Empty{})
	assert.Equal(t, []string{"/p/new", "/p/old"}, rec.(*proto.CloseSessionTxn).Paths)
	assert.False(t, w.prep.SessionAlive(alice), "closing from prepare on (ZOOKEEPER-1208)")
	assert.False(t, w.prep.SetOwner(alice, 2), "and cannot move")
	w.prepare(home, alice, proto.OpCreate, mkCreate("/p/late", 1))
	_, again := w.prepare(home, alice, proto.OpCloseSession, &proto.Empty{})
	assert.Empty(t, again.(*proto.CloseSessionTxn).Paths, "closing again does nothing")
	for range 6 {
		require.Equal(t, proto.OK, w.apply().Err)
	}
	require.Equal(t, proto.OK, w.apply().Err)
	assert.Equal(t, "Deleted /p/new, ChildrenChanged /p, Deleted /p/old, ChildrenChanged /p", w.story())
	assert.Equal(t, int64(w.tree.Zxid()), w.stat("/p").Pzxid)
	assert.Equal(t, proto.ErrSessionExpired, w.apply().Err)
	require.Equal(t, proto.OK, w.apply().Err)
	assert.Equal(t, []string{"taken"}, mustNode(w, "/p").Children())
	_, ok := w.tree.Session(alice)
	assert.False(t, ok)
	assert.Equal(t, []int64{bob}, w.tree.EphemeralOwners())
	assert.Equal(t, []string{"/p/taken"}, w.tree.Ephemerals(bob))
	assert.Equal(t, proto.OK, w.do(12345, proto.OpCloseSession, &proto.Empty{}).Err, "a session nobody knows")
}

func TestSession_MovedIsRefusedFromTheOldServer(t *testing.T) {
	w := newWorld(t)
	from := func(server ensemble.ServerID, op proto.OpCode, rec proto.Record) Result {
		w.prepare(server, alice, op, rec)
		return w.apply()
	}
	owner, known := w.prep.Owner(alice)
	assert.True(t, known && owner == home, "who created it")
	require.True(t, w.prep.SetOwner(alice, 2))
	res := from(1, proto.OpCreate, mkCreate("/zombie", 0))
	assert.Equal(t, proto.ErrSessionMoved, res.Err)
	assert.True(t, res.SessionMoved())
	res = from(1, proto.OpMulti, multiOf(1, mkCreate("/zombie", 0)))
	assert.True(t, res.SessionMoved(), "ZOOKEEPER-2886")
	res = from(2, proto.OpCreate, mkCreate("/a", 0))
	assert.Equal(t, proto.OK, res.Err)
	assert.False(t, res.SessionMoved())

	w.prep.Reset()
	assert.Equal(t, proto.OK, from(3, proto.OpSetData, mkSet("/a", "", -1)).Err, "after a new leadership the first to ask")
	assert.Equal(t, proto.ErrSessionMoved, from(2, proto.OpSetData, mkSet("/a", "", -1)).Err)
	assert.False(t, w.prep.SetOwner(77, 1), "unknown")
	assert.Equal(t, proto.OK, from(1, proto.OpCloseSession, &proto.Empty{}).Err, "the expirer is not the owner")
	_, known = w.prep.Owner(alice)
	assert.False(t, known)
}

func TestCreateSession_OutstandingSessionMayWriteAndItsIDIsTaken(t *testing.T) {
	w := newWorld(t)
	w.prepare(home, 7, proto.OpCreateSession, &proto.CreateSessionTxn{TimeoutMillis: 4000})
	w.prepare(home, 7, proto.OpCreate, mkCreate("/e", 1))
	w.prepare(home, 7, proto.OpCreateSession, &proto.CreateSessionTxn{TimeoutMillis: 1})
	w.prepare(home, 7, proto.OpCloseSession, &proto.Empty{})
	w.prepare(home, 7, proto.OpCreateSession, &proto.CreateSessionTxn{TimeoutMillis: 1})
	assert.Equal(t, int32(4000), w.apply().TimeoutMillis)
	assert.Equal(t, proto.OK, w.apply().Err)
	assert.Equal(t, proto.ErrBadArguments, w.apply().Err)
	assert.Equal(t, proto.OK, w.apply().Err)
	assert.Equal(t, proto.ErrBadArguments, w.apply().Err, "still closing when it was prepared")
	assert.Empty(t, w.prep.sessions)
	assert.Equal(t, map[int64]int32{alice: 6000, bob: 6000}, w.tree.Sessions())
	assert.Equal(t, 2, w.tree.SessionCount())
}

func TestPrepare_PanicsOnZxidsThatDoNotAscend(t *testing.T) {
	w := newWorld(t)
	req := &proto.Request{Op: proto.OpCloseSession}
	assert.Panics(t, func() { w.prep.Prepare(w.zxid, 1, home, req) })
	w.prep.Prepare(w.zxid+1, 1, home, req)
	assert.Panics(t, func() { w.prep.Prepare(w.zxid+1, 1, home, req) })
}
