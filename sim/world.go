package sim

import (
	"container/heap"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// world is one run: everything that happens, in one goroutine and in virtual time.
type world struct {
	cfg    Config
	rng    *rand.Rand
	now    time.Duration
	events eventQueue
	seq    int
	hash   xxhash.Digest
	report Report

	view  *ensemble.View
	hosts []*host
	cut   map[[2]ensemble.ServerID]bool // pairs that do not reach each other, from and to
	loss  float64

	history []zab.Txn // what has been committed anywhere, in order
	leaders map[ensemble.Epoch]ensemble.ServerID
	asked   int
	log     []string
}

type simEvent struct {
	at  time.Duration
	seq int
	do  func()
}

type eventQueue []simEvent

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(simEvent)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

func newWorld(cfg Config) (*world, error) {
	w := &world{
		cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 7)), cut: map[[2]ensemble.ServerID]bool{},
		leaders: map[ensemble.Epoch]ensemble.ServerID{}, loss: cfg.Loss,
		report: Report{Seed: cfg.Seed},
	}
	w.hash.Reset()
	var members []ensemble.Member
	for i := 1; i <= cfg.Servers+cfg.Observers; i++ {
		id := ensemble.ServerID(i)
		members = append(members, ensemble.Member{ID: id, Observer: i > cfg.Servers})
		w.hosts = append(w.hosts, &host{w: w, id: id, epochs: zab.Epochs{Unsure: cfg.EmptyDisks}})
	}
	view, err := ensemble.NewView(0, members)
	w.view = view
	return w, err
}

// stamp adds to the hash of the run.
func (w *world) stamp(values ...uint64) {
	var b [8]byte
	for _, v := range values {
		binary.BigEndian.PutUint64(b[:], v)
		_, _ = w.hash.Write(b[:])
	}
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.events, simEvent{w.now + d, w.seq, do})
}

func (w *world) delay(upTo time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(upTo)))
}

func (w *world) run(until time.Duration) {
	for len(w.events) > 0 && w.events[0].at <= until {
		e := heap.Pop(&w.events).(simEvent)
		w.now = e.at
		w.report.Events++
		w.stamp(uint64(e.at), uint64(e.seq))
		e.do()
	}
	w.now = until
}

func (w *world) note(format string, args ...any) {
	line := fmt.Sprintf("%8.3f ", w.now.Seconds()) + fmt.Sprintf(format, args...)
	w.log = append(w.log, line)
	_, _ = w.hash.WriteString(line)
	if w.cfg.Trace != nil {
		w.cfg.Trace(line)
	}
}

// fail ends the run.
func (w *world) fail(invariant, format string, args ...any) {
	panic(&Violation{
		Seed: w.cfg.Seed, Invariant: invariant, At: w.now, Text: fmt.Sprintf(format, args...),
		Last: w.log[max(0, len(w.log)-lastLines):],
	})
}

func (w *world) reachable(a, b ensemble.ServerID) bool { return !w.cut[[2]ensemble.ServerID{a, b}] }

func (w *world) host(id ensemble.ServerID) *host { return w.hosts[id-1] }
