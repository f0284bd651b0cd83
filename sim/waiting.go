package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/zab"
)

// waiting holds what waits for an outcome while a role lasts.
type waiting struct {
	open, over bool
	telling    bool // the goroutine that applies is calling back
	writes     map[uint64]func(any, error)
	syncs      map[uint64]func(error)
	asks       map[uint64]func([]byte, error)
}

func newWaiting() *waiting {
	return &waiting{writes: map[uint64]func(any, error){}, syncs: map[uint64]func(error){}, asks: map[uint64]func([]byte, error){}}
}

func (w *waiting) complete(tag uint64, result any) {
	if done := w.writes[tag]; done != nil {
		delete(w.writes, tag)
		w.tell(func() { done(result, nil) })
	}
}

// tell calls back as the goroutine that applies does.
func (w *waiting) tell(f func()) {
	w.telling = true
	f()
	w.telling = false
}

func (w *waiting) passed(tag uint64) {
	if done := w.syncs[tag]; done != nil {
		delete(w.syncs, tag)
		w.tell(func() { done(nil) })
	}
}

func (w *waiting) answer(tag uint64, data []byte) {
	if done := w.asks[tag]; done != nil {
		delete(w.asks, tag)
		done(data, nil)
	}
}

// fail ends everything that waits; nobody knows its outcome.
func (w *waiting) fail() {
	w.open, w.over = false, true
	writes, syncs, asks := w.writes, w.syncs, w.asks
	w.writes, w.syncs, w.asks = nil, nil, nil
	for _, tag := range slices.Sorted(maps.Keys(writes)) {
		writes[tag](nil, quorum.ErrOutcomeUnknown)
	}
	for _, tag := range slices.Sorted(maps.Keys(syncs)) {
		syncs[tag](quorum.ErrOutcomeUnknown)
	}
	for _, tag := range slices.Sorted(maps.Keys(asks)) {
		asks[tag](nil, quorum.ErrOutcomeUnknown)
	}
}

// Submit hands a request to the leader, as quorum.Node does. There it may wait until
// others are done, so whoever is told of one must not call it.
func (p *proc) Submit(request []byte, done func(any, error)) {
	w := p.waiting
	if w.telling {
		panic("sim: Submit is called by the goroutine that applies, for which it may wait: see quorum.Node.Submit")
	}
	if !w.open {
		done(nil, quorum.ErrNotServing)
		return
	}
	p.tag++
	w.writes[p.tag] = done
	if p.state == ensemble.Leading {
		p.request(zab.Entry{Origin: zab.Origin{Server: p.h.id, Tag: p.tag}, Data: request})
		return
	}
	p.send(p.leader, item{packet: &zab.Packet{Type: zab.Request, ID: p.tag, Data: request}})
}

// Sync waits for a point that a quorum confirms.
func (p *proc) Sync(done func(error)) {
	w := p.waiting
	if !w.open {
		done(quorum.ErrNotServing)
		return
	}
	p.tag++
	w.syncs[p.tag] = done
	if p.state == ensemble.Leading {
		role, in := p.role, zab.SyncRequest{From: p.h.id, ID: p.tag}
		p.after(p.some(100*time.Microsecond), func() {
			if p.role == role {
				p.step(in)
			}
		})
		return
	}
	p.send(p.leader, item{packet: &zab.Packet{Type: zab.Sync, ID: p.tag}})
}

// Ask puts a question to the leader's state machine.
func (p *proc) Ask(question []byte, done func([]byte, error)) {
	w := p.waiting
	if !w.open {
		done(nil, quorum.ErrNotServing)
		return
	}
	p.tag++
	w.asks[p.tag] = done
	if p.state == ensemble.Leading {
		talk, ok := p.machine.(zab.Conversation)
		if !ok {
			w.fail()
			return
		}
		tag := p.tag
		p.question(func() { w.answer(tag, talk.Answer(p.h.id, question)) })
		return
	}
	p.send(p.leader, item{packet: &zab.Packet{Type: zab.Revalidate, ID: p.tag, Data: question}})
}

// Status says what the replication knows of itself.
func (p *proc) Status() zab.Status {
	var s zab.Status
	p.peer.Describe(&s)
	s.Applied = p.applier.position
	return s
}

// View returns the ensemble.
func (p *proc) View() *ensemble.View { return p.w.view }
