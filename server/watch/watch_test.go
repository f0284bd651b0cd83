package watch_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/watch"
)

const (
	created  = proto.EventNodeCreated
	deleted  = proto.EventNodeDeleted
	changed  = proto.EventNodeDataChanged
	children = proto.EventNodeChildrenChanged
)

// scene arms watches written like "a:data:/x" and returns the Manager.
func scene(t *testing.T, watches ...string) *watch.Manager[string] {
	t.Helper()
	m := watch.New[string](0)
	for _, w := range watches {
		part := strings.Split(w, ":")
		add := map[string]func(string, string) error{
			"data": m.AddData, "child": m.AddChild, "persistent": m.AddPersistent, "recursive": m.AddRecursive,
		}[part[1]]
		require.NoError(t, add(part[0], part[2]))
	}
	return m
}

// The rows of spec client-protocol 3.2: who hears of an event, and how many
// watches are left.
func TestTrigger_Table(t *testing.T) {
	for name, c := range map[string]struct {
		watches []string
		event   proto.EventType
		path    string
		want    string
		left    int
	}{
		"data hears of creation":                 {[]string{"a:data:/x"}, created, "/x", "a", 0},
		"data hears of change":                   {[]string{"a:data:/x"}, changed, "/x", "a", 0},
		"data hears of deletion":                 {[]string{"a:data:/x"}, deleted, "/x", "a", 0},
		"data does not hear of children":         {[]string{"a:data:/x"}, children, "/x", "", 1},
		"child hears of children":                {[]string{"a:child:/x"}, children, "/x", "a", 0},
		"child hears of deletion":                {[]string{"a:child:/x"}, deleted, "/x", "a", 0},
		"child does not hear of change":          {[]string{"a:child:/x"}, changed, "/x", "", 1},
		"child does not hear of creation":        {[]string{"a:child:/x"}, created, "/x", "", 1},
		"data and child: told once, both gone":   {[]string{"a:data:/x", "a:child:/x"}, deleted, "/x", "a", 0},
		"order of first registration":            {[]string{"b:data:/y", "c:data:/x", "a:data:/x", "b:child:/x"}, deleted, "/x", "b c a", 1},
		"persistent hears of all and stays":      {[]string{"a:persistent:/x"}, deleted, "/x", "a", 2},
		"persistent hears of children":           {[]string{"a:persistent:/x"}, children, "/x", "a", 2},
		"persistent does not hear of what below": {[]string{"a:persistent:/x"}, changed, "/x/y", "", 2},
		"recursive hears of itself":              {[]string{"a:recursive:/x"}, changed, "/x", "a", 1},
		"recursive hears of what is far below":   {[]string{"a:recursive:/x"}, created, "/x/y/z", "a", 1},
		"recursive never hears of children":      {[]string{"a:recursive:/x"}, children, "/x", "", 1},
		"recursive is by components":             {[]string{"a:recursive:/x"}, created, "/xy", "", 1},
		"recursive at the root":                  {[]string{"a:recursive:/"}, deleted, "/x", "a", 1},
		"recursive twice above: told once":       {[]string{"a:recursive:/", "a:recursive:/x", "a:data:/x/y"}, changed, "/x/y", "a", 2},
		"recursive above hides child deletion":   {[]string{"a:recursive:/", "a:child:/x"}, deleted, "/x", "a", 1},
		"standard above does not match":          {[]string{"a:data:/", "a:child:/"}, created, "/x", "", 2},
		"the empty path is the root":             {[]string{"a:child:"}, children, "/", "a", 0},
		"mode set: standard goes, others stay":   {[]string{"a:data:/x", "a:persistent:/x", "a:recursive:/x"}, changed, "/x", "a", 2},
		"same watch twice is one":                {[]string{"a:data:/x", "a:data:/x"}, children, "/x", "", 1},
		"no slash":                               {[]string{"a:recursive:/"}, created, "x", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := scene(t, c.watches...)
			got := m.Trigger(nil, c.event, c.path)
			assert.Equal(t, c.want, strings.Join(got, " "))
			assert.Equal(t, c.left, m.Watches())
		})
	}
}

