package znode

import (
	"fmt"

	"github.com/quorate/quorate/server/proto"
)

// change is what a node will be once everything prepared is applied: as much of
// it as later requests are checked against.
type change struct {
	exists   bool
	owner    int64
	version  int32
	aversion int32
	ccount   int32
	children int32
	mtime    int64
	size     int    // of the data
	data     string // of a limits node; else what the tree has, or nothing
	acl      []proto.ACL
}

func changeOf(n *node) change {
	if n == nil {
		return change{}
	}
	return change{
		exists: true, owner: n.owner, version: n.version, aversion: n.aversion,
		ccount: n.ccount, children: int32(n.children.len()), acl: n.acl.list,
		mtime: n.mtime, size: len(n.data), data: n.data,
	}
}

// agrees reports whether the node became what was predicted.
func (c *change) agrees(n *node) bool {
	if n == nil || !c.exists {
		return n == nil && !c.exists
	}
	return c.owner == n.owner && c.version == n.version && c.aversion == n.aversion &&
		c.mtime == n.mtime && c.ccount == n.ccount && c.children == int32(n.children.len())
}

// pending is one entry of the queue of changes, oldest first: of the usage of a
// subtree, or of a node, or with a path of "" of a session.
type pending struct {
	zxid    int64
	path    string
	now     *change
	before  *change // what the overlay had at path: for taking the change back
	created int64   // session for which now creates an ephemeral

	session int64
	open    bool

	subtree  string // of a quota; "" is none
	used     *prediction
	usedOnce *prediction // what the overlay had for the subtree
}

// overlay holds everything that was prepared and not applied yet, over a tree.
// Records are never changed, only replaced, so that a multi that fails can put
// back what was there (ZOOKEEPER-1624).
type overlay struct {
	tree     *Tree
	zxid     int64 // of the request being prepared
	enforce  bool  // quotas are enforced, so usage is kept
	usage    map[string]*prediction
	nodes    map[string]*change
	sessions map[int64]bool     // open or closing
	created  map[int64][]string // outstanding ephemerals by session, oldest first
	queue    []pending
	head     int // queue[:head] is applied
}

func newOverlay(t *Tree) overlay {
	return overlay{
		tree: t, nodes: map[string]*change{}, sessions: map[int64]bool{}, created: map[int64][]string{},
		usage: map[string]*prediction{},
	}
}

// get returns the node at path as it will be.
func (o *overlay) get(path string) change {
	if c, ok := o.nodes[canonical(path)]; ok {
		return *c
	}
	return changeOf(o.tree.find(path))
}

// alive reports whether the session exists and is not closing.
func (o *overlay) alive(session int64) bool {
	if open, ok := o.sessions[session]; ok {
		return open
	}
	_, ok := o.tree.sessions[session]
	return ok
}

func (o *overlay) put(path string, c change) {
	path = canonical(path)
	p := pending{zxid: o.zxid, path: path, now: &c, before: o.nodes[path]}
	var old change
	s := sessionOwner(c.owner)
	if o.enforce || c.exists && s != 0 {
		old = o.get(path)
	}
	if c.exists && s != 0 && !old.exists {
		p.created = s
		o.created[s] = append(o.created[s], path)
	}
	o.nodes[path] = &c
	o.queue = append(o.queue, p)
	if o.enforce {
		o.account(path, &old, &c)
	}
}

func (o *overlay) putSession(session int64, open bool) {
	o.sessions[session] = open
	o.queue = append(o.queue, pending{zxid: o.zxid, session: session, open: open})
}

// mark returns a point to which undo can go back while the same request is
// being prepared.
func (o *overlay) mark() int { return len(o.queue) }

// undo takes back what was done since the mark, which must be changes of nodes
// only.
func (o *overlay) undo(mark int) {
	for i := len(o.queue) - 1; i >= mark; i-- {
		p := &o.queue[i]
		if p.subtree != "" {
			o.setUsage(p.subtree, p.usedOnce)
			continue
		}
		if p.before != nil {
			o.nodes[p.path] = p.before
		} else {
			delete(o.nodes, p.path)
		}
		if p.created != 0 {
			paths := o.created[p.created]
			o.setCreated(p.created, paths[:len(paths)-1])
		}
	}
	clear(o.queue[mark:])
	o.queue = o.queue[:mark]
}

func (o *overlay) setCreated(session int64, paths []string) {
	if len(paths) == 0 {
		delete(o.created, session)
	} else {
		o.created[session] = paths
	}
}

// applied drops the records of transactions up to zxid, all of which the tree
// has applied. The last one for a node must say what the node became.
func (o *overlay) applied(zxid int64) {
	for o.head < len(o.queue) && o.queue[o.head].zxid <= zxid {
		p := &o.queue[o.head]
		o.head++
		switch {
		case p.subtree != "":
			o.dropUsage(p)
			continue
		case p.path == "":
			o.dropSession(p)
			continue
		}
		if p.created != 0 {
			o.setCreated(p.created, o.created[p.created][1:])
		}
		if o.nodes[p.path] == p.now {
			if n := o.tree.find(p.path); !p.now.agrees(n) {
				panic(fmt.Sprintf("znode: transaction 0x%x (epoch %d) made of %q %+v, and it was prepared to become %+v",
					uint64(p.zxid), p.zxid>>32, p.path, changeOf(n), *p.now))
			}
			delete(o.nodes, p.path)
		}
		*p = pending{}
	}
	if o.head > len(o.queue)/2 {
		n := copy(o.queue, o.queue[o.head:])
		clear(o.queue[n:])
		o.queue, o.head = o.queue[:n], 0
	}
}

func (o *overlay) dropSession(p *pending) {
	// A later record for the session, if any, is the closing of one that p
	// opened; ids are not used again.
	if open, ok := o.sessions[p.session]; ok && open == p.open {
		delete(o.sessions, p.session)
	}
}
