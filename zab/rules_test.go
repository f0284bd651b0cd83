package zab

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

// One test for each rule of spec section 8, "ordering rules on one page", and
// for the pitfalls of section 7 that concern the roles.

// before asserts that a stands in the trace before b, and that both are there.
func before(t *testing.T, trace []string, a, b string) {
	t.Helper()
	find := func(what string) int {
		return slices.IndexFunc(trace, func(s string) bool { return strings.Contains(s, what) })
	}
	i, j := find(a), find(b)
	require.GreaterOrEqual(t, i, 0, "%q is not in %q", a, trace)
	require.GreaterOrEqual(t, j, 0, "%q is not in %q", b, trace)
	require.Less(t, i, j, "%q comes after %q in %q", a, b, trace)
}

func said(s *server, what string) bool {
	return slices.ContainsFunc(s.trace, func(l string) bool { return strings.Contains(l, what) })
}

func TestRule1_AcceptedEpochIsDurableBeforeItIsSpoken(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	l.slow = true
	f := b.follow(2, 1)
	f.slow = true
	b.settle()
	assert.False(t, said(l, "LEADERINFO"), "said before it was on disk")
	l.finish()
	b.settle()
	assert.True(t, said(l, "LEADERINFO"))
	assert.False(t, said(f, "ACKEPOCH"), "promised before it was on disk")
	f.finish()
	assert.True(t, said(f, "ACKEPOCH"))
}

func TestRule2_HistoryThenCurrentEpochThenAck(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(1, Epochs{Accepted: 1, Current: 1}, z(1, 1), z(1, 2))
	b.history(2, Epochs{Accepted: 1, Current: 1}, z(1, 1))
	b.lead(1)
	f := b.follow(2, 1)
	b.settle()
	before(t, f.trace, "synced 0x100000002", "epochs 2/2")
	before(t, f.trace, "epochs 2/2", "ACK 0x200000000")
	before(t, b.servers[1].trace, "epochs 2/2", "established 2")
	assert.Equal(t, "DIFF", f.synced.Mode)
	assert.Equal(t, ensemble.Epoch(2), f.established)
}

func TestRule3_TxnIsDurableBeforeItsAckAndBehindNewLeader(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.settle()
	require.Equal(t, ensemble.Epoch(1), l.established)
	f := b.follow(3, 1)
	b.deliver(3, 1, -1) // FOLLOWERINFO
	b.deliver(1, 3, -1) // LEADERINFO
	b.deliver(3, 1, -1) // ACKEPOCH; the way to our history is queued
	l.propose("x")
	f.slow = true
	b.deliver(1, 3, -1)
	assert.False(t, said(f, "ACK 0x"), "acknowledged before anything was on disk")
	f.finish()
	before(t, f.trace, "ACK 0x100000000", "ACK 0x100000001")
	before(t, f.trace, "synced 0x100000001", "ACK 0x100000001")
}

func TestRule4_OpPacketFirstAndNewLeaderBehindTheHistory(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(1, Epochs{Accepted: 1, Current: 1}, z(1, 1))
	l := b.lead(1)
	b.follow(2, 1)
	b.settle()
	before(t, l.trace, "->2 DIFF", "->2 PROPOSAL")
	before(t, l.trace, "->2 PROPOSAL", "->2 NEWLEADER")
	before(t, l.trace, "->2 NEWLEADER", "->2 UPTODATE")
}

