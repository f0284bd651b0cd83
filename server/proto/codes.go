package proto

import "strconv"

// OpCode says what a request asks for or what a transaction does.
type OpCode int32

// The op codes of requests and transactions, with ZooKeeper's numbers.
const (
	OpError                OpCode = -1 // transaction or multi result that says a request failed
	OpCreateSession        OpCode = -10
	OpCloseSession         OpCode = -11
	OpNotification         OpCode = 0
	OpCreate               OpCode = 1
	OpDelete               OpCode = 2
	OpExists               OpCode = 3
	OpGetData              OpCode = 4
	OpSetData              OpCode = 5
	OpGetACL               OpCode = 6
	OpSetACL               OpCode = 7
	OpGetChildren          OpCode = 8
	OpSync                 OpCode = 9
	OpPing                 OpCode = 11
	OpGetChildren2         OpCode = 12
	OpCheck                OpCode = 13 // only inside a multi
	OpMulti                OpCode = 14
	OpCreate2              OpCode = 15
	OpReconfig             OpCode = 16
	OpCheckWatches         OpCode = 17
	OpRemoveWatches        OpCode = 18
	OpCreateContainer      OpCode = 19
	OpDeleteContainer      OpCode = 20 // internal, refused from clients
	OpCreateTTL            OpCode = 21
	OpMultiRead            OpCode = 22
	OpAuth                 OpCode = 100
	OpSetWatches           OpCode = 101
	OpSASL                 OpCode = 102
	OpGetEphemerals        OpCode = 103
	OpGetAllChildrenNumber OpCode = 104
	OpSetWatches2          OpCode = 105
	OpAddWatch             OpCode = 106
	OpWhoAmI               OpCode = 107
)

var opNames = map[OpCode]string{
	OpError: "error", OpCreateSession: "createSession", OpCloseSession: "closeSession",
	OpNotification: "notification", OpCreate: "create", OpDelete: "delete", OpExists: "exists",
	OpGetData: "getData", OpSetData: "setData", OpGetACL: "getACL", OpSetACL: "setACL",
	OpGetChildren: "getChildren", OpSync: "sync", OpPing: "ping", OpGetChildren2: "getChildren2",
	OpCheck: "check", OpMulti: "multi", OpCreate2: "create2", OpReconfig: "reconfig",
	OpCheckWatches: "checkWatches", OpRemoveWatches: "removeWatches",
	OpCreateContainer: "createContainer", OpDeleteContainer: "deleteContainer",
	OpCreateTTL: "createTTL", OpMultiRead: "multiRead", OpAuth: "auth", OpSetWatches: "setWatches",
	OpSASL: "sasl", OpGetEphemerals: "getEphemerals", OpGetAllChildrenNumber: "getAllChildrenNumber",
	OpSetWatches2: "setWatches2", OpAddWatch: "addWatch", OpWhoAmI: "whoAmI",
}

// String prints ZooKeeper's name of the op, or its number.
func (o OpCode) String() string {
	if s, ok := opNames[o]; ok {
		return s
	}
	return "op(" + strconv.Itoa(int(o)) + ")"
}

// FromClient reports whether a client may send the op at top level. It may not
// send the internal ones, a check outside a multi (ZOOKEEPER-2623), or an
// unknown one: those are answered with [ErrUnimplemented] and a closed
// connection.
func (o OpCode) FromClient() bool {
	switch o {
	case OpError, OpCreateSession, OpNotification, OpCheck, OpDeleteContainer:
		return false
	}
	_, known := opNames[o]
	return known
}

// Write reports whether the op goes through the quorum as a transaction.
func (o OpCode) Write() bool {
	switch o {
	case OpCreate, OpDelete, OpSetData, OpSetACL, OpMulti, OpCreate2, OpReconfig,
		OpCreateContainer, OpDeleteContainer, OpCreateTTL, OpCreateSession, OpCloseSession:
		return true
	}
	return false
}

// ErrCode is a code of a reply header. The zero ErrCode is success. A non-zero
// one is an error.
type ErrCode int32

