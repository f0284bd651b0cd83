package check

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// checkSessions checks S1, as far as connections show it. That no transaction
// makes a session twice is checked as they are executed.
func (w *witness) checkSessions() {
	created := map[int64]*Txn{}
	for i := range w.h.Txns {
		if t := &w.h.Txns[i]; t.Op == proto.OpCreateSession && created[t.Session] == nil {
			created[t.Session] = t
		}
	}
	owner := map[int64]*Conn{}
	for _, l := range w.lines {
		if l.Answered == 0 {
			continue
		}
		w.count(invS1)
		if l.Session == 0 {
			continue // refused, rightly or not: that a leader without a quorum does too
		}
		t := created[l.Session]
		switch {
		case l.WrongPassword:
			w.fail(invS1, l.where(), "connection %d got session 0x%x with a wrong password", l.Conn.Conn, uint64(l.Session))
		case l.Asked != 0 && l.Session != l.Asked:
			w.fail(invS1, l.where(), "connection %d asked for session 0x%x and got 0x%x", l.Conn.Conn, uint64(l.Asked), uint64(l.Session))
		case t == nil || t.Order > l.Answered:
			w.fail(invS1, l.where(), "connection %d got session 0x%x before any such session was committed", l.Conn.Conn, uint64(l.Session))
		case l.Asked == 0 && owner[l.Session] != nil:
			w.fail(invS1, l.where(), "connections %d and %d both got 0x%x as a new session",
				owner[l.Session].Conn, l.Conn.Conn, uint64(l.Session))
		case l.Asked == 0:
			owner[l.Session] = l.Conn
		}
	}
}

// checkMoves checks S7. When a session has come to another server, requests that
// its former connections still send are refused. What was proposed before the
// move may be committed after it, so the answer to the new connection alone does
// not tell; but a transaction whose request was sent after that answer was
// proposed after the move, and so was everything behind it.
func (w *witness) checkMoves() {
	heirs := map[int64][]*line{} // connections of each session in the order of opening
	for _, l := range w.lines {
		if l.Session != 0 && l.Answered != 0 {
			heirs[l.Session] = append(heirs[l.Session], l)
		}
	}
	first := w.firstSentAfter()
	for i := range w.h.Txns {
		t := &w.h.Txns[i]
		if w.opOf[i] < 0 || t.Err != proto.OK || t.Op == proto.OpCloseSession || empty(w.h.Ops[w.opOf[i]]) {
			continue // refused, or the end, which anybody may ask for, or nothing at all
		}
		l := w.of[w.opOf[i]]
		for _, heir := range heirs[w.sessionOf(w.opOf[i])] {
			// A leader that was deposed and does not know it may let a session move
			// too: only the leader of the transaction itself is bound by it.
			if heir.Opened <= l.Opened || w.epochOf(heir) != t.Zxid.Epoch() {
				continue
			}
			w.count(invS7)
			proof := first(heir.Answered)
			if heir.Server == l.Server {
				// A server sends what it has of both connections in order.
				proof = w.firstOf(heir)
			}
			if proof != ensemble.NoZxid && proof < t.Zxid {
				w.fail(invS7, t.where(), "%s was committed as %s, and its session had moved to connection %d (server %s) before %s",
					w.h.Ops[w.opOf[i]].name(), t.Zxid, heir.Conn.Conn, heir.Server, proof)
			}
			if heir.Server != l.Server {
				break // the next ones came later
			}
		}
	}
}

// empty reports whether a request is a multi without parts, which succeeds for
// anybody and does nothing.
func empty(op *Op) bool {
	m, ok := op.Request.(*proto.MultiRequest)
	return ok && len(m.Ops) == 0
}

// epochOf returns the epoch in which a connection was served, and NoEpoch if that
// is not known. A server that changes its leader closes its connections.
func (w *witness) epochOf(l *line) ensemble.Epoch {
	for _, i := range l.ops {
		if op := w.h.Ops[i]; op.Returned != 0 && op.Zxid > 0 {
			return op.Zxid.Epoch()
		}
	}
	return ensemble.NoEpoch
}

