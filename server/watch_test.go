package server

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/watch"
	"github.com/quorate/quorate/server/znode"
)

func TestWatch_OneShotsOfEachKind(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c, w := open(t, e.members[0].addr), open(t, e.members[0].addr)
	c.create(1, "/n", "", 0)
	assert.Equal(t, proto.ErrNoNode, w.do(1, proto.OpExists, read("/later", true), nil).Err)
	assert.Equal(t, proto.ErrNoNode, w.do(2, proto.OpGetData, read("/never", true), nil).Err)
	w.mustDo(3, proto.OpGetData, read("/n", true), &proto.DataReply{})
	w.mustDo(4, proto.OpGetChildren, read("/n", true), &proto.StringsReply{})
	for i, step := range []struct {
		op   proto.OpCode
		rec  proto.Record
		want []proto.WatcherEvent
	}{
		{proto.OpCreate, createOf("/later", "", 0), []proto.WatcherEvent{{Type: proto.EventNodeCreated, Path: "/later"}}},
		{proto.OpCreate, createOf("/never", "", 0), nil},
		{proto.OpCreate, createOf("/n/c", "", 0), []proto.WatcherEvent{{Type: proto.EventNodeChildrenChanged, Path: "/n"}}},
		{proto.OpSetData, setOf("/n", "x"), []proto.WatcherEvent{{Type: proto.EventNodeDataChanged, Path: "/n"}}},
		{proto.OpSetData, setOf("/n", "y"), nil},
		{proto.OpDelete, &proto.PathVersionRequest{Path: "/n/c", Version: -1}, nil},
	} {
		require.Equal(t, proto.OK, c.do(int32(10+i), step.op, step.rec, nilReply(step.op)).Err)
		for _, want := range step.want {
			want.State = proto.StateSyncConnected
			_, ev := w.event()
			assert.Equal(t, want, ev)
		}
	}
	// Both watches of a deleted node are used up by one event.
	w.mustDo(5, proto.OpGetData, read("/n", true), &proto.DataReply{})
	w.mustDo(6, proto.OpGetChildren2, read("/n", true), &proto.Children2Reply{})
	c.mustDo(20, proto.OpDelete, &proto.PathVersionRequest{Path: "/n", Version: -1}, nil)
	_, ev := w.event()
	assert.Equal(t, proto.EventNodeDeleted, ev.Type)
	w.mustDo(7, proto.OpGetData, read("/", false), &proto.DataReply{}) // nothing in between
	assert.Zero(t, e.members[0].s.census().watches)
}

func nilReply(op proto.OpCode) proto.Record {
	switch op {
	case proto.OpCreate:
		return &proto.PathReply{}
	case proto.OpSetData:
		return &proto.StatReply{}
	}
	return nil
}

func TestWatch_OldEventsHaveNoZxid(t *testing.T) {
	for _, old := range []bool{false, true} {
		h := newHand(Config{OldEvents: old})
		w := h.join(t)
		w.do(proto.OpExists, read("/a", true))
		w.reply(t, nil)
		w.do(proto.OpCreate, createOf("/a", "", 0))
		want := int64(h.zxid)
		if old {
			want = -1
		}
		assert.Equal(t, want, w.reply(t, nil).Zxid)
		assert.EqualValues(t, h.zxid, w.reply(t, nil).Zxid)
	}
}

func TestWatch_SetWatchesAfterReconnect(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	c, other := open(t, e.members[0].addr), open(t, e.members[1].addr)
	for i, p := range []string{"/same", "/changed", "/deleted", "/again", "/kids", "/nokids"} {
		c.create(int32(i+1), p, "", 0)
	}
	h := c.do(10, proto.OpExists, read("/absent", false), nil)
	other.create(1, "/kids/k", "", 0)
	other.mustDo(2, proto.OpSetData, setOf("/changed", "x"), &proto.StatReply{})
	other.mustDo(3, proto.OpDelete, &proto.PathVersionRequest{Path: "/deleted", Version: -1}, nil)
	other.mustDo(4, proto.OpDelete, &proto.PathVersionRequest{Path: "/again", Version: -1}, nil)
	other.create(5, "/again", "", 0)
	other.create(6, "/born", "", 0)
	again, _, ok := comeBack(t, e.members[2].addr, c)
	require.True(t, ok)
	again.write(request(-8, proto.OpSetWatches, &proto.SetWatchesRequest{RelativeZxid: h.Zxid,
		Data:  []string{"/same", "/changed", "/deleted", "/again"},
		Exist: []string{"/absent", "/born"},
		Child: []string{"/kids", "/nokids", "/deleted"}}))
	got := map[string]bool{}
	for range 6 {
		at, ev := again.event()
		assert.EqualValues(t, -1, at)
		got[fmt.Sprint(ev.Type, ev.Path)] = true
	}
	again.expect(-8, nil)
	assert.Equal(t, map[string]bool{"NodeDataChanged/changed": true, "NodeDeleted/deleted": true, "NodeDataChanged/again": true,
		"NodeCreated/born": true, "NodeChildrenChanged/kids": true}, got, "and NodeDeleted/deleted twice")
	// What did not fire is armed.
	other.create(7, "/absent", "", 0)
	_, ev := again.event()
	assert.Equal(t, "/absent", ev.Path)
	other.create(8, "/nokids/k", "", 0)
	_, ev = again.event()
	assert.Equal(t, proto.EventNodeChildrenChanged, ev.Type)
	other.mustDo(9, proto.OpSetData, setOf("/same", "x"), &proto.StatReply{})
	_, ev = again.event()
	assert.Equal(t, "/same", ev.Path)
	assert.Zero(t, e.members[2].s.census().watches)
}

