package zab

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// Learner is the follower's and the observer's side of ZAB. It is a pure state
// machine; see the package comment.
type Learner struct {
	cfg      Config
	journal  *Journal
	leader   ensemble.ServerID
	observer bool
	over     bool

	step  learnerStep
	epoch ensemble.Epoch // the leader's, once it has said so
	mode  string         // how we are being synchronized

	ticket uint64   // the storage effect that the current step waits for
	held   []Packet // packets that came while the history was being replaced

	answer    ensemble.Epoch // what ACKEPOCH will say
	seen      ensemble.Zxid  // highest commit point heard of
	ackedInit bool           // NEWLEADER has been acknowledged
	acked     ensemble.Zxid

	heard time.Duration
	spoke time.Duration
}

type learnerStep uint8

const (
	connecting  learnerStep = iota
	asking                  // FOLLOWERINFO sent, LEADERINFO awaited
	promising               // acceptedEpoch is being saved
	waiting                 // ACKEPOCH sent, DIFF, TRUNC or SNAP awaited
	replacing               // the log is being truncated or a snapshot installed
	catchingUp              // proposals of the initial history come in
	adopting                // history and currentEpoch are going to disk
	almostThere             // NEWLEADER acknowledged, UPTODATE awaited
	serving
)

// Follow begins to follow leader at time now, as an observer if the view says
// that this server is one. The journal must be quiet. The shell connects to the
// leader and says LinkUp.
func Follow(cfg Config, journal *Journal, leader ensemble.ServerID, now time.Duration) *Learner {
	return &Learner{
		cfg: cfg, journal: journal, leader: leader,
		observer: !cfg.View.IsVoter(cfg.Self),
		heard:    now, spoke: now,
		seen: journal.committed,
	}
}

// Step takes one input. After a Resign or Halt among the effects nothing more
// comes out.
func (l *Learner) Step(now time.Duration, in Input, out *Effects) {
	if l.over {
		return
	}
	switch in := in.(type) {
	case LinkUp:
		if l.step == connecting {
			l.heard = now
			l.greet(out)
		}
	case LinkDown:
		l.resign(out, "lost the leader: %v", in.Err)
	case Unreachable:
		if l.step == connecting {
			l.resign(out, "cannot connect to leader %d: %v", in.Peer, in.Err)
		}
	case Progress:
		l.heard = now
	case Received:
		l.heard = now
		l.receive(in.Packet, out)
	case Durable:
		l.durable(in.Ticket, out)
	case Truncated, Installed:
		l.heard = now
		l.replaced(out)
	case Tick:
		l.tick(now, out)
	}
}

func (l *Learner) send(p Packet, out *Effects) {
	out.Add(Send{To: []ensemble.ServerID{l.leader}, Packet: p})
}

func (l *Learner) resign(out *Effects, format string, args ...any) {
	l.over = true
	if mutant.On(mutant.M04) {
		l.journal.rewind()
	}
	out.Add(Resign{Reason: fmt.Sprintf(format, args...)})
}

func (l *Learner) halt(out *Effects, format string, args ...any) {
	l.over = true
	out.Add(Halt{Reason: fmt.Sprintf(format, args...)})
}

func (l *Learner) greet(out *Effects) {
	p := Packet{Type: FollowerInfo, Zxid: ensemble.NewZxid(l.journal.epochs.Accepted, 0), Unsure: l.journal.epochs.Unsure}
	if l.observer {
		p.Type = ObserverInfo
	}
	l.step = asking
	l.send(p, out)
}

func (l *Learner) receive(p Packet, out *Effects) {
	if l.step == replacing && p.Type != Ping {
		l.held = append(l.held, p)
		return
	}
	switch p.Type {
	case LeaderInfo:
		l.onLeaderInfo(p, out)
	case Diff, Trunc, Snap:
		l.onPlan(p, out)
	case Proposal, Inform:
		l.onTxns(p, out)
	case CommitUpTo:
		l.onCommit(p.Zxid, out)
	case NewLeader:
		l.onNewLeader(p, out)
	case UpToDate:
		l.onUpToDate(p, out)
	case Ping:
		l.send(Packet{Type: Ping, Zxid: p.Zxid, ID: p.ID}, out)
	case Sync:
		if p.Zxid > l.journal.committed {
			l.resign(out, "SYNC up to %v, but only %v is committed here", p.Zxid, l.journal.committed)
		} else if l.step == serving {
			out.Add(SyncPoint{ID: p.ID, UpTo: p.Zxid})
		}
	default:
		l.resign(out, "unexpected %v from the leader", p.Type)
	}
}

func (l *Learner) outOfTurn(p Packet, out *Effects) {
	l.resign(out, "%v out of turn", p.Type)
}

