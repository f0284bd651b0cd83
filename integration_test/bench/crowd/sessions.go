package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/server/proto"
)

// sessionTimeout of all sessions, in ms: the longest that tickTime allows.
const sessionTimeout = 40_000

// addresses are how many of loopback clients come from: one has too few ports.
const addresses = 16

var dialed atomic.Int64

// dial connects from one of the addresses.
func dial(addr string) (net.Conn, error) {
	from := net.IPv4(127, 0, 0, byte(2+dialed.Add(1)%addresses))
	d := net.Dialer{Timeout: 30 * time.Second, LocalAddr: &net.TCPAddr{IP: from}}
	nc, err := d.Dial("tcp", addr)
	if err == nil {
		err = nc.SetDeadline(time.Now().Add(30 * time.Second))
	}
	return nc, err
}

// handshake opens a session.
func handshake(nc net.Conn) error {
	req := &proto.ConnectRequest{TimeoutMillis: sessionTimeout, Password: make([]byte, 16), HasReadOnly: true}
	if _, err := nc.Write(proto.AppendFrame(nil, req)); err != nil {
		return err
	}
	var resp proto.ConnectResponse
	frame := make([]byte, 4+37)
	if _, err := io.ReadFull(nc, frame); err != nil {
		return err
	}
	if err := proto.Unmarshal(frame[4:], &resp); err != nil {
		return err
	}
	if resp.SessionID == 0 {
		return errors.New("the session was refused")
	}
	return nil
}

// asked is a request without a record.
func asked(xid int32, op proto.OpCode) []byte {
	return append([]byte{0, 0, 0, 8}, proto.Marshal(&proto.RequestHeader{Xid: xid, Op: op})...)
}

// idle are sessions that do nothing but ping.
type idle struct {
	conns []net.Conn
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once
}

func openIdle(n int, addrs []string) (*idle, error) {
	c := &idle{conns: make([]net.Conn, n), stop: make(chan struct{}), done: make(chan struct{})}
	var group errgroup.Group
	group.SetLimit(64)
	for i := range n {
		group.Go(func() error {
			nc, err := dial(addrs[i%len(addrs)])
			if err != nil {
				return err
			}
			c.conns[i] = nc
			if err := handshake(nc); err != nil {
				return fmt.Errorf("idle session %d: %w", i, err)
			}
			return nc.SetDeadline(time.Time{})
		})
	}
	err := group.Wait()
	go c.ping()
	if err != nil {
		c.close()
	}
	return c, err
}

// ping pings all, in turn, three times in a timeout, as clients do.
func (c *idle) ping() {
	defer close(c.done)
	every := sessionTimeout * time.Millisecond / 3 / time.Duration(max(len(c.conns), 1))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	ping := asked(proto.XidPing, proto.OpPing)
	start, pings := time.Now(), 0
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		for ; pings < int(time.Since(start)/every) && len(c.conns) > 0; pings++ {
			_, _ = c.conns[pings%len(c.conns)].Write(ping)
		}
	}
}

// alive returns an error if one of a few sessions has been closed.
func (c *idle) alive() error {
	for i := 0; i < len(c.conns); i += max(len(c.conns)/50, 1) {
		nc := c.conns[i]
		_ = nc.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := io.Copy(io.Discard, nc)
		if late, ok := err.(net.Error); !ok || !late.Timeout() {
			return fmt.Errorf("idle session %d was closed: %v", i, err)
		}
	}
	return nil
}

// leave ends all sessions.
func (c *idle) leave() {
	for _, nc := range c.conns {
		_, _ = nc.Write(asked(1, proto.OpCloseSession))
	}
	time.Sleep(time.Second)
	c.close()
}

func (c *idle) close() {
	c.once.Do(func() { close(c.stop) })
	<-c.done
	for _, nc := range c.conns {
		if nc != nil {
			_ = nc.Close()
		}
	}
}

// underWayMax is how many sessions may be under way in a storm; one more counts as
// failed.
const underWayMax = 4000

// storm opens sessions at a steady rate, whether or not the servers keep up, and
// closes each at once. A latency counts from when the session was due.
func storm(o options, addrs []string) (took latencies, failed int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	free := make(chan struct{}, underWayMax)
	start := time.Now()
	for i := range int(o.storm.Seconds() * float64(o.rate)) {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(o.rate))
		time.Sleep(time.Until(due))
		select {
		case free <- struct{}{}:
		default:
			mu.Lock()
			failed++
			mu.Unlock()
			continue
		}
		wg.Go(func() {
			defer func() { <-free }()
			at, err := comeAndGo(addrs[i%len(addrs)])
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				return
			}
			took = append(took, at.Sub(due))
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took, failed
}

// comeAndGo opens a session, which is there at the moment that is returned, and
// closes it.
func comeAndGo(addr string) (at time.Time, err error) {
	nc, err := dial(addr)
	if err != nil {
		return at, err
	}
	defer nc.Close()
	if err := handshake(nc); err != nil {
		return at, err
	}
	at = time.Now()
	if _, err := nc.Write(asked(1, proto.OpCloseSession)); err != nil {
		return at, err
	}
	_, err = io.ReadFull(nc, make([]byte, 4+16))
	return at, err
}
