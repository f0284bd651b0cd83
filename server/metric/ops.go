package metric

// Op is a kind of request as op_count_* tells them apart.
type Op uint8

// The kinds of requests (ZooKeeper's trunk has a counter for each).
const (
	OpOther Op = iota // answered, and none of the others
	OpAddWatch
	OpCheckWatches
	OpCloseSession
	OpCreate
	OpCreateSession
	OpDelete
	OpExists
	OpGetACL
	OpGetAllChildrenNumber
	OpGetChildren
	OpGetData
	OpGetEphemerals
	OpMulti
	OpMultiRead
	OpPing
	OpReconfig
	OpRemoveWatches
	OpSetACL
	OpSetData
	OpSetWatches
	OpSync
	OpWhoAmI
	opsMax
)

// opNames are what stands behind op_count_.
var opNames = [opsMax]string{
	OpOther: "other", OpAddWatch: "add_watch", OpCheckWatches: "check_watches", OpCloseSession: "close_session",
	OpCreate: "create", OpCreateSession: "create_session", OpDelete: "delete", OpExists: "exists", OpGetACL: "get_acl",
	OpGetAllChildrenNumber: "get_all_children_number", OpGetChildren: "get_children", OpGetData: "get_data",
	OpGetEphemerals: "get_ephemerals", OpMulti: "multi", OpMultiRead: "multi_read", OpPing: "ping",
	OpReconfig: "reconfig", OpRemoveWatches: "remove_watches", OpSetACL: "set_acl", OpSetData: "set_data",
	OpSetWatches: "set_watches", OpSync: "sync", OpWhoAmI: "who_am_i",
}
