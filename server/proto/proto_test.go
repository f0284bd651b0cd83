package proto_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

var (
	stat = proto.Stat{Czxid: 1, Mzxid: 2, Ctime: 3, Mtime: 4, Version: 5, CVersion: -6, AVersion: 7,
		EphemeralOwner: -8, DataLength: 9, NumChildren: 10, Pzxid: 11}
	acls = []proto.ACL{{Perms: 31, ID: proto.ID{Scheme: "world", ID: "anyone"}}, {Perms: 1, ID: proto.ID{Scheme: "digest", ID: "a:b"}}}
)

// The bytes that a 3.8.0 server sent (spec client-protocol 1.2).
func TestConnectResponse_BadSessionFrame(t *testing.T) {
	got := proto.AppendFrame(nil, &proto.ConnectResponse{HasReadOnly: true})
	assert.Equal(t, unhex(t, "00000025 00000000 00000000 0000000000000000 00000010 00000000000000000000000000000000 00"), got)
	assert.Len(t, proto.AppendFrame(nil, &proto.ConnectResponse{}), 4+36, "without the byte that the request had not")
}

func TestConnectRequest_ReadOnlyByteIsOptional(t *testing.T) {
	old := proto.ConnectRequest{LastZxidSeen: 5, TimeoutMillis: 6000, SessionID: -7, Password: make([]byte, 16)}
	with := old
	with.ReadOnly, with.HasReadOnly = true, true
	assert.Len(t, proto.Marshal(&old), 44)
	assert.Len(t, proto.Marshal(&with), 45)
	for _, want := range []proto.ConnectRequest{old, with} {
		var got proto.ConnectRequest
		require.NoError(t, proto.Unmarshal(proto.Marshal(&want), &got))
		assert.Equal(t, want, got)
	}
}

func TestReply_FailureIsHeaderOnly(t *testing.T) {
	body := &proto.StatReply{Stat: stat}
	assert.Len(t, proto.AppendReply(nil, proto.ReplyHeader{Xid: 3, Zxid: 9}, body), 4+16+proto.StatBytes)
	assert.Equal(t, unhex(t, "00000010 00000003 0000000000000009 ffffff9b"),
		proto.AppendReply(nil, proto.ReplyHeader{Xid: 3, Zxid: 9, Err: proto.ErrNoNode}, body))
	assert.Equal(t, unhex(t, "aa 00000010 fffffffe 0000000000000009 00000000"),
		proto.AppendReply([]byte{0xaa}, proto.ReplyHeader{Xid: proto.XidPing, Zxid: 9}, nil))
}

func TestEvent_Frame(t *testing.T) {
	assert.Equal(t, unhex(t, "0000001e ffffffff 0000000500000001 00000000 00000003 00000003 00000002 2f61"),
		proto.AppendEvent(nil, 0x500000001, proto.EventNodeDataChanged, "/a"))
}

// The transaction in appendix A of spec peer-protocol, without digest.
func TestTxn_SetDataLayout(t *testing.T) {
	want := unhex(t, "0100000000000001 00000003 0000000500000001 0000018bcfe56800 00000005 00000002 2f61 00000001 78 00000001")
	h := proto.TxnHeader{Session: 0x100000000000001, Cxid: 3, Zxid: 0x500000001, Time: 1700000000000, Type: proto.OpSetData}
	rec := &proto.SetDataTxn{Path: "/a", Data: []byte("x"), Version: 1}
	assert.Equal(t, want, proto.AppendTxn(nil, h, rec))
	gotHeader, got, err := proto.DecodeTxn(want)
	require.NoError(t, err)
	assert.Equal(t, h, gotHeader)
	assert.Equal(t, rec, got)
}

