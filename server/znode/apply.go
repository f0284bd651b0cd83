package znode

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
)

// Event is a change that watches may wait for. ACL is the one that decides who
// may hear of it: of the node created or changed, the last one of the node
// deleted, and the parent's for NodeChildrenChanged (spec client-protocol 3.2).
// It must not be written to.
type Event struct {
	Type proto.EventType
	Path string
	ACL  []proto.ACL
}

// Result is what a transaction did, in the words of a reply: nothing more than
// the Result is needed to answer the request behind it.
type Result struct {
	Zxid    ensemble.Zxid
	Session int64
	Op      proto.OpCode // the transaction's type: OpError for a request that failed
	Err     proto.ErrCode
	Path    string     // create, delete, setData, setACL: the final path
	Stat    proto.Stat // create, setData, setACL: the node's, as of this transaction
	// TimeoutMillis is that of a created session.
	TimeoutMillis int32
	// Multi has one result per operation of a multi. Err is OK even when the
	// multi failed, because its reply says so in the results only.
	Multi []proto.MultiResult
}

// SessionMoved reports whether the request came from a server that is not the
// session's any more: its connection is closed instead of answered, also when
// only an operation of a multi says so (ZOOKEEPER-2886).
func (r *Result) SessionMoved() bool {
	if r.Err == proto.ErrSessionMoved {
		return true
	}
	return slices.ContainsFunc(r.Multi, func(m proto.MultiResult) bool {
		return m.Err == proto.ErrSessionMoved
	})
}

// SetLenient says what happens to transactions that contradict the tree: a
// create of what exists, a delete of what does not, a zxid that was applied
// before. A strict tree, the usual one, panics: its replica has diverged and
// must not serve. A lenient one does what it can and reports an error code, as
// is needed to replay a log over a foreign snapshot that was written while the
// state changed (spec peer-protocol 6.4).
func (t *Tree) SetLenient(lenient bool) { t.lenient = lenient }

// SetEmulate353 says whether Restore takes negative owners that are neither
// containers nor sessions of the snapshot for the times to live of ZooKeeper
// 3.5.3 (zoo.cfg: emulate353TTLNodes). The tree then has them in the format of
// all later releases.
func (t *Tree) SetEmulate353(emulate bool) { t.emulate353 = emulate }

// Apply applies a committed transaction, as proto.DecodeTxn decoded it, and
// appends to events what it changed, in the order in which watchers are told.
// Buffers of the record are copied where they are kept, strings and ACLs are not.
//
// It panics if the transaction contradicts the tree: see SetLenient.
func (t *Tree) Apply(h proto.TxnHeader, rec proto.Record, events []Event) (Result, []Event) {
	if h.Zxid <= t.zxid {
		t.contradiction(&h, "0x%x was applied before", uint64(t.zxid))
	}
	res := Result{Zxid: ensemble.Zxid(h.Zxid), Session: h.Session, Op: h.Type}
	switch r := rec.(type) {
	case *proto.ErrorTxn:
		res.Err = r.Err
	case *proto.CreateSessionTxn:
		t.setSession(h.Session, r.TimeoutMillis)
		res.TimeoutMillis = r.TimeoutMillis
	case *proto.CloseSessionTxn:
		events = t.closeSession(&h, r, events)
	case *proto.MultiTxn:
		res.Multi, events = t.multi(&h, r, events)
	default:
		res.Path, res.Stat, res.Err, events = t.applyOne(&h, rec, events)
	}
	t.zxid = max(t.zxid, h.Zxid)
	return res, events
}

func (t *Tree) contradiction(h *proto.TxnHeader, format string, args ...any) {
	if !t.lenient {
		panic(fmt.Sprintf("znode: transaction 0x%x (epoch %d, %s, session 0x%x) contradicts the tree: %s",
			uint64(h.Zxid), h.Zxid>>32, h.Type, uint64(h.Session), fmt.Sprintf(format, args...)))
	}
}

