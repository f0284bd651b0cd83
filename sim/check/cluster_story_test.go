package check

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

// story is a short run of servers 1, 2, 3 and the observer 4, told by hand.
type story struct {
	events []Event
	lives  map[ensemble.ServerID]int
	rounds map[ensemble.ServerID]int64
}

func newStory() *story {
	return &story{lives: map[ensemble.ServerID]int{}, rounds: map[ensemble.ServerID]int64{}}
}

// tell adds events.
func (s *story) tell(events ...Event) *story {
	for _, ev := range events {
		if ev.Kind == Boot {
			s.lives[ev.Node] = max(ev.Life, s.lives[ev.Node]+1)
			ev.Life = s.lives[ev.Node]
			if ev.Mode == "" {
				ev.Mode = "clean"
			}
		}
		if ev.Life == 0 {
			ev.Life = s.lives[ev.Node]
		}
		ev.Seq = len(s.events) + 1
		s.events = append(s.events, ev)
	}
	return s
}

// at returns the n-th transaction of an epoch; its content is always the same.
func at(e ensemble.Epoch, n uint32) Entry {
	z := ensemble.NewZxid(e, n)
	return Entry{z, uint64(z)*3 + 1}
}

// elect lets a leader, which has that vote for itself, and its followers, which
// have theirs, elect.
func (s *story) elect(own map[ensemble.ServerID]Vote, leader ensemble.ServerID) *story {
	var ids []ensemble.ServerID
	round := int64(0)
	for id := range own {
		ids = append(ids, id)
		round = max(round, s.rounds[id]+1)
	}
	slices.Sort(ids)
	best := own[leader]
	for _, id := range ids {
		s.rounds[id] = round
		v := own[id]
		s.tell(Event{Kind: VoteSend, Node: id, Peer: leader, Round: round, Vote: &v})
	}
	for _, id := range ids {
		if id != leader {
			s.tell(
				Event{Kind: VoteRecv, Node: id, Peer: leader, Round: round, Vote: &best},
				Event{Kind: VoteSend, Node: id, Peer: leader, Round: round, Vote: &best},
				Event{Kind: VoteRecv, Node: leader, Peer: id, Round: round, Vote: &best})
		}
	}
	for _, id := range ids {
		state := ensemble.Following
		if id == leader {
			state = ensemble.Leading
		}
		s.tell(
			Event{Kind: Decide, Node: id, Round: round, Vote: &best, State: state},
			Event{Kind: RoleChange, Node: id, Peer: leader, State: state})
	}
	return s
}

func (s *story) epochs(id ensemble.ServerID, accepted, current ensemble.Epoch) *story {
	return s.tell(Event{Kind: EpochsDurable, Node: id, Accepted: accepted, Current: current})
}

// promised is a leader with its epoch, and a follower that has promised it.
func (s *story) promised(leader, follower ensemble.ServerID, e, current ensemble.Epoch) *story {
	s.tell(Event{Kind: EpochProposed, Node: leader, Epoch: e, Voters: []ensemble.ServerID{leader, follower}})
	s.epochs(leader, e, current).epochs(follower, e, current)
	s.tell(Event{Kind: EpochAck, Node: follower, Peer: leader, Epoch: e, Mode: ackCounted})
	return s.epochs(leader, e, e)
}

// synced is a follower that has acknowledged NEWLEADER, with nothing to be sent.
func (s *story) synced(leader, follower ensemble.ServerID, e ensemble.Epoch, end ensemble.Zxid) *story {
	s.tell(Event{Kind: SyncPlan, Node: leader, Peer: follower, Mode: "DIFF", Zxid: end, To: end})
	s.epochs(follower, e, e)
	return s.tell(Event{Kind: NewLeaderAck, Node: follower, Peer: leader, Epoch: e})
}

func (s *story) established(leader, follower ensemble.ServerID, e ensemble.Epoch, end Entry) *story {
	return s.tell(
		Event{Kind: Established, Node: leader, State: ensemble.Leading, Epoch: e, Zxid: end.Zxid, Chain: end.Chain, Voters: []ensemble.ServerID{leader, follower}},
		Event{Kind: Established, Node: follower, State: ensemble.Following, Epoch: e})
}

