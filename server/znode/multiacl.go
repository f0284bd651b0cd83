package znode

import "github.com/quorate/quorate/server/proto"

// multiACLBytesMax limits the lists of all creates of a multi together, encoded.
// Each may be replaced by one many times as long (see aclBytesMax), and without a
// limit a short request would become a transaction that no log takes.
const multiACLBytesMax = 4 << 20

// aclBytes returns the length of the list in a transaction of a multi, encoded.
func aclBytes(rec proto.Record) (n int) {
	var list []proto.ACL
	switch r := rec.(type) {
	case *proto.CreateTxn:
		list = r.ACL
	case *proto.CreateContainerTxn:
		list = r.ACL
	case *proto.CreateTTLTxn:
		list = r.ACL
	}
	for i := range list {
		n += proto.ACLBytesMin + len(list[i].ID.Scheme) + len(list[i].ID.ID)
	}
	return n
}
