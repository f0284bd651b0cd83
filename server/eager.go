package server

import (
	"strings"

	"github.com/quorate/quorate/server/proto"
)

// refuseEagerly answers a write that the connection's identities do not allow by
// the state that this server has, before the leader is asked (zoo.cfg:
// enableEagerACLCheck). It reports whether it did. The leader's word counts for
// all others.
//
// It leaves writes alone that follow others of the connection: what those do is
// not known here yet, and their answers come first. (ZooKeeper's refusals overtake
// them, and its clients then give up the connection.)
func (c *Conn) refuseEagerly(in incoming, h proto.RequestHeader) bool {
	c.mu.Lock()
	alone := c.pending == 1
	c.mu.Unlock()
	if !alone {
		return false
	}
	path, perm := permissionFor(h.Op, in.frame[requestHeaderBytes:])
	if perm == 0 {
		return false
	}
	c.s.state.RLock()
	_, code := c.node(path, perm)
	c.s.state.RUnlock()
	if code != proto.ErrNoAuth {
		return false
	}
	c.auditRefused(in, h)
	c.answer(in, proto.ReplyHeader{Xid: h.Xid, Err: code}, committed, nil)
	return true
}

// permissionFor returns what a write needs, and on which node, or 0 for a write
// that is not judged eagerly.
func permissionFor(op proto.OpCode, body []byte) (path string, perm int32) {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpDelete, proto.OpSetData, proto.OpSetACL:
	default:
		return "", 0
	}
	req, err := proto.DecodeRequest(op, body)
	if err != nil {
		return "", 0 // the leader says what is wrong with it
	}
	switch r := req.(type) {
	case *proto.SetDataRequest:
		return r.Path, proto.PermWrite
	case *proto.SetACLRequest:
		return r.Path, proto.PermAdmin
	case *proto.CreateRequest:
		path, perm = r.Path, proto.PermCreate
	case *proto.PathVersionRequest:
		path, perm = r.Path, proto.PermDelete
	}
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 {
		return "", 0
	}
	return path[:slash], perm // "" is the root
}
