package check

import (
	"cmp"
	"slices"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// term is a session under one leader. What one leader gets of a session comes
// over connections that end with its leadership.
type term struct {
	session int64
	epoch   ensemble.Epoch
}

// doubt is a term of which some transactions may be of one unanswered request or
// of another.
type doubt struct {
	term
	options [][]int // each: the requests of the puzzle's transactions
}

// puzzle is what is left of a term when the answered requests have found their
// transactions.
type puzzle struct {
	txns  []int   // without a request
	tails [][]int // of each connection: its unanswered writes, in order
	floor []ensemble.Zxid
	taken []int // of each tail, while solving: how many have a transaction

	chosen  []int // of each transaction, while solving: its request, or -1
	holes   int   // how many of chosen are -1
	fewest  int   // holes of the options
	options [][]int
	steps   int
}

const (
	// optionsMax bounds how many ways to solve a puzzle are kept, and stepsMax how
	// long they are looked for.
	optionsMax = 8
	stepsMax   = 2000
)

// joinUnanswered joins what is left, term by term.
func (w *witness) joinUnanswered(txns []int, chosen map[term]int) []doubt {
	var order []term
	puzzles := map[term]*puzzle{}
	for _, i := range txns {
		if t := &w.h.Txns[i]; w.opOf[i] < 0 && t.Cxid != 0 {
			k := term{t.Session, t.Zxid.Epoch()}
			if puzzles[k] == nil {
				puzzles[k] = &puzzle{}
				order = append(order, k)
			}
			puzzles[k].txns = append(puzzles[k].txns, i)
		}
	}
	if len(order) == 0 {
		return nil
	}
	lines := map[int64][]*line{}
	for _, l := range w.lines {
		if len(l.ops) > 0 {
			session := w.sessionOf(l.ops[0])
			lines[session] = append(lines[session], l)
		}
	}
	var doubts []doubt
	for _, k := range order {
		p := puzzles[k]
		for _, l := range lines[k.session] {
			w.addTail(p, l, k.epoch)
		}
		p.solve(w)
		pick := 0
		if len(p.options) > 1 {
			pick = min(chosen[k], len(p.options)-1)
			doubts = append(doubts, doubt{k, p.options})
			w.unknown += p.undecided()
		}
		for i, o := range p.options[pick] {
			if o >= 0 {
				w.link(o, p.txns[i])
			}
		}
		w.joinRest(p)
	}
	return doubts
}

// addTail gives the puzzle of an epoch the unanswered writes of a connection, if
// it may have been one of that epoch.
func (w *witness) addTail(p *puzzle, l *line, epoch ensemble.Epoch) {
	first, _ := slices.BinarySearchFunc(w.h.Txns, l.Opened, func(t Txn, order int) int { return cmp.Compare(t.Order, order) })
	if first > 0 && w.h.Txns[first-1].Zxid.Epoch() > epoch {
		return // a later leader was at work when the connection began
	}
	var tail []int
	floor := ensemble.Zxid(0)
	for _, i := range l.ops {
		op, t := w.h.Ops[i], w.txnOf[i]
		if op.Returned != 0 && op.Zxid > 0 && op.Zxid.Epoch() != epoch || t >= 0 && w.h.Txns[t].Zxid.Epoch() != epoch {
			return
		}
		if !w.writes[i] {
			continue
		}
		if t >= 0 {
			floor = max(floor, w.h.Txns[t].Zxid)
		} else if op.Returned == 0 {
			tail = append(tail, i)
		}
	}
	if len(tail) > 0 {
		p.tails, p.floor = append(p.tails, tail), append(p.floor, floor)
	}
}

// solve finds the ways in which the transactions can be of the requests, as the
// rules want them: of each connection a beginning of what it sent, and those of
// a connection before those of the next, except for what was refused, which is
// what becomes of late ones, and multis that do nothing. What cannot be of any
// request is left open.
func (p *puzzle) solve(w *witness) {
	p.taken = make([]int, len(p.tails))
	p.chosen = make([]int, 0, len(p.txns))
	p.fewest = len(p.txns)
	p.search(w, 0)
	if len(p.options) == 0 {
		p.options = [][]int{fill(len(p.txns))}
	}
}

// search goes on with the next transaction; those before it that were not refused
// are of connections up to from.
func (p *puzzle) search(w *witness, from int) {
	p.steps++
	if p.steps > stepsMax || p.holes > p.fewest {
		return
	}
	if len(p.chosen) == len(p.txns) {
		if p.holes < p.fewest {
			p.options, p.fewest = nil, p.holes
		}
		if len(p.options) < optionsMax {
			p.options = append(p.options, slices.Clone(p.chosen))
		}
		return
	}
	t := p.txns[len(p.chosen)]
	refused, found := w.h.Txns[t].Err != proto.OK, false
	for k := len(p.tails) - 1; k >= 0; k-- {
		n := p.taken[k]
		if n == len(p.tails[k]) || !w.mayBe(p.tails[k][n], t) || w.h.Txns[t].Zxid <= p.floor[k] {
			continue
		}
		free := refused || empty(w.h.Ops[p.tails[k][n]])
		if k < from && !free {
			continue
		}
		found = true
		p.taken[k]++
		p.chosen = append(p.chosen, p.tails[k][n])
		if free {
			p.search(w, from)
		} else {
			p.search(w, k)
		}
		p.chosen = p.chosen[:len(p.chosen)-1]
		p.taken[k]--
	}
	if !found {
		p.chosen = append(p.chosen, -1)
		p.holes++
		p.search(w, from)
		p.holes--
		p.chosen = p.chosen[:len(p.chosen)-1]
	}
}

// undecided counts the transactions that are not of the same request in all
// options.
func (p *puzzle) undecided() int {
	n := 0
	for i := range p.txns {
		for _, o := range p.options[1:] {
			if o[i] != p.options[0][i] {
				n++
				break
			}
		}
	}
	return n
}

// joinRest joins, against the rules, what can still be joined: which rule was
// broken is found later.
func (w *witness) joinRest(p *puzzle) {
	for _, t := range p.txns {
		for _, tail := range p.tails {
			for _, o := range tail {
				if w.opOf[t] < 0 && w.txnOf[o] < 0 && w.fits(o, t) {
					w.link(o, t)
				}
			}
		}
	}
}

// mayBe reports whether a transaction is likely to be of a request: if it is an
// error, of one that can fail in that way.
func (w *witness) mayBe(op, txn int) bool {
	if !w.fits(op, txn) {
		return false
	}
	create := false
	switch w.h.Ops[op].Code {
	case proto.OpMulti:
		return true
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		create = true
	}
	switch w.h.Txns[txn].Err {
	case proto.ErrNodeExists, proto.ErrNoChildrenForEphemerals:
		return create
	case proto.ErrUnimplemented:
		r, ok := createOf(w.h.Ops[op].Request)
		return ok && (r.Flags == proto.FlagTTL || r.Flags == proto.FlagTTLSequential)
	case proto.ErrNotEmpty:
		return w.h.Ops[op].Code == proto.OpDelete
	case proto.ErrBadVersion:
		return !create
	}
	return true
}
