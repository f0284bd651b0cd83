package gossip

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/quorate/quorate/ensemble"
)

// delegate is what memberlist calls, mostly with its own lock held: nothing here
// may wait for anything or call memberlist.
type delegate struct{ g *Gossip }

// nodeName is a server's name in memberlist. The ensemble is part of it, so that
// what one ensemble says of the life of its servers means nothing in another.
func nodeName(name string, sid ensemble.ServerID) string { return sid.String() + "@" + name }

func sidOf(name string) (ensemble.ServerID, bool) {
	number, _, ok := strings.Cut(name, "@")
	n, err := strconv.ParseInt(number, 10, 64)
	return ensemble.ServerID(n), ok && err == nil && n >= 0
}

func addrOf(n *memberlist.Node) string {
	return net.JoinHostPort(n.Addr.String(), strconv.Itoa(int(n.Port)))
}

// admit decodes what a node announces and finds the reason, if any, to refuse it.
func (d *delegate) admit(n *memberlist.Node) (Meta, error) {
	m, err := decodeMeta(n.Meta)
	switch {
	case err != nil:
		return m, err
	case m.Ensemble != d.g.cfg.Ensemble:
		return m, fmt.Errorf("it is of ensemble %q, this server of %q", m.Ensemble, d.g.cfg.Ensemble)
	case n.Name != nodeName(m.Ensemble, m.Sid):
		return m, fmt.Errorf("it calls itself %q and announces sid %d", n.Name, m.Sid)
	}
	return m, d.g.table.room(m.Sid, time.Now())
}

// NotifyAlive implements memberlist.AliveDelegate: an error keeps the node out.
func (d *delegate) NotifyAlive(n *memberlist.Node) error {
	_, err := d.admit(n)
	if err != nil {
		d.g.words.refused(addrOf(n), err.Error())
	}
	return err
}

// NotifyMerge implements memberlist.MergeDelegate: an error ends the join, on both
// sides, before anything is learned from it.
func (d *delegate) NotifyMerge(nodes []*memberlist.Node) error {
	for _, n := range nodes {
		m, err := decodeMeta(n.Meta)
		if err == nil && m.Ensemble != d.g.cfg.Ensemble {
			_, err = d.admit(n)
			return err
		}
	}
	return nil
}

// NotifyConflict implements memberlist.ConflictDelegate.
func (d *delegate) NotifyConflict(existing, other *memberlist.Node) {
	if sid, ok := sidOf(existing.Name); ok {
		d.g.words.conflict(sid, addrOf(existing), addrOf(other))
	}
}

// NotifyJoin implements memberlist.EventDelegate.
func (d *delegate) NotifyJoin(n *memberlist.Node) { d.heard(n) }

// NotifyUpdate implements memberlist.EventDelegate.
func (d *delegate) NotifyUpdate(n *memberlist.Node) { d.heard(n) }

func (d *delegate) heard(n *memberlist.Node) {
	m, err := d.admit(n)
	if err != nil {
		return // NotifyAlive has refused it already
	}
	if d.g.table.put(Member{Meta: m.located(n.Addr), Alive: true, Gossip: addrOf(n)}, time.Now()) {
		d.g.changed()
	}
	if m.ViewVersion > d.g.table.version() {
		poke(d.g.stale)
	}
}

// NotifyLeave implements memberlist.EventDelegate: the node is dead, or has said
// that it leaves.
func (d *delegate) NotifyLeave(n *memberlist.Node) {
	sid, ok := sidOf(n.Name)
	if ok && d.g.table.bury(sid, time.Now()) {
		d.g.suspect(sid)
		d.g.changed()
	}
}

// NodeMeta implements memberlist.Delegate.
func (d *delegate) NodeMeta(limit int) []byte {
	d.g.mu.Lock()
	defer d.g.mu.Unlock()
	if len(d.g.blob) > limit {
		return nil
	}
	return d.g.blob
}

// LocalState implements memberlist.Delegate.
func (d *delegate) LocalState(bool) []byte {
	k := knowledge{ensemble: d.g.cfg.Ensemble}
	if v := d.g.table.newest(); v != nil {
		k.view = v.String()
	}
	b, err := seal(&k)
	if err != nil {
		return nil // cannot happen: it is written to memory
	}
	return b
}

// MergeRemoteState implements memberlist.Delegate.
func (d *delegate) MergeRemoteState(b []byte, _ bool) {
	var k knowledge
	if err := unseal(b, &k); err != nil {
		d.g.words.log(fmt.Sprintf("exchange: %v", err))
		return
	}
	if k.ensemble != d.g.cfg.Ensemble || k.view == "" {
		return
	}
	v, err := ensemble.ParseView(k.view)
	if err != nil {
		d.g.words.log(fmt.Sprintf("a view that was told is not understood: %v", err))
		return
	}
	if !d.g.table.learn(v) {
		return
	}
	d.g.changed()
	if err := d.g.revise(func(*Meta) {}); err != nil {
		d.g.words.log(fmt.Sprintf("announcing a view: %v", err))
	}
}

// NotifyMsg implements memberlist.Delegate; there are no user messages.
func (d *delegate) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (d *delegate) GetBroadcasts(int, int) [][]byte { return nil }
