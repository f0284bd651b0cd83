package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
)

// perform carries out an effect. It steps nothing: whatever comes of it comes as
// an event.
func (p *proc) perform(effect zab.Effect) {
	switch e := effect.(type) {
	case zab.Append:
		if p.state == ensemble.Leading {
			p.proposed(e)
		}
		p.toDisk(e)
	case zab.SaveEpochs:
		p.epochsAsked(e.Epochs)
		p.toDisk(e)
	case zab.Truncate:
		p.toDisk(e)
	case zab.Install:
		p.toDisk(installReceived{e, p.disk.incoming})
		p.disk.incoming = nil
	case zab.Send:
		p.sendPacket(e)
	case zab.SendLog:
		for _, to := range e.To {
			p.send(to, item{log: &e})
		}
	case zab.SendSnapshot:
		p.syncPlan(e.To, "SNAP", 0, p.endFor(e.To))
		p.send(e.To, item{snapshot: &e})
	case zab.Commit:
		p.commit(e.UpTo)
	case zab.Established:
		p.established(e)
	case zab.SyncPoint:
		p.command(pointPassed{e.ID, e.UpTo})
	case zab.Synchronized:
	case zab.Drop:
		p.drop(e)
	case zab.Halt:
		ev := p.event(check.Halted)
		ev.Text = e.Reason
		p.w.emit(ev)
		p.end()
	case quorum.RoleChange:
		p.roleChange(e)
	case quorum.Connect:
		p.dial(e.Leader, 0)
	case quorum.Notify:
		p.notify(e)
	case quorum.ConnectAll:
	default:
		panic(fmt.Sprintf("sim: effect %T", effect))
	}
}

// end is the process ending by itself. Somebody will start it again.
func (p *proc) end() {
	h := p.h
	h.crash(kill, nil)
	h.w.after(time.Duration(h.rng.Int64N(int64(second))), h.startUnlessKept)
}

func (p *proc) proposed(e zab.Append) {
	before := p.before
	for _, t := range e.Txns {
		p.w.proposed[t.Chain] = proposal{t, before}
		before = t.Chain
	}
	ev := p.event(check.Proposed)
	ev.Epoch = e.Txns[0].Zxid.Epoch()
	ev.Log = p.w.stretch(e.Txns)
	p.w.emit(ev)
	last := e.Txns[len(e.Txns)-1].Zxid
	if limit := p.w.cfg.LastCounter; limit != 0 && last.Counter() > limit {
		p.w.broken("E6", "an epoch ends with its last zxid", p.h.id, "leader %d proposes %v in an epoch that ends with %d", p.h.id, last, limit)
	}
}

// epochsAsked notices the moment in which a leader has settled its epoch.
func (p *proc) epochsAsked(e zab.Epochs) {
	if p.state == ensemble.Leading && e.Accepted > p.accepted {
		ev := p.event(check.EpochProposed)
		ev.Epoch = e.Accepted
		ev.Voters = append([]ensemble.ServerID{p.h.id}, p.informed...)
		p.w.emit(ev)
	}
	p.accepted = e.Accepted
}

func (p *proc) syncPlan(to ensemble.ServerID, mode string, from, upTo ensemble.Zxid) {
	ev := p.event(check.SyncPlan)
	ev.Peer, ev.Mode, ev.Zxid, ev.To = to, mode, from, upTo
	p.w.host(to).synced = mode
	p.w.emit(ev)
}

// endFor is where the history ends that a learner is being sent: the NEWLEADER
// behind it, in the same step, says so.
func (p *proc) endFor(to ensemble.ServerID) ensemble.Zxid {
	for _, e := range p.w.effects.List {
		if s, ok := e.(zab.Send); ok && s.Packet.Type == zab.NewLeader && slices.Contains(s.To, to) {
			return s.Packet.At.Zxid
		}
	}
	return p.journal.Last().Zxid
}

// sendPacket sends a packet to all that get it.
func (p *proc) sendPacket(e zab.Send) {
	packet := e.Packet
	if packet.Type == zab.Ping && e.To[0] == p.leader && packet.ID != 0 {
		if talk, ok := p.machine.(zab.Conversation); ok {
			packet.Data = talk.Heartbeat()
		}
	}
	for _, to := range e.To {
		p.said(to, &packet)
		if p.gone {
			return
		}
		p.send(to, item{packet: &packet})
	}
}