func TestRequests_RoundTrip(t *testing.T) {
	create := proto.CreateRequest{Path: "/a", Data: []byte{}, ACL: acls, Flags: 3}
	ttl := proto.CreateRequest{Path: "/a", Data: []byte{}, ACL: acls, Flags: proto.FlagTTL}
	for op, want := range map[proto.OpCode]proto.Record{
		proto.OpPing:                 &proto.Empty{},
		proto.OpWhoAmI:               &proto.Empty{},
		proto.OpCloseSession:         &proto.Empty{},
		proto.OpCreate:               &create,
		proto.OpCreate2:              &proto.CreateRequest{Path: "/b"},
		proto.OpCreateContainer:      &create,
		proto.OpCreateTTL:            &proto.CreateTTLRequest{CreateRequest: create, TTLMillis: 77},
		proto.OpDelete:               &proto.PathVersionRequest{Path: "/a", Version: -1},
		proto.OpCheck:                &proto.PathVersionRequest{Path: "/a", Version: 2},
		proto.OpExists:               &proto.PathWatchRequest{Path: "/a", Watch: true},
		proto.OpGetData:              &proto.PathWatchRequest{Path: "/a"},
		proto.OpGetChildren:          &proto.PathWatchRequest{Path: "/a", Watch: true},
		proto.OpGetChildren2:         &proto.PathWatchRequest{Path: "", Watch: true},
		proto.OpSetData:              &proto.SetDataRequest{Path: "/a", Version: 4},
		proto.OpGetACL:               &proto.PathRequest{Path: "/a"},
		proto.OpSync:                 &proto.PathRequest{Path: "nonsense"},
		proto.OpGetAllChildrenNumber: &proto.PathRequest{Path: "/"},
		proto.OpDeleteContainer:      &proto.PathRequest{Path: "/c"},
		proto.OpSetACL:               &proto.SetACLRequest{Path: "/a", ACL: acls, Version: 1},
		proto.OpReconfig:             &proto.ReconfigRequest{Joining: "x", ConfigID: -1},
		proto.OpCheckWatches:         &proto.WatchesRequest{Path: "/a", Type: 3},
		proto.OpRemoveWatches:        &proto.WatchesRequest{Path: "/a", Type: 5},
		proto.OpAddWatch:             &proto.AddWatchRequest{Path: "/a", Mode: 1},
		proto.OpAuth:                 &proto.AuthRequest{Scheme: "digest", Auth: []byte("u:p")},
		proto.OpSASL:                 &proto.SASLRequest{Token: []byte{1}},
		proto.OpGetEphemerals:        &proto.GetEphemeralsRequest{PrefixPath: "/p"},
		proto.OpSetWatches:           &proto.SetWatchesRequest{RelativeZxid: 3, Data: []string{"/a"}, Exist: []string{}, Child: nil},
		proto.OpSetWatches2: &proto.SetWatchesRequest{RelativeZxid: 3, Extended: true,
			Persistent: []string{"/p"}, PersistentRecursive: []string{"/r"}},
		proto.OpMulti: &proto.MultiRequest{Ops: []proto.MultiOp{
			{Op: proto.OpCreate, Request: &create},
			{Op: proto.OpCreateTTL, Request: &proto.CreateTTLRequest{CreateRequest: ttl, TTLMillis: 1}},
			{Op: proto.OpDelete, Request: &proto.PathVersionRequest{Path: "/d", Version: 1}},
			{Op: proto.OpSetData, Request: &proto.SetDataRequest{Path: "/s"}},
			{Op: proto.OpCheck, Request: &proto.PathVersionRequest{Path: "/c"}}}},
		proto.OpMultiRead: &proto.MultiRequest{Reads: true, Ops: []proto.MultiOp{
			{Op: proto.OpGetData, Request: &proto.PathWatchRequest{Path: "/d"}},
			{Op: proto.OpGetChildren, Request: &proto.PathWatchRequest{Path: "/d"}}}},
		proto.OpCreateSession: &proto.CreateSessionTxn{TimeoutMillis: 9},
	} {
		t.Run(op.String(), func(t *testing.T) {
			body := proto.Marshal(want)
			got, err := proto.DecodeRequest(op, append(body, "trailing"...)[:len(body):len(body)])
			require.NoError(t, err)
			assert.Equal(t, want, got)
			for n := range body {
				_, err := proto.DecodeRequest(op, body[:n])
				if err == nil {
					t.Fatalf("decoded from %d of %d bytes: %v", n, len(body), err)
				}
				require.ErrorIs(t, err, proto.ErrMarshalling)
			}
			if op != proto.OpMulti && op != proto.OpMultiRead {
				_, err = proto.DecodeRequest(op, append(body, 1, 2, 3))
				assert.NoError(t, err, "bytes behind a request are ignored")
			}
		})
	}
}

