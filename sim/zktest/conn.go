package zktest

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a TCP connection of a server. Bytes move through it only
// while its owner is not paused and, between servers, while the way is not
// stalled; until then they wait in the kernel, and so does the end of the stream.
//
// What is stalled runs into deadlines like any silent connection. What is paused
// does not: a stopped process sees no time pass, and finds its deadlines over
// when it goes on.
//
// The end that dialed knows both servers, so it holds up both directions for both
// ends. The end that accepted knows its owner only.
type conn struct {
	fabric *fabric
	owner  *process
	peer   int // the server that was dialed; 0 on the end that accepted
	client bool
	tcp    *net.TCPConn
	baton  chan struct{} // of the Write that is under way

	mu      sync.Mutex
	in, out flow
	frozen  bool // the owner is paused
	closed  bool // by the owner, or with it
	reset   bool // from outside
	gone    bool // the socket is closed too; that may be later
	waiters int
	changed chan struct{} // closed, and made anew, when somebody waits for a change
}

// flow is one direction of a conn.
type flow struct {
	stalled  bool
	busy     int       // system calls under way
	deadline time.Time // the owner's
	armed    time.Time // the socket's
	arm      func(time.Time) error
}

// past is a deadline that ends what is under way.
var past = time.Unix(1, 0)

func newConn(f *fabric, owner *process, tcp *net.TCPConn) *conn {
	return &conn{
		fabric: f, owner: owner, tcp: tcp,
		baton: make(chan struct{}, 1), changed: make(chan struct{}),
		in: flow{arm: tcp.SetReadDeadline}, out: flow{arm: tcp.SetWriteDeadline},
	}
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	for {
		if err := c.enter(&c.in); err != nil {
			return 0, c.fault("read", err)
		}
		n, err := c.tcp.Read(p)
		c.leave(&c.in)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, c.explain(err)
		}
		// enter knows whether that was the owner's deadline.
	}
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	c.baton <- struct{}{}
	defer func() { <-c.baton }()
	for done := 0; ; {
		if err := c.enter(&c.out); err != nil {
			return done, c.fault("write", err)
		}
		n, err := c.tcp.Write(p[done:])
		c.leave(&c.out)
		done += n
		switch {
		case err == nil:
			return done, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
		case c.deaf():
			return len(p), nil
		default:
			return done, c.explain(err)
		}
	}
}

// deaf reports whether nothing that the other end says is heard here: then not
// that it is gone either.
func (c *conn) deaf() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.stalled && !c.closed && !c.reset
}

// enter waits until bytes may move, and counts a system call that moves them.
func (c *conn) enter(w *flow) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		late := !w.deadline.IsZero() && !time.Now().Before(w.deadline)
		switch {
		case c.closed:
			return net.ErrClosed
		case c.frozen:
			c.await(time.Time{})
		case c.reset:
			return syscall.ECONNRESET
		case late:
			return os.ErrDeadlineExceeded
		case w.stalled:
			c.await(w.deadline)
		default:
			if err := w.set(w.deadline); err != nil {
				return err
			}
			w.busy++
			return nil
		}
	}
}

func (w *flow) set(deadline time.Time) error {
	if w.armed.Equal(deadline) {
		return nil
	}
	w.armed = deadline
	return w.arm(deadline)
}

func (c *conn) leave(w *flow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.busy--
	c.wake()
}

// await lets c.mu go until something changes or the deadline is over.
func (c *conn) await(deadline time.Time) {
	var over <-chan time.Time
	if !deadline.IsZero() {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		over = t.C
	}
	c.waiters++
	changed := c.changed
	c.mu.Unlock()
	select {
	case <-changed:
	case <-over:
	}
	c.mu.Lock()
	c.waiters--
}

// wake has those who wait look again. c.mu is held.
func (c *conn) wake() {
	if c.waiters > 0 {
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

// update changes the state, ends the system calls that it forbids, and reports
// whether the socket is closed now. One that was closed while nothing could be
// said is closed when something can.
func (c *conn) update(change func()) (gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	for _, w := range []*flow{&c.in, &c.out} {
		if c.forbidden(w) {
			_ = w.set(past) // fails if the socket is closed, when nothing is under way
		}
	}
	if c.closed && !c.gone && !c.frozen && !c.out.stalled {
		c.gone = true
		_ = c.tcp.Close() // nobody is left to be told
	}
	c.wake()
	return c.gone
}

// quiet waits until no system call is under way that has been forbidden.
func (c *conn) quiet() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range []*flow{&c.in, &c.out} {
		for c.forbidden(w) && w.busy > 0 {
			c.await(time.Time{})
		}
	}
}

func (c *conn) forbidden(w *flow) bool { return c.closed || c.frozen || w.stalled }

// Close implements net.Conn.
func (c *conn) Close() error {
	again := false
	gone := c.update(func() { again, c.closed = c.closed, true })
	if again {
		return c.fault("close", net.ErrClosed)
	}
	if gone {
		c.fabric.forget(c)
	}
	return nil
}

// cut resets the connection from outside. The owner may be paused.
func (c *conn) cut() {
	c.update(func() {
		if !c.gone {
			c.reset, c.gone = true, true
			hangUp(c.tcp)
		}
	})
}

// hangUp closes a connection with a reset.
func hangUp(tcp *net.TCPConn) {
	_ = tcp.SetLinger(0) // fails only if it is closed already
	_ = tcp.Close()
}

// CloseWrite ends the stream that this end sends.
func (c *conn) CloseWrite() error {
	if err := c.enter(&c.out); err != nil {
		return c.fault("close", err)
	}
	defer c.leave(&c.out)
	return c.tcp.CloseWrite()
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error { return c.setDeadline(t, &c.in, &c.out) }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, &c.in) }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, &c.out) }

func (c *conn) setDeadline(t time.Time, flows ...*flow) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fault("set", net.ErrClosed)
	}
	defer c.wake()
	for _, w := range flows {
		w.deadline = t
		if c.frozen || c.reset || w.stalled {
			continue
		}
		if err := w.set(t); err != nil {
			return err
		}
	}
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.tcp.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.tcp.RemoteAddr() }

// explain makes the error of a socket that was closed under the owner's feet the
// one that the owner would see.
func (c *conn) explain(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.reset {
		return c.fault("read", syscall.ECONNRESET)
	}
	return err
}

func (c *conn) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.tcp.LocalAddr(), Addr: c.tcp.RemoteAddr(), Err: err}
}