// The error codes that a server sends (spec client-protocol 1.9).
const (
	OK                          ErrCode = 0
	ErrSystem                   ErrCode = -1
	ErrRuntimeInconsistency     ErrCode = -2 // operation of a multi behind the one that failed
	ErrMarshalling              ErrCode = -5 // undecodable request
	ErrUnimplemented            ErrCode = -6 // unknown op; the connection is closed behind it
	ErrBadArguments             ErrCode = -8
	ErrUnknownSession           ErrCode = -12 // internal
	ErrNewConfigNoQuorum        ErrCode = -13
	ErrReconfigInProgress       ErrCode = -14
	ErrAPI                      ErrCode = -100 // codes below it are a caller's concern
	ErrNoNode                   ErrCode = -101
	ErrNoAuth                   ErrCode = -102
	ErrBadVersion               ErrCode = -103
	ErrNoChildrenForEphemerals  ErrCode = -108
	ErrNodeExists               ErrCode = -110
	ErrNotEmpty                 ErrCode = -111
	ErrSessionExpired           ErrCode = -112
	ErrInvalidACL               ErrCode = -114
	ErrAuthFailed               ErrCode = -115 // the connection is closed behind it
	ErrSessionMoved             ErrCode = -118 // never sent: the connection is closed instead
	ErrNotReadOnly              ErrCode = -119
	ErrEphemeralOnLocalSession  ErrCode = -120
	ErrNoWatcher                ErrCode = -121
	ErrReconfigDisabled         ErrCode = -123
	ErrSessionClosedRequireSASL ErrCode = -124
	ErrQuotaExceeded            ErrCode = -125
	ErrThrottled                ErrCode = -127
)

var errNames = map[ErrCode]string{
	OK: "ok", ErrSystem: "system error", ErrRuntimeInconsistency: "runtime inconsistency",
	ErrMarshalling: "marshalling error", ErrUnimplemented: "unimplemented",
	ErrBadArguments: "bad arguments", ErrUnknownSession: "unknown session",
	ErrNewConfigNoQuorum:  "no quorum of the new config is connected and up to date",
	ErrReconfigInProgress: "reconfig in progress", ErrAPI: "api error", ErrNoNode: "no node",
	ErrNoAuth: "not authorized", ErrBadVersion: "bad version",
	ErrNoChildrenForEphemerals: "no children for ephemerals", ErrNodeExists: "node exists",
	ErrNotEmpty: "directory not empty", ErrSessionExpired: "session expired",
	ErrInvalidACL: "invalid acl", ErrAuthFailed: "auth failed", ErrSessionMoved: "session moved",
	ErrNotReadOnly: "not read-only", ErrEphemeralOnLocalSession: "ephemeral on local session",
	ErrNoWatcher: "no watcher", ErrReconfigDisabled: "reconfig disabled",
	ErrSessionClosedRequireSASL: "session closed: authentication required",
	ErrQuotaExceeded:            "quota exceeded", ErrThrottled: "throttled",
}

// Error prints the code's meaning and number.
func (c ErrCode) Error() string {
	n := strconv.Itoa(int(c))
	if s, ok := errNames[c]; ok {
		return s + " (" + n + ")"
	}
	return "error " + n
}

// Err returns c as an error, nil for OK.
func (c ErrCode) Err() error {
	if c == OK {
		return nil
	}
	return c
}

// EventType is what a watch event tells.
type EventType int32

// The types of events that a server sends.
const (
	EventNodeCreated         EventType = 1
	EventNodeDeleted         EventType = 2
	EventNodeDataChanged     EventType = 3
	EventNodeChildrenChanged EventType = 4
)

// String prints ZooKeeper's name.
func (t EventType) String() string {
	switch t {
	case EventNodeCreated:
		return "NodeCreated"
	case EventNodeDeleted:
		return "NodeDeleted"
	case EventNodeDataChanged:
		return "NodeDataChanged"
	case EventNodeChildrenChanged:
		return "NodeChildrenChanged"
	}
	return "event(" + strconv.Itoa(int(t)) + ")"
}

// StateSyncConnected is the state in every event that a server sends.
const StateSyncConnected int32 = 3

// Reserved xids (spec client-protocol 1.3).
const (
	XidNotification int32 = -1
	XidPing         int32 = -2
	XidAuth         int32 = -4
	XidSetWatches   int32 = -8
)

// Permission bits of an ACL entry.
const (
	PermRead   int32 = 1
	PermWrite  int32 = 2
	PermCreate int32 = 4
	PermDelete int32 = 8
	PermAdmin  int32 = 16
	PermAll    int32 = 31
)

// Flags of a create request.
const (
	FlagPersistent          int32 = 0
	FlagEphemeral           int32 = 1
	FlagSequential          int32 = 2 // persistent and sequential
	FlagEphemeralSequential int32 = 3
	FlagContainer           int32 = 4
	FlagTTL                 int32 = 5
	FlagTTLSequential       int32 = 6
)

// Modes of an addWatch request.
const (
	AddWatchPersistent          int32 = 0
	AddWatchPersistentRecursive int32 = 1
)

// Types of a checkWatches or removeWatches request.
const (
	WatcherChildren            int32 = 1
	WatcherData                int32 = 2
	WatcherAny                 int32 = 3
	WatcherPersistent          int32 = 4
	WatcherPersistentRecursive int32 = 5
)
