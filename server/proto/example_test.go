package proto_test

import (
	"fmt"

	"github.com/quorate/quorate/server/proto"
)

func Example() {
	frame := proto.Append(nil, &proto.RequestHeader{Xid: 1, Op: proto.OpGetData})
	frame = proto.Append(frame, &proto.PathWatchRequest{Path: "/a", Watch: true})

	var header proto.RequestHeader
	body, _ := proto.UnmarshalHeader(frame, &header)
	request, err := proto.DecodeRequest(header.Op, body)
	fmt.Printf("%s %+v %v\n", header.Op, request, err)

	reply := proto.AppendReply(nil, proto.ReplyHeader{Xid: header.Xid, Zxid: 9, Err: proto.ErrNoNode}, nil)
	fmt.Printf("%x\n", reply)
	// Output:
	// getData &{Path:/a Watch:true} <nil>
	// 00000010000000010000000000000009ffffff9b
}
