package zkclient

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/zktest"
)

func TestClient_WritesOfALostConnectionFailAndReadsAreRepeated(t *testing.T) {
	served := make(chan proto.OpCode, 100)
	f := newFake(t, time.Minute, func(number int, in *bufio.Reader, out net.Conn) {
		for {
			h, _, err := nextRequest(in)
			if err != nil {
				return
			}
			served <- h.Op
			if number == 1 {
				return // without an answer
			}
			_, _ = out.Write(proto.AppendReply(nil, proto.ReplyHeader{Xid: h.Xid, Zxid: 5}, &proto.DataReply{Data: []byte("late")}))
		}
	})
	ctx := testContext(t)
	c := dial(t, Config{Servers: f.addr})
	data, _, err := c.Get(ctx, "/x", false)
	require.NoError(t, err)
	require.Equal(t, "late", string(data))
	require.Equal(t, proto.OpGetData, <-served)
}

func TestClient_WriteWithoutReplyIsNotRepeated(t *testing.T) {
	writes := make(chan struct{}, 100)
	f := newFake(t, time.Minute, func(_ int, in *bufio.Reader, _ net.Conn) {
		if h, _, err := nextRequest(in); err == nil && h.Op == proto.OpSetData {
			writes <- struct{}{}
		}
	})
	c := dial(t, Config{Servers: f.addr})
	_, err := c.Set(testContext(t), "/x", nil, -1)
	require.ErrorIs(t, err, ErrConnectionLoss)
	require.Len(t, writes, 1)
}

func TestClient_ServerThatDropsEverybodyIsNotHammered(t *testing.T) {
	f := newFake(t, time.Minute, func(int, *bufio.Reader, net.Conn) {})
	seen := newEvents()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if c, err := Dial(ctx, Config{Servers: f.addr, OnEvent: seen.add}); err == nil {
		<-ctx.Done()
		c.Close()
	}
	require.Less(t, f.accepted(), 20)
}

func TestClient_ReadThatKillsEveryConnectionEnds(t *testing.T) {
	f := newFake(t, time.Minute, func(_ int, in *bufio.Reader, _ net.Conn) { _, _, _ = nextRequest(in) })
	c := dial(t, Config{Servers: f.addr})
	_, _, err := c.Get(testContext(t), "/x", false)
	require.ErrorIs(t, err, ErrConnectionLoss)
	require.GreaterOrEqual(t, f.accepted(), sendsMax)
}

func TestClient_HostileReplies(t *testing.T) {
	long := binary.BigEndian.AppendUint32(nil, 1<<20)
	for name, answer := range map[string][]byte{
		"negative length": {0xff, 0xff, 0xff, 0xff},
		"too long":        long,
		"no header":       {0, 0, 0, 2, 1, 2},
		"other xid":       proto.AppendReply(nil, proto.ReplyHeader{Xid: 77}, nil),
		"auth unasked":    proto.AppendReply(nil, proto.ReplyHeader{Xid: proto.XidAuth}, nil),
		"odd event":       proto.AppendReply(nil, proto.ReplyHeader{Xid: -1}, &proto.WatcherEvent{Type: 9}),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, time.Minute, func(_ int, in *bufio.Reader, out net.Conn) {
				if _, _, err := nextRequest(in); err == nil {
					_, _ = out.Write(answer)
					_, _, _ = nextRequest(in)
				}
			})
			c := dial(t, Config{Servers: f.addr, FrameBytesMax: 1 << 10})
			_, _, err := c.Children(testContext(t), "/x", false)
			require.Error(t, err)
			if name == "too long" {
				require.ErrorIs(t, err, ErrFrameTooLong)
				require.Equal(t, 1, f.accepted(), "it would be as long again")
			}
		})
	}
}

func TestClient_BodyThatCannotBe(t *testing.T) {
	f := newFake(t, time.Minute, func(_ int, in *bufio.Reader, out net.Conn) {
		for {
			h, _, err := nextRequest(in)
			if err != nil {
				return
			}
			body := proto.Record(&proto.IntReply{Value: 1 << 30})
			if h.Op == proto.OpMulti {
				body = &proto.MultiResponse{Results: make([]proto.MultiResult, 3)}
			}
			_, _ = out.Write(proto.AppendReply(nil, proto.ReplyHeader{Xid: h.Xid}, body))
		}
	})
	ctx, c := testContext(t), dial(t, Config{Servers: f.addr})
	_, _, err := c.Children(ctx, "/x", false)
	require.ErrorIs(t, err, ErrProtocol)
	_, err = c.Multi(ctx, DeleteOp("/x", -1))
	require.ErrorIs(t, err, ErrProtocol)
	require.Equal(t, 1, f.accepted(), "one bad body does not cost the connection")
}

