package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// host is a machine: a disk and clocks that survive, and a process that does not.
type host struct {
	w   *world
	id  ensemble.ServerID
	rng *rand.Rand

	fs      *storage.MemFS
	founded bool // the first process of a new ensemble has run
	lives   int
	proc    *proc // nil while down
	doubt   bool  // its disk may have lost what was durable, until it serves again

	keptDown bool // by a script
	faulty   bool // the disk has been made to fail
	crowded  bool // it has little room
	cut      *powerCut
	copy     *storage.MemFS // an older state of the disk
	copied   zab.Epochs     // on it

	paused   bool
	deferred []func() // what happened to the process meanwhile

	slow     time.Duration // added to every write of the disk
	stuck    bool          // the disk does nothing
	unsynced bool          // it writes, and syncs nothing
	synced   string        // how it got its history last
	drift    float64       // of the monotonic clock: seconds of it in a second
	wall     time.Duration // what the wall clock is wrong by
	late     time.Duration // up to which timers are late
}

func newHost(w *world, id ensemble.ServerID) *host {
	return &host{w: w, id: id, rng: w.stream("host", int(id)), fs: storage.NewMemFS(), drift: 1}
}

func (h *host) alive() bool { return h.proc != nil }

// crashMode is how a process ends.
type crashMode string

const (
	kill  crashMode = "kill"  // what was written stays
	power crashMode = "power" // of what was not synced, a legal part stays
	torn  crashMode = "torn"  // likewise, and sectors in any order
)

// crash ends the process. choose is the randomness of what survives.
func (h *host) crash(mode crashMode, choose func(n int) int) {
	p := h.proc
	if p == nil {
		return
	}
	h.w.report.Crashes++
	h.proc, h.paused, h.deferred, h.cut = nil, false, nil, nil
	p.gone = true
	h.fs.SetFault(nil)
	switch mode {
	case kill:
		h.fs.Kill()
	case power:
		h.fs = h.fs.Crash(choose)
	case torn:
		h.fs = h.fs.CrashTorn(choose)
	}
	ev := check.Event{Node: h.id, Life: p.life, Kind: check.Crash, Mode: "kill"}
	if mode != kill {
		ev.Mode = "power"
	}
	h.w.emit(&ev)
	p.cutAll(mode == kill)
	h.w.net.changed(h.id)
}

// start begins a process on what the disk has.
func (h *host) start() {
	if h.proc != nil {
		return
	}
	h.lives++
	p := newProc(h)
	h.proc = p
	found, err := p.open()
	if err != nil {
		h.proc = nil
		h.cannotStart(err)
		return
	}
	h.founded, h.faulty = true, h.crowded
	p.begin(found)
	h.w.net.changed(h.id)
}

// cannotStart is what an operator does about a disk that a server refuses to
// use: another one, empty. A server may only refuse when its disk was damaged.
func (h *host) cannotStart(err error) {
	h.fs.Kill()
	h.w.emit(&check.Event{Node: h.id, Life: h.lives, Kind: check.DiskError, Text: "start: " + err.Error()})
	if h.faulty { // it was the disk that failed
		h.faulty = h.crowded
		h.w.after(100*time.Millisecond, h.startUnlessKept)
		return
	}
	if !errors.Is(err, storage.ErrDamaged) || !h.doubt {
		h.w.broken("V7", "a server starts on any disk that a crash can leave", h.id, "server %d: %v", h.id, err)
	}
	h.wipe()
	h.w.after(10*time.Millisecond, h.startUnlessKept)
}

// wipe empties the disk of a machine that is down.
func (h *host) wipe() {
	if !h.founded {
		return // it is empty
	}
	h.fs = storage.NewMemFS()
	h.doubt = true
	h.w.report.Wipes++
	h.w.emit(&check.Event{Node: h.id, Life: h.lives, Kind: check.Wipe})
}

// pause stops the process as SIGSTOP does: the world goes on, and what happens
// to it waits.
func (h *host) pause() {
	if h.proc != nil {
		h.paused = true
	}
}

func (h *host) resume() {
	if !h.paused {
		return
	}
	h.paused = false
	waiting := h.deferred
	h.deferred = nil
	p := h.proc
	for _, do := range waiting {
		h.w.queue.add(h.w.now, p, do)
	}
}

// setDrift makes the monotonic clock faster or slower.
func (h *host) setDrift(rate float64) {
	if p := h.proc; p != nil {
		p.clockBase, p.clockAt = p.clock(), h.w.now
	}
	h.drift = rate
}

// mark is a process's own place in the log, for the trace.
func (h *host) mark(kind check.Kind, format string, args ...any) {
	h.w.emit(&check.Event{Node: h.id, Life: h.lives, Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// stretch is a piece of history as the checkers see it; valid until the next call.
func (w *world) stretch(txns []zab.Txn) []check.Entry {
	w.entries = w.entries[:0]
	for _, t := range txns {
		w.entries = append(w.entries, check.Entry{Zxid: t.Zxid, Chain: t.Chain})
	}
	return w.entries
}
