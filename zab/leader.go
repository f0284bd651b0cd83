package zab

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// Config is what the roles need to know.
type Config struct {
	Self ensemble.ServerID
	View *ensemble.View
	// TickTime is ZooKeeper's basic unit; the limits are in ticks.
	TickTime       time.Duration
	InitLimitTicks int
	SyncLimitTicks int
	// LastCounter is the last zxid counter that a leader uses in its epoch; 0
	// means ensemble.MaxCounter. A small one makes the end of an epoch, which
	// nobody lives to see otherwise, an everyday event for simulations.
	LastCounter uint32
}

func (c Config) lastCounter() uint32 {
	if c.LastCounter == 0 {
		return ensemble.MaxCounter
	}
	return c.LastCounter
}

func (c Config) initLimit() time.Duration { return time.Duration(c.InitLimitTicks) * c.TickTime }
func (c Config) syncLimit() time.Duration { return time.Duration(c.SyncLimitTicks) * c.TickTime }

// phase is how far a role has come (ZooKeeper's zab states).
type phase uint8

const (
	discovery phase = iota
	synchronization
	broadcast
)

var phaseNames = [...]string{"discovery", "synchronization", "broadcast"}

func (p phase) String() string { return phaseNames[p] }

// stage is how far a learner has come with its leader. Stages only move forward.
type stage uint8

const (
	linked    stage = iota // the stream is open
	informed               // FOLLOWERINFO has come
	invited                // LEADERINFO has been sent
	promised               // ACKEPOCH has come
	forwarded              // its way to our history and NEWLEADER are queued; live traffic follows
	synced                 // it has acknowledged NEWLEADER
	active                 // UPTODATE is queued
)

// member is what the leader knows about one learner.
type member struct {
	stage    stage
	observer bool
	unsure   bool // counts in no discovery quorum, see enough
	accepted ensemble.Epoch
	counted  bool // its ACKEPOCH counts for this epoch
	history  Shape
	initial  ensemble.Zxid // end of what it had been sent when NEWLEADER was queued
	acked    ensemble.Zxid // everything up to here is on its disk
	pong     uint64        // last heartbeat round it answered
	heard    time.Duration // when its last packet came
	progress time.Duration // when it last acknowledged something, or had nothing to
}

// Leader is the leader's side of ZAB: discovery, synchronization, broadcast. It
// is a pure state machine; see the package comment.
type Leader struct {
	cfg     Config
	journal *Journal
	phase   phase
	over    bool // resigned

	epoch     ensemble.Epoch // the one we propose; settled when epochTicket is issued
	settled   bool           // the epoch is decided
	announced bool           // acceptedEpoch is on disk: LEADERINFO may be said
	adopted   bool           // quorum of ACKEPOCH; currentEpoch is being saved
	selfReady bool           // currentEpoch is on disk: we count for NEWLEADER
	ticket    uint64         // the epoch save that we wait for

	origin Position       // end of the initial history of this epoch
	claim  ensemble.Epoch // of that history, see Journal.claim

	members map[ensemble.ServerID]*member
	order   []ensemble.ServerID // keys of members, ascending

	round      uint64 // heartbeat round, counts up
	roundAgain bool   // a sync waits for the round behind this one
	pings      time.Duration
	syncs      []pendingSync

	deadline  time.Duration // for discovery and synchronization
	waits     time.Duration // since when nobody is left to answer LEADERINFO
	synced    ensemble.Zxid // how far our own disk was when it last made progress
	progress  time.Duration // and when that was
	lacksFrom time.Duration // since when too few voters are linked; -1 if enough are
	proposal  struct{ last, min, max int }
}

type pendingSync struct {
	SyncRequest
	round uint64
	upTo  ensemble.Zxid
}

// Lead begins to lead at time now. The journal must be quiet: everything
// in it is on disk. The caller then passes every input to Step.
func Lead(cfg Config, journal *Journal, now time.Duration, out *Effects) *Leader {
	l := &Leader{
		cfg:       cfg,
		journal:   journal,
		epoch:     journal.epochs.Accepted + 1,
		members:   map[ensemble.ServerID]*member{},
		deadline:  now + cfg.initLimit(),
		progress:  now,
		lacksFrom: now,
		origin:    journal.Last(),
		claim:     journal.claim(),
	}
	l.proposal.last, l.proposal.min, l.proposal.max = -1, -1, -1
	l.discover(now, out)
	return l
}

