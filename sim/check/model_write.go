package check

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/quorate/quorate/server/proto"
)

// Which of several errors a request gets follows from the order of the checks
// here, which is that of spec client-protocol 1.10.

func failed(code proto.ErrCode) outcome { return outcome{code: code} }

func (m *model) create(at moment, op proto.OpCode, r *proto.CreateRequest, ttl int64) outcome {
	if r.Flags < proto.FlagPersistent || r.Flags > proto.FlagTTLSequential {
		return failed(proto.ErrBadArguments)
	}
	millis, code := expires(op, r.Flags, ttl, m.extended)
	switch {
	case code != proto.OK:
		return failed(code)
	case !m.live[at.session]:
		return failed(proto.ErrSessionExpired)
	case !findable(r.Path):
		return failed(proto.ErrBadArguments)
	}
	acl, ok := fixedACL(r.ACL, at.ids)
	if !ok {
		return failed(proto.ErrInvalidACL)
	}
	parentPath, path := parentOf(r.Path), r.Path
	parent := m.nodes[parentPath]
	switch {
	case parent == nil:
		return failed(proto.ErrNoNode)
	case !permitted(parent.acl, proto.PermCreate, at.ids):
		return failed(proto.ErrNoAuth)
	}
	if sequential(r.Flags) {
		path += sequence(parent.creates)
	}
	switch {
	case !validPath(path):
		return failed(proto.ErrBadArguments)
	case m.nodes[path] != nil:
		return failed(proto.ErrNodeExists)
	case parent.owner != 0:
		return failed(proto.ErrNoChildrenForEphemerals)
	case m.exceeds(path, 1, len(r.Data)):
		return failed(proto.ErrQuotaExceeded)
	}
	n := &znode{
		data: r.Data, acl: acl,
		czxid: at.zxid, mzxid: at.zxid, pzxid: at.zxid, ctime: at.millis, mtime: at.millis,
		container: op == proto.OpCreateContainer, ttl: millis, emptied: at.at,
	}
	if !n.container && (r.Flags == proto.FlagEphemeral || r.Flags == proto.FlagEphemeralSequential) {
		n.owner = at.session
	}
	m.save(parentPath)
	parent.creates++
	parent.pzxid = at.zxid
	m.attach(path, n)
	written := n.stat() // the answer is from before the servers fill in stats
	if subtree, stats, ok := quotaOf(path); ok {
		if m.quotas[subtree] = true; stats { // whatever the client wrote
			n.data = m.statsText(subtree)
		}
	}
	m.recount()
	m.touched = append(m.touched,
		touch{proto.EventNodeCreated, path, acl},
		touch{proto.EventNodeChildrenChanged, parentPath, parent.acl})
	return outcome{path: path, stat: written}
}

// sequential reports whether the server completes the name.
func sequential(flags int32) bool {
	return flags == proto.FlagSequential || flags == proto.FlagEphemeralSequential || flags == proto.FlagTTLSequential
}

func (m *model) delete(at moment, r *proto.PathVersionRequest) outcome {
	switch {
	case !m.live[at.session]:
		return failed(proto.ErrSessionExpired)
	case !findable(r.Path) || slices.Contains(reservedPaths, r.Path):
		return failed(proto.ErrBadArguments)
	}
	parent := m.nodes[parentOf(r.Path)]
	switch {
	case parent == nil:
		return failed(proto.ErrNoNode)
	case !permitted(parent.acl, proto.PermDelete, at.ids):
		return failed(proto.ErrNoAuth)
	}
	switch n := m.nodes[r.Path]; {
	case n == nil:
		return failed(proto.ErrNoNode)
	case r.Version != -1 && r.Version != n.version:
		return failed(proto.ErrBadVersion)
	case len(n.children) > 0:
		return failed(proto.ErrNotEmpty)
	}
	m.remove(at, r.Path)
	return outcome{}
}

// remove deletes a node that is there and has no children.
func (m *model) remove(at moment, path string) {
	parentPath, n := parentOf(path), m.nodes[path]
	parent := m.nodes[parentPath]
	m.save(parentPath)
	parent.pzxid = at.zxid
	parent.emptied = at.at // if it is
	m.detach(path, n)
	m.recount()
	m.touched = append(m.touched,
		touch{proto.EventNodeDeleted, path, n.acl},
		touch{proto.EventNodeChildrenChanged, parentPath, parent.acl})
}

