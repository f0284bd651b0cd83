package server

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// rawClient speaks the protocol byte by byte, and forgives nothing.
type rawClient struct {
	t        testing.TB
	nc       net.Conn
	session  int64
	password []byte
	timeout  int32
	last     int64 // highest zxid of a reply
}

func dialRaw(t testing.TB, addr string) *rawClient {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(60*time.Second)))
	return &rawClient{t: t, nc: nc}
}

// open dials and gets a new session.
func open(t testing.TB, addr string) *rawClient {
	t.Helper()
	c := dialRaw(t, addr)
	resp, ok := c.connect(proto.ConnectRequest{TimeoutMillis: 4000, HasReadOnly: true})
	require.True(t, ok, "closed instead of connected")
	require.NotZero(t, resp.SessionID)
	return c
}

// reopen dials and asks for the session of old.
func reopen(t testing.TB, addr string, old *rawClient) (*rawClient, proto.ConnectResponse, bool) {
	t.Helper()
	c := dialRaw(t, addr)
	resp, ok := c.connect(proto.ConnectRequest{TimeoutMillis: 4000, SessionID: old.session, Password: old.password,
		LastZxidSeen: old.last, HasReadOnly: true})
	return c, resp, ok
}

// comeBack is reopen at a server that may not have seen yet what old has seen: until
// then it sends its clients away, and they try again.
func comeBack(t testing.TB, addr string, old *rawClient) (*rawClient, proto.ConnectResponse, bool) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(tickFor) {
		if c, resp, ok := reopen(t, addr, old); ok || time.Since(start) > waitFor {
			return c, resp, ok
		}
	}
}

func (c *rawClient) connect(req proto.ConnectRequest) (proto.ConnectResponse, bool) {
	c.t.Helper()
	if req.Password == nil {
		req.Password = make([]byte, 16)
	}
	c.write(proto.AppendFrame(nil, &req))
	frame, err := c.frame()
	if err != nil {
		return proto.ConnectResponse{}, false
	}
	var resp proto.ConnectResponse
	require.NoError(c.t, proto.Unmarshal(frame, &resp))
	c.session, c.password, c.timeout = resp.SessionID, resp.Password[:], resp.TimeoutMillis
	return resp, true
}

func (c *rawClient) write(b []byte) {
	c.t.Helper()
	_, err := c.nc.Write(b)
	require.NoError(c.t, err)
}

func (c *rawClient) frame() ([]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(c.nc, n[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(n[:]))
	_, err := io.ReadFull(c.nc, frame)
	return frame, err
}

// request encodes a request as a frame.
func request(xid int32, op proto.OpCode, rec proto.Record) []byte {
	body := proto.Append(proto.Marshal(&proto.RequestHeader{Xid: xid, Op: op}), rec)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// reply reads the next frame, whatever it is.
func (c *rawClient) reply() (proto.ReplyHeader, []byte) {
	c.t.Helper()
	frame, err := c.frame()
	require.NoError(c.t, err)
	var h proto.ReplyHeader
	body, err := proto.UnmarshalHeader(frame, &h)
	require.NoError(c.t, err)
	if h.Xid >= 0 && h.Zxid > c.last {
		c.last = h.Zxid
	}
	return h, body
}

// event reads the next frame, which must be an event.
func (c *rawClient) event() (int64, proto.WatcherEvent) {
	c.t.Helper()
	h, body := c.reply()
	require.Equal(c.t, proto.XidNotification, h.Xid, "want an event")
	var e proto.WatcherEvent
	require.NoError(c.t, proto.Unmarshal(body, &e))
	require.Equal(c.t, proto.StateSyncConnected, e.State)
	return h.Zxid, e
}

// do sends one request and reads its reply, which must come next.
func (c *rawClient) do(xid int32, op proto.OpCode, rec proto.Record, into proto.Record) proto.ReplyHeader {
	c.t.Helper()
	c.write(request(xid, op, rec))
	return c.expect(xid, into)
}

// expect reads the reply to xid, which must come next.
func (c *rawClient) expect(xid int32, into proto.Record) proto.ReplyHeader {
	c.t.Helper()
	h, body := c.reply()
	require.Equal(c.t, xid, h.Xid)
	if h.Err != proto.OK {
		require.Empty(c.t, body, "a failed request is answered by the header alone")
	} else if into != nil {
		require.NoError(c.t, proto.Unmarshal(body, into))
		require.Len(c.t, body, len(proto.Marshal(into)), "nothing behind the record")
	}
	return h
}

func (c *rawClient) mustDo(xid int32, op proto.OpCode, rec proto.Record, into proto.Record) proto.ReplyHeader {
	c.t.Helper()
	h := c.do(xid, op, rec, into)
	require.Equal(c.t, proto.OK, h.Err)
	return h
}

func (c *rawClient) create(xid int32, path, data string, flags int32) string {
	c.t.Helper()
	var r proto.PathReply
	c.mustDo(xid, proto.OpCreate, createOf(path, data, flags), &r)
	return r.Path
}

func createOf(path, data string, flags int32) *proto.CreateRequest {
	return &proto.CreateRequest{Path: path, Data: []byte(data), ACL: proto.OpenACL, Flags: flags}
}

func setOf(path, data string) *proto.SetDataRequest {
	return &proto.SetDataRequest{Path: path, Data: []byte(data), Version: -1}
}

func read(path string, watch bool) *proto.PathWatchRequest {
	return &proto.PathWatchRequest{Path: path, Watch: watch}
}

// closed checks that the server ends the stream in good order: a FIN and no
// reset, and nothing before it.
func (c *rawClient) closed() {
	c.t.Helper()
	b, err := io.ReadAll(c.nc)
	require.NoError(c.t, err)
	require.Empty(c.t, b)
}

// word4 asks a four-letter word.
func word4(t testing.TB, addr, w string) string {
	t.Helper()
	c := dialRaw(t, addr)
	c.write([]byte(w))
	b, err := io.ReadAll(c.nc)
	require.NoError(t, err)
	require.NoError(t, c.nc.Close())
	return string(b)
}

const (
	waitFor = 10 * time.Second
	tickFor = 2 * time.Millisecond
)