func (l *Learner) onLeaderInfo(p Packet, out *Effects) {
	if l.step != asking {
		l.outOfTurn(p, out)
		return
	}
	l.epoch = p.Zxid.Epoch()
	e := l.journal.epochs
	switch {
	case l.epoch < e.Accepted || l.epoch > ensemble.MaxEpoch:
		l.resign(out, "the leader proposes epoch %d, and this server has accepted %d", l.epoch, e.Accepted)
	case l.epoch == e.Accepted:
		l.answer = ensemble.NoEpoch
		if mutant.On(mutant.M14) {
			l.answer = l.journal.claim()
		}
		l.promise(out)
	default:
		l.answer = l.journal.claim()
		e.Accepted = l.epoch
		l.step, l.ticket = promising, l.journal.saveEpochs(e, out)
	}
}

func (l *Learner) promise(out *Effects) {
	l.step = waiting
	s := l.journal.shape.recent(runsMax)
	l.send(Packet{Type: AckEpoch, At: s.Last(), Epoch: l.answer, Base: s.Base, Runs: s.Runs}, out)
}

// onPlan takes the leader's word on what to keep of our history. What is
// committed here must survive it: a leader that asks to cut into that has lost
// data, and this server stops rather than lose it too.
func (l *Learner) onPlan(p Packet, out *Effects) {
	if l.step != waiting {
		l.outOfTurn(p, out)
		return
	}
	last := l.journal.Last().Zxid
	switch p.Type {
	case Diff:
		if p.Zxid != last {
			l.resign(out, "DIFF from %v, but the log ends at %v", p.Zxid, last)
			return
		}
		l.mode, l.step = "DIFF", catchingUp
	case Trunc:
		if p.Zxid < l.journal.committed {
			l.halt(out, "leader %d asks to cut the log behind %v, but everything up to %v is committed: its data is older than ours and must not win; restore or wipe it", l.leader, p.Zxid, l.journal.committed)
			return
		}
		if p.Zxid >= last || !l.journal.shape.Contains(p.Zxid) {
			l.resign(out, "TRUNC to %v, which the log %v does not allow", p.Zxid, l.journal.shape)
			return
		}
		l.mode, l.step = "TRUNC", replacing
		l.ticket = l.journal.truncate(p.Zxid, out)
	case Snap:
		if p.At.Zxid < l.journal.committed {
			l.halt(out, "leader %d sends a snapshot at %v, but everything up to %v is committed here: its data is older than ours and must not win; restore or wipe it", l.leader, p.At.Zxid, l.journal.committed)
			return
		}
		l.mode, l.step = "SNAP", replacing
		l.ticket = l.journal.install(p.At, out)
	}
}

func (l *Learner) replaced(out *Effects) {
	if l.step != replacing || l.journal.durable < l.ticket {
		return
	}
	l.step = catchingUp
	held := l.held
	l.held = nil
	for _, p := range held {
		if l.over {
			return
		}
		l.receive(p, out)
	}
}

// onTxns appends transactions. They must continue the log, in zxid and in
// chain; a gap ends the link (I7), and a chain that differs stops the server.
func (l *Learner) onTxns(p Packet, out *Effects) {
	if l.step < catchingUp || p.Type == Inform && !l.observer || p.Type == Proposal && l.observer && l.step > catchingUp {
		l.outOfTurn(p, out)
		return
	}
	txns := p.Txns
	last := l.journal.Last()
	for len(txns) > 0 && txns[0].Zxid <= last.Zxid {
		txns = txns[1:]
	}
	for _, t := range txns {
		if mutant.On(mutant.M11) && l.step == catchingUp {
			break
		}
		if !t.Zxid.Follows(last.Zxid) || t.Zxid.Epoch() > l.epoch {
			l.resign(out, "%v %v does not continue the log, which ends at %v", p.Type, t.Zxid, last.Zxid)
			return
		}
		if NextChain(last.Chain, t.Zxid, t.Origin, t.Data) != t.Chain {
			l.halt(out, "the history of leader %d differs from ours before %v (chained hash): one of the two is damaged; compare them, then wipe the wrong one", l.leader, t.Zxid)
			return
		}
		last = Position{t.Zxid, t.Chain}
	}
	if len(txns) > 0 {
		if l.mode == "TRUNC" && l.step == catchingUp {
			l.mode = "TRUNC+DIFF"
		}
		if mutant.On(mutant.M03) && l.step == catchingUp {
			l.journal.saveEpochs(Epochs{Accepted: l.epoch, Current: l.epoch}, out)
		}
		l.journal.append(txns, out)
		if mutant.On(mutant.M01) {
			l.acknowledge(out)
		}
	}
	if p.Type == Inform && len(p.Txns) > 0 {
		l.onCommit(p.Txns[len(p.Txns)-1].Zxid, out)
	}
}

