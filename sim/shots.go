package sim

import (
	"bytes"
	"time"

	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// shots are the snapshots that a process takes of its own state.
type shots struct {
	since, next int
	writing     bool
	transfers   int // snapshots being sent
}

// applied begins a snapshot when it is time and none is being written.
func (s *shots) applied(p *proc, n int) {
	s.since += n
	if s.since < s.next || s.writing {
		return
	}
	snap, err := p.machine.Snapshot()
	if err != nil {
		p.w.broken("V7", "a state can be captured", p.h.id, "server %d: %v", p.h.id, err)
	}
	at := p.applier.position
	s.since, s.next, s.writing = 0, p.w.cfg.SnapshotTxns/2+p.h.rng.IntN(max(1, p.w.cfg.SnapshotTxns/2)), true
	ev := check.Event{Node: p.h.id, Life: p.life, Kind: check.SnapSave, Zxid: at.Zxid, Chain: at.Chain}
	if d, ok := p.machine.(Digester); ok {
		_, ev.Digest = d.TreeDigest()
	}
	known := p.applier.serving // before that it may not know the membership, which is in the tree
	p.after(p.some(50*time.Millisecond), func() { p.shoot(at, snap, ev, known) })
}

// shoot writes a captured state; transactions have been applied since.
func (p *proc) shoot(at zab.Position, snap zab.Snapshot, ev check.Event, known bool) {
	defer snap.Release()
	var content bytes.Buffer
	if _, err := snap.WriteTo(&content); err != nil {
		p.w.broken("T2", "a captured state can be written", p.h.id, "server %d: %v", p.h.id, err)
	}
	w, err := p.store.CreateSnapshot(at)
	if err == nil {
		_, err = w.Write(content.Bytes())
		if err != nil {
			_ = w.Abort()
		}
	}
	if err != nil {
		p.shotFailed(err)
		return
	}
	if ev.Digest2 = p.shadow(content.Bytes()); ev.Digest != ev.Digest2 {
		p.w.broken("T2", "restoring a snapshot gives its state", p.h.id, "server %d: snapshot at %v: digest %x restored, %x captured",
			p.h.id, at.Zxid, ev.Digest2, ev.Digest)
	}
	if !known {
		ev.Digest, ev.Digest2 = 0, 0
	}
	p.after(p.latency(), func() { p.shot(w, ev) })
}

// shadow restores a snapshot into a machine that nobody uses and returns its
// digest; 0 if it has none.
func (p *proc) shadow(content []byte) uint64 {
	m := p.newMachine()
	if err := m.Restore(bytes.NewReader(content)); err != nil {
		p.w.broken("T2", "every snapshot can be restored", p.h.id, "server %d: %v", p.h.id, err)
	}
	if d, ok := m.(Digester); ok {
		_, sum := d.TreeDigest()
		return sum
	}
	return 0
}

func (p *proc) shot(w *storage.SnapshotWriter, ev check.Event) {
	p.shots.writing = false
	if err := w.Commit(); err != nil {
		p.shotFailed(err)
		return
	}
	p.w.report.Snapshots++
	p.w.emit(&ev)
	if p.shots.transfers > 0 {
		return
	}
	base, err := p.store.Purge()
	if err != nil {
		p.shotFailed(err)
		return
	}
	p.step(zab.Purged{Base: base})
}

// shotFailed lets a failed snapshot be: the log has everything.
func (p *proc) shotFailed(err error) {
	p.shots.writing = false
	ev := p.event(check.DiskError)
	ev.Text = "snapshot: " + err.Error()
	p.w.emit(ev)
	if p.h.cutPower(p) {
		return
	}
	if !p.h.faulty {
		p.w.broken("V7", "a healthy disk fails nobody", p.h.id, "server %d: snapshot: %v", p.h.id, err)
	}
	if p.store.Err() != nil {
		p.end()
	}
}