func (m *model) setData(at moment, r *proto.SetDataRequest) outcome {
	n, code := m.existing(at, r.Path, proto.PermWrite)
	switch {
	case code != proto.OK:
		return failed(code)
	case m.exceeds(r.Path, 0, len(r.Data)-len(n.data)):
		return failed(proto.ErrQuotaExceeded)
	case r.Version != -1 && r.Version != n.version:
		return failed(proto.ErrBadVersion)
	}
	m.save(r.Path)
	n.data, n.version, n.mzxid, n.mtime = r.Data, after(n.version), at.zxid, at.millis
	written := n.stat()
	m.recount()
	m.touched = append(m.touched, touch{proto.EventNodeDataChanged, r.Path, n.acl})
	return outcome{stat: written}
}

func (m *model) setACL(at moment, r *proto.SetACLRequest) outcome {
	if !m.live[at.session] {
		return failed(proto.ErrSessionExpired)
	}
	if !validPath(r.Path) {
		return failed(proto.ErrBadArguments)
	}
	acl, ok := fixedACL(r.ACL, at.ids)
	if !ok {
		return failed(proto.ErrInvalidACL)
	}
	n, code := m.existing(at, r.Path, proto.PermAdmin)
	switch {
	case code != proto.OK:
		return failed(code)
	case r.Version != -1 && r.Version != n.aversion:
		return failed(proto.ErrBadVersion)
	}
	m.save(r.Path)
	n.acl, n.aversion = acl, after(n.aversion)
	return outcome{stat: n.stat()}
}

func (m *model) check(at moment, r *proto.PathVersionRequest) outcome {
	n, code := m.existing(at, r.Path, proto.PermRead)
	if code == proto.OK && r.Version != -1 && r.Version != n.version {
		code = proto.ErrBadVersion
	}
	return failed(code)
}

// existing finds a node for a write that must not create it.
func (m *model) existing(at moment, path string, perm int32) (*znode, proto.ErrCode) {
	n := m.nodes[path]
	switch {
	case !m.live[at.session]:
		return nil, proto.ErrSessionExpired
	case !validPath(path):
		return nil, proto.ErrBadArguments
	case n == nil:
		return nil, proto.ErrNoNode
	case !permitted(n.acl, perm, at.ids):
		return nil, proto.ErrNoAuth
	}
	return n, proto.OK
}

// after returns the next version. -1 is left out: it means any (ZOOKEEPER-4743).
func after(version int32) int32 {
	if version++; version != -1 {
		return version
	}
	return 0
}

// save remembers a node that is about to change, its children aside.
func (m *model) save(path string) {
	if m.undo == nil {
		return
	}
	n := m.nodes[path]
	old := *n
	m.undo = append(m.undo, func() {
		kids := n.children
		*n = old
		n.children = kids
	})
}

func (m *model) attach(path string, n *znode) {
	m.put(path, n)
	if m.undo != nil {
		m.undo = append(m.undo, func() { m.take(path, n) })
	}
}

func (m *model) detach(path string, n *znode) {
	m.take(path, n)
	was := m.gone[birth{path, n.czxid}]
	m.gone[birth{path, n.czxid}] = true
	if m.undo != nil {
		m.undo = append(m.undo, func() {
			m.put(path, n)
			if !was {
				delete(m.gone, birth{path, n.czxid})
			}
		})
	}
}

// put makes n the node at path, and take takes it away.
func (m *model) put(path string, n *znode) {
	m.nodes[path] = n
	parent := m.nodes[parentOf(path)]
	if parent.children == nil {
		parent.children = map[string]bool{}
	}
	parent.children[nameOf(path)] = true
	if n.owner != 0 {
		if m.owned[n.owner] == nil {
			m.owned[n.owner] = map[string]bool{}
		}
		m.owned[n.owner][path] = true
	}
}

func (m *model) take(path string, n *znode) {
	delete(m.nodes, path)
	delete(m.nodes[parentOf(path)].children, nameOf(path))
	delete(m.owned[n.owner], path)
}

// findable reports whether a parent can be looked for at all.
func findable(path string) bool {
	return strings.Contains(path, "/") && !strings.Contains(path, "\x00") && utf8.ValidString(path)
}

// validPath holds a path against spec client-protocol 2.1.
func validPath(path string) bool {
	if path == rootPath {
		return true
	}
	if !strings.HasPrefix(path, "/") || !utf8.ValidString(path) || strings.ContainsFunc(path, forbidden) {
		return false
	}
	for _, name := range strings.Split(path[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	return true
}

// forbidden says which characters no path may have. ZooKeeper looks at UTF-16
// code units, so everything beyond U+FFFF is two surrogates to it.
func forbidden(r rune) bool {
	return r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0
}
