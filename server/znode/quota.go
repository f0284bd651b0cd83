package znode

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A quota of the subtree P is a pair of nodes below /zookeeper/quota: limits,
// which clients write, and stats, which says how much there is (spec
// client-protocol 2.7). It is in force while both exist.
//
// The stats follow from the tree at every moment: each change below P rewrites
// them in place, without a new version, zxid or event, and what a client writes
// there does not last. (ZooKeeper reads back what stands there, and a text that
// is no number stops it; and of quotas in one another it counts for the innermost
// only, until it restarts and counts anew.)
const (
	limitsName = "zookeeper_limits"
	statsName  = "zookeeper_stats"
)

func limitsPath(subtree string) string { return QuotaPath + subtree + "/" + limitsName }
func statsPath(subtree string) string  { return QuotaPath + subtree + "/" + statsName }

// quotaNode takes the path of a limits or stats node apart. The root and what is
// below /zookeeper cannot have a quota.
func quotaNode(path string) (subtree, name string, ok bool) {
	rest, ok := strings.CutPrefix(path, QuotaPath+"/")
	if !ok {
		return "", "", false
	}
	slash := strings.LastIndexByte(rest, '/')
	if slash < 0 {
		return "", "", false
	}
	subtree, name = path[len(QuotaPath):len(QuotaPath)+1+slash], rest[slash+1:]
	return subtree, name, (name == limitsName || name == statsName) && !below(subtree, SystemPath)
}

// below reports whether path is root or below it.
func below(path, root string) bool {
	return strings.HasPrefix(path, root) && (len(path) == len(root) || path[len(root)] == '/')
}

// usage is how much a subtree has: nodes, its own root among them, and bytes of
// data.
type usage struct{ count, bytes int64 }

func (u usage) plus(count, bytes int64) usage { return usage{u.count + count, u.bytes + bytes} }

func (u usage) String() string { return fmt.Sprintf("count=%d,bytes=%d", u.count, u.bytes) }

// limits are those of a quota; -1 is none. A hard one takes the place of the
// soft one, beyond which there is only a warning.
type limits struct{ count, bytes, countHard, bytesHard int64 }

const limitsBytesMax = 1024

// parseLimits reads what ZooKeeper's setquota writes: key=value with "," or ";"
// between, and an odd "=" behind bytes for old readers. What it does not
// understand limits nothing; so does a text that is far longer than any limits, as
// it is read again for each write below.
func parseLimits(text string) limits {
	l := limits{-1, -1, -1, -1}
	if len(text) > limitsBytesMax {
		return l
	}
	keys := map[string]*int64{"count": &l.count, "bytes": &l.bytes, "countHardLimit": &l.countHard, "byteHardLimit": &l.bytesHard}
	for pair := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ';' }) {
		key, rest, _ := strings.Cut(pair, "=")
		value, _, _ := strings.Cut(rest, "=")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && keys[key] != nil {
			*keys[key] = max(n, -1)
		}
	}
	return l
}

// quotas is the trie of the subtrees that have limits or stats nodes.
type quotas struct {
	root quotaStep
	size int
}

type quotaStep struct {
	below map[string]*quotaStep
	quota *quota
}

type quota struct {
	limits, stats bool // which of the two nodes exist
	usage         usage
}

func (q *quota) inForce() bool { return q != nil && q.limits && q.stats }

// find returns the quota of exactly this subtree, or nil.
func (q *quotas) find(subtree string) *quota {
	step := &q.root
	for name := range strings.SplitSeq(subtree[1:], "/") {
		if step = step.below[name]; step == nil {
			return nil
		}
	}
	return step.quota
}

// over calls visit for the quotas in force that the path is subject to, from the
// outermost on.
func (q *quotas) over(path string, visit func(subtree string, q *quota)) {
	if q.size == 0 || path == RootPath {
		return
	}
	step := &q.root
	for at := 0; at < len(path); {
		end := len(path)
		if next := strings.IndexByte(path[at+1:], '/'); next >= 0 {
			end = at + 1 + next
		}
		if step = step.below[path[at+1:end]]; step == nil {
			return
		}
		if step.quota.inForce() {
			visit(path[:end], step.quota)
		}
		at = end
	}
}

// note says that a limits or stats node of the subtree is there from now on, or
// not any more, and returns its quota.
func (q *quotas) note(subtree, name string, there bool) *quota {
	steps := []*quotaStep{&q.root}
	names := strings.Split(subtree[1:], "/")
	for _, name := range names {
		step := steps[len(steps)-1]
		if step.below == nil {
			step.below = map[string]*quotaStep{}
		}
		if step.below[name] == nil {
			step.below[strings.Clone(name)] = &quotaStep{}
		}
		steps = append(steps, step.below[name])
	}
	last := steps[len(steps)-1]
	if last.quota == nil {
		last.quota = &quota{}
		q.size++
	}
	found := last.quota
	if name == limitsName {
		found.limits = there
	} else {
		found.stats = there
	}
	if !found.limits && !found.stats {
		last.quota = nil
		q.size--
	}
	for i := len(steps) - 1; i > 0 && steps[i].quota == nil && len(steps[i].below) == 0; i-- {
		delete(steps[i-1].below, names[i-1])
	}
	return found
}