func TestTrigger_AppendsToDst(t *testing.T) {
	m := scene(t, "a:data:/x")
	assert.Equal(t, []string{"z", "a"}, m.Trigger([]string{"z"}, created, "/x"))
	assert.Equal(t, []string{"z"}, m.Trigger([]string{"z"}, created, "/x"), "fires once")
}

// Spec client-protocol 3.6.
func TestRemove_ByType(t *testing.T) {
	for name, c := range map[string]struct {
		kind    int32
		removed bool
		left    int
	}{
		"children":  {proto.WatcherChildren, true, 2},   // data table; persistent keeps child
		"data":      {proto.WatcherData, true, 2},       // persistent and recursive keep data
		"any":       {proto.WatcherAny, true, 0},        //
		"persist":   {proto.WatcherPersistent, true, 2}, // standard keeps both
		"recursive": {proto.WatcherPersistentRecursive, true, 2},
		"unknown":   {9, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			m := scene(t, "a:data:/x", "a:child:/x", "a:persistent:/x", "a:recursive:/x")
			require.Equal(t, 2, m.Watches(), "two tables")
			assert.Equal(t, c.removed, m.Has("a", "/x", c.kind))
			assert.Equal(t, c.removed, m.Remove("a", "/x", c.kind))
			assert.Equal(t, c.left, m.Watches())
			assert.False(t, m.Has("a", "/x", c.kind))
			assert.False(t, m.Remove("a", "/x", c.kind), "nothing left of it")
		})
	}
	m := scene(t, "a:data:/x")
	assert.False(t, m.Remove("a", "/x/y", proto.WatcherAny), "exactly that path")
	assert.False(t, m.Remove("b", "/x", proto.WatcherAny))
	assert.False(t, m.Has("b", "/x", proto.WatcherAny))
	assert.True(t, watch.ValidType(1) && watch.ValidType(5) && !watch.ValidType(0) && !watch.ValidType(6))
}

func TestRemoveWatcher_TakesAllAndOnlyItsOwn(t *testing.T) {
	m := scene(t, "a:data:/x", "a:persistent:/y", "a:recursive:/", "b:data:/x")
	assert.Equal(t, []string{"/", "/x", "/y"}, m.PathsOf("a"))
	assert.Equal(t, 2, m.Watchers())
	m.RemoveWatcher("a")
	m.RemoveWatcher("a")
	assert.Empty(t, m.PathsOf("a"))
	assert.Equal(t, []int{1, 1, 1}, []int{m.Watches(), m.Paths(), m.Watchers()})
	assert.Equal(t, []string{"b"}, m.Trigger(nil, created, "/x"))
	assert.Equal(t, []int{0, 0, 0}, []int{m.Watches(), m.Paths(), m.Watchers()})
}

func TestAdd_LimitPerWatcher(t *testing.T) {
	m := watch.New[int](2)
	require.NoError(t, m.AddData(1, "/a"))
	assert.ErrorIs(t, m.AddPersistent(1, "/b"), watch.ErrLimit, "would be two more")
	require.NoError(t, m.AddChild(1, "/a"))
	assert.ErrorIs(t, m.AddData(1, "/b"), watch.ErrLimit)
	assert.NoError(t, m.AddData(1, "/a"), "what is there needs no room")
	assert.NoError(t, m.AddPersistent(1, "/a"))
	assert.NoError(t, m.AddPersistent(2, "/b"), "the limit is each one's own")
	m.Remove(1, "/a", proto.WatcherAny)
	assert.NoError(t, m.AddData(1, "/b"))
	assert.ErrorIs(t, watch.New[int](1).AddPersistent(3, "/x"), watch.ErrLimit)
}

// obvious is the same thing as a list.
type obvious struct {
	watches []oneWatch
}

type oneWatch struct{ who, table, mode, path string }

func (o *obvious) add(w oneWatch) {
	if !slices.Contains(o.watches, w) {
		o.watches = append(o.watches, w)
	}
}

