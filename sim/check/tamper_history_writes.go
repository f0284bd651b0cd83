package check

import (
	"slices"

	"github.com/quorate/quorate/server/proto"
)

var writeTamperings = []tampering{
	{"an acknowledged create is lost", invC7, func(x *tamperer) bool {
		i, ok := x.chooseTxn(func(i int, t *Txn) bool {
			op := x.opOfTxn(i)
			return op != nil && t.Err == proto.OK && (t.Op == proto.OpCreate || t.Op == proto.OpCreate2) && x.unique(x.opOf[i])
		})
		if ok {
			x.h.Txns = slices.Delete(x.h.Txns, i, i+1)
		}
		return ok
	}},
	{"a write is committed twice", invC7, func(x *tamperer) bool {
		i, ok := x.chooseTxn(func(i int, t *Txn) bool {
			return x.opOf[i] >= 0 && t.Err == proto.OK && t.Op != proto.OpCloseSession && x.unique(x.opOf[i])
		})
		if ok {
			x.appendTxn(x.h.Txns[i], x.h.Txns[i].Zxid.Epoch())
		}
		return ok
	}},
	{"a write that nobody asked for", invC7, func(x *tamperer) bool {
		i, ok := x.chooseTxn(func(i int, t *Txn) bool { return x.opOf[i] >= 0 && t.Err == proto.OK })
		if ok {
			t := x.h.Txns[i]
			t.Cxid += 1 << 20
			x.appendTxn(t, t.Zxid.Epoch())
		}
		return ok
	}},
	{"a write that was refused has an effect", invC7, func(x *tamperer) bool {
		i, op, ok := x.chooseOp(func(i int, op *Op) bool {
			return x.txnOf[i] >= 0 && op.Err == proto.OK && (op.Code == proto.OpCreate || op.Code == proto.OpSetData || op.Code == proto.OpDelete)
		})
		if ok {
			x.h.Ops[i].Err, op.Reply = proto.ErrNoAuth, nil
		}
		return ok
	}},
	{"a write is answered with the zxid of another", invC6, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(i int, op *Op) bool { return x.txnOf[i] > 0 })
		if ok {
			n, _ := x.state(op.Zxid)
			op.Zxid = x.h.Txns[n-2].Zxid
		}
		return ok
	}},
	{"a write fails for no reason", invC6, func(x *tamperer) bool {
		i, op, ok := x.chooseOp(func(i int, op *Op) bool { return x.txnOf[i] >= 0 && op.Err == proto.OK && op.Code == proto.OpSetData })
		if ok {
			t := &x.h.Txns[x.txnOf[i]]
			t.Op, t.Err = proto.OpError, proto.ErrBadVersion
			op.Err, op.Reply = t.Err, nil
		}
		return ok
	}},
	{"a sequential name is used again", invT6, reusedName},
	{"a multi that failed has an effect", invT5, func(x *tamperer) bool {
		i, op, ok := x.chooseOp(func(i int, op *Op) bool {
			r, ok := op.Reply.(*proto.MultiResponse)
			return ok && x.writes[i] && len(r.Results) > 0 && r.Results[0].Type != proto.OpError
		})
		if ok {
			r := &proto.MultiResponse{Results: make([]proto.MultiResult, len(x.h.Ops[i].Reply.(*proto.MultiResponse).Results))}
			for j := range r.Results {
				r.Results[j] = proto.MultiResult{Type: proto.OpError, Err: proto.ErrRuntimeInconsistency}
			}
			r.Results[0].Err = proto.ErrBadVersion
			op.Reply = r
		}
		return ok
	}},
	{"a multi happens although a part fails", invT5, func(x *tamperer) bool {
		i, ok := x.chooseTxn(func(i int, t *Txn) bool {
			switch t.Err {
			case proto.OK, proto.ErrSessionMoved, proto.ErrSessionExpired, proto.ErrNoChildrenForEphemerals:
				return false // of no multi that failed, or with an invariant of its own
			}
			return t.Op == proto.OpMulti && x.opOf[i] >= 0
		})
		if ok {
			x.h.Txns[i].Err = proto.OK
		}
		return ok
	}},
	{"an ephemeral gets a child", invT8, func(x *tamperer) bool {
		i, op, ok := x.chooseOp(func(i int, op *Op) bool { return x.txnOf[i] >= 0 && op.Err == proto.ErrNoChildrenForEphemerals })
		if ok {
			t := &x.h.Txns[x.txnOf[i]]
			t.Op, t.Err, op.Err = op.Code, proto.OK, proto.OK
			op.Reply = &proto.PathReply{Path: pathOf(op.Request)}
		}
		return ok
	}},
	{"a container is reaped that nobody may reap", invT8, func(x *tamperer) bool {
		i, ok := x.chooseTxn(func(int, *Txn) bool { return true })
		if ok {
			x.appendTxn(Txn{Op: proto.OpDeleteContainer}, x.h.Txns[i].Zxid.Epoch())
		}
		return ok
	}},
}

// reusedName answers a sequential create with the name of an earlier one.
func reusedName(x *tamperer) bool {
	type pair struct{ first, second *Op }
	var pairs []pair
	before := map[string]*Op{}
	for _, op := range x.h.Ops {
		r, ok := createOf(op.Request)
		if !ok || !sequential(r.Flags) || op.Returned == 0 || op.Err != proto.OK {
			continue
		}
		if o := before[r.Path]; o != nil && createdPath(o.Reply) != createdPath(op.Reply) {
			pairs = append(pairs, pair{o, op})
		}
		before[r.Path] = op
	}
	p, ok := choose(x, pairs)
	if !ok {
		return false
	}
	switch r := p.second.Reply.(type) {
	case *proto.PathReply:
		p.second.Reply = &proto.PathReply{Path: createdPath(p.first.Reply)}
	case *proto.Create2Reply:
		p.second.Reply = &proto.Create2Reply{Path: createdPath(p.first.Reply), Stat: r.Stat}
	}
	return true
}

func createdPath(reply proto.Record) string {
	switch r := reply.(type) {
	case *proto.PathReply:
		return r.Path
	case *proto.Create2Reply:
		return r.Path
	}
	return ""
}
