package sim

import (
	"errors"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
)

// Dialing, as in package quorum.
const (
	redialWait  = 20 * time.Millisecond // doubles
	redialsMax  = 5
	acceptWait  = time.Second
	dialTimeout = 600 * time.Millisecond
)

// dial connects to the leader, or finds that it cannot.
func (p *proc) dial(leader ensemble.ServerID, attempt int) {
	role := p.role
	begun := p.w.now
	failed := func() {
		if p.role != role {
			return
		}
		if attempt == redialsMax {
			p.step(zab.Unreachable{Peer: leader, Err: errors.New("no answer")})
			return
		}
		p.after(redialWait<<attempt, func() {
			if p.role == role {
				p.dial(leader, attempt+1)
			}
		})
	}
	var try func()
	try = func() {
		h := p.w.host(leader)
		switch {
		case p.role != role:
		case !p.w.net.reaches(quorumPort, p.h.id, leader) || h.paused:
			p.after(dialTimeout, failed)
		case !h.alive():
			p.after(p.w.net.some(), failed)
		case h.proc.state != ensemble.Leading:
			if p.w.now-begun > acceptWait { // it had been let in as far as the door
				p.step(zab.LinkDown{Peer: leader, Err: errors.New("the connection is closed")})
				return
			}
			p.after(10*time.Millisecond, try)
		default:
			p.connect(h.proc, failed)
		}
	}
	p.after(p.w.net.some(), try)
}

// connect joins two processes by a stream. The leader learns of it first.
func (p *proc) connect(leader *proc, failed func()) {
	s := &stream{open: true}
	mine := &end{p: p, peer: leader.h.id, stream: s, role: p.role}
	theirs := &end{p: leader, peer: p.h.id, stream: s, learner: true, role: leader.role}
	mine.other, theirs.other = theirs, mine
	leader.after(leader.w.net.some(), func() {
		if !s.open || leader.role != theirs.role || leader.state != ensemble.Leading {
			p.after(p.w.net.some(), failed)
			return
		}
		if old := leader.links[p.h.id]; old != nil {
			delete(leader.links, p.h.id)
			old.close(true)
		}
		leader.links[p.h.id] = theirs
		leader.linkEvent(check.LinkUp, p.h.id)
		leader.step(zab.LinkUp{Peer: p.h.id})
		p.after(p.w.net.some(), func() {
			if p.role != mine.role || p.links[mine.peer] != nil {
				mine.close(true)
				return
			}
			p.links[mine.peer] = mine
			p.linkEvent(check.LinkUp, mine.peer)
			p.step(zab.LinkUp{Peer: mine.peer})
			if !s.open {
				mine.hangUp()
			}
		})
	})
}
