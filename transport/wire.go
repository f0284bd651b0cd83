package transport

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// keepAlive finds a dead machine behind an idle connection in about ten seconds,
// where the layers above have no pings of their own.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}

// DialFunc opens a connection, as net.Dialer's DialContext does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// wire is a connection with its frames.
type wire struct {
	raw  net.Conn // closed instead of conn: closing TLS would write, and could wait
	conn net.Conn
	in   frameReader
}

func newWire(raw net.Conn, bufferBytes int) *wire {
	w := &wire{raw: raw, conn: raw}
	if tcp, ok := raw.(*net.TCPConn); ok {
		// A socket that does not take these options still works.
		_ = tcp.SetKeepAliveConfig(keepAlive)
		_ = tcp.SetNoDelay(true)
	}
	w.in = frameReader{max: handshakeBytesMax, addr: raw.RemoteAddr().String()}
	w.buffer(bufferBytes)
	return w
}

// buffer makes the read buffer, before anything has been read.
func (w *wire) buffer(bytes int) { w.in.r = bufio.NewReaderSize(w.conn, bytes) }

// addr is the peer's address.
func (w *wire) addr() string { return w.in.addr }

func (w *wire) close() { _ = w.raw.Close() }

// endpoint is what both ends of a handshake need to know.
type endpoint struct {
	self      Hello
	accept    func(Hello) error
	tls       *tls.Config
	dial      DialFunc
	connect   time.Duration // limit of one dial
	handshake time.Duration // limit of TLS and hello together
	buffer    int           // bytes of a connection's read buffer
}

// open dials addr and introduces ourselves. The wire is nil unless the answer is
// to go on; a refusal is a *RefusedError.
func (e *endpoint) open(ctx context.Context, addr string, to ensemble.ServerID, knock bool) (*wire, answer, error) {
	dialing, cancel := context.WithTimeout(ctx, e.connect)
	raw, err := e.dial(dialing, "tcp", addr)
	cancel()
	if err != nil {
		return nil, answer{}, err
	}
	w := newWire(raw, e.buffer)
	stop := context.AfterFunc(ctx, w.close)
	a, err := e.introduce(ctx, w, addr, to, knock)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		w.close()
		return nil, a, fmt.Errorf("handshake with %s: %w", addr, err)
	}
	a.from.Remote = w.addr()
	switch a.verdict {
	case refused:
		w.close()
		return nil, a, &RefusedError{Addr: addr, By: a.from.Sid, Reason: a.reason}
	case accepted:
		return w, a, nil
	}
	w.close()
	return nil, a, nil
}

func (e *endpoint) introduce(ctx context.Context, w *wire, addr string, to ensemble.ServerID, knock bool) (answer, error) {
	var a answer
	if err := w.conn.SetDeadline(time.Now().Add(e.handshake)); err != nil {
		return a, err
	}
	if e.tls != nil {
		cfg := e.tls
		if cfg.ServerName == "" && !cfg.InsecureSkipVerify {
			cfg = cfg.Clone()
			cfg.ServerName, _, _ = net.SplitHostPort(addr)
		}
		c := tls.Client(w.raw, cfg)
		if err := c.HandshakeContext(ctx); err != nil {
			return a, fmt.Errorf("tls: %w", err)
		}
		w.conn = c
		w.buffer(e.buffer)
	}
	hello := e.self
	hello.To, hello.Knock = to, knock
	payload, err := seal(&hello)
	if err != nil {
		return a, err
	}
	if _, err := w.conn.Write(appendFrame(nil, payload)); err != nil {
		return a, err
	}
	if payload, err = w.in.read(); err != nil {
		return a, fmt.Errorf("no answer: %w", err)
	}
	if err := unseal(payload, &a); err != nil {
		return a, err
	}
	return a, w.conn.SetDeadline(time.Time{})
}

