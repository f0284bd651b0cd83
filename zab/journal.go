package zab

import (
	"fmt"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// Journal is what a server has on disk or is about to have: the shape of its
// history, its epochs, its commit point, and which of the storage effects it
// asked for are durable. It outlives the roles, which share it one after the
// other. It is part of the pure core.
type Journal struct {
	shape     Shape
	epochs    Epochs
	committed ensemble.Zxid

	issued, durable uint64
	durableZxid     ensemble.Zxid
	marks           []mark // appends that are not durable, ascending
}

type mark struct {
	ticket uint64
	zxid   ensemble.Zxid
}

// NewJournal starts from what recovery found: all of it durable. committed is
// the newest commit point that is known for certain, at least that of the newest
// snapshot.
func NewJournal(shape Shape, epochs Epochs, committed ensemble.Zxid) *Journal {
	return &Journal{
		shape:       shape.Clone(),
		epochs:      epochs,
		committed:   max(committed, shape.Base.Zxid),
		durableZxid: shape.Last().Zxid,
	}
}

// Last returns the end of the history, durable or not.
func (j *Journal) Last() Position { return j.shape.Last() }

// Shape returns the shape of the history; the caller must not change it.
func (j *Journal) Shape() Shape { return j.shape }

// Epochs returns the epochs record as last asked to be saved.
func (j *Journal) Epochs() Epochs { return j.epochs }

// claim is the epoch that this server may hold against others: that of the last
// leader whose history it has whole. A server that is unsure may have lost
// transactions of it, and claims no more than its log shows.
func (j *Journal) claim() ensemble.Epoch {
	if j.epochs.Unsure {
		return min(j.epochs.Current, j.Last().Zxid.Epoch())
	}
	return j.epochs.Current
}

// Committed returns the commit point.
func (j *Journal) Committed() ensemble.Zxid { return j.committed }

// DurableZxid returns the end of the history that is on disk.
func (j *Journal) DurableZxid() ensemble.Zxid { return j.durableZxid }

// saved is how far this server may say that it has the history: what is on disk.
func (j *Journal) saved() ensemble.Zxid {
	if mutant.On(mutant.M01) {
		return j.Last().Zxid
	}
	return j.durableZxid
}

// Quiet reports whether everything asked of the disk is done.
func (j *Journal) Quiet() bool { return j.durable == j.issued }

func (j *Journal) ticket() uint64 { j.issued++; return j.issued }

func (j *Journal) append(txns []Txn, out *Effects) {
	for _, t := range txns {
		j.shape = j.shape.Append(t)
	}
	t := j.ticket()
	j.marks = append(j.marks, mark{t, txns[len(txns)-1].Zxid})
	out.Add(Append{Ticket: t, Txns: txns, Committed: j.committed})
}

func (j *Journal) saveEpochs(e Epochs, out *Effects) uint64 {
	if e.Accepted < e.Current || e.Current < j.epochs.Current || e.Accepted < j.epochs.Accepted {
		panic(fmt.Sprintf("zab: epochs would go back from %+v to %+v", j.epochs, e))
	}
	j.epochs = e
	t := j.ticket()
	out.Add(SaveEpochs{Ticket: t, Epochs: e})
	return t
}

func (j *Journal) truncate(to ensemble.Zxid, out *Effects) uint64 {
	t := j.ticket()
	out.Add(Truncate{Ticket: t, To: to})
	return t
}

func (j *Journal) install(at Position, out *Effects) uint64 {
	t := j.ticket()
	out.Add(Install{Ticket: t, At: at})
	return t
}

// commit moves the commit point and says so, if it is news.
func (j *Journal) commit(upTo ensemble.Zxid, out *Effects) {
	if upTo <= j.committed {
		return
	}
	if last := j.Last().Zxid; upTo > last {
		panic(fmt.Sprintf("zab: commit of %v behind the end of the log %v", upTo, last))
	}
	j.committed = upTo
	out.Add(Commit{UpTo: upTo})
}

// rewind is what M04 does when a role ends: what is applied is kept, and what
// only the log has is forgotten, though it stays there.
func (j *Journal) rewind() {
	j.shape = j.shape.Truncate(Position{Zxid: j.committed})
	j.marks, j.durableZxid = nil, min(j.durableZxid, j.committed)
}

// Observe takes the inputs that concern the disk, whatever the role; the roles
// see them afterwards.
func (j *Journal) Observe(in Input) {
	switch in := in.(type) {
	case Durable:
		j.done(in.Ticket)
	case Truncated:
		j.done(in.Ticket)
		j.shape = j.shape.Truncate(in.Last)
		j.durableZxid = in.Last.Zxid
	case Installed:
		j.done(in.Ticket)
		j.shape = Shape{Base: in.At}
		j.durableZxid = in.At.Zxid
		j.committed = max(j.committed, in.At.Zxid)
	case Purged:
		j.rebase(in.Base)
	}
}

func (j *Journal) done(ticket uint64) {
	if ticket > j.durable {
		j.durable = ticket
	}
	n := 0
	for n < len(j.marks) && j.marks[n].ticket <= ticket {
		j.durableZxid = j.marks[n].zxid
		n++
	}
	j.marks = append(j.marks[:0], j.marks[n:]...)
}

// rebase forgets the runs that a purge removed from the log.
func (j *Journal) rebase(base Position) {
	if base.Zxid <= j.shape.Base.Zxid {
		return
	}
	out := Shape{Base: base}
	for _, r := range j.shape.Runs {
		if r.Last <= base.Zxid {
			continue
		}
		if r.First <= base.Zxid {
			r.First = base.Zxid + 1
		}
		out.Runs = append(out.Runs, r)
	}
	j.shape = out
}
