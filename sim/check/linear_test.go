package check_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

func TestLinear_AgreesWithWitnessOnHonestHistories(t *testing.T) {
	paths, ops, unknown := 0, 0, 0
	for i := range *witnessSeeds / 10 {
		seed := *witnessSeed + 20_000 + uint64(i)
		h := newTown(seed).run(7000)
		v := check.Linear(h, check.LinearLimits{PerPath: 200 * time.Millisecond})
		require.Empty(t, v.Violations, "-check.seed %d", seed)
		paths, ops, unknown = paths+v.Paths, ops+v.Operations, unknown+v.Unknown
	}
	t.Logf("%d paths, %d operations, %d unknown", paths, ops, unknown)
	assert.Greater(t, ops, 10*paths)
	assert.Less(t, unknown*20, paths, "too many searches took too long")
}

// story is a history written by hand: two clients, each on a connection.
type story struct {
	h     *check.History
	order int
	zxid  ensemble.Zxid
}

func newStory() *story {
	s := &story{h: &check.History{SyncIsLinearizable: true}}
	for c := 1; c <= 2; c++ {
		s.zxid++
		s.order += 3
		id := int64(c)
		s.h.Conns = append(s.h.Conns, &check.Conn{Client: c, Conn: c, Session: id, Opened: s.order - 2, Answered: s.order})
		s.h.Txns = append(s.h.Txns, check.Txn{Zxid: s.zxid, Session: id, Op: proto.OpCreateSession, Order: s.order - 1})
	}
	return s
}

// send lets a client send a request; answer and commit follow.
func (s *story) send(client int, xid int32, code proto.OpCode, req proto.Record) *check.Op {
	s.order++
	op := &check.Op{Client: client, Conn: client, Session: int64(client), Xid: xid, Code: code, Request: req, Sent: s.order}
	s.h.Ops = append(s.h.Ops, op)
	return op
}

func (s *story) commit(op *check.Op) {
	s.order++
	s.zxid++
	s.h.Txns = append(s.h.Txns, check.Txn{Zxid: s.zxid, Session: op.Session, Cxid: op.Xid, Op: op.Code, Order: s.order})
}

func (s *story) answer(op *check.Op, zxid ensemble.Zxid, reply proto.Record) {
	s.order++
	op.Returned, op.Zxid, op.Reply = s.order, zxid, reply
}

func set(data string) *proto.SetDataRequest {
	return &proto.SetDataRequest{Path: "/a", Data: []byte(data), Version: -1}
}

// staleStory has a read of one client that does not show the write of another,
// which was answered before the sync in front of the read was sent.
func staleStory() *story {
	s := newStory()
	create := s.send(1, 1, proto.OpCreate, &proto.CreateRequest{Path: "/a", ACL: proto.OpenACL})
	s.commit(create)
	s.answer(create, s.zxid, &proto.PathReply{Path: "/a"})
	before := s.zxid
	write := s.send(1, 2, proto.OpSetData, set("new"))
	s.commit(write)
	stat := proto.Stat{Czxid: int64(before), Mzxid: int64(s.zxid), Pzxid: int64(before), Version: 1, DataLength: 3}
	s.answer(write, s.zxid, &proto.StatReply{Stat: stat})
	sync := s.send(2, 1, proto.OpSync, &proto.PathRequest{Path: "/a"})
	s.answer(sync, before, &proto.PathReply{Path: "/a"})
	read := s.send(2, 2, proto.OpGetData, &proto.PathWatchRequest{Path: "/a"})
	s.answer(read, before, &proto.DataReply{Stat: proto.Stat{Czxid: int64(before), Mzxid: int64(before), Pzxid: int64(before)}})
	return s
}

func TestLinear_StaleReadBehindSync(t *testing.T) {
	s := staleStory()
	v := check.Linear(s.h, check.LinearLimits{})
	require.Len(t, v.Violations, 1)
	assert.Contains(t, v.Violations[0].Text, "/a")
	f := check.Witness(s.h)
	require.Len(t, f.Violations, 1, report(f))
	assert.Equal(t, "C8", f.First().Invariant)

	s.h.SyncIsLinearizable = false // as ZooKeeper's is not: then the read may be stale
	assert.Empty(t, check.Linear(s.h, check.LinearLimits{}).Violations)
	assert.Empty(t, check.Witness(s.h).Violations)
}

func TestLinear_LostUpdate(t *testing.T) {
	s := newStory()
	create := s.send(1, 1, proto.OpCreate, &proto.CreateRequest{Path: "/a", ACL: proto.OpenACL})
	s.commit(create)
	s.answer(create, s.zxid, &proto.PathReply{Path: "/a"})
	gone := s.send(2, 1, proto.OpSetData, set("x"))
	s.order++
	gone.Returned, gone.Zxid, gone.Err = s.order, s.zxid, proto.ErrNoNode
	v := check.Linear(s.h, check.LinearLimits{})
	assert.Len(t, v.Violations, 1, "the node was there all the time")
}

func TestLinear_UnansweredWriteMayComeLate(t *testing.T) {
	s := newStory()
	create := s.send(1, 1, proto.OpCreate, &proto.CreateRequest{Path: "/a", ACL: proto.OpenACL})
	s.commit(create)
	s.answer(create, s.zxid, &proto.PathReply{Path: "/a"})
	before := s.zxid
	lost := s.send(1, 2, proto.OpSetData, set("late"))
	for i := range int32(2) { // the state before it, then the one behind it
		if i == 1 {
			s.commit(lost)
		}
		sync := s.send(2, 2*i+1, proto.OpSync, &proto.PathRequest{Path: "/a"})
		s.answer(sync, s.zxid, &proto.PathReply{Path: "/a"})
		read := s.send(2, 2*i+2, proto.OpGetData, &proto.PathWatchRequest{Path: "/a"})
		data, stat := []byte(nil), proto.Stat{Czxid: int64(before), Mzxid: int64(s.zxid), Pzxid: int64(before), Version: i}
		if i == 1 {
			data, stat.DataLength = []byte("late"), 4
		}
		s.answer(read, s.zxid, &proto.DataReply{Data: data, Stat: stat})
	}
	v := check.Linear(s.h, check.LinearLimits{})
	assert.Empty(t, v.Violations)
	assert.Equal(t, 4, v.Operations)
	f := check.Witness(s.h)
	assert.Empty(t, f.Violations, report(f))
}

func TestLinear_CutKeepsOnlyWhatIsOver(t *testing.T) {
	s := staleStory()
	v := check.Linear(s.h, check.LinearLimits{OpsPerPath: 2})
	assert.Empty(t, v.Violations, "the read is beyond the cut")
	assert.Equal(t, 2, v.Operations)
}

func TestLinear_SeesReadsThatWereTamperedWith(t *testing.T) {
	seen := 0
	for i := range uint64(60) {
		base := newTown(*witnessSeed + 30_000 + i).run(6000)
		for _, tampering := range check.HistoryTamperings()[:4] {
			h := base.Clone()
			rng := rand.New(rand.NewPCG(*witnessSeed+i, 4))
			if tampering.Do(rng.IntN, h) && len(check.Linear(h, check.LinearLimits{}).Violations) > 0 {
				seen++
				assert.NotEmpty(t, check.Witness(h).Violations, "-check.seed %d, %s", *witnessSeed+i, tampering.Name)
			}
		}
	}
	t.Logf("seen %d of at most 240", seen)
	assert.Greater(t, seen, 10, "most such reads may be stale, but not all")
}
