package znode

import (
	"fmt"

	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
)

// The order of checks in this file decides which code a request gets that is
// wrong in several ways: it is that of spec client-protocol 1.10.

func (r *request) create(op proto.OpCode, req *proto.CreateRequest, ttlMillis int64) (proto.OpCode, proto.Record, proto.ErrCode) {
	if code := r.checkCreate(op, req.Flags, ttlMillis); code != proto.OK {
		return op, nil, code
	}
	if code := r.checkSession(); code != proto.OK {
		return op, nil, code
	}
	path := req.Path
	if !addressable(path) {
		return op, nil, proto.ErrBadArguments
	}
	acl, code := r.Policy.Fixup(req.ACL, r.ids)
	if code != proto.OK {
		return op, nil, code
	}
	parentPath, _, _ := split(path)
	parent := r.get(parentPath)
	switch {
	case !parent.exists:
		return op, nil, proto.ErrNoNode
	case !r.allowed(&parent, proto.PermCreate):
		return op, nil, proto.ErrNoAuth
	}
	if sequential(req.Flags) {
		counter := parent.ccount
		if mutant.On(mutant.M33) {
			counter = int32(uint32(r.zxid)) // it begins anew with each leader
		}
		path += sequence(counter)
	}
	switch {
	case !ValidPath(path):
		return op, nil, proto.ErrBadArguments
	case r.get(path).exists:
		return op, nil, proto.ErrNodeExists
	case sessionOwner(parent.owner) != 0:
		return op, nil, proto.ErrNoChildrenForEphemerals
	}
	if code := r.checkQuota(path, 1, len(req.Data)); code != proto.OK {
		return op, nil, code
	}
	if !r.mayCount(path) {
		return op, nil, proto.ErrBadArguments
	}
	parent.ccount++
	parent.children++
	owner, rec := r.createTxn(op, path, req, acl, parent.ccount, ttlMillis)
	r.put(parentPath, parent)
	r.put(path, change{exists: true, acl: acl, owner: owner, mtime: r.now, size: len(req.Data), data: quotaText(path, req.Data)})
	return op, rec, proto.OK
}

// createTxn returns the transaction of a create, whose type follows the op, and
// the owner that the node will have.
func (r *request) createTxn(op proto.OpCode, path string, req *proto.CreateRequest, acl []proto.ACL, counter int32, ttlMillis int64) (owner int64, rec proto.Record) {
	switch op {
	case proto.OpCreateContainer:
		return containerOwner, &proto.CreateContainerTxn{Path: path, Data: req.Data, ACL: acl, ParentCVersion: counter}
	case proto.OpCreateTTL:
		return ttlOwner(ttlMillis), &proto.CreateTTLTxn{Path: path, Data: req.Data, ACL: acl, ParentCVersion: counter, TTLMillis: ttlMillis}
	}
	txn := &proto.CreateTxn{Path: path, Data: req.Data, ACL: acl, ParentCVersion: counter}
	if req.Flags == proto.FlagEphemeral || req.Flags == proto.FlagEphemeralSequential {
		owner, txn.Ephemeral = r.session, true
	}
	return owner, txn
}

// sequence returns a counter as ten digits, a minus counting as one, as the
// names of sequential nodes end (ZOOKEEPER-1206: never in local digits).
func sequence(counter int32) string { return fmt.Sprintf("%010d", counter) }

func sequential(flags int32) bool {
	return flags == proto.FlagSequential || flags == proto.FlagEphemeralSequential || flags == proto.FlagTTLSequential
}

// checkCreate checks the flags, and the time to live before it is in a
// transaction (ZOOKEEPER-2901). A flag and an op that speak of times to live go
// together only.
func (r *request) checkCreate(op proto.OpCode, flags int32, ttlMillis int64) proto.ErrCode {
	hasTTL := flags == proto.FlagTTL || flags == proto.FlagTTLSequential
	switch {
	case flags < proto.FlagPersistent || flags > proto.FlagTTLSequential:
		return proto.ErrBadArguments
	case hasTTL && !r.ExtendedTypes:
		return proto.ErrUnimplemented
	case hasTTL != (op == proto.OpCreateTTL):
		return proto.ErrBadArguments
	case hasTTL && (ttlMillis < 1 || ttlMillis > TTLMillisMax):
		return proto.ErrBadArguments
	}
	return proto.OK
}

