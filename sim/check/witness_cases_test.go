package check_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// created begins a story with the node /a.
func created() *story {
	s := newStory()
	op := s.send(1, 1, proto.OpCreate, &proto.CreateRequest{Path: "/a", ACL: proto.OpenACL})
	s.commit(op)
	s.answer(op, s.zxid, &proto.PathReply{Path: "/a"})
	return s
}

// exists lets a client look at /a, and perhaps watch it.
func (s *story) exists(client int, xid int32, stat proto.Stat, watch bool) *check.Op {
	op := s.send(client, xid, proto.OpExists, &proto.PathWatchRequest{Path: "/a", Watch: watch})
	s.answer(op, s.zxid, &proto.StatReply{Stat: stat})
	return op
}

func (s *story) event(client int, zxid ensemble.Zxid, kind proto.EventType, path string) {
	s.order++
	s.h.Events = append(s.h.Events, &check.Notice{Client: client, Conn: client, Session: int64(client), Order: s.order, Zxid: zxid, Type: kind, Path: path})
}

// found requires that these invariants are broken and no others.
func found(t *testing.T, h *check.History, invariants ...string) {
	t.Helper()
	f := check.Witness(h)
	got := map[string]bool{}
	for _, v := range f.Violations {
		got[v.Invariant] = true
	}
	want := map[string]bool{}
	for _, id := range invariants {
		want[id] = true
	}
	require.Equal(t, want, got, report(f))
}

func TestWitness_ChangesNothingAndSaysTheSameTwice(t *testing.T) {
	h := newTown(*witnessSeed + 3).run(6000)
	tamperings := check.HistoryTamperings()
	tamperings[0].Do(func(n int) int { return n - 1 }, h)
	before := h.Clone()
	first, second := check.Witness(h), check.Witness(h)
	assert.Equal(t, first, second)
	assert.Equal(t, before, h)
}

func TestWitness_EventMustComeBeforeTheNewState(t *testing.T) {
	at := func(z ensemble.Zxid) proto.Stat { return proto.Stat{Czxid: int64(z), Mzxid: int64(z), Pzxid: int64(z)} }
	for _, late := range []bool{false, true} {
		s := created()
		s.exists(2, 1, at(s.zxid), true)
		old := s.zxid
		write := s.send(1, 2, proto.OpSetData, &proto.SetDataRequest{Path: "/a", Version: -1})
		s.commit(write)
		stat := at(old)
		stat.Mzxid, stat.Version = int64(s.zxid), 1
		s.answer(write, s.zxid, &proto.StatReply{Stat: stat})
		if late {
			s.exists(2, 2, stat, false)
			s.event(2, s.zxid, proto.EventNodeDataChanged, "/a")
			found(t, s.h, "W4")
		} else {
			s.event(2, s.zxid, proto.EventNodeDataChanged, "/a")
			s.exists(2, 2, stat, false)
			found(t, s.h)
		}
	}
}

func TestWitness_MissingEventAtTheEndIsNoFault(t *testing.T) {
	s := created()
	s.exists(2, 1, proto.Stat{Czxid: int64(s.zxid), Mzxid: int64(s.zxid), Pzxid: int64(s.zxid)}, true)
	write := s.send(1, 2, proto.OpDelete, &proto.PathVersionRequest{Path: "/a", Version: -1})
	s.commit(write)
	s.answer(write, s.zxid, nil)
	found(t, s.h)
	s.event(2, s.zxid, proto.EventNodeDeleted, "/a")
	found(t, s.h)
	s.event(2, s.zxid, proto.EventNodeDeleted, "/a")
	found(t, s.h, "W1")
}

