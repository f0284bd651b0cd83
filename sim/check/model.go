package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/server/proto"
)

// model is ZooKeeper as its documentation tells it: a map from path to node, one
// request after the other. It shares no code with the server's tree, on purpose:
// a mistake has to be made twice to stay unseen. It knows no transactions either.
// It executes what clients asked for, in the order in which it was committed, and
// says what must come of it.
type model struct {
	extended bool // there are nodes with a time to live
	enforced bool // hard limits of quotas hold
	nodes    map[string]*znode
	// live are the sessions that exist, over those that did.
	live, over map[int64]bool
	owned      map[int64]map[string]bool // session to the paths of its ephemerals
	gone       map[birth]bool            // nodes that were and are no more
	quotas     map[string]bool           // subtrees that have had one
	touched    []touch                   // what changed, in the order of the events
	// undo takes back what has been done, the last first; nil when nobody wants to.
	undo []func()
	// configStat and configData say that a reply has told of /zookeeper/config,
	// which the servers write and no request can.
	configStat, configData bool
}

// znode is one node.
type znode struct {
	data                []byte // nil is null
	acl                 []proto.ACL
	czxid, mzxid, pzxid int64
	ctime, mtime        int64
	version, aversion   int32
	creates             int32 // nodes ever created under it
	owner               int64 // session of an ephemeral
	children            map[string]bool
	container           bool
	ttl                 int64         // ms; 0 is for ever
	emptied             time.Duration // when its last child went, or it was made
}

// birth names one incarnation of a path.
type birth struct {
	path  string
	czxid int64
}

// touch is a change that a watch may wait for. The ACL says who may hear of it
// (spec client-protocol 3.2).
type touch struct {
	kind proto.EventType
	path string
	acl  []proto.ACL
}

// moment is when a write is executed, and for whom.
type moment struct {
	zxid, millis int64
	at           time.Duration // when it was committed
	session      int64
	ids          []proto.ID
}

// outcome is what comes of a write.
type outcome struct {
	code    proto.ErrCode
	path    string // of what was created
	stat    proto.Stat
	results []proto.MultiResult
	failure proto.ErrCode // of a multi: the code of the part that failed
}

const (
	rootPath   = "/"
	configPath = "/zookeeper/config"
)

// reservedPaths exist always; nobody can delete them.
var reservedPaths = []string{rootPath, "/zookeeper", "/zookeeper/quota", configPath}

func newModel() *model {
	m := &model{
		nodes: map[string]*znode{},
		live:  map[int64]bool{}, over: map[int64]bool{},
		owned: map[int64]map[string]bool{},
		gone:  map[birth]bool{}, quotas: map[string]bool{},
	}
	for _, path := range reservedPaths {
		// Nobody created these: all zxids, times and counters are 0.
		m.nodes[path] = &znode{data: []byte{}, acl: proto.OpenACL, children: map[string]bool{}}
		if path != rootPath {
			m.nodes[parentOf(path)].children[nameOf(path)] = true
		}
	}
	m.nodes[configPath].acl = []proto.ACL{{Perms: proto.PermRead, ID: proto.ID{Scheme: "world", ID: "anyone"}}}
	m.nodes[configPath].version, m.nodes[configPath].aversion = -1, -1
	return m
}

// parentOf returns the path above, and what is before the last slash of a path
// that is none. The path has a slash.
func parentOf(path string) string {
	if at := strings.LastIndexByte(path, '/'); at > 0 {
		return path[:at]
	}
	return rootPath
}

func nameOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// node returns the node at a path; the empty path is another name of the root.
func (m *model) node(path string) *znode {
	if path == "" {
		path = rootPath
	}
	return m.nodes[path]
}

// stat is what a client is told of a node (spec client-protocol 1.8).
func (n *znode) stat() proto.Stat {
	kids := int32(len(n.children))
	return proto.Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid, Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, CVersion: 2*n.creates - kids, AVersion: n.aversion,
		EphemeralOwner: n.owner, DataLength: int32(len(n.data)), NumChildren: kids,
	}
}

// names are those of the children, ascending.
func (n *znode) names() []string { return slices.Sorted(maps.Keys(n.children)) }

// descendants counts the nodes below a path, at any depth.
func (m *model) descendants(path string) int {
	if path == "" {
		path = rootPath
	}
	total := 0
	for name := range m.nodes[path].children {
		total += 1 + m.descendants(strings.TrimSuffix(path, "/")+"/"+name)
	}
	return total
}

// ephemerals returns the session's, ascending.
func (m *model) ephemerals(session int64) []string {
	return slices.Sorted(maps.Keys(m.owned[session]))
}

func (m *model) createSession(session int64) { m.live[session] = true }

