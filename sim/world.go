package sim

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
)

// contextEvents is how many events a Violation tells from before it.
const contextEvents = 40

// crowdMax is how many events may happen at one moment: more is a loop.
const crowdMax = 100_000

// world is one run: everything that happens, in one goroutine and in virtual time.
type world struct {
	cfg    Config
	now    time.Duration
	crowd  int // events at this moment
	queue  schedule
	hash   xxhash.Digest
	report Report
	log    *slog.Logger

	view    *ensemble.View
	hosts   []*host
	net     *network
	nemesis *nemesis
	clients []*client
	stage   *stage // of a script
	asked   int    // requests that a script has made

	cluster  *check.Cluster
	history  check.History
	order    int // of what clients send and receive
	conns    int
	over     map[int64]bool // sessions that somebody has decided to close
	ev       check.Event    // of emit; reused
	seq      int
	message  uint64
	healed   bool // nothing may go wrong any more
	healedAt time.Duration
	hushed   bool          // nobody makes new requests
	recent   []check.Event // ring of the last contextEvents
	effects  zab.Effects   // of a step; reused
	entries  []check.Entry // of an event; reused

	canon    []check.Entry // what has been committed anywhere
	index    map[ensemble.Zxid]int
	proposed map[uint64]proposal // by chain
	leaders  map[ensemble.Epoch]ensemble.ServerID
}

func newWorld(cfg Config) (*world, error) {
	w := &world{
		cfg: cfg, log: slog.New(slog.DiscardHandler),
		over: map[int64]bool{}, proposed: map[uint64]proposal{}, index: map[ensemble.Zxid]int{}, leaders: map[ensemble.Epoch]ensemble.ServerID{},
		report: Report{Seed: cfg.Seed},
	}
	w.hash.Reset()
	view, err := cfg.view()
	if err != nil {
		return nil, err
	}
	w.view = view
	w.history = check.History{SyncIsLinearizable: true, TickTime: cfg.TickTime, ExtendedTypes: cfg.Seed%4 != 3, EnforceQuota: cfg.Seed%2 == 0, ReapPeriod: reapPeriod}
	for _, m := range view.Members() {
		w.hosts = append(w.hosts, newHost(w, m.ID))
	}
	w.net = newNetwork(w)
	w.nemesis = newNemesis(w)
	w.cluster = check.NewCluster(view, w.owed())
	for i := range cfg.Clients {
		if cfg.Machine == nil {
			w.clients = append(w.clients, newClient(w, i+1))
		}
	}
	return w, nil
}

// owed is what the checkers may demand of this run.
func (w *world) owed() check.Options {
	n := len(w.view.Members())
	o := check.Options{IdleAllowed: true, LastCounter: w.cfg.LastCounter}
	if w.cfg.LastCounter == 0 { // or there is an election whenever an epoch ends
		o.VotesAfterHealed = 12 * n * n
	}
	if better := w.cfg.Better; better != nil {
		vote := func(v check.Vote) fle.Vote { return fle.Vote{Leader: v.Leader, Zxid: v.Zxid, PeerEpoch: v.Epoch} }
		o.Better = func(challenger, incumbent check.Vote) bool { return better(vote(challenger), vote(incumbent)) }
	}
	if w.cfg.Faults != nil || slices.Contains(w.nemesis.faults.Families, Drift) {
		o.ClockDrift = 1 // scripts may do that, too
	}
	return o
}

// stream returns randomness of its own for one part of the world: so that a
// change in one part leaves the others as they were, as far as it can.
func (w *world) stream(part string, n int) *rand.Rand {
	return rand.New(rand.NewPCG(w.cfg.Seed, xxhash.Sum64String(fmt.Sprintf("%s %d", part, n))))
}

// after plans something that belongs to no process.
func (w *world) after(d time.Duration, do func()) { w.queue.add(w.now+d, nil, do) }

// run lets time pass.
func (w *world) run(until time.Duration) {
	for {
		at, ok := w.queue.next()
		if !ok || at > until {
			break
		}
		e := w.queue.take()
		if e.at > w.now {
			w.now, w.crowd = e.at, 0
		}
		if w.report.Events++; w.cfg.Stop != nil && w.report.Events%stopEvents == 0 && w.cfg.Stop() {
			panic(ErrStopped) // play catches it
		}
		if w.crowd++; w.crowd > crowdMax {
			w.broken("V7", "time goes on", 0, "%d events at one moment", crowdMax)
		}
		if e.proc == nil {
			e.do()
		} else {
			e.proc.run(e.do)
		}
	}
	w.now = max(w.now, until)
}

func (w *world) host(id ensemble.ServerID) *host {
	for _, h := range w.hosts {
		if h.id == id {
			return h
		}
	}
	return nil
}

// emit tells an event to the checkers, the trace and the nemesis.
func (w *world) emit(ev *check.Event) {
	ev.At = w.now
	w.seq++
	ev.Seq = w.seq
	w.stamp(ev)
	if len(w.recent) < contextEvents {
		w.recent = append(w.recent, *ev)
	} else {
		w.recent[w.seq%contextEvents] = *ev
	}
	kept := &w.recent[w.indexOf()]
	kept.Log = nil
	if w.cfg.Trace != nil {
		traced := *ev
		traced.Log = append([]check.Entry(nil), ev.Log...)
		w.cfg.Trace(&traced)
	}
	if v := w.cluster.Observe(ev); v != nil {
		w.fail(v)
	}
	w.nemesis.observe(ev)
	if w.stage != nil {
		w.stage.observe(ev)
	}
}

