package zab

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// syncsMax is how many syncs may wait for a quorum at a time.
const syncsMax = 1 << 18

// This file is the established leader: proposals, acknowledgements, commits and
// the heartbeat rounds that confirm a sync.

func (l *Leader) propose(in Propose, out *Effects) {
	if l.phase != broadcast || len(in.Entries) == 0 {
		return
	}
	last := l.journal.Last()
	next := l.NextZxid()
	if in.First != next {
		// The proposer prepared for another history: it belongs to an earlier
		// leadership of this server.
		return
	}
	used := next.Epoch() != l.epoch || uint64(next.Counter())+uint64(len(in.Entries))-1 > uint64(l.cfg.lastCounter())
	if used && !mutant.On(mutant.M35) {
		l.resign(out, "epoch %d has used up its zxids (ZOOKEEPER-1277)", l.epoch)
		return
	}
	txns := make([]Txn, len(in.Entries))
	chain := last.Chain
	for i, e := range in.Entries {
		z := next + ensemble.Zxid(i)
		chain = NextChain(chain, z, e.Origin, e.Data)
		txns[i] = Txn{Zxid: z, Origin: e.Origin, Data: e.Data, Chain: chain}
		n := len(e.Data)
		l.proposal.last = n
		l.proposal.max = max(l.proposal.max, n)
		if l.proposal.min < 0 || n < l.proposal.min {
			l.proposal.min = n
		}
	}
	l.journal.append(txns, out)
	from := forwarded
	if mutant.On(mutant.M17) {
		from = synced
	}
	if ids := l.to(func(m *member) bool { return m.stage >= from && !m.observer }); len(ids) > 0 {
		out.Add(Send{To: ids, Packet: Packet{Type: Proposal, Txns: txns}})
	}
}

// NextZxid is the zxid of the next proposal.
func (l *Leader) NextZxid() ensemble.Zxid {
	if last := l.journal.Last().Zxid; last.Epoch() == l.epoch {
		if next, ok := last.Next(); ok {
			return next
		}
		return ensemble.NewZxid(l.epoch+1, 0) // refused by propose
	}
	return ensemble.NewZxid(l.epoch, 1)
}

func (l *Leader) onAck(now time.Duration, from ensemble.ServerID, m *member, p Packet, out *Effects) {
	switch {
	case m.stage == forwarded:
		// The first must acknowledge NEWLEADER and nothing else (ZOOKEEPER-4685).
		if p.Zxid != ensemble.NewZxid(l.epoch, 0) {
			l.drop(from, fmt.Sprintf("acknowledged %v before NEWLEADER", p.Zxid), out)
			return
		}
		m.stage, m.acked, m.unsure = synced, m.initial, false
		m.progress = now
		l.countSynced(out)
		l.activate(out)
		l.advance(out)
	case m.stage >= synced && !m.observer:
		if p.Zxid == ensemble.NewZxid(l.epoch, 0) {
			return // of UPTODATE, as ZooKeeper's followers do
		}
		// What lies below the base of our log was proposed, too, and purged since.
		if p.Zxid > m.acked && p.Zxid > l.journal.shape.Base.Zxid && !l.journal.shape.Contains(p.Zxid) {
			l.drop(from, fmt.Sprintf("acknowledged %v, which was never proposed", p.Zxid), out)
			return
		}
		if p.Zxid > m.acked {
			if mutant.On(mutant.M06) {
				m.initial = m.acked // nobody needs it any more: the ACK before this one
			}
			m.acked, m.progress = p.Zxid, now
			l.advance(out)
		}
	default:
		l.drop(from, "an ACK out of turn", out)
	}
}

// advance commits all that a quorum has on disk. Acknowledgements are cumulative,
// so it is the highest acknowledged zxid that a quorum has reached.
func (l *Leader) advance(out *Effects) {
	if l.phase != broadcast {
		return
	}
	acked := func(id ensemble.ServerID) ensemble.Zxid {
		if id == l.cfg.Self {
			return l.journal.saved()
		}
		if m := l.members[id]; m != nil && m.stage >= synced && !m.observer {
			return m.acked
		}
		return ensemble.NoZxid
	}
	var points [16]ensemble.Zxid
	candidates := points[:0]
	for _, id := range l.cfg.View.Voters() {
		if z := acked(id); z > l.journal.committed && z.Epoch() == l.epoch {
			candidates = append(candidates, z)
		}
		if m := l.members[id]; mutant.On(mutant.M06) && m != nil && m.stage >= synced && m.initial > l.journal.committed {
			candidates = append(candidates, m.initial) // of its ACK before that, see onAck
		}
	}
	slices.Sort(candidates)
	for i := len(candidates) - 1; i >= 0; i-- {
		z := candidates[i]
		enough := l.cfg.View.HasQuorum(func(id ensemble.ServerID) bool { return acked(id) >= z })
		if mutant.On(mutant.M05) {
			enough = len(candidates)-i >= len(l.cfg.View.Voters())/2
		}
		if mutant.On(mutant.M06) && len(candidates)-i > len(l.cfg.View.Voters())/2 {
			enough = true
		}
		if enough {
			l.commit(z, out)
			return
		}
	}
}

func (l *Leader) commit(z ensemble.Zxid, out *Effects) {
	before := l.journal.committed
	l.journal.commit(z, out)
	if ids := l.to(func(m *member) bool { return m.stage >= forwarded && !m.observer }); len(ids) > 0 {
		out.Add(Send{To: ids, Packet: Packet{Type: CommitUpTo, Zxid: z}})
	}
	if ids := l.to(func(m *member) bool { return m.stage >= forwarded && m.observer }); len(ids) > 0 {
		out.Add(SendLog{To: ids, After: before, UpTo: z, Inform: true})
	}
	l.answerSyncs(out)
}

// sync notes a request. It is answered when a heartbeat round that started after
// it came has been answered by a quorum, which proves that no later leader had
// been established when it came, and when all that was proposed then is committed.
func (l *Leader) sync(in SyncRequest, out *Effects) {
	if l.phase != broadcast {
		return
	}
	if len(l.syncs) >= syncsMax {
		if in.From != l.cfg.Self {
			l.drop(in.From, "asks for too many syncs at once", out)
		}
		return
	}
	s := pendingSync{SyncRequest: in, upTo: l.journal.Last().Zxid}
	if l.roundConfirmed(l.round) {
		s.round = l.round + 1
		l.syncs = append(l.syncs, s)
		l.ping(out)
		return
	}
	s.round = l.round + 1
	l.roundAgain = true
	l.syncs = append(l.syncs, s)
}

func (l *Leader) roundConfirmed(round uint64) bool {
	return mutant.On(mutant.M31) ||
		l.quorum(true, true, func(m *member) bool { return m.stage >= synced && !m.observer && m.pong >= round })
}

func (l *Leader) answerSyncs(out *Effects) {
	if l.roundConfirmed(l.round) {
		if l.roundAgain {
			l.roundAgain = false
			l.ping(out)
			return
		}
	}
	n := 0
	for n < len(l.syncs) && l.syncs[n].upTo <= l.journal.committed && l.roundConfirmed(l.syncs[n].round) {
		n++
	}
	for _, s := range l.syncs[:n] {
		if s.From == l.cfg.Self {
			out.Add(SyncPoint{ID: s.ID, UpTo: s.upTo})
		} else {
			out.Add(Send{To: []ensemble.ServerID{s.From}, Packet: Packet{Type: Sync, Zxid: s.upTo, ID: s.ID}})
		}
	}
	l.syncs = slices.Delete(l.syncs, 0, n)
}
