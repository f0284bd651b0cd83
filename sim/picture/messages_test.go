package picture

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

const ms = time.Millisecond

// numbered gives events their Seq, so that a test need not.
func numbered(events ...check.Event) []check.Event {
	for i := range events {
		events[i].Seq = i + 1
	}
	return events
}

func packet(at time.Duration, kind check.Kind, node, peer ensemble.ServerID, id uint64, text string) check.Event {
	return check.Event{At: at, Node: node, Peer: peer, Kind: kind, Message: id, Text: text}
}

func notification(at time.Duration, kind check.Kind, node, peer, votesFor ensemble.ServerID) check.Event {
	return check.Event{At: at, Node: node, Peer: peer, Kind: kind, Round: 1, Vote: &check.Vote{Leader: votesFor}, State: ensemble.Looking}
}

func TestMessages_NumbersJoinSendingAndReceipt(t *testing.T) {
	doc := drawn(t, numbered(
		packet(1*ms, check.MessageSend, 1, 2, 10, "PROPOSAL 0x100000003-0x100000005"),
		packet(1*ms, check.MessageSend, 1, 3, 11, "PROPOSAL 0x100000003-0x100000005"),
		packet(3*ms, check.MessageRecv, 3, 1, 11, "PROPOSAL 0x100000003-0x100000005"),
		packet(4*ms, check.MessageRecv, 2, 1, 10, "PROPOSAL 0x100000003-0x100000005"),
	), nil, nil)
	m := doc.Messages
	assert.Equal(t, []int{1, 2}, m.Sent)
	assert.Equal(t, []int{4, 3}, m.Got)
	assert.Equal(t, []int{1, 1}, m.From)
	assert.Equal(t, []int{2, 3}, m.To)
	assert.Equal(t, []int{arrived, arrived}, m.Fate)
	assert.Equal(t, []int{1, 2, 2, 1}, doc.Events.Message)
	assert.Equal(t, "0x100000003", doc.Zxids[m.Low[0]-1])
	assert.Equal(t, "0x100000005", doc.Zxids[m.High[0]-1])
	assert.Equal(t, 2, doc.Classes[proposals].Count)
}

func TestMessages_FatesOfThoseThatDoNotArrive(t *testing.T) {
	doc := drawn(t, numbered(
		packet(1*ms, check.MessageSend, 1, 2, 1, "COMMIT 0x100000001"),
		packet(5*ms, check.MessageRecv, 2, 1, 99, "COMMIT 0x100000002"),
		packet(500*ms, check.MessageSend, 1, 2, 3, "COMMIT 0x100000003"),
	), nil, nil)
	assert.Equal(t, []int{lost, sourceless, underway}, doc.Messages.Fate)
	assert.Equal(t, []int{1, 0, 3}, doc.Messages.Sent)
	assert.Equal(t, []int{0, 2, 0}, doc.Messages.Got)
}

// Notifications have no numbers. Of equal ones the one sent last has arrived: the
// first was lost, or it would have come before the second was sent.
func TestMessages_VotesAreJoinedByWhatTheySay(t *testing.T) {
	doc := drawn(t, numbered(
		notification(0, check.VoteSend, 1, 2, 1),
		notification(200*ms, check.VoteSend, 1, 2, 1),
		notification(205*ms, check.VoteSend, 1, 2, 3),
		notification(207*ms, check.VoteRecv, 2, 1, 1),
		notification(209*ms, check.VoteRecv, 2, 1, 3),
		notification(211*ms, check.VoteRecv, 2, 3, 3),
		notification(400*ms, check.VoteSend, 1, 2, ensemble.NoServer),
	), nil, nil)
	m := doc.Messages
	assert.Equal(t, []int{1, 2, 3, 0, 7}, m.Sent)
	assert.Equal(t, []int{0, 4, 5, 6, 0}, m.Got)
	assert.Equal(t, []int{lost, arrived, arrived, sourceless, underway}, m.Fate)
	assert.Contains(t, doc.Texts, "vote for 3 (epoch 0, 0x0), round 1, LOOKING")
	assert.Contains(t, doc.Texts, "vote for nobody (epoch 0, 0x0), round 1, LOOKING")
}

func TestMessages_Classes(t *testing.T) {
	for text, want := range map[string]int{
		"FOLLOWERINFO 0x100000000": discovery, "OBSERVERINFO 0x0 unsure": discovery, "LEADERINFO 0x200000000": discovery,
		"ACKEPOCH epoch=1 history=0x1": discovery, "DIFF 0x100000001": synchronization, "TRUNC 0x100000001": synchronization,
		"SNAP 0x100000000 end=0x100000001": synchronization, "SNAPDATA 0x0": synchronization, "NEWLEADER 0x200000000 end=0x100000001": synchronization,
		"UPTODATE 0x100000001": synchronization, "ACK 0x200000000": synchronization, "ACK 0x200000001": acks,
		"PROPOSAL 0x200000001-0x200000001": proposals, "COMMIT 0x200000001": commits, "INFORM 0x1-0x2": commits,
		"REQUEST 0x0 id=4": forwarded, "SYNC 0x0 id=4": forwarded, "REVALIDATE 0x0 id=1": forwarded, "PING 0x1 id=2": pings,
		"": others, "packet type 77": others, "ACK": acks,
	} {
		assert.Equal(t, want, classify(text), text)
	}
	assert.Len(t, classes(), watchEvents+1)
	assert.True(t, classes()[pings].Off)
}

func TestMessages_ZxidsInTexts(t *testing.T) {
	assert.Equal(t, []ensemble.Zxid{0x10, 0x20}, mentioned("PROPOSAL 0x10-0x20, not 0x30"))
	assert.Empty(t, mentioned("no zxid: 10, 0x, 0xg, 0x11111111111111111"))
	assert.Equal(t, []ensemble.Zxid{-1}, mentioned("0xffffffffffffffff"))
}

// The bytes of a client are no message between servers; they tell when its
// request came.
func TestMessages_ClientsBytesTellWhenARequestCame(t *testing.T) {
	sent := check.Event{At: 2 * ms, Node: 2, Kind: check.MessageSend, Message: 5, Text: "setData", Mode: "client 7"}
	got := sent
	got.At, got.Kind = 9*ms, check.MessageRecv
	h := &check.History{Ops: []*check.Op{{Client: 7, Conn: 1, Server: 2, Sent: 1, SentAt: 2 * ms, Returned: 2, BackAt: 12 * ms}}}
	doc := drawn(t, []check.Event{sent, got}, h, nil)
	assert.Empty(t, doc.Messages.From)
	assert.Equal(t, []int{0, 1}, doc.Events.Node, "the server has it when it comes")
	require.Len(t, doc.Ops.Reach, 1)
	assert.EqualValues(t, 9*ms, doc.Ops.Reach[0])
	assert.Negative(t, doc.Ops.Leave[0], "a guess")
	assert.EqualValues(t, 10*ms, -doc.Ops.Leave[0])
}