// applyOne applies what can be alone or in a multi.
func (t *Tree) applyOne(h *proto.TxnHeader, rec proto.Record, events []Event) (string, proto.Stat, proto.ErrCode, []Event) {
	switch r := rec.(type) {
	case *proto.CreateTxn:
		owner := int64(0)
		if r.Ephemeral {
			owner = h.Session
		}
		return t.create(h, r, owner, events)
	case *proto.CreateContainerTxn:
		c := proto.CreateTxn{Path: r.Path, Data: r.Data, ACL: r.ACL, ParentCVersion: r.ParentCVersion}
		return t.create(h, &c, containerOwner, events)
	case *proto.CreateTTLTxn:
		c := proto.CreateTxn{Path: r.Path, Data: r.Data, ACL: r.ACL, ParentCVersion: r.ParentCVersion}
		return t.create(h, &c, ttlOwner(r.TTLMillis), events)
	case *proto.DeleteTxn:
		return t.delete(h, r.Path, events)
	case *proto.SetDataTxn:
		return t.setData(h, r, events)
	case *proto.SetACLTxn:
		return t.setACL(h, r, events)
	case *proto.CheckVersionTxn:
		return r.Path, proto.Stat{}, proto.OK, events
	}
	panic(fmt.Sprintf("znode: transaction 0x%x has a record of type %T", uint64(h.Zxid), rec))
}

func (t *Tree) create(h *proto.TxnHeader, r *proto.CreateTxn, owner int64, events []Event) (string, proto.Stat, proto.ErrCode, []Event) {
	parentPath, name, _ := split(r.Path)
	var parent *node
	if name != "" {
		parent = t.own(parentPath)
	}
	if parent == nil {
		t.contradiction(h, "create %q: no parent", r.Path)
		return r.Path, proto.Stat{}, proto.ErrNoNode, events
	}
	counter := r.ParentCVersion
	if counter == proto.NoParentCVersion {
		counter = parent.ccount + 1
	}
	if counter != parent.ccount+1 {
		t.contradiction(h, "create %q: parent had %d creations and should have %d", r.Path, parent.ccount, counter-1)
	}
	exists := parent.children.get(name) != nil
	if exists {
		t.contradiction(h, "create %q: it exists", r.Path)
	}
	if counter-parent.ccount > 0 { // also across the wrap to negative numbers
		parent.ccount = counter
		parent.pzxid = max(parent.pzxid, h.Zxid)
	}
	if exists {
		n := t.own(r.Path)
		t.replaceACL(n, r.ACL)
		return r.Path, n.stat(), proto.ErrNodeExists, events
	}
	parent.pzxid = max(parent.pzxid, h.Zxid)
	n := &node{
		acl:   t.acls.take(r.ACL),
		czxid: h.Zxid, mzxid: h.Zxid, pzxid: h.Zxid, ctime: h.Time, mtime: h.Time,
		owner: owner,
	}
	n.setData(r.Data)
	t.attach(parent, r.Path, name, n)
	stat := n.stat() // as the client wrote it: a quota's usage is filled in behind that
	t.created(r.Path, n)
	events = append(events,
		Event{proto.EventNodeCreated, r.Path, n.acl.list},
		Event{proto.EventNodeChildrenChanged, parentPath, parent.acl.list})
	return r.Path, stat, proto.OK, events
}

func (t *Tree) delete(h *proto.TxnHeader, path string, events []Event) (string, proto.Stat, proto.ErrCode, []Event) {
	parentPath, name, _ := split(path)
	var parent, n *node
	if name != "" {
		parent = t.own(parentPath)
	}
	if parent != nil {
		n = parent.children.get(name)
	}
	switch {
	case parent == nil:
		t.contradiction(h, "delete %q: no parent", path)
		return path, proto.Stat{}, proto.ErrNoNode, events
	case n == nil:
		t.contradiction(h, "delete %q: no such node", path)
		parent.pzxid = max(parent.pzxid, h.Zxid) // ZOOKEEPER-3125
		return path, proto.Stat{}, proto.ErrNoNode, events
	case n.children.len() > 0 || reserved(path):
		t.contradiction(h, "delete %q: it has %d children or is reserved", path, n.children.len())
		return path, proto.Stat{}, proto.ErrNotEmpty, events
	}
	parent.pzxid = max(parent.pzxid, h.Zxid)
	t.detach(parent, path, name, n)
	t.account(path, -1, -len(n.data))
	events = append(events,
		Event{proto.EventNodeDeleted, path, n.acl.list},
		Event{proto.EventNodeChildrenChanged, parentPath, parent.acl.list})
	return path, proto.Stat{}, proto.OK, events
}

