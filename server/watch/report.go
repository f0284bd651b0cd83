package watch

import (
	"cmp"
	"maps"
	"slices"
)

// Watches returns the number of watches: a path watched by one watcher in both
// tables counts as two.
func (m *Manager[K]) Watches() int { return m.watches }

// Paths returns the number of paths with at least one watch.
func (m *Manager[K]) Paths() int { return len(m.byPath) }

// Watchers returns the number of watchers with at least one watch.
func (m *Manager[K]) Watchers() int { return len(m.byKey) }

// Summary is what wchs tells: of the data table only, as ZooKeeper's.
type Summary struct {
	Watchers, Paths, Watches int
}

// DataSummary counts the watches of the data table.
func (m *Manager[K]) DataSummary() Summary {
	return Summary{Watchers: m.dataWatchers, Paths: m.dataPaths, Watches: m.dataWatches}
}

// PathsOf returns the paths that the watcher watches, sorted.
func (m *Manager[K]) PathsOf(key K) []string {
	w := m.byKey[key]
	if w == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(w.paths))
}

// Watching is a watcher with the paths that it watches in the data table.
type Watching[K comparable] struct {
	Key   K
	Paths []string // sorted
}

// DataByWatcher lists the data table by watcher, who came first first: wchc.
func (m *Manager[K]) DataByWatcher() []Watching[K] {
	var list []Watching[K]
	watchers := slices.SortedFunc(maps.Values(m.byKey), func(a, b *watcher[K]) int { return cmp.Compare(a.seq, b.seq) })
	for _, w := range watchers {
		if w.data == 0 {
			continue
		}
		x := Watching[K]{Key: w.key, Paths: make([]string, 0, w.data)}
		for path := range w.paths {
			if m.at(path)[w].data != 0 {
				x.Paths = append(x.Paths, path)
			}
		}
		slices.Sort(x.Paths)
		list = append(list, x)
	}
	return list
}

// Watched is a path with those who watch it in the data table.
type Watched[K comparable] struct {
	Path string
	Keys []K // who came first first
}

// DataByPath lists the data table by path, sorted: wchp.
func (m *Manager[K]) DataByPath() []Watched[K] {
	list := make([]Watched[K], 0, m.dataPaths)
	for _, path := range slices.Sorted(maps.Keys(m.byPath)) {
		at := m.byPath[path]
		if at.data == 0 {
			continue
		}
		hit := make([]*watcher[K], 0, at.data)
		for w, have := range at.by {
			if have.data != 0 {
				hit = append(hit, w)
			}
		}
		slices.SortFunc(hit, func(a, b *watcher[K]) int { return cmp.Compare(a.seq, b.seq) })
		x := Watched[K]{Path: path}
		for _, w := range hit {
			x.Keys = append(x.Keys, w.key)
		}
		list = append(list, x)
	}
	return list
}
