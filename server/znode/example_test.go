package znode_test

import (
	"fmt"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/znode"
)

// A request becomes a transaction on the leader, and a result and events on
// every server.
func Example() {
	tree := znode.NewTree()
	leader := znode.NewPreparer(tree)
	zxid := ensemble.NewZxid(1, 0)
	write := func(op proto.OpCode, record proto.Record) znode.Result {
		zxid++
		request := proto.Request{Session: 7, Op: op, Body: proto.Marshal(record)}
		header, txn := leader.Prepare(zxid, 1700000000000, 1, &request)
		result, events := tree.Apply(header, txn, nil)
		for _, e := range events {
			fmt.Println(" ", e.Type, e.Path)
		}
		return result
	}
	write(proto.OpCreateSession, &proto.CreateSessionTxn{TimeoutMillis: 6000})
	job := &proto.CreateRequest{Path: "/job-", Data: []byte("wash up"), ACL: proto.OpenACL, Flags: proto.FlagSequential}
	result := write(proto.OpCreate, job)
	fmt.Println(result.Zxid, result.Path, result.Stat.DataLength)
	result = write(proto.OpDelete, &proto.PathVersionRequest{Path: "/job-7", Version: -1})
	fmt.Println(result.Zxid, result.Err)
	// Output:
	//   NodeCreated /job-0000000000
	//   NodeChildrenChanged /
	// 0x100000002 /job-0000000000 7
	// 0x100000003 no node (-101)
}
