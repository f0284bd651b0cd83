package transport

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

func TestManager_CarriesMessagesBothWays(t *testing.T) {
	tn := newTown(t)
	a, b := tn.settle(1), tn.settle(2)
	a.Send(2, []byte("up"))
	b.expect(1, "up")
	b.Send(1, []byte("down"))
	a.expect(2, "down")
	assert.True(t, a.Connected(2))
	assert.True(t, a.HaveDelivered())
	assert.False(t, a.Connected(3))
}

func TestManager_SendToSelfIsReceived(t *testing.T) {
	a := newTown(t).settle(1)
	a.Send(1, []byte("own vote"))
	a.expect(1, "own vote")
	assert.False(t, a.HaveDelivered(), "nothing was sent to anybody else")
}

// Spec peer-protocol 1.3: however the two sides begin, one connection is left.
func TestManager_SimultaneousDialLeavesOneConnection(t *testing.T) {
	for round := range 15 {
		tn := newTown(t)
		a, b := tn.settle(1), tn.settle(2)
		first, second := a, b
		if round%2 == 1 {
			first, second = b, a
		}
		go first.Send(second.sid, []byte("x"))
		second.Send(first.sid, []byte("x"))
		a.until(2, "x")
		b.until(1, "x")
		assert.Equal(t, 1, a.links())
		assert.Equal(t, 1, b.links())
		for _, r := range []*resident{a, b} {
			eventually(t, func() bool { return r.seen("connected") == r.seen("disconnected")+1 }, "one connection, and any other has ended")
		}
		a.stop()
		b.stop()
	}
}

func TestManager_FullMeshHasOneConnectionPerPair(t *testing.T) {
	tn := newTown(t)
	var all []*resident
	for sid := ensemble.ServerID(1); sid <= 5; sid++ {
		all = append(all, tn.settle(sid))
	}
	for _, r := range all {
		for _, to := range all {
			r.Send(to.sid, fmt.Appendf(nil, "%d to %d", r.sid, to.sid))
		}
	}
	for _, r := range all {
		eventually(t, func() bool { return r.links() == 4 }, "sid %d has %d links", r.sid, r.links())
		eventually(t, func() bool { return r.Counters().Received >= 4 }, "sid %d", r.sid)
	}
	for _, r := range all {
		assert.Equal(t, 4, r.links())
		eventually(t, func() bool { return r.seen("connected")-r.seen("disconnected") == 4 }, "as traced")
	}
}

func TestManager_MailboxKeepsTheNewest(t *testing.T) {
	tn := newTown(t)
	dropped := make(chan ensemble.ServerID, 10)
	a := tn.settle(1, func(c *Config) { c.Trace.Dropped = func(s ensemble.ServerID) { dropped <- s } })
	for i := range 5 {
		a.Send(2, fmt.Appendf(nil, "vote %d", i))
	}
	assert.Len(t, dropped, 4)
	assert.EqualValues(t, 4, a.Counters().Dropped)
	assert.False(t, a.HaveDelivered())
	b := tn.settle(2)
	b.expect(1, "vote 4")
	eventually(t, a.HaveDelivered, "the mailbox is empty now")
}

