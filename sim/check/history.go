package check

import (
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// History is what clients asked for and saw, and what was committed.
//
// Moments are counted: Order numbers of everything that clients send and receive
// come from one counter of the whole run, so that real time between two clients
// is known exactly. The times beside them are for people and for timeouts.
type History struct {
	// Txns are all committed transactions, ascending by zxid.
	Txns []Txn
	// Conns, Ops and Events are in the order of their first Order number.
	Conns  []*Conn
	Ops    []*Op
	Events []*Notice
	// SyncIsLinearizable says that sync is confirmed by a quorum, as Quorate's is
	// and ZooKeeper's is not.
	SyncIsLinearizable bool
	// TickTime is that of the servers: sessions expire in its steps.
	TickTime time.Duration
	// ExtendedTypes says that the servers make nodes with a time to live.
	ExtendedTypes bool
	// EnforceQuota says that hard limits of quotas hold.
	EnforceQuota bool
	// ReapPeriod is how often the servers look for what is to be reaped; 0: they
	// reap nothing.
	ReapPeriod time.Duration
	// Calm are spans, ascending, in which nothing was wrong, one leader led, and
	// every server served: what servers owe in time they owe then.
	Calm []Span
	// End is when the run ended.
	End time.Duration
}

// Txn is a committed transaction, as its header says. What it does is not told
// here: that follows from the request.
type Txn struct {
	Zxid      ensemble.Zxid
	Session   int64
	Cxid      int32 // of the request; 0 for what the servers do by themselves
	Op        proto.OpCode
	Err       proto.ErrCode // of an OpError; of an OpMulti, the code of the part that failed
	Time      int64         // ms, the leader's clock
	TimeoutMs int32         // of a createSession
	Path      string        // of a deleteContainer
	// Order and At are those of the first commit anywhere.
	Order int
	At    time.Duration
}

// Conn is one connection of a client to a server.
type Conn struct {
	Client, Conn int // Conn counts the connections of all clients, from 1
	Server       ensemble.ServerID
	// Address is where the client comes from, IPv4 without a port: that is an
	// identity, too. Empty: not known, and no ACL is for it.
	Address string
	// Asked is the session that the client presented, 0 for a new one, with a
	// WrongPassword or the right one, and Seen the last zxid that it had seen.
	Asked         int64
	WrongPassword bool
	Seen          ensemble.Zxid
	TimeoutMs     int32 // asked for

	Session       int64 // given; 0: none, or refused
	Given         int32 // timeout in ms
	Refused       bool  // answered with session 0: expired
	Opened        int   // Order of the ConnectRequest
	Answered      int   // Order of the ConnectResponse; 0 if there was none
	Closed        int   // Order of the end; 0 if it was open at the end of the run
	OpenedAt      time.Duration
	AnsweredAt    time.Duration
	ClosedAt      time.Duration
	ClosedByFault bool // the client or the network ended it, not the server
}

// Op is a request and what came of it.
type Op struct {
	Client, Conn int
	Server       ensemble.ServerID
	Session      int64
	Xid          int32
	Code         proto.OpCode
	Request      proto.Record // nil for ping and closeSession

	Sent     int // Order
	Returned int // Order; 0 if there was no answer: then nobody knows its outcome
	SentAt   time.Duration
	BackAt   time.Duration

	Zxid  ensemble.Zxid // of the reply's header
	Err   proto.ErrCode
	Reply proto.Record // nil after an error, or when the reply has no body
}

// Notice is a watch event as a client received it.
type Notice struct {
	Client, Conn int
	Session      int64
	Order        int
	At           time.Duration
	Zxid         ensemble.Zxid // -1 for one that setWatches made
	Type         proto.EventType
	Path         string
}
