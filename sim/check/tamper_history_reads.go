package check

import (
	"slices"

	"github.com/quorate/quorate/server/proto"
)

var readTamperings = []tampering{
	{"a read shows an earlier value", invC6, func(x *tamperer) bool { return otherValue(x, false) }},
	{"a read shows a later value", invC6, func(x *tamperer) bool { return otherValue(x, true) }},
	{"no data becomes empty data", invC6, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool {
			r, ok := op.Reply.(*proto.DataReply)
			return ok && r.Data == nil && op.Code == proto.OpGetData
		})
		if ok {
			op.Reply = &proto.DataReply{Data: []byte{}, Stat: op.Reply.(*proto.DataReply).Stat}
		}
		return ok
	}},
	{"a read does not find what is there", invC6, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool { return isRead(op) && op.Err == proto.OK })
		if ok {
			op.Err, op.Reply = proto.ErrNoNode, nil
		}
		return ok
	}},
	{"a read is answered from a state that nobody committed", invC6, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool { return isRead(op) })
		if ok {
			op.Zxid = x.h.Txns[len(x.h.Txns)-1].Zxid + 1
		}
		return ok
	}},
	{"a read is answered before its state is committed", invC6, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool {
			n, found := x.state(op.Zxid)
			return found && n > 0 && isRead(op)
		})
		if ok {
			n, _ := x.state(op.Zxid)
			x.h.Txns[n-1].Order = op.Returned + 1
		}
		return ok
	}},
	{"a child is listed twice", invC6, func(x *tamperer) bool {
		return otherChildren(x, func(names []string) []string { return append(slices.Clone(names), names[0]) })
	}},
	{"a child is left out and another listed twice", invC6, func(x *tamperer) bool {
		return otherChildren(x, func(names []string) []string {
			if len(names) == 1 {
				return nil
			}
			return append(slices.Clone(names[:len(names)-1]), names[0])
		})
	}},
	{"a field of Stat is off by one", invT4, offByOne},
	{"an ACL is lost", invT7, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool { return op.Code == proto.OpGetACL && op.Err == proto.OK })
		if ok {
			r := op.Reply.(*proto.ACLReply)
			op.Reply = &proto.ACLReply{ACL: slices.Clone(r.ACL)[:len(r.ACL)-1], Stat: r.Stat}
		}
		return ok
	}},
	{"a node is not counted", invT7, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool { return op.Code == proto.OpGetAllChildrenNumber && op.Err == proto.OK })
		if ok {
			op.Reply = &proto.IntReply{Value: op.Reply.(*proto.IntReply).Value - 1}
		}
		return ok
	}},
	{"nothing was answered", invH3, func(x *tamperer) bool {
		for _, op := range x.h.Ops {
			op.Returned, op.Zxid, op.Err, op.Reply = 0, 0, 0, nil
		}
		return true
	}},
	{"the history is empty", invH3, func(x *tamperer) bool {
		x.h.Txns, x.h.Conns, x.h.Ops, x.h.Events = nil, nil, nil, nil
		return true
	}},
	{"a connection is missing in the history", invH5, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(int, *Op) bool { return true })
		if ok {
			x.h.Conns = slices.DeleteFunc(x.h.Conns, func(c *Conn) bool { return c.Conn == op.Conn })
		}
		return ok
	}},
	{"transactions are listed out of order", invH5, func(x *tamperer) bool {
		n := len(x.h.Txns)
		if n > 1 {
			x.h.Txns[n-1], x.h.Txns[n-2] = x.h.Txns[n-2], x.h.Txns[n-1]
		}
		return n > 1
	}},
}

// isRead reports whether a request reads one node.
func isRead(op *Op) bool {
	_, ok := op.Request.(*proto.PathWatchRequest)
	return ok
}

// otherValue gives a getData the answer of another one of the same node.
func otherValue(x *tamperer, later bool) bool {
	type pair struct{ of, by *Op }
	var pairs []pair
	byPath := map[string][]*Op{}
	for _, op := range x.h.Ops {
		if r, ok := op.Reply.(*proto.DataReply); ok && op.Code == proto.OpGetData {
			path := pathOf(op.Request)
			for _, o := range byPath[path] {
				s := o.Reply.(*proto.DataReply)
				if s.Stat.Czxid != r.Stat.Czxid || sameData(s.Data, r.Data) {
					continue
				}
				if (s.Stat.Mzxid < r.Stat.Mzxid) == later {
					pairs = append(pairs, pair{o, op})
				} else {
					pairs = append(pairs, pair{op, o})
				}
			}
			byPath[path] = append(byPath[path], op)
		}
	}
	p, ok := choose(x, pairs)
	if ok {
		p.of.Reply = p.by.Reply
	}
	return ok
}

func otherChildren(x *tamperer, change func([]string) []string) bool {
	_, op, ok := x.chooseOp(func(_ int, op *Op) bool {
		r, ok := op.Reply.(*proto.StringsReply)
		return ok && op.Code == proto.OpGetChildren && len(r.Strings) > 0
	})
	if ok {
		op.Reply = &proto.StringsReply{Strings: change(op.Reply.(*proto.StringsReply).Strings)}
	}
	return ok
}

// offByOne changes one field of a Stat. Its ephemeralOwner is another matter.
func offByOne(x *tamperer) bool {
	_, op, ok := x.chooseOp(func(_ int, op *Op) bool {
		_, has := statOf(op.Reply)
		return has && pathOf(op.Request) != configPath
	})
	if !ok {
		return false
	}
	stat, _ := statOf(op.Reply)
	switch x.n(10) {
	case 0:
		stat.Czxid--
	case 1:
		stat.Mzxid--
	case 2:
		stat.Pzxid--
	case 3:
		stat.Ctime++
	case 4:
		stat.Mtime++
	case 5:
		stat.Version++
	case 6:
		stat.CVersion++
	case 7:
		stat.AVersion++
	case 8:
		stat.DataLength++
	case 9:
		stat.NumChildren++
	}
	op.Reply = withStat(op.Reply, stat)
	return true
}