// listen reads the hello of a connection that came in. The deadline stays set
// until reply has been called.
func (e *endpoint) listen(ctx context.Context, w *wire) (Hello, error) {
	var h Hello
	if err := w.conn.SetDeadline(time.Now().Add(e.handshake)); err != nil {
		return h, err
	}
	if e.tls != nil {
		c := tls.Server(w.raw, e.tls)
		if err := c.HandshakeContext(ctx); err != nil {
			return h, &FrameError{Addr: w.addr(), Reason: "tls: " + err.Error()}
		}
		w.conn = c
		w.buffer(e.buffer)
	}
	if head, err := w.in.r.Peek(frameHeaderBytes); err == nil {
		if v := int64(binary.BigEndian.Uint64(head)); v == -65536 || v == -65535 {
			return h, &ZooKeeperError{Addr: w.addr()} // QuorumCnxManager's PROTOCOL_VERSION_V1 and V2
		}
	}
	payload, err := w.in.read()
	if err != nil {
		return h, err
	}
	if err := unseal(payload, &h); err != nil {
		return h, &FrameError{Addr: w.addr(), Reason: err.Error()}
	}
	h.Remote = w.addr()
	h.Addresses = reachable(h.Addresses, h.Remote)
	return h, nil
}

// reply answers a hello and lifts the deadline.
func (e *endpoint) reply(w *wire, v verdict, reason string) error {
	payload, err := seal(&answer{verdict: v, reason: cut(reason, reasonBytesMax), from: e.self})
	if err != nil {
		return err
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(e.handshake)); err != nil {
		return err
	}
	if _, err := w.conn.Write(appendFrame(nil, payload)); err != nil {
		return err
	}
	return w.conn.SetDeadline(time.Time{})
}

// cut shortens s to at most n bytes of valid UTF-8.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// check finds the reason, if any, not to talk to h.
func (e *endpoint) check(h Hello) error {
	switch {
	case h.Ensemble != e.self.Ensemble:
		return fmt.Errorf("sid %d is of ensemble %q, sid %d of ensemble %q", h.Sid, h.Ensemble, e.self.Sid, e.self.Ensemble)
	case h.Kind != e.self.Kind:
		return fmt.Errorf("this is the %s port of sid %d, and sid %d wants a %s link; check the ports in the line server.%d", e.self.Kind, e.self.Sid, h.Sid, h.Kind, e.self.Sid)
	case h.To != ensemble.NoServer && h.To != e.self.Sid:
		return fmt.Errorf("sid %d looks for sid %d here, and this is sid %d; check the line server.%d and the myid files", h.Sid, h.To, e.self.Sid, h.To)
	case h.Sid == e.self.Sid && h.Instance == e.self.Instance:
		return fmt.Errorf("sid %d has dialed itself; its own address stands in the line of another server", h.Sid)
	case h.Sid == e.self.Sid:
		return fmt.Errorf("sid %d is the sid of this server; two servers have the same myid", h.Sid)
	}
	if e.accept != nil {
		return e.accept(h)
	}
	return nil
}

// reachable replaces wildcard hosts by the host that the connection came from
// (a server that binds to 0.0.0.0 does not know its own name; ZOOKEEPER-2164).
func reachable(addresses []string, remote string) []string {
	from, _, err := net.SplitHostPort(remote)
	var out []string
	for _, a := range addresses {
		host, port, splitErr := net.SplitHostPort(a)
		if splitErr != nil {
			continue
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			if err != nil {
				continue
			}
			a = net.JoinHostPort(from, port)
		}
		out = append(out, a)
	}
	return out
}

// newInstance makes a random instance number, never 0.
func newInstance() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:]) | 1
}

// lobby holds the connections that have not introduced themselves yet. When
// there are too many, the oldest has to go.
type lobby struct {
	mu   sync.Mutex
	max  int
	list []net.Conn
}

// enter adds c and returns the connection that had to make room, if any.
func (l *lobby) enter(c net.Conn) (evicted net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, c)
	if len(l.list) > l.max {
		evicted = l.list[0]
		l.list = append(l.list[:0], l.list[1:]...)
	}
	return evicted
}

// leave takes c out, if it is still there.
func (l *lobby) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, x := range l.list {
		if x == c {
			l.list = append(l.list[:i], l.list[i+1:]...)
			return
		}
	}
}

// acceptLoop hands each connection to serve until ctx ends or the listener is
// closed. A failed accept (out of files, a connection that was reset first) is
// reported and tried again with a growing pause (ZOOKEEPER-2836).
func acceptLoop(ctx context.Context, ln net.Listener, failed func(error), serve func(net.Conn)) error {
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer func() {
		stop()
		_ = ln.Close()
	}()
	pause := time.Duration(0)
	for {
		conn, err := ln.Accept()
		if err == nil {
			pause = 0
			serve(conn)
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("listener %s: %w", ln.Addr(), err)
		}
		failed(err)
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
}