func (r *request) delete(req *proto.PathVersionRequest) (proto.OpCode, proto.Record, proto.ErrCode) {
	const op = proto.OpDelete
	if code := r.checkSession(); code != proto.OK {
		return op, nil, code
	}
	if !addressable(req.Path) || reserved(req.Path) {
		return op, nil, proto.ErrBadArguments
	}
	parentPath, _, _ := split(req.Path)
	parent := r.get(parentPath)
	switch {
	case !parent.exists:
		return op, nil, proto.ErrNoNode
	case !r.allowed(&parent, proto.PermDelete):
		return op, nil, proto.ErrNoAuth
	}
	switch c := r.get(req.Path); {
	case !c.exists:
		return op, nil, proto.ErrNoNode
	case req.Version != -1 && req.Version != c.version:
		return op, nil, proto.ErrBadVersion
	case c.children > 0:
		return op, nil, proto.ErrNotEmpty
	}
	r.remove(req.Path)
	return op, &proto.DeleteTxn{Path: req.Path}, proto.OK
}

// deleteContainer is the reaper's delete: of a container or a node with a time to
// live that has no children, and with no regard to version, ACL or session (spec
// client-protocol 2.4). What is not due any more lives on: a node whose data was
// written since it was found to be, or a new container in the place of the one
// that was found.
func (r *request) deleteContainer(path string) (proto.OpCode, proto.Record, proto.ErrCode) {
	const op = proto.OpDeleteContainer
	if !addressable(path) || reserved(path) {
		return op, nil, proto.ErrBadArguments
	}
	reap := Reap{NowMillis: r.now, NeverUsedMillis: r.NeverUsedMillis}
	switch c := r.get(path); {
	case !c.exists:
		return op, nil, proto.ErrNoNode
	case c.children > 0:
		return op, nil, proto.ErrNotEmpty
	case !reap.due(&c):
		return op, nil, proto.ErrBadVersion
	}
	r.remove(path)
	return op, &proto.DeleteTxn{Path: path}, proto.OK
}

// nextVersion compares the version that is with the one expected and returns
// the one that will be. -1 is left out because it means any (ZOOKEEPER-4743).
func nextVersion(is, expected int32) (int32, proto.ErrCode) {
	if expected != -1 && expected != is {
		return 0, proto.ErrBadVersion
	}
	if is++; is == -1 {
		is = 0
	}
	return is, proto.OK
}

func (r *request) setData(req *proto.SetDataRequest) (proto.OpCode, proto.Record, proto.ErrCode) {
	const op = proto.OpSetData
	c, code := r.existing(req.Path, proto.PermWrite)
	if code != proto.OK {
		return op, nil, code
	}
	if code = r.checkQuota(req.Path, 0, len(req.Data)-c.size); code != proto.OK {
		return op, nil, code
	}
	if c.version, code = nextVersion(c.version, req.Version); code != proto.OK {
		return op, nil, code
	}
	c.mtime, c.size, c.data = r.now, len(req.Data), quotaText(req.Path, req.Data)
	r.put(req.Path, c)
	return op, &proto.SetDataTxn{Path: req.Path, Data: req.Data, Version: c.version}, proto.OK
}

// existing is the common beginning of what changes or checks a node that must
// be there.
func (r *request) existing(path string, perm int32) (change, proto.ErrCode) {
	if code := r.checkSession(); code != proto.OK {
		return change{}, code
	}
	if !ValidPath(path) {
		return change{}, proto.ErrBadArguments
	}
	return r.permitted(path, perm)
}

func (r *request) permitted(path string, perm int32) (change, proto.ErrCode) {
	c := r.get(path)
	switch {
	case !c.exists:
		return c, proto.ErrNoNode
	case !r.allowed(&c, perm):
		return c, proto.ErrNoAuth
	}
	return c, proto.OK
}

func (r *request) setACL(req *proto.SetACLRequest) (proto.OpCode, proto.Record, proto.ErrCode) {
	const op = proto.OpSetACL
	if code := r.checkSession(); code != proto.OK {
		return op, nil, code
	}
	if !ValidPath(req.Path) {
		return op, nil, proto.ErrBadArguments
	}
	acl, code := r.Policy.Fixup(req.ACL, r.ids)
	if code != proto.OK {
		return op, nil, code
	}
	c, code := r.permitted(req.Path, proto.PermAdmin)
	if code != proto.OK {
		return op, nil, code
	}
	if c.aversion, code = nextVersion(c.aversion, req.Version); code != proto.OK {
		return op, nil, code
	}
	c.acl = acl
	r.put(req.Path, c)
	return op, &proto.SetACLTxn{Path: req.Path, ACL: acl, Version: c.aversion}, proto.OK
}

func (r *request) check(req *proto.PathVersionRequest) (proto.OpCode, proto.Record, proto.ErrCode) {
	const op = proto.OpCheck
	c, code := r.existing(req.Path, proto.PermRead)
	if code != proto.OK {
		return op, nil, code
	}
	if _, code = nextVersion(c.version, req.Version); code != proto.OK {
		return op, nil, code
	}
	return op, &proto.CheckVersionTxn{Path: req.Path, Version: req.Version}, proto.OK
}
