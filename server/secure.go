package server

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/internal/x500"
)

// Secure returns a listener for Run whose clients speak TLS. With plainToo those
// who do not are served as well: a client's first byte tells (zoo.cfg
// client.portUnification). Handshakes are done when Run has accepted the
// connection, by the goroutine that reads from it, so that a slow one holds up
// nobody; Config.HandshakeTimeout is for the handshake and the first request
// together.
func Secure(ln net.Listener, config *tls.Config, plainToo bool) net.Listener {
	return &secureListener{ln, config, plainToo}
}

type secureListener struct {
	net.Listener
	config   *tls.Config
	plainToo bool
}

// Accept implements net.Listener.
func (l *secureListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &secureConn{Conn: nc, config: l.config, plainToo: l.plainToo}, nil
}

// secureConn is a connection before its handshake, and after.
type secureConn struct {
	net.Conn // the socket
	config   *tls.Config
	plainToo bool

	first  []byte                   // read from a plain client, for Read
	tls    atomic.Pointer[tls.Conn] // nil before the handshake and for a plain client
	parted atomic.Bool              // the client has said by a close_notify that it ends
}

// tlsHandshakeByte begins the first record of a TLS client. No frame begins so: it
// would be too long; and no four-letter word.
const tlsHandshakeByte = 0x16

// handshake makes the connection ready for Read and Write. encrypted is false for
// a plain client where such ones are welcome. After an error Read still reads, what
// is worth nothing, so that the client can be told before the socket is closed.
func (c *secureConn) handshake() (state tls.ConnectionState, encrypted bool, err error) {
	first := make([]byte, 0, 1)
	if c.plainToo {
		n, err := io.ReadFull(c.Conn, first[:1])
		if err != nil {
			return state, false, err
		}
		if first = first[:n]; first[0] != tlsHandshakeByte {
			c.first = first
			return state, false, nil
		}
	}
	conn := tls.Server(&prefixed{c, first}, c.config)
	if err := conn.Handshake(); err != nil {
		return state, false, err
	}
	c.tls.Store(conn)
	return conn.ConnectionState(), true, nil
}

// Read implements net.Conn. Clients that end the stream without a close_notify
// are many, and no harm: frames have lengths.
func (c *secureConn) Read(p []byte) (int, error) {
	if conn := c.tls.Load(); conn != nil {
		n, err := conn.Read(p)
		switch err {
		case io.EOF:
			c.parted.Store(true)
		case io.ErrUnexpectedEOF:
			err = io.EOF
		}
		return n, err
	}
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *secureConn) Write(p []byte) (int, error) {
	if conn := c.tls.Load(); conn != nil {
		return conn.Write(p)
	}
	return c.Conn.Write(p)
}

// CloseWrite tells the client by a close_notify, and then by a FIN, that nothing
// more comes. What it has to say is still read.
func (c *secureConn) CloseWrite() error {
	if conn := c.tls.Load(); conn != nil {
		if err := conn.CloseWrite(); err != nil {
			return err
		}
	}
	return closeWrite(c.Conn)
}

// partingTime is how long Close may take.
const partingTime = time.Millisecond

// Close closes the socket at once, in the middle of whatever is under way. To a
// client that has parted by a close_notify it says the same, if that can be done
// without waiting.
func (c *secureConn) Close() error {
	if conn := c.tls.Load(); conn != nil && c.parted.Load() {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(partingTime))
		return conn.Close()
	}
	return c.Conn.Close()
}

// prefixed is the socket under TLS, of which something has been read already.
type prefixed struct {
	*secureConn
	first []byte
}

// SetWriteDeadline implements net.Conn: package tls gives its last alert five
// seconds, which are too many for Close.
func (p *prefixed) SetWriteDeadline(t time.Time) error {
	if p.parted.Load() {
		return nil
	}
	return p.Conn.SetWriteDeadline(t)
}

// Close, Write and CloseWrite are the socket's.
func (p *prefixed) Close() error                { return p.Conn.Close() }
func (p *prefixed) Write(b []byte) (int, error) { return p.Conn.Write(b) }
func (p *prefixed) CloseWrite() error           { return closeWrite(p.Conn) }

// Read implements net.Conn.

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// handshakes are what a server knows of TLS.
type handshakes struct {
	underWay                atomic.Int64
	plainLocal, plainRemote atomic.Int64 // connections without TLS so far, from loopback and elsewhere
}

// beginHandshake reports whether another one may begin; then endHandshake must be
// called.
func (s *Server) beginHandshake() bool {
	if s.handshakes.underWay.Add(1) > int64(s.cfg.HandshakesMax) {
		s.handshakes.underWay.Add(-1)
		s.metrics.HandshakesExceeded.Inc()
		return false
	}
	return true
}

func (s *Server) endHandshake() { s.handshakes.underWay.Add(-1) }

// countPlain notes a connection without TLS.
func (s *Server) countPlain(remote netip.AddrPort) {
	if remote.Addr().IsLoopback() {
		s.handshakes.plainLocal.Add(1)
	} else {
		s.handshakes.plainRemote.Add(1)
	}
}

// shake does the handshake of a connection that was accepted by a TLS port, and
// says who the client is.
func (k *socket) shake(nc *secureConn) {
	s := k.c.s
	state, encrypted, err := nc.handshake()
	s.endHandshake()
	var subject string
	if err == nil && len(state.PeerCertificates) > 0 {
		subject, err = x500.String(state.PeerCertificates[0].RawSubject)
	}
	switch {
	case err != nil:
		s.metrics.HandshakesFailed.Inc()
		if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) { // a port scan, or too slow
			s.complain(slog.LevelWarn, "TLS handshake failed; closing the connection", "remote", k.c.remote, "err", err)
		}
		k.c.finish("TLS handshake: " + err.Error())
	case encrypted:
		k.c.Encrypted(subject)
	default:
		s.countPlain(k.c.remote)
	}
}