func TestClient_SilentServerIsGivenUp(t *testing.T) {
	f := newFake(t, 150*time.Millisecond, func(number int, in *bufio.Reader, out net.Conn) {
		for {
			h, _, err := nextRequest(in)
			if err != nil {
				return
			}
			if number > 1 {
				_, _ = out.Write(proto.AppendReply(nil, proto.ReplyHeader{Xid: h.Xid}, &proto.DataReply{}))
			}
		}
	})
	seen := newEvents()
	ctx, c := testContext(t), dial(t, Config{Servers: f.addr, OnEvent: seen.add})
	_, _, err := c.Get(ctx, "/x", false)
	require.NoError(t, err)
	lost, _ := seen.wait(ctx, t, 0, "disconnected", isState(StateConnecting))
	require.ErrorContains(t, lost.Err, "silent")
}

func TestClient_ServerThatNeverAnswersCostsNoSession(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := zktest.Start(t, 1)
	c := dial(t, Config{Servers: l.Addr().String() + "," + e.ConnectString(), SessionTimeout: 5 * time.Second})
	id := c.SessionID()
	require.NoError(t, e.CutClients(1))
	_, err = c.Exists(testContext(t), "/", false)
	require.NoError(t, err)
	require.Equal(t, id, c.SessionID())
	require.NoError(t, l.Close())
}

func TestClient_AbandonedRequestsHoldNothing(t *testing.T) {
	release := make(chan struct{})
	f := newFake(t, time.Minute, func(_ int, in *bufio.Reader, out net.Conn) {
		<-release
		for {
			h, _, err := nextRequest(in)
			if err != nil {
				return
			}
			_, _ = out.Write(proto.AppendReply(nil, proto.ReplyHeader{Xid: h.Xid}, &proto.DataReply{}))
		}
	})
	ctx, c := testContext(t), dial(t, Config{Servers: f.addr, OutstandingMax: 2})
	for range 4 { // two under way, two that wait for a slot
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		_, _, err := c.Get(short, "/x", false)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	close(release)
	for range 4 {
		_, _, err := c.Get(ctx, "/x", false)
		require.NoError(t, err)
	}
}

func TestWatchlist_RequestsAreShort(t *testing.T) {
	var w watchlist
	for i := range 5000 {
		w.add(watchData, fmt.Sprintf("/data/%d/%s", i, strings.Repeat("x", 50)))
		w.add(watchChild, fmt.Sprintf("/child/%d", i))
	}
	list := w.requests(9)
	n := 0
	for _, r := range list {
		require.LessOrEqual(t, len(proto.Marshal(r)), setWatchesBytesMax)
		require.False(t, r.Extended)
		require.EqualValues(t, 9, r.RelativeZxid)
		n += len(r.Data) + len(r.Child)
	}
	require.Equal(t, 10000, n)
	require.Greater(t, len(list), 3)
	w.add(watchRecursive, "/")
	require.True(t, w.requests(9)[0].Extended)
	require.Empty(t, (&watchlist{}).requests(9))
}

// FuzzReceive gives a connection frames of a server that may be anybody.
func FuzzReceive(f *testing.F) {
	f.Add(proto.AppendReply(nil, proto.ReplyHeader{Xid: 1, Zxid: 4}, &proto.DataReply{Data: []byte("x")})[4:])
	f.Add(proto.AppendReply(nil, proto.ReplyHeader{Xid: -1}, &proto.WatcherEvent{Type: 1, State: 3, Path: "/x"})[4:])
	f.Add(proto.AppendReply(nil, proto.ReplyHeader{Xid: -4, Err: -115}, nil)[4:])
	f.Add(proto.AppendReply(nil, proto.ReplyHeader{Xid: 2}, &proto.MultiResponse{Results: []proto.MultiResult{{Type: 1, Path: "/x"}}})[4:])
	f.Fuzz(func(t *testing.T, frame []byte) {
		c := &Client{cfg: Config{OnEvent: func(Event) {}}, chroot: "/c", slots: make(chan struct{}, 9), changed: make(chan struct{})}
		l := &link{c: c}
		reps := []proto.Record{&proto.DataReply{}, &proto.MultiResponse{ResultsMax: 2}, &proto.Children2Reply{}, &proto.ACLReply{}, &proto.WhoAmIReply{}}
		for range reps {
			c.slots <- struct{}{}
			c.register(l, &request{op: proto.OpGetData, reply: make(chan reply, 1), onReply: func(proto.ErrCode) {}})
		}
		first := l.pending[0]
		if err := l.receive(frame); err != nil || len(first.reply) == 0 {
			return
		}
		got := <-first.reply
		for _, rep := range reps {
			_ = proto.Unmarshal(got.body, rep)
		}
	})
}