// measure counts the subtree.
func measure(n *node) usage {
	if n == nil {
		return usage{}
	}
	u := usage{1, int64(len(n.data))}
	n.children.each(func(_ string, child *node) {
		m := measure(child)
		u = u.plus(m.count, m.bytes)
	})
	return u
}

// recount makes the stats of a subtree what they should be.
func (t *Tree) recount(subtree string, q *quota) {
	q.usage = measure(t.find(subtree))
	t.writeStats(subtree, q.usage)
}

func (t *Tree) writeStats(subtree string, u usage) {
	path, text := statsPath(subtree), u.String()
	if t.find(path).data == text {
		return
	}
	n := t.own(path)
	t.bytes += int64(len(text) - len(n.data))
	n.setData([]byte(text))
}

// account adds to the stats of all quotas that the path is subject to.
func (t *Tree) account(path string, count, bytes int) {
	if count == 0 && bytes == 0 {
		return
	}
	t.quotas.over(path, func(subtree string, q *quota) {
		q.usage = q.usage.plus(int64(count), int64(bytes))
		t.writeStats(subtree, q.usage)
	})
}

// created does the accounting for a node that has just been attached.
func (t *Tree) created(path string, n *node) {
	t.account(path, 1, len(n.data))
	subtree, name, ok := quotaNode(path)
	if !ok {
		return
	}
	switch q := t.quotas.find(subtree); {
	case q.inForce():
		t.recount(subtree, q)
	case name == statsName: // as ZooKeeper does
		t.writeStats(subtree, measure(t.find(subtree)))
	}
}

// dataSet does the accounting for a node that has new data.
func (t *Tree) dataSet(path string, grown int) {
	t.account(path, 0, grown)
	if subtree, name, ok := quotaNode(path); ok && name == statsName {
		if q := t.quotas.find(subtree); q.inForce() {
			t.writeStats(subtree, q.usage)
		}
	}
}

// recountAll does so for all quotas in force, behind a restore, and looks at no
// node twice.
func (t *Tree) recountAll() {
	if t.quotas.size == 0 {
		return
	}
	t.quotas.each(func(_ string, q *quota) { q.usage = usage{} })
	measureAll(t.root, &t.quotas.root, false)
	t.quotas.each(func(subtree string, q *quota) {
		if q.inForce() {
			t.writeStats(subtree, q.usage)
		}
	})
}

// measureAll counts the subtrees with a quota at n, whose place in the trie is
// step, nil for none, and below. It returns the usage of n if that is wanted.
func measureAll(n *node, step *quotaStep, wanted bool) usage {
	switch {
	case step == nil && wanted:
		return measure(n)
	case step == nil:
		return usage{}
	}
	wanted = wanted || step.quota.inForce()
	u := usage{1, int64(len(n.data))}
	n.children.each(func(name string, child *node) {
		m := measureAll(child, step.below[name], wanted)
		u = u.plus(m.count, m.bytes)
	})
	if step.quota.inForce() {
		step.quota.usage = u
	}
	return u
}

// each visits all quotas, in no order.
func (q *quotas) each(visit func(subtree string, q *quota)) {
	var walk func(prefix string, step *quotaStep)
	walk = func(prefix string, step *quotaStep) {
		if step.quota != nil {
			visit(prefix, step.quota)
		}
		for name, next := range step.below {
			walk(prefix+"/"+name, next)
		}
	}
	walk("", &q.root)
}

// Quota is a quota in force. Limits are -1 where there is none.
type Quota struct {
	Path                           string // the subtree
	Count, Bytes                   int64  // nodes, the root of the subtree among them; bytes of their data
	CountLimit, BytesLimit         int64  // soft: beyond them there is a warning
	CountHardLimit, BytesHardLimit int64
}

// Quotas returns the quotas in force, ascending by path.
func (t *Tree) Quotas() []Quota {
	var out []Quota
	t.quotas.each(func(subtree string, q *quota) {
		if q.inForce() {
			l := parseLimits(t.find(limitsPath(subtree)).data)
			out = append(out, Quota{subtree, q.usage.count, q.usage.bytes, l.count, l.bytes, l.countHard, l.bytesHard})
		}
	})
	slices.SortFunc(out, func(a, b Quota) int { return strings.Compare(a.Path, b.Path) })
	return out
}