// onCommit moves the commit point, which counts only while serving: before, our
// history may not be the leader's yet.
func (l *Learner) onCommit(z ensemble.Zxid, out *Effects) {
	if l.step < catchingUp {
		l.resign(out, "a COMMIT out of turn")
		return
	}
	if z > l.journal.committed && !l.journal.shape.Contains(z) {
		l.resign(out, "COMMIT of %v, which the log %v does not have", z, l.journal.shape)
		return
	}
	l.seen = max(l.seen, z)
	if l.step == serving {
		l.journal.commit(l.seen, out)
	}
}

// onNewLeader adopts the leader's history: it goes to disk, then the epoch, in
// the order of the effects; then NEWLEADER is acknowledged. A snapshot may be
// newer than the end of the history that NEWLEADER speaks of: it is captured when
// its turn on the link comes.
func (l *Learner) onNewLeader(p Packet, out *Effects) {
	last := l.journal.Last()
	switch {
	case l.step != catchingUp || p.Zxid.Epoch() != l.epoch:
		l.outOfTurn(p, out)
	case p.At.Zxid != last.Zxid && !(l.mode == "SNAP" && last.Zxid > p.At.Zxid):
		l.resign(out, "NEWLEADER says that the history ends at %v, but it ends at %v", p.At.Zxid, last.Zxid)
	case p.At.Zxid == last.Zxid && p.At.Chain != 0 && p.At.Chain != last.Chain:
		l.halt(out, "the history of leader %d up to %v differs from ours (chained hash): one of the two is damaged; compare them, then wipe the wrong one", l.leader, last.Zxid)
	default:
		l.step = adopting
		l.ticket = l.journal.saveEpochs(Epochs{Accepted: l.epoch, Current: l.epoch}, out)
		if mutant.On(mutant.M02) {
			l.acknowledgeHistory(out)
		}
	}
}

func (l *Learner) onUpToDate(p Packet, out *Effects) {
	if l.step != almostThere || p.Zxid > l.journal.committed && !l.journal.shape.Contains(p.Zxid) {
		l.outOfTurn(p, out)
		return
	}
	l.step = serving
	l.seen = max(l.seen, p.Zxid)
	out.Add(Synchronized{Mode: l.mode, Leader: l.leader, Epoch: l.epoch, Last: l.journal.Last().Zxid})
	l.journal.commit(l.seen, out)
	out.Add(Established{Epoch: l.epoch})
	l.acknowledge(out)
}

func (l *Learner) durable(ticket uint64, out *Effects) {
	switch {
	case l.step == promising && ticket >= l.ticket:
		l.promise(out)
	case l.step == adopting && ticket >= l.ticket:
		l.acknowledgeHistory(out)
	}
	l.acknowledge(out)
}

// acknowledgeHistory answers NEWLEADER: all before it and the epoch are on disk.
func (l *Learner) acknowledgeHistory(out *Effects) {
	l.step = almostThere
	l.ackedInit = true
	l.acked = ensemble.NoZxid
	l.send(Packet{Type: Ack, Zxid: ensemble.NewZxid(l.epoch, 0)}, out)
}

// acknowledge tells the leader how far our disk is: never before NEWLEADER, and
// never as an observer.
func (l *Learner) acknowledge(out *Effects) {
	z := l.journal.saved()
	if !l.ackedInit || l.observer || z <= l.acked || z.Epoch() != l.epoch {
		return
	}
	l.acked = z
	l.send(Packet{Type: Ack, Zxid: z}, out)
}

// While the history is being replaced nothing is read from the link, so silence
// then says nothing about the leader: to install a snapshot may take longer than
// initLimit.
func (l *Learner) tick(now time.Duration, out *Effects) {
	limit := l.cfg.initLimit()
	if l.step == serving {
		limit = l.cfg.syncLimit()
	}
	if l.step != replacing && now-l.heard > limit && !(mutant.On(mutant.M37) && l.step < serving) {
		l.resign(out, "nothing heard from leader %d for %v", l.leader, limit)
		return
	}
	// While a long history goes by, show that we live.
	if l.step > asking && l.step < serving && now-l.spoke >= l.cfg.TickTime/2 {
		l.spoke = now
		l.send(Packet{Type: Ping}, out)
	}
}

// Serving reports whether the learner is synchronized.
func (l *Learner) Serving() bool { return l.step == serving && !l.over }

// Epoch returns the leader's epoch, or 0 before it has said.
func (l *Learner) Epoch() ensemble.Epoch { return l.epoch }

// Describe fills in what a learner knows.
func (l *Learner) Describe(s *Status) {
	switch {
	case l.step < waiting:
		s.Phase = discovery.String()
	case l.step < serving:
		s.Phase = synchronization.String()
	default:
		s.Phase = broadcast.String()
	}
}
