package znode

import (
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// Tree is the state that a quorum replicates for ZooKeeper's clients: the
// znodes and the table of sessions. See the package comment for who may call
// what when. Use NewTree to make one.
type Tree struct {
	root *node
	gen  uint32 // nodes of an older generation may be in a snapshot
	zxid int64

	acls           aclTable
	sessions       map[int64]int32 // id → timeout in ms
	sessionsShared bool            // a snapshot has sessions: copy before writing
	ephemerals     map[int64]map[string]struct{}
	mortals        mortals
	quotas         quotas

	nodes, containers int
	ephemeralCount    int
	bytes             int64 // of paths and data
	lenient           bool
	emulate353        bool
}

// NewTree returns the tree of an empty server: the four reserved nodes, no
// sessions, zxid 0.
func NewTree() *Tree {
	t := &Tree{
		acls:       newACLTable(),
		sessions:   map[int64]int32{},
		ephemerals: map[int64]map[string]struct{}{},
	}
	t.root = &node{acl: t.acls.open}
	t.nodes, t.bytes = 1, int64(len(RootPath))
	t.addReserved()
	return t
}

// addReserved adds the reserved nodes that are missing, with the values that
// they have on a fresh server: nothing created them, so all zxids, times and
// counters are 0 (spec client-protocol 1.8).
func (t *Tree) addReserved() {
	for _, path := range []string{SystemPath, QuotaPath, ConfigPath} {
		if t.find(path) != nil {
			continue
		}
		n := &node{acl: t.acls.open}
		n.setData([]byte{})
		if path == ConfigPath {
			n.acl = t.acls.take([]proto.ACL{{Perms: proto.PermRead, ID: proto.ID{Scheme: "world", ID: "anyone"}}})
			n.aversion = -1
		}
		parent, name, _ := split(path)
		t.attach(t.own(parent), path, name, n)
	}
}

// SetConfig sets the content of /zookeeper/config as every server does by
// itself when it starts: version -1 and mzxid = the config's version, mtime 0,
// so that it is the same on all (spec client-protocol 2.6).
func (t *Tree) SetConfig(text string, version int64) {
	n := t.own(ConfigPath)
	t.bytes += int64(len(text) - len(n.data))
	n.setData([]byte(text))
	n.version, n.mzxid, n.mtime = -1, version, 0
}

// Zxid returns the last transaction applied.
func (t *Tree) Zxid() ensemble.Zxid { return ensemble.Zxid(t.zxid) }

// find returns the node at path, or nil. Any string is a path: what cannot name
// a node names none. The empty path is the root.
func (t *Tree) find(path string) *node {
	if path == RootPath || path == "" {
		return t.root
	}
	if path[0] != '/' {
		return nil
	}
	n := t.root
	for rest := path[1:]; ; {
		slash := strings.IndexByte(rest, '/')
		if slash < 0 {
			return n.children.get(rest)
		}
		if n = n.children.get(rest[:slash]); n == nil {
			return nil
		}
		rest = rest[slash+1:]
	}
}

// own returns the node at path for writing, or nil: it and its ancestors are
// copied if a snapshot may have them. Nodes of the present generation have only
// ancestors of the present generation.
func (t *Tree) own(path string) *node {
	if t.root.gen() != t.gen {
		t.root = t.copyOf(t.root)
	}
	if path == RootPath || path == "" {
		return t.root
	}
	if path[0] != '/' {
		return nil
	}
	n := t.root
	for rest, more := path[1:], true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		child := n.children.get(name)
		if child == nil {
			return nil
		}
		if child.gen() != t.gen {
			child = t.copyOf(child)
			n.children = n.children.owned(t.gen)
			n.children.put(name, child)
		}
		n = child
	}
	return n
}

func (t *Tree) copyOf(n *node) *node {
	c := *n
	c.setGen(t.gen)
	return &c
}

