package znode

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/server/proto"
)

// model is the obvious ZooKeeper: a map from path to node, one request after
// the other, no transactions, no overlay, nothing cached.
type model struct {
	nodes    map[string]mnode
	sessions map[int64]bool
	enforce  bool // of quotas
}

type mnode struct {
	data                []byte
	acl                 []proto.ACL
	czxid, mzxid, pzxid int64
	ctime, mtime        int64
	version, aversion   int32
	creations           int32
	owner               int64
	container           bool
	ttl                 int64
}

func newModel() *model {
	open := mnode{data: []byte{}, acl: proto.OpenACL}
	config := mnode{data: []byte{}, acl: aclOf("1:world:anyone"), aversion: -1}
	return &model{
		nodes:    map[string]mnode{"/": open, "/zookeeper": open, "/zookeeper/quota": open, "/zookeeper/config": config},
		sessions: map[int64]bool{},
	}
}

func parentOf(path string) string {
	if at := strings.LastIndex(path, "/"); at > 0 {
		return path[:at]
	}
	return "/"
}

func (m *model) children(path string) []string {
	var out []string
	for p := range m.nodes {
		if p != "/" && parentOf(p) == path {
			out = append(out, p[strings.LastIndex(p, "/")+1:])
		}
	}
	slices.Sort(out)
	return out
}

func (m *model) stat(path string) proto.Stat {
	n := m.nodes[path]
	kids := int32(len(m.children(path)))
	return proto.Stat{Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid, Ctime: n.ctime, Mtime: n.mtime, Version: n.version,
		AVersion: n.aversion, CVersion: 2*n.creations - kids, NumChildren: kids, DataLength: int32(len(n.data)), EphemeralOwner: n.owner}
}

func (m *model) may(path string, perm int32, super bool) bool {
	if super {
		return true
	}
	for _, a := range m.nodes[path].acl { // the test has only world and what nobody is
		if a.ID.Scheme == "world" && a.Perms&perm != 0 {
			return true
		}
	}
	return false
}

// moment is when and by whom.
type moment struct {
	zxid, now, session int64
	super              bool
}

// do executes a request and returns what Apply must return, Op and Zxid aside.
func (m *model) do(at moment, op proto.OpCode, rec proto.Record) Result {
	switch op {
	case proto.OpCreateSession:
		if m.sessions[at.session] {
			return Result{Err: proto.ErrBadArguments}
		}
		m.sessions[at.session] = true
		return Result{TimeoutMillis: rec.(*proto.CreateSessionTxn).TimeoutMillis}
	case proto.OpCloseSession:
		delete(m.sessions, at.session)
		for _, path := range slices.Sorted(maps.Keys(m.nodes)) {
			if m.nodes[path].owner == at.session {
				m.remove(at, path)
				m.countAll()
			}
		}
		return Result{}
	case proto.OpDeleteContainer:
		return m.reap(at, rec.(*proto.PathRequest).Path)
	case proto.OpMulti:
		return m.multi(at, rec.(*proto.MultiRequest))
	}
	r := m.one(at, op, rec)
	if r.Err != proto.OK {
		return Result{Err: r.Err}
	}
	return Result{Path: r.Path, Stat: r.Stat}
}

func (m *model) multi(at moment, req *proto.MultiRequest) Result {
	saved := maps.Clone(m.nodes)
	var out Result
	for i, op := range req.Ops {
		r := m.one(at, op.Op, op.Request)
		if r.Err != proto.OK {
			m.nodes = saved
			out.Multi = make([]proto.MultiResult, len(req.Ops))
			for j := range out.Multi {
				out.Multi[j].Type = proto.OpError
				if j > i {
					out.Multi[j].Err = -2
				}
			}
			out.Multi[i].Err = r.Err
			return out
		}
		out.Multi = append(out.Multi, r)
	}
	return out
}

// one executes one operation and brings all stats of quotas up to date. The
// reply is from before that.
func (m *model) one(at moment, op proto.OpCode, rec proto.Record) proto.MultiResult {
	r := m.change(at, op, rec)
	if r.Err == proto.OK {
		if n := m.nodes[r.Path]; n.version == 0 && op != proto.OpSetACL && op != proto.OpCheck {
			m.countAll(r.Path) // it is new
		}
		m.countAll()
	}
	return r
}

