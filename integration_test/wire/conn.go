package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// ErrLost ends every request that has no reply when its connection fails.
var ErrLost = errors.New("connection lost")

// Error is an error code of ZooKeeper's in a reply: -101 is NoNode.
type Error int32

// The codes that tests ask for.
const (
	ErrNoNode     Error = -101
	ErrNodeExists Error = -110
)

func (e Error) Error() string { return fmt.Sprintf("ZooKeeper error %d", int32(e)) }

// frameBytesMax limits a reply; a list of many children is long.
const frameBytesMax = 64 << 20

// xids that no request has.
const (
	xidPing  = -2
	xidWatch = -1
)

// Reply is the answer to one request.
type Reply struct {
	Zxid int64
	Body []byte // behind the reply header; empty with an error
	Err  error  // Error, or ErrLost
}

// Conn is a session on one connection. Its methods may be called from several
// goroutines.
type Conn struct {
	SessionID int64
	Timeout   time.Duration // as negotiated
	Password  []byte

	conn net.Conn

	mu      sync.Mutex
	out     *bufio.Writer
	xid     int32
	pending map[int32]func(Reply) // called by the reader
	lost    error
	done    chan struct{}
	stop    chan struct{}
	once    sync.Once
}

// Dial opens a new session at addr. The timeout is also the limit for the handshake.
func Dial(addr string, timeout time.Duration) (*Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, err
	}
	return Open(conn, timeout)
}

// Open opens a new session on a connection, which it closes if that fails.
func Open(conn net.Conn, timeout time.Duration) (*Conn, error) {
	_ = conn.SetDeadline(time.Now().Add(timeout))
	c := &Conn{conn: conn, out: bufio.NewWriterSize(conn, 64<<10), pending: map[int32]func(Reply){},
		done: make(chan struct{}), stop: make(chan struct{})}
	in := bufio.NewReaderSize(conn, 64<<10)
	if err := c.handshake(in, timeout); err != nil {
		conn.Close()
		return nil, fmt.Errorf("open a session at %s: %w", conn.RemoteAddr(), err)
	}
	_ = conn.SetDeadline(time.Time{})
	go c.read(in)
	go c.ping()
	return c, nil
}

func (c *Conn) handshake(in *bufio.Reader, timeout time.Duration) error {
	var e encoder
	e.int32(0)
	e.int64(0)
	e.int32(int32(timeout.Milliseconds()))
	e.int64(0)
	e.bytes(make([]byte, 16))
	e.bool(false)
	if err := writeFrame(c.out, e.buf); err != nil {
		return err
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	frame, err := readFrame(in)
	if err != nil {
		return err
	}
	d := decoder{buf: frame}
	d.int32()
	c.Timeout = time.Duration(d.int32()) * time.Millisecond
	c.SessionID = d.int64()
	c.Password = d.bytes()
	if d.err == nil && (c.Timeout <= 0 || c.SessionID == 0) {
		return errors.New("the session was refused")
	}
	return d.err
}

// Send writes one request without waiting: done is called by the connection's
// reader with the reply, or with ErrLost, exactly once. It must not block. More
// keeps the request in the buffer until one is sent without it, or Flush.
func (c *Conn) Send(op int32, body []byte, more bool, done func(Reply)) {
	c.mu.Lock()
	if c.lost != nil {
		c.mu.Unlock()
		done(Reply{Err: c.lost})
		return
	}
	c.xid++
	c.pending[c.xid] = done
	err := writeRequest(c.out, c.xid, op, body)
	if err == nil && !more {
		err = c.out.Flush()
	}
	c.mu.Unlock()
	if err != nil {
		c.conn.Close() // the reader ends, and all that is pending with it
	}
}

// Flush writes what Send kept in the buffer.
func (c *Conn) Flush() {
	c.mu.Lock()
	err := c.out.Flush()
	c.mu.Unlock()
	if err != nil {
		c.conn.Close()
	}
}

// call sends one request and waits for its reply.
func (c *Conn) call(op int32, body []byte) ([]byte, error) {
	reply := make(chan Reply, 1)
	c.Send(op, body, false, func(r Reply) { reply <- r })
	r := <-reply
	return r.Body, r.Err
}

// Drop closes the connection and leaves the session to expire.
func (c *Conn) Drop() {
	c.once.Do(func() { close(c.stop) })
	c.conn.Close()
	<-c.done
}

// Close ends the session and the connection. It does not matter whether the
// server still answers.
func (c *Conn) Close() {
	gone := time.AfterFunc(2*time.Second, func() { c.conn.Close() })
	_, _ = c.call(opClose, nil)
	gone.Stop()
	c.Drop()
}

func (c *Conn) read(in *bufio.Reader) {
	defer close(c.done)
	for {
		// Pings are answered three times as often as this: silence means that
		// the server hangs.
		_ = c.conn.SetReadDeadline(time.Now().Add(c.Timeout))
		frame, err := readFrame(in)
		if err != nil {
			c.fail(fmt.Errorf("%w: %w", ErrLost, err))
			return
		}
		d := decoder{buf: frame}
		xid, zxid, code := d.int32(), d.int64(), d.int32()
		if d.err != nil {
			c.fail(fmt.Errorf("%w: %w", ErrLost, d.err))
			return
		}
		if xid == xidPing || xid == xidWatch {
			continue
		}
		c.mu.Lock()
		done := c.pending[xid]
		delete(c.pending, xid)
		c.mu.Unlock()
		if done == nil {
			c.fail(fmt.Errorf("%w: a reply to a request %d that was not made", ErrLost, xid))
			return
		}
		r := Reply{Zxid: zxid, Body: d.buf}
		if code != 0 {
			r.Err = Error(code)
		}
		done(r)
	}
}

// fail ends the connection and everything that waits for it.
func (c *Conn) fail(err error) {
	c.conn.Close()
	c.mu.Lock()
	c.lost = err
	pending := c.pending
	c.pending = nil
	c.mu.Unlock()
	for _, done := range pending {
		done(Reply{Err: err})
	}
}

// ping keeps the session alive.
func (c *Conn) ping() {
	tick := time.NewTicker(max(c.Timeout/3, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-c.stop:
			return
		case <-tick.C:
		}
		c.mu.Lock()
		err := writeRequest(c.out, xidPing, opPing, nil)
		if err == nil {
			err = c.out.Flush()
		}
		c.mu.Unlock()
		if err != nil {
			c.conn.Close()
			return
		}
	}
}

func writeRequest(w *bufio.Writer, xid, op int32, body []byte) error {
	var head [12]byte
	binary.BigEndian.PutUint32(head[0:], uint32(8+len(body)))
	binary.BigEndian.PutUint32(head[4:], uint32(xid))
	binary.BigEndian.PutUint32(head[8:], uint32(op))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

func writeFrame(w *bufio.Writer, payload []byte) error {
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(payload)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

func readFrame(r *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > frameBytesMax {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}
