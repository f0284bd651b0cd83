package check

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/server/proto"
)

// call is what a transaction's header says of the request behind it.
type call struct {
	session int64
	cxid    int32
}

func (c call) compare(d call) int {
	return cmp.Or(cmp.Compare(c.session, d.session), cmp.Compare(c.cxid, d.cxid))
}

func (w *witness) callOf(i int) call { return call{w.sessionOf(i), w.h.Ops[i].Xid} }

// sessionOf returns the session for which a request was sent, also when the
// connection was not told yet that it has it.
func (w *witness) sessionOf(i int) int64 {
	l := w.of[i]
	return cmp.Or(w.h.Ops[i].Session, l.Session, l.Asked)
}

// join finds the request of each transaction. A request that was answered names
// its transaction's zxid. One that was not may have made none; if it made one,
// that has its session and number. A client may use a number again in the same
// session, on its next connection: see solve.
func (w *witness) join(chosen map[term]int) []doubt {
	w.txnOf, w.opOf = fill(len(w.h.Ops)), fill(len(w.h.Txns))
	var ops, txns []int
	for i := range w.h.Ops {
		if w.writes[i] {
			ops = append(ops, i)
		}
	}
	for i := range w.h.Txns {
		if t := &w.h.Txns[i]; t.Session != 0 && t.Op != proto.OpCreateSession {
			txns = append(txns, i)
		}
	}
	byCall := slices.Clone(txns)
	txnCall := func(i int) call { return call{w.h.Txns[i].Session, w.h.Txns[i].Cxid} }
	slices.SortStableFunc(ops, func(a, b int) int { return w.callOf(a).compare(w.callOf(b)) })
	slices.SortStableFunc(byCall, func(a, b int) int { return txnCall(a).compare(txnCall(b)) })
	for len(byCall) > 0 {
		c := txnCall(byCall[0])
		n, m := 1, 0
		for n < len(byCall) && txnCall(byCall[n]) == c {
			n++
		}
		for len(ops) > 0 && w.callOf(ops[0]).compare(c) < 0 {
			ops = ops[1:]
		}
		for m < len(ops) && w.callOf(ops[m]) == c {
			m++
		}
		w.joinAnswered(ops[:m], byCall[:n])
		ops, byCall = ops[m:], byCall[n:]
	}
	doubts := w.joinUnanswered(txns, chosen)
	w.judgeJoin()
	return doubts
}

func fill(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = -1
	}
	return list
}

func (w *witness) link(op, txn int) { w.txnOf[op], w.opOf[txn] = txn, op }

// fits reports whether a transaction can be of a request.
func (w *witness) fits(op, txn int) bool {
	o, t := w.h.Ops[op], &w.h.Txns[txn]
	return t.Cxid == o.Xid && (t.Op == o.Code || t.Op == proto.OpError) && o.Sent < t.Order
}

// joinAnswered joins the requests and transactions of one session and number, as
// far as the requests were answered.
func (w *witness) joinAnswered(ops, txns []int) {
	for _, o := range ops {
		for _, t := range txns {
			if w.h.Ops[o].Returned != 0 && w.h.Ops[o].Zxid == w.h.Txns[t].Zxid && w.fits(o, t) {
				w.link(o, t)
			}
		}
	}
	// A wrong zxid in a reply does not make another request of it.
	for _, o := range ops {
		for _, t := range txns {
			if w.h.Ops[o].Returned > w.h.Txns[t].Order && w.txnOf[o] < 0 && w.opOf[t] < 0 && w.fits(o, t) {
				w.link(o, t)
			}
		}
	}
}

// judgeJoin says what has no partner and must have one: C7.
func (w *witness) judgeJoin() {
	for i, t := range w.h.Txns {
		w.count(invC7)
		switch {
		case w.opOf[i] >= 0, t.Op == proto.OpError, t.Op == proto.OpCreateSession:
		case t.Op == proto.OpCloseSession && t.Cxid == 0: // the session expired
		case t.Op == proto.OpDeleteContainer && t.Session == 0: // see commit
		default:
			w.fail(invC7, t.where(), "transaction %s (%s, session 0x%x, cxid %d): nobody asked for it, or not a second time",
				t.Zxid, t.Op, uint64(t.Session), t.Cxid)
		}
	}
	for i, op := range w.h.Ops {
		if !w.writes[i] || op.Returned == 0 {
			continue
		}
		w.count(invC7)
		switch {
		case w.txnOf[i] < 0:
			w.fail(invC7, op.where(), "%s was answered with %s, %v, and no such transaction was committed",
				op.name(), op.Zxid, op.Err)
		case w.h.Txns[w.txnOf[i]].Zxid != op.Zxid:
			w.fail(invC6, op.where(), "%s was answered with zxid %s and is transaction %s",
				op.name(), op.Zxid, w.h.Txns[w.txnOf[i]].Zxid)
		}
	}
}