func (m *model) change(at moment, op proto.OpCode, rec proto.Record) proto.MultiResult {
	fail := func(code proto.ErrCode) proto.MultiResult { return proto.MultiResult{Type: -1, Err: code} }
	if !m.sessions[at.session] {
		return fail(proto.ErrSessionExpired)
	}
	switch r := rec.(type) {
	case *proto.CreateRequest:
		return m.create(at, op, r, 0)
	case *proto.CreateTTLRequest:
		return m.create(at, op, &r.CreateRequest, r.TTLMillis)
	case *proto.PathVersionRequest:
		n, ok := m.nodes[r.Path]
		if op == proto.OpCheck {
			switch {
			case !ok:
				return fail(proto.ErrNoNode)
			case !m.may(r.Path, 1, at.super):
				return fail(proto.ErrNoAuth)
			case r.Version != -1 && r.Version != n.version:
				return fail(proto.ErrBadVersion)
			}
			return proto.MultiResult{Type: op, Path: r.Path}
		}
		_, hasParent := m.nodes[parentOf(r.Path)]
		switch {
		case r.Path == "/" || r.Path == "/zookeeper/config":
			return fail(proto.ErrBadArguments)
		case !hasParent:
			return fail(proto.ErrNoNode)
		case !m.may(parentOf(r.Path), 8, at.super):
			return fail(proto.ErrNoAuth)
		case !ok:
			return fail(proto.ErrNoNode)
		case r.Version != -1 && r.Version != n.version:
			return fail(proto.ErrBadVersion)
		case len(m.children(r.Path)) > 0:
			return fail(proto.ErrNotEmpty)
		}
		m.remove(at, r.Path)
		return proto.MultiResult{Type: op, Path: r.Path}
	case *proto.SetDataRequest:
		n, ok := m.nodes[r.Path]
		switch {
		case !ok:
			return fail(proto.ErrNoNode)
		case !m.may(r.Path, 2, at.super):
			return fail(proto.ErrNoAuth)
		case m.exceeds(r.Path, 0, len(r.Data)-len(n.data)):
			return fail(proto.ErrQuotaExceeded)
		case r.Version != -1 && r.Version != n.version:
			return fail(proto.ErrBadVersion)
		}
		n.data, n.version, n.mzxid, n.mtime = r.Data, n.version+1, at.zxid, at.now
		m.nodes[r.Path] = n
		return proto.MultiResult{Type: op, Path: r.Path, Stat: m.stat(r.Path)}
	case *proto.SetACLRequest:
		n, ok := m.nodes[r.Path]
		switch {
		case !ok:
			return fail(proto.ErrNoNode)
		case !m.may(r.Path, 16, at.super):
			return fail(proto.ErrNoAuth)
		case r.Version != -1 && r.Version != n.aversion:
			return fail(proto.ErrBadVersion)
		}
		if n.aversion++; n.aversion == -1 {
			n.aversion = 0
		}
		n.acl = r.ACL
		m.nodes[r.Path] = n
		return proto.MultiResult{Type: op, Path: r.Path, Stat: m.stat(r.Path)}
	}
	panic(rec)
}

func (m *model) create(at moment, op proto.OpCode, r *proto.CreateRequest, ttl int64) proto.MultiResult {
	fail := func(code proto.ErrCode) proto.MultiResult { return proto.MultiResult{Type: -1, Err: code} }
	parentPath, path := parentOf(r.Path), r.Path
	parent, ok := m.nodes[parentPath]
	if !ok {
		return fail(proto.ErrNoNode)
	}
	if !m.may(parentPath, 4, at.super) {
		return fail(proto.ErrNoAuth)
	}
	if r.Flags == 2 || r.Flags == 3 || r.Flags == 6 {
		path = fmt.Sprintf("%s%010d", path, parent.creations)
	}
	if _, exists := m.nodes[path]; exists {
		return fail(proto.ErrNodeExists)
	}
	if parent.owner != 0 {
		return fail(proto.ErrNoChildrenForEphemerals)
	}
	if m.exceeds(path, 1, len(r.Data)) {
		return fail(proto.ErrQuotaExceeded)
	}
	parent.creations++
	parent.pzxid = at.zxid
	m.nodes[parentPath] = parent
	n := mnode{data: r.Data, acl: r.ACL, czxid: at.zxid, mzxid: at.zxid, pzxid: at.zxid, ctime: at.now, mtime: at.now}
	kind := op
	switch {
	case op == proto.OpCreateContainer:
		n.container, kind = true, proto.OpCreate2
	case op == proto.OpCreateTTL:
		n.ttl, kind = ttl, proto.OpCreate2
	case r.Flags == 1 || r.Flags == 3:
		n.owner = at.session
	}
	m.nodes[path] = n
	return proto.MultiResult{Type: kind, Path: path, Stat: m.stat(path)}
}

