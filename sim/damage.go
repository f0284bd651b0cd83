package sim

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab/storage"
)

// startUnlessKept starts the server, unless somebody wants it down.
func (h *host) startUnlessKept() {
	if !h.keptDown {
		h.start()
	}
}

// loseWithin cuts the power in the middle of the n-th operation of the disk from
// now.
func (h *host) loseWithin(n int, choose func(int) int, down time.Duration) {
	p := h.proc
	if p == nil {
		return
	}
	n += h.fs.Ops()
	h.cut = &powerCut{choose: choose, down: down}
	cut := h.cut
	h.fs.SetFault(func(op storage.Op) error {
		if op.N < n {
			return nil
		}
		cut.happened = true
		return fmt.Errorf("the power is off")
	})
}

// powerCut is one that waits for its moment.
type powerCut struct {
	choose   func(int) int
	down     time.Duration
	happened bool
}

// cutPower ends the process if what failed was the power. It reports whether it
// was.
func (h *host) cutPower(p *proc) bool {
	if p.gone {
		return true
	}
	if h.cut == nil || !h.cut.happened {
		return false
	}
	cut := h.cut
	h.cut = nil
	h.crash(power, cut.choose)
	h.w.after(cut.down, h.startUnlessKept)
	return true
}

// failWithin makes the n-th operation of the disk from now fail, once.
func (h *host) failWithin(n int, err error) {
	if h.proc == nil {
		return
	}
	h.faulty = true
	h.fs.FailNth(n, err)
}

// fill leaves little room on the disk.
func (h *host) fill(free int64) {
	h.faulty, h.crowded = true, true
	h.fs.SetCapacity(h.fs.Used() + free)
}

func (h *host) makeRoom() {
	h.crowded = false
	h.fs.SetCapacity(0)
}

// damage flips a bit in a file of a machine that is down.
func (h *host) damage(rng *rand.Rand) {
	names, err := h.fs.List("data")
	if err != nil || len(names) == 0 {
		return
	}
	name := names[rng.IntN(len(names))]
	f, err := h.fs.Open(filepath.Join("data", name))
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	size, _ := f.Size()
	if size == 0 {
		return
	}
	b := make([]byte, size)
	if n, _ := f.ReadAt(b, 0); n != len(b) {
		return
	}
	// Behind the end of the log there are only zeros, which mean nothing.
	used := len(strings.TrimRight(string(b), "\x00"))
	if used == 0 {
		return
	}
	at := rng.IntN(used)
	if _, err := f.WriteAt([]byte{b[at] ^ 1<<rng.IntN(8)}, int64(at)); err != nil {
		return
	}
	_ = f.Sync()
	h.doubt = true
	h.w.emit(&check.Event{Node: h.id, Life: h.lives, Kind: check.Damage, Text: fmt.Sprintf("%s at %d of %d", name, at, size)})
}

// backup copies the disk, for a later rollback.
func (h *host) backup() {
	if p := h.proc; p != nil {
		h.copy, h.copied = h.fs.Copy(), p.journal.Epochs()
	}
}

// rollback puts an older copy in place of the disk. Nobody can notice that, so
// it only happens when nothing depends on what is lost: the promises are the
// same, and all other voters have all that is committed, or may be on the word of
// this server.
func (h *host) rollback() bool {
	p := h.proc
	if p == nil || h.copy == nil || !p.journal.Quiet() || p.journal.Epochs() != h.copied || h.copied.Unsure {
		return false
	}
	tip := p.journal.DurableZxid() // it may have acknowledged that
	if n := len(h.w.canon); n > 0 {
		tip = max(tip, h.w.canon[n-1].Zxid)
	}
	for _, id := range h.w.view.Voters() {
		o := h.w.host(id)
		if o != h && (o.proc == nil || o.doubt || o.proc.journal.DurableZxid() < tip || o.proc.journal.Epochs().Current != h.copied.Current) {
			return false
		}
	}
	h.crash(kill, nil)
	h.fs = h.copy
	h.copy = nil
	h.doubt = true
	h.w.emit(&check.Event{Node: h.id, Life: h.lives, Kind: check.Rollback})
	return true
}
