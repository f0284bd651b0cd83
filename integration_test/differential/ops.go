package differential

import "strconv"

// ZooKeeper's operation codes.
const (
	opCreate          = 1
	opDelete          = 2
	opExists          = 3
	opGetData         = 4
	opSetData         = 5
	opGetACL          = 6
	opSetACL          = 7
	opGetChildren     = 8
	opSync            = 9
	opPing            = 11
	opGetChildren2    = 12
	opCheck           = 13
	opMulti           = 14
	opCreate2         = 15
	opReconfig        = 16
	opCheckWatches    = 17
	opRemoveWatches   = 18
	opCreateContainer = 19
	opDeleteContainer = 20
	opCreateTTL       = 21
	opMultiRead       = 22
	opAuth            = 100
	opSetWatches      = 101
	opSASL            = 102
	opGetEphemerals   = 103
	opGetAllChildren  = 104
	opSetWatches2     = 105
	opAddWatch        = 106
	opWhoAmI          = 107
	opCreateSession   = -10
	opCloseSession    = -11
)

var opNames = map[int32]string{
	opCreate: "create", opDelete: "delete", opExists: "exists", opGetData: "getData", opSetData: "setData",
	opGetACL: "getACL", opSetACL: "setACL", opGetChildren: "getChildren", opSync: "sync", opPing: "ping",
	opGetChildren2: "getChildren2", opCheck: "check", opMulti: "multi", opCreate2: "create2",
	opReconfig: "reconfig", opCheckWatches: "checkWatches", opRemoveWatches: "removeWatches",
	opCreateContainer: "createContainer", opDeleteContainer: "deleteContainer", opCreateTTL: "createTTL",
	opMultiRead: "multiRead", opAuth: "auth", opSetWatches: "setWatches", opSASL: "sasl",
	opGetEphemerals: "getEphemerals", opGetAllChildren: "getAllChildrenNumber", opSetWatches2: "setWatches2",
	opAddWatch: "addWatch", opWhoAmI: "whoAmI", opCreateSession: "createSession", opCloseSession: "closeSession",
}

var opsByName = func() map[string]int32 {
	m := map[string]int32{}
	for op, name := range opNames {
		m[name] = op
	}
	return m
}()

// opName is how a script writes the op.
func opName(op int32) string {
	if name, ok := opNames[op]; ok {
		return name
	}
	return "op" + strconv.Itoa(int(op))
}

// xids with a meaning of their own.
const (
	xidEvent = -1
	xidPing  = -2
)

// Error codes that the comparison knows by name.
const (
	errMarshalling   = -5
	errUnimplemented = -6
	errAuthFailed    = -115
	errNoNode        = -101
	errNoAuth        = -102
	errNoWatcher     = -121
	errInvalidACL    = -114
)