func TestDecodeRequest_UnknownOp(t *testing.T) {
	for _, op := range []proto.OpCode{0, -1, 10, 99, 108, 1 << 30} {
		_, err := proto.DecodeRequest(op, nil)
		assert.Equal(t, proto.ErrUnimplemented, err, op)
	}
}

func TestOpCode_FromClientAndWrite(t *testing.T) {
	for _, op := range []proto.OpCode{proto.OpCreateSession, proto.OpDeleteContainer, proto.OpCheck, proto.OpError, 0, 10, 99} {
		assert.False(t, op.FromClient(), op)
	}
	for _, op := range []proto.OpCode{proto.OpCreate, proto.OpMulti, proto.OpCloseSession, proto.OpReconfig} {
		assert.True(t, op.FromClient() && op.Write(), op)
	}
	for _, op := range []proto.OpCode{proto.OpPing, proto.OpSync, proto.OpGetData, proto.OpMultiRead, proto.OpWhoAmI} {
		assert.True(t, op.FromClient() && !op.Write(), op)
	}
}

func TestMultiRequest_Refuses(t *testing.T) {
	op := func(kind proto.OpCode, rec proto.Record) []byte {
		return proto.Marshal(&proto.MultiRequest{Ops: []proto.MultiOp{{Op: kind, Request: rec}}})
	}
	create := func(flags int32, acl []proto.ACL) *proto.CreateRequest {
		return &proto.CreateRequest{Path: "/a", ACL: acl, Flags: flags}
	}
	for name, c := range map[string]struct {
		op   proto.OpCode
		body []byte
	}{
		"read in a multi":      {proto.OpMulti, op(proto.OpGetData, &proto.PathWatchRequest{Path: "/a"})},
		"write in a multiRead": {proto.OpMultiRead, op(proto.OpDelete, &proto.PathVersionRequest{Path: "/a"})},
		"setACL":               {proto.OpMulti, op(proto.OpSetACL, &proto.SetACLRequest{Path: "/a", ACL: acls})},
		"deleteContainer":      {proto.OpMulti, op(proto.OpDeleteContainer, &proto.PathRequest{Path: "/a"})},
		"multi in a multi":     {proto.OpMulti, op(proto.OpMulti, &proto.MultiRequest{})},
		"unknown op":           {proto.OpMulti, op(77, &proto.Empty{})},
		"TTL flag without TTL": {proto.OpMulti, op(proto.OpCreate, create(5, acls))},
		"null ACL":             {proto.OpMulti, op(proto.OpCreate2, create(0, nil))},
		"no such flag":         {proto.OpMulti, op(proto.OpCreateContainer, create(7, acls))},
		"no trailer":           {proto.OpMulti, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := proto.DecodeRequest(c.op, c.body)
			assert.ErrorIs(t, err, proto.ErrMarshalling)
		})
	}
	// In a multi the flags say which create it is.
	for _, c := range []struct {
		op    proto.OpCode
		flags int32
		want  proto.OpCode
	}{
		{proto.OpCreate, 4, proto.OpCreateContainer}, {proto.OpCreate2, 4, proto.OpCreateContainer}, {proto.OpCreate2, 3, proto.OpCreate2},
		{proto.OpCreateContainer, 0, proto.OpCreateContainer}, {proto.OpCreateTTL, 5, proto.OpCreateTTL},
		{proto.OpCreateTTL, 2, proto.OpCreate}, {proto.OpCreateTTL, 7, proto.OpCreate}, {proto.OpCreateTTL, 4, proto.OpCreateContainer},
	} {
		var rec proto.Record = create(c.flags, acls)
		if c.op == proto.OpCreateTTL {
			rec = &proto.CreateTTLRequest{CreateRequest: *create(c.flags, acls), TTLMillis: 9}
		}
		multi, err := proto.DecodeRequest(proto.OpMulti, op(c.op, rec))
		require.NoError(t, err)
		assert.Equal(t, c.want, multi.(*proto.MultiRequest).Ops[0].Op, "%s with flags %d", c.op, c.flags)
	}
	empty, err := proto.DecodeRequest(proto.OpMulti, unhex(t, "ffffffff 01 ffffffff"))
	require.NoError(t, err)
	assert.Empty(t, empty.(*proto.MultiRequest).Ops)
}

