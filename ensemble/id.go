package ensemble

import (
	"fmt"
	"math"
	"strconv"
)

// ServerID is a server's sid: the N of server.N=… and the content of myid.
// Valid ids are 1 to 255 in new ensembles; ZooKeeper accepts any
// non-negative int64, and so do we.
type ServerID int64

// NoServer is the ServerID of nobody.
const NoServer ServerID = -1

// String prints the sid in decimal.
func (s ServerID) String() string { return strconv.FormatInt(int64(s), 10) }

// Epoch numbers the leaders of an ensemble: each established leader has one of
// its own. Valid epochs are 0 (no leader yet) to MaxEpoch.
type Epoch int64

// NoEpoch stands where ZooKeeper says -1: no epoch to report.
const NoEpoch Epoch = -1

// MaxEpoch is the last epoch that fits into a zxid.
const MaxEpoch Epoch = math.MaxInt32

// MaxCounter is the last counter of an epoch. A leader that has proposed it
// must give up its epoch (ZOOKEEPER-1277).
const MaxCounter uint32 = math.MaxUint32

// Zxid names a transaction: epoch in the upper 32 bits, counter in the lower.
type Zxid int64

// NoZxid is the zxid of a server that cannot vouch for any history: it does not
// vote until a leader has synchronized it (ZOOKEEPER-261).
const NoZxid Zxid = -1

// NewZxid packs an epoch and a counter.
func NewZxid(e Epoch, counter uint32) Zxid { return Zxid(int64(e)<<32 | int64(counter)) }

// Epoch returns the epoch of the leader that proposed z.
func (z Zxid) Epoch() Epoch { return Epoch(z >> 32) }

// Counter returns the position of z within its epoch, from 1; 0 is the epoch's start.
func (z Zxid) Counter() uint32 { return uint32(z) }

// Next returns the zxid after z in the same epoch, and false when the epoch is
// used up.
func (z Zxid) Next() (Zxid, bool) {
	if z.Counter() == MaxCounter {
		return z, false
	}
	return z + 1, true
}

// Follows reports whether z may stand directly behind prev in a log: the next
// counter of the same epoch, or the first of a later one.
func (z Zxid) Follows(prev Zxid) bool {
	if z.Epoch() == prev.Epoch() {
		return z == prev+1 && z.Counter() != 0
	}
	return z > prev && z.Counter() == 1
}

// String prints z as ZooKeeper does: 0x500000003.
func (z Zxid) String() string { return fmt.Sprintf("0x%x", uint64(z)) }

// State is what a server is doing, with ZooKeeper's ordinals.
type State uint8

// The four states of a QuorumPeer.
const (
	Looking State = iota
	Following
	Leading
	Observing
)

// String prints the state in ZooKeeper's capitals.
func (s State) String() string {
	switch s {
	case Looking:
		return "LOOKING"
	case Following:
		return "FOLLOWING"
	case Leading:
		return "LEADING"
	case Observing:
		return "OBSERVING"
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}