func TestManager_SendBeforeRunIsDelivered(t *testing.T) {
	tn := newTown(t)
	b := tn.settle(2)
	m := NewManager(Config{Self: 1, Ensemble: "test", Addresses: tn.addresses})
	m.Send(2, []byte("early"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- m.Run(ctx, tn.listen()) }()
	// sid 2 does not know where sid 1 is, and learns it from nobody: it cannot dial back.
	eventually(t, func() bool { return m.Counters().Dials > 0 }, "no dial")
	assert.False(t, b.Connected(1))
	cancel()
	require.NoError(t, <-done)
	_, _, err := m.Receive(context.Background())
	assert.ErrorIs(t, err, ErrClosed)
	assert.ErrorContains(t, m.Run(context.Background(), tn.listen()), "once")
}

func TestManager_KnockTellsWhereToDialBack(t *testing.T) {
	tn := newTown(t)
	big := tn.settle(9)
	ln := tn.listen()
	small := tn.settleAt(1, ln, func(c *Config) {
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		c.Advertise = []string{"0.0.0.0:" + port} // ZOOKEEPER-2164
	})
	small.Send(9, []byte("hello from nowhere"))
	big.expect(1, "hello from nowhere")
}

func TestManager_LastMessageIsResentOnANewConnection(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(3)
	b := tn.settle(1)
	a.Send(1, []byte("my vote"))
	b.expect(3, "my vote")
	b.stop()
	eventually(t, func() bool { return a.seen("disconnected 1") == 1 }, "sid 1 is gone")
	b2 := tn.settle(1)
	b2.Send(3, []byte("I am back"))
	a.until(1, "I am back")
	b2.expect(3, "my vote")
	assert.EqualValues(t, 1, a.Counters().Resent)
}

func TestManager_RestartedPeerIsBackAtOnce(t *testing.T) {
	for _, back := range []ensemble.ServerID{1, 3} { // one that knocks and one that dials
		tn := newTown(t)
		stay := tn.settle(2)
		peer := tn.settle(back)
		peer.Send(2, []byte("first"))
		stay.until(back, "first")
		start := time.Now()
		peer.stop()
		eventually(t, func() bool { return stay.seen("disconnected") == 1 }, "the reset is noticed")
		stay.Connect(back)
		eventually(t, func() bool { return stay.seen("failed") == 1 }, "and so is the refused dial")
		peer = tn.settle(back)
		peer.Send(2, []byte("again"))
		stay.until(back, "again")
		t.Logf("sid %d was back after %v", back, time.Since(start))
		assert.Less(t, time.Since(start), time.Second)
		stay.stop()
		peer.stop()
	}
}

func TestManager_ReceiveQueueDropsTheOldest(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(1, func(c *Config) { c.ReceiveMax = 3 })
	for i := range 5 {
		a.Send(1, fmt.Appendf(nil, "%d", i))
	}
	for i := 2; i < 5; i++ {
		a.expect(1, fmt.Sprint(i))
	}
	assert.EqualValues(t, 2, a.Counters().ReceiveDropped)
}

func TestManager_MessageOfAWrongLengthIsNotSent(t *testing.T) {
	tn := newTown(t)
	a, b := tn.settle(1, func(c *Config) { c.FrameBytesMax = 10 }), tn.settle(2, func(c *Config) { c.FrameBytesMax = 10 })
	a.Send(2, nil)
	a.Send(2, make([]byte, 11))
	assert.EqualValues(t, 2, a.Counters().TooLong)
	a.Send(2, []byte("0123456789"))
	b.expect(1, "0123456789")
}

// A peer that accepts and never reads, one that black-holes the dial, and one
// that cannot be resolved hold up nobody else.
func TestManager_SlowPeersDelayNobody(t *testing.T) {
	tn := newTown(t)
	stuck := tn.listen()
	defer stuck.Close()
	tn.move(1, stuck.Addr().String())
	tn.move(2, "black.hole:1")
	tn.move(4, "no.such.host.invalid:3888")
	hole := make(chan struct{})
	a := tn.settle(5, func(c *Config) {
		c.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "black.hole:1" {
				close(hole)
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
	})
	b := tn.settle(3)
	for _, sid := range []ensemble.ServerID{1, 2, 4} {
		a.Send(sid, []byte("x"))
	}
	<-hole
	start := time.Now()
	a.Send(3, []byte("fast"))
	b.expect(5, "fast")
	assert.Less(t, time.Since(start), time.Second)
	start = time.Now()
	a.stop()
	assert.Less(t, time.Since(start), time.Second, "a hanging dial must not hold up the end")
}

func TestManager_AddressesAreAskedAtEachDial(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(2)
	tn.move(1, "127.0.0.1:1")
	a.Send(1, []byte("found you"))
	eventually(t, func() bool { return a.seen("failed 1") >= 2 }, "nobody is there; dialed again while a message waits")
	b := tn.settle(1)
	b.expect(2, "found you")
}

func TestManager_ConnectDialsOnce(t *testing.T) {
	a := newTown(t).settle(2)
	a.Connect(7)
	eventually(t, func() bool { return a.seen("failed 7") == 1 }, "no address")
	a.Connect(7)
	eventually(t, func() bool { return a.seen("failed 7") == 2 }, "asked again, tried again")
	assert.EqualValues(t, 2, a.Counters().DialsFailed)
	assert.EqualValues(t, 2, a.Counters().Dials)
}

func TestManager_WrongServerAtAnAddressIsNoticed(t *testing.T) {
	tn := newTown(t)
	b := tn.settle(1)
	a := tn.settle(5)
	tn.move(3, b.addr)
	a.Connect(3)
	eventually(t, func() bool {
		return a.seen("failed 3: sid 1 at "+b.addr+" refuses: sid 5 looks for sid 3 here, and this is sid 1") == 1
	}, "%v", a.history())
	assert.False(t, a.Connected(3))
	assert.Zero(t, b.seen("connected"))
}

// Nothing is heard from a peer whose machine has vanished: no FIN, no RST.
func TestManager_HalfOpenConnectionIsDropped(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(1, func(c *Config) { c.PingInterval, c.IdleTimeout = 20*time.Millisecond, 150*time.Millisecond })
	ans, w := ask(t, a.addr, Hello{Sid: 2, Ensemble: "test", Kind: Election, Instance: 7})
	require.Equal(t, accepted, ans.verdict)
	eventually(t, func() bool { return a.Connected(2) }, "connected")
	eventually(t, func() bool { return a.seen("disconnected 2") == 1 }, "dropped when silent")
	_, err := w.in.read()
	require.NoError(t, err, "it had been pinged")
}

func TestManager_IdleConnectionStaysWhilePingsAreAnswered(t *testing.T) {
	tn := newTown(t)
	quick := func(c *Config) { c.PingInterval, c.IdleTimeout = 10*time.Millisecond, 500*time.Millisecond }
	a, b := tn.settle(1, quick), tn.settle(2, quick)
	a.Send(2, []byte("x"))
	b.expect(1, "x")
	deadline := time.Now().Add(time.Second)
	eventually(t, func() bool { return time.Now().After(deadline) }, "a second passes")
	assert.Zero(t, a.seen("disconnected")+b.seen("disconnected"))
}

func TestManager_ConnectAllDialsThoseEverSentTo(t *testing.T) {
	tn := newTown(t)
	a := tn.settle(3)
	b := tn.settle(1)
	tn.settle(2)
	a.Send(1, []byte("x"))
	b.expect(3, "x")
	b.stop()
	eventually(t, func() bool { return !a.Connected(1) }, "gone")
	tn.settle(1)
	a.ConnectAll()
	eventually(t, func() bool { return a.Connected(1) }, "dialed again")
	assert.False(t, a.Connected(2))
}

func TestManager_ShutdownWithEverythingInFlight(t *testing.T) {
	tn := newTown(t)
	var all []*resident
	for sid := ensemble.ServerID(1); sid <= 4; sid++ {
		all = append(all, tn.settle(sid))
	}
	for i := range 50 {
		for _, r := range all {
			for sid := ensemble.ServerID(1); sid <= 6; sid++ {
				r.Send(sid, fmt.Appendf(nil, "%d", i))
			}
		}
	}
	for _, r := range all {
		r.stop()
		r.Send(1, []byte("after the end"))
		r.Connect(2)
	}
}

func TestConfig_ReportsAllFaults(t *testing.T) {
	err := Config{Self: -3, Advertise: []string{"nowhere"}, PingInterval: time.Hour, BackoffMin: time.Hour}.Validate()
	for _, s := range []string{"sid -3", "ensemble name", `"nowhere"`, "IdleTimeout", "BackoffMax"} {
		assert.ErrorContains(t, err, s)
	}
	ln := newTown(t).listen()
	require.Error(t, NewManager(Config{Self: 1}).Run(context.Background(), ln))
	_, err = ln.Accept()
	assert.ErrorIs(t, err, net.ErrClosed)
}
