package storage

import (
	"slices"
	"sort"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/zab"
)

// window keeps the newest transactions in memory, so that a server that is a
// little behind does not cost a disk access.
type window struct {
	limit int // bytes
	bytes int
	prev  zab.Position // what the first one follows
	txns  []zab.Txn
}

func (w *window) reset(prev zab.Position) {
	*w = window{limit: w.limit, prev: prev}
}

func (w *window) add(txns []zab.Txn) {
	if mutant.On(mutant.M12) && len(w.txns) == 0 && txns[0].Zxid.Follows(w.prev.Zxid) {
		return
	}
	for _, t := range txns {
		w.bytes += t.Bytes()
	}
	w.txns = append(w.txns, txns...)
	drop := 0
	for ; w.bytes > w.limit && drop < len(w.txns); drop++ {
		w.bytes -= w.txns[drop].Bytes()
	}
	if drop > 0 {
		t := w.txns[drop-1]
		w.prev = zab.Position{Zxid: t.Zxid, Chain: t.Chain}
		clear(w.txns[:drop]) // their data is no longer needed
		w.txns = w.txns[drop:]
	}
}

// truncate drops what lies behind to; it starts anew there when to is not in it.
func (w *window) truncate(to zab.Position) {
	n := w.search(to.Zxid)
	if to.Zxid < w.prev.Zxid || n == 0 {
		w.reset(to)
		return
	}
	for _, t := range w.txns[n:] {
		w.bytes -= t.Bytes()
	}
	clear(w.txns[n:])
	w.txns = w.txns[:n]
}

// search returns how many of the transactions are not behind z.
func (w *window) search(z ensemble.Zxid) int {
	return sort.Search(len(w.txns), func(i int) bool { return w.txns[i].Zxid > z })
}

// read returns transactions behind after, and false when they begin before the
// window.
func (w *window) read(after ensemble.Zxid, bytesMax int) ([]zab.Txn, bool) {
	if after < w.prev.Zxid {
		return nil, false
	}
	from := w.search(after)
	to := from
	for bytes := 0; to < len(w.txns) && (to == from || bytes+w.txns[to].Bytes() <= bytesMax); to++ {
		bytes += w.txns[to].Bytes()
	}
	return slices.Clone(w.txns[from:to]), true
}

// position returns the position at z, if z is in the window.
func (w *window) position(z ensemble.Zxid) (zab.Position, bool) {
	if z == w.prev.Zxid {
		return w.prev, true
	}
	if n := w.search(z); n > 0 && w.txns[n-1].Zxid == z {
		return zab.Position{Zxid: z, Chain: w.txns[n-1].Chain}, true
	}
	return zab.Position{}, false
}
