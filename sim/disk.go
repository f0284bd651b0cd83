package sim

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// writeTime is what a write and its fsync take at most on a healthy disk.
const writeTime = 3 * time.Millisecond

// disk is what a process asks of its disk, one thing at a time, in order.
type disk struct {
	queue    []zab.Effect
	busy     bool
	incoming *storage.SnapshotWriter // received whole, waiting for its Install
}

// installReceived is an Install with the snapshot that it is about.
type installReceived struct {
	zab.Install
	snapshot *storage.SnapshotWriter
}

func (p *proc) toDisk(e zab.Effect) {
	p.disk.queue = append(p.disk.queue, e)
	p.diskLater()
}

// diskLater goes on with the queue, when the disk comes to it.
func (p *proc) diskLater() {
	if p.disk.busy || len(p.disk.queue) == 0 {
		return
	}
	p.disk.busy = true
	p.after(p.some(200*time.Microsecond), p.diskNext)
}

// latency is how long the disk takes now.
func (p *proc) latency() time.Duration { return p.h.slow + p.some(writeTime) }

// diskNext begins what is first in the queue. Appends are written together and
// synced once.
func (p *proc) diskNext() {
	if p.h.stuck {
		p.after(50*time.Millisecond, p.diskNext)
		return
	}
	switch p.disk.queue[0].(type) {
	case zab.Append:
		p.append()
	default:
		p.after(p.latency(), p.diskChange)
	}
}

// append writes all appends that are first in the queue; the sync follows.
func (p *proc) append() {
	n := 0
	var last zab.Append
	for _, e := range p.disk.queue {
		a, ok := e.(zab.Append)
		if !ok {
			break
		}
		if err := p.store.Append(a.Txns, a.Committed); err != nil {
			p.diskFailed("append", err)
			return
		}
		ev := p.event(check.LogAppend)
		ev.Log = p.w.stretch(a.Txns)
		p.w.emit(ev)
		last = a
		n++
	}
	p.disk.queue = p.disk.queue[n:]
	p.applyLater()
	p.pumpAll()
	p.after(p.latency(), func() { p.synced(last) })
}

func (p *proc) synced(last zab.Append) {
	if p.h.stuck || p.h.unsynced {
		p.after(10*time.Millisecond, func() { p.synced(last) })
		return
	}
	if err := p.store.Sync(); err != nil {
		p.diskFailed("sync", err)
		return
	}
	ev := p.event(check.LogDurable)
	ev.Zxid = last.Txns[len(last.Txns)-1].Zxid
	p.w.emit(ev)
	p.diskDone(zab.Durable{Ticket: last.Ticket})
}

// diskDone reports to the peer and goes on.
func (p *proc) diskDone(in zab.Input) {
	p.disk.busy = false
	p.diskLater()
	p.step(in)
}

// diskChange does what is first in the queue and no append.
func (p *proc) diskChange() {
	if p.h.stuck {
		p.after(50*time.Millisecond, p.diskChange)
		return
	}
	first := p.disk.queue[0]
	if _, ok := first.(installReceived); ok && p.shots.writing {
		p.after(time.Millisecond, p.diskChange) // one snapshot at a time
		return
	}
	p.disk.queue = p.disk.queue[1:]
	switch e := first.(type) {
	case zab.SaveEpochs:
		if err := p.store.SaveEpochs(e.Epochs); err != nil {
			p.diskFailed("save epochs", err)
			return
		}
		ev := p.event(check.EpochsDurable)
		ev.Accepted, ev.Current, ev.Unsure = e.Epochs.Accepted, e.Epochs.Current, e.Epochs.Unsure
		p.w.emit(ev)
		p.diskDone(zab.Durable{Ticket: e.Ticket})
	case zab.Truncate:
		p.truncate(e)
	case installReceived:
		p.command(restoreState{install: &e})
	default:
		panic(fmt.Sprintf("sim: disk effect %T", first))
	}
}

func (p *proc) truncate(e zab.Truncate) {
	to, err := p.positionOf(e.To)
	if err == nil {
		err = p.store.Truncate(to)
	}
	if err != nil {
		p.diskFailed("truncate", err)
		return
	}
	ev := p.event(check.LogTruncate)
	ev.Zxid, ev.Chain = to.Zxid, to.Chain
	p.w.emit(ev)
	p.diskDone(zab.Truncated{Ticket: e.Ticket, Last: to})
}

// positionOf finds the chain at a zxid of the log.
func (p *proc) positionOf(z ensemble.Zxid) (zab.Position, error) {
	shape := p.store.Shape()
	if shape.Base.Zxid == z {
		return shape.Base, nil
	}
	for pos := shape.Base.Zxid; ; {
		txns, err := p.store.Read(pos, readBytesMax)
		if err != nil {
			return zab.Position{}, err
		}
		if len(txns) == 0 {
			return zab.Position{}, fmt.Errorf("the log %v does not have %v", shape, z)
		}
		for _, t := range txns {
			if t.Zxid == z {
				return zab.Position{Zxid: z, Chain: t.Chain}, nil
			}
		}
		pos = txns[len(txns)-1].Zxid
	}
}

// diskFailed ends the process: a disk that failed once is not trusted again.
func (p *proc) diskFailed(what string, err error) {
	ev := p.event(check.DiskError)
	ev.Text = what + ": " + err.Error()
	p.w.emit(ev)
	if p.h.cutPower(p) {
		return
	}
	if !p.h.faulty {
		p.w.broken("V7", "a healthy disk fails nobody", p.h.id, "server %d: %s: %v", p.h.id, what, err)
	}
	p.end()
}
