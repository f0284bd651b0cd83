package sim

import (
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// batchMax is how many requests become one proposal at most.
const batchMax = 50

// proposer turns requests into transactions on the leader, as the goroutine of
// that name in package quorum.
type proposer struct {
	epoch   ensemble.Epoch // 0: not yet
	next    ensemble.Zxid
	queue   []zab.Entry
	planned bool
}

// beginTerm lets requests be prepared: the leadership is established and its
// history applied.
func (p *proc) beginTerm(epoch ensemble.Epoch) {
	p.propose.epoch, p.propose.next = epoch, ensemble.NewZxid(epoch, 1)
	if m, ok := p.machine.(zab.Preparer); ok {
		m.ResetPrepared()
	}
	p.prepareLater()
}

// request queues a request of this leadership.
func (p *proc) request(e zab.Entry) {
	p.propose.queue = append(p.propose.queue, e)
	p.prepareLater()
}

func (p *proc) prepareLater() {
	t := &p.propose
	if t.planned || t.epoch == 0 || len(t.queue) == 0 {
		return
	}
	t.planned = true
	role := p.role
	p.after(p.some(200*time.Microsecond), func() {
		if p.role == role {
			p.prepare()
		}
	})
}

// prepare makes transactions of requests. They reach the peer a little later:
// meanwhile the leadership may have ended.
func (p *proc) prepare() {
	t := &p.propose
	n := min(len(t.queue), batchMax)
	batch := t.queue[:n:n]
	t.queue = t.queue[n:]
	first := t.next
	machine, ok := p.machine.(zab.Preparer)
	for i := range batch {
		if ok {
			batch[i].Data = machine.Prepare(t.next, batch[i].Origin, batch[i].Data)
		}
		t.next++
	}
	p.after(p.some(100*time.Microsecond), func() {
		p.step(zab.Propose{First: first, Entries: batch})
		if !p.gone {
			p.propose.planned = false
			p.prepareLater()
		}
	})
}
