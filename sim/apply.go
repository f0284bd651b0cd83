package sim

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
)

// The applier's commands, in the order in which the protocol decided them.
type (
	applyUpTo ensemble.Zxid
	enterRole struct {
		role    zab.Role
		waiting *waiting
		count   int
	}
	leaveRole   struct{ waiting *waiting }
	pointPassed struct {
		tag  uint64
		upTo ensemble.Zxid
	}
	restoreState struct{ install *installReceived }
	captureState struct {
		done func(zab.Position, zab.Snapshot)
	}
)

// applier is what package quorum has a goroutine for: the one that touches the
// applied state.
type applier struct {
	commands []any
	position zab.Position
	waiting  *waiting // of the role that is entered
	planned  bool
	serving  bool
}

func (p *proc) command(c any) {
	p.applier.commands = append(p.applier.commands, c)
	p.applyLater()
}

func (p *proc) applyLater() {
	if p.applier.planned || len(p.applier.commands) == 0 {
		return
	}
	p.applier.planned = true
	d := p.some(300 * time.Microsecond)
	if p.h.rng.IntN(64) == 0 {
		d = p.some(20 * time.Millisecond) // somebody else had the processor
	}
	p.after(d, p.apply)
}

// apply carries out commands until one has to wait for the log.
func (p *proc) apply() {
	a := &p.applier
	a.planned = false
	for len(a.commands) > 0 {
		if !p.execute(a.commands[0]) || p.gone {
			return
		}
		a.commands[0] = nil
		a.commands = a.commands[1:]
	}
}

// execute carries out a command. It reports false when it must be tried again
// after the log has grown.
func (p *proc) execute(cmd any) bool {
	a := &p.applier
	switch c := cmd.(type) {
	case applyUpTo:
		return p.applyLog(ensemble.Zxid(c))
	case enterRole:
		a.waiting, a.serving = c.waiting, true
		if o, ok := p.machine.(zab.RoleObserver); ok {
			o.RoleChanged(c.role)
		}
		if c.role.State == ensemble.Leading && c.count == p.role {
			p.beginTerm(c.role.Epoch)
		}
		c.waiting.open = !c.waiting.over
	case leaveRole:
		a.serving = false
		if o, ok := p.machine.(zab.RoleObserver); ok {
			o.RoleChanged(zab.Role{State: ensemble.Looking, Leader: ensemble.NoServer})
		}
		c.waiting.fail()
	case pointPassed:
		if a.waiting == nil || a.waiting.syncs[c.tag] == nil {
			return true
		}
		if !p.applyLog(c.upTo) {
			return false
		}
		a.waiting.passed(c.tag)
	case captureState:
		snap, err := p.machine.Snapshot()
		if err != nil {
			p.w.broken("V7", "a state can be captured", p.h.id, "server %d: %v", p.h.id, err)
		}
		c.done(a.position, snap)
	case restoreState:
		p.restore(c.install)
	default:
		panic(fmt.Sprintf("sim: command %T", cmd))
	}
	return true
}

// applyLog applies the log up to a zxid, or as far as it goes.
func (p *proc) applyLog(upTo ensemble.Zxid) bool {
	a := &p.applier
	for a.position.Zxid < upTo {
		txns, err := p.store.Read(a.position.Zxid, readBytesMax)
		if err != nil {
			p.diskFailed("read", err)
			return false
		}
		n := 0
		for n < len(txns) && txns[n].Zxid <= upTo {
			n++
		}
		if n == 0 && len(txns) > 0 {
			p.w.broken("B10", "a log has no holes", p.h.id, "server %d: %v is committed, and its log goes on with %v behind %v",
				p.h.id, upTo, txns[0].Zxid, a.position.Zxid)
		}
		if n == 0 {
			return false
		}
		for _, t := range txns[:n] {
			p.deliver(t)
			if p.gone {
				return false
			}
		}
		p.shots.applied(p, n)
	}
	return true
}

func (p *proc) deliver(t zab.Txn) {
	a := &p.applier
	result := p.machine.Apply(t)
	a.position = zab.Position{Zxid: t.Zxid, Chain: t.Chain}
	ev := p.event(check.Delivered)
	ev.Zxid, ev.Chain = t.Zxid, t.Chain
	// Before it serves a server does not know the membership, which is in the tree.
	if d, ok := p.machine.(Digester); ok && a.serving && t.Zxid.Counter()%digestEvery == 0 {
		_, ev.Digest = d.TreeDigest()
	}
	p.w.emit(ev)
	if t.Origin.Server == p.h.id && a.waiting != nil {
		a.waiting.complete(t.Origin.Tag, result)
	}
}

// restore makes a received snapshot the history, or reads the one that is there.
func (p *proc) restore(install *installReceived) {
	if install != nil {
		if err := p.store.Install(install.snapshot); err != nil {
			p.diskFailed("install", err)
			return
		}
		ev := p.event(check.SnapInstall)
		ev.Zxid, ev.Chain = install.At.Zxid, install.At.Chain
		p.w.emit(ev)
	}
	if err := p.load(); err != nil {
		p.diskFailed("restore", err)
		return
	}
	if install != nil {
		done := zab.Installed(install.Install)
		p.after(0, func() { p.diskDone(done) })
	}
}

func (p *proc) load() error {
	if p.store.Snapshot().Zxid == 0 {
		return nil
	}
	at, r, err := p.store.OpenSnapshot()
	if err != nil {
		return err
	}
	err = p.machine.Restore(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	p.applier.position = at
	p.shots.since = 0
	return err
}
