package zkclient

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/quorate/quorate/server/proto"
)

// handshakeBytesMax is more than a ConnectResponse has.
const handshakeBytesMax = 256

// connect opens a connection to a server and goes on with the session on it, or
// begins one.
func (c *Client) connect(ctx context.Context, addr string) (*link, error) {
	c.mu.Lock()
	// A server that accepts a connection while it starts may never answer on it, so
	// that one attempt must not take the session's whole time.
	limit := max(c.cfg.SessionTimeout/time.Duration(max(len(c.servers), attemptsMin)), connectTimeMin)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := c.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	// A context that ends closes the connection under the handshake.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	l := &link{c: c, addr: addr, conn: conn,
		in: bufio.NewReaderSize(conn, bufferBytes), out: bufio.NewWriterSize(conn, bufferBytes)}
	if err = l.handshake(); err == nil && c.cfg.SASL != nil {
		err = l.login(*c.cfg.SASL)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close()
		if ctx.Err() != nil {
			err = fmt.Errorf("no session within %v: %w", limit, err)
		}
		return nil, err
	}
	// From here on silence has a limit.
	l.conn = &patientConn{Conn: conn, silence: silence(c.SessionTimeout())}
	l.in.Reset(io.MultiReader(bytes.NewReader(buffered(l.in)), l.conn))
	l.out.Reset(l.conn)
	return l, nil
}

// buffered returns what a reader has read ahead.
func buffered(r *bufio.Reader) []byte {
	b, _ := r.Peek(r.Buffered())
	return bytes.Clone(b)
}

func (c *Client) dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := c.cfg.Dial(ctx, "tcp", addr)
	if err != nil || c.cfg.TLS == nil {
		return conn, err
	}
	cfg := c.cfg.TLS
	if cfg.ServerName == "" {
		host, _, _ := net.SplitHostPort(addr)
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}

// handshake sends the ConnectRequest and takes the answer (spec client-protocol 1.2).
func (l *link) handshake() error {
	c := l.c
	c.mu.Lock()
	req := proto.ConnectRequest{LastZxidSeen: c.lastZxid, TimeoutMillis: int32(c.cfg.SessionTimeout.Milliseconds()),
		Password: make([]byte, proto.PasswordBytes), ReadOnly: c.cfg.ReadOnly, HasReadOnly: true}
	if c.session.global {
		req.SessionID, req.Password = c.session.id, c.session.password
	}
	l.resumed = c.session.id != 0
	c.mu.Unlock()
	if _, err := l.out.Write(proto.AppendFrame(nil, &req)); err != nil {
		return err
	}
	if err := l.out.Flush(); err != nil {
		return fmt.Errorf("the server ends the connection instead of answering: %w", err)
	}
	frame, err := readFrame(l.in, handshakeBytesMax)
	if errors.Is(err, io.EOF) {
		return errors.New("the server closes the connection: it has no quorum, or is behind what this client has seen, or takes no more clients")
	}
	if broken := (*net.OpError)(nil); errors.As(err, &broken) { // a TLS alert, too
		return fmt.Errorf("the server ends the connection instead of answering: %w", err)
	}
	var resp proto.ConnectResponse
	if err == nil {
		err = proto.Unmarshal(frame, &resp)
	}
	if err != nil {
		return fmt.Errorf("the answer is no ConnectResponse: is this a ZooKeeper client port? %w", err)
	}
	if resp.TimeoutMillis <= 0 || resp.SessionID == 0 {
		return proto.ErrSessionExpired
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l.readOnly = resp.ReadOnly
	c.session = session{id: resp.SessionID, password: bytes.Clone(resp.Password[:]),
		timeout: time.Duration(resp.TimeoutMillis) * time.Millisecond, global: c.session.global || !resp.ReadOnly}
	return nil
}

// patientConn gives up a peer that is silent for too long, however long it takes to
// send a frame.
type patientConn struct {
	net.Conn
	silence time.Duration
}

func (p *patientConn) Read(b []byte) (int, error) {
	if err := p.SetReadDeadline(time.Now().Add(p.silence)); err != nil {
		return 0, err
	}
	return p.Conn.Read(b)
}

func (p *patientConn) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(p.silence)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// readFrame reads one frame. It allocates in step with what comes, so that a length
// alone costs nothing.
func readFrame(r io.Reader, most int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(int32(binary.BigEndian.Uint32(head[:])))
	switch {
	case n < 0:
		return nil, fmt.Errorf("%w: a frame of %d bytes", ErrProtocol, n)
	case n > most:
		return nil, fmt.Errorf("%w: %d bytes, and at most %d are accepted", ErrFrameTooLong, n, most)
	case n <= bufferBytes:
		frame := make([]byte, n)
		_, err := io.ReadFull(r, frame)
		return frame, err
	}
	var frame bytes.Buffer
	if _, err := io.CopyN(&frame, r, int64(n)); err != nil {
		return nil, err
	}
	return frame.Bytes(), nil
}