func TestRule5_NewLeaderQuorumBeforeServing(t *testing.T) {
	b := newBench(t, 5, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.follow(3, 1)
	b.servers[3].slow = true
	b.settle()
	b.servers[3].finish() // acceptedEpoch
	b.settle()
	assert.Zero(t, l.established, "two of five have the history")
	b.servers[3].finish() // currentEpoch
	b.settle()
	assert.Equal(t, ensemble.Epoch(1), l.established)
	before(t, l.trace, "established 1", "UPTODATE")
}

func TestRule6_CommitsComeInOrderAndCumulative(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	l.slow = false
	f := b.follow(2, 1)
	b.settle()
	f.slow = true
	l.propose("a")
	l.propose("b", "c")
	b.settle()
	assert.False(t, said(l, "commit 0x1"), "committed without a quorum")
	f.finish()
	b.settle()
	assert.True(t, said(l, "commit 0x100000003"))
	assert.True(t, said(f, "commit 0x100000003"))
	assert.Equal(t, z(1, 3), f.journal.Committed())
}

func TestLeader_EpochIsAboveAllThatAQuorumAccepted(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(2, Epochs{Accepted: 7, Current: 0})
	l := b.lead(1)
	b.follow(2, 1)
	b.settle()
	assert.Equal(t, ensemble.Epoch(8), l.established)
}

// ZOOKEEPER-335: epoch 2 was established and proposed nothing; what 1 logged
// alone in epoch 1 must go.
func TestLeader_TruncatesWhatAnEarlierLeaderLoggedAlone(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(1, Epochs{Accepted: 1, Current: 1}, z(1, 1), z(1, 2), z(1, 3))
	b.history(2, Epochs{Accepted: 2, Current: 2}, z(1, 1), z(1, 2))
	b.history(3, Epochs{Accepted: 2, Current: 2}, z(1, 1), z(1, 2))
	l := b.lead(2)
	b.follow(3, 2)
	b.settle()
	f := b.follow(1, 2)
	b.settle()
	assert.Equal(t, "TRUNC", f.synced.Mode)
	assert.Equal(t, l.journal.Last(), f.journal.Last())
	assert.Len(t, f.log, 2)
}

func TestLeader_TruncAndDiff(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(1, Epochs{Accepted: 1, Current: 1}, z(1, 1), z(1, 2), z(1, 3))
	b.history(2, Epochs{Accepted: 2, Current: 2}, z(1, 1), z(2, 1))
	b.lead(2)
	b.follow(3, 2)
	b.settle()
	f := b.follow(1, 2)
	b.settle()
	assert.Equal(t, "TRUNC+DIFF", f.synced.Mode)
	assert.Equal(t, b.servers[2].journal.Last(), f.journal.Last())
}

func TestLeader_SnapshotForWhoHasNothing(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.settle()
	l.propose("a", "b")
	b.settle()
	b.servers[2].slow = true
	l.propose("c") // not committed, and in no snapshot
	f := b.follow(3, 1)
	b.settle()
	assert.Equal(t, "SNAP", f.synced.Mode)
	before(t, f.trace, "installed 0x100000002", "ACK 0x100000000")
	assert.Equal(t, l.journal.Last(), f.journal.Last())
	assert.Equal(t, z(1, 3), f.journal.Committed(), "it makes the quorum")
}

// I1: an ACKEPOCH that says -1 never counts, so an epoch has one leader.
func TestLeader_RepeatedPromiseDoesNotCount(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.deliver(2, 1, 1)                        // FOLLOWERINFO
	b.servers[1].input(LinkDown{Peer: 2})     // LEADERINFO is lost to the leader's eyes
	b.deliver(1, 2, 1)                        // but the follower promises
	b.links[[2]ensemble.ServerID{2, 1}] = nil // ACKEPOCH is lost
	require.Equal(t, ensemble.Epoch(1), b.servers[2].epochs.Accepted)
	b.follow(2, 1)
	b.settle()
	assert.Zero(t, l.established)
	b.follow(3, 1)
	b.settle()
	assert.Equal(t, ensemble.Epoch(1), l.established)
}

// If the one whose promise was lost is needed, only another epoch helps, and soon.
func TestLeader_TakesAnotherEpochWhenAPromiseWasLost(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(2, Epochs{Accepted: 1})
	b.history(1, Epochs{})
	l := b.lead(1)
	b.follow(2, 1) // raises the epoch to 2
	b.deliver(2, 1, 1)
	require.Equal(t, ensemble.Epoch(2), l.leader.epoch)
	b.servers[2].journal.epochs.Accepted = 2 // a promise that got lost
	b.settle()
	assert.Zero(t, l.established)
	b.pass(900 * time.Millisecond)
	assert.Empty(t, l.ended)
	b.pass(400 * time.Millisecond)
	assert.Contains(t, l.ended, "promised it before")
}

// A learner whose history is ahead must not be cut before a quorum has agreed.
func TestLeader_RefusesALearnerThatIsAhead(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(2, Epochs{Accepted: 1, Current: 1}, z(1, 1))
	l := b.lead(1)
	f := b.follow(2, 1)
	b.settle()
	assert.True(t, said(l, "drop 2: its history"))
	assert.Zero(t, l.established)
	assert.Len(t, f.log, 1)
}

func TestLeader_ResignsWhenAVoterHasPromisedALaterEpoch(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.settle()
	b.history(3, Epochs{Accepted: 5})
	b.follow(3, 1)
	b.settle()
	assert.Contains(t, l.ended, "later epoch 5")
}

// ZOOKEEPER-1277.
func TestLeader_ResignsWhenTheCounterIsUsedUp(t *testing.T) {
	b := newBench(t, 1, 0)
	l := b.lead(1)
	require.Equal(t, ensemble.Epoch(1), l.established)
	l.propose("a")
	last := l.journal.Last()
	l.journal.shape.Runs[0].Last = z(1, ensemble.MaxCounter-1) // as if four billion had gone by
	_ = last
	l.propose("b")
	assert.Empty(t, l.ended)
	assert.Equal(t, z(1, ensemble.MaxCounter), l.journal.Last().Zxid)
	l.propose("c")
	assert.Contains(t, l.ended, "used up")
	assert.Equal(t, z(1, ensemble.MaxCounter), l.journal.Last().Zxid, "nothing may be proposed behind the last zxid")
}

func TestLeader_RefusesWhatWasPreparedForAnotherHistory(t *testing.T) {
	b := newBench(t, 1, 0)
	l := b.lead(1)
	l.input(Propose{First: z(1, 2), Entries: []Entry{{}}})
	assert.Equal(t, Position{}, l.journal.Last())
}

func TestLeader_StepsDownWithoutAQuorum(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.settle()
	l.input(LinkDown{Peer: 2})
	assert.Empty(t, l.ended, "a moment's grace")
	b.pass(1500 * time.Millisecond)
	assert.Contains(t, l.ended, "no quorum")
}

func TestLeader_DropsASilentLearner(t *testing.T) {
	b := newBench(t, 5, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.follow(3, 1)
	b.follow(4, 1)
	b.settle()
	for range 8 { // 4 is deaf and dumb, the others answer
		b.pass(time.Second)
		b.deliver(1, 2, -1)
		b.deliver(1, 3, -1)
		b.deliver(2, 1, -1)
		b.deliver(3, 1, -1)
	}
	assert.True(t, said(l, "drop 4: silent"))
	assert.Empty(t, l.ended)
}

func TestLearner_ResignsWhenTheLeaderIsSilent(t *testing.T) {
	b := newBench(t, 3, 0)
	b.lead(1)
	f := b.follow(2, 1)
	b.settle()
	for range 51 {
		assert.Empty(t, f.ended)
		b.now += 100 * time.Millisecond
		f.input(Tick{})
	}
	assert.Contains(t, f.ended, "nothing heard")
}

// A snapshot may take longer to install than initLimit; the link is not read
// meanwhile, and the leader has its full time again afterwards.
func TestLearner_BearsSilenceWhileItInstallsASnapshot(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(2, Epochs{Accepted: 2})
	f := b.learner(2, waiting)
	f.slow = true
	f.input(Received{From: 1, Packet: Packet{Type: Snap, At: Position{Zxid: z(2, 9), Chain: 5}}})
	require.Equal(t, replacing, f.learner.step)
	b.now += 2 * f.learner.cfg.initLimit()
	f.input(Tick{})
	assert.Empty(t, f.ended)
	f.slow = false
	f.finish()
	b.now += f.learner.cfg.initLimit()
	f.input(Tick{})
	assert.Empty(t, f.ended)
	b.now++
	f.input(Tick{})
	assert.Contains(t, f.ended, "nothing heard")
}

// ZOOKEEPER-4925 and I7: a gap ends the link before it reaches the log.
func TestLearner_RefusesAGap(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	f := b.follow(2, 1)
	b.settle()
	l.propose("a")
	l.propose("b")
	b.links[[2]ensemble.ServerID{1, 2}] = b.links[[2]ensemble.ServerID{1, 2}][1:]
	b.deliver(1, 2, -1)
	assert.Contains(t, f.ended, "does not continue the log")
	assert.Empty(t, f.log)
}

func TestLearner_HaltsWhenTheChainDiffers(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	f := b.follow(2, 1)
	b.settle()
	l.propose("a")
	key := [2]ensemble.ServerID{1, 2}
	b.links[key][0].Txns[0].Data = []byte("another")
	b.deliver(1, 2, -1)
	assert.True(t, f.halted)
	assert.Contains(t, f.ended, "chained hash")
}

func TestLearner_HaltsRatherThanLoseWhatIsCommitted(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(2, Epochs{Accepted: 1, Current: 1}, z(1, 1), z(1, 2))
	f := b.servers[2]
	f.journal.committed = z(1, 2)
	f.learner = Follow(b.config(2), f.journal, 1, 0)
	f.input(LinkUp{Peer: 1})
	f.input(Received{From: 1, Packet: Packet{Type: LeaderInfo, Zxid: z(9, 0)}})
	f.input(Received{From: 1, Packet: Packet{Type: Trunc, Zxid: z(1, 1)}})
	assert.True(t, f.halted)
	assert.Contains(t, f.ended, "committed")
	assert.Len(t, f.log, 2)
}

// ZOOKEEPER-4394: a COMMIT between NEWLEADER and UPTODATE.
func TestLearner_CommitBeforeUpToDate(t *testing.T) {
	b := newBench(t, 3, 0)
	f := b.servers[2]
	f.learner = Follow(b.config(2), f.journal, 1, 0)
	chain := NextChain(0, z(1, 1), Origin{}, nil)
	chain2 := NextChain(chain, z(1, 2), Origin{}, nil)
	for _, p := range []Packet{
		{Type: LeaderInfo, Zxid: z(1, 0)},
		{Type: Diff},
		{Type: Proposal, Txns: []Txn{{Zxid: z(1, 1), Chain: chain}}},
		{Type: CommitUpTo, Zxid: z(1, 1)},
		{Type: Proposal, Txns: []Txn{{Zxid: z(1, 2), Chain: chain2}}},
		{Type: NewLeader, Zxid: z(1, 0), At: Position{z(1, 2), chain2}},
		{Type: CommitUpTo, Zxid: z(1, 2)},
		{Type: UpToDate, Zxid: z(1, 2)},
	} {
		if f.learner.step == connecting {
			f.input(LinkUp{Peer: 1})
		}
		assert.False(t, said(f, "commit"), "applied before the leader was established: %v", p)
		f.input(Received{From: 1, Packet: p})
	}
	assert.Empty(t, f.ended)
	assert.Equal(t, z(1, 2), f.journal.Committed())
	before(t, f.trace, "ACK 0x100000000", "ACK 0x100000002")
	assert.Len(t, f.log, 2)
}

// ZOOKEEPER-2959: observers count nowhere.
func TestObservers_NeverCount(t *testing.T) {
	b := newBench(t, 3, 3)
	l := b.lead(1)
	for id := ensemble.ServerID(4); id <= 6; id++ {
		b.follow(id, 1)
	}
	b.settle()
	assert.False(t, l.leader.settled)
	b.follow(2, 1)
	b.settle()
	assert.Equal(t, ensemble.Epoch(1), l.established)
	b.servers[2].slow = true
	l.propose("a")
	b.settle()
	assert.False(t, said(l, "commit 0x1"))
	b.servers[2].finish()
	b.settle()
	o := b.servers[4]
	assert.Equal(t, ensemble.Epoch(1), o.established)
	assert.Equal(t, z(1, 1), o.journal.Committed())
	assert.False(t, said(o, "ACK 0x100000001"), "an observer acknowledged a txn")
	assert.Equal(t, l.journal.Last(), o.journal.Last())
}

func TestObserver_JoinsAnEnsembleAtWorkAndMissesNothing(t *testing.T) {
	b := newBench(t, 3, 1)
	l := b.lead(1)
	f := b.follow(2, 1)
	b.settle()
	l.propose("a")
	b.settle()
	f.slow = true
	l.propose("b") // not committed
	o := b.follow(4, 1)
	b.settle()
	assert.Equal(t, z(1, 1), o.journal.Last().Zxid, "got what is not committed")
	f.finish()
	b.settle()
	assert.Equal(t, z(1, 2), o.journal.Committed())
}

// Design decision 4: who is unsure counts only if every voter is there.
func TestUnsure_CountsOnlyWithEveryVoter(t *testing.T) {
	b := newBench(t, 3, 0)
	for id := ensemble.ServerID(1); id <= 3; id++ {
		b.history(id, Epochs{Unsure: true})
	}
	l := b.lead(1)
	b.follow(2, 1)
	b.settle()
	assert.False(t, l.leader.settled)
	b.follow(3, 1)
	b.settle()
	assert.Equal(t, ensemble.Epoch(1), l.established)
	for id := ensemble.ServerID(1); id <= 3; id++ {
		assert.False(t, b.servers[id].epochs.Unsure, "server %d", id)
	}
}

func TestUnsure_IsSureAfterSynchronization(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(1, Epochs{Accepted: 1, Current: 1}, z(1, 1))
	b.history(2, Epochs{Accepted: 1, Current: 1}, z(1, 1))
	b.history(3, Epochs{Unsure: true})
	l := b.lead(1)
	f := b.follow(3, 1)
	b.settle()
	assert.Zero(t, l.established)
	b.follow(2, 1)
	b.settle()
	assert.Equal(t, ensemble.Epoch(2), l.established)
	assert.Equal(t, Epochs{Accepted: 2, Current: 2}, f.epochs)
	b.servers[2].slow = true
	l.propose("x")
	b.settle()
	assert.True(t, said(l, "commit 0x200000001"), "it counts now")
}

// Design decision 12: a sync is confirmed by a heartbeat round that began after it.
func TestSync_IsConfirmedByAQuorum(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	f := b.follow(2, 1)
	b.settle()
	l.propose("a")
	b.settle()
	l.input(SyncRequest{From: 1, ID: 42})
	assert.Empty(t, l.points, "nobody has confirmed")
	b.settle()
	assert.Equal(t, []SyncPoint{{42, z(1, 1)}}, l.points)
	f.input(Received{From: 1, Packet: Packet{Type: Sync, Zxid: z(1, 1), ID: 7}})
	assert.Equal(t, []SyncPoint{{7, z(1, 1)}}, f.points)
}

// Found by the simulator (B12): a learner that had reconnected got the answer to
// a sync of its old link, in the middle of its discovery, and gave up.
func TestSync_IsForgottenWithTheLinkItCameBy(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.follow(3, 1)
	b.settle()
	l.input(SyncRequest{From: 3, ID: 9})
	l.input(LinkDown{Peer: 3})
	b.links[[2]ensemble.ServerID{1, 3}] = nil
	l.input(LinkUp{Peer: 3})
	b.deliver(1, 2, -1)
	b.deliver(2, 1, -1) // the round is confirmed
	for _, p := range b.links[[2]ensemble.ServerID{1, 3}] {
		assert.NotEqual(t, Sync, p.Type, "the answer to a question of another link")
	}
	l.input(SyncRequest{From: 1, ID: 42})
	b.deliver(1, 2, -1)
	b.deliver(2, 1, -1)
	assert.Equal(t, []SyncPoint{{42, 0}}, l.points, "others are answered")
}

func TestSync_TwoAtOnceNeedALaterRound(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.settle()
	l.input(SyncRequest{From: 1, ID: 1})
	round := l.leader.round
	l.input(SyncRequest{From: 1, ID: 2})
	b.deliver(1, 2, -1)
	b.deliver(2, 1, 1)
	assert.Equal(t, []SyncPoint{{1, 0}}, l.points, "round %d answers only the first", round)
	b.settle()
	assert.Equal(t, []SyncPoint{{1, 0}, {2, 0}}, l.points)
}

// Found by a stranger in the simulator (B12): a follower that was slow was cut off
// when the leader had purged the proposals that it acknowledged.
func TestLeader_LateAckOfWhatIsPurgedIsFine(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.follow(3, 1)
	b.settle()
	l.propose("a", "b", "c")
	b.deliver(1, 2, -1)
	b.deliver(2, 1, -1)
	require.Equal(t, z(1, 3), l.journal.Committed())
	l.input(Purged{Base: l.journal.Last()})
	l.input(Received{From: 3, Packet: Packet{Type: Ack, Zxid: z(1, 1)}})
	assert.Contains(t, l.leader.order, ensemble.ServerID(3), "it is late, and good")
}

func TestLeader_FirstAckMustBeNewLeaders(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.deliver(2, 1, -1)
	b.deliver(1, 2, -1)
	b.deliver(2, 1, -1)
	l.input(Received{From: 2, Packet: Packet{Type: Ack, Zxid: z(1, 1)}})
	assert.True(t, said(l, "drop 2: acknowledged 0x100000001 before NEWLEADER"))
}

func TestLeader_HostilePacketsDropOneLearner(t *testing.T) {
	for _, p := range []Packet{
		{Type: 99}, {Type: NewLeader}, {Type: Ack, Zxid: z(1, 77)}, {Type: AckEpoch, Epoch: 5},
		{Type: FollowerInfo, Zxid: z(3, 0)}, {Type: Proposal}, {Type: Snap},
	} {
		b := newBench(t, 3, 0)
		l := b.lead(1)
		b.follow(2, 1)
		b.follow(3, 1)
		b.settle()
		l.input(Received{From: 3, Packet: p})
		assert.True(t, said(l, "drop 3"), p.String())
		l.propose("x")
		b.settle()
		assert.True(t, said(l, "commit 0x100000001"), "the rest goes on after %v", p)
	}
}

func TestRule2_NothingIsAcknowledgedWhenOnlyTheHistoryIsOnDisk(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(1, Epochs{Accepted: 1, Current: 1}, z(1, 1), z(1, 2))
	b.history(2, Epochs{Accepted: 1, Current: 1}, z(1, 1))
	l := b.lead(1)
	f := b.follow(2, 1)
	f.slow = true
	b.settle()
	f.finish() // acceptedEpoch
	l.slow = true
	b.settle()
	require.Len(t, f.disk, 2) // the history, then currentEpoch
	f.finishOne()
	b.settle()
	assert.False(t, said(f, "ACK 0x200000000"), "currentEpoch is not on disk")
	f.finish()
	b.settle()
	assert.True(t, said(f, "ACK 0x200000000"))
	assert.Zero(t, l.established, "the leader's own currentEpoch is not on disk")
	l.finish()
	assert.Equal(t, ensemble.Epoch(2), l.established)
}

// ZooKeeper's followers acknowledge UPTODATE by a second ACK of (epoch, 0). It
// must not become a commit point.
func TestLeader_SecondAckOfTheEpochCommitsNothing(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(1, Epochs{Accepted: 1, Current: 1}, z(1, 1))
	l := b.lead(1)
	b.follow(2, 1)
	b.settle()
	l.propose("a")
	l.input(Received{From: 2, Packet: Packet{Type: Ack, Zxid: z(2, 0)}})
	assert.Equal(t, z(1, 1), l.journal.Committed())
	assert.False(t, said(l, "drop"))
}

func TestLeader_ResignsWhenItsOwnDiskHangs(t *testing.T) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	b.follow(2, 1)
	b.follow(3, 1)
	b.settle()
	l.slow = true
	l.propose("a")
	for range 60 {
		b.settle()
		b.pass(100 * time.Millisecond)
	}
	assert.Contains(t, l.ended, "our own disk")
}

func TestLeader_RefusesHistoriesThatCannotBe(t *testing.T) {
	for name, runs := range map[string][]Run{
		"inverted":      {{First: z(1, 5), Last: z(1, 1)}},
		"overlapping":   {{First: z(1, 1), Last: z(1, 5)}, {First: z(1, 3), Last: z(1, 9)}},
		"descending":    {{First: z(2, 1), Last: z(2, 5)}, {First: z(1, 1), Last: z(1, 5)}},
		"across epochs": {{First: z(1, 1), Last: z(2, 5)}},
		"too many":      make([]Run, runsMax+1),
	} {
		b := newBench(t, 3, 0)
		l := b.lead(1)
		b.follow(2, 1)
		b.settle()
		b.follow(3, 1)
		b.deliver(3, 1, -1)
		l.input(Received{From: 3, Packet: Packet{Type: AckEpoch, Runs: runs}})
		assert.True(t, said(l, "drop 3: an ACKEPOCH whose history cannot be"), name)
	}
}

func (b *bench) learner(id ensemble.ServerID, step learnerStep) *server {
	s := b.servers[id]
	s.learner = Follow(b.config(id), s.journal, 1, 0)
	s.learner.step, s.learner.epoch = step, max(2, s.journal.epochs.Accepted)
	return s
}

func TestLearner_RefusesALowerEpochThanItHasAccepted(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(2, Epochs{Accepted: 5, Current: 3}, z(3, 1))
	f := b.learner(2, asking)
	f.input(Received{From: 1, Packet: Packet{Type: LeaderInfo, Zxid: z(4, 0)}})
	assert.Contains(t, f.ended, "accepted 5")
	assert.Equal(t, Epochs{Accepted: 5, Current: 3}, f.epochs)
}

func TestLearner_HaltsWhenASnapshotIsOlderThanWhatIsCommitted(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(2, Epochs{Accepted: 2, Current: 1}, z(1, 1), z(1, 2))
	f := b.learner(2, waiting)
	f.journal.committed = z(1, 2)
	f.input(Received{From: 1, Packet: Packet{Type: Snap, At: Position{Zxid: z(1, 1), Chain: 1}}})
	assert.True(t, f.halted)
}

func TestLearner_HaltsWhenNewLeadersChainDiffers(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(2, Epochs{Accepted: 2, Current: 1}, z(1, 1))
	f := b.learner(2, catchingUp)
	f.input(Received{From: 1, Packet: Packet{Type: NewLeader, Zxid: z(2, 0), At: Position{Zxid: z(1, 1), Chain: 77}}})
	assert.True(t, f.halted)
	assert.Contains(t, f.ended, "chained hash")
}

// The snapshot is captured when its turn comes, and may be newer than the end of
// the history that NEWLEADER was queued for.
func TestLearner_NewLeaderMayLieBehindTheSnapshot(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(2, Epochs{Accepted: 2})
	f := b.learner(2, waiting)
	f.input(Received{From: 1, Packet: Packet{Type: Snap, At: Position{Zxid: z(2, 9), Chain: 5}}})
	f.input(Received{From: 1, Packet: Packet{Type: NewLeader, Zxid: z(2, 0), At: Position{Zxid: z(2, 7), Chain: 3}}})
	assert.Empty(t, f.ended)
	assert.True(t, said(f, "ACK 0x200000000"))
}

func TestLearner_InformCommitsWhatItSaysAndNoMore(t *testing.T) {
	b := newBench(t, 3, 1)
	b.history(4, Epochs{Accepted: 2, Current: 2}, z(1, 1), z(1, 2), z(1, 3))
	o := b.learner(4, serving)
	o.input(Received{From: 1, Packet: Packet{Type: Inform, Txns: o.log[:2]}})
	assert.Equal(t, z(1, 2), o.journal.Committed())
	b.history(2, Epochs{Accepted: 2, Current: 2}, z(1, 1))
	f := b.learner(2, serving)
	f.input(Received{From: 1, Packet: Packet{Type: Inform}})
	assert.Contains(t, f.ended, "INFORM out of turn")
}

func TestLearner_RefusesPhantoms(t *testing.T) {
	for _, p := range []Packet{
		{Type: CommitUpTo, Zxid: z(2, 0)}, {Type: CommitUpTo, Zxid: z(9, 9)}, {Type: Sync, Zxid: z(1, 2)},
	} {
		b := newBench(t, 3, 0)
		b.history(2, Epochs{Accepted: 2, Current: 2}, z(1, 1), z(1, 2))
		f := b.learner(2, serving)
		f.input(Received{From: 1, Packet: p})
		assert.NotEmpty(t, f.ended, p.String())
		assert.Zero(t, f.journal.Committed())
	}
}

func TestLearner_GivesUpALeaderThatCannotBeReached(t *testing.T) {
	b := newBench(t, 3, 0)
	f := b.learner(2, connecting)
	f.input(Unreachable{Peer: 1})
	assert.Contains(t, f.ended, "cannot connect")
}

// What an unsure server may hold against others is what its log shows.
func TestUnsure_ClaimsNoMoreThanItsLogShows(t *testing.T) {
	b := newBench(t, 3, 0)
	b.history(1, Epochs{Accepted: 3, Current: 3, Unsure: true}, z(1, 1)) // has lost what it had of 3
	b.history(2, Epochs{Accepted: 2, Current: 2}, z(1, 1), z(2, 1))
	b.history(3, Epochs{Accepted: 1, Current: 1}, z(1, 1))
	l := b.lead(1)
	f := b.follow(2, 1)
	b.follow(3, 1)
	b.settle()
	assert.True(t, said(l, "drop 2: its history"), "%q", l.trace)
	assert.Len(t, f.log, 2)

	b.servers[1].leader = nil
	j := b.servers[1].journal
	assert.Equal(t, ensemble.Epoch(1), j.claim())
	s := b.learner(1, asking)
	s.input(Received{From: 2, Packet: Packet{Type: LeaderInfo, Zxid: z(9, 0)}})
	assert.True(t, said(s, "ACKEPOCH epoch=1"))
}
