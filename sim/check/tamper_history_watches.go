package check

import (
	"slices"

	"github.com/quorate/quorate/server/proto"
)

var watchTamperings = []tampering{
	{"an event is lost", invW4, func(x *tamperer) bool {
		n, _, ok := chooseEvent(x, onceOnly, true)
		if ok {
			x.dropEvent(n)
		}
		return ok
	}},
	{"an event comes behind the reply that shows the change", invW4, func(x *tamperer) bool {
		n, reply, ok := chooseEvent(x, onceOnly, true)
		if ok {
			x.dropEvent(n)
			n.Order, n.At = reply.Returned, reply.BackAt
			x.addEvent(n)
		}
		return ok
	}},
	{"an event comes twice", invW1, func(x *tamperer) bool {
		n, _, ok := chooseEvent(x, func(x *tamperer, l *line, n *Notice) bool { return onceOnly(x, l, n) && x.once(n) }, false)
		if ok {
			again := *n
			x.addEvent(&again)
		}
		return ok
	}},
	{"a one-shot watch fires at the next change too", invW1, func(x *tamperer) bool {
		n, _, ok := chooseEvent(x, func(x *tamperer, l *line, n *Notice) bool {
			_, again := x.unheard(l, n)
			return again && onceOnly(x, l, n)
		}, false)
		if ok {
			t, _ := x.unheard(x.byConn[n.Conn], n)
			x.insertEvent(x.byConn[n.Conn], t.Zxid, n.Type, n.Path)
		}
		return ok
	}},
	{"an event has another type", invW2, func(x *tamperer) bool {
		n, _, ok := chooseEvent(x, func(x *tamperer, _ *line, n *Notice) bool {
			return n.Type == proto.EventNodeDataChanged && !x.happened(n.Zxid, proto.EventNodeDeleted, n.Path)
		}, false)
		if ok {
			n.Type = proto.EventNodeDeleted
		}
		return ok
	}},
	{"an event has another path", invW2, func(x *tamperer) bool {
		n, _, ok := chooseEvent(x, anyEvent, false)
		if ok {
			n.Path += "/elsewhere"
		}
		return ok
	}},
	{"an event tells of what was not committed", invW2, func(x *tamperer) bool {
		n, _, ok := chooseEvent(x, anyEvent, false)
		if ok {
			n.Zxid = x.h.Txns[len(x.h.Txns)-1].Zxid + 1
		}
		return ok
	}},
	{"an event comes that nobody waits for", invW2, func(x *tamperer) bool {
		var quiet []*line
		for _, l := range x.lines {
			if l.Session != 0 && l.Answered != 0 && len(l.notices) == 0 && !slices.ContainsFunc(l.ops, func(i int) bool { return watches(x.h.Ops[i]) }) {
				quiet = append(quiet, l)
			}
		}
		l, ok := choose(x, quiet)
		if ok && len(x.touches) > 0 {
			t := x.n(len(x.h.Txns))
			for t > 0 && len(x.touchesOf(t)) == 0 {
				t--
			}
			if list := x.touchesOf(t); len(list) > 0 {
				x.insertEvent(l, x.h.Txns[t].Zxid, list[0].kind, list[0].path)
				return true
			}
		}
		return false
	}},
	{"two events change places", invW3, func(x *tamperer) bool {
		type pair struct{ a, b *Notice }
		var pairs []pair
		for _, l := range x.lines {
			for k := 0; k+1 < len(l.notices); k++ {
				a, b := x.h.Events[l.notices[k]], x.h.Events[l.notices[k+1]]
				if a.Zxid > 0 && b.Zxid > a.Zxid {
					pairs = append(pairs, pair{a, b})
				}
			}
		}
		p, ok := choose(x, pairs)
		if ok {
			p.a.Zxid, p.b.Zxid = p.b.Zxid, p.a.Zxid
			p.a.Type, p.b.Type = p.b.Type, p.a.Type
			p.a.Path, p.b.Path = p.b.Path, p.a.Path
		}
		return ok
	}},
	{"setWatches does not tell what changed", invW5, func(x *tamperer) bool {
		var list []*Notice
		for _, n := range x.h.Events {
			if _, ok := x.replyAfter(x.byConn[n.Conn], n.Order, 1); ok && n.Zxid == -1 {
				list = append(list, n)
			}
		}
		n, ok := choose(x, list)
		if ok {
			x.dropEvent(n)
		}
		return ok
	}},
	{"setWatches tells of what did not change", invW5, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool {
			return (op.Code == proto.OpSetWatches || op.Code == proto.OpSetWatches2) && op.Err == proto.OK
		})
		if ok {
			x.addEvent(&Notice{Client: op.Client, Conn: op.Conn, Session: op.Session, Order: op.Returned - 1,
				Zxid: -1, Type: proto.EventNodeDataChanged, Path: "/nowhere"})
		}
		return ok
	}},
	{"a persistent watch misses a change", invW6, func(x *tamperer) bool {
		n, _, ok := chooseEvent(x, staying, true)
		if ok {
			x.dropEvent(n)
		}
		return ok
	}},
	{"a persistent watch hears of a change twice", invW6, func(x *tamperer) bool {
		n, _, ok := chooseEvent(x, func(x *tamperer, l *line, n *Notice) bool { return staying(x, l, n) && x.once(n) }, false)
		if ok {
			again := *n
			x.addEvent(&again)
		}
		return ok
	}},
	{"a recursive watch hears of a list of children", invW6, func(x *tamperer) bool {
		n, _, ok := chooseEvent(x, func(x *tamperer, l *line, n *Notice) bool {
			return n.Type == proto.EventNodeCreated && !x.listens(l, parentOf(n.Path)) && !x.removes(l) && x.adds(l, n, func(r *proto.AddWatchRequest) bool {
				return r.Mode == proto.AddWatchPersistentRecursive && r.Path == parentOf(n.Path)
			})
		}, false)
		if ok {
			list := *n
			list.Type, list.Path = proto.EventNodeChildrenChanged, parentOf(n.Path)
			x.addEvent(&list)
		}
		return ok
	}},
	{"a watch that was removed is heard of", invW7, removedWatch},
}