func TestMultiResponse_Layout(t *testing.T) {
	want := proto.MultiResponse{Results: []proto.MultiResult{
		{Type: proto.OpCreate, Path: "/a"},
		{Type: proto.OpCreate2, Path: "/b", Stat: stat},
		{Type: proto.OpSetData, Stat: stat},
		{Type: proto.OpDelete}, {Type: proto.OpCheck},
		{Type: proto.OpGetData, Data: []byte{}, Stat: stat},
		{Type: proto.OpGetChildren, Children: []string{"x"}},
		{Type: proto.OpError, Err: proto.ErrNoNode},
	}}
	var got proto.MultiResponse
	require.NoError(t, proto.Unmarshal(proto.Marshal(&want), &got))
	assert.Equal(t, want, got)

	failed := proto.MultiResponse{Results: []proto.MultiResult{
		{Type: proto.OpError}, {Type: proto.OpError, Err: proto.ErrNoNode}, {Type: proto.OpError, Err: proto.ErrRuntimeInconsistency}}}
	assert.Equal(t, unhex(t, "ffffffff 00 00000000 00000000  ffffffff 00 ffffff9b ffffff9b  ffffffff 00 fffffffe fffffffe  ffffffff 01 ffffffff"),
		proto.Marshal(&failed))
	assert.Error(t, proto.Unmarshal(unhex(t, "00000063 00 00000000 ffffffff 01 ffffffff"), &got), "unknown type")
}

func TestReplies_RoundTrip(t *testing.T) {
	for _, c := range []struct{ want, got proto.Record }{
		{&proto.PathReply{Path: "/a"}, &proto.PathReply{}},
		{&proto.Create2Reply{Path: "/a", Stat: stat}, &proto.Create2Reply{}},
		{&proto.StatReply{Stat: stat}, &proto.StatReply{}},
		{&proto.DataReply{Stat: stat}, &proto.DataReply{Data: []byte("old")}},
		{&proto.DataReply{Data: []byte{}, Stat: stat}, &proto.DataReply{}},
		{&proto.ACLReply{ACL: acls, Stat: stat}, &proto.ACLReply{}},
		{&proto.StringsReply{Strings: []string{"a", "b"}}, &proto.StringsReply{}},
		{&proto.Children2Reply{Children: []string{"a"}, Stat: stat}, &proto.Children2Reply{}},
		{&proto.IntReply{Value: 8}, &proto.IntReply{}},
		{&proto.SASLReply{Token: []byte{1}}, &proto.SASLReply{}},
		{&proto.WhoAmIReply{Clients: []proto.ClientInfo{{Scheme: "ip", User: "::1"}}}, &proto.WhoAmIReply{}},
		{&proto.WatcherEvent{Type: 1, State: 3, Path: "/a"}, &proto.WatcherEvent{}},
		{&proto.ReplyHeader{Xid: 1, Zxid: 2, Err: -3}, &proto.ReplyHeader{}},
		{&proto.RequestHeader{Xid: 1, Op: 2}, &proto.RequestHeader{}},
		{&proto.ConnectResponse{TimeoutMillis: 1, SessionID: 2, Password: [16]byte{3}, ReadOnly: true, HasReadOnly: true}, &proto.ConnectResponse{}},
		{&proto.Request{Session: 1, Cxid: 2, Op: 3, IDs: []proto.ID{{Scheme: "ip", ID: "x"}}, Body: []byte{4}}, &proto.Request{}},
	} {
		require.NoError(t, proto.Unmarshal(proto.Marshal(c.want), c.got))
		assert.Equal(t, c.want, c.got)
	}
	assert.Equal(t, unhex(t, "00000000"), proto.Marshal(&proto.StringsReply{}), "no children are an empty vector, not null")
}

