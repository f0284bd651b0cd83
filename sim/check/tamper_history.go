package check

import (
	"slices"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// HistoryTampering makes a History of a sound run into one that no sound servers
// could have brought about.
type HistoryTampering struct {
	Name string
	// Invariant is the one that Witness must find broken, perhaps among others: see
	// Findings.Found.
	Invariant string
	// Do changes h, and reports false if h has no place for it; then h is as it was.
	// n returns a number below its argument, by chance. Records that h points at
	// are replaced and not written to: tamper with a Clone.
	Do func(n func(int) int, h *History) bool
}

// HistoryTamperings are all that there are. A checker that overlooks one of them,
// in any History that has a place for it, is blind.
func HistoryTamperings() []HistoryTampering {
	var all []HistoryTampering
	for _, group := range [][]tampering{readTamperings, writeTamperings, orderTamperings, sessionTamperings, watchTamperings, identityTamperings, reapTamperings, quotaTamperings} {
		for _, t := range group {
			all = append(all, HistoryTampering{t.name, Invariants[t.rule].ID, func(n func(int) int, h *History) bool {
				w, _ := attest(h, nil)
				return t.do(&tamperer{w, n})
			}})
		}
	}
	return all
}

// Clone returns a copy of which everything but the records of requests and
// replies may be written to.
func (h *History) Clone() *History {
	c := *h
	c.Txns = slices.Clone(h.Txns)
	c.Conns, c.Ops, c.Events = clones(h.Conns), clones(h.Ops), clones(h.Events)
	return &c
}

func clones[T any](from []*T) []*T {
	to := make([]*T, len(from))
	for i, p := range from {
		c := *p
		to[i] = &c
	}
	return to
}

type tampering struct {
	name string
	rule invariant
	do   func(*tamperer) bool
}

// tamperer is a History with all that Witness knows of it.
type tamperer struct {
	*witness
	n func(int) int
}

// choose returns one of the list.
func choose[T any](x *tamperer, list []T) (T, bool) {
	if len(list) == 0 {
		var none T
		return none, false
	}
	return list[x.n(len(list))], true
}

// chooseOp returns one of the answered requests that fit.
func (x *tamperer) chooseOp(fits func(i int, op *Op) bool) (i int, op *Op, ok bool) {
	var list []int
	for i, op := range x.h.Ops {
		if op.Returned != 0 && fits(i, op) {
			list = append(list, i)
		}
	}
	if i, ok = choose(x, list); !ok {
		return 0, nil, false
	}
	return i, x.h.Ops[i], true
}

// chooseTxn returns one of the transactions that fit.
func (x *tamperer) chooseTxn(fits func(i int, t *Txn) bool) (int, bool) {
	var list []int
	for i := range x.h.Txns {
		if fits(i, &x.h.Txns[i]) {
			list = append(list, i)
		}
	}
	return choose(x, list)
}

// unique reports whether nobody else in the session used the request's number.
func (x *tamperer) unique(op int) bool {
	n := 0
	for i := range x.h.Ops {
		if x.writes[i] && x.callOf(i) == x.callOf(op) {
			n++
		}
	}
	return n == 1
}

// opOfTxn returns the request of a transaction that was answered, or nil.
func (x *tamperer) opOfTxn(i int) *Op {
	if o := x.opOf[i]; o >= 0 && x.h.Ops[o].Returned != 0 {
		return x.h.Ops[o]
	}
	return nil
}

// swapTxns lets two transactions change places in the order of zxids. Their
// moments, and what their replies say besides the zxid, stay.
func (x *tamperer) swapTxns(i, j int) {
	t := x.h.Txns
	t[i], t[j] = t[j], t[i]
	t[i].Zxid, t[j].Zxid = t[j].Zxid, t[i].Zxid
	if op := x.opOfTxn(i); op != nil {
		op.Zxid = t[j].Zxid
	}
	if op := x.opOfTxn(j); op != nil {
		op.Zxid = t[i].Zxid
	}
}

// appendTxn adds a transaction at the end of an epoch.
func (x *tamperer) appendTxn(t Txn, epoch ensemble.Epoch) {
	at := 0
	for at < len(x.h.Txns) && x.h.Txns[at].Zxid.Epoch() <= epoch {
		at++
	}
	last := x.h.Txns[at-1]
	t.Zxid, t.Order, t.At = last.Zxid+1, last.Order, last.At
	x.h.Txns = slices.Insert(x.h.Txns, at, t)
}

// addEvent puts an event where its order wants it, behind others of that order.
func (x *tamperer) addEvent(n *Notice) {
	at := len(x.h.Events)
	for at > 0 && x.h.Events[at-1].Order > n.Order {
		at--
	}
	x.h.Events = slices.Insert(x.h.Events, at, n)
}

func (x *tamperer) dropEvent(n *Notice) {
	x.h.Events = slices.DeleteFunc(x.h.Events, func(o *Notice) bool { return o == n })
}

// replyAfter returns the first reply on a connection that comes after a moment
// and is of a state that has the transaction.
func (x *tamperer) replyAfter(l *line, order int, zxid ensemble.Zxid) (*Op, bool) {
	for _, i := range l.ops {
		if op := x.h.Ops[i]; op.Returned > order && op.Zxid >= zxid {
			return op, true
		}
	}
	return nil, false
}

// withStat returns a copy of a reply that has another Stat.
func withStat(reply proto.Record, stat proto.Stat) proto.Record {
	switch r := reply.(type) {
	case *proto.StatReply:
		return &proto.StatReply{Stat: stat}
	case *proto.DataReply:
		return &proto.DataReply{Data: r.Data, Stat: stat}
	case *proto.Children2Reply:
		return &proto.Children2Reply{Children: r.Children, Stat: stat}
	case *proto.ACLReply:
		return &proto.ACLReply{ACL: r.ACL, Stat: stat}
	}
	return reply
}
