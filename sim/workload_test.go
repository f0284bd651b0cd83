package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim"
)

// What no client does, no checker sees: in a few seeds every op is carried out and
// refused in the ways that it can be, and every kind of watch fires.
func TestWorkload_DoesEverythingThatClientsCan(t *testing.T) {
	did := map[string]int{}
	note := func(format string, args ...any) { did[fmt.Sprintf(format, args...)]++ }
	for seed := *seedFlag; seed < *seedFlag+40; seed++ {
		_, h := record(t, sim.Config{Seed: seed, Servers: 3, Time: 20 * time.Second})
		batches := map[int]int{}
		for _, op := range h.Ops {
			if op.Returned == 0 {
				note("%v without an answer", op.Code)
				continue
			}
			note("%v: %v", op.Code, op.Err)
			if r, ok := op.Reply.(*proto.MultiResponse); ok {
				for _, part := range r.Results {
					note("in %v %v: %v", op.Code, part.Type, part.Err)
				}
			}
			if op.Code == proto.OpSetWatches || op.Code == proto.OpSetWatches2 {
				if batches[op.Conn]++; batches[op.Conn] == 2 {
					note("watches in batches")
				}
			}
		}
		for i := range h.Txns {
			if x := &h.Txns[i]; x.Session == 0 {
				note("the servers' own %v", x.Op)
			}
		}
		for _, n := range h.Events {
			note("%v, caught up: %v", n.Type, n.Zxid < 0)
		}
	}
	for op := proto.OpCode(-20); op < 200; op++ {
		if op.FromClient() {
			want := proto.OK
			switch op {
			case proto.OpReconfig:
				want = proto.ErrReconfigDisabled
			}
			assert.Positive(t, did[fmt.Sprintf("%v: %v", op, want)], "%v: %v", op, want)
		}
	}
	for _, op := range []proto.OpCode{proto.OpCheck, proto.OpDeleteContainer, proto.OpCreateSession, 999} {
		assert.Positive(t, did[fmt.Sprintf("%v: %v", op, proto.ErrUnimplemented)], "%v", op)
	}
	for _, want := range []string{
		"auth: auth failed (-115)", "create: invalid acl (-114)", "create: bad arguments (-8)",
		"create: no children for ephemerals (-108)", "createContainer: node exists (-110)",
		"getData: not authorized (-102)", "exists: not authorized (-102)", "delete: bad version (-103)", "delete: directory not empty (-111)",
		"multi: marshalling error (-5)", "addWatch: marshalling error (-5)", "removeWatches: no watcher (-121)", "checkWatches: no watcher (-121)",
		"in multi check: ok (0)", "in multi create2: ok (0)", "in multi error: runtime inconsistency (-2)",
		"in multiRead getData: ok (0)", "in multiRead error: no node (-101)", "setData without an answer", "sync without an answer",
		"NodeCreated, caught up: false", "NodeDeleted, caught up: false", "NodeDataChanged, caught up: false", "NodeChildrenChanged, caught up: false",
		"NodeCreated, caught up: true", "NodeDeleted, caught up: true", "NodeDataChanged, caught up: true", "NodeChildrenChanged, caught up: true",
		"watches in batches", "the servers' own deleteContainer", "createTTL: unimplemented (-6)",
		fmt.Sprintf("create: %v", proto.ErrQuotaExceeded),
	} {
		assert.Positive(t, did[want], want)
	}
}
