package znode

import (
	"maps"

	"github.com/quorate/quorate/internal/jute"
	"github.com/quorate/quorate/server/proto"
)

// acl is a list that many nodes share. The list never changes; refs is how many
// nodes of the live tree have it and is not kept for the open list.
type acl struct {
	list []proto.ACL
	refs int
}

// aclTable interns lists by value. (ZooKeeper counts references to numbers and
// lost lists that way over fuzzy snapshots: ZOOKEEPER-3306, 4846.)
type aclTable struct {
	open   *acl
	byKey  map[string]*acl
	shared bool // a snapshot has byKey: copy before writing
	key    []byte
}

func newACLTable() aclTable {
	return aclTable{open: &acl{list: proto.OpenACL}, byKey: map[string]*acl{}}
}

func isOpen(list []proto.ACL) bool { return len(list) == 1 && list[0] == proto.OpenACL[0] }

func (t *aclTable) keyOf(list []proto.ACL) []byte {
	e := jute.NewEncoder(t.key[:0])
	proto.EncodeACLs(e, list)
	t.key = e.Bytes()
	return t.key
}

func (t *aclTable) unshare() {
	if t.shared {
		t.byKey, t.shared = maps.Clone(t.byKey), false
	}
}

// take returns the shared list equal to list, with one more reference.
func (t *aclTable) take(list []proto.ACL) *acl {
	if isOpen(list) {
		return t.open
	}
	if len(list) == 0 {
		list = nil
	}
	key := t.keyOf(list)
	a := t.byKey[string(key)]
	if a == nil {
		t.unshare()
		a = &acl{list: list}
		t.byKey[string(key)] = a
	}
	a.refs++
	return a
}

// give returns a reference that take gave.
func (t *aclTable) give(a *acl) {
	if a == t.open {
		return
	}
	if a.refs--; a.refs == 0 {
		t.unshare()
		delete(t.byKey, string(t.keyOf(a.list)))
	}
}
