package zab

import (
	"fmt"

	"github.com/quorate/quorate/ensemble"
)

// PacketType says what a packet on a quorum link means, with ZooKeeper's numbers.
type PacketType uint8

// The packet types. L is a learner, M its leader.
const (
	Request      PacketType = 1  // L→M  a client's request, to be prepared and proposed
	Proposal     PacketType = 2  // M→L  transactions to log
	Ack          PacketType = 3  // L→M  everything up to Zxid is on disk
	CommitUpTo   PacketType = 4  // M→L  everything up to Zxid is committed (COMMIT)
	Ping         PacketType = 5  // both ID is the heartbeat round, echoed; the answer carries Heartbeat data
	Revalidate   PacketType = 6  // both a question to the leader and its answer, matched by ID
	Sync         PacketType = 7  // both L→M asks, M→L answers: apply up to Zxid; matched by ID
	Inform       PacketType = 8  // M→O  committed transactions, for observers
	NewLeader    PacketType = 10 // M→L  end of the initial history of epoch Zxid.Epoch(); At is its end
	FollowerInfo PacketType = 11 // L→M  first packet: Zxid is (acceptedEpoch, 0)
	UpToDate     PacketType = 12 // M→L  serve; everything up to Zxid is committed
	Diff         PacketType = 13 // M→L  keep everything; what lies behind Zxid follows
	Trunc        PacketType = 14 // M→L  cut behind Zxid; what lies behind it follows
	Snap         PacketType = 15 // M→L  a snapshot at At; its body has been received, if you read this
	ObserverInfo PacketType = 16 // O→M  as FollowerInfo
	LeaderInfo   PacketType = 17 // M→L  Zxid is (new epoch, 0)
	AckEpoch     PacketType = 18 // L→M  At is the end of the log, Epoch its current epoch or NoEpoch, Shape its history
	SnapData     PacketType = 32 // M→L  a piece of the snapshot's body; never reaches the core
	SnapEnd      PacketType = 33 // M→L  the body is complete; the shell makes it a Snap for the core
)

var packetNames = map[PacketType]string{
	Request: "REQUEST", Proposal: "PROPOSAL", Ack: "ACK", CommitUpTo: "COMMIT", Ping: "PING",
	Revalidate: "REVALIDATE", Sync: "SYNC", Inform: "INFORM", NewLeader: "NEWLEADER",
	FollowerInfo: "FOLLOWERINFO", UpToDate: "UPTODATE", Diff: "DIFF", Trunc: "TRUNC", Snap: "SNAP",
	ObserverInfo: "OBSERVERINFO", LeaderInfo: "LEADERINFO", AckEpoch: "ACKEPOCH",
	SnapData: "SNAPDATA", SnapEnd: "SNAPEND",
}

// String prints ZooKeeper's name of the type.
func (t PacketType) String() string {
	if s, ok := packetNames[t]; ok {
		return s
	}
	return fmt.Sprintf("packet type %d", uint8(t))
}

// Packet is one message on a quorum link. Which fields mean something depends on
// the type; the others are zero and cost a byte each on the wire.
type Packet struct {
	Type   PacketType
	Zxid   ensemble.Zxid
	At     Position       // NEWLEADER, SNAP, ACKEPOCH: the end of a history
	Epoch  ensemble.Epoch // ACKEPOCH
	Unsure bool           // FOLLOWERINFO, OBSERVERINFO
	ID     uint64         // PING, REVALIDATE, SYNC, REQUEST
	Txns   []Txn          // PROPOSAL, INFORM
	Runs   []Run          // ACKEPOCH: the learner's shape, above Base
	Base   Position       // ACKEPOCH
	Data   []byte         // REQUEST, REVALIDATE, PING, SNAPDATA
}

// Shape returns the history that an ACKEPOCH describes.
func (p Packet) Shape() Shape { return Shape{Base: p.Base, Runs: p.Runs} }

// String prints the packet in one line, for traces and scripts.
func (p Packet) String() string {
	switch p.Type {
	case Proposal, Inform:
		if n := len(p.Txns); n > 0 {
			return fmt.Sprintf("%v %v-%v", p.Type, p.Txns[0].Zxid, p.Txns[n-1].Zxid)
		}
	case AckEpoch:
		return fmt.Sprintf("%v epoch=%d history=%v", p.Type, p.Epoch, p.Shape())
	case NewLeader, Snap:
		return fmt.Sprintf("%v %v end=%v", p.Type, p.Zxid, p.At.Zxid)
	case Ping, Sync, Revalidate, Request:
		return fmt.Sprintf("%v %v id=%d", p.Type, p.Zxid, p.ID)
	case FollowerInfo, ObserverInfo:
		if p.Unsure {
			return fmt.Sprintf("%v %v unsure", p.Type, p.Zxid)
		}
	}
	return fmt.Sprintf("%v %v", p.Type, p.Zxid)
}
