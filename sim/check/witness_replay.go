package check

import (
	"slices"

	"github.com/quorate/quorate/server/proto"
)

// said is something that a client received: a reply, or an event.
type said struct {
	line *line
	op   *Op     // nil for an event
	n    *Notice // nil for a reply
	// stray says that it does not speak of any state that it could be judged by:
	// what is wrong with it is reported already.
	stray bool
}

// replay executes the transactions one after the other and looks, in each state,
// at all that clients were told of it.
func (w *witness) replay() {
	w.watchers = map[string][]watcher{}
	w.touchEnd = make([]int, len(w.h.Txns))
	all, ends := w.byState()
	for w.at = 0; ; w.at++ {
		from := 0
		if w.at > 0 {
			w.commit(w.at - 1)
			from = ends[w.at-1]
		}
		for _, s := range all[from:ends[w.at]] {
			w.hear(s)
		}
		if w.at == len(w.h.Txns) {
			w.checkReaping(w.h.End)
			return
		}
		w.checkReaping(w.h.Txns[w.at].At)
	}
}

// byState sorts all that was said by the state in which it is looked at, and
// within a state by connection and order of arrival. What was said in state i
// ends at ends[i]. A connection's states only grow: what speaks of an earlier
// one than something before it is looked at late.
func (w *witness) byState() (all []said, ends []int) {
	list := make([]said, 0, len(w.h.Ops)+len(w.h.Events))
	states := make([]int, 0, cap(list))
	ends = make([]int, len(w.h.Txns)+1)
	for _, l := range w.lines {
		from := len(list)
		list, states = w.arrivals(l, list, states)
		l.left = len(list) - from
	}
	for _, s := range states {
		ends[s]++
	}
	for i := 1; i < len(ends); i++ {
		ends[i] += ends[i-1]
	}
	all = make([]said, len(list))
	next := append([]int{0}, ends[:len(ends)-1]...)
	for i, s := range states {
		all[next[s]] = list[i]
		next[s]++
	}
	return all, ends
}

// arrivals appends what a client received on a connection, in that order, and
// the state in which each is to be looked at: a reply in the one that it names,
// an event together with the next reply.
func (w *witness) arrivals(l *line, list []said, states []int) ([]said, []int) {
	replies := l.ops
	byReturn := func(a, b int) int { return w.h.Ops[a].Returned - w.h.Ops[b].Returned }
	if !slices.IsSortedFunc(replies, byReturn) {
		replies = slices.SortedFunc(slices.Values(replies), byReturn)
	}
	notices, state, top := l.notices, 0, l.Seen
	add := func(s said) {
		list = append(list, s)
		if s.n == nil {
			for len(states) < len(list) {
				states = append(states, state)
			}
		} else if n, _ := w.state(s.n.Zxid); s.n.Zxid > 0 {
			state = max(state, n)
		}
	}
	for _, i := range replies {
		op := w.h.Ops[i]
		if op.Returned == 0 {
			continue
		}
		for len(notices) > 0 && w.h.Events[notices[0]].Order < op.Returned {
			add(said{line: l, n: w.h.Events[notices[0]]})
			notices = notices[1:]
		}
		stray := false
		if op.Zxid > 0 {
			n, ok := w.state(op.Zxid)
			stray = !ok || op.Zxid < top
			if !stray && n < state && !mayLag(op.Code) {
				w.fail(invW3, op.where(), "%s was answered with %s behind an event of a later state", op.name(), op.Zxid)
				stray = true
			}
			if !stray {
				state, top = max(state, n), op.Zxid
			}
		}
		add(said{line: l, op: op, stray: stray})
	}
	for _, i := range notices {
		add(said{line: l, n: w.h.Events[i]})
	}
	for len(states) < len(list) {
		states = append(states, state)
	}
	return list, states
}

// mayLag reports whether the reply to a request may come behind events of later
// states: it is not read from the tree, so nothing holds the tree meanwhile.
func mayLag(code proto.OpCode) bool {
	return code.Write() || code == proto.OpSync || code == proto.OpPing
}

