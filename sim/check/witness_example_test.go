package check_test

import (
	"fmt"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// One client creates a node. Another one then looks for it at a server that says
// it knows of the transaction, and does not find it.
func ExampleWitness() {
	h := &check.History{
		Conns: []*check.Conn{
			{Client: 1, Conn: 1, Server: 1, Session: 0x10, Opened: 1, Answered: 3},
			{Client: 2, Conn: 2, Server: 3, Session: 0x20, Opened: 4, Answered: 6},
		},
		Txns: []check.Txn{
			{Zxid: 0x100000001, Op: proto.OpCreateSession, Session: 0x10, Order: 2},
			{Zxid: 0x100000002, Op: proto.OpCreateSession, Session: 0x20, Order: 5},
			{Zxid: 0x100000003, Op: proto.OpCreate, Session: 0x10, Cxid: 1, Order: 8},
		},
		Ops: []*check.Op{
			{
				Client: 1, Conn: 1, Server: 1, Session: 0x10, Xid: 1, Sent: 7, Returned: 9, Zxid: 0x100000003,
				Code: proto.OpCreate, Request: &proto.CreateRequest{Path: "/a", ACL: proto.OpenACL}, Reply: &proto.PathReply{Path: "/a"},
			},
			{
				Client: 2, Conn: 2, Server: 3, Session: 0x20, Xid: 1, Sent: 10, Returned: 11, Zxid: 0x100000003,
				Code: proto.OpExists, Request: &proto.PathWatchRequest{Path: "/a"}, Err: proto.ErrNoNode,
			},
		},
	}
	findings := check.Witness(h)
	for _, v := range findings.Violations {
		fmt.Println(v)
	}
	fmt.Println(findings.Checked["C6"] > 0)
	// Output:
	// C6 (a reply is that of the state at its zxid): exists /a (session 0x20, connection 2, xid 1) at 0x100000003 was answered with no node (-101); in this state it is ok (0)
	// true
}
