package check

import (
	"slices"

	"github.com/quorate/quorate/ensemble"
)

// This file is how the servers of a legal run find a leader.

func (s *legalServer) claim() Vote {
	e := s.current
	if s.unsure {
		e = min(e, zxidOf(s.log, len(s.log)).Epoch())
	}
	return Vote{Leader: s.id, Zxid: zxidOf(s.log, len(s.log)), Epoch: e}
}

// elect runs an election among servers that reach one another: who hears of a
// better vote tells everybody, until nobody does.
func (w *legal) elect(in []*legalServer) *legalServer {
	type letter struct {
		from, to *legalServer
		vote     Vote
		round    int64
	}
	var post []letter
	send := func(s *legalServer, to ...*legalServer) {
		for _, u := range to {
			if u != s {
				w.event(s, Event{Kind: VoteSend, Peer: u.id, Round: s.round, Vote: &Vote{s.vote.Leader, s.vote.Zxid, s.vote.Epoch}, State: ensemble.Looking, Unsure: s.unsure})
				post = append(post, letter{s, u, s.vote, s.round})
			}
		}
	}
	for _, s := range in {
		w.sync(s) // a vote is made of what is on disk
		s.round++
		s.vote = s.claim()
		send(s, in...)
	}
	for len(post) > 0 {
		any := post[w.rng.IntN(len(post))]
		i := slices.IndexFunc(post, func(l letter) bool { return l.from == any.from && l.to == any.to })
		l := post[i]
		post = slices.Delete(post, i, i+1)
		s := l.to
		w.event(s, Event{Kind: VoteRecv, Peer: l.from.id, Round: l.round, Vote: &l.vote, State: ensemble.Looking, Unsure: l.from.unsure})
		changed := l.round > s.round
		if l.round < s.round {
			send(s, l.from)
			continue
		}
		if changed {
			s.round, s.vote = l.round, s.claim()
		}
		if better(l.vote, s.vote) {
			s.vote, changed = l.vote, true
		}
		if changed {
			send(s, in...)
		}
	}
	leader := in[slices.IndexFunc(in, func(s *legalServer) bool { return s.id == in[0].vote.Leader })]
	for _, s := range in {
		w.join(s, leader, s.round, s.vote)
	}
	return leader
}

// join lets a server decide and take its role.
func (w *legal) join(s, leader *legalServer, round int64, v Vote) {
	s.state = ensemble.Following
	switch {
	case s == leader:
		s.state = ensemble.Leading
	case !s.voter:
		s.state = ensemble.Observing
	}
	s.leader, s.acked, s.firstRole = leader, -1, s.accepted
	w.event(s, Event{Kind: Decide, Round: round, Vote: &v, State: s.state})
	w.event(s, Event{Kind: RoleChange, State: s.state, Peer: leader.id})
}

// admit lets a latecomer find the leader that is there, and join it.
func (w *legal) admit(s, leader *legalServer, epoch ensemble.Epoch) {
	if !s.up || s.state != ensemble.Looking {
		return
	}
	w.sync(s)
	s.round++
	own := s.claim()
	if !s.voter {
		own = Vote{Leader: ensemble.NoServer, Zxid: ensemble.NoZxid, Epoch: ensemble.NoEpoch}
	}
	word := Vote{Leader: leader.id, Zxid: 1, Epoch: epoch}
	for _, u := range w.servers {
		if u.voter && u != s {
			w.event(s, Event{Kind: VoteSend, Peer: u.id, Round: s.round, Vote: &own, State: ensemble.Looking, Unsure: s.unsure})
		}
	}
	for _, u := range w.servers {
		if u.voter && u.serving {
			w.event(u, Event{Kind: VoteSend, Peer: s.id, Round: leader.round, Vote: &word, State: u.state})
			w.event(s, Event{Kind: VoteRecv, Peer: u.id, Round: leader.round, Vote: &word, State: u.state})
		}
	}
	if !w.view.HasQuorum(func(id ensemble.ServerID) bool { return w.servers[id-1].serving }) {
		return
	}
	w.join(s, leader, leader.round, word)
	s.round = max(s.round, leader.round)
	if s.accepted > epoch {
		return
	}
	w.promise(s, leader, epoch)
	if w.synchronize(s, leader, epoch) {
		w.serve(s, epoch)
	}
}