func TestWitness_ACLHidesEvents(t *testing.T) {
	for _, tell := range []bool{false, true} {
		s := newStory()
		watch := s.send(2, 1, proto.OpAddWatch, &proto.AddWatchRequest{Path: "/a", Mode: proto.AddWatchPersistent})
		s.answer(watch, s.zxid, &proto.IntReply{})
		acl := []proto.ACL{{Perms: proto.PermWrite, ID: proto.ID{Scheme: "world", ID: "anyone"}}}
		create := s.send(1, 1, proto.OpCreate, &proto.CreateRequest{Path: "/a", ACL: acl})
		s.commit(create)
		s.answer(create, s.zxid, &proto.PathReply{Path: "/a"})
		if tell {
			s.event(2, s.zxid, proto.EventNodeCreated, "/a")
		}
		ping := s.send(2, proto.XidPing, proto.OpPing, nil)
		s.answer(ping, s.zxid, nil)
		if tell {
			found(t, s.h, "W2")
		} else {
			found(t, s.h)
		}
	}
}

func TestWitness_SetWatchesTellsWhatWasMissed(t *testing.T) {
	again := func(rel ensemble.Zxid, kinds ...proto.EventType) *check.History {
		s := created()
		for _, k := range kinds {
			s.event(2, -1, k, "/a")
		}
		op := s.send(2, proto.XidSetWatches, proto.OpSetWatches, &proto.SetWatchesRequest{RelativeZxid: int64(rel), Data: []string{"/a"}})
		op.Sent -= len(kinds) + 1 // the request was under way before
		for i, n := range s.h.Events {
			n.Order = op.Sent + 1 + i
		}
		s.answer(op, s.zxid, nil)
		return s.h
	}
	z := created().zxid
	found(t, again(z))
	found(t, again(z-1, proto.EventNodeDataChanged))
	found(t, again(z-1), "W5")
	found(t, again(z, proto.EventNodeDataChanged), "W5")
	found(t, again(z-1, proto.EventNodeDeleted), "W5")
}

func TestWitness_NumbersUsedTwiceAreToldApart(t *testing.T) {
	for _, data := range []string{"one", "two"} {
		s := created()
		before := s.zxid
		s.send(1, 2, proto.OpSetData, &proto.SetDataRequest{Path: "/a", Data: []byte("one"), Version: -1})
		s.order += 3
		s.h.Conns[0].Closed = s.order - 2
		s.h.Conns = append(s.h.Conns, &check.Conn{Client: 1, Conn: 3, Session: 1, Asked: 1, Seen: s.zxid, Opened: s.order - 1, Answered: s.order})
		second := s.send(1, 2, proto.OpSetData, &proto.SetDataRequest{Path: "/a", Data: []byte("two"), Version: -1})
		second.Conn = 3
		s.commit(second) // or the first; its header does not say
		read := s.send(2, 1, proto.OpGetData, &proto.PathWatchRequest{Path: "/a"})
		stat := proto.Stat{Czxid: int64(before), Mzxid: int64(s.zxid), Pzxid: int64(before), Version: 1, DataLength: 3}
		s.answer(read, s.zxid, &proto.DataReply{Data: []byte(data), Stat: stat})
		f := check.Witness(s.h)
		assert.Empty(t, f.Violations, "%s may be the one that was committed: %s", data, report(f))
		assert.Equal(t, 1, f.Unknown)
		read.Reply = &proto.DataReply{Data: []byte("off"), Stat: stat}
		found(t, s.h, "C6")
	}
}

func TestWitness_SaysWhatIsWrongWithTheRecord(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(h *check.History)
	}{
		{"is listed behind", func(h *check.History) { h.Txns[1].Zxid = 0 }},
		{"its connection is not listed", func(h *check.History) { h.Ops[0].Conn = 77 }},
		{"was answered before it was sent", func(h *check.History) { h.Ops[0].Returned = 1 }},
		{"has a request of type", func(h *check.History) { h.Ops[0].Request = &proto.PathRequest{} }},
		{"the session of its connection is", func(h *check.History) { h.Ops[0].Session = 77 }},
		{"given twice", func(h *check.History) { h.Conns[1].Conn = 1 }},
		{"is missing", func(h *check.History) { h.Ops[0] = nil }},
		{"is missing", func(h *check.History) { h.Conns[0] = nil }},
	} {
		h := created().h
		c.do(h)
		f := check.Witness(h)
		require.Len(t, f.Violations, 1, c.what)
		assert.Equal(t, "H5", f.First().Invariant)
		assert.Contains(t, f.First().Text, c.what)
	}
}

