package watch

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/quorate/quorate/server/proto"
)

// ErrLimit says that a watcher has as many watches as the Manager allows.
var ErrLimit = errors.New("watch: too many watches on one connection")

// mode is a set of modes in which a watcher watches a path in one table.
type mode uint8

const (
	standard mode = 1 << iota
	persistent
	recursive
)

// modes are a watcher's modes at one path.
type modes struct{ data, child mode }

func (m modes) empty() bool { return m.data == 0 && m.child == 0 }

// tables returns in how many of the two tables the watcher is.
func (m modes) tables() int {
	n := 0
	if m.data != 0 {
		n++
	}
	if m.child != 0 {
		n++
	}
	return n
}

// watcher is a registered key with the paths it watches.
type watcher[K comparable] struct {
	key     K
	seq     uint64 // order of first registration
	watches int    // sum of tables() over paths
	paths   map[string]struct{}
}

// Manager holds the watches of all connections of a server. It is not safe for
// concurrent use. Use New to make one.
type Manager[K comparable] struct {
	perWatcherMax int
	seq           uint64
	watches       int
	recursives    int // entries with mode recursive
	byPath        map[string]map[*watcher[K]]modes
	byKey         map[K]*watcher[K]
}

// New returns an empty Manager that allows each watcher perWatcherMax watches
// (a path watched in both tables counts as two); 0 is no limit.
func New[K comparable](perWatcherMax int) *Manager[K] {
	return &Manager[K]{
		perWatcherMax: perWatcherMax,
		byPath:        map[string]map[*watcher[K]]modes{},
		byKey:         map[K]*watcher[K]{},
	}
}

// AddData arms a one-shot watch in the data table: exists (present or absent)
// and getData. Adding what is there already changes nothing. The error is
// ErrLimit or nil.
func (m *Manager[K]) AddData(key K, path string) error {
	return m.add(key, path, modes{data: standard})
}

// AddChild arms a one-shot watch in the child table: getChildren.
func (m *Manager[K]) AddChild(key K, path string) error {
	return m.add(key, path, modes{child: standard})
}

// AddPersistent arms a watch in both tables that stays until it is removed.
func (m *Manager[K]) AddPersistent(key K, path string) error {
	return m.add(key, path, modes{data: persistent, child: persistent})
}

// AddRecursive arms a watch in the data table that stays until it is removed
// and also hears of everything below path.
func (m *Manager[K]) AddRecursive(key K, path string) error {
	return m.add(key, path, modes{data: recursive})
}

