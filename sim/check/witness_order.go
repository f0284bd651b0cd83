package check

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// checkOrder checks everything that follows from who sent and received what
// when, without looking into requests and replies.
func (w *witness) checkOrder() {
	for _, l := range w.lines {
		w.checkReplies(l)
		w.checkPipeline(l)
	}
	w.checkRealTime()
	w.checkSyncs()
	w.checkMoves()
}

// checkReplies checks C1 and C2 on a connection, and that replies speak of
// committed states.
func (w *witness) checkReplies(l *line) {
	floor, last, silent := l.Seen, 0, false
	w.checkEnd(l)
	for _, i := range l.ops {
		op := w.h.Ops[i]
		if op.Returned == 0 {
			silent = true
			continue
		}
		w.count(invC1)
		switch {
		case silent:
			w.fail(invC1, op.where(), "%s was answered, and a request before it on the connection was not", op.name())
		case op.Returned < last:
			w.fail(invC1, op.where(), "%s was answered before a request that was sent earlier on the connection", op.name())
		}
		last = max(last, op.Returned)
		if op.Zxid <= 0 {
			continue // of no state: auth, unknown ops
		}
		w.count(invC2)
		if op.Zxid < floor {
			w.fail(invC2, op.where(), "%s was answered with zxid %s; the client had seen %s (0x%x when it connected)",
				op.name(), op.Zxid, floor, uint64(l.Seen))
		}
		floor = max(floor, op.Zxid)
		w.checkCommitted(op)
	}
}

// checkEnd checks C10: behind the answer that ends a connection nothing comes.
func (w *witness) checkEnd(l *line) {
	var end *Op
	for _, i := range l.ops {
		op := w.h.Ops[i]
		switch {
		case op.Returned == 0:
		case end != nil && op.Returned >= end.Returned:
			w.fail(invC10, op.where(), "%s was answered behind %s, which ends the connection (%v)", op.name(), end.name(), end.Err)
		case op.ends():
			w.count(invC10)
			end = op
		}
	}
	for _, i := range l.notices {
		if n := w.h.Events[i]; end != nil && n.Order > end.Returned {
			w.fail(invC10, w.seen(n), "connection %d got %s of %s behind the reply to %s, which ends it (%v)", l.Conn.Conn, n.Type, n.Path, end.name(), end.Err)
		}
	}
}

// ends reports whether a connection is over with the answer to a request: an op
// that no client may send, a proof of identity that is none, the end of the
// session.
func (op *Op) ends() bool {
	switch {
	case op.Code == proto.OpAuth:
		return op.Err != proto.OK
	case op.Code == proto.OpCloseSession:
		return op.Err == proto.OK
	}
	return !op.Code.FromClient()
}

// checkCommitted: nobody may be told of what is not committed yet.
func (w *witness) checkCommitted(op *Op) {
	w.count(invC6)
	n, ok := w.state(op.Zxid)
	switch {
	case !ok:
		w.fail(invC6, op.where(), "%s was answered from %s, which is no committed transaction", op.name(), op.Zxid)
	case n > 0 && w.h.Txns[n-1].Order > op.Returned:
		w.fail(invC6, op.where(), "%s was answered from %s before %s was committed anywhere",
			op.name(), op.Zxid, w.h.Txns[n-1].Zxid)
	}
}

// checkPipeline checks C3: what a connection sent is executed in that order,
// and nothing is left out before something that was executed.
func (w *witness) checkPipeline(l *line) {
	var writes, reads ensemble.Zxid // of the requests so far
	var missing *Op
	for _, i := range l.ops {
		op := w.h.Ops[i]
		if !w.writes[i] {
			if op.Returned != 0 && op.Zxid > 0 {
				w.count(invC3)
				if op.Zxid < writes {
					w.fail(invC3, op.where(), "%s was read from %s, and an earlier write of the connection is %s", op.name(), op.Zxid, writes)
				}
				reads = max(reads, op.Zxid)
			}
			continue
		}
		if w.txnOf[i] < 0 {
			missing = cmp.Or(missing, op)
			continue
		}
		z := w.h.Txns[w.txnOf[i]].Zxid
		w.count(invC3)
		switch {
		case missing != nil:
			w.fail(invC3, op.where(), "%s was committed as %s, and not the write before it, %s", op.name(), z, missing.name())
		case z <= writes:
			w.fail(invC3, op.where(), "%s was committed as %s, behind which the write before it is: %s", op.name(), z, writes)
		case z <= reads:
			w.fail(invC3, op.where(), "%s was committed as %s, and a read before it already saw %s", op.name(), z, reads)
		}
		writes = max(writes, z)
	}
}

// sight is a moment at which a client saw a state, and how.
type sight struct {
	order int
	zxid  ensemble.Zxid
	op    *Op // nil: an event
}

// checkRealTime checks C4 and C5: a write has a later zxid than all that any
// client had seen when it was sent.
func (w *witness) checkRealTime() {
	sights := make([]sight, 0, len(w.h.Ops)+len(w.h.Events))
	for _, op := range w.h.Ops {
		if op.Returned != 0 && op.Zxid > 0 {
			sights = append(sights, sight{op.Returned, op.Zxid, op})
		}
	}
	for _, n := range w.h.Events {
		if n.Zxid > 0 {
			sights = append(sights, sight{n.Order, n.Zxid, nil})
		}
	}
	slices.SortFunc(sights, func(a, b sight) int { return cmp.Compare(a.order, b.order) })
	var wrote, read sight // the latest states that a write and anything else told of
	for i, op := range w.h.Ops {
		for len(sights) > 0 && sights[0].order < op.Sent {
			s := sights[0]
			sights = sights[1:]
			if s.op != nil && s.op.Code.Write() {
				wrote = later(wrote, s)
			} else {
				read = later(read, s)
			}
		}
		if w.txnOf[i] < 0 {
			continue
		}
		z := w.h.Txns[w.txnOf[i]].Zxid
		w.count(invC4)
		w.count(invC5)
		if z <= wrote.zxid {
			w.fail(invC4, op.where(), "%s was sent when %s had been answered with %s, and is %s", op.name(), wrote.op.name(), wrote.zxid, z)
		}
		if z <= read.zxid {
			what := "an event"
			if read.op != nil {
				what = read.op.name()
			}
			w.fail(invC5, op.where(), "%s was sent when %s had already shown %s, and is %s", op.name(), what, read.zxid, z)
		}
	}
}

func later(a, b sight) sight {
	if b.zxid > a.zxid {
		return b
	}
	return a
}

// checkSyncs checks C8.
func (w *witness) checkSyncs() {
	if !w.h.SyncIsLinearizable {
		return
	}
	byOrder := make([]int, len(w.h.Txns))
	for i := range byOrder {
		byOrder[i] = i
	}
	slices.SortStableFunc(byOrder, func(a, b int) int { return cmp.Compare(w.h.Txns[a].Order, w.h.Txns[b].Order) })
	var committed ensemble.Zxid
	for _, op := range w.h.Ops {
		for len(byOrder) > 0 && w.h.Txns[byOrder[0]].Order < op.Sent {
			committed = max(committed, w.h.Txns[byOrder[0]].Zxid)
			byOrder = byOrder[1:]
		}
		if op.Code != proto.OpSync || op.Returned == 0 || op.Err != proto.OK {
			continue
		}
		w.count(invC8)
		if op.Zxid < committed {
			w.fail(invC8, op.where(), "%s was answered with %s; %s was committed before it was sent", op.name(), op.Zxid, committed)
		}
	}
}
