package server

import (
	"github.com/quorate/quorate/server/metric"
	"github.com/quorate/quorate/server/proto"
)

// operation is how the words and the metrics call an operation.
type operation struct {
	code string // of cons
	kind metric.Op
}

var operations = map[proto.OpCode]operation{
	proto.OpCreateSession:        {"SESS", metric.OpCreateSession},
	proto.OpPing:                 {"PING", metric.OpPing},
	proto.OpCreate:               {"CREA", metric.OpCreate},
	proto.OpCreate2:              {"CREA", metric.OpCreate},
	proto.OpCreateContainer:      {"CREA", metric.OpCreate},
	proto.OpCreateTTL:            {"CREA", metric.OpCreate},
	proto.OpDelete:               {"DELE", metric.OpDelete},
	proto.OpExists:               {"EXIS", metric.OpExists},
	proto.OpGetData:              {"GETD", metric.OpGetData},
	proto.OpSetData:              {"SETD", metric.OpSetData},
	proto.OpGetACL:               {"GETA", metric.OpGetACL},
	proto.OpSetACL:               {"SETA", metric.OpSetACL},
	proto.OpGetChildren:          {"GETC", metric.OpGetChildren},
	proto.OpGetChildren2:         {"GETC", metric.OpGetChildren},
	proto.OpGetAllChildrenNumber: {"GETACN", metric.OpGetAllChildrenNumber},
	proto.OpMulti:                {"MULT", metric.OpMulti},
	proto.OpMultiRead:            {"MLTR", metric.OpMultiRead},
	proto.OpSync:                 {"SYNC", metric.OpSync},
	proto.OpCloseSession:         {"CLOS", metric.OpCloseSession},
	proto.OpSetWatches:           {"SETW", metric.OpSetWatches},
	proto.OpSetWatches2:          {"STW2", metric.OpSetWatches},
	proto.OpAddWatch:             {"ADDW", metric.OpAddWatch},
	proto.OpCheckWatches:         {"CHKW", metric.OpCheckWatches},
	proto.OpRemoveWatches:        {"REMW", metric.OpRemoveWatches},
	proto.OpReconfig:             {"RECO", metric.OpReconfig},
	proto.OpWhoAmI:               {"HOMI", metric.OpWhoAmI},
	proto.OpGetEphemerals:        {"GETE", metric.OpGetEphemerals},
}

// smallOps are the operations of small positive codes, for looking them up fast.
var smallOps = func() (list [128]operation) {
	for i := range list {
		list[i] = operation{code: "NA"}
	}
	for op, o := range operations {
		if op > 0 && int(op) < len(list) {
			list[op] = o
		}
	}
	return list
}()

func lookUp(op proto.OpCode) operation {
	if op > 0 && int(op) < len(smallOps) {
		return smallOps[op]
	}
	if o, ok := operations[op]; ok {
		return o
	}
	return operation{code: "NA"}
}

// opCodes returns ZooKeeper's short word for an operation, of cons.
func opCodes(op proto.OpCode) string { return lookUp(op).code }

// opKind returns under what an operation is counted.
func opKind(op proto.OpCode) metric.Op { return lookUp(op).kind }
