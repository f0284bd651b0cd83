package watch

import (
	"cmp"
	"errors"
	"math"
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
	data    int    // paths in the data table
	bytes   int    // of all paths
	paths   map[string]struct{}
}

// pathBytesMax limits the paths of one watcher together: far more than a client
// can use, and less than a million of the longest ones.
const pathBytesMax = 256 << 20

// Manager holds the watches of all connections of a server. It is not safe for
// concurrent use. Use New to make one.
type Manager[K comparable] struct {
	perWatcherMax int
	seq           uint64
	watches       int
	recursives    int // entries with mode recursive
	dataWatches   int // entries in the data table
	dataPaths     int // paths with one
	dataWatchers  int // watchers with one
	byPath        map[string]*place[K]
	byKey         map[K]*watcher[K]
}

// place is what watches one path.
type place[K comparable] struct {
	by   map[*watcher[K]]modes
	data int // watchers in the data table
}

// at returns who watches a path; nil if nobody does.
func (m *Manager[K]) at(path string) map[*watcher[K]]modes {
	if p := m.byPath[path]; p != nil {
		return p.by
	}
	return nil
}

// New returns an empty Manager that allows each watcher perWatcherMax watches
// (a path watched in both tables counts as two); 0 is no limit.
func New[K comparable](perWatcherMax int) *Manager[K] {
	return &Manager[K]{
		perWatcherMax: perWatcherMax,
		byPath:        map[string]*place[K]{},
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
		old = m.at(path)[w]
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
	if old.empty() && w.bytes+len(path) > pathBytesMax {
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
	if at == nil {
		at = &place[K]{by: map[*watcher[K]]modes{}}
		m.byPath[path] = at
	}
	m.setData(w, at, old.data != 0, now.data != 0)
	if now.empty() {
		delete(at.by, w)
		delete(w.paths, path)
		w.bytes -= len(path)
		if len(at.by) == 0 {
			delete(m.byPath, path)
		}
		if len(w.paths) == 0 {
			delete(m.byKey, w.key)
		}
		return
	}
	if old.empty() {
		w.paths[path] = struct{}{}
		w.bytes += len(path)
	}
	at.by[w] = now
}

// setData keeps the counts of the data table, when w enters or leaves it at a
// path.
func (m *Manager[K]) setData(w *watcher[K], at *place[K], was, is bool) {
	if was == is {
		return
	}
	paths, delta := 0, 1
	if at.data > 0 {
		paths = 1
	}
	if was {
		delta = -1
	}
	at.data += delta
	w.data += delta
	m.dataWatches += delta
	switch {
	case paths == 0:
		m.dataPaths++
	case at.data == 0:
		m.dataPaths--
	}
	switch {
	case w.data == 0:
		m.dataWatchers--
	case is && w.data == 1:
		m.dataWatchers++
	}
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
	for w, have := range m.at(path) {
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
		for w, have := range m.at(path) {
			if have.data&recursive != 0 {
				hit = append(hit, w)
			}
		}
	}
	return hit
}

func (m *Manager[K]) fireChild(path string, hit []*watcher[K]) []*watcher[K] {
	for w, have := range m.at(path) {
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
	return w != nil && !selected(m.at(canonical(path))[w], t).empty()
}

// Remove takes away the watcher's watches of type t exactly at path
// (removeWatches) and reports whether there were any.
func (m *Manager[K]) Remove(key K, path string, t int32) bool {
	path = canonical(path)
	w := m.byKey[key]
	if w == nil {
		return false
	}
	have := m.at(path)[w]
	gone := selected(have, t)
	if gone.empty() {
		return false
	}
	m.set(w, path, have, modes{have.data &^ gone.data, have.child &^ gone.child})
	return true
}

// RemoveSome takes away watches of a watcher whose connection closed, at up to n
// paths and at no particular ones, and reports whether it has more.
func (m *Manager[K]) RemoveSome(key K, n int) (more bool) {
	w := m.byKey[key]
	if w == nil {
		return false
	}
	for path := range w.paths {
		if n <= 0 {
			break
		}
		m.set(w, path, m.at(path)[w], modes{})
		n--
	}
	return len(w.paths) > 0
}

// RemoveWatcher takes away everything the watcher has.
func (m *Manager[K]) RemoveWatcher(key K) {
	for m.RemoveSome(key, math.MaxInt) {
	}
}
