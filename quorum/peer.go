package quorum

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/zab"
)

// Notified is the input of a notification from another server's election.
type Notified struct {
	From         ensemble.ServerID
	Notification fle.Notification
}

// Reachable is the input of news from the election transport: the connection to
// a server is up, or it is lost and dialing it fails. It is a hint that makes
// elections shorter and decides nothing.
type Reachable struct {
	Peer ensemble.ServerID
	Up   bool
}

// Delivered is the input of a tick for the election. Any says that at least one
// server has taken our latest vote from its mailbox.
type Delivered struct{ Any bool }

// Input implements zab.Input.
func (Notified) Input() {}

// Input implements zab.Input.
func (Reachable) Input() {}

// Input implements zab.Input.
func (Delivered) Input() {}

// Notify is the effect of sending our vote to a server.
type Notify struct {
	To           ensemble.ServerID
	Notification fle.Notification
}

// ConnectAll is the effect of dialing every server that no connection exists to.
type ConnectAll struct{}

// Connect is the effect of opening the quorum link to the leader.
type Connect struct{ Leader ensemble.ServerID }

// RoleChange is the effect of a new state. With Looking all links are closed and
// everything that waits for an outcome is told that it is unknown.
type RoleChange struct {
	State  ensemble.State
	Leader ensemble.ServerID
	Reason string // why the role before ended; empty otherwise
}

// Effect implements zab.Effect.
func (Notify) Effect() {}

// Effect implements zab.Effect.
func (ConnectAll) Effect() {}

// Effect implements zab.Effect.
func (Connect) Effect() {}

// Effect implements zab.Effect.
func (RoleChange) Effect() {}

// Peer is ZooKeeper's QuorumPeer as a pure state machine: it elects while
// LOOKING and then leads, follows or observes, until that ends and it elects
// again. Its shell is Node; a simulator is another.
type Peer struct {
	cfg     zab.Config
	journal *zab.Journal
	ballot  *fle.Ballot
	votes   fle.Effects

	state   ensemble.State
	leader  ensemble.ServerID
	leading *zab.Leader
	learner *zab.Learner
	// started is set once a round of election runs for this Looking. Until the
	// disk has done all that the old role asked of it, none may: a vote must be
	// true (spec section 8, rule 8).
	started bool
	halted  bool
	scratch zab.Effects
}

// NewPeer makes a peer that has just recovered journal. It does nothing before
// the first Step.
func NewPeer(cfg zab.Config, journal *zab.Journal, ballot *fle.Ballot) *Peer {
	return &Peer{cfg: cfg, journal: journal, ballot: ballot, leader: ensemble.NoServer}
}

// State returns the state and the leader, NoServer while Looking.
func (p *Peer) State() (ensemble.State, ensemble.ServerID) { return p.state, p.leader }

// Step takes one input at time now, which never goes back, and appends what must
// be done to out.
func (p *Peer) Step(now time.Duration, in zab.Input, out *zab.Effects) {
	if p.halted {
		return
	}
	switch in := in.(type) {
	case Notified:
		if p.state == ensemble.Looking && !p.started {
			return // we are nothing at the moment, and have no vote to answer with
		}
		p.elect(now, fle.Receive{From: in.From, Notification: in.Notification}, out)
		return
	case Reachable:
		p.elect(now, fle.Reachable{Sid: in.Peer, Up: in.Up}, out)
		return
	case Delivered:
		p.begin(now, out)
		if p.started {
			p.elect(now, fle.Tick{Delivered: in.Any}, out)
		}
		return
	}
	p.journal.Observe(in)
	p.begin(now, out)
	p.role(now, in, out)
}

// role steps the leader or the learner and watches for what concerns the peer.
func (p *Peer) role(now time.Duration, in zab.Input, out *zab.Effects) {
	p.scratch.Reset()
	switch {
	case p.leading != nil:
		p.leading.Step(now, in, &p.scratch)
	case p.learner != nil:
		p.learner.Step(now, in, &p.scratch)
	}
	p.take(now, out)
}