// firstSentAfter returns a function that finds the smallest zxid of a request
// that was sent after a moment.
func (w *witness) firstSentAfter() func(order int) ensemble.Zxid {
	least := make([]ensemble.Zxid, len(w.h.Ops)+1) // of the requests from i on
	least[len(w.h.Ops)] = ensemble.NoZxid
	for i := len(w.h.Ops) - 1; i >= 0; i-- {
		least[i] = least[i+1]
		if t := w.txnOf[i]; t >= 0 && (least[i] == ensemble.NoZxid || w.h.Txns[t].Zxid < least[i]) {
			least[i] = w.h.Txns[t].Zxid
		}
	}
	return func(order int) ensemble.Zxid { return least[opsUpTo(w.h.Ops, order)] }
}

// opsUpTo returns how many requests were sent up to a moment.
func opsUpTo(ops []*Op, order int) int {
	lo, hi := 0, len(ops)
	for lo < hi {
		if mid := (lo + hi) / 2; ops[mid].Sent <= order {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// firstOf returns the zxid of the first write of a connection.
func (w *witness) firstOf(l *line) ensemble.Zxid {
	for _, i := range l.ops {
		if t := w.txnOf[i]; t >= 0 {
			return w.h.Txns[t].Zxid
		}
	}
	return ensemble.NoZxid
}

// Overdue checks S6: a session of which no server hears any more ends within its
// timeout, two ticks and slack. It is owed only while a quorum works, so the
// clock of every session starts at from at the earliest: the moment at which the
// last fault was healed. slack must cover an election and the network.
//
// Pings count as a sign of life, so History.Ops must have them.
func Overdue(h *History, from, slack time.Duration) Findings {
	f := Findings{Checked: map[string]int{}}
	heard, timeout := map[int64]time.Duration{}, map[int64]time.Duration{}
	for i := range h.Txns {
		if t := &h.Txns[i]; t.Op == proto.OpCreateSession {
			heard[t.Session] = max(from, t.At)
			timeout[t.Session] = time.Duration(t.TimeoutMs) * time.Millisecond
		}
	}
	hear := func(session int64, at time.Duration) {
		if session != 0 {
			heard[session] = max(heard[session], at)
		}
	}
	session := make(map[int]int64, len(h.Conns))
	for _, c := range h.Conns {
		session[c.Conn] = c.Session
		hear(c.Session, max(c.OpenedAt, c.AnsweredAt, c.ClosedAt))
		timeout[c.Session] = max(timeout[c.Session], time.Duration(c.Given)*time.Millisecond)
	}
	for _, op := range h.Ops {
		hear(session[op.Conn], op.SentAt)
	}
	ended := map[int64]time.Duration{}
	for i := range h.Txns {
		t := &h.Txns[i]
		if _, twice := ended[t.Session]; t.Op == proto.OpCloseSession && !twice {
			ended[t.Session] = t.At
		}
	}
	for i := range h.Txns {
		t := &h.Txns[i]
		if t.Op != proto.OpCreateSession {
			continue
		}
		due := heard[t.Session] + timeout[t.Session] + 2*h.TickTime + slack
		if at, over := ended[t.Session]; over {
			f.overdue(t, due, at, "was closed only")
		} else {
			f.overdue(t, due, h.End, "still lives")
		}
	}
	return f
}

func (f *Findings) overdue(t *Txn, due, at time.Duration, what string) {
	if at > due {
		f.Violations = append(f.Violations, &Violation{
			Invariant: Invariants[invS6].ID, Rule: Invariants[invS6].Words, At: due, Order: t.Order,
			Text: fmt.Sprintf("session 0x%x had to be over at %v and %s at %v", uint64(t.Session), due, what, at),
		})
	}
	f.Checked[Invariants[invS6].ID]++
}
