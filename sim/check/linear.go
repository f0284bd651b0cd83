package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/quorate/quorate/server/proto"
)

// LinearLimits bound the search of Linear. Zero means the default.
type LinearLimits struct {
	// OpsPerPath is how many operations of one path are looked at, from the first
	// on; 300.
	OpsPerPath int
	// PerPath is how long the search for one path may take; 2 s.
	PerPath time.Duration
}

// Verdict is what Linear found.
type Verdict struct {
	// Paths and Operations say how much was searched.
	Paths, Operations int
	// Violations has one for each path whose operations are in no order.
	Violations []*Violation
	// Unknown counts the paths for which the time was not enough.
	Unknown int
}

// Linear is a second opinion about C4, C5 and C8. It does not look at zxids:
// porcupine searches, path by path, for an order of creates, deletes, setDatas
// and reads that explains what clients saw and agrees with real time.
//
// A read counts from the last write or sync before it on its connection, because
// alone it may be stale; without either it does not count. A write that nobody
// answered may take effect at any time after its sending, if it was committed at
// all. A session's end takes its ephemerals away when it is committed. Names that
// the server completed are left out, paths at which something
// was reaped, and quotas, whose stats the servers write.
//
// What Witness finds sound must be sound here too, and the other way round as far
// as this can see: anything else is a fault of one of the two. Porcupine measures
// the time that it takes, so unlike everything else here Unknown may differ
// between two calls.
func Linear(h *History, limits LinearLimits) Verdict {
	limits.OpsPerPath = cmp.Or(limits.OpsPerPath, 300)
	limits.PerPath = cmp.Or(limits.PerPath, 2*time.Second)
	w := &witness{h: h, model: newModel()}
	var v Verdict
	if !w.gather() {
		v.Violations = w.violations
		return v
	}
	w.join(nil)
	r := registers{w: w, ops: map[string][]porcupine.Operation{}, completed: map[string]bool{}, reaped: map[string]bool{}, ephemerals: map[int64][]string{}}
	r.collect()
	r.closeSessions()
	for _, path := range r.order {
		ops := r.ops[path]
		if len(ops) < 2 || r.leftOut(path) {
			continue
		}
		ops = cut(ops, limits.OpsPerPath)
		v.Paths++
		v.Operations += len(ops)
		switch porcupine.CheckOperationsTimeout(registerModel, ops, limits.PerPath) {
		case porcupine.Illegal:
			v.Violations = append(v.Violations, &Violation{
				Invariant: Invariants[invC4].ID, Rule: Invariants[invC4].Words,
				Text: fmt.Sprintf("no order of the %d operations on %s explains what the clients saw", len(ops), path),
			})
		case porcupine.Unknown:
			v.Unknown++
		}
	}
	return v
}

// registers are the operations on each path.
type registers struct {
	w     *witness
	ops   map[string][]porcupine.Operation
	order []string // paths, as they come
	// completed are beginnings of names that the server completed.
	completed map[string]bool
	// reaped are the paths at which the servers deleted something by themselves.
	reaped map[string]bool
	// ephemerals are the paths at which a session made one.
	ephemerals map[int64][]string
}

func (r *registers) leftOut(path string) bool {
	const digits = len("0000000000")
	return slices.Contains(reservedPaths, path) || strings.HasPrefix(path, quotaRoot+"/") || r.reaped[path] || len(path) > digits && r.completed[path[:len(path)-digits]]
}

// never is the return of an operation that was not answered.
const never = int64(1) << 62

func (r *registers) collect() {
	since := make([]int, len(r.w.lines)) // the order from which a read counts; 0: it does not
	for i, op := range r.w.h.Ops {
		l := r.w.of[i]
		switch {
		case r.w.writes[i]:
			r.addWrite(i, op)
			if op.Returned != 0 && op.Zxid > 0 {
				since[l.no] = op.Sent
			}
		case op.Code == proto.OpSync && op.Returned != 0 && op.Err == proto.OK && r.w.h.SyncIsLinearizable:
			since[l.no] = op.Sent
		case op.Returned != 0 && since[l.no] != 0:
			r.addRead(op, since[l.no])
		}
	}
}

