package check_test

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/watch"
	"github.com/quorate/quorate/server/znode"
	"github.com/quorate/quorate/sim/check"
)

// town is a small honest world: a leader, servers that lag behind it, clients
// that come and go. It has no protocol between servers at all (a list of
// transactions stands for it) and runs the real tree, preparer and watch manager,
// so that Witness on its histories also holds those against the model.
type town struct {
	*rand.Rand
	h     *check.History
	order int

	epoch    ensemble.Epoch
	counter  uint32
	tree     *znode.Tree // the leader's
	prepare  *znode.Preparer
	proposed []entry
	log      []entry // committed
	servers  []*townServer
	clients  []*townClient
	sessions []int64 // that were committed
	lines    []*townLine
	nextID   int64
}

// entry is a transaction and who waits for it.
type entry struct {
	header proto.TxnHeader
	rec    proto.Record
	server *townServer
	done   func(*znode.Result)
}

type townServer struct {
	id      ensemble.ServerID
	tree    *znode.Tree
	watches *watch.Manager[*townLine]
	applied int // of town.log
	zxid    int64
	forward []func() // what the leader gets from it, in order
	answers []func() // what it gets back
	syncs   []townSync
	events  []znode.Event
	lines   map[int64]*townLine // by session
}

// townSync is answered when so much of the log has been applied.
type townSync struct {
	applied int
	done    func()
}

// newTown makes a world of three servers and some clients.
func newTown(seed uint64) *town {
	w := &town{
		Rand: rand.New(rand.NewPCG(seed, 1)), epoch: 0,
		h:      &check.History{SyncIsLinearizable: true, TickTime: time.Second, ExtendedTypes: seed%2 == 0, EnforceQuota: seed/2%2 == 0, ReapPeriod: time.Second},
		nextID: 0x100000000,
	}
	w.tree = townTree()
	w.prepare = znode.NewPreparer(w.tree)
	w.prepare.ExtendedTypes, w.prepare.EnforceQuota = w.h.ExtendedTypes, w.h.EnforceQuota
	for i := range 3 {
		w.servers = append(w.servers, &townServer{id: ensemble.ServerID(i + 1), tree: townTree()})
	}
	for i := range 2 + w.IntN(4) {
		w.clients = append(w.clients, &townClient{no: i + 1, town: w, restart: w.IntN(3) == 0, simple: w.IntN(3) == 0})
	}
	w.elect()
	return w
}

func townTree() *znode.Tree {
	t := znode.NewTree()
	t.SetConfig("server.1=a:1:2:participant\nversion=0", 0)
	return t
}

func (w *town) tick() (order int, at time.Duration) {
	w.order++
	return w.order, time.Duration(w.order) * time.Millisecond
}

// run lets that many things happen.
func (w *town) run(steps int) *check.History {
	for range steps {
		w.step()
	}
	for range steps / 4 { // most of what is under way arrives
		w.work()
	}
	_, w.h.End = w.tick()
	return w.h
}

func (w *town) step() {
	switch n := w.IntN(4000); {
	case n < 2:
		w.elect()
	case n < 5:
		w.reap()
	case n < 11 && len(w.sessions) > 0:
		w.expire(w.sessions[w.IntN(len(w.sessions))])
	case n < 800:
		w.clients[w.IntN(len(w.clients))].act()
	default:
		w.work()
	}
}

// work moves something that is under way.
func (w *town) work() {
	s := w.servers[w.IntN(len(w.servers))]
	switch w.IntN(6) {
	case 0:
		if len(s.forward) > 0 {
			next := s.forward[0]
			s.forward = s.forward[1:]
			next()
		}
	case 1:
		w.commit()
	case 2:
		w.apply(s)
	case 3:
		if len(s.answers) > 0 {
			next := s.answers[0]
			s.answers = s.answers[1:]
			next()
		}
	default:
		if len(w.lines) > 0 {
			i := w.IntN(len(w.lines))
			l := w.lines[i]
			if l.cut && (l.gone || len(l.up) == 0 && l.pending == 0) {
				l.end()
				w.lines = slices.Delete(w.lines, i, i+1)
			} else if w.IntN(2) == 0 {
				l.serve()
			} else {
				l.deliver()
			}
		}
	}
}