// written is a transaction proposed and on the leader's disk, and the follower's.
func (s *story) written(leader, follower ensemble.ServerID, x Entry) *story {
	s.tell(Event{Kind: Proposed, Node: leader, Epoch: x.Zxid.Epoch(), Log: []Entry{x}})
	for _, id := range []ensemble.ServerID{leader, follower} {
		s.tell(Event{Kind: LogAppend, Node: id, Log: []Entry{x}}, Event{Kind: LogDurable, Node: id, Zxid: x.Zxid})
	}
	return s
}

// committed is what follows, until both have delivered.
func (s *story) committed(leader, follower ensemble.ServerID, x Entry) *story {
	s.tell(Event{Kind: AckSend, Node: follower, Peer: leader, Zxid: x.Zxid}, Event{Kind: AckCount, Node: leader, Peer: follower, Zxid: x.Zxid})
	for _, id := range []ensemble.ServerID{leader, follower} {
		s.tell(Event{Kind: Committed, Node: id, Zxid: x.Zxid}, Event{Kind: Delivered, Node: id, Zxid: x.Zxid, Chain: x.Chain, Digest: 5})
	}
	return s
}

func booted() *story {
	return newStory().tell(Event{Kind: Boot, Node: 1}, Event{Kind: Boot, Node: 2}, Event{Kind: Boot, Node: 3}, Event{Kind: Boot, Node: 4})
}

// elected: 3 is elected by 2.
func elected() *story {
	return booted().elect(map[ensemble.ServerID]Vote{2: {Leader: 2}, 3: {Leader: 3}}, 3)
}

// serving: 3 leads epoch 1, 2 follows it.
func serving() *story {
	return elected().promised(3, 2, 1, 0).synced(3, 2, 1, 0).established(3, 2, 1, Entry{})
}

// oneCommitted: and one transaction is committed.
func oneCommitted() *story {
	return serving().written(3, 2, at(1, 1)).committed(3, 2, at(1, 1))
}

// twoBranches: 3 has proposed and written another one, alone; then 2 and 1 have
// elected 2 and committed one of epoch 2. 3 is up again and knows nothing of that.
func twoBranches() *story {
	s := oneCommitted().tell(
		Event{Kind: Proposed, Node: 3, Epoch: 1, Log: []Entry{at(1, 2)}},
		Event{Kind: LogAppend, Node: 3, Log: []Entry{at(1, 2)}},
		Event{Kind: Crash, Node: 3, Mode: crashKill},
		Event{Kind: RoleChange, Node: 2, Peer: ensemble.NoServer})
	s.elect(map[ensemble.ServerID]Vote{1: {Leader: 1}, 2: {Leader: 2, Zxid: at(1, 1).Zxid, Epoch: 1}}, 2)
	s.tell(Event{Kind: EpochProposed, Node: 2, Epoch: 2, Voters: []ensemble.ServerID{1, 2}})
	s.epochs(2, 2, 1).epochs(1, 2, 0)
	s.tell(Event{Kind: EpochAck, Node: 1, Peer: 2, Epoch: 2, Mode: ackCounted})
	s.epochs(2, 2, 2)
	s.tell(
		Event{Kind: SyncPlan, Node: 2, Peer: 1, Mode: "DIFF", To: at(1, 1).Zxid},
		Event{Kind: LogAppend, Node: 1, Log: []Entry{at(1, 1)}}, Event{Kind: LogDurable, Node: 1, Zxid: at(1, 1).Zxid})
	s.epochs(1, 2, 2)
	s.tell(Event{Kind: NewLeaderAck, Node: 1, Peer: 2, Epoch: 2}).established(2, 1, 2, at(1, 1))
	s.tell(Event{Kind: Committed, Node: 1, Zxid: at(1, 1).Zxid}, Event{Kind: Delivered, Node: 1, Zxid: at(1, 1).Zxid, Chain: at(1, 1).Chain})
	s.written(2, 1, at(2, 1)).committed(2, 1, at(2, 1))
	return s.tell(Event{Kind: Boot, Node: 3, Accepted: 1, Current: 1, Log: []Entry{at(1, 1), at(1, 2)}})
}

// see shows a story to a checker, which must not mind any of it.
func (s *story) see(t *testing.T) *Cluster {
	t.Helper()
	view, err := ensemble.NewView(0, []ensemble.Member{{ID: 1}, {ID: 2}, {ID: 3}, {ID: 4, Observer: true}})
	require.NoError(t, err)
	c := NewCluster(view, Options{})
	for i := range s.events {
		if v := c.Observe(&s.events[i]); v != nil {
			t.Fatalf("event %d: %v", v.Seq, v)
		}
	}
	return c
}
