package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
)

// audited collects audit events as text: those fields that are not empty.
type audited struct{ lines []string }

func (a *audited) record(e AuditEvent) {
	var b strings.Builder
	for _, f := range [][2]string{{"session", e.Session}, {"user", e.User}, {"ip", e.IP}, {"operation", e.Operation}, {"znode", e.Znode},
		{"znode_type", e.ZnodeType}, {"acl", e.ACL}, {"result", e.Result}} {
		if f[1] != "" {
			fmt.Fprintf(&b, "%s=%s ", f[0], f[1])
		}
	}
	a.lines = append(a.lines, strings.TrimSpace(b.String()))
}

// take returns what has come since the last call.
func (a *audited) take() []string {
	lines := a.lines
	a.lines = nil
	return lines
}

func TestAudit_WhatClientsChange(t *testing.T) {
	var log audited
	h := newHand(Config{Audit: log.record, ExtendedTypes: true})
	w := h.join(t)
	sid := session.Format(w.session)
	who := func(user string, rest ...string) []string {
		for i := range rest {
			rest[i] = "session=" + sid + " user=" + user + " ip=10.0.0.1 " + rest[i]
		}
		return rest
	}
	xid := int32(0)
	do := func(op proto.OpCode, rec proto.Record) []string {
		t.Helper()
		xid++
		w.send(request(xid, op, rec))
		h.settle()
		w.reply(t, nil)
		return log.take()
	}
	assert.Empty(t, log.take(), "a session is no event")
	assert.Equal(t, who("10.0.0.1", "operation=create znode=/a znode_type=persistent result=success"),
		do(proto.OpCreate, createOf("/a", "", 0)))
	require.Empty(t, do(proto.OpExists, read("/a", false)), "reads are not logged")
	xid++
	w.send(request(proto.XidAuth, proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: []byte("bob:pw")}))
	h.settle()
	w.reply(t, nil)
	assert.Equal(t, who("10.0.0.1,bob", "operation=create znode=/a/s-0000000000 znode_type=ephemeral_sequential result=success"),
		do(proto.OpCreate2, createOf("/a/s-", "", proto.FlagEphemeralSequential)), "the name that it got")
	assert.Equal(t, who("10.0.0.1,bob", "operation=create znode=/c znode_type=container result=success"),
		do(proto.OpCreateContainer, createOf("/c", "", proto.FlagContainer)))
	ttl := createOf("/ttl", "", proto.FlagTTL)
	assert.Equal(t, who("10.0.0.1,bob", "operation=create znode=/ttl znode_type=persistent_with_ttl result=success"),
		do(proto.OpCreateTTL, &proto.CreateTTLRequest{CreateRequest: *ttl, TTLMillis: 1000}))
	assert.Equal(t, who("10.0.0.1,bob", "operation=setData znode=/a result=success"),
		do(proto.OpSetData, &proto.SetDataRequest{Path: "/a", Version: -1}))
	assert.Equal(t, who("10.0.0.1,bob", "operation=setData znode=/none result=failure"),
		do(proto.OpSetData, &proto.SetDataRequest{Path: "/none", Version: -1}))
	assert.Equal(t, who("10.0.0.1,bob", "operation=setAcl znode=/a acl=world:anyone:cdrwa,digest:x:y:r result=success"),
		do(proto.OpSetACL, &proto.SetACLRequest{Path: "/a", Version: -1, ACL: []proto.ACL{
			{Perms: proto.PermAll, ID: proto.ID{Scheme: "world", ID: "anyone"}}, {Perms: proto.PermRead, ID: proto.ID{Scheme: "digest", ID: "x:y"}}}}))
	assert.Equal(t, who("10.0.0.1,bob", "operation=delete znode=/ttl result=success"),
		do(proto.OpDelete, &proto.PathVersionRequest{Path: "/ttl", Version: -1}))

	multi := func(last string) *proto.MultiRequest {
		return &proto.MultiRequest{Ops: []proto.MultiOp{
			{Op: proto.OpCreate, Request: createOf("/m-", "", proto.FlagSequential)},
			{Op: proto.OpSetData, Request: &proto.SetDataRequest{Path: "/a", Version: -1}},
			{Op: proto.OpCheck, Request: &proto.PathVersionRequest{Path: "/a", Version: -1}},
			{Op: proto.OpDelete, Request: &proto.PathVersionRequest{Path: last, Version: -1}},
		}}
	}
	assert.Equal(t, who("10.0.0.1,bob", "operation=create znode=/m-0000000003 znode_type=persistent_sequential result=success",
		"operation=setData znode=/a result=success", "operation=delete znode=/c result=success"), do(proto.OpMulti, multi("/c")))
	assert.Equal(t, who("10.0.0.1,bob", "operation=multiOperation result=failure"), do(proto.OpMulti, multi("/c")))

	xid++
	w.send(request(xid, proto.OpCloseSession, &proto.Empty{}))
	h.settle()
	assert.Equal(t, []string{"session=" + sid + " operation=" + AuditEphemeral + " znode=/a/s-0000000000 result=success"}, log.take())
}

func TestAudit_UnknownOutcome(t *testing.T) {
	var log audited
	h := newHand(Config{Audit: log.record})
	w := h.join(t)
	h.late = true
	w.send(request(1, proto.OpCreate, createOf("/a", "", proto.FlagEphemeral)))
	h.settle()
	require.Empty(t, log.take())
	h.look()
	require.Len(t, log.lines, 1)
	assert.Contains(t, log.lines[0], "operation=create znode=/a znode_type=ephemeral result=unknown")
}

func TestAudit_EphemeralsOnEveryServer(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	e := newEnsemble(t, 3, Config{Audit: func(e AuditEvent) {
		mu.Lock()
		defer mu.Unlock()
		seen[e.Operation+" "+e.Znode+" "+e.Result]++
	}})
	c := open(t, e.members[0].addr)
	c.create(1, "/e", "", proto.FlagEphemeral)
	c.mustDo(2, proto.OpCloseSession, &proto.Empty{}, nil)
	e.wait()
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, map[string]int{"create /e success": 1, AuditEphemeral + " /e success": 3}, seen,
		"only the client's server logs what the client did, and all what it left behind")
}