func (o *obvious) lookup(table, path string) []string {
	var hit []string
	o.watches = slices.DeleteFunc(o.watches, func(w oneWatch) bool {
		at := w.path == path
		below := w.mode == "recursive" && strings.HasPrefix(path, strings.TrimSuffix(w.path, "/")+"/")
		if w.table != table || !at && !below {
			return false
		}
		hit = append(hit, w.who)
		return w.mode == "standard"
	})
	return hit
}

func (o *obvious) trigger(t proto.EventType, path string) []string {
	var hit []string
	if t != children {
		hit = o.lookup("data", path)
	}
	if t == children || t == deleted {
		hit = append(hit, o.lookup("child", path)...)
	}
	slices.Sort(hit)
	return slices.Compact(hit)
}

// sameDataTable compares what wchs, wchc and wchp tell.
func (o *obvious) sameDataTable(t *testing.T, m *watch.Manager[string]) {
	t.Helper()
	byPath, byWho, n := map[string][]string{}, map[string][]string{}, 0
	add := func(in map[string][]string, key, value string) {
		if !slices.Contains(in[key], value) {
			in[key] = append(in[key], value)
		}
		slices.Sort(in[key])
	}
	for _, w := range o.watches {
		if w.table == "data" {
			add(byPath, w.path, w.who)
			add(byWho, w.who, w.path)
		}
	}
	gotPath, gotWho := map[string][]string{}, map[string][]string{}
	for _, at := range m.DataByPath() {
		gotPath[at.Path] = slices.Sorted(slices.Values(at.Keys))
		n += len(at.Keys)
	}
	for _, w := range m.DataByWatcher() {
		gotWho[w.Key] = w.Paths
	}
	require.Equal(t, byPath, gotPath)
	require.Equal(t, byWho, gotWho)
	require.Equal(t, watch.Summary{Watchers: len(byWho), Paths: len(byPath), Watches: n}, m.DataSummary())
}

func TestManager_AgainstTheObvious(t *testing.T) {
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		m, o := watch.New[string](0), &obvious{}
		paths := []string{"/", "/a", "/a/b", "/a/b/c", "/ab", "/b"}
		for step := range 200 {
			who, path := fmt.Sprint("w", r.Intn(4)), paths[r.Intn(len(paths))]
			switch r.Intn(7) {
			case 0:
				_ = m.AddData(who, path)
				o.add(oneWatch{who, "data", "standard", path})
			case 1:
				_ = m.AddChild(who, path)
				o.add(oneWatch{who, "child", "standard", path})
			case 2:
				_ = m.AddPersistent(who, path)
				o.add(oneWatch{who, "data", "persistent", path})
				o.add(oneWatch{who, "child", "persistent", path})
			case 3:
				_ = m.AddRecursive(who, path)
				o.add(oneWatch{who, "data", "recursive", path})
			case 4:
				m.RemoveWatcher(who)
				o.watches = slices.DeleteFunc(o.watches, func(w oneWatch) bool { return w.who == who })
			default:
				event := proto.EventType(1 + r.Intn(4))
				got := m.Trigger(nil, event, path)
				slices.Sort(got)
				require.Equal(t, o.trigger(event, path), got, "seed %d step %d: %s %s", seed, step, event, path)
			}
			tables := map[oneWatch]bool{}
			for _, w := range o.watches {
				tables[oneWatch{w.who, w.table, "", w.path}] = true
			}
			require.Equal(t, len(tables), m.Watches(), "seed %d step %d", seed, step)
			o.sameDataTable(t, m)
		}
	}
}

func TestManager_LimitsTheBytesOfPaths(t *testing.T) {
	m := watch.New[int](0)
	long := strings.Repeat("x", 8<<20)
	n := 0
	for ; n < 100; n++ {
		if err := m.AddData(1, fmt.Sprint("/", n, long)); err != nil {
			require.ErrorIs(t, err, watch.ErrLimit)
			break
		}
	}
	assert.Equal(t, 31, n)
	require.NoError(t, m.AddData(2, "/of another"))
	m.RemoveWatcher(1)
	require.NoError(t, m.AddData(1, "/0"+long), "what is gone does not count")
}