func (m *model) remove(at moment, path string) {
	parent := m.nodes[parentOf(path)]
	parent.pzxid = at.zxid
	m.nodes[parentOf(path)] = parent
	delete(m.nodes, path)
}

// reap deletes a container or a node whose time to live is over.
func (m *model) reap(at moment, path string) Result {
	n, ok := m.nodes[path]
	switch {
	case !ok:
		return Result{Err: proto.ErrNoNode}
	case len(m.children(path)) > 0:
		return Result{Err: proto.ErrNotEmpty}
	case !n.container && n.ttl == 0 || n.container && n.creations == 0 || n.ttl > 0 && at.now-n.mtime <= n.ttl:
		return Result{Err: proto.ErrBadVersion}
	}
	m.remove(at, path)
	m.countAll()
	return Result{Path: path}
}

// due are the nodes that should be reaped.
func (m *model) due(now, neverUsed int64) []string {
	out := []string{}
	for path, n := range m.nodes {
		used := n.creations > 0 || neverUsed > 0 && now-n.mtime > neverUsed
		if len(m.children(path)) == 0 && (n.container && used || n.ttl > 0 && now-n.mtime > n.ttl) {
			out = append(out, path)
		}
	}
	return out
}

// quotas are the subtrees with both nodes of a quota.
func (m *model) quotas() []string {
	var out []string
	for path := range m.nodes {
		subtree, isStats := strings.CutSuffix(strings.TrimPrefix(path, "/zookeeper/quota"), "/zookeeper_stats")
		if _, ok := m.nodes["/zookeeper/quota"+subtree+"/zookeeper_limits"]; ok && isStats {
			out = append(out, subtree)
		}
	}
	return out
}

func (m *model) measure(subtree string) (count, bytes int) {
	for path, n := range m.nodes {
		if path == subtree || strings.HasPrefix(path, subtree+"/") {
			count, bytes = count+1, bytes+len(n.data)
		}
	}
	return count, bytes
}

// countAll writes all stats anew, and those of a node that was just created also
// if nothing limits them.
func (m *model) countAll(created ...string) {
	subtrees := m.quotas()
	for _, path := range created {
		if _, ok := m.nodes[path]; ok && strings.HasSuffix(path, "/zookeeper_stats") {
			subtrees = append(subtrees, strings.TrimSuffix(strings.TrimPrefix(path, "/zookeeper/quota"), "/zookeeper_stats"))
		}
	}
	for _, subtree := range subtrees {
		path := "/zookeeper/quota" + subtree + "/zookeeper_stats"
		count, bytes := m.measure(subtree)
		n := m.nodes[path]
		n.data = fmt.Appendf(nil, "count=%d,bytes=%d", count, bytes)
		m.nodes[path] = n
	}
}

// exceeds reports whether a hard limit is in the way.
func (m *model) exceeds(path string, countMore, bytesMore int) bool {
	if !m.enforce {
		return false
	}
	for _, subtree := range m.quotas() {
		if path != subtree && !strings.HasPrefix(path, subtree+"/") {
			continue
		}
		count, bytes := m.measure(subtree)
		for _, pair := range strings.Split(string(m.nodes["/zookeeper/quota"+subtree+"/zookeeper_limits"].data), ";") {
			limit := 0
			if _, err := fmt.Sscanf(pair, "countHardLimit=%d", &limit); err == nil && countMore != 0 && count+countMore > limit {
				return true
			}
			if _, err := fmt.Sscanf(pair, "byteHardLimit=%d", &limit); err == nil && bytesMore != 0 && bytes+bytesMore > limit {
				return true
			}
		}
	}
	return false
}