func (r *registers) add(path string, in registerInput, call, ret int) {
	if path == "" {
		path = rootPath
	}
	if r.ops[path] == nil {
		r.order = append(r.order, path)
	}
	end := never
	if ret != 0 {
		end = int64(ret)
	}
	r.ops[path] = append(r.ops[path], porcupine.Operation{Input: in, Call: int64(call), Return: end})
}

func (r *registers) addRead(op *Op, call int) {
	req, ok := op.Request.(*proto.PathWatchRequest)
	if !ok {
		return
	}
	in := registerInput{kind: readRegister}
	switch reply := op.Reply.(type) {
	case *proto.StatReply:
		in.there, in.version = true, reply.Stat.Version
	case *proto.DataReply:
		in.there, in.version, in.value, in.hasValue = true, reply.Stat.Version, valueOf(reply.Data), true
	case nil:
		if op.Err != proto.ErrNoNode {
			return // of an error that says nothing about the node
		}
	default:
		in.there = true
		in.anyVersion = true
	}
	r.add(req.Path, in, call, op.Returned)
}

// addWrite adds what a write did to each path. What a client was not told the
// transaction tells.
func (r *registers) addWrite(i int, op *Op) {
	parts := []proto.MultiOp{{Op: op.Code, Request: op.Request}}
	if m, ok := op.Request.(*proto.MultiRequest); ok {
		parts = m.Ops
	}
	var named []proto.MultiOp // those whose path is the one in the request
	for _, part := range parts {
		if c, ok := createOf(part.Request); ok && sequential(c.Flags) {
			r.completed[c.Path] = true
		} else {
			named = append(named, part)
		}
	}
	switch t := r.w.txnOf[i]; {
	case op.Returned != 0 && op.Err != proto.OK:
		if len(named) > 0 {
			r.addFailure(op)
		}
		return
	case op.Returned != 0 && op.Code == proto.OpMulti:
		if reply, ok := op.Reply.(*proto.MultiResponse); !ok || len(reply.Results) > 0 && reply.Results[0].Type == proto.OpError {
			return
		}
	case op.Returned == 0 && (t < 0 || r.w.h.Txns[t].Err != proto.OK):
		return
	}
	for _, path := range touchedBy(named) {
		in := registerInput{kind: writeRegister}
		for _, part := range named {
			if pathOf(part.Request) != path {
				continue
			}
			step := stepOf(part, r.w.sessionOf(i))
			in.steps = append(in.steps, step)
			if step.owner != 0 && !slices.Contains(r.ephemerals[step.owner], path) {
				r.ephemerals[step.owner] = append(r.ephemerals[step.owner], path)
			}
		}
		r.add(path, in, op.Sent, op.Returned)
	}
}

// closeSessions adds the ends of sessions to the paths at which they had
// ephemerals. They are moments: nobody waits for most of them.
func (r *registers) closeSessions() {
	for i := range r.w.h.Txns {
		t := &r.w.h.Txns[i]
		if t.Op == proto.OpDeleteContainer {
			r.reaped[t.Path] = true
		}
		if t.Op != proto.OpCloseSession {
			continue
		}
		for _, path := range r.ephemerals[t.Session] {
			r.add(path, registerInput{kind: closeRegister, session: t.Session}, t.Order, t.Order)
		}
	}
}

// addFailure adds what the failure of a write says about its node.
func (r *registers) addFailure(op *Op) {
	in := registerInput{kind: readRegister, anyVersion: true}
	switch {
	case op.Err == proto.ErrNodeExists:
		in.there = true
	case op.Err == proto.ErrNoNode && (op.Code == proto.OpSetData || op.Code == proto.OpDelete):
	default:
		return
	}
	r.add(pathOf(op.Request), in, op.Sent, op.Returned)
}

func touchedBy(parts []proto.MultiOp) []string {
	var paths []string
	for _, part := range parts {
		if p := pathOf(part.Request); p != "" && !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	return paths
}

// cut keeps the first operations. What returns after the last of them was called
// is as if it had not returned: the rest might have come before it.
func cut(ops []porcupine.Operation, limit int) []porcupine.Operation {
	slices.SortStableFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	if len(ops) <= limit {
		return ops
	}
	last := ops[limit].Call
	var kept []porcupine.Operation
	for _, op := range ops[:limit] {
		if op.Return > last {
			if op.Input.(registerInput).kind == readRegister {
				continue
			}
			op.Return = never
		}
		kept = append(kept, op)
	}
	return kept
}
