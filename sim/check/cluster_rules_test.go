package check

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

// broken is an event that must not come behind a story, and what is said of it.
type broken struct {
	behind *story
	event  Event
	rule   string
	says   string
}

func (b broken) test(t *testing.T) {
	t.Helper()
	c := b.behind.see(t)
	n := len(b.behind.events)
	b.behind.tell(b.event)
	v := c.Observe(&b.behind.events[n])
	require.NotNil(t, v, "nobody says that %s", b.says)
	assert.Equal(t, b.rule, v.Invariant, v.Text)
	assert.Contains(t, v.Text, b.says)
	assert.Equal(t, n+1, v.Seq)
	assert.Equal(t, b.event.Node, v.Node)
}

func TestCluster_TracesMustMakeSense(t *testing.T) {
	for _, b := range []broken{
		{booted(), Event{Kind: LinkUp, Node: 9}, "H1", "not in the view"},
		{booted(), Event{Kind: Boot, Node: 1}, "H1", "has not ended"},
		{booted(), Event{Kind: VoteSend, Node: 1}, "H1", "has no vote"},
		{booted(), Event{Kind: VoteRecv, Node: 1}, "H1", "has no vote"},
		{booted(), Event{Kind: Decide, Node: 1}, "H1", "has no vote"},
	} {
		b.test(t)
	}
	c := booted().tell(Event{Kind: Crash, Node: 1, Mode: crashKill}).see(t)
	v := c.Observe(&Event{Seq: c.seq + 1, Kind: Boot, Node: 1, Life: 1})
	require.NotNil(t, v)
	assert.Equal(t, "H1", v.Invariant)
	assert.Contains(t, v.Text, "after life 1")
}

func TestCluster_RestartsMustFindWhatIsThere(t *testing.T) {
	crashed := func(s *story, id ensemble.ServerID, mode string) *story {
		return s.tell(Event{Kind: Crash, Node: id, Mode: mode})
	}
	unsure := newStory().tell(Event{Kind: Boot, Node: 1, Unsure: true}, Event{Kind: Crash, Node: 1, Mode: crashStop})
	for _, b := range []broken{
		{crashed(oneCommitted(), 2, crashPower), Event{Kind: Boot, Node: 2, Accepted: 1, Current: 1, Log: []Entry{at(1, 1)}, Snap: at(1, 9).Zxid}, "T2", "boots from a snapshot"},
		{crashed(oneCommitted(), 2, crashPower), Event{Kind: Boot, Node: 2, Accepted: 1, Current: 2, Log: []Entry{at(1, 1)}}, "E2", "boots with current epoch 2"},
		{crashed(oneCommitted(), 2, crashKill).tell(Event{Kind: Wipe, Node: 2}), Event{Kind: Boot, Node: 2, Unsure: true, Log: []Entry{at(1, 1)}}, "D1", "that was wiped"},
		{crashed(twoBranches(), 3, crashPower), Event{Kind: Boot, Node: 3, Accepted: 2, Current: 2, Log: []Entry{at(1, 1), at(2, 1)}}, "D1", "it was on disk"},
		{crashed(oneCommitted().tell(Event{Kind: Proposed, Node: 3, Epoch: 1, Log: []Entry{at(1, 2)}}, Event{Kind: LogAppend, Node: 3, Log: []Entry{at(1, 2)}}), 3, crashPower),
			Event{Kind: Boot, Node: 3, Accepted: 1, Current: 1, Log: []Entry{at(1, 2)}}, "B10", "does not follow"},
		{unsure, Event{Kind: Boot, Node: 1}, "D1", "was unsure, and is sure"},
	} {
		b.test(t)
	}
	// A log of transactions that are all right, and that this server never wrote.
	s := twoBranches().tell(Event{Kind: LogTruncate, Node: 3, Zxid: at(1, 1).Zxid})
	c := s.see(t)
	c.byID[3].disk.written = at(1, 2)
	s.tell(Event{Kind: Crash, Node: 3, Mode: crashPower}, Event{Kind: Boot, Node: 3, Accepted: 2, Current: 2, Log: []Entry{at(1, 1), at(2, 1)}})
	n := len(s.events)
	require.Nil(t, c.Observe(&s.events[n-2]))
	v := c.Observe(&s.events[n-1])
	require.NotNil(t, v)
	assert.Equal(t, "D1", v.Invariant)
	assert.Contains(t, v.Text, "never wrote")
}

