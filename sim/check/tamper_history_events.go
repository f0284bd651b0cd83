package check

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// lastOrder returns the last moment of the History.
func (x *tamperer) lastOrder() int {
	last := 0
	for _, op := range x.h.Ops {
		last = max(last, op.Sent, op.Returned)
	}
	for _, n := range x.h.Events {
		last = max(last, n.Order)
	}
	return max(last, x.h.Txns[len(x.h.Txns)-1].Order)
}

// insertEvent gives a connection an event of a transaction, before the first reply
// that shows its state.
func (x *tamperer) insertEvent(l *line, zxid ensemble.Zxid, kind proto.EventType, path string) {
	order := x.lastOrder() + 1
	if reply, ok := x.replyAfter(l, 0, zxid); ok {
		order = reply.Returned - 1
	}
	x.addEvent(&Notice{Client: l.Client, Conn: l.Conn.Conn, Session: l.Session, Order: order, Zxid: zxid, Type: kind, Path: path})
}

// watches reports whether a request has to do with watches.
func watches(op *Op) bool {
	r, reads := op.Request.(*proto.PathWatchRequest)
	switch op.Code {
	case proto.OpAddWatch, proto.OpRemoveWatches, proto.OpSetWatches, proto.OpSetWatches2:
		return true
	}
	return reads && r.Watch
}

func anyEvent(*tamperer, *line, *Notice) bool { return true }

// onceOnly reports whether the connection has only one-shot watches that cover an
// event's path, took none away, and everybody may hear of it.
func onceOnly(x *tamperer, l *line, n *Notice) bool {
	return !slices.ContainsFunc(l.ops, func(i int) bool {
		switch r := x.h.Ops[i].Request.(type) {
		case *proto.AddWatchRequest:
			return covers(r.Path, n.Path)
		case *proto.SetWatchesRequest:
			return slices.ContainsFunc(append(slices.Clone(r.Persistent), r.PersistentRecursive...), func(p string) bool { return covers(p, n.Path) })
		case *proto.WatchesRequest:
			return r.Path == n.Path
		case *proto.AuthRequest:
			return true
		}
		return false
	})
}

// covers reports whether a path is at or below another.
func covers(above, path string) bool {
	return above == path || above == rootPath || strings.HasPrefix(path, above+"/")
}

// staying reports whether a persistent watch is on the path of an event, and was
// never taken away.
func staying(x *tamperer, l *line, n *Notice) bool {
	proves := slices.ContainsFunc(l.ops, func(i int) bool { return x.h.Ops[i].Code == proto.OpAuth })
	return !proves && !x.removes(l) && x.adds(l, n, func(r *proto.AddWatchRequest) bool { return r.Path == n.Path && r.Mode == proto.AddWatchPersistent })
}

// removes reports whether a connection has removed any watch.
func (x *tamperer) removes(l *line) bool {
	return slices.ContainsFunc(l.ops, func(i int) bool { return x.h.Ops[i].Code == proto.OpRemoveWatches })
}

// adds reports whether a connection had a watch of a kind added before an event.
func (x *tamperer) adds(l *line, n *Notice, fits func(*proto.AddWatchRequest) bool) bool {
	return slices.ContainsFunc(l.ops, func(i int) bool {
		op := x.h.Ops[i]
		r, ok := op.Request.(*proto.AddWatchRequest)
		return ok && op.Returned != 0 && op.Returned < n.Order && op.Err == proto.OK && fits(r)
	})
}

// listens reports whether a connection may have asked for the list of a node's
// children.
func (x *tamperer) listens(l *line, path string) bool {
	return slices.ContainsFunc(l.ops, func(i int) bool {
		switch r := x.h.Ops[i].Request.(type) {
		case *proto.SetWatchesRequest:
			return slices.Contains(r.Child, path) || slices.Contains(r.Persistent, path)
		case *proto.AddWatchRequest:
			return r.Mode == proto.AddWatchPersistent && r.Path == path
		case *proto.PathWatchRequest:
			return r.Watch && r.Path == path && x.h.Ops[i].Code != proto.OpExists && x.h.Ops[i].Code != proto.OpGetData
		}
		return false
	})
}