// Step takes one input. After a Resign or Halt among the effects nothing more
// comes out.
func (l *Leader) Step(now time.Duration, in Input, out *Effects) {
	if l.over {
		return
	}
	switch in := in.(type) {
	case LinkUp:
		l.remove(in.Peer)
		i, _ := slices.BinarySearch(l.order, in.Peer)
		l.order = slices.Insert(l.order, i, in.Peer)
		l.members[in.Peer] = &member{heard: now, progress: now, observer: !l.cfg.View.IsVoter(in.Peer)}
	case LinkDown:
		l.remove(in.Peer)
		l.checkLinks(now, out)
	case Progress:
		if m := l.members[in.Peer]; m != nil {
			m.heard = now
		}
	case Received:
		l.receive(now, in.From, in.Packet, out)
	case Durable:
		l.durable(now, in.Ticket, out)
	case Propose:
		l.propose(in, out)
	case SyncRequest:
		l.sync(in, out)
	case Tick:
		l.tick(now, out)
	}
}

// remove forgets a learner whose link has ended, and the syncs it asked for on
// it: on another link it would not know what they answer.
func (l *Leader) remove(peer ensemble.ServerID) {
	delete(l.members, peer)
	l.syncs = slices.DeleteFunc(l.syncs, func(s pendingSync) bool { return s.From == peer })
	if i, ok := slices.BinarySearch(l.order, peer); ok {
		l.order = slices.Delete(l.order, i, i+1)
	}
}

func (l *Leader) receive(now time.Duration, from ensemble.ServerID, p Packet, out *Effects) {
	m := l.members[from]
	if m == nil {
		return // a link that is gone
	}
	m.heard = now
	switch p.Type {
	case FollowerInfo, ObserverInfo:
		l.onInfo(now, from, m, p, out)
	case AckEpoch:
		l.onAckEpoch(now, from, m, p, out)
	case Ack:
		l.onAck(now, from, m, p, out)
	case Ping:
		m.pong = max(m.pong, min(p.ID, l.round))
		l.answerSyncs(out)
	case Sync:
		l.sync(SyncRequest{From: from, ID: p.ID}, out)
	default:
		l.drop(from, fmt.Sprintf("unexpected %v from a learner", p.Type), out)
	}
}

func (l *Leader) durable(now time.Duration, ticket uint64, out *Effects) {
	if !l.announced && l.settled && ticket >= l.ticket {
		l.announced = true
		l.invite(out)
		l.countPromises(now, out)
	}
	if l.adopted && !l.selfReady && ticket >= l.ticket {
		l.selfReady = true
		l.countSynced(out)
	}
	l.advance(out)
}

func (l *Leader) drop(peer ensemble.ServerID, reason string, out *Effects) {
	l.remove(peer)
	out.Add(Drop{Peer: peer, Reason: reason})
}

func (l *Leader) resign(out *Effects, format string, args ...any) {
	l.over = true
	if mutant.On(mutant.M04) {
		l.journal.rewind()
	}
	out.Add(Resign{Reason: fmt.Sprintf(format, args...)})
}