// What the disk was doing when the process ended may be done or not.
func TestCluster_RestartsMayFindWhatWasUnderWay(t *testing.T) {
	asked := func(mode string, from ensemble.Zxid) *story {
		s := twoBranches()
		s.tell(Event{Kind: SyncPlan, Node: 2, Peer: 3, Mode: mode, Zxid: from, To: at(2, 1).Zxid})
		return s.tell(Event{Kind: Crash, Node: 3, Mode: crashKill})
	}
	boot := func(s *story, e ensemble.Epoch, snap ensemble.Zxid, log ...Entry) *story {
		return s.tell(Event{Kind: Boot, Node: 3, Accepted: e, Current: e, Snap: snap, Log: log})
	}
	boot(asked("TRUNC", at(1, 1).Zxid), 1, 0, at(1, 1)).see(t)
	boot(asked("TRUNC", at(1, 1).Zxid), 1, 0, at(1, 1), at(1, 2)).see(t)
	boot(asked("SNAP", 0), 1, at(1, 1).Zxid, at(1, 1)).see(t)
	boot(asked("SNAP", 0), 2, at(2, 1).Zxid, at(1, 1), at(2, 1)).see(t)
	boot(oneCommitted().tell(Event{Kind: Proposed, Node: 3, Epoch: 1, Log: []Entry{at(1, 2)}}, Event{Kind: Crash, Node: 3, Mode: crashPower}), 1, 0, at(1, 1), at(1, 2)).see(t)
}

func TestCluster_DisksMustMakeSense(t *testing.T) {
	unsure := newStory().tell(Event{Kind: Boot, Node: 1, Unsure: true})
	for _, b := range []broken{
		{unsure, Event{Kind: EpochsDurable, Node: 1, Accepted: 1, Current: 1}, "D1", "becomes sure without a leader"},
		{oneCommitted(), Event{Kind: LogTruncate, Node: 2, Zxid: at(1, 9).Zxid}, "B10", "which is not in it"},
		{oneCommitted(), Event{Kind: SnapSave, Node: 2, Zxid: at(1, 9).Zxid}, "T2", "which is not committed"},
		{oneCommitted(), Event{Kind: SnapSave, Node: 1, Zxid: at(1, 1).Zxid, Chain: at(1, 1).Chain}, "T2", "has not delivered"},
		{oneCommitted(), Event{Kind: SnapSave, Node: 2, Zxid: at(1, 1).Zxid, Chain: at(1, 1).Chain, Digest: 6, Digest2: 6}, "T2", "is of another state"},
	} {
		b.test(t)
	}
}

// asks: 1 looks for a leader where 3 leads epoch 1 and 2 follows it, since round 2.
// 2 says so; 3 says that it leads, and which epoch.
func asks(epoch ensemble.Epoch) *story {
	s := serving().elect(map[ensemble.ServerID]Vote{1: {Leader: 1}}, 1)
	s.events = s.events[:len(s.events)-2]
	follows, leads := Vote{Leader: 3, Epoch: 1}, Vote{Leader: 3, Epoch: epoch}
	return s.tell(
		Event{Kind: VoteRecv, Node: 1, Peer: 3, Round: 2, Vote: &leads, State: ensemble.Leading},
		Event{Kind: VoteRecv, Node: 1, Peer: 2, Round: 2, Vote: &follows, State: ensemble.Following})
}

func TestCluster_ElectionsMustMakeSense(t *testing.T) {
	joins := Event{Kind: Decide, Node: 1, Round: 2, Vote: &Vote{Leader: 3, Epoch: 1}, State: ensemble.Following}
	asks(1).tell(joins).see(t)
	for _, b := range []broken{
		{asks(0), joins, "F1", "has heard no quorum of sure voters"},
		{elected(), Event{Kind: Decide, Node: 2, Round: 1, Vote: &Vote{Leader: 3}, State: ensemble.Leading}, "F1", "elects 3 and becomes LEADING"},
		{elected(), Event{Kind: RoleChange, Node: 4, Peer: 4, State: ensemble.Leading}, "F5", "leads and is no voter"},
		{elected(), Event{Kind: RoleChange, Node: 2, Peer: 3, State: ensemble.Following}, "F1", "no election said so"},
	} {
		b.test(t)
	}
}