func TestWitness_NeverPanics(t *testing.T) {
	base := newTown(*witnessSeed + 5).run(6000)
	for i := range uint64(3000) {
		rng := rand.New(rand.NewPCG(*witnessSeed+i, 3))
		h := base.Clone()
		for range 1 + rng.IntN(4) {
			garble(rng, h)
		}
		require.NotPanics(t, func() { check.Witness(h) }, "-check.seed %d", *witnessSeed+i)
	}
}

// garble puts nonsense into a field of a history.
func garble(rng *rand.Rand, h *check.History) {
	var things []reflect.Value
	add := func(v reflect.Value) { things = append(things, v) }
	op, other := h.Ops[rng.IntN(len(h.Ops))], h.Ops[rng.IntN(len(h.Ops))]
	add(reflect.ValueOf(op).Elem())
	add(reflect.ValueOf(h.Conns[rng.IntN(len(h.Conns))]).Elem())
	add(reflect.ValueOf(&h.Txns[rng.IntN(len(h.Txns))]).Elem())
	if len(h.Events) > 0 {
		add(reflect.ValueOf(h.Events[rng.IntN(len(h.Events))]).Elem())
	}
	v := things[rng.IntN(len(things))]
	switch f := v.Field(rng.IntN(v.NumField())); {
	case f.CanInt():
		f.SetInt(f.Int() + int64(rng.IntN(7)-3))
		if rng.IntN(3) == 0 {
			f.SetInt(-rng.Int64N(5))
		}
	case f.Kind() == reflect.Bool:
		f.SetBool(!f.Bool())
	case f.Kind() == reflect.String:
		f.SetString([]string{"", "/", "x", "//", "/a/"}[rng.IntN(5)])
	default:
		op.Reply, other.Reply = other.Reply, op.Reply
		if rng.IntN(2) == 0 {
			op.Request, other.Request = other.Request, op.Request
		}
	}
}

func TestOverdue_SilentSessionMustEnd(t *testing.T) {
	s := newStory()
	s.h.TickTime = time.Second
	for i := range s.h.Txns {
		s.h.Txns[i].TimeoutMs, s.h.Txns[i].At = 4000, time.Second
	}
	s.h.Conns[0].ClosedAt = 10 * time.Second // due at 10 + 4 + 2*1
	ping := s.send(2, proto.XidPing, proto.OpPing, nil)
	ping.SentAt = 19 * time.Second
	violations := func(end, from, slack time.Duration) int {
		s.h.End = end
		f := check.Overdue(s.h, from, slack)
		for _, v := range f.Violations {
			assert.Equal(t, "S6", v.Invariant)
			assert.Contains(t, v.Text, "0x1")
		}
		assert.Equal(t, 2, f.Checked["S6"])
		return len(f.Violations)
	}
	assert.Equal(t, 0, violations(16*time.Second, 0, 0))
	assert.Equal(t, 1, violations(17*time.Second, 0, 0))
	assert.Equal(t, 0, violations(17*time.Second, 0, 2*time.Second), "slack")
	assert.Equal(t, 0, violations(17*time.Second, 12*time.Second, 0), "healed later")
	s.h.Txns = append(s.h.Txns, check.Txn{Zxid: 9, Session: 1, Op: proto.OpCloseSession, At: 16 * time.Second})
	assert.Equal(t, 0, violations(17*time.Second, 0, 0), "it ended in time")
	s.h.Txns[2].At = 18 * time.Second
	assert.Equal(t, 1, violations(20*time.Second, 0, 0), "it ended, and too late")
}