func TestUnmarshalHeader_ReturnsTheBody(t *testing.T) {
	var h proto.RequestHeader
	body, err := proto.UnmarshalHeader(unhex(t, "00000007 0000000b aabb"), &h)
	require.NoError(t, err)
	assert.Equal(t, proto.RequestHeader{Xid: 7, Op: proto.OpPing}, h)
	assert.Equal(t, []byte{0xaa, 0xbb}, body)
	_, err = proto.UnmarshalHeader(unhex(t, "00000007 0000"), &h)
	assert.Error(t, err)
}

func TestACL_NullSchemeOrIDIsMalformedAndNotUndecodable(t *testing.T) {
	body := unhex(t, "00000002 2f61 ffffffff 00000001 0000001f ffffffff 00000001 78 00000000")
	rec, err := proto.DecodeRequest(proto.OpCreate, body)
	require.NoError(t, err)
	assert.True(t, rec.(*proto.CreateRequest).ACL[0].Malformed)
}

// kazoo sends the empty id of scheme auth as null.
func TestACL_NullIDOfSchemeAuthIsEmpty(t *testing.T) {
	body := unhex(t, "00000002 2f61 ffffffff 00000001 0000001f 00000004 61757468 ffffffff 00000000")
	rec, err := proto.DecodeRequest(proto.OpCreate, body)
	require.NoError(t, err)
	assert.Equal(t, []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}}, rec.(*proto.CreateRequest).ACL)
}

func txns() map[proto.OpCode]proto.Record {
	create := &proto.CreateTxn{Path: "/a", Data: []byte("d"), ACL: acls, Ephemeral: true, ParentCVersion: 3}
	return map[proto.OpCode]proto.Record{
		proto.OpCreate:          create,
		proto.OpCreate2:         &proto.CreateTxn{Path: "/a", ParentCVersion: 1},
		proto.OpCreateContainer: &proto.CreateContainerTxn{Path: "/a", Data: []byte{}, ACL: acls, ParentCVersion: 3},
		proto.OpCreateTTL:       &proto.CreateTTLTxn{Path: "/a", ACL: acls, ParentCVersion: 3, TTLMillis: 4},
		proto.OpDelete:          &proto.DeleteTxn{Path: "/a"},
		proto.OpDeleteContainer: &proto.DeleteTxn{Path: "/a"},
		proto.OpSetData:         &proto.SetDataTxn{Path: "/a", Version: 2},
		proto.OpReconfig:        &proto.SetDataTxn{Path: "/zookeeper/config", Data: []byte("x"), Version: -1},
		proto.OpSetACL:          &proto.SetACLTxn{Path: "/a", ACL: acls, Version: 1},
		proto.OpCreateSession:   &proto.CreateSessionTxn{TimeoutMillis: 5},
		proto.OpCloseSession:    &proto.CloseSessionTxn{Paths: []string{"/e"}},
		proto.OpError:           &proto.ErrorTxn{Err: proto.ErrNotEmpty},
		proto.OpMulti: &proto.MultiTxn{Txns: []proto.SubTxn{
			{Type: proto.OpCreate2, Record: create}, {Type: proto.OpCheck, Record: &proto.CheckVersionTxn{Path: "/c", Version: 1}},
			{Type: proto.OpError, Record: &proto.ErrorTxn{Err: -2}}}},
	}
}

func TestTxns_RoundTrip(t *testing.T) {
	for op, want := range txns() {
		t.Run(op.String(), func(t *testing.T) {
			h := proto.TxnHeader{Session: 1, Cxid: 2, Zxid: 3, Time: 4, Type: op}
			data := proto.AppendTxn([]byte{}, h, want)
			gotHeader, got, err := proto.DecodeTxn(data)
			require.NoError(t, err)
			assert.Equal(t, h, gotHeader)
			assert.Equal(t, want, got)
		})
	}
}