// rivals: 1 takes itself for elected too, in a round of which the others know
// nothing, and has proposed the epoch that 3 leads.
func rivals() *story {
	s := serving()
	s.rounds[1] = 6
	v := Vote{Leader: 1}
	s.tell(Event{Kind: VoteSend, Node: 1, Peer: 2, Round: 7, Vote: &v}, Event{Kind: VoteRecv, Node: 1, Peer: 2, Round: 7, Vote: &v})
	s.tell(Event{Kind: Decide, Node: 1, Round: 7, Vote: &v, State: ensemble.Leading}, Event{Kind: RoleChange, Node: 1, Peer: 1, State: ensemble.Leading})
	return s.tell(Event{Kind: EpochProposed, Node: 1, Epoch: 1, Voters: []ensemble.ServerID{1, 2}})
}

func TestCluster_EpochsMustMakeSense(t *testing.T) {
	lead := func(id ensemble.ServerID, e ensemble.Epoch, voters ...ensemble.ServerID) Event {
		return Event{Kind: Established, Node: id, State: ensemble.Leading, Epoch: e, Voters: voters}
	}
	joining := asks(1).tell(
		Event{Kind: Decide, Node: 1, Round: 2, Vote: &Vote{Leader: 3, Epoch: 1}, State: ensemble.Following},
		Event{Kind: RoleChange, Node: 1, Peer: 3, State: ensemble.Following})
	joining.written(3, 2, at(1, 1)).epochs(1, 1, 0)
	joining.tell(Event{Kind: EpochAck, Node: 1, Peer: 3, Epoch: 1, Mode: ackCounted}, Event{Kind: SyncPlan, Node: 3, Peer: 1, Mode: "DIFF", To: at(1, 1).Zxid})
	joining.epochs(1, 1, 1)
	for _, b := range []broken{
		{elected(), Event{Kind: EpochProposed, Node: 2, Epoch: 1, Voters: []ensemble.ServerID{2, 3}}, "E5", "does not lead"},
		{elected(), Event{Kind: EpochProposed, Node: 3, Epoch: 1, Voters: []ensemble.ServerID{3, 4}}, "E5", "which is no voter"},
		{serving(), Event{Kind: EpochAck, Node: 2, Peer: 3, Epoch: 0}, "E4", "promises epoch 0"},
		{serving().epochs(2, 5, 1), Event{Kind: NewLeaderAck, Node: 2, Peer: 3, Epoch: 1}, "E4", "has accepted 5"},
		{rivals(), Event{Kind: NewLeaderAck, Node: 2, Peer: 1, Epoch: 1}, "E4", "acknowledged that of epoch 1 to 3"},
		{rivals(), lead(1, 1), "E3", "as 3 was before"},
		{joining, Event{Kind: NewLeaderAck, Node: 1, Peer: 3, Epoch: 1}, "B8", "does not have that of leader 3"},
		{serving(), lead(2, 1), "E3", "as LEADING, and is FOLLOWING"},
		{serving(), lead(3, 9), "E3", "did not propose in this role"},
		{elected().promised(3, 2, 1, 0).synced(3, 2, 1, 0), lead(3, 1, 3, 1), "E3", "has not acknowledged NEWLEADER"},
		{elected().promised(3, 2, 1, 0), lead(3, 1), "E3", "no quorum has acknowledged"},
		{elected().promised(3, 2, 1, 0).synced(3, 2, 1, 0), Event{Kind: Established, Node: 3, State: ensemble.Leading, Epoch: 1, Zxid: at(1, 5).Zxid}, "E7", "says that its history ends"},
	} {
		b.test(t)
	}
}

// A promise that a leader has counted stays counted when its giver's disk is wiped
// and gives it once more, unsure now. One that was never given by who was sure
// vouches for nothing.
func TestCluster_PromisesOutliveTheDiskOfTheirGiver(t *testing.T) {
	wiped := func(promisedBefore bool) *story {
		promise := Event{Kind: EpochAck, Node: 2, Peer: 3, Epoch: 1, Mode: ackCounted}
		s := elected().tell(Event{Kind: EpochProposed, Node: 3, Epoch: 1, Voters: []ensemble.ServerID{2, 3}}).epochs(3, 1, 0)
		if promisedBefore {
			s.epochs(2, 1, 0).tell(promise)
		}
		s.tell(Event{Kind: Crash, Node: 2, Mode: crashPower}, Event{Kind: Wipe, Node: 2}, Event{Kind: Boot, Node: 2, Unsure: true})
		return s.tell(Event{Kind: EpochsDurable, Node: 2, Accepted: 1, Unsure: true}, promise)
	}
	wiped(true).epochs(3, 1, 1).see(t)
	broken{wiped(false), Event{Kind: EpochsDurable, Node: 3, Accepted: 1, Current: 1}, "E5", "which no quorum has promised it"}.test(t)
}

