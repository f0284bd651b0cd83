package znode

import "github.com/quorate/quorate/internal/mutant"

// mortals are the paths of the nodes that are deleted when nobody needs them any
// more: containers and nodes with a time to live. They have an order, though no
// particular one, so that they can be looked through in portions.
type mortals struct {
	paths []string
	at    map[string]int32
}

func mortal(owner int64) bool { return owner != 0 && sessionOwner(owner) == 0 }

func (m *mortals) add(path string) {
	if m.at == nil {
		m.at = map[string]int32{}
	}
	m.at[path] = int32(len(m.paths))
	m.paths = append(m.paths, path)
}

// remove puts the last one into the place of path: who goes through them
// downward misses none that was there from the beginning.
func (m *mortals) remove(path string) {
	at, last := m.at[path], len(m.paths)-1
	m.paths[at] = m.paths[last]
	m.at[m.paths[at]] = at
	m.paths[last] = ""
	m.paths = m.paths[:last]
	delete(m.at, path)
	if cap(m.paths) > 1024 && len(m.paths) < cap(m.paths)/4 {
		m.paths = append(make([]string, 0, 2*len(m.paths)), m.paths...)
	}
}

// Reap says when a node that has no children is to be deleted.
type Reap struct {
	// NowMillis is the time, since 1970, by the clock that transactions have.
	NowMillis int64
	// NeverUsedMillis is how long a container may wait for its first child; 0 is
	// for ever.
	NeverUsedMillis int64
}

// due reports whether a node is to be deleted (spec client-protocol 2.4, 2.5): a
// container that has had children, and a node whose time to live has passed since
// its data was written.
func (r *Reap) due(c *change) bool {
	age := r.NowMillis - c.mtime
	switch {
	case !c.exists || c.children > 0 || !mortal(c.owner):
		return false
	case c.owner != containerOwner:
		return age > c.owner&TTLMillisMax
	}
	return c.ccount != 0 || mutant.On(mutant.M42) || r.NeverUsedMillis > 0 && age > r.NeverUsedMillis
}

// Due looks at n containers and nodes with a time to live, those before number
// from, and appends to paths the ones that are to be deleted. It returns where
// to go on, and 0 when there are no more; begin with MortalCount.
func (t *Tree) Due(r Reap, from, n int, paths []string) (next int, due []string) {
	from = min(from, len(t.mortals.paths))
	next = max(from-n, 0)
	for i := from - 1; i >= next; i-- {
		path := t.mortals.paths[i]
		if c := changeOf(t.find(path)); r.due(&c) {
			paths = append(paths, path)
		}
	}
	return next, paths
}

// IsDue reports whether the node is to be deleted.
func (t *Tree) IsDue(r Reap, path string) bool {
	c := changeOf(t.find(path))
	return r.due(&c)
}

// MortalCount returns the number of containers and nodes with a time to live.
func (t *Tree) MortalCount() int { return len(t.mortals.paths) }

// TTLCount returns the number of nodes with a time to live.
func (t *Tree) TTLCount() int { return len(t.mortals.paths) - t.containers }
