package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// submitted counts the transactions that a server asked for.
func (h *hand) submitted() int { return int(h.zxid.Counter()) }

func TestLocal_SessionCostsNoTransaction(t *testing.T) {
	h := newHand(Config{LocalSessions: true})
	w := h.join(t)
	assert.Zero(t, h.submitted())
	assert.Equal(t, 1, h.s.localSessions())
	w.do(proto.OpCreate, createOf("/a", "1", proto.FlagPersistent))
	assert.Equal(t, proto.OK, w.reply(t, &proto.PathReply{}).Err)
	w.do(proto.OpGetData, read("/a", true))
	assert.Equal(t, proto.OK, w.reply(t, &proto.DataReply{}).Err)
	before := h.submitted()
	w.do(proto.OpCloseSession, &proto.Empty{})
	assert.Equal(t, proto.OK, w.reply(t, nil).Err)
	assert.Equal(t, before, h.submitted(), "its end is nobody else's business")
	assert.True(t, w.ended)
	assert.Zero(t, h.s.localSessions())
}

// The answer to closeSession waits for those of the writes before it.
func TestLocal_CloseKeepsItsPlace(t *testing.T) {
	h := newHand(Config{LocalSessions: true})
	w := h.join(t)
	h.late = true
	w.send(append(request(1, proto.OpCreate, createOf("/a", "", 0)), request(2, proto.OpCloseSession, &proto.Empty{})...))
	h.settle()
	_, err := w.frame()
	require.Error(t, err, "nothing is answered yet")
	h.step()
	h.settle()
	assert.EqualValues(t, 1, w.reply(t, &proto.PathReply{}).Xid)
	assert.EqualValues(t, 2, w.reply(t, nil).Xid)
}

func TestLocal_NoEphemeralsWithoutUpgrade(t *testing.T) {
	e := newEnsemble(t, 3, Config{LocalSessions: true})
	for i := range 2 { // a follower, the leader
		c := open(t, e.members[2*i].addr)
		for n, flags := range []int32{proto.FlagEphemeral, proto.FlagEphemeralSequential} {
			assert.Equal(t, proto.ErrEphemeralOnLocalSession, c.do(int32(n), proto.OpCreate, createOf("/e", "", flags), nil).Err)
		}
		multi := &proto.MultiRequest{Ops: []proto.MultiOp{
			{Op: proto.OpCreate, Request: createOf("/p", "", proto.FlagPersistent)},
			{Op: proto.OpCreate2, Request: createOf("/e", "", proto.FlagEphemeral)},
		}}
		assert.Equal(t, proto.ErrEphemeralOnLocalSession, c.do(3, proto.OpMulti, multi, nil).Err, "the whole multi")
		assert.Equal(t, proto.ErrNoNode, c.do(4, proto.OpExists, read("/p", false), nil).Err)
	}
}

func TestLocal_EphemeralMakesItGlobal(t *testing.T) {
	for name, first := range map[string]struct {
		op  proto.OpCode
		rec proto.Record
	}{
		"create":  {proto.OpCreate, createOf("/e", "", proto.FlagEphemeral)},
		"create2": {proto.OpCreate2, createOf("/e", "", proto.FlagEphemeral)},
		"multi": {proto.OpMulti, &proto.MultiRequest{Ops: []proto.MultiOp{
			{Op: proto.OpCreate, Request: createOf("/p", "", proto.FlagPersistent)},
			{Op: proto.OpCreate, Request: createOf("/e", "", proto.FlagEphemeral)},
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnsemble(t, 3, Config{LocalSessions: true, LocalSessionsUpgrading: true})
			c := open(t, e.members[0].addr)
			// All at once: what comes before and behind the first ephemeral node.
			b := request(1, proto.OpCreate, createOf("/before", "", proto.FlagPersistent))
			b = append(b, request(2, first.op, first.rec)...)
			b = append(b, request(3, proto.OpCreate, createOf("/e2", "", proto.FlagEphemeral))...)
			c.write(b)
			for xid := range int32(3) {
				require.Equal(t, proto.OK, c.expect(xid+1, nil).Err)
			}
			assert.Zero(t, e.members[0].s.localSessions())
			var st proto.StatReply
			c.mustDo(4, proto.OpExists, read("/e", false), &st)
			assert.Equal(t, c.session, st.Stat.EphemeralOwner)

			// Now it can move, and its end takes the nodes along.
			require.Eventually(t, func() bool { return e.members[1].s.zxid.Load() >= c.last }, waitFor, tickFor)
			moved, resp, ok := comeBack(t, e.members[1].addr, c)
			require.True(t, ok)
			require.Equal(t, c.session, resp.SessionID)
			moved.mustDo(1, proto.OpExists, read("/e2", false), &proto.StatReply{})
			moved.mustDo(2, proto.OpCloseSession, &proto.Empty{}, nil)
			other := open(t, e.members[1].addr)
			assert.Equal(t, proto.ErrNoNode, other.do(1, proto.OpExists, read("/e", false), nil).Err)
			e.sameTrees()
		})
	}
}

func TestLocal_ComesBackHereAndNowhereElse(t *testing.T) {
	e := newEnsemble(t, 3, Config{LocalSessions: true, TickTime: time.Second})
	c := open(t, e.members[0].addr)
	again, resp, ok := reopen(t, e.members[0].addr, c)
	require.True(t, ok)
	assert.Equal(t, c.session, resp.SessionID)
	c.closed()
	again.create(1, "/a", "", proto.FlagPersistent)
	_, resp, ok = comeBack(t, e.members[1].addr, again)
	require.True(t, ok)
	assert.Zero(t, resp.SessionID, "another server has never heard of it")
	e.elect(2) // and it outlives an election
	_, resp, ok = reopen(t, e.members[0].addr, again)
	require.True(t, ok)
	assert.Equal(t, again.session, resp.SessionID)
	wrong := *again
	wrong.password = make([]byte, 16)
	_, resp, ok = reopen(t, e.members[0].addr, &wrong)
	require.True(t, ok)
	assert.Zero(t, resp.SessionID)
}

func TestLocal_Expires(t *testing.T) {
	h := newHand(Config{LocalSessions: true})
	quiet, pinging := h.join(t), h.join(t)
	for range 20 {
		h.clock += 500 * time.Millisecond
		pinging.do(proto.OpPing, &proto.Empty{})
		h.s.Housekeep()
		h.settle()
	}
	assert.True(t, quiet.closed)
	assert.False(t, pinging.closed)
	assert.Equal(t, 1, h.s.localSessions())
	assert.Zero(t, h.submitted())
}

// While many new sessions are being made, one that a client had before does not
// wait for all of them.
func TestCreations_RenewalsDoNotWaitForAll(t *testing.T) {
	h := newHand(Config{MaxClientCnxns: -1})
	old := h.join(t)
	h.late = true
	var crowd []*handWire
	for range 3 * creationsMax {
		w := h.dial("10.0.0.2:1")
		w.send(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000}))
		crowd = append(crowd, w)
	}
	h.settle()
	assert.Len(t, h.queue, creationsMax)
	back := h.dial("10.0.0.1:2")
	back.send(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000, SessionID: old.session, Password: h.password(old.session)}))
	h.settle()
	for range creationsMax + 1 {
		h.step()
	}
	h.settle()
	_, err := back.frame()
	require.NoError(t, err, "it comes behind those that were under way")
	for len(h.queue) > 0 {
		h.step()
		h.settle() // who has the turn asks by a worker
	}
	for _, w := range crowd {
		_, err := w.frame()
		require.NoError(t, err)
	}
	assert.Zero(t, h.s.creating.active)
}