func TestWatch_SetWatchesMayBeLong(t *testing.T) {
	e := newEnsemble(t, 1, Config{JuteMaxBuffer: 10000})
	c := open(t, e.members[0].addr)
	var paths []string
	for i := range 5000 {
		paths = append(paths, fmt.Sprintf("/absent-%d", i))
	}
	c.mustDo(1, proto.OpSetWatches2, &proto.SetWatchesRequest{Exist: paths, Extended: true}, nil)
	assert.Equal(t, 5000, e.members[0].s.census().watches)
	require.NoError(t, c.nc.Close())
	require.Eventually(t, func() bool { return e.members[0].s.census().watches == 0 }, waitFor, tickFor,
		"the watches of a dead connection are dropped")
}

func TestWatch_AddCheckRemove(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c, w := open(t, e.members[0].addr), open(t, e.members[0].addr)
	c.create(1, "/r", "", 0)
	assert.Equal(t, proto.ErrMarshalling, w.do(1, proto.OpAddWatch, &proto.AddWatchRequest{Path: "/r", Mode: 9}, nil).Err)
	w.write(request(2, proto.OpAddWatch, &proto.AddWatchRequest{Path: "/r", Mode: proto.AddWatchPersistentRecursive}))
	_, body := w.reply()
	assert.Equal(t, make([]byte, 4), body, "an int of its own behind the header")
	for i := range int32(3) {
		c.create(2+i, fmt.Sprintf("/r/%d", i), "", 0)
		_, ev := w.event()
		assert.Equal(t, fmt.Sprintf("/r/%d", i), ev.Path)
	}
	check := func(xid int32, op proto.OpCode, typ int32) proto.ErrCode {
		return w.do(xid, op, &proto.WatchesRequest{Path: "/r", Type: typ}, nil).Err
	}
	assert.Equal(t, proto.OK, check(3, proto.OpCheckWatches, proto.WatcherAny))
	assert.Equal(t, proto.ErrNoWatcher, check(4, proto.OpCheckWatches, proto.WatcherData))
	assert.Equal(t, proto.ErrMarshalling, check(5, proto.OpRemoveWatches, 77))
	assert.Equal(t, proto.OK, check(6, proto.OpRemoveWatches, proto.WatcherPersistentRecursive))
	assert.Equal(t, proto.ErrNoWatcher, check(7, proto.OpRemoveWatches, proto.WatcherAny))
	c.create(9, "/r/9", "", 0)
	w.mustDo(8, proto.OpExists, read("/r", false), &proto.StatReply{})
}

func TestWatch_EventsAreFilteredByACL(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c, spy := open(t, e.members[0].addr), open(t, e.members[0].addr)
	assert.Equal(t, proto.ErrNoNode, spy.do(1, proto.OpExists, read("/secret", true), nil).Err)
	id := znode.DigestID("u", "p")
	c.mustDo(1, proto.OpCreate, &proto.CreateRequest{Path: "/secret", ACL: []proto.ACL{{Perms: proto.PermAll, ID: id}}}, &proto.PathReply{})
	spy.mustDo(2, proto.OpExists, read("/", false), &proto.StatReply{})
	assert.Zero(t, e.members[0].s.census().watches, "used up all the same")
}

// ZOOKEEPER-1382: the watches of a connection that is closing would never go.
func TestWatch_NoneForAClosingConnection(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	open(t, e.members[0].addr)
	s := e.members[0].s
	c := s.connections()[0]
	c.finish("test")
	assert.Equal(t, proto.OK, c.arm((*watch.Manager[*Conn]).AddData, "/n"))
	assert.Zero(t, s.census().watches)
}

func TestWatch_TooManyAreRefused(t *testing.T) {
	e := newEnsemble(t, 1, Config{WatchesMax: 3})
	c := open(t, e.members[0].addr)
	for i := range int32(3) {
		assert.Equal(t, proto.ErrNoNode, c.do(i, proto.OpExists, read(fmt.Sprint("/", i), true), nil).Err)
	}
	assert.Equal(t, proto.ErrSystem, c.do(4, proto.OpExists, read("/4", true), nil).Err)
	c.mustDo(5, proto.OpExists, read("/", false), &proto.StatReply{})
}

func TestWatch_ThousandWatchersAreTold(t *testing.T) {
	const n = 300
	e := newEnsemble(t, 1, Config{MaxClientCnxns: -1})
	c := open(t, e.members[0].addr)
	c.create(1, "/n", "", 0)
	var wg sync.WaitGroup
	for range n {
		w := open(t, e.members[0].addr)
		w.mustDo(1, proto.OpGetData, read("/n", true), &proto.DataReply{})
		wg.Go(func() {
			_, err := w.frame()
			assert.NoError(t, err)
		})
	}
	start := time.Now()
	c.mustDo(2, proto.OpSetData, setOf("/n", "x"), &proto.StatReply{})
	wg.Wait()
	t.Logf("%d watchers told in %v", n, time.Since(start))
}
