package check

import (
	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

var orderTamperings = []tampering{
	{"two replies change places", invC1, func(x *tamperer) bool {
		l, k, ok := neighbours(x, func(a, b *Op) bool { return a.Returned != 0 && b.Returned > b.Sent })
		if ok {
			a, b := x.h.Ops[l.ops[k]], x.h.Ops[l.ops[k+1]]
			a.Returned, b.Returned = b.Returned, max(b.Sent, a.Returned)
		}
		return ok
	}},
	{"a request is passed over", invC1, func(x *tamperer) bool {
		l, k, ok := neighbours(x, func(a, b *Op) bool { return a.Returned != 0 && b.Returned != 0 })
		if ok {
			op := x.h.Ops[l.ops[k]]
			op.Returned, op.Zxid, op.Err, op.Reply = 0, 0, 0, nil
		}
		return ok
	}},
	{"a client goes back in time on its connection", invC2, func(x *tamperer) bool {
		l, k, ok := neighbours(x, func(a, b *Op) bool { return a.Zxid > 1 && isRead(b) && b.Zxid >= a.Zxid })
		if ok {
			x.h.Ops[l.ops[k+1]].Zxid = x.h.Ops[l.ops[k]].Zxid - 1
		}
		return ok
	}},
	{"a client goes back in time at another server", invC2, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(i int, op *Op) bool { return x.of[i].Seen > 1 && op.Zxid > 0 && isRead(op) })
		if ok {
			op.Zxid = x.byConn[op.Conn].Seen - 1
		}
		return ok
	}},
	{"a server takes a client that is ahead of it", invC2, func(x *tamperer) bool {
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool { return op.Zxid > 0 })
		if ok {
			x.byConn[op.Conn].Seen = op.Zxid + 1
		}
		return ok
	}},
	{"writes of a connection change places", invC3, func(x *tamperer) bool {
		type pair struct{ a, b int }
		var pairs []pair
		for _, l := range x.lines {
			last := -1
			for _, i := range l.ops {
				if t := x.txnOf[i]; t >= 0 && x.unique(i) {
					if last >= 0 {
						pairs = append(pairs, pair{last, t})
					}
					last = t
				}
			}
		}
		p, ok := choose(x, pairs)
		if ok {
			x.swapTxns(p.a, p.b)
		}
		return ok
	}},
	{"a read does not see the write before it", invC3, func(x *tamperer) bool {
		l, k, ok := neighbours(x, func(a, b *Op) bool { return a.Code.Write() && a.Zxid > 1 && isRead(b) && b.Zxid >= a.Zxid })
		if ok {
			x.h.Ops[l.ops[k+1]].Zxid = x.h.Ops[l.ops[k]].Zxid - 1
		}
		return ok
	}},
	{"a write overtakes one that was answered", invC4, func(x *tamperer) bool {
		return overtake(x, func(op *Op) bool { return op.Code.Write() }, func(early *Op, late int) {
			if n, ok := x.state(early.Zxid); ok {
				x.swapTxns(n-1, x.txnOf[late])
			}
		})
	}},
	{"a read shows a write that is not sent yet", invC5, func(x *tamperer) bool {
		return overtake(x, isRead, func(early *Op, late int) { early.Zxid = x.h.Txns[x.txnOf[late]].Zxid })
	}},
	{"a sync is stale", invC8, func(x *tamperer) bool {
		committed := func(op *Op) (before, last ensemble.Zxid) {
			for i := range x.h.Txns {
				if t := &x.h.Txns[i]; t.Order < op.Sent {
					before, last = last, t.Zxid
				}
			}
			return before, last
		}
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool {
			before, _ := committed(op)
			return op.Code == proto.OpSync && op.Err == proto.OK && before > 0 && x.h.SyncIsLinearizable
		})
		if ok {
			op.Zxid, _ = committed(op)
		}
		return ok
	}},
}

// neighbours chooses two requests that follow each other on a connection.
func neighbours(x *tamperer, fit func(a, b *Op) bool) (l *line, k int, ok bool) {
	type place struct {
		l *line
		k int
	}
	var places []place
	for _, l := range x.lines {
		for k := 0; k+1 < len(l.ops); k++ {
			if fit(x.h.Ops[l.ops[k]], x.h.Ops[l.ops[k+1]]) {
				places = append(places, place{l, k})
			}
		}
	}
	p, ok := choose(x, places)
	return p.l, p.k, ok
}

// overtake chooses a request that was answered and a write that another
// connection sent later.
func overtake(x *tamperer, kind func(*Op) bool, do func(early *Op, late int)) bool {
	_, early, ok := x.chooseOp(func(i int, op *Op) bool { return op.Zxid > 0 && kind(op) && (!x.writes[i] || x.txnOf[i] >= 0) })
	if !ok {
		return false
	}
	late, ok := x.chooseTxn(func(i int, t *Txn) bool {
		return x.opOf[i] >= 0 && x.h.Ops[x.opOf[i]].Sent > early.Returned && x.h.Ops[x.opOf[i]].Conn != early.Conn
	})
	if ok {
		do(early, x.opOf[late])
	}
	return ok
}