// to returns the learners for which keep is true, ascending.
func (l *Leader) to(keep func(*member) bool) []ensemble.ServerID {
	var ids []ensemble.ServerID
	for _, id := range l.order {
		if keep(l.members[id]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// quorum reports whether this server and the voters for which ok is true are a
// quorum. Servers that are unsure do not count, unless every voter is in: then
// nothing that any of them ever acknowledged can be missing.
func (l *Leader) quorum(countUnsure, self bool, ok func(*member) bool) bool {
	enough := l.cfg.View.HasQuorum(func(id ensemble.ServerID) bool {
		in, unsure := self, l.journal.epochs.Unsure
		if id != l.cfg.Self {
			m := l.members[id]
			in = m != nil && ok(m)
			unsure = m != nil && m.unsure
		}
		return in && (countUnsure || !unsure)
	})
	return enough || l.everyVoter(self, ok)
}

// everyVoter reports whether every voter that has any weight is in: this server
// if self, another if ok.
func (l *Leader) everyVoter(self bool, ok func(*member) bool) bool {
	for _, id := range l.cfg.View.Voters() {
		if l.cfg.View.Weight(id) == 0 {
			continue
		}
		if id == l.cfg.Self {
			if !self {
				return false
			}
			continue
		}
		if m := l.members[id]; m == nil || !ok(m) {
			return false
		}
	}
	return true
}

// gatherTime is how long a new leader waits for its followers at least: they may
// know of the election's end later than it does, by the time that they wait for
// better news (200 ms) and then for a connection. With a short tick a leader that
// did not wait would be gone each time when they came, for ever.
const gatherTime = time.Second

// checkLinks notes since when too few voters are connected and gives up after a
// tick, or, as a new leader, after gatherTime: without them nothing can be decided
// (ZooKeeper waits for its limits).
func (l *Leader) checkLinks(now time.Duration, out *Effects) {
	if mutant.On(mutant.M38) {
		return
	}
	need := linked
	if l.phase == broadcast {
		need = synced
	}
	limit := l.cfg.syncLimit()
	if l.phase != broadcast {
		limit = l.cfg.initLimit()
	}
	if l.quorum(true, true, func(m *member) bool { return m.stage >= need && now-m.heard <= limit }) {
		l.lacksFrom = -1
		return
	}
	if l.lacksFrom < 0 {
		l.lacksFrom = now
	}
	if now-l.lacksFrom >= l.grace() {
		l.resign(out, "no quorum of followers for %v", now-l.lacksFrom)
	}
}

// grace is how long too few followers are borne.
func (l *Leader) grace() time.Duration {
	if l.phase == broadcast {
		return l.cfg.TickTime
	}
	return max(l.cfg.TickTime, min(gatherTime, l.cfg.initLimit()))
}

func (l *Leader) tick(now time.Duration, out *Effects) {
	l.checkLinks(now, out)
	if l.over {
		return
	}
	if l.phase != broadcast && now >= l.deadline && !l.synchronizing(now) {
		l.resign(out, "%v took longer than initLimit (%v)", l.phase, l.cfg.initLimit())
		return
	}
	if l.promisesSpent(now) {
		l.resign(out, "too few can promise epoch %d: some have promised it before", l.epoch)
		return
	}
	if l.diskHangs(now) {
		l.resign(out, "our own disk has finished nothing behind %v for syncLimit (%v)", l.synced, l.cfg.syncLimit())
		return
	}
	for _, id := range slices.Clone(l.order) {
		m := l.members[id]
		switch {
		case m.stage < synced && now-m.heard > l.cfg.initLimit():
			l.drop(id, "silent for initLimit before it was synchronized", out)
		case m.stage >= synced && now-m.heard > l.cfg.syncLimit():
			l.drop(id, "silent for syncLimit", out)
		case m.stage >= synced && !m.observer && m.acked < l.journal.Last().Zxid:
			if now-m.progress > l.cfg.syncLimit() {
				l.drop(id, fmt.Sprintf("has acknowledged nothing behind %v for syncLimit", m.acked), out)
			}
		default:
			m.progress = now
		}
	}
	if now-l.pings >= l.cfg.TickTime/2 {
		l.pings = now
		l.ping(out)
	}
}

// synchronizing reports whether a voter is on its way to our history, however
// long that takes, and shows that it lives.
func (l *Leader) synchronizing(now time.Duration) bool {
	for _, m := range l.members {
		if m.stage == forwarded && !m.observer && now-m.heard <= l.cfg.syncLimit() {
			return true
		}
	}
	return false
}

// promisesSpent reports whether, for a tick, everybody who is connected has
// answered LEADERINFO and yet no quorum counts: somebody's first promise of this
// epoch was lost on the way, and another epoch is needed.
func (l *Leader) promisesSpent(now time.Duration) bool {
	if l.phase != discovery || !l.announced {
		l.waits = now
		return false
	}
	for _, m := range l.members {
		if !m.observer && m.stage < promised {
			l.waits = now
			return false
		}
	}
	return now-l.waits >= l.grace() // others may be on their way
}

// diskHangs reports whether our log waits for a disk that does nothing. Our
// followers may well go on, but our clients cannot.
func (l *Leader) diskHangs(now time.Duration) bool {
	if z := l.journal.durableZxid; z != l.synced || z == l.journal.Last().Zxid {
		l.synced, l.progress = z, now
	}
	return now-l.progress > l.cfg.syncLimit()
}

// ping starts a heartbeat round.
func (l *Leader) ping(out *Effects) {
	l.round++
	if ids := l.to(func(m *member) bool { return m.stage >= forwarded }); len(ids) > 0 {
		out.Add(Send{To: ids, Packet: Packet{Type: Ping, Zxid: l.journal.Last().Zxid, ID: l.round}})
	}
	l.answerSyncs(out)
}

// Epoch returns the epoch that this leader proposes or leads.
func (l *Leader) Epoch() ensemble.Epoch { return l.epoch }

// Serving reports whether the leader is established.
func (l *Leader) Serving() bool { return l.phase == broadcast && !l.over }

// Describe fills in what a leader knows.
func (l *Leader) Describe(s *Status) {
	s.Phase = l.phase.String()
	s.PendingSyncs = len(l.syncs)
	s.Learners = len(l.order)
	for id, m := range l.members {
		if m.stage < active {
			continue
		}
		if m.observer {
			s.SyncedObservers++
			s.Observers = append(s.Observers, id)
		} else {
			s.SyncedFollowers++
		}
	}
	slices.Sort(s.Observers)
	s.Outstanding = int(max(0, l.journal.Last().Zxid-l.journal.committed))
	if l.journal.committed.Epoch() != l.journal.Last().Zxid.Epoch() {
		s.Outstanding = int(l.journal.Last().Zxid.Counter())
	}
	s.ProposalBytes.Last, s.ProposalBytes.Min, s.ProposalBytes.Max = l.proposal.last, l.proposal.min, l.proposal.max
}
