package check

import "github.com/quorate/quorate/ensemble"

// histories knows every transaction that was ever proposed, and what each epoch
// was built upon. Within an epoch there is one sequence, and its first
// transaction stands behind one history; so the end of a history tells all of it,
// and every question about histories is one about their ends.
//
// It relies on no hash: an entry gets in only behind the entry that it was
// proposed behind, and is compared with what is here ever after.
type histories struct {
	epochs map[ensemble.Epoch]*epochLog
	recent *epochLog // the one asked for last; most questions are about one epoch
}

// epochLog is what was proposed in an epoch.
type epochLog struct {
	epoch  ensemble.Epoch
	base   Entry    // the end of the history that the epoch began with
	chains []uint64 // by counter, from 1
}

func newHistories() histories { return histories{epochs: map[ensemble.Epoch]*epochLog{}} }

func (h *histories) of(e ensemble.Epoch) *epochLog {
	if h.recent == nil || h.recent.epoch != e {
		log := h.epochs[e]
		if log == nil {
			return nil
		}
		h.recent = log
	}
	return h.recent
}

// entry returns the transaction of that zxid.
func (h *histories) entry(z ensemble.Zxid) (Entry, bool) {
	log := h.of(z.Epoch())
	if log == nil || z.Counter() == 0 || uint64(z.Counter()) > uint64(len(log.chains)) {
		return Entry{}, false
	}
	return Entry{z, log.chains[z.Counter()-1]}, true
}

// last returns the end of what was proposed in an epoch.
func (l *epochLog) last() Entry {
	n := len(l.chains)
	return Entry{ensemble.NewZxid(l.epoch, uint32(n)), l.chains[n-1]}
}

// below returns the end of what the history that ends with end has of epochs
// lower than e. The zero Entry is the empty history.
func (h *histories) below(end Entry, e ensemble.Epoch) Entry {
	for end != (Entry{}) && end.Zxid.Epoch() >= e {
		end = h.of(end.Zxid.Epoch()).base
	}
	return end
}

// at returns the entry of that zxid in the history that ends with end. Every
// history has the zero Entry, at zxid 0.
func (h *histories) at(end Entry, z ensemble.Zxid) (Entry, bool) {
	if z == 0 {
		return Entry{}, true
	}
	if z > end.Zxid || z < 0 {
		return Entry{}, false
	}
	if z == end.Zxid {
		return end, true
	}
	if end.Zxid.Epoch() != z.Epoch() {
		end = h.below(end, z.Epoch()+1)
	}
	if end.Zxid.Epoch() != z.Epoch() || z > end.Zxid {
		return Entry{}, false
	}
	return h.entry(z)
}

// contains reports whether the history that ends with end has all of the one
// that ends with x.
func (h *histories) contains(end, x Entry) bool {
	y, ok := h.at(end, x.Zxid)
	return ok && y == x
}

// related reports whether one of two histories continues the other.
func (h *histories) related(a, b Entry) bool { return h.contains(a, b) || h.contains(b, a) }

// fault is what is wrong with an entry.
type fault uint8

const (
	faultless fault = iota
	hole            // it does not follow the entry before
	unheard         // nobody has proposed it
	altered         // it was proposed with other content
	elsewhere       // its epoch began behind another history
)

var faultText = [...]string{
	hole:      "does not follow",
	unheard:   "was never proposed",
	altered:   "differs from what was proposed",
	elsewhere: "begins an epoch that was built upon another history; it stands behind",
}

// check says whether x may stand behind prev in a log.
func (h *histories) check(prev, x Entry) fault {
	if !follows(x.Zxid, prev.Zxid) {
		return hole
	}
	y, ok := h.entry(x.Zxid)
	switch {
	case !ok:
		return unheard
	case y != x:
		return altered
	case x.Zxid.Counter() == 1 && h.of(x.Zxid.Epoch()).base != prev:
		return elsewhere
	}
	return faultless
}

// add takes x, which is proposed behind prev, unless it contradicts what is known.
func (h *histories) add(prev, x Entry) fault {
	f := h.check(prev, x)
	if f != unheard {
		return f
	}
	log, n := h.of(x.Zxid.Epoch()), 0
	if log != nil {
		n = len(log.chains)
	}
	if uint64(x.Zxid.Counter()) != uint64(n)+1 {
		return hole
	}
	if log == nil {
		log = &epochLog{epoch: x.Zxid.Epoch(), base: prev}
		h.epochs[log.epoch] = log
	}
	log.chains = append(log.chains, x.Chain)
	return faultless
}

// follows reports whether z may stand directly behind prev in a log: the next
// counter of the same epoch, or the first of a later one. It is ensemble's
// Zxid.Follows once more, for the checkers share no judgement with what they
// check.
func follows(z, prev ensemble.Zxid) bool {
	if z.Epoch() == prev.Epoch() {
		return z == prev+1 && z.Counter() != 0
	}
	return z > prev && z.Counter() == 1
}

// canon is the committed history.
type canon struct {
	entries []Entry
	digests []uint64 // of the state after each; 0: not known
}

// end returns the last committed transaction, or the zero Entry.
func (c *canon) end() Entry {
	if n := len(c.entries); n > 0 {
		return c.entries[n-1]
	}
	return Entry{}
}

// find returns how many transactions are committed up to z, and whether z itself
// is one of them, or 0.
func (c *canon) find(z ensemble.Zxid) (n int, ok bool) {
	lo, hi := 0, len(c.entries)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c.entries[mid].Zxid <= z {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, z == 0 || lo > 0 && c.entries[lo-1].Zxid == z
}

// extend commits everything up to to, whose history must contain what is
// committed already.
func (c *canon) extend(h *histories, to Entry) {
	end := c.end()
	first := uint32(1)
	if to.Zxid.Epoch() == end.Zxid.Epoch() {
		first = end.Zxid.Counter() + 1
	} else {
		c.extend(h, h.of(to.Zxid.Epoch()).base)
	}
	for n := uint64(first); n <= uint64(to.Zxid.Counter()); n++ {
		x, _ := h.entry(ensemble.NewZxid(to.Zxid.Epoch(), uint32(n)))
		c.entries = append(c.entries, x)
		c.digests = append(c.digests, 0)
	}
}
