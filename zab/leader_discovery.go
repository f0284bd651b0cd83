package zab

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// This file is the leader from election to establishment: the epoch
// (FOLLOWERINFO, LEADERINFO, ACKEPOCH), the way of each learner to our history,
// and NEWLEADER. Order of durability, spec section 8:
//
//	acceptedEpoch on disk -> LEADERINFO
//	quorum of ACKEPOCH -> currentEpoch on disk -> our own NEWLEADER acknowledgement

func (l *Leader) onInfo(now time.Duration, from ensemble.ServerID, m *member, p Packet, out *Effects) {
	if m.stage != linked {
		l.drop(from, "a second "+p.Type.String(), out)
		return
	}
	m.stage = informed
	m.accepted, m.unsure = p.Zxid.Epoch(), p.Unsure
	m.observer = m.observer || p.Type == ObserverInfo
	if m.accepted >= ensemble.MaxEpoch {
		l.drop(from, fmt.Sprintf("claims to have accepted epoch %d, the last there is", m.accepted), out)
		return
	}
	if !l.settled {
		if !m.observer && m.accepted >= l.epoch {
			l.epoch = m.accepted + 1
			if mutant.On(mutant.M13) {
				l.epoch = m.accepted
			}
		}
		l.discover(now, out)
		return
	}
	if m.accepted > l.epoch {
		// It has promised a later epoch than ours and can never follow us. If it
		// votes, only a new election gets it back.
		l.drop(from, fmt.Sprintf("has accepted epoch %d, later than ours, %d", m.accepted, l.epoch), out)
		if !m.observer {
			l.resign(out, "server %d has accepted the later epoch %d", from, m.accepted)
		}
		return
	}
	if l.announced {
		l.invite(out)
	}
}

// discover settles the epoch once a quorum has said what it has accepted.
func (l *Leader) discover(_ time.Duration, out *Effects) {
	if l.settled || !l.quorum(false, true, func(m *member) bool { return m.stage >= informed && !m.observer }) {
		return
	}
	l.settled = true
	e := l.journal.epochs
	e.Accepted = l.epoch
	l.ticket = l.journal.saveEpochs(e, out)
}

// invite sends LEADERINFO to the learners that wait for it.
func (l *Leader) invite(out *Effects) {
	ids := l.to(func(m *member) bool { return m.stage == informed })
	for _, id := range ids {
		l.members[id].stage = invited
	}
	if len(ids) > 0 {
		out.Add(Send{To: ids, Packet: Packet{Type: LeaderInfo, Zxid: ensemble.NewZxid(l.epoch, 0)}})
	}
}

func (l *Leader) onAckEpoch(now time.Duration, from ensemble.ServerID, m *member, p Packet, out *Effects) {
	if m.stage != invited {
		l.drop(from, "an ACKEPOCH out of turn", out)
		return
	}
	if !p.Shape().valid(runsMax) {
		l.drop(from, "an ACKEPOCH whose history cannot be", out)
		return
	}
	m.stage, m.history = promised, p.Shape()
	// Epoch NoEpoch means that it had accepted this epoch before, perhaps from
	// another leader: it must not count, so that only one leader per epoch can
	// gather a quorum (I1).
	if !l.adopted && p.Epoch != ensemble.NoEpoch && !m.observer {
		mine := l.claim
		if p.Epoch > mine || p.Epoch == mine && m.history.Last().Zxid > l.origin.Zxid {
			l.drop(from, fmt.Sprintf("its history (epoch %d, %v) is ahead of ours (epoch %d, %v)",
				p.Epoch, m.history.Last().Zxid, mine, l.origin.Zxid), out)
			return
		}
		m.counted = true
	}
	l.countPromises(now, out)
	if l.adopted && m.stage == promised {
		l.forward(now, from, m, out)
	}
}

// countPromises adopts the epoch once a quorum has promised it.
func (l *Leader) countPromises(now time.Duration, out *Effects) {
	if l.adopted || !l.announced || !l.quorum(false, true, func(m *member) bool { return m.counted }) {
		return
	}
	l.adopted = true
	l.phase = synchronization
	l.deadline = now + l.cfg.initLimit()
	l.ticket = l.journal.saveEpochs(Epochs{Accepted: l.epoch, Current: l.epoch}, out)
	for _, id := range slices.Clone(l.order) {
		if m := l.members[id]; m.stage == promised {
			l.forward(now, id, m, out)
		}
	}
}

// forward queues a learner's way to our history, NEWLEADER behind it, and lets
// live traffic follow. Observers get what is committed, and only once this
// leader is established: before, it does not know what is.
func (l *Leader) forward(now time.Duration, id ensemble.ServerID, m *member, out *Effects) {
	if m.observer && l.phase != broadcast {
		return
	}
	end := l.journal.Last()
	if m.observer {
		end = l.committedPosition()
	}
	plan := PlanSync(l.journal.shape, m.history)
	if plan.Op != Snap && plan.From > end.Zxid {
		// An observer that already holds more than we know to be committed.
		end = Position{Zxid: plan.From}
	}
	to := []ensemble.ServerID{id}
	op, after := Packet{Type: plan.Op, Zxid: plan.From}, plan.From
	if last := m.history.Last().Zxid; mutant.On(mutant.M09) && plan.Op == Trunc && last < end.Zxid {
		op = Packet{Type: Diff, Zxid: last}
	}
	if mutant.On(mutant.M11) && after+1 < end.Zxid && l.journal.shape.Contains(after+1) {
		after++
	}
	switch {
	case plan.Op != Snap:
		out.Add(Send{To: to, Packet: op})
		if after < end.Zxid {
			out.Add(SendLog{To: to, After: after, UpTo: end.Zxid})
		}
	default:
		out.Add(SendSnapshot{To: id, UpTo: end.Zxid})
	}
	out.Add(Send{To: to, Packet: Packet{Type: NewLeader, Zxid: ensemble.NewZxid(l.epoch, 0), At: end}})
	m.stage, m.initial, m.history = forwarded, end.Zxid, Shape{}
	m.progress = now
}

// countSynced establishes the leader once a quorum has its history on disk: all
// of it is committed then.
func (l *Leader) countSynced(out *Effects) {
	if l.phase != synchronization || !l.quorum(true, l.selfReady, func(m *member) bool { return m.stage >= synced && !m.observer }) {
		return
	}
	l.phase = broadcast
	l.journal.commit(l.origin.Zxid, out)
	out.Add(Established{Epoch: l.epoch})
	for _, id := range slices.Clone(l.order) {
		if m := l.members[id]; m.observer && m.stage == promised {
			l.forward(m.heard, id, m, out)
		}
	}
	l.activate(out)
}

// activate tells learners that are synchronized to serve.
func (l *Leader) activate(out *Effects) {
	if l.phase != broadcast {
		return
	}
	ids := l.to(func(m *member) bool { return m.stage == synced })
	for _, id := range ids {
		l.members[id].stage = active
	}
	if len(ids) > 0 {
		at := l.journal.committed
		if mutant.On(mutant.M18) {
			at = l.members[ids[0]].acked
		}
		out.Add(Send{To: ids, Packet: Packet{Type: UpToDate, Zxid: at}})
	}
}

// committedPosition is the commit point with its chain, or chain 0 where the
// chain at that point is not known here.
func (l *Leader) committedPosition() Position {
	z := l.journal.committed
	if z == l.journal.Last().Zxid {
		return l.journal.Last()
	}
	if z == l.origin.Zxid {
		return l.origin
	}
	return Position{Zxid: z}
}