func (w *world) indexOf() int {
	if len(w.recent) < contextEvents {
		return len(w.recent) - 1
	}
	return w.seq % contextEvents
}

// stamp adds an event to the hash of the run.
func (w *world) stamp(ev *check.Event) {
	var b [80]byte
	binary.BigEndian.PutUint64(b[0:], uint64(ev.At))
	binary.BigEndian.PutUint64(b[8:], uint64(ev.Node)<<32|uint64(ev.Peer)&0xffff<<16|uint64(len(ev.Log)))
	binary.BigEndian.PutUint64(b[16:], uint64(ev.Zxid))
	binary.BigEndian.PutUint64(b[24:], ev.Chain)
	binary.BigEndian.PutUint64(b[32:], uint64(ev.Accepted)<<32|uint64(ev.Current))
	binary.BigEndian.PutUint64(b[40:], uint64(ev.Epoch)<<32|uint64(ev.Round))
	binary.BigEndian.PutUint64(b[48:], ev.Digest)
	binary.BigEndian.PutUint64(b[56:], uint64(ev.Session))
	b[64], b[65] = byte(ev.State), 0
	if ev.Unsure {
		b[65] = 1
	}
	if ev.Vote != nil {
		binary.BigEndian.PutUint64(b[72:], uint64(ev.Vote.Zxid)^uint64(ev.Vote.Leader)<<56^uint64(ev.Vote.Epoch)<<48)
	}
	for _, e := range ev.Log {
		binary.BigEndian.PutUint64(b[66:], e.Chain)
	}
	_, _ = w.hash.Write(b[:])
	_, _ = w.hash.WriteString(string(ev.Kind))
	_, _ = w.hash.WriteString(ev.Mode)
	_, _ = w.hash.WriteString(ev.Text)
}

// stampClient adds what a client saw to the hash of the run.
func (w *world) stampClient(client int, zxid int64, code int32) {
	var b [20]byte
	binary.BigEndian.PutUint32(b[0:], uint32(client))
	binary.BigEndian.PutUint64(b[4:], uint64(zxid))
	binary.BigEndian.PutUint32(b[12:], uint32(code))
	binary.BigEndian.PutUint32(b[16:], uint32(w.now))
	_, _ = w.hash.Write(b[:])
}

// fail ends the run.
func (w *world) fail(v *check.Violation) {
	found := &Violation{Violation: *v, Seed: w.cfg.Seed}
	found.At = w.now
	panic(w.withContext(found))
}

// withContext adds what happened before.
func (w *world) withContext(v *Violation) *Violation {
	for i := range w.recent {
		v.Last = append(v.Last, w.recent[(w.indexOf()+1+i)%len(w.recent)])
	}
	return v
}

// broken ends the run by a rule of the world itself.
func (w *world) broken(invariant, rule string, node ensemble.ServerID, format string, args ...any) {
	w.fail(&check.Violation{Invariant: invariant, Rule: rule, Node: node, Text: fmt.Sprintf(format, args...)})
}

// committed extends the history of the world when a server learns of a commit.
// That all agree is the checker's business.
func (w *world) committed(log []zab.Txn) {
	for _, t := range log {
		if _, known := w.index[t.Zxid]; known || len(w.canon) > 0 && t.Zxid < w.canon[len(w.canon)-1].Zxid {
			continue
		}
		w.index[t.Zxid] = len(w.canon)
		w.canon = append(w.canon, check.Entry{Zxid: t.Zxid, Chain: t.Chain})
		if w.cfg.Machine == nil {
			w.history.Txns = append(w.history.Txns, w.describe(t))
		}
	}
}

func (w *world) describe(t zab.Txn) check.Txn {
	h, rec, err := proto.DecodeTxn(t.Data)
	if err != nil {
		w.broken("B1", "what is committed can be applied", 0, "transaction %v: %v", t.Zxid, err)
	}
	w.order++
	txn := check.Txn{Zxid: t.Zxid, Session: h.Session, Cxid: h.Cxid, Op: h.Type, Time: h.Time, Order: w.order, At: w.now}
	if h.Type == proto.OpCloseSession {
		w.over[h.Session] = true
	}
	switch r := rec.(type) {
	case *proto.ErrorTxn:
		txn.Err = r.Err
	case *proto.MultiTxn:
		for _, part := range r.Txns {
			if e, ok := part.Record.(*proto.ErrorTxn); ok && e.Err != proto.OK && e.Err != proto.ErrRuntimeInconsistency {
				txn.Err = e.Err
				break
			}
		}
	case *proto.CreateSessionTxn:
		txn.TimeoutMs = r.TimeoutMillis
	case *proto.DeleteTxn:
		if h.Type == proto.OpDeleteContainer {
			txn.Path = r.Path
		}
	}
	return txn
}