func TestTxns_OldForms(t *testing.T) {
	full := proto.Marshal(&proto.CreateTxn{Path: "/a", ParentCVersion: 7})
	var create proto.CreateTxn
	require.NoError(t, proto.Unmarshal(full[:len(full)-4], &create))
	assert.Equal(t, proto.NoParentCVersion, create.ParentCVersion, "before ZOOKEEPER-1046")
	var closing proto.CloseSessionTxn
	require.NoError(t, proto.Unmarshal(nil, &closing))
	assert.True(t, closing.Unlisted, "before ZOOKEEPER-3145")
	assert.Empty(t, proto.Marshal(&closing))
	require.NoError(t, proto.Unmarshal([]byte{0, 0, 0, 0}, &closing))
	assert.False(t, closing.Unlisted)
}

func TestDecodeTxn_Refuses(t *testing.T) {
	header := func(op proto.OpCode) []byte { return proto.Marshal(&proto.TxnHeader{Type: op}) }
	for name, data := range map[string][]byte{
		"short header":    header(proto.OpDelete)[:31],
		"unknown type":    header(99),
		"bare check":      append(header(proto.OpCheck), proto.Marshal(&proto.CheckVersionTxn{Path: "/a"})...),
		"short record":    append(header(proto.OpDelete), 0, 0, 0),
		"setACL in multi": append(header(proto.OpMulti), proto.Marshal(&proto.MultiTxn{Txns: []proto.SubTxn{{Type: proto.OpSetACL, Record: &proto.SetACLTxn{}}}})...),
		"short part":      append(header(proto.OpMulti), unhex(t, "00000001 00000002 00000002 0000")...),
		"many parts":      append(header(proto.OpMulti), unhex(t, "7fffffff")...),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := proto.DecodeTxn(data)
			assert.Error(t, err)
		})
	}
}

func TestErrCode_IsAnErrorUnlessOK(t *testing.T) {
	assert.NoError(t, proto.OK.Err())
	assert.EqualError(t, proto.ErrNoNode.Err(), "no node (-101)")
	assert.EqualError(t, proto.ErrCode(-999), "error -999")
	assert.Equal(t, "op(99)", proto.OpCode(99).String())
	assert.Equal(t, "NodeDeleted", proto.EventNodeDeleted.String())
}

// FuzzDecodeRequest checks that what decodes can be encoded and decoded again
// to the same.
func FuzzDecodeRequest(f *testing.F) {
	for _, op := range []proto.OpCode{1, 2, 3, 5, 6, 7, 14, 16, 17, 20, 21, 22, 100, 101, 102, 103, 105, 106, -10} {
		f.Add(int32(op), []byte("\x00\x00\x00\x02/a\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"))
	}
	f.Add(int32(14), proto.Marshal(&proto.MultiRequest{Ops: []proto.MultiOp{
		{Op: proto.OpCreate, Request: &proto.CreateRequest{Path: "/a", ACL: acls}}}}))
	f.Fuzz(func(t *testing.T, op int32, body []byte) {
		rec, err := proto.DecodeRequest(proto.OpCode(op), body)
		if err != nil {
			return
		}
		again, err := proto.DecodeRequest(proto.OpCode(op), proto.Marshal(rec))
		require.NoError(t, err)
		require.Equal(t, rec, again)
	})
}

// records are all that are no requests and no transactions.
var records = []func() proto.Record{
	func() proto.Record { return &proto.ConnectRequest{} },
	func() proto.Record { return &proto.ConnectResponse{} },
	func() proto.Record { return &proto.Request{} },
	func() proto.Record { return &proto.MultiResponse{} },
	func() proto.Record { return &proto.WhoAmIReply{} },
	func() proto.Record { return &proto.ACLReply{} },
	func() proto.Record { return &proto.RequestHeader{} },
	func() proto.Record { return &proto.ReplyHeader{} },
	func() proto.Record { return &proto.WatcherEvent{} },
	func() proto.Record { return &proto.PathReply{} },
	func() proto.Record { return &proto.Create2Reply{} },
	func() proto.Record { return &proto.StatReply{} },
	func() proto.Record { return &proto.DataReply{} },
	func() proto.Record { return &proto.StringsReply{} },
	func() proto.Record { return &proto.Children2Reply{} },
	func() proto.Record { return &proto.IntReply{} },
	func() proto.Record { return &proto.SASLReply{} },
	func() proto.Record { return &proto.ACL{} },
	func() proto.Record { return &proto.ID{} },
	func() proto.Record { return &proto.Stat{} },
}

