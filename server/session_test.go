package server

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
)

func TestSession_CloseRemovesEphemeralsAndAnswersFirst(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	c, other := open(t, e.members[0].addr), open(t, e.members[1].addr)
	c.create(1, "/e", "", proto.FlagEphemeral)
	other.mustDo(1, proto.OpSync, &proto.PathRequest{Path: "/"}, &proto.PathReply{})
	other.mustDo(2, proto.OpExists, read("/e", true), &proto.StatReply{})
	h := c.mustDo(2, proto.OpCloseSession, &proto.Empty{}, nil)
	c.closed()
	at, ev := other.event()
	assert.Equal(t, h.Zxid, at)
	assert.Equal(t, proto.EventNodeDeleted, ev.Type)
	assert.Equal(t, proto.ErrNoNode, other.do(3, proto.OpExists, read("/e", false), nil).Err)
}

func TestSession_CloseIsCleanWhateverTheClientStillSends(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	b := request(1, proto.OpCloseSession, &proto.Empty{})
	for i := range int32(50_000) {
		b = append(b, request(2+i, proto.OpExists, read("/", false))...)
	}
	c.write(b)
	c.expect(1, nil)
	c.closed() // a reset would be an error here
}

func TestSession_CloseIsExecutedWhenTheClientIsGoneAlready(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c, other := open(t, e.members[0].addr), open(t, e.members[0].addr)
	c.create(1, "/e", "", proto.FlagEphemeral)
	release := e.hold()
	c.write(append(request(2, proto.OpCreate, createOf("/p", "", 0)), request(3, proto.OpCloseSession, &proto.Empty{})...))
	require.NoError(t, c.nc.Close())
	release()
	require.Eventually(t, func() bool {
		return other.do(1, proto.OpExists, read("/e", false), &proto.StatReply{}).Err == proto.ErrNoNode
	}, waitFor, tickFor)
	other.mustDo(2, proto.OpExists, read("/p", false), &proto.StatReply{})
}

func TestSession_ExpiresOnTheLeaderAfterItsTimeoutOnly(t *testing.T) {
	e := newEnsemble(t, 3, Config{TickTime: 100 * time.Millisecond})
	quiet, pinging := dialRaw(t, e.members[0].addr), dialRaw(t, e.members[1].addr)
	for _, c := range []*rawClient{quiet, pinging} {
		_, ok := c.connect(proto.ConnectRequest{TimeoutMillis: 400, HasReadOnly: true})
		require.True(t, ok)
	}
	quiet.create(1, "/quiet", "", proto.FlagEphemeral)
	pinging.create(1, "/pinging", "", proto.FlagEphemeral)
	pinging.mustDo(2, proto.OpExists, read("/quiet", true), &proto.StatReply{})
	require.NoError(t, quiet.nc.Close())
	start := time.Now()
	require.Eventually(t, func() bool {
		pinging.write(request(-2, proto.OpPing, &proto.Empty{}))
		h, _ := pinging.reply()
		return h.Xid == proto.XidNotification
	}, waitFor, tickFor)
	assert.Greater(t, time.Since(start), 350*time.Millisecond)
	assert.Less(t, time.Since(start), 5*time.Second)
	pinging.expect(-2, nil)
	pinging.mustDo(3, proto.OpExists, read("/pinging", false), &proto.StatReply{})
	_, resp, ok := comeBack(t, e.members[2].addr, quiet)
	require.True(t, ok)
	assert.Zero(t, resp.SessionID, "it is told")
}

func TestSession_ExpiryClosesTheConnectionWhereverItIs(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	c := open(t, e.members[0].addr)
	c.create(1, "/e", "", proto.FlagEphemeral)
	e.members[2].s.closeSession(c.session) // as expire does
	c.closed()
}

func TestSession_MovesToAnotherServer(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	old := open(t, e.members[0].addr)
	old.create(1, "/e", "", proto.FlagEphemeral)
	moved, resp, ok := comeBack(t, e.members[1].addr, old)
	require.True(t, ok)
	require.Equal(t, old.session, resp.SessionID)
	// What the old connection still sends is not executed, and not answered.
	old.write(request(2, proto.OpCreate, createOf("/zombie", "", 0)))
	old.closed()
	assert.Equal(t, proto.ErrNoNode, moved.do(1, proto.OpExists, read("/zombie", false), nil).Err)
	var st proto.StatReply
	moved.mustDo(2, proto.OpExists, read("/e", false), &st)
	assert.Equal(t, moved.session, st.Stat.EphemeralOwner)
	moved.create(3, "/e2", "", proto.FlagEphemeral)
	back, _, ok := comeBack(t, e.members[0].addr, moved)
	require.True(t, ok)
	back.create(1, "/e3", "", proto.FlagEphemeral)
	moved.write(request(4, proto.OpMulti, &proto.MultiRequest{Ops: []proto.MultiOp{{Op: proto.OpDelete,
		Request: &proto.PathVersionRequest{Path: "/e3", Version: -1}}}}))
	moved.closed() // ZOOKEEPER-2886: a multi says so too
}

func TestSession_SurvivesElections(t *testing.T) {
	e := newEnsemble(t, 3, Config{TickTime: 100 * time.Millisecond})
	c := open(t, e.members[0].addr)
	c.create(1, "/e", "", proto.FlagEphemeral)
	for i := range 3 {
		e.elect(ensemble.ServerID(i + 1))
		c.closed()
		next, resp, ok := comeBack(t, e.members[(i+1)%3].addr, c)
		require.True(t, ok)
		require.Equal(t, c.session, resp.SessionID)
		next.last = c.last
		c = next
		var st proto.StatReply
		h := c.mustDo(1, proto.OpExists, read("/e", false), &st)
		assert.GreaterOrEqual(t, h.Zxid, int64(e.member(1).s.role.Load().Epoch)<<32, "an epoch's state before its first txn has a zxid")
		c.create(2, fmt.Sprint("/e", i), "", proto.FlagEphemeral)
	}
}