// take moves the role's effects to out and acts on those that end or settle it.
func (p *Peer) take(now time.Duration, out *zab.Effects) {
	for i := 0; i < len(p.scratch.List); i++ {
		effect := p.scratch.List[i]
		switch e := effect.(type) {
		case zab.Resign:
			p.retire(now, e.Reason, out)
			return
		case zab.Halt:
			p.halted = true
			out.Add(e)
			return
		case zab.Established:
			p.elect(now, fle.Settled{Epoch: e.Epoch}, out)
		}
		out.Add(effect)
	}
}

// begin starts a round of election if none runs and the disk is quiet.
func (p *Peer) begin(now time.Duration, out *zab.Effects) {
	quiet := p.journal.Quiet() || mutant.On(mutant.M22)
	if p.state != ensemble.Looking || p.started || !quiet {
		return
	}
	p.started = true
	e := p.journal.Epochs()
	p.elect(now, fle.Start{Zxid: p.journal.Last().Zxid, Epoch: e.Current, Unsure: e.Unsure}, out)
}

func (p *Peer) retire(now time.Duration, reason string, out *zab.Effects) {
	p.leading, p.learner = nil, nil
	p.state, p.leader, p.started = ensemble.Looking, ensemble.NoServer, false
	out.Add(RoleChange{State: ensemble.Looking, Leader: ensemble.NoServer, Reason: reason})
	p.begin(now, out)
}

// elect steps the ballot.
func (p *Peer) elect(now time.Duration, in fle.Input, out *zab.Effects) {
	p.votes.Reset()
	p.ballot.Step(now, in, &p.votes)
	for _, n := range p.votes.Notify {
		out.Add(Notify{To: n.To, Notification: n.Notification})
	}
	if p.votes.Connect {
		out.Add(ConnectAll{})
	}
	if d := p.votes.Decide; d != nil {
		p.assume(now, d.State, d.Vote.Leader, out)
	}
}

// assume takes the role that the election gave.
func (p *Peer) assume(now time.Duration, state ensemble.State, leader ensemble.ServerID, out *zab.Effects) {
	if p.state != ensemble.Looking {
		panic(fmt.Sprintf("quorum: elected %v while %v", state, p.state))
	}
	p.state, p.leader = state, leader
	out.Add(RoleChange{State: state, Leader: leader})
	if state == ensemble.Leading {
		p.scratch.Reset()
		p.leading = zab.Lead(p.cfg, p.journal, now, &p.scratch)
		p.take(now, out)
		return
	}
	p.learner = zab.Follow(p.cfg, p.journal, leader, now)
	out.Add(Connect{Leader: leader})
}

// Describe fills in the status as far as the protocol knows it.
func (p *Peer) Describe(s *zab.Status) {
	s.Server, s.State, s.Leader = p.cfg.Self, p.state, p.leader
	s.Voters = len(p.cfg.View.Voters())
	s.Logged, s.Committed = p.journal.Last().Zxid, p.journal.Committed()
	s.Phase, s.Epoch = "election", 0
	s.ProposalBytes.Last, s.ProposalBytes.Min, s.ProposalBytes.Max = -1, -1, -1
	switch {
	case p.leading != nil:
		p.leading.Describe(s)
		if p.leading.Serving() {
			s.Epoch = p.leading.Epoch()
		}
	case p.learner != nil:
		p.learner.Describe(s)
		if p.learner.Serving() {
			s.Epoch = p.learner.Epoch()
		}
	}
}

// NextProposal returns the zxid of the next proposal, and false unless this
// server is an established leader.
func (p *Peer) NextProposal() (ensemble.Zxid, bool) {
	if p.leading == nil || !p.leading.Serving() {
		return 0, false
	}
	return p.leading.NextZxid(), true
}
