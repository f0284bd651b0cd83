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
	queue   []wish
	planned bool
}

// wish is a request, or a question that is answered when all requests that came
// before it have been prepared.
type wish struct {
	entry    zab.Entry
	question func()
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
	p.propose.queue = append(p.propose.queue, wish{entry: e})
	p.prepareLater()
}

// question has a question answered in its turn.
func (p *proc) question(answer func()) {
	p.propose.queue = append(p.propose.queue, wish{question: answer})
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
	first := t.next
	machine, ok := p.machine.(zab.Preparer)
	var entries []zab.Entry
	for len(t.queue) > 0 && len(entries) < batchMax {
		w := t.queue[0]
		if w.question != nil && len(entries) > 0 {
			break
		}
		t.queue = t.queue[1:]
		if w.question != nil {
			w.question()
			continue
		}
		if ok {
			w.entry.Data = machine.Prepare(t.next, w.entry.Origin, w.entry.Data)
		}
		t.next++
		entries = append(entries, w.entry)
		if p.h.rng.IntN(8) == 0 {
			break // somebody else had the processor
		}
	}
	p.after(p.some(100*time.Microsecond), func() {
		if len(entries) > 0 {
			p.step(zab.Propose{First: first, Entries: entries})
		}
		if !p.gone {
			p.propose.planned = false
			p.prepareLater()
		}
	})
}