func (t *Tree) setData(h *proto.TxnHeader, r *proto.SetDataTxn, events []Event) (string, proto.Stat, proto.ErrCode, []Event) {
	n := t.own(r.Path)
	if n == nil {
		t.contradiction(h, "setData %q: no such node", r.Path)
		return r.Path, proto.Stat{}, proto.ErrNoNode, events
	}
	grown := len(r.Data) - len(n.data)
	t.bytes += int64(grown)
	n.setData(r.Data)
	n.version, n.mzxid, n.mtime = r.Version, h.Zxid, h.Time
	stat := n.stat() // as the client wrote it, like create's
	t.dataSet(r.Path, grown)
	events = append(events, Event{proto.EventNodeDataChanged, r.Path, n.acl.list})
	return r.Path, stat, proto.OK, events
}

func (t *Tree) setACL(h *proto.TxnHeader, r *proto.SetACLTxn, events []Event) (string, proto.Stat, proto.ErrCode, []Event) {
	n := t.own(r.Path)
	if n == nil {
		t.contradiction(h, "setACL %q: no such node", r.Path)
		return r.Path, proto.Stat{}, proto.ErrNoNode, events
	}
	t.replaceACL(n, r.ACL)
	n.aversion = r.Version
	return r.Path, n.stat(), proto.OK, events
}

func (t *Tree) replaceACL(n *node, list []proto.ACL) {
	old := n.acl
	n.acl = t.acls.take(list)
	t.acls.give(old)
}

func (t *Tree) setSession(id int64, timeoutMillis int32) {
	t.unshareSessions()
	t.sessions[id] = timeoutMillis
}

func (t *Tree) closeSession(h *proto.TxnHeader, r *proto.CloseSessionTxn, events []Event) []Event {
	if _, ok := t.sessions[h.Session]; ok {
		t.unshareSessions()
		delete(t.sessions, h.Session)
	}
	for _, path := range r.Paths {
		if n := t.find(path); n == nil || sessionOwner(n.owner) != h.Session {
			t.contradiction(h, "closeSession lists %q, which is no ephemeral of the session", path)
		}
		_, _, _, events = t.delete(h, path, events)
	}
	rest := t.Ephemerals(h.Session)
	if mutant.On(mutant.M28) {
		rest = nil
	}
	if len(rest) > 0 && !r.Unlisted {
		t.contradiction(h, "closeSession does not list %q", rest)
	}
	for _, path := range rest {
		_, _, _, events = t.delete(h, path, events)
	}
	return events
}

// multi applies all parts or, if one is an error, none.
func (t *Tree) multi(h *proto.TxnHeader, r *proto.MultiTxn, events []Event) ([]proto.MultiResult, []Event) {
	results := make([]proto.MultiResult, len(r.Txns))
	failed := slices.IndexFunc(r.Txns, func(sub proto.SubTxn) bool {
		e, ok := sub.Record.(*proto.ErrorTxn)
		return ok && e.Err != proto.OK
	})
	if failed < 0 { // no error, or, against all custom, only errors of code 0
		failed = slices.IndexFunc(r.Txns, func(sub proto.SubTxn) bool { return sub.Type == proto.OpError })
	}
	for i, sub := range r.Txns {
		res := &results[i]
		if failed >= 0 {
			if mutant.On(mutant.M20) && i < failed {
				_, _, _, events = t.applyOne(h, sub.Record, events)
			}
			res.Type = proto.OpError
			switch {
			case i == failed:
				res.Err = sub.Record.(*proto.ErrorTxn).Err
			case i > failed:
				res.Err = proto.ErrRuntimeInconsistency
			}
			continue
		}
		res.Path, res.Stat, res.Err, events = t.applyOne(h, sub.Record, events)
		switch res.Type = sub.Type; {
		case res.Err != proto.OK:
			res.Type = proto.OpError
		case sub.Type == proto.OpCreateContainer || sub.Type == proto.OpCreateTTL:
			res.Type = proto.OpCreate2
		}
	}
	return results, events
}