// canonical makes one path of the two names of the root.
func canonical(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func (m *Manager[K]) add(key K, path string, add modes) error {
	path = canonical(path)
	w := m.byKey[key]
	var old modes
	if w != nil {
		old = m.byPath[path][w]
	}
	now := modes{old.data | add.data, old.child | add.child}
	if now == old {
		return nil
	}
	grows := now.tables() - old.tables()
	if w == nil {
		w = &watcher[K]{key: key, seq: m.seq, paths: map[string]struct{}{}}
	}
	if m.perWatcherMax > 0 && grows > 0 && w.watches+grows > m.perWatcherMax {
		return ErrLimit
	}
	if m.byKey[key] == nil {
		m.byKey[key] = w
		m.seq++
	}
	m.set(w, path, old, now)
	return nil
}

// set replaces the modes of w at path and keeps all counts and both indexes.
func (m *Manager[K]) set(w *watcher[K], path string, old, now modes) {
	delta := now.tables() - old.tables()
	w.watches += delta
	m.watches += delta
	m.recursives += int(now.data&recursive)/int(recursive) - int(old.data&recursive)/int(recursive)
	at := m.byPath[path]
	if now.empty() {
		delete(at, w)
		delete(w.paths, path)
		if len(at) == 0 {
			delete(m.byPath, path)
		}
		if len(w.paths) == 0 {
			delete(m.byKey, w.key)
		}
		return
	}
	if at == nil {
		at = map[*watcher[K]]modes{}
		m.byPath[path] = at
	}
	if old.empty() {
		w.paths[path] = struct{}{}
	}
	at[w] = now
}

// Trigger appends to dst the watchers that must be told of the event, each
// once, and uses up their one-shot watches. The event they are told is t at
// path, also those that watch a node above path. Call it for each event of a
// change in turn.
func (m *Manager[K]) Trigger(dst []K, t proto.EventType, path string) []K {
	path = canonical(path)
	var hit []*watcher[K]
	switch t {
	case proto.EventNodeChildrenChanged:
		hit = m.fireChild(path, hit)
	case proto.EventNodeDeleted:
		hit = m.fireData(path, hit)
		hit = m.fireChild(path, hit)
	default:
		hit = m.fireData(path, hit)
	}
	slices.SortFunc(hit, func(a, b *watcher[K]) int { return cmp.Compare(a.seq, b.seq) })
	hit = slices.Compact(hit)
	for _, w := range hit {
		dst = append(dst, w.key)
	}
	return dst
}

func (m *Manager[K]) fireData(path string, hit []*watcher[K]) []*watcher[K] {
	for w, have := range m.byPath[path] {
		if have.data == 0 {
			continue
		}
		hit = append(hit, w)
		if have.data&standard != 0 {
			m.set(w, path, have, modes{have.data &^ standard, have.child})
		}
	}
	for m.recursives > 0 && path != "/" {
		slash := strings.LastIndexByte(path, '/')
		if slash < 0 {
			break
		}
		path = canonical(path[:slash])
		for w, have := range m.byPath[path] {
			if have.data&recursive != 0 {
				hit = append(hit, w)
			}
		}
	}
	return hit
}

func (m *Manager[K]) fireChild(path string, hit []*watcher[K]) []*watcher[K] {
	for w, have := range m.byPath[path] {
		if have.child == 0 {
			continue
		}
		hit = append(hit, w)
		if have.child&standard != 0 {
			m.set(w, path, have, modes{have.data, have.child &^ standard})
		}
	}
	return hit
}

// ValidType reports whether t is a type that checkWatches and removeWatches
// know: one of proto's Watcher constants.
func ValidType(t int32) bool {
	return t >= proto.WatcherChildren && t <= proto.WatcherPersistentRecursive
}

// selected returns what of have belongs to type t of checkWatches.
func selected(have modes, t int32) modes {
	switch t {
	case proto.WatcherChildren:
		return modes{child: have.child & standard}
	case proto.WatcherData:
		return modes{data: have.data & standard}
	case proto.WatcherPersistent:
		return modes{have.data & persistent, have.child & persistent}
	case proto.WatcherPersistentRecursive:
		return modes{data: have.data & recursive}
	case proto.WatcherAny:
		return have
	}
	return modes{}
}

// Has reports whether the watcher has a watch of type t exactly at path
// (checkWatches).
func (m *Manager[K]) Has(key K, path string, t int32) bool {
	w := m.byKey[key]
	return w != nil && !selected(m.byPath[canonical(path)][w], t).empty()
}

// Remove takes away the watcher's watches of type t exactly at path
// (removeWatches) and reports whether there were any.
func (m *Manager[K]) Remove(key K, path string, t int32) bool {
	path = canonical(path)
	w := m.byKey[key]
	if w == nil {
		return false
	}
	have := m.byPath[path][w]
	gone := selected(have, t)
	if gone.empty() {
		return false
	}
	m.set(w, path, have, modes{have.data &^ gone.data, have.child &^ gone.child})
	return true
}

// RemoveWatcher takes away everything the watcher has: its connection closed.
func (m *Manager[K]) RemoveWatcher(key K) {
	w := m.byKey[key]
	if w == nil {
		return
	}
	for path := range w.paths {
		m.set(w, path, m.byPath[path][w], modes{})
	}
}

// Watches returns the number of watches: a path watched by one watcher in both
// tables counts as two.
func (m *Manager[K]) Watches() int { return m.watches }

// Paths returns the number of paths with at least one watch.
func (m *Manager[K]) Paths() int { return len(m.byPath) }

// Watchers returns the number of watchers with at least one watch.
func (m *Manager[K]) Watchers() int { return len(m.byKey) }

// PathsOf returns the paths that the watcher watches, sorted.
func (m *Manager[K]) PathsOf(key K) []string {
	w := m.byKey[key]
	if w == nil {
		return nil
	}
	paths := make([]string, 0, len(w.paths))
	for path := range w.paths {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}