// chooseEvent chooses an event of a transaction, and the next reply that shows a
// state that has it, which must exist if shown.
func chooseEvent(x *tamperer, fits func(*tamperer, *line, *Notice) bool, shown bool) (*Notice, *Op, bool) {
	var list []*Notice
	for _, n := range x.h.Events {
		if l := x.byConn[n.Conn]; n.Zxid > 0 && fits(x, l, n) {
			if _, ok := x.replyAfter(l, n.Order, n.Zxid); ok || !shown {
				list = append(list, n)
			}
		}
	}
	n, ok := choose(x, list)
	if !ok {
		return nil, nil, false
	}
	op, _ := x.replyAfter(x.byConn[n.Conn], n.Order, n.Zxid)
	return n, op, true
}

// happened reports whether a transaction did a thing to a path.
func (x *tamperer) happened(zxid ensemble.Zxid, kind proto.EventType, path string) bool {
	at, _ := x.state(zxid)
	return slices.ContainsFunc(x.touchesOf(at-1), func(c touch) bool { return c.kind == kind && c.path == path })
}

// once reports whether the transaction of an event did that only once.
func (x *tamperer) once(n *Notice) bool {
	at, _ := x.state(n.Zxid)
	count := 0
	for _, c := range x.touchesOf(at - 1) {
		if c.kind == n.Type && c.path == n.Path {
			count++
		}
	}
	return count == 1
}

// unheard returns the next transaction that does the same as the one of an event,
// if the connection has seen its state without hearing of it.
func (x *tamperer) unheard(l *line, n *Notice) (Txn, bool) {
	at, _ := x.state(n.Zxid)
	for _, t := range x.h.Txns[at:] {
		if !x.happened(t.Zxid, n.Type, n.Path) {
			continue
		}
		heard := slices.ContainsFunc(l.notices, func(i int) bool { o := x.h.Events[i]; return o.Zxid == t.Zxid && o.Path == n.Path })
		_, saw := x.replyAfter(l, 0, t.Zxid)
		return t, !heard && saw
	}
	return Txn{}, false
}

// removedWatch lets a watch fire that was removed. The connection has no other
// watch that covers the path.
func removedWatch(x *tamperer) bool {
	type place struct {
		op  *Op
		txn int
	}
	var places []place
	for i, op := range x.h.Ops {
		r, ok := op.Request.(*proto.WatchesRequest)
		if !ok || op.Code != proto.OpRemoveWatches || op.Returned == 0 || op.Err != proto.OK || !x.bare(x.of[i], op) {
			continue
		}
		for t, _ := x.state(op.Zxid); t < len(x.h.Txns); t++ {
			if slices.ContainsFunc(x.touchesOf(t), func(c touch) bool { return c.path == r.Path }) {
				places = append(places, place{op, t})
				break
			}
		}
	}
	p, ok := choose(x, places)
	if !ok {
		return false
	}
	path := pathOf(p.op.Request)
	touches := x.touchesOf(p.txn)
	c := touches[slices.IndexFunc(touches, func(c touch) bool { return c.path == path })]
	x.insertEvent(x.byConn[p.op.Conn], x.h.Txns[p.txn].Zxid, c.kind, c.path)
	return true
}

// bare reports whether a removeWatches left nothing that covers its path, and
// nothing came later.
func (x *tamperer) bare(l *line, removal *Op) bool {
	r := removal.Request.(*proto.WatchesRequest)
	removed, _ := selection(r.Type)
	for _, i := range l.ops {
		op := x.h.Ops[i]
		mode := watchMode(0)
		switch q := op.Request.(type) {
		case *proto.SetWatchesRequest:
			for _, list := range [][]string{q.Data, q.Exist, q.Child, q.Persistent, q.PersistentRecursive} {
				if slices.ContainsFunc(list, func(p string) bool { return covers(p, r.Path) }) {
					return false
				}
			}
		case *proto.AddWatchRequest:
			switch {
			case q.Path == r.Path && q.Mode == proto.AddWatchPersistent:
				mode = watchPersistent
			case q.Path == r.Path:
				mode = watchRecursive
			case covers(q.Path, r.Path):
				return false
			}
		case *proto.PathWatchRequest:
			switch {
			case !q.Watch || q.Path != r.Path:
			case op.Code == proto.OpExists || op.Code == proto.OpGetData:
				mode = watchData
			default:
				mode = watchChildren
			}
		}
		if mode != 0 && (op.Sent > removal.Sent || mode&removed == 0) {
			return false
		}
	}
	return true
}
