package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// Findings is what Witness found in a History.
type Findings struct {
	// Violations are in the order of the moments at which a client could have
	// noticed: the first of each invariant, and some 20 in all.
	Violations []*Violation
	// Checked says how often each invariant was really evaluated. One that is
	// missing was not put to the test by this History.
	Checked map[string]int
	// Unknown is how many transactions might be of several requests, because a
	// client used a number twice in one session and nobody answered. They are taken
	// to be of those that leave the fewest violations.
	Unknown int
	// Answered is how many requests were answered. A world that had clients and
	// finds none here has shown nothing, which is not the servers' fault: H3.
	Answered int
}

// Found reports whether an invariant was found broken; H3 if nothing was answered.
func (f *Findings) Found(invariant string) bool {
	if invariant == Invariants[invH3].ID {
		return f.Answered == 0
	}
	return slices.ContainsFunc(f.Violations, func(v *Violation) bool { return v.Invariant == invariant })
}

// First returns the first violation, or nil.
func (f *Findings) First() *Violation {
	if len(f.Violations) == 0 {
		return nil
	}
	return f.Violations[0]
}

const (
	// violationsMax is how many violations are reported, if not more invariants are
	// broken, and violationsKept how many of one invariant are looked for before the
	// earliest are chosen.
	violationsMax  = 20
	violationsKept = 100
	// triesMax bounds how often a History with violations is looked at again, with
	// doubtful transactions given to other requests.
	triesMax = 32
)

// Witness holds everything that clients saw against the committed transactions.
// Every reply names the transaction whose state it speaks of, so nothing has to
// be searched for: the requests are executed by a model in the order of their
// transactions, and each reply must be what the model says at its zxid, in all
// fields. Real time, sessions and watches are checked beside.
//
// It takes the History as it is and changes nothing in it. A History that is not
// whole (out of order, requests of no connection) is reported as H5 and not
// looked at further.
func Witness(h *History) Findings {
	w, doubts := attest(h, nil)
	chosen := map[term]int{}
	for tries := 0; len(doubts) > 0; doubts = doubts[1:] {
		d := doubts[0]
		for i := 1; i < len(d.options) && tries < triesMax && len(w.violations) > 0; i++ {
			before := chosen[d.term]
			chosen[d.term] = i
			other, _ := attest(h, chosen)
			if tries++; len(other.violations) < len(w.violations) {
				w = other
			} else {
				chosen[d.term] = before
			}
		}
	}
	return w.findings()
}

// attest looks at the whole History once. chosen says which of the options that a
// doubt leaves is to be taken, if not the first.
func attest(h *History, chosen map[term]int) (*witness, []doubt) {
	w := &witness{h: h, model: newModel(), calm: h.Calm}
	w.model.extended, w.model.enforced = h.ExtendedTypes, h.EnforceQuota
	if !w.gather() {
		return w, nil
	}
	doubts := w.join(chosen)
	w.checkOrder()
	w.checkSessions()
	w.replay()
	return w, doubts
}

func (w *witness) findings() Findings {
	f := Findings{Violations: w.report(), Checked: map[string]int{}, Unknown: w.unknown, Answered: w.answered}
	for r, n := range w.checked {
		if n > 0 {
			f.Checked[Invariants[r].ID] = n
		}
	}
	return f
}

// report chooses the violations to report: the first of each invariant, then the
// earliest.
func (w *witness) report() []*Violation {
	byOrder := func(a, b *Violation) int { return cmp.Compare(a.Order, b.Order) }
	slices.SortStableFunc(w.violations, byOrder)
	var first, rest []*Violation
	seen := map[string]bool{}
	for _, v := range w.violations {
		if !seen[v.Invariant] {
			seen[v.Invariant] = true
			first = append(first, v)
		} else {
			rest = append(rest, v)
		}
	}
	room := min(max(violationsMax-len(first), 0), len(rest))
	chosen := append(first, rest[:room]...)
	slices.SortStableFunc(chosen, byOrder)
	return chosen
}

// witness is one run over a History.
type witness struct {
	h          *History
	violations []*Violation
	checked    [len(Invariants)]int
	broken     [len(Invariants)]int
	unknown    int
	answered   int

	lines  []*line // in the order of History.Conns
	byConn map[int]*line
	of     []*line // of each of History.Ops
	writes []bool  // of each of History.Ops: whether it makes a transaction
	txnOf  []int   // of each of History.Ops: its transaction, or -1
	opOf   []int   // of each of History.Txns: its request, or -1

	model    *model
	at       int     // the state of the model: how many transactions are in it
	touches  []touch // of all transactions so far
	touchEnd []int   // of each transaction: where its touches end
	watchers map[string][]watcher
	touchNo  int    // counts the touches told to watchers
	deep     int    // recursive watches that are armed
	calm     []Span // those of the History that lie ahead
}

