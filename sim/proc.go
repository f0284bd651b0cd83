package sim

import (
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// tickTime is how often a process looks at its clock, as in package quorum.
const tickTime = 20 * time.Millisecond

// What a server of the simulated world is configured with.
const (
	initLimitTicks = 10
	syncLimitTicks = 5
	segmentBytes   = 4 << 10
	readBytesMax   = 1 << 20
)

// proc is the process of a server: the real peer, store and state machine, and
// around them what package quorum does with goroutines.
type proc struct {
	h      *host
	w      *world
	life   int
	gone   bool
	served bool // at least once

	clockBase, clockAt time.Duration

	store   *storage.Store
	journal *zab.Journal
	ballot  *fle.Ballot
	peer    *quorum.Peer
	machine zab.StateMachine
	service *service // nil unless clients are served

	before    uint64 // chain of the history before the step
	role      int    // counts the roles
	state     ensemble.State
	leader    ensemble.ServerID
	accepted  ensemble.Epoch      // asked of the disk so far
	informed  []ensemble.ServerID // whose FOLLOWERINFO came
	adopters  []ensemble.ServerID // who acknowledged NEWLEADER
	links     map[ensemble.ServerID]*end
	mailboxes map[ensemble.ServerID]*mailbox

	disk    disk
	applier applier
	shots   shots
	propose proposer
	waiting *waiting
	tag     uint64
	voteID  uint64 // of the notification that is being taken in, for the trace
}

func newProc(h *host) *proc {
	p := &proc{
		h: h, w: h.w, life: h.lives, clockAt: h.w.now, leader: ensemble.NoServer,
		links: map[ensemble.ServerID]*end{}, mailboxes: map[ensemble.ServerID]*mailbox{}, waiting: newWaiting(),
		tag: h.rng.Uint64() >> 1,
	}
	p.shots.next = h.w.cfg.SnapshotTxns/2 + h.rng.IntN(max(1, h.w.cfg.SnapshotTxns/2))
	return p
}

// clock is the process's monotonic time, since it began.
func (p *proc) clock() time.Duration {
	return p.clockBase + time.Duration(float64(p.w.now-p.clockAt)*p.h.drift)
}

// run does something in the process, now, or later if it is paused, or never.
func (p *proc) run(do func()) {
	switch {
	case p.gone:
	case p.h.paused:
		p.h.deferred = append(p.h.deferred, do)
	default:
		do()
	}
}

// after plans something in the process.
func (p *proc) after(d time.Duration, do func()) { p.w.queue.add(p.w.now+d, p, do) }

// some returns a random time below d.
func (p *proc) some(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(p.h.rng.Int64N(int64(d)))
}

// open opens the store, as a process does that has just been started.
func (p *proc) open() (storage.Recovery, error) {
	store, found, err := storage.Open(storage.Config{
		Dir: "data", Server: p.h.id, FS: p.h.fs, Initialize: !p.h.founded && !p.w.cfg.EmptyDisks,
		TrustUnfinished: true, SegmentBytes: segmentBytes, SnapshotsRetained: 2, Logger: p.w.log,
	})
	p.store = store
	return found, err
}

// begin puts the parts together.
func (p *proc) begin(found storage.Recovery) {
	w := p.w
	cfg := zab.Config{Self: p.h.id, View: w.view, TickTime: w.cfg.TickTime, InitLimitTicks: initLimitTicks, SyncLimitTicks: syncLimitTicks, LastCounter: w.cfg.LastCounter}
	p.journal = zab.NewJournal(found.Shape, found.Epochs, max(found.Committed, found.Snapshot.Zxid))
	p.accepted = found.Epochs.Accepted
	ballot, err := fle.NewBallot(fle.Config{Server: p.h.id, View: w.view, Better: w.cfg.Better})
	if err != nil {
		panic(err)
	}
	p.ballot = ballot
	p.peer = quorum.NewPeer(cfg, p.journal, ballot)
	p.boot(found)
	p.machine = p.newMachine()
	p.applier.commands = append(p.applier.commands, restoreState{}, applyUpTo(max(found.Committed, found.Snapshot.Zxid)))
	p.applyLater()
	p.after(p.some(tickTime), p.tick)
	if p.service != nil {
		p.after(p.some(w.cfg.TickTime/2), p.service.housekeep)
	}
}

// boot tells what recovery found.
func (p *proc) boot(found storage.Recovery) {
	ev := check.Event{
		Node: p.h.id, Life: p.life, Kind: check.Boot, Mode: "clean",
		Accepted: found.Epochs.Accepted, Current: found.Epochs.Current, Unsure: found.Epochs.Unsure,
		Snap: found.Snapshot.Zxid, Zxid: found.Shape.Last().Zxid, Chain: found.Shape.Last().Chain,
		Log: p.wholeLog(found.Shape.Base),
	}
	switch {
	case found.Fresh:
		ev.Mode = "empty"
	case found.Cut != nil && found.Cut.Unfinished:
		ev.Mode = "torn"
	case found.Cut != nil:
		ev.Mode = "doubtful"
	}
	p.w.emit(&ev)
}

// wholeLog is the history on disk from its beginning: what a snapshot stands for
// was committed, so the world knows it.
func (p *proc) wholeLog(base zab.Position) []check.Entry {
	w := p.w
	n := 0
	if base.Zxid != 0 {
		at, ok := w.index[base.Zxid]
		if !ok || w.canon[at].Chain != base.Chain {
			w.broken("T2", "a snapshot is of something that was committed", p.h.id, "server %d has a snapshot at %v, which was never committed so", p.h.id, base.Zxid)
		}
		n = at + 1
	}
	log := append([]check.Entry(nil), w.canon[:n]...)
	for pos := base.Zxid; ; {
		txns, err := p.store.Read(pos, readBytesMax)
		if err != nil {
			w.broken("V7", "what recovery found can be read", p.h.id, "server %d: read behind %v: %v", p.h.id, pos, err)
		}
		if len(txns) == 0 {
			return log
		}
		log = append(log, w.stretch(txns)...)
		pos = txns[len(txns)-1].Zxid
	}
}

// tick lets the process look at its clock.
func (p *proc) tick() {
	delivered := false
	for _, id := range p.w.ids() {
		if m := p.mailboxes[id]; m != nil && m.empty {
			delivered = true
		}
	}
	p.step(quorum.Delivered{Any: delivered})
	if p.gone {
		return
	}
	p.step(zab.Tick{})
	p.after(time.Duration(float64(tickTime)/p.h.drift)+p.some(p.h.late), p.tick)
}

// step gives an input to the peer and does what comes of it.
func (p *proc) step(in zab.Input) {
	p.heard(in)
	p.before = p.journal.Last().Chain
	out := &p.w.effects
	out.Reset()
	p.peer.Step(p.clock(), in, out)
	for _, e := range out.List {
		if p.gone {
			return
		}
		p.perform(e)
	}
}

// event returns the world's event, empty but for whose it is.
func (p *proc) event(kind check.Kind) *check.Event {
	ev := &p.w.ev
	*ev = check.Event{Node: p.h.id, Life: p.life, Kind: kind}
	return ev
}

// heard tells of an input what the checkers want to know.
func (p *proc) heard(in zab.Input) {
	switch in := in.(type) {
	case quorum.Notified:
		ev := p.event(check.VoteRecv)
		ev.Peer, ev.Round, ev.State, ev.Unsure = in.From, in.Notification.Round, in.Notification.State, in.Notification.Unsure
		ev.Vote, ev.Message = voteOf(in.Notification.Vote), p.voteID
		p.w.emit(ev)
	case zab.Received:
		switch in.Packet.Type {
		case zab.FollowerInfo:
			p.informed = append(p.informed, in.From)
		case zab.Ack:
			if in.Packet.Zxid.Counter() == 0 {
				p.adopters = append(p.adopters, in.From)
			}
			ev := p.event(check.AckCount)
			ev.Peer, ev.Zxid = in.From, in.Packet.Zxid
			p.w.emit(ev)
		}
	}
}

func voteOf(v fle.Vote) *check.Vote {
	return &check.Vote{Leader: v.Leader, Zxid: v.Zxid, Epoch: v.PeerEpoch}
}
