package check

import (
	"slices"

	"github.com/quorate/quorate/server/proto"
)

var identityTamperings = []tampering{
	{"a connection goes on behind a refusal that ends it", invC10, func(x *tamperer) bool {
		i, op, ok := x.chooseOp(func(i int, op *Op) bool {
			return op.Code == proto.OpPing && slices.ContainsFunc(x.of[i].ops, func(j int) bool { return x.h.Ops[j].Returned > op.Returned })
		})
		if ok {
			x.h.Ops[i].Code, x.h.Ops[i].Request = proto.OpAuth, &proto.AuthRequest{Scheme: "nobody"}
			op.Err, op.Zxid, op.Reply = proto.ErrAuthFailed, 0, nil
		}
		return ok
	}},
	{"an event comes behind a refusal that ends the connection", invC10, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool { return op.ends() && op.Code != proto.OpCloseSession })
		if ok {
			x.addEvent(&Notice{Client: op.Client, Conn: op.Conn, Session: op.Session, Order: op.Returned + 1, At: op.BackAt,
				Zxid: x.h.Txns[0].Zxid, Type: proto.EventNodeDataChanged, Path: "/a"})
		}
		return ok
	}},
	{"an op that no client may send is carried out", invC6, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool { return !op.Code.FromClient() })
		if ok {
			op.Err = proto.OK
		}
		return ok
	}},
	{"whoAmI leaves somebody out", invC6, func(x *tamperer) bool {
		return otherSelf(x, func(all []proto.ClientInfo) []proto.ClientInfo { return all[:len(all)-1] })
	}},
	{"whoAmI shows a proof with the name", invC6, func(x *tamperer) bool {
		return otherSelf(x, func(all []proto.ClientInfo) []proto.ClientInfo {
			last := &all[len(all)-1]
			last.User += ":hash"
			return all
		})
	}},
	{"a client is taken for one with another address", invC6, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool { return op.Code == proto.OpWhoAmI })
		if ok {
			x.byConn[op.Conn].Address = "10.9.9.9"
		}
		return ok
	}},
	{"a sasl token is answered with one", invC6, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool { return op.Code == proto.OpSASL })
		if ok {
			op.Reply = &proto.SASLReply{Token: []byte{}}
		}
		return ok
	}},
	{"an ACL that is none is taken", invC6, func(x *tamperer) bool {
		i, ok := x.chooseTxn(func(i int, t *Txn) bool {
			op := x.opOfTxn(i)
			return op != nil && op.Code == proto.OpSetACL && t.Err == proto.ErrInvalidACL
		})
		if ok {
			op := x.opOfTxn(i)
			x.h.Txns[i].Op, x.h.Txns[i].Err = op.Code, proto.OK
			op.Err, op.Reply = proto.OK, &proto.StatReply{}
		}
		return ok
	}},
	{"who may not read a node hears of it", invW2, forbiddenNews},
}

// otherSelf changes who a client is said to be.
func otherSelf(x *tamperer, change func([]proto.ClientInfo) []proto.ClientInfo) bool {
	_, op, ok := x.chooseOp(func(_ int, op *Op) bool {
		r, ok := op.Reply.(*proto.WhoAmIReply)
		return ok && len(r.Clients) > 0
	})
	if ok {
		op.Reply = &proto.WhoAmIReply{Clients: change(slices.Clone(op.Reply.(*proto.WhoAmIReply).Clients))}
	}
	return ok
}

// forbiddenNews tells a client of a change that neither its address nor what it
// has shown lets it read, on a connection that watches the path for ever and in no
// other way.
func forbiddenNews(x *tamperer) bool {
	type news struct {
		l   *line
		txn int
		c   touch
	}
	var list []news
	for _, l := range x.lines {
		ids := l.idsAt(int(^uint(0) >> 1))
		for _, i := range l.ops {
			op := x.h.Ops[i]
			r, ok := op.Request.(*proto.AddWatchRequest)
			if !ok || op.Returned == 0 || op.Err != proto.OK {
				continue
			}
			from, _ := x.state(op.Zxid)
			for n := from; n < len(x.h.Txns); n++ {
				for _, c := range x.touchesOf(n) {
					hit := c.path == r.Path && r.Mode == proto.AddWatchPersistent ||
						covers(r.Path, c.path) && r.Mode == proto.AddWatchPersistentRecursive && c.kind != proto.EventNodeChildrenChanged
					if hit && !permitted(c.acl, proto.PermRead, ids) && !x.watchesOnce(l, c.path) {
						list = append(list, news{l, n, c})
					}
				}
			}
		}
	}
	f, ok := choose(x, list)
	if ok {
		x.insertEvent(f.l, x.h.Txns[f.txn].Zxid, f.c.kind, f.c.path)
	}
	return ok
}

// watchesOnce reports whether a connection has had a one-shot watch at a path, or
// removed one.
func (x *tamperer) watchesOnce(l *line, path string) bool {
	return slices.ContainsFunc(l.ops, func(i int) bool {
		switch r := x.h.Ops[i].Request.(type) {
		case *proto.PathWatchRequest:
			return r.Watch && r.Path == path
		case *proto.WatchesRequest:
			return r.Path == path
		case *proto.SetWatchesRequest:
			return slices.Contains(slices.Concat(r.Data, r.Exist, r.Child), path)
		}
		return false
	})
}
