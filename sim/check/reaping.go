package check

import (
	"time"

	"github.com/quorate/quorate/server/proto"
)

// This file has what servers delete by themselves: containers that are empty
// again, and nodes whose time to live is over (spec client-protocol 2.4, 2.5).

// reapSlack is what the way of a deletion through the quorum may take, and what
// the leader's clock and its housekeeping are late, in calm.
const reapSlack = time.Second

// ttlMillisMax is the longest time to live: five bytes.
const ttlMillisMax = 1<<40 - 1

// Span is a part of a run.
type Span struct{ From, To time.Duration }

// notDue returns why a node must not be reaped at a moment of the leader's clock,
// in ms; "" if it may.
func (n *znode) notDue(millis int64) string {
	switch {
	case len(n.children) > 0:
		return "it has children"
	case n.ttl > 0:
		if millis-n.mtime <= n.ttl {
			return "its time is not over"
		}
	case !n.container:
		return "it is neither a container nor has it a time to live"
	case n.creates == 0:
		return "it never had a child"
	}
	return ""
}

// reap follows a transaction by which the servers deleted a node, and judges it.
func (w *witness) reap(t *Txn, at moment) {
	w.count(invT8)
	n := w.model.nodes[t.Path]
	switch {
	case w.h.ReapPeriod == 0:
		w.fail(invT8, t.where(), "transaction %s reaps %q, which these servers do not do", t.Zxid, t.Path)
	case n == nil:
		w.fail(invT8, t.where(), "transaction %s reaps %q, which is not there", t.Zxid, t.Path)
	default:
		if why := n.notDue(t.Time); why != "" {
			w.fail(invT8, t.where(), "transaction %s reaps %q: %s", t.Zxid, t.Path, why)
		}
	}
	if n != nil && len(n.children) == 0 && t.Path != rootPath {
		w.model.remove(at, t.Path)
	}
}

// checkReaping checks T9 before the next transaction, which is committed at a
// moment: in the calm spans that end before it whatever was due long enough is
// gone.
func (w *witness) checkReaping(next time.Duration) {
	for len(w.calm) > 0 && w.calm[0].To <= next {
		span := w.calm[0]
		w.calm = w.calm[1:]
		if w.h.ReapPeriod == 0 || w.at == 0 {
			continue
		}
		last := &w.h.Txns[w.at-1]
		patience := 2*w.h.ReapPeriod + reapSlack
		for _, path := range w.model.mortals() {
			n := w.model.nodes[path]
			if n.ttl > 0 && last.At < span.From {
				continue // it may be of another leader, with another clock
			}
			w.count(invT9)
			since, due := n.dueSince(last)
			if due && max(since, span.From)+patience < span.To {
				w.fail(invT9, where{order: last.Order, at: span.To}, "%q was to be reaped from %v on and is still there at %v; nothing has been wrong since %v",
					path, since, span.To, span.From)
			}
		}
	}
}

// dueSince returns from when on a node is to be reaped. What the leader's clock
// shows at a moment follows from the last transaction.
func (n *znode) dueSince(last *Txn) (since time.Duration, due bool) {
	switch {
	case len(n.children) > 0:
		return 0, false
	case n.ttl > 0:
		over := time.Duration(n.mtime+n.ttl-last.Time)*time.Millisecond + last.At
		return max(over, n.emptied), true
	}
	return n.emptied, n.container && n.creates > 0
}

// expires returns the time to live that a create asks for, in ms, 0 for none, and
// with which code servers refuse it.
func expires(op proto.OpCode, flags int32, ttl int64, extended bool) (millis int64, code proto.ErrCode) {
	mortal := flags == proto.FlagTTL || flags == proto.FlagTTLSequential
	switch {
	case mortal && !extended:
		return 0, proto.ErrUnimplemented
	case mortal != (op == proto.OpCreateTTL):
		return 0, proto.ErrBadArguments
	case mortal && (ttl < 1 || ttl > ttlMillisMax):
		return 0, proto.ErrBadArguments
	}
	return ttl, proto.OK
}