// FuzzDecodeRecords does the same for the records that are no requests: what they
// are encoded to again is decoded to the same bytes, and is no longer than what
// they came from, or by as little as a null is shorter than an empty list.
func FuzzDecodeRecords(f *testing.F) {
	f.Add(byte(0), proto.Marshal(&proto.ConnectRequest{HasReadOnly: true}))
	f.Add(byte(2), proto.Marshal(&proto.Request{IDs: []proto.ID{{Scheme: "a", ID: "b"}}}))
	f.Add(byte(3), proto.Marshal(&proto.MultiResponse{Results: []proto.MultiResult{{Type: proto.OpSetData},
		{Type: proto.OpGetData, Data: []byte("x")}, {Type: proto.OpGetChildren, Children: []string{"a"}}, {Type: proto.OpError, Err: -2}}}))
	f.Add(byte(4), proto.Marshal(&proto.WhoAmIReply{Clients: []proto.ClientInfo{{}}}))
	f.Add(byte(5), proto.Marshal(&proto.ACLReply{ACL: acls}))
	f.Add(byte(14), proto.Marshal(&proto.Children2Reply{Children: []string{"a", ""}}))
	for i, make := range records {
		f.Add(byte(i), proto.Marshal(make()))
		f.Add(byte(i), []byte("\xff\xff\xff\xff\x7f\xff\xff\xff\x3b\x9a\xca\x00"))
	}
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		make := records[int(kind)%len(records)]
		rec, again := make(), make()
		if proto.Unmarshal(data, rec) != nil {
			return
		}
		encoded := proto.Marshal(rec)
		require.NoError(t, proto.Unmarshal(encoded, again))
		require.Equal(t, encoded, proto.Marshal(again))
		require.LessOrEqual(t, len(encoded), len(data)+4)
		switch rec.(type) {
		case *proto.WhoAmIReply, *proto.StringsReply, *proto.Children2Reply: // null becomes empty
		default:
			require.Equal(t, rec, again)
		}
	})
}

// FuzzTxnTime checks that the time of a transaction is found without its record.
func FuzzTxnTime(f *testing.F) {
	f.Add(proto.AppendTxn(nil, proto.TxnHeader{Time: 7, Type: proto.OpError}, &proto.ErrorTxn{}))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, data []byte) {
		at := proto.TxnTime(data)
		if h, _, err := proto.DecodeTxn(data); err == nil {
			require.Equal(t, h.Time, at)
		}
	})
}

// FuzzDecodeTxn does the same for transactions.
func FuzzDecodeTxn(f *testing.F) {
	for op, rec := range txns() {
		f.Add(proto.AppendTxn(nil, proto.TxnHeader{Type: op}, rec))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, rec, err := proto.DecodeTxn(data)
		if err != nil {
			return
		}
		encoded := proto.AppendTxn(nil, h, rec)
		h2, rec2, err := proto.DecodeTxn(encoded)
		require.NoError(t, err)
		require.Equal(t, h, h2)
		require.Equal(t, encoded, proto.AppendTxn(nil, h2, rec2))
	})
}

// ZooKeeper takes a reconfig whose newMembers is not null for a whole new configuration.
func TestReconfigRequest_EmptyIsNull(t *testing.T) {
	b := proto.Marshal(&proto.ReconfigRequest{Leaving: "3", ConfigID: -1})
	require.Equal(t, "ffffffff00000001"+"33"+"ffffffff"+"ffffffffffffffff", hex.EncodeToString(b))
	var back proto.ReconfigRequest
	require.NoError(t, proto.Unmarshal(b, &back))
	require.Equal(t, proto.ReconfigRequest{Leaving: "3", ConfigID: -1}, back)
}
