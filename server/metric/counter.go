package metric

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Counter counts events. The zero value counts from zero.
type Counter struct{ n atomic.Int64 }

// Inc counts one event.
func (c *Counter) Inc() { c.n.Add(1) }

// Add counts n events, or bytes.
func (c *Counter) Add(n int) { c.n.Add(int64(n)) }

// Value returns the count since the start or the last Reset.
func (c *Counter) Value() int64 { return c.n.Load() }

// keysMax is how many keys a set keeps apart. What comes under further ones is
// counted under keyOther: znodes have as many names as clients like.
const keysMax = 1000

// keyBytesMax is how long a key may be that is kept apart, for the same reason.
const keyBytesMax = 128

// keyOther is the key of everything behind the first keysMax keys, and of long ones.
const keyOther = "(other)"

// Set is a family of instruments, one for each key: ZooKeeper's summary sets and
// counter sets. Make one with Table.
type Set[T any] struct {
	fresh func() *T
	byKey sync.Map // string to *T
	mu    sync.Mutex
	n     int
}

// Get returns the instrument of a key, a new one at first.
func (s *Set[T]) Get(key string) *T {
	if len(key) > keyBytesMax {
		key = keyOther
	}
	if x, ok := s.byKey.Load(key); ok {
		return x.(*T)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x, ok := s.byKey.Load(key); ok {
		return x.(*T)
	}
	if s.n >= keysMax {
		key = keyOther
		if x, ok := s.byKey.Load(key); ok {
			return x.(*T)
		}
	}
	x := s.fresh()
	s.byKey.Store(strings.Clone(key), x)
	s.n++
	return x
}

// each visits all instruments in the order of their keys.
func (s *Set[T]) each(visit func(key string, x *T)) {
	var keys []string
	s.byKey.Range(func(key, _ any) bool {
		keys = append(keys, key.(string))
		return true
	})
	slices.Sort(keys)
	for _, key := range keys {
		x, _ := s.byKey.Load(key)
		visit(key, x.(*T))
	}
}
