package zab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// Run is a stretch of a history without gaps: the transactions First to Last,
// all of one epoch.
type Run struct {
	First, Last ensemble.Zxid
	Chain       uint64 // the chain up to Last
}

// Shape describes what history a server has, in a few numbers however long it
// is: a base, up to which only the outcome is known (a snapshot, or nothing),
// and the runs of the log above it, ascending. Consecutive runs are of ascending
// epochs, because within an epoch a log has no gaps.
type Shape struct {
	Base Position
	Runs []Run
}

// Last returns the end of the history.
func (s Shape) Last() Position {
	if n := len(s.Runs); n > 0 {
		return Position{s.Runs[n-1].Last, s.Runs[n-1].Chain}
	}
	return s.Base
}

// Append returns the shape with one more transaction at its end, which must
// follow it. Like the built-in append it may reuse the receiver's runs.
func (s Shape) Append(txn Txn) Shape {
	// M04 cuts the shape anywhere, and has to know the chain there.
	if n := len(s.Runs); n > 0 && s.Runs[n-1].Last+1 == txn.Zxid && !mutant.On(mutant.M04) {
		s.Runs[n-1].Last, s.Runs[n-1].Chain = txn.Zxid, txn.Chain
		return s
	}
	s.Runs = append(s.Runs, Run{First: txn.Zxid, Last: txn.Zxid, Chain: txn.Chain})
	return s
}

// recent returns a copy that has at most n runs, the newest; what is before them
// is its base.
func (s Shape) recent(n int) Shape {
	if extra := len(s.Runs) - n; extra > 0 {
		end := s.Runs[extra-1]
		s = Shape{Base: Position{end.Last, end.Chain}, Runs: s.Runs[extra:]}
	}
	return s.Clone()
}

// valid reports whether this can be a history: runs in order, none empty, at
// most n of them.
func (s Shape) valid(n int) bool {
	last := s.Base.Zxid
	for _, r := range s.Runs {
		if r.First <= last || r.Last < r.First || r.First.Epoch() != r.Last.Epoch() {
			return false
		}
		last = r.Last
	}
	return len(s.Runs) <= n && s.Base.Zxid >= 0
}

// Clone returns a copy that shares nothing.
func (s Shape) Clone() Shape { s.Runs = slices.Clone(s.Runs); return s }

// Contains reports whether the log above the base, or the base itself, has z.
func (s Shape) Contains(z ensemble.Zxid) bool {
	if z == s.Base.Zxid {
		return true
	}
	for _, r := range s.Runs {
		if z >= r.First && z <= r.Last {
			return true
		}
	}
	return false
}

// Truncate returns the shape cut behind to, which the shape must contain; the
// chain is the one at to.
func (s Shape) Truncate(to Position) Shape {
	out := Shape{Base: s.Base}
	for _, r := range s.Runs {
		switch {
		case r.Last <= to.Zxid:
			out.Runs = append(out.Runs, r)
		case r.First <= to.Zxid:
			out.Runs = append(out.Runs, Run{First: r.First, Last: to.Zxid, Chain: to.Chain})
		}
	}
	return out
}

// String prints the shape as base | first-last, first-last, …
func (s Shape) String() string {
	var b strings.Builder
	b.WriteString(s.Base.Zxid.String())
	for i, r := range s.Runs {
		sep := ", "
		if i == 0 {
			sep = " | "
		}
		fmt.Fprintf(&b, "%s%s-%s", sep, r.First, r.Last)
	}
	return b.String()
}