// Clients that give up while they wait leave no trace.
func TestCreations_ClientsThatGiveUp(t *testing.T) {
	h := newHand(Config{MaxClientCnxns: -1})
	h.late = true
	for range 2 * creationsMax {
		w := h.dial("10.0.0.2:1")
		w.send(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000}))
	}
	h.settle()
	for _, w := range h.wires {
		w.c.Abort("the client went away")
	}
	for len(h.queue) > 0 {
		h.step()
	}
	assert.Zero(t, h.s.creating.active)
	assert.Empty(t, h.s.creating.waiting)
	assert.Equal(t, creationsMax, h.submitted(), "those that waited were never asked for")
	h.late = false
	h.join(t)
}

// A client that goes away between getting its turn and using it does not keep it.
func TestCreations_TurnsOfClientsThatAreGone(t *testing.T) {
	h := newHand(Config{MaxClientCnxns: -1})
	h.late = true
	var crowd []*handWire
	for range 2 * creationsMax {
		w := h.dial("10.0.0.2:1")
		w.send(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000}))
		crowd = append(crowd, w)
	}
	h.settle()
	for len(h.queue) > 0 {
		h.step() // gives turns, and no worker has used one yet
	}
	for _, w := range crowd {
		w.c.Abort("the client went away")
	}
	h.settle()
	assert.Zero(t, h.s.creating.active)
	assert.Zero(t, h.s.inflight.Load())
	h.late = false
	h.join(t)
}

// A client whose request is looked at while the server loses its role gets no
// local session: nobody would take it away again.
func TestLocal_NoneWithoutARole(t *testing.T) {
	h := newHand(Config{LocalSessions: true})
	w := h.dial("10.0.0.1:1")
	w.send(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000}))
	h.s.cfg.Trace.Touched = nil
	late := h.s.cfg.Clock
	lost := false
	h.s.now = func() time.Duration { // it is asked behind the check that the server serves
		if !lost {
			lost = true
			h.look()
		}
		return late()
	}
	h.settle()
	_, err := w.frame()
	assert.Error(t, err)
	assert.True(t, w.ended || w.closed)
	assert.Zero(t, h.s.localSessions())
}

// Only the connection that has the local session makes it a global one.
func TestLocal_UpgradeByTheOldConnectionFails(t *testing.T) {
	h := newHand(Config{LocalSessions: true, LocalSessionsUpgrading: true})
	old := h.join(t)
	old.send(request(1, proto.OpCreate, createOf("/e", "", proto.FlagEphemeral)))
	again := h.dial("10.0.0.1:2")
	h.s.mu.Lock()
	h.s.sessions[old.session] = again.c // as bind does, for a client that came back
	h.s.mu.Unlock()
	h.settle()
	assert.True(t, old.ended || old.closed)
	assert.Zero(t, h.submitted())
	assert.Equal(t, 1, h.s.localSessions())
	assert.Zero(t, h.s.inflight.Load())
}

func TestLocal_ContainersNeedNoUpgradeWhateverTheirFlags(t *testing.T) {
	h := newHand(Config{LocalSessions: true})
	w := h.join(t)
	w.do(proto.OpCreateContainer, createOf("/c", "", proto.FlagEphemeral))
	assert.Equal(t, proto.OK, w.reply(t, &proto.Create2Reply{}).Err)
}
