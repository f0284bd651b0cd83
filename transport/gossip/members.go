package gossip

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/quorate/quorate/ensemble"
)

const (
	// forgetAfter is how long a dead server is still listed.
	forgetAfter = time.Hour
	// membersMax bounds the servers that are remembered; beyond it, new ones are
	// turned away.
	membersMax = 1024
)

// Member is a server that has been heard of.
type Member struct {
	Meta
	Alive bool      // no one holds it dead
	Since time.Time // when Alive became what it is, as this server saw it
	// Gossip is the host:port of its gossip; the host is an IP address.
	Gossip string
}

// QuorumAddrs returns where its quorum port may be found: as announced, and on
// the address that its gossip comes from, for those to whom the name means
// nothing.
func (m Member) QuorumAddrs() []string { return m.places(m.Quorum) }

// ElectionAddrs does for the election port what QuorumAddrs does for the other.
func (m Member) ElectionAddrs() []string { return m.places(m.Election) }

func (m Member) places(announced string) []string {
	ep, err := splitAddress(announced)
	if err != nil {
		return nil
	}
	list := []string{announced}
	if from, err := splitAddress(m.Gossip); err == nil {
		ep.host = from.host
		if s := ep.String(); s != announced {
			list = append(list, s)
		}
	}
	return list
}

// table is what this server knows.
type table struct {
	mu      sync.Mutex
	members map[ensemble.ServerID]Member
	view    *ensemble.View
}

var errFull = errors.New("more than " + strconv.Itoa(membersMax) + " servers are known already")

// put books what a node announces; it reports whether that changed anything.
func (t *table) put(m Member, now time.Time) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, known := t.members[m.Sid]
	m.Since = now
	if known && old.Alive == m.Alive {
		m.Since = old.Since
	}
	t.members[m.Sid] = m
	return !known || old.Alive != m.Alive || old.Meta != m.Meta || old.Gossip != m.Gossip
}

// bury marks a server dead, and reports whether it was alive.
func (t *table) bury(sid ensemble.ServerID, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, known := t.members[sid]
	if !known || !m.Alive {
		return false
	}
	m.Alive, m.Since = false, now
	t.members[sid] = m
	return true
}

// room reports errFull if sid is new and there is no room for it.
func (t *table) room(sid ensemble.ServerID, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.members[sid]; known || len(t.members) < membersMax {
		return nil
	}
	t.forget(now)
	if len(t.members) < membersMax {
		return nil
	}
	return errFull
}

func (t *table) forget(now time.Time) {
	for sid, m := range t.members {
		if !m.Alive && now.Sub(m.Since) > forgetAfter {
			delete(t.members, sid)
		}
	}
}

func (t *table) list(now time.Time) []Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	list := make([]Member, 0, len(t.members))
	for _, m := range t.members {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Member) int { return cmp.Compare(a.Sid, b.Sid) })
	return list
}

func (t *table) get(sid ensemble.ServerID) (Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.members[sid]
	return m, ok
}

// learn takes v if it is newer than the view known.
func (t *table) learn(v *ensemble.View) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v == nil || t.view != nil && v.Version() <= t.view.Version() {
		return false
	}
	t.view = v
	return true
}

// replace takes v unless a newer one is known.
func (t *table) replace(v *ensemble.View) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v == nil || t.view != nil && v.Version() < t.view.Version() {
		return false
	}
	changed := t.view == nil || t.view.String() != v.String()
	t.view = v
	return changed
}

// version is that of the newest view known, -1 if there is none.
func (t *table) version() int64 {
	if v := t.newest(); v != nil {
		return v.Version()
	}
	return -1
}

func (t *table) newest() *ensemble.View {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.view
}

// voter makes the server.N line that a participant's announcement amounts to.
func (m Member) voter() (ensemble.Member, bool) {
	q, qerr := splitAddress(m.Quorum)
	e, eerr := splitAddress(m.Election)
	if m.Observer || qerr != nil || eerr != nil || q.host != e.host || q.port == 0 || e.port == 0 {
		return ensemble.Member{}, false
	}
	return ensemble.Member{
		ID:     m.Sid,
		Addrs:  []ensemble.Addr{{Host: q.host, QuorumPort: q.port, ElectionPort: e.port}},
		Client: m.Client, Weight: 1,
	}, true
}