// mortals are the paths of containers and nodes with a time to live, ascending.
func (m *model) mortals() []string {
	var paths []string
	for path, n := range m.nodes {
		if n.container || n.ttl > 0 {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// closeSession ends a session, if it was not over, and its ephemerals.
func (m *model) closeSession(at moment) {
	delete(m.live, at.session)
	m.over[at.session] = true
	for _, path := range m.ephemerals(at.session) {
		m.remove(at, path)
	}
}

// try says what would come of a write, and executes nothing.
func (m *model) try(at moment, op proto.OpCode, req proto.Record) outcome {
	m.undo = []func(){}
	out := m.write(at, op, req)
	m.takeBack()
	return out
}

// takeBack undoes what was done since undo was begun.
func (m *model) takeBack() {
	for _, back := range slices.Backward(m.undo) {
		back()
	}
	m.undo, m.touched = nil, m.touched[:0]
}

// write executes a request. touched says afterwards what changed.
func (m *model) write(at moment, op proto.OpCode, req proto.Record) outcome {
	m.touched = m.touched[:0]
	switch op {
	case proto.OpMulti:
		return m.multi(at, req.(*proto.MultiRequest))
	case proto.OpSetACL:
		return m.setACL(at, req.(*proto.SetACLRequest))
	case proto.OpReconfig:
		return outcome{code: proto.ErrReconfigDisabled}
	case proto.OpCheck:
		return outcome{code: proto.ErrUnimplemented}
	}
	return m.one(at, op, req)
}

// one executes what may be part of a multi.
func (m *model) one(at moment, op proto.OpCode, req proto.Record) outcome {
	switch r := req.(type) {
	case *proto.CreateRequest:
		return m.create(at, op, r, 0)
	case *proto.CreateTTLRequest:
		return m.create(at, op, &r.CreateRequest, r.TTLMillis)
	case *proto.SetDataRequest:
		return m.setData(at, r)
	case *proto.PathVersionRequest:
		if op == proto.OpCheck {
			return m.check(at, r)
		}
		return m.delete(at, r)
	}
	return outcome{code: proto.ErrUnimplemented}
}

// multi executes all parts or, if one fails, none: then all before it say 0 and
// all behind it RuntimeInconsistency (spec client-protocol 1.7).
func (m *model) multi(at moment, req *proto.MultiRequest) outcome {
	parts, ok := decoded(req)
	if !ok {
		return outcome{code: proto.ErrMarshalling, failure: proto.ErrMarshalling}
	}
	out := outcome{results: make([]proto.MultiResult, len(parts))}
	tried := m.undo != nil
	if !tried {
		m.undo = []func(){}
	}
	for i, part := range parts {
		o := m.one(at, part.Op, part.Request)
		if o.code == proto.OK {
			out.results[i] = resultOf(part.Op, o)
			continue
		}
		m.takeBack()
		out.failure = o.code
		for j := range out.results {
			out.results[j] = proto.MultiResult{Type: proto.OpError}
			switch cmp.Compare(j, i) {
			case 0:
				out.results[j].Err = o.code
			case 1:
				out.results[j].Err = proto.ErrRuntimeInconsistency
			}
		}
		return out
	}
	if !tried {
		m.undo = nil
	}
	return out
}

// resultOf puts what came of a part into the words of a multi's reply.
func resultOf(op proto.OpCode, o outcome) proto.MultiResult {
	r := proto.MultiResult{Type: op}
	switch op {
	case proto.OpCreate:
		r.Path = o.path
	case proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		r.Type, r.Path, r.Stat = proto.OpCreate2, o.path, o.stat
	case proto.OpSetData:
		r.Stat = o.stat
	}
	return r
}

// decoded returns the parts of a multi as a server understands them, and false if
// it does not. It holds writes only. The flags say what a create makes: with those
// of a container op does not matter, and without those of a time to live there is
// none. No create has flags that are none, or no ACL vector at all.
func decoded(req *proto.MultiRequest) ([]proto.MultiOp, bool) {
	parts := slices.Clone(req.Ops)
	for i := range parts {
		part := &parts[i]
		switch part.Op {
		case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer:
			r := part.Request.(*proto.CreateRequest)
			if r.ACL == nil || r.Flags < proto.FlagPersistent || r.Flags > proto.FlagContainer {
				return nil, false
			}
			if r.Flags == proto.FlagContainer {
				part.Op = proto.OpCreateContainer
			}
		case proto.OpCreateTTL:
			r := part.Request.(*proto.CreateTTLRequest)
			switch r.Flags {
			case proto.FlagTTL, proto.FlagTTLSequential:
			case proto.FlagContainer:
				part.Op, part.Request = proto.OpCreateContainer, &r.CreateRequest
			default:
				part.Op, part.Request = proto.OpCreate, &r.CreateRequest
			}
		case proto.OpDelete, proto.OpSetData, proto.OpCheck:
		default:
			return nil, false
		}
	}
	return parts, true
}

// sequence is the end of a sequential node's name: the count of creations as ten
// digits, the minus being one of them (ZOOKEEPER-1206).
func sequence(creates int32) string { return fmt.Sprintf("%010d", creates) }