// line is one connection with all that was said on it.
type line struct {
	*Conn
	no      int        // index in witness.lines
	ops     []int      // in the order of sending
	notices []int      // in the order of arrival
	address []proto.ID // as an identity; none if it is not known
	auths   []auth
	left    int // what was said on it and has not been looked at
	watching
}

// auth is a proof of identity that a client gave on a connection.
type auth struct {
	sent int
	ids  []proto.ID // all that are known from then on
}

// idsAt returns the identities with which a request is executed that was sent
// then: requests of a connection begin one after the other.
func (l *line) idsAt(sent int) []proto.ID {
	for i := len(l.auths) - 1; i >= 0; i-- {
		if l.auths[i].sent < sent {
			return l.auths[i].ids
		}
	}
	return l.address
}

// gather sorts everything by connection. It reports false for a History that
// cannot be judged.
func (w *witness) gather() bool {
	if err := w.h.validate(); err != nil {
		w.fail(invH5, where{}, "the history is not whole: %v", err)
		return false
	}
	w.count(invH5)
	w.byConn = make(map[int]*line, len(w.h.Conns))
	for i, c := range w.h.Conns {
		l := &line{Conn: c, no: i}
		if c.Address != "" {
			l.address = []proto.ID{{Scheme: "ip", ID: c.Address}}
		}
		w.lines = append(w.lines, l)
		w.byConn[c.Conn] = l
	}
	w.of, w.writes = make([]*line, len(w.h.Ops)), make([]bool, len(w.h.Ops))
	for i, op := range w.h.Ops {
		l := w.byConn[op.Conn]
		w.of[i], w.writes[i] = l, op.Code.Write() && op.Code.FromClient()
		l.ops = append(l.ops, i)
		if r, ok := op.Request.(*proto.AuthRequest); ok && r.Scheme == "digest" && op.Err == proto.OK {
			l.addAuth(op.Sent, digestID(r.Auth))
		}
		if op.Returned != 0 {
			w.answered++
		}
	}
	for i, n := range w.h.Events {
		l := w.byConn[n.Conn]
		l.notices = append(l.notices, i)
	}
	return true
}

func (l *line) addAuth(sent int, id proto.ID) {
	ids := l.address
	if n := len(l.auths); n > 0 {
		ids = l.auths[n-1].ids
	}
	if !slices.Contains(ids, id) {
		ids = append(slices.Clone(ids), id)
	}
	l.auths = append(l.auths, auth{sent, ids})
}

// state returns how many transactions are in the state that a zxid names. ok is
// false if no committed transaction has it; the start of an epoch needs none.
func (w *witness) state(zxid ensemble.Zxid) (n int, ok bool) {
	n, found := slices.BinarySearchFunc(w.h.Txns, zxid, func(t Txn, z ensemble.Zxid) int { return cmp.Compare(t.Zxid, z) })
	if found {
		return n + 1, true
	}
	return n, zxid.Counter() == 0
}

// where is the place of a violation.
type where struct {
	order int
	at    time.Duration
	node  ensemble.ServerID
}

func (op *Op) where() where {
	return where{max(op.Sent, op.Returned), max(op.SentAt, op.BackAt), op.Server}
}

func (t *Txn) where() where { return where{order: t.Order, at: t.At} }

func (c *Conn) where() where {
	if c.Answered == 0 {
		return where{c.Opened, c.OpenedAt, c.Server}
	}
	return where{c.Answered, c.AnsweredAt, c.Server}
}

func (w *witness) seen(n *Notice) where { return where{n.Order, n.At, w.byConn[n.Conn].Server} }

func (w *witness) count(r invariant) { w.checked[r]++ }

func (w *witness) fail(r invariant, at where, format string, args ...any) {
	if w.broken[r]++; w.broken[r] > violationsKept {
		return
	}
	w.violations = append(w.violations, &Violation{
		Invariant: Invariants[r].ID, Rule: Invariants[r].Words,
		Text: fmt.Sprintf(format, args...), At: at.at, Node: at.node, Order: at.order,
	})
}

// name says which request it is.
func (op *Op) name() string {
	path := ""
	if p := pathOf(op.Request); p != "" {
		path = " " + p
	}
	return fmt.Sprintf("%s%s (session 0x%x, connection %d, xid %d)", op.Code, path, uint64(op.Session), op.Conn, op.Xid)
}
