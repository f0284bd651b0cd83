package server

import (
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/znode"
)

// Policy says which identities clients can have and what they may do.
type Policy = znode.Policy

// allowed reports whether identities may do what the permission bits say to a
// node with this ACL.
func (s *Server) allowed(acl []proto.ACL, perm int32, ids []proto.ID) bool {
	return s.cfg.Policy.Check(acl, perm, ids)
}
