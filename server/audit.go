package server

import (
	"strings"
	"time"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
	"github.com/quorate/quorate/server/znode"
)

// AuditEvent is a line of the audit log: who did what, and how it ended. Strings
// that mean nothing for an operation are empty. The words are ZooKeeper's: spec
// client-protocol 5.
type AuditEvent struct {
	Time      time.Time
	Session   string // 0x…
	User      string // names of all identities, joined by commas; empty where the server itself acts
	IP        string
	Operation string // one of the Audit constants
	Znode     string
	ZnodeType string // persistent, ephemeral_sequential, container …
	ACL       string // scheme:id:cdrwa, joined by commas
	Result    string // one of the AuditResult constants
}

// Operations of the audit log.
const (
	AuditServerStart = "serverStart"
	AuditServerStop  = "serverStop"
	AuditCreate      = "create"
	AuditDelete      = "delete"
	AuditSetData     = "setData"
	AuditSetACL      = "setAcl"
	AuditMulti       = "multiOperation" // one that failed
	AuditReconfig    = "reconfig"
	AuditEphemeral   = "ephemeralZNodeDeletionOnSessionCloseOrExpire"
)

// Results of the audit log. ZooKeeper does not log what AuditUnknown stands for.
const (
	AuditSuccess = "success"
	AuditFailure = "failure"
	AuditInvoked = "invoked" // of AuditServerStop
	AuditUnknown = "unknown" // the leader was lost: the write may have happened, or may happen
)

// audit logs a write of the connection, before it is answered. A nil result means
// that nobody knows what became of it.
func (c *Conn) audit(in incoming, h proto.RequestHeader, res *znode.Result) {
	switch {
	case c.s.cfg.Audit == nil:
	case res == nil:
		c.auditAs(in, h, nil, AuditUnknown)
	case res.Err != proto.OK || res.SessionMoved():
		c.auditAs(in, h, nil, AuditFailure)
	default:
		c.auditAs(in, h, res, AuditSuccess)
	}
}

// auditRefused logs a write that was refused without asking the leader.
func (c *Conn) auditRefused(in incoming, h proto.RequestHeader) {
	if c.s.cfg.Audit != nil {
		c.auditAs(in, h, nil, AuditFailure)
	}
}

func (c *Conn) auditAs(in incoming, h proto.RequestHeader, res *znode.Result, result string) {
	e := c.auditEvent(result)
	req, err := proto.DecodeRequest(h.Op, in.frame[requestHeaderBytes:])
	if multi, ok := req.(*proto.MultiRequest); ok && err == nil && res != nil {
		c.auditMulti(e, multi, res)
		return
	}
	if !e.describe(h.Op, req) {
		return
	}
	if err != nil { // what it says of a znode is not to be trusted
		e.Znode, e.ZnodeType, e.ACL = "", "", ""
	}
	if res != nil && res.Path != "" {
		e.Znode = res.Path // with the number of a sequential node
	}
	c.s.cfg.Audit(e)
}

// auditMulti logs the parts of a multi that succeeded, or one line for one that
// failed.
func (c *Conn) auditMulti(e AuditEvent, multi *proto.MultiRequest, res *znode.Result) {
	for _, r := range res.Multi {
		if r.Type == proto.OpError {
			e.Operation, e.Result = AuditMulti, AuditFailure
			c.s.cfg.Audit(e)
			return
		}
	}
	for i, op := range multi.Ops {
		part := e
		if !part.describe(op.Op, op.Request) {
			continue
		}
		if i < len(res.Multi) && res.Multi[i].Path != "" {
			part.Znode = res.Multi[i].Path
		}
		c.s.cfg.Audit(part)
	}
}

// describe fills in what a request wants to do. It reports false for one that is
// not logged.
func (e *AuditEvent) describe(op proto.OpCode, req proto.Record) bool {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		e.Operation = AuditCreate
	case proto.OpDelete:
		e.Operation = AuditDelete
	case proto.OpSetData:
		e.Operation = AuditSetData
	case proto.OpSetACL:
		e.Operation = AuditSetACL
	case proto.OpMulti:
		e.Operation = AuditMulti
	case proto.OpReconfig:
		e.Operation = AuditReconfig
	default:
		return false
	}
	switch r := req.(type) {
	case *proto.CreateRequest:
		e.Znode, e.ZnodeType = r.Path, createMode(r.Flags)
	case *proto.CreateTTLRequest:
		e.Znode, e.ZnodeType = r.Path, createMode(r.Flags)
	case *proto.PathVersionRequest:
		e.Znode = r.Path
	case *proto.SetDataRequest:
		e.Znode = r.Path
	case *proto.SetACLRequest:
		e.Znode, e.ACL = r.Path, aclText(r.ACL)
	}
	return true
}

// createMode returns ZooKeeper's name of a create's flags, in lower case.
func createMode(flags int32) string {
	switch flags {
	case proto.FlagPersistent:
		return "persistent"
	case proto.FlagEphemeral:
		return "ephemeral"
	case proto.FlagSequential:
		return "persistent_sequential"
	case proto.FlagEphemeralSequential:
		return "ephemeral_sequential"
	case proto.FlagContainer:
		return "container"
	case proto.FlagTTL:
		return "persistent_with_ttl"
	case proto.FlagTTLSequential:
		return "persistent_sequential_with_ttl"
	}
	return ""
}

// aclText prints an ACL list as scheme:id:cdrwa.
func aclText(list []proto.ACL) string {
	var b strings.Builder
	for i, a := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(a.ID.Scheme + ":" + a.ID.ID + ":")
		for _, p := range []struct {
			bit  int32
			name byte
		}{{proto.PermCreate, 'c'}, {proto.PermDelete, 'd'}, {proto.PermRead, 'r'}, {proto.PermWrite, 'w'}, {proto.PermAdmin, 'a'}} {
			if a.Perms&p.bit != 0 {
				b.WriteByte(p.name)
			}
		}
	}
	return b.String()
}

// auditEvent begins an event of the connection.
func (c *Conn) auditEvent(result string) AuditEvent {
	c.mu.Lock()
	ids, id := c.ids, c.session
	c.mu.Unlock()
	var users []string
	for _, x := range ids {
		if name := znode.User(x); name != "" {
			users = append(users, name)
		}
	}
	return AuditEvent{
		Time: c.s.cfg.Time(), Session: session.Format(id), User: strings.Join(users, ","),
		IP: c.remote.Addr().String(), Result: result,
	}
}

// ephemeralsGone returns what the end of a session has deleted, if that is to be
// logged. The state is locked, and the events have not been fired yet.
func (s *Server) ephemeralsGone(h *proto.TxnHeader) (paths []string) {
	if s.cfg.Audit == nil || h.Type != proto.OpCloseSession {
		return nil
	}
	for _, e := range s.events {
		if e.Type == proto.EventNodeDeleted {
			paths = append(paths, e.Path)
		}
	}
	return paths
}

// auditEphemerals logs the ephemeral nodes that a session took along. As in
// ZooKeeper every server does, the client's or not: nobody knows which of them
// will live to tell.
func (s *Server) auditEphemerals(h *proto.TxnHeader, paths []string) {
	for _, path := range paths {
		s.cfg.Audit(AuditEvent{
			Time: s.cfg.Time(), Session: session.Format(h.Session), Operation: AuditEphemeral, Znode: path, Result: AuditSuccess,
		})
	}
}