// hear judges one thing that was said, in the state of the model.
func (w *witness) hear(s said) {
	if s.n != nil {
		w.hearNotice(s.line, s.n)
	} else {
		w.hearReply(s.line, s.op, s.stray)
	}
	if s.line.left--; s.line.left == 0 {
		w.leave(s.line)
	}
}

func (w *witness) hearReply(l *line, op *Op, stray bool) {
	if op.Zxid > 0 && !stray {
		w.settle(l, op)
	}
	switch {
	case !op.Code.FromClient():
		w.expect(op, proto.ErrUnimplemented, invC6)
	case stray, op.Code.Write():
	default:
		w.hearRead(l, op)
	}
	if op.Code != proto.OpSetWatches && op.Code != proto.OpSetWatches2 {
		w.noMissed(l, op)
	}
}

// commit executes a transaction: the request behind it.
func (w *witness) commit(i int) {
	w.model.touched = w.model.touched[:0]
	t := &w.h.Txns[i]
	at := moment{zxid: int64(t.Zxid), millis: t.Time, at: t.At, session: t.Session}
	switch {
	case t.Op == proto.OpCreateSession:
		w.count(invS1)
		if t.Session == 0 || w.model.live[t.Session] || w.model.over[t.Session] {
			w.fail(invS1, t.where(), "transaction %s makes session 0x%x, which was made before", t.Zxid, uint64(t.Session))
		}
		w.model.createSession(t.Session)
	case t.Op == proto.OpCloseSession:
		w.model.closeSession(at)
	case t.Op == proto.OpDeleteContainer && t.Session == 0:
		w.reap(t, at)
	}
	if o := w.opOf[i]; o >= 0 {
		w.execute(t, w.h.Ops[o], at, w.of[o])
	}
	w.touches = append(w.touches, w.model.touched...)
	w.touchEnd[i] = len(w.touches)
	if len(w.watchers) > 0 {
		for _, c := range w.model.touched {
			w.fire(t.Zxid, c)
		}
	}
}

// execute lets the model do what a client asked for, and holds what the servers
// made of it, and told the client, against that.
func (w *witness) execute(t *Txn, op *Op, at moment, l *line) {
	if op.Code == proto.OpCloseSession {
		w.expect(op, proto.OK, invC6)
		return
	}
	at.ids = l.idsAt(op.Sent)
	if t.Err == proto.ErrSessionMoved {
		w.count(invS7)
		if op.Returned != 0 {
			w.fail(invS7, op.where(), "%s was answered; its session had moved (%s)", op.name(), t.Zxid)
		}
		return
	}
	w.count(invS2)
	var out outcome
	if t.Err != proto.OK {
		out = w.model.try(at, op.Code, op.Request)
	} else {
		out = w.model.write(at, op.Code, op.Request)
	}
	want := out.code
	if op.Code == proto.OpMulti {
		w.count(invT5)
		want = out.failure
	}
	if want != t.Err {
		w.fail(blame(op, want, t.Err), t.where(), "%s is transaction %s with %v; in this state it is %v", op.name(), t.Zxid, t.Err, want)
		return
	}
	if op.Returned == 0 {
		return
	}
	if code := headerCode(op, t); op.Err != code {
		w.fail(invC7, op.where(), "%s was answered with %v and is transaction %s with %v", op.name(), op.Err, t.Zxid, t.Err)
		return
	}
	if op.Err == proto.OK {
		w.compareWrite(op, &out)
	}
}

// headerCode returns the code in the header of the reply to a request that made
// a transaction. That of a multi is OK whatever became of the parts.
func headerCode(op *Op, t *Txn) proto.ErrCode {
	if op.Code == proto.OpMulti && t.Op == proto.OpMulti {
		return proto.OK
	}
	return t.Err
}

// blame returns the invariant that a request breaks that has another outcome than
// it should.
func blame(op *Op, want, is proto.ErrCode) invariant {
	switch {
	case want == proto.ErrSessionExpired:
		return invS2
	case want == proto.ErrQuotaExceeded || is == proto.ErrQuotaExceeded:
		return invT10
	case want == proto.ErrNoChildrenForEphemerals && is == proto.OK:
		return invT8
	case op.Code == proto.OpMulti:
		return invT5
	}
	return invC6
}