// elect ends the leader's epoch. Some of what it had proposed survives.
func (w *town) elect() {
	for keep := w.IntN(len(w.proposed) + 1); keep > 0; keep-- {
		w.commit()
	}
	w.proposed = nil
	w.prepare.Reset()
	w.epoch++
	w.counter = 0
	for _, l := range slices.Clone(w.lines) {
		l.end()
	}
	for _, s := range w.servers {
		for s.applied < len(w.log) {
			w.apply(s)
		}
		s.forward, s.answers, s.syncs = nil, nil, nil
		s.zxid = max(s.zxid, int64(ensemble.NewZxid(w.epoch, 0)))
		s.watches = watch.New[*townLine](0)
		s.lines = map[int64]*townLine{}
	}
}

// propose prepares a request that has come to the leader.
func (w *town) propose(s *townServer, req proto.Request, done func(*znode.Result)) {
	w.counter++
	z := ensemble.NewZxid(w.epoch, w.counter)
	h, rec := w.prepare.Prepare(z, w.now(), s.id, &req)
	w.proposed = append(w.proposed, entry{h, rec, s, done})
}

// now is the leader's clock, in ms.
func (w *town) now() int64 { return 1_000_000 + int64(w.order) }

// reap deletes what is to be deleted.
func (w *town) reap() {
	_, due := w.tree.Due(znode.Reap{NowMillis: w.now()}, w.tree.MortalCount(), w.tree.MortalCount(), nil)
	for _, path := range due {
		w.propose(w.servers[0], proto.Request{Op: proto.OpDeleteContainer, Body: proto.Marshal(&proto.PathRequest{Path: path})}, nil)
	}
}

// expire closes a session of which the leader has not heard.
func (w *town) expire(session int64) {
	if w.prepare.SessionAlive(session) {
		w.propose(w.servers[0], proto.Request{Session: session, Op: proto.OpCloseSession}, nil)
	}
}

func (w *town) commit() {
	if len(w.proposed) == 0 {
		return
	}
	e := w.proposed[0]
	w.proposed = w.proposed[1:]
	w.log = append(w.log, e)
	res, _ := w.tree.Apply(e.header, e.rec, nil)
	w.prepare.Applied()
	order, at := w.tick()
	t := check.Txn{
		Zxid: ensemble.Zxid(e.header.Zxid), Session: e.header.Session, Cxid: e.header.Cxid, Op: e.header.Type,
		Err: res.Err, Time: e.header.Time, TimeoutMs: res.TimeoutMillis, Order: order, At: at,
	}
	if r, ok := e.rec.(*proto.DeleteTxn); ok && e.header.Type == proto.OpDeleteContainer {
		t.Path = r.Path
	}
	for _, part := range res.Multi {
		if part.Err != proto.OK && part.Err != proto.ErrRuntimeInconsistency {
			t.Err = part.Err
		}
	}
	w.h.Txns = append(w.h.Txns, t)
	if e.header.Type == proto.OpCreateSession {
		w.sessions = append(w.sessions, e.header.Session)
	}
}

// apply applies the next transaction on a server, as server.Server does.
func (w *town) apply(s *townServer) {
	if s.applied == len(w.log) {
		return
	}
	e := w.log[s.applied]
	s.applied++
	var res znode.Result
	res, s.events = s.tree.Apply(e.header, e.rec, s.events[:0])
	for _, ev := range s.events {
		if s.watches == nil {
			break
		}
		for _, l := range s.watches.Trigger(nil, ev.Type, ev.Path) {
			l.event(e.header.Zxid, ev.Type, ev.Path, ev.ACL)
		}
	}
	s.zxid = max(s.zxid, e.header.Zxid)
	if e.header.Type == proto.OpCloseSession {
		if l := s.lines[e.header.Session]; l != nil && !l.closing {
			l.end()
		}
	}
	if e.server == s && e.done != nil {
		e.done(&res)
	}
	for len(s.syncs) > 0 && s.syncs[0].applied <= s.applied {
		s.syncs[0].done()
		s.syncs = s.syncs[1:]
	}
}