// attach makes n, whose acl is taken already, the child name of parent, which
// must be owned, and keeps the counts.
func (t *Tree) attach(parent *node, path, name string, n *node) {
	n.setGen(t.gen)
	parent.children = parent.children.owned(t.gen)
	parent.children.put(strings.Clone(name), n)
	t.nodes++
	t.bytes += int64(len(path) + len(n.data))
	if mortal(n.owner) {
		t.mortals.add(path)
	}
	if n.owner == containerOwner {
		t.containers++
	}
	if subtree, name, ok := quotaNode(path); ok {
		t.quotas.note(subtree, name, true)
	}
	if s := sessionOwner(n.owner); s != 0 {
		if t.ephemerals[s] == nil {
			t.ephemerals[s] = map[string]struct{}{}
		}
		t.ephemerals[s][path] = struct{}{}
		t.ephemeralCount++
	}
}

// detach is the opposite of attach.
func (t *Tree) detach(parent *node, path, name string, n *node) {
	if parent.children = parent.children.owned(t.gen); parent.children.len() == 1 {
		parent.children = nil
	} else {
		parent.children.remove(name)
	}
	t.acls.give(n.acl)
	t.nodes--
	t.bytes -= int64(len(path) + len(n.data))
	if mortal(n.owner) {
		t.mortals.remove(path)
	}
	if n.owner == containerOwner {
		t.containers--
	}
	if subtree, name, ok := quotaNode(path); ok {
		t.quotas.note(subtree, name, false)
	}
	if s := sessionOwner(n.owner); s != 0 {
		delete(t.ephemerals[s], path)
		if len(t.ephemerals[s]) == 0 {
			delete(t.ephemerals, s)
		}
		t.ephemeralCount--
	}
}

// Node returns the node at path. Any string may be asked for; the empty path is
// the root.
func (t *Tree) Node(path string) (Node, bool) {
	n := t.find(path)
	return Node{n}, n != nil
}

// Session returns the timeout of a session, in milliseconds.
func (t *Tree) Session(id int64) (timeoutMillis int32, ok bool) {
	timeoutMillis, ok = t.sessions[id]
	return timeoutMillis, ok
}

// Sessions returns a copy of the table of sessions: id → timeout in
// milliseconds.
func (t *Tree) Sessions() map[int64]int32 { return maps.Clone(t.sessions) }

// SessionCount returns the number of sessions.
func (t *Tree) SessionCount() int { return len(t.sessions) }

// Ephemerals returns the paths of the session's ephemeral nodes, ascending.
func (t *Tree) Ephemerals(session int64) []string {
	return slices.Sorted(maps.Keys(t.ephemerals[session]))
}

// EphemeralOwners returns the sessions that have ephemeral nodes, ascending. An
// owner that is no session is a remnant for which the leader should propose a
// closeSession (spec client-protocol 4.3); only foreign snapshots have such.
func (t *Tree) EphemeralOwners() []int64 { return slices.Sorted(maps.Keys(t.ephemerals)) }

// EphemeralCount returns the number of ephemeral nodes.
func (t *Tree) EphemeralCount() int { return t.ephemeralCount }

// ContainerCount returns the number of containers.
func (t *Tree) ContainerCount() int { return t.containers }

// NodeCount returns the number of nodes: 4 on a fresh server. (ZooKeeper's
// figures count the root twice and say 5.)
func (t *Tree) NodeCount() int { return t.nodes }

// Bytes returns the total length of all paths and data.
func (t *Tree) Bytes() int64 { return t.bytes }

// Descendants returns how many nodes are below path, at any depth. It looks at
// each of them.
func (t *Tree) Descendants(path string) int {
	n := t.find(path)
	if n == nil {
		return 0
	}
	if n == t.root {
		return t.nodes - 1
	}
	return descendants(n)
}

func descendants(n *node) int {
	total := n.children.len()
	n.children.each(func(_ string, child *node) { total += descendants(child) })
	return total
}
