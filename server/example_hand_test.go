package server_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/zab"
)

// notes is a Wire that takes note.
type notes struct{ ready, flush, closed bool }

func (n *notes) Ready() { n.ready = true }
func (n *notes) Flush() { n.flush = true }
func (n *notes) Room()  {}
func (n *notes) Close() { n.closed = true }

// A server driven by hand: a world in which a second is whatever one likes.
func ExampleServer_Open() {
	var clock time.Duration
	s := server.New(server.Config{
		Self: 1, TickTime: time.Second, Logger: slog.New(slog.DiscardHandler),
		Clock: func() time.Duration { return clock },
		Time:  func() time.Time { return time.UnixMilli(1_700_000_000_000).Add(clock) },
	})
	s.Attach(&solo{s: s, zxid: ensemble.NewZxid(1, 0)})
	s.RoleChanged(zab.Role{State: ensemble.Leading, Epoch: 1, Leader: 1})

	wire := &notes{}
	conn, _ := s.Open(netip.MustParseAddrPort("10.0.0.1:1000"), wire)
	conn.Receive(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000}))
	for wire.ready {
		wire.ready = false
		wire.ready = conn.Serve() || wire.ready
	}
	for wire.flush {
		batch, end := conn.Output()
		wire.flush = len(batch) > 0 || end
		if wire.flush {
			var answer proto.ConnectResponse
			_ = proto.Unmarshal(batch[4:], &answer)
			fmt.Printf("session 0x%x of %d ms\n", answer.SessionID, answer.TimeoutMillis)
		}
	}
	for !wire.closed { // the client is silent
		clock += s.HousekeepingPeriod()
		s.Housekeep()
	}
	fmt.Println("closed after", clock)
	// Output:
	// session 0x18bcfe568000000 of 4000 ms
	// closed after 4.5s
}