func TestSession_PendingRequestsEndWithTheRole(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	c := open(t, e.members[0].addr)
	release := e.hold()
	c.write(append(request(1, proto.OpCreate, createOf("/a", "", 0)), request(2, proto.OpExists, read("/a", false))...))
	require.Eventually(t, func() bool { return e.members[0].s.inflight.Load() == 2 }, waitFor, tickFor)
	e.members[0].s.RoleChanged(zabLooking)
	c.closed()
	release()
	require.Eventually(t, func() bool { return e.members[0].s.inflight.Load() == 0 }, waitFor, tickFor)
}

func TestSession_OrphansAreClosedByTransaction(t *testing.T) {
	e := newEnsemble(t, 3, Config{TickTime: 50 * time.Millisecond})
	c := open(t, e.members[0].addr)
	const ghost = 0x1234
	e.push(func() { // what only a foreign snapshot can hold
		for _, m := range e.members {
			h := proto.TxnHeader{Session: ghost, Zxid: int64(e.zxid) + 1, Type: proto.OpCreate}
			m.s.state.Lock()
			m.s.tree.Apply(h, &proto.CreateTxn{Path: "/ghost", Ephemeral: true, ParentCVersion: 1}, nil)
			m.s.state.Unlock()
		}
		e.zxid++
	})
	e.elect(2)
	c.closed()
	c = open(t, e.members[1].addr)
	require.Eventually(t, func() bool {
		return c.do(1, proto.OpExists, read("/ghost", false), &proto.StatReply{}).Err == proto.ErrNoNode
	}, waitFor, tickFor)
	e.sameTrees()
}

func TestSession_DamagedMessagesBetweenServers(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	s := e.members[0].s
	for _, b := range [][]byte{nil, {}, {1}, {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {0xff, 0xff, 0xff, 0xff}, {0x7f, 0xff, 0xff, 0xff}} {
		s.HeartbeatFrom(2, b)
		assert.Nil(t, s.Answer(2, b))
	}
	_, known := readRevalidated(nil)
	assert.False(t, known)
	data := s.Prepare(ensemble.NewZxid(1, 99), zabOrigin(1), []byte("nonsense"))
	h, rec, err := proto.DecodeTxn(data)
	require.NoError(t, err)
	assert.Equal(t, proto.OpError, h.Type)
	assert.Equal(t, &proto.ErrorTxn{Err: proto.ErrMarshalling}, rec)
	create := appendRequest(1, 1, proto.OpCreateSession, false, encodeIDs(nil), proto.Marshal(&proto.CreateSessionTxn{TimeoutMillis: 1}))
	s.Prepare(ensemble.NewZxid(7, 1), zabOrigin(1), create)
	assert.Zero(t, s.preparer.Outstanding(), "another leadership's request leaves no trace")
}

func FuzzServer_Messages(f *testing.F) {
	f.Add(askRevalidate(7, time.Second))
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9})
	f.Add(appendRequest(1, 2, proto.OpSetData, false, encodeIDs([]proto.ID{{Scheme: "ip", ID: "::1"}}), proto.Marshal(setOf("/", "x"))))
	s := New(Config{Self: 1, Logger: slog.New(slog.DiscardHandler)})
	s.Attach(&memberFake{e: &ensembleFake{members: make([]*memberFake, 1)}})
	s.RoleChanged(zabLeading(1))
	z := ensemble.NewZxid(1, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		s.HeartbeatFrom(2, b)
		s.Answer(2, b)
		readRevalidated(b)
		z++
		data := s.Prepare(z, zabOrigin(1), b)
		s.Apply(zabTxn(z, data))
	})
}

func TestSession_TakenIDIsNotGivenTwice(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	s := e.members[0].s
	e.push(func() {
		s.mu.Lock()
		g := s.ids
		s.mu.Unlock()
		id := g.Next(func(int64) bool { return false })
		req := appendRequest(id, 0, proto.OpCreateSession, false, encodeIDs(nil), proto.Marshal(&proto.CreateSessionTxn{TimeoutMillis: 10000}))
		e.commit(1, req, func(any, error) {})
	})
	e.wait()
	c := open(t, e.members[0].addr)
	s.mu.Lock()
	g := s.ids
	s.mu.Unlock()
	assert.Equal(t, g.Next(func(int64) bool { return false })-1, c.session)
	assert.True(t, session.Verify(s.cfg.Secret, c.session, c.password))
}

// Random clients on all servers, and elections: afterwards all trees are equal.
func TestSession_ReplicasAgree(t *testing.T) {
	e := newEnsemble(t, 3, Config{TickTime: 50 * time.Millisecond})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			c := dialRaw(t, e.members[i%3].addr)
			if _, ok := c.connect(proto.ConnectRequest{TimeoutMillis: 200, HasReadOnly: true}); !ok {
				return
			}
			for xid := int32(1); xid < 60; xid++ {
				flags := []int32{0, proto.FlagEphemeral, proto.FlagSequential, proto.FlagEphemeralSequential}[int(xid)%4]
				if _, err := c.nc.Write(request(xid, proto.OpCreate, createOf(fmt.Sprintf("/%d-%d", i, xid), "x", flags))); err != nil {
					return
				}
				if _, err := c.frame(); err != nil {
					return
				}
			}
		})
	}
	require.Eventually(t, func() bool { return e.members[1].s.zxid.Load()&0xffffffff > 100 }, waitFor, tickFor)
	e.elect(1)
	wg.Wait()
	e.wait()
	e.sameTrees()
}
