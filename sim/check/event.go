package check

import (
	"time"

	"github.com/quorate/quorate/ensemble"
)

// Kind names what an Event tells. The list is that of docs/testing.md.
type Kind string

// What a server does. An event that speaks of the disk comes when the disk is
// done: what it says is durable then, if the disk is honest.
const (
	// Boot: a process has recovered. Accepted, Current, Unsure, Snap, Log (the
	// whole history on disk, what the snapshot stands for included), Mode: clean,
	// torn, doubtful or empty.
	Boot Kind = "boot"
	// Crash: the process is gone, Mode: kill (what was written survives), power
	// (what was not synced may be lost), stop.
	Crash Kind = "crash"
	// Wipe: the disk is empty from now on. Rollback: it has become an older copy of
	// itself. Damage: bytes on it have changed. All three while the process is down.
	Wipe     Kind = "wipe"
	Rollback Kind = "rollback"
	Damage   Kind = "damage"
	// RoleChange: State, Peer (the leader or NoServer), Text (why the old one ended).
	RoleChange Kind = "role"

	// VoteSend and VoteRecv: a notification to or from Peer. Round, Vote, State,
	// Unsure (of the sender).
	VoteSend Kind = "fle.send"
	VoteRecv Kind = "fle.recv"
	// Decide: the election is over. Round, Vote, State.
	Decide Kind = "fle.decide"

	// EpochProposed: the leader has settled its new Epoch; Voters: whose accepted
	// epochs it had been told, itself included.
	EpochProposed Kind = "epoch.propose"
	// EpochAck: a learner promises Epoch to Peer: Mode counted, or repeated when it
	// had promised it before.
	EpochAck Kind = "epoch.ack"
	// EpochsDurable: the record with Accepted, Current and Unsure is on disk.
	EpochsDurable Kind = "epochs"

	// SyncPlan: the leader decides how Peer gets its history. Mode DIFF, TRUNC or
	// SNAP, Zxid: where it starts, To: the end.
	SyncPlan Kind = "sync.plan"
	// LogAppend: Log is written behind the history, not durable. LogDurable: all up
	// to Zxid is. LogTruncate: the log ends at Zxid, durable.
	LogAppend   Kind = "log.append"
	LogDurable  Kind = "log.durable"
	LogTruncate Kind = "log.trunc"
	// SnapInstall: a leader's snapshot at Zxid, Chain replaces the history, durable.
	SnapInstall Kind = "snap.install"
	// SnapSave: a snapshot of the own state at Zxid, Chain is durable. Digest: of the
	// tree at Zxid; To, Digest2: what a shadow that restored the snapshot says.
	SnapSave Kind = "snap.save"

	// NewLeaderAck: the learner acknowledges NEWLEADER of Epoch to Peer.
	NewLeaderAck Kind = "newleader.ack"
	// Established: the server serves in Epoch as State; as the leader, its history
	// ends at Zxid, Chain, and Voters have acknowledged NEWLEADER.
	Established Kind = "established"
	// Proposed: the leader of Epoch proposes Log.
	Proposed Kind = "propose"
	// AckSend: a learner tells Peer that all up to Zxid is on its disk. AckCount:
	// the leader takes that from Peer.
	AckSend  Kind = "ack.send"
	AckCount Kind = "ack"
	// Committed: the server may apply up to Zxid; on a leader it is the decision.
	Committed Kind = "commit"
	// Delivered: the transaction Zxid, Chain has been applied. Digest: of the state,
	// 0 if not computed.
	Delivered Kind = "deliver"
	// Halted: the server stops for good, Text says why.
	Halted Kind = "halt"
	// DiskError: an operation failed, Text. What it did is not known.
	DiskError Kind = "disk.err"

	// SessionEvent: Session, Mode: create, touch, expire, close or move; Timeout;
	// Peer: the server that has it.
	SessionEvent Kind = "sess"

	// MessageSend, MessageRecv: a packet of the quorum link or a client's bytes,
	// Text: what it is; Message joins the two.
	MessageSend Kind = "msg.send"
	MessageRecv Kind = "msg.recv"
	// LinkUp, LinkDown: the quorum link to Peer.
	LinkUp   Kind = "link.up"
	LinkDown Kind = "link.down"

	// Fault: what the nemesis does, Text; Node and Peer whom it concerns. Healed:
	// the last fault is over and a quorum must work again.
	Fault  Kind = "fault"
	Healed Kind = "healed"
)

// Entry is a transaction's place in a history.
type Entry struct {
	Zxid  ensemble.Zxid `json:"zxid"`
	Chain uint64        `json:"chain,string"`
}

// Vote is what a notification votes for.
type Vote struct {
	Leader ensemble.ServerID `json:"leader"`
	Zxid   ensemble.Zxid     `json:"zxid"`
	Epoch  ensemble.Epoch    `json:"epoch"`
}

// Event is one thing that happened to one server. Which fields a kind has is said
// with the kind; the others are zero.
type Event struct {
	At   time.Duration     `json:"t"`              // since the beginning, in ns
	Node ensemble.ServerID `json:"node,omitempty"` // 0: nobody
	Life int               `json:"life,omitempty"` // of the node, from 1
	Seq  int               `json:"seq"`            // from 1, without gaps
	Kind Kind              `json:"ev"`

	Peer     ensemble.ServerID   `json:"peer,omitempty"`
	State    ensemble.State      `json:"state,omitempty"`
	Epoch    ensemble.Epoch      `json:"epoch,omitempty"`
	Accepted ensemble.Epoch      `json:"accepted,omitempty"`
	Current  ensemble.Epoch      `json:"current,omitempty"`
	Unsure   bool                `json:"unsure,omitempty"`
	Zxid     ensemble.Zxid       `json:"zxid,omitempty"`
	To       ensemble.Zxid       `json:"to,omitempty"`
	Snap     ensemble.Zxid       `json:"snap,omitempty"`
	Chain    uint64              `json:"chain,omitempty,string"`
	Log      []Entry             `json:"log,omitempty"`
	Round    int64               `json:"round,omitempty"`
	Vote     *Vote               `json:"vote,omitempty"`
	Voters   []ensemble.ServerID `json:"voters,omitempty"`
	Digest   uint64              `json:"digest,omitempty,string"`
	Digest2  uint64              `json:"digest2,omitempty,string"`
	Session  int64               `json:"session,omitempty,string"`
	Timeout  time.Duration       `json:"timeout,omitempty"`
	Message  uint64              `json:"msg,omitempty"`
	Mode     string              `json:"mode,omitempty"`
	Text     string              `json:"text,omitempty"`
}