// said tells of a packet what the checkers want to know.
func (p *proc) said(to ensemble.ServerID, packet *zab.Packet) {
	switch packet.Type {
	case zab.Diff, zab.Trunc:
		p.syncPlan(to, packet.Type.String(), packet.Zxid, p.endFor(to))
	case zab.AckEpoch:
		ev := p.event(check.EpochAck)
		ev.Peer, ev.Epoch, ev.Mode = to, p.accepted, "counted"
		if packet.Epoch == ensemble.NoEpoch {
			ev.Mode = "repeated"
		}
		p.w.emit(ev)
	case zab.Ack:
		ev := p.event(check.AckSend)
		if packet.Zxid.Counter() == 0 {
			ev.Kind, ev.Epoch = check.NewLeaderAck, packet.Zxid.Epoch()
			ev.Zxid, ev.Chain = p.journal.Last().Zxid, p.journal.Last().Chain
		} else {
			ev.Zxid = packet.Zxid
		}
		ev.Peer = to
		p.w.emit(ev)
	}
}

// commit is the decision, or the news of it, that all up to a zxid may be applied.
func (p *proc) commit(upTo ensemble.Zxid) {
	p.learnHistory(upTo)
	ev := p.event(check.Committed)
	ev.Zxid, ev.State, ev.Epoch = upTo, p.state, p.role64()
	p.w.emit(ev)
	p.command(applyUpTo(upTo))
}

// role64 is the epoch of the role, as far as it has one.
func (p *proc) role64() ensemble.Epoch { return p.journal.Epochs().Current }

// learnHistory gives the world what this process knows to be committed and the
// world does not. It goes back by the chained hashes from the end of the process's
// history: its log may be on its way to the disk still, or the disk fail.
func (p *proc) learnHistory(upTo ensemble.Zxid) {
	w := p.w
	last := ensemble.Zxid(0)
	if n := len(w.canon); n > 0 {
		last = w.canon[n-1].Zxid
	}
	var news []zab.Txn
	for at, known := w.proposed[p.journal.Last().Chain]; known && at.txn.Zxid > last; at, known = w.proposed[at.before] {
		if at.txn.Zxid <= upTo {
			news = append(news, at.txn)
		}
	}
	slices.Reverse(news)
	w.committed(news)
}

// proposal is a transaction that some leader has proposed, with the chain of the
// history before it.
type proposal struct {
	txn    zab.Txn
	before uint64
}

func (p *proc) established(e zab.Established) {
	ev := p.event(check.Established)
	ev.State, ev.Epoch, ev.Peer = p.state, e.Epoch, p.leader
	if p.state == ensemble.Leading {
		p.w.leaders[e.Epoch] = p.h.id
		ev.Zxid, ev.Chain = p.journal.Last().Zxid, p.journal.Last().Chain
		ev.Voters = append([]ensemble.ServerID{p.h.id}, p.adopters...)
	}
	p.h.doubt = false
	if p.life > 1 && !p.served {
		p.w.report.Recoveries++
	}
	p.served = true
	p.w.emit(ev)
	p.command(enterRole{zab.Role{State: p.state, Epoch: e.Epoch, Leader: p.leader}, p.waiting, p.role})
}

// roleChange closes everything of the role before and opens the new one.
func (p *proc) roleChange(e quorum.RoleChange) {
	p.state, p.leader = e.State, e.Leader
	if e.State == ensemble.Looking {
		p.role++
		p.informed, p.adopters = nil, nil
		p.dropAll()
		if p.disk.incoming != nil {
			_ = p.disk.incoming.Abort()
			p.disk.incoming = nil
		}
		p.propose = proposer{}
		old := p.waiting
		p.waiting = newWaiting()
		old.open = false
		p.command(leaveRole{old})
	} else {
		ev := p.event(check.Decide)
		ev.Round, ev.State = p.ballot.Round(), e.State
		ev.Vote = voteOf(p.ballot.Vote())
		p.w.emit(ev)
	}
	ev := p.event(check.RoleChange)
	ev.State, ev.Peer, ev.Text = e.State, e.Leader, e.Reason
	p.w.emit(ev)
	p.w.mustBeLegal(p.h.id, e.Reason)
}

// notify puts a vote into the mailbox of a server.
func (p *proc) notify(e quorum.Notify) {
	ev := p.event(check.VoteSend)
	ev.Peer, ev.Round, ev.State, ev.Unsure = e.To, e.Notification.Round, e.Notification.State, e.Notification.Unsure
	ev.Vote = voteOf(e.Notification.Vote)
	p.w.message++
	ev.Message = p.w.message
	p.w.emit(ev)
	p.mail(e.To, e.Notification, p.w.message)
}

func (p *proc) drop(e zab.Drop) {
	ev := p.event(check.LinkDown)
	ev.Peer, ev.Mode, ev.Text = e.Peer, "dropped", e.Reason
	p.w.emit(ev)
	p.w.mustBeLegal(p.h.id, e.Reason)
	if l := p.links[e.Peer]; l != nil {
		delete(p.links, e.Peer)
		l.close(true)
	}
}