// A leader may learn late that it was established; but not with a history that
// has been given up meanwhile.
func TestCluster_LateLeaderMustFitBelow(t *testing.T) {
	x := at(1, 1)
	s := newStory().tell(
		Event{Kind: Boot, Node: 1, Accepted: 1, Current: 1},
		Event{Kind: Boot, Node: 2, Accepted: 1, Current: 1, Log: []Entry{x}},
		Event{Kind: Boot, Node: 3, Accepted: 1, Current: 1, Log: []Entry{x}})
	s.elect(map[ensemble.ServerID]Vote{2: {2, x.Zxid, 1}, 3: {3, x.Zxid, 1}}, 3).promised(3, 2, 2, 1).synced(3, 2, 2, x.Zxid)
	s.tell(Event{Kind: RoleChange, Node: 2, Peer: ensemble.NoServer}, Event{Kind: LogTruncate, Node: 2})
	s.elect(map[ensemble.ServerID]Vote{1: {1, 0, 1}, 2: {2, 0, 2}}, 2)
	s.tell(Event{Kind: EpochProposed, Node: 2, Epoch: 3, Voters: []ensemble.ServerID{1, 2}}).epochs(2, 3, 2).epochs(1, 3, 1)
	s.tell(Event{Kind: EpochAck, Node: 1, Peer: 2, Epoch: 3, Mode: ackCounted}).epochs(2, 3, 3).synced(2, 1, 3, 0).established(2, 1, 3, Entry{})
	broken{s, Event{Kind: Established, Node: 3, State: ensemble.Leading, Epoch: 2, Zxid: x.Zxid, Chain: x.Chain}, "E8", "and epoch 3 was with one up to 0x0 below it"}.test(t)
}

func TestCluster_BroadcastMustMakeSense(t *testing.T) {
	z := at(1, 1).Zxid
	// Somebody has something of the epoch already.
	known := newStory().tell(Event{Kind: Boot, Node: 4, Accepted: 1, Current: 1, Log: []Entry{{z, 99}}}, Event{Kind: Boot, Node: 1}, Event{Kind: Boot, Node: 2}, Event{Kind: Boot, Node: 3})
	known.elect(map[ensemble.ServerID]Vote{2: {Leader: 2}, 3: {Leader: 3}}, 3).promised(3, 2, 1, 0).synced(3, 2, 1, 0).established(3, 2, 1, Entry{})
	for _, b := range []broken{
		{serving(), Event{Kind: AckSend, Node: 1, Peer: 3, Zxid: z}, "B7", "before NEWLEADER"},
		{known, Event{Kind: Proposed, Node: 3, Epoch: 1, Log: []Entry{at(1, 1)}}, "E6", "proposes 0x100000001"},
		{elected(), Event{Kind: Committed, Node: 3, Zxid: z}, "B6", "before it has an epoch"},
		{serving(), Event{Kind: Committed, Node: 3, Zxid: z}, "B6", "which is not in its history"},
		{twoBranches(), Event{Kind: Committed, Node: 3, Zxid: at(2, 1).Zxid}, "B2", "is another one"},
		{twoBranches().tell(Event{Kind: Delivered, Node: 3, Zxid: z, Chain: at(1, 1).Chain}), Event{Kind: Delivered, Node: 3, Zxid: at(1, 2).Zxid, Chain: at(1, 2).Chain}, "B2", "where 0x200000001 was committed"},
		{twoBranches(), Event{Kind: LogAppend, Node: 3, Log: []Entry{at(2, 1)}}, "B10", "built upon another history"},
	} {
		b.test(t)
	}
}

// Two histories can only be committed when all else has failed before; the last
// line of defence is tested without it.
func TestCluster_TwoHistoriesAreNeverCommitted(t *testing.T) {
	s := twoBranches()
	c := s.see(t)
	c.canon = canon{}
	c.canon.extend(&c.histories, at(1, 2))
	v := c.decides(c.byID[2], &Event{Node: 2, Zxid: at(2, 1).Zxid})
	require.NotNil(t, v)
	assert.Equal(t, "B2", v.Invariant)
	assert.Contains(t, v.Text, "in a history that does not have 0x100000002")

	c.established = nil
	term := *c.byID[2].term
	term.origin = at(2, 1)
	term.epoch = 3
	v = c.inherits(&term, 0, &Event{Zxid: at(2, 1).Zxid, Chain: at(2, 1).Chain})
	require.NotNil(t, v)
	assert.Equal(t, "E7", v.Invariant)
	assert.Contains(t, v.Text, "does not have 0x100000002")
}
