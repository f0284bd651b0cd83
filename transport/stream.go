package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/ensemble"
)

const (
	streamReadBufferBytes  = 32 << 10
	streamWriteBufferBytes = 64 << 10 // is sent without waiting for Flush
	streamDirectBytes      = 16 << 10 // a payload this long is written from where it lies
)

// StreamConfig describes one end of a [Stream], or a [StreamListener]. Self and
// Ensemble are required.
type StreamConfig struct {
	Self     ensemble.ServerID
	Ensemble string // name, 1 to 128 bytes
	Role     Role
	Instance uint64 // of this run of the server; 0 means a random one
	// Expect makes [DialStream] refuse any other server; nil accepts whoever answers.
	Expect *ensemble.ServerID
	// Accept decides on a server that introduces itself to a StreamListener; its
	// error becomes the sentence of the refusal. nil accepts everybody of the same
	// ensemble. It is called concurrently. Two streams of one sid are its affair:
	// Hello.Instance tells a server started again from a second one.
	Accept func(Hello) error

	Dialer DialFunc    // nil means net.Dialer
	TLS    *tls.Config // nil means plain TCP

	ConnectTimeout   time.Duration // default 2 s
	HandshakeTimeout time.Duration // default 3 s
	FrameBytesMax    int           // longest payload, in bytes; default 8 MiB, at most 1 GiB
	HandshakesMax    int           // connections that have not introduced themselves; default 64

	Logger *slog.Logger // nil means slog.Default()
	// Refused, if not nil, is told of each connection that was turned away. It is
	// called concurrently.
	Refused func(remote string, err error)
}

func (c StreamConfig) withDefaults() StreamConfig {
	defaultTo(&c.ConnectTimeout, 2*time.Second)
	defaultTo(&c.HandshakeTimeout, 3*time.Second)
	defaultTo(&c.FrameBytesMax, 8<<20)
	c.FrameBytesMax = min(c.FrameBytesMax, frameBytesCeiling)
	defaultTo(&c.HandshakesMax, 64)
	if c.Instance == 0 {
		c.Instance = newInstance()
	}
	if c.Dialer == nil {
		c.Dialer = (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate reports all that is wrong, joined.
func (c StreamConfig) Validate() error {
	hello := c.hello()
	if err := hello.validate(); err != nil {
		return fmt.Errorf("transport: %w", err)
	}
	return nil
}

func (c StreamConfig) hello() Hello {
	return Hello{Sid: c.Self, To: ensemble.NoServer, Ensemble: c.Ensemble, Kind: Quorum, Role: c.Role, Instance: c.Instance}
}

func (c StreamConfig) endpoint() endpoint {
	return endpoint{
		self: c.hello(), accept: c.Accept, tls: c.TLS, dial: c.Dialer,
		connect: c.ConnectTimeout, handshake: c.HandshakeTimeout, buffer: streamReadBufferBytes,
	}
}

// Stream is an ordered connection of payloads on the quorum port. One goroutine
// may read while another writes; Close, the timeouts, Hello and RemoteAddr are
// for any. After an error of Read or Write the stream is good for nothing but
// Close.
type Stream struct {
	wire  *wire
	hello Hello
	max   int
	buf   []byte // framed and not sent yet
	werr  error  // the first failed write

	readTimeout  atomic.Int64
	writeTimeout atomic.Int64
	once         sync.Once
	closeErr     error
}

// DialStream connects to a quorum port and introduces this server. A refusal is
// a *RefusedError with the other's sentence. ctx bounds the dial and the
// handshake, and has no influence on the stream afterwards.
func DialStream(ctx context.Context, cfg StreamConfig, addr string) (*Stream, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	end := cfg.endpoint()
	to := ensemble.NoServer
	if cfg.Expect != nil {
		to = *cfg.Expect
	}
	w, a, err := end.open(ctx, addr, to, false)
	if err != nil {
		return nil, err
	}
	switch {
	case w == nil:
		return nil, fmt.Errorf("%s answers a stream with verdict %d, which it must not", addr, a.verdict)
	case to != ensemble.NoServer && a.from.Sid != to, a.from.Ensemble != cfg.Ensemble:
		w.close()
		return nil, fmt.Errorf("%s accepts as sid %d of ensemble %q, and sid %d of ensemble %q was dialed", addr, a.from.Sid, a.from.Ensemble, to, cfg.Ensemble)
	}
	return newStream(w, a.from, cfg.FrameBytesMax), nil
}

func newStream(w *wire, h Hello, frameBytesMax int) *Stream {
	s := &Stream{wire: w, hello: h, max: frameBytesMax}
	w.in.max = frameBytesMax
	w.in.arm = s.armRead
	return s
}

// Hello says who is at the other end.
func (s *Stream) Hello() Hello { return s.hello }

// RemoteAddr returns the network address of the other end.
func (s *Stream) RemoteAddr() net.Addr { return s.wire.raw.RemoteAddr() }

// SetReadTimeout bounds how long each following Read waits for the peer: once
// for a frame's header and once for the rest of it. 0, the default, means no
// bound. A Read that is waiting already is not affected.
func (s *Stream) SetReadTimeout(d time.Duration) { s.readTimeout.Store(int64(d)) }

// SetWriteTimeout bounds each write to the connection. 0, the default, means no bound.
func (s *Stream) SetWriteTimeout(d time.Duration) { s.writeTimeout.Store(int64(d)) }

// Read returns the next payload. It is freshly allocated and belongs to the
// caller, who may keep it and slices of it. At a clean end the error is io.EOF;
// a timeout is os.ErrDeadlineExceeded, wrapped; a bad frame is a *FrameError.
func (s *Stream) Read() ([]byte, error) { return s.wire.in.read() }

func (s *Stream) armRead() {
	deadline := time.Time{}
	if d := s.readTimeout.Load(); d > 0 {
		deadline = time.Now().Add(time.Duration(d))
	}
	// An error here shows at the read that follows.
	_ = s.wire.conn.SetReadDeadline(deadline)
}

// Write frames payloads, each of 1 to FrameBytesMax bytes, in order. Short ones
// are collected until Flush or until 64 KiB have come together; a payload of 16
// KiB or more is sent at once with what was collected before it, in one system
// call and without a copy. The payloads are the caller's again when Write
// returns. A payload of a wrong length is an error before anything is written.
func (s *Stream) Write(payloads ...[]byte) error {
	if s.werr != nil {
		return s.werr
	}
	for _, p := range payloads {
		if len(p) == 0 || len(p) > s.max {
			return fmt.Errorf("payload of %d bytes for %s, want 1 to %d", len(p), s.wire.addr(), s.max)
		}
	}
	for _, p := range payloads {
		if len(p) < streamDirectBytes {
			s.buf = appendFrame(s.buf, p)
			if len(s.buf) < streamWriteBufferBytes {
				continue
			}
			p = nil
		} else {
			s.buf = appendFrameHeader(s.buf, p)
		}
		if err := s.send(p); err != nil {
			return err
		}
	}
	return nil
}

// Flush sends what Write has collected.
func (s *Stream) Flush() error {
	if s.werr != nil || len(s.buf) == 0 {
		return s.werr
	}
	return s.send(nil)
}

// send writes the buffer and then tail.
func (s *Stream) send(tail []byte) error {
	deadline := time.Time{}
	if d := s.writeTimeout.Load(); d > 0 {
		deadline = time.Now().Add(time.Duration(d))
	}
	err := s.wire.conn.SetWriteDeadline(deadline)
	if err == nil {
		if len(tail) == 0 {
			_, err = s.wire.conn.Write(s.buf)
		} else {
			parts := net.Buffers{s.buf, tail}
			_, err = parts.WriteTo(s.wire.conn)
		}
	}
	s.buf = s.buf[:0]
	s.werr = err
	return err
}

// Close ends the stream; a Read or Write that is waiting returns. What has not
// been flushed is lost. Closing twice is allowed.
func (s *Stream) Close() error {
	s.once.Do(func() { s.closeErr = s.wire.raw.Close() })
	return s.closeErr
}

// StreamListener accepts streams on the quorum port.
type StreamListener struct {
	cfg        StreamConfig
	end        endpoint
	ln         net.Listener
	complaints complaints
}

// NewStreamListener makes a listener on ln and starts nothing. What is wrong
// with cfg is reported by Run.
func NewStreamListener(cfg StreamConfig, ln net.Listener) *StreamListener {
	cfg = cfg.withDefaults()
	return &StreamListener{cfg: cfg, end: cfg.endpoint(), ln: ln, complaints: complaints{log: cfg.Logger}}
}

// Run accepts connections until ctx ends, and closes the listener. Each
// handshake has a goroutine and a deadline of its own. handle is called in that
// goroutine with a stream whose peer has been accepted, and the stream is closed
// when it returns. When ctx ends all streams are closed, so that their handlers
// return, and Run waits for them. The error is nil unless the listener failed
// or the configuration is wrong.
func (l *StreamListener) Run(ctx context.Context, handle func(*Stream)) error {
	if err := l.cfg.Validate(); err != nil {
		_ = l.ln.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	waiting := &lobby{max: l.cfg.HandshakesMax}
	failed := func(err error) {
		l.complaints.warn("accept "+err.Error(), "cannot accept connections", "port", Quorum, "err", err)
	}
	return acceptLoop(ctx, l.ln, failed, func(raw net.Conn) {
		if old := waiting.enter(raw); old != nil {
			_ = old.Close()
		}
		workers.Go(func() { l.serve(ctx, raw, waiting, handle) })
	})
}

func (l *StreamListener) serve(ctx context.Context, raw net.Conn, waiting *lobby, handle func(*Stream)) {
	w := newWire(raw, l.end.buffer)
	stop := context.AfterFunc(ctx, w.close)
	defer stop()
	defer w.close()
	h, err := l.end.listen(ctx, w)
	waiting.leave(raw)
	if err == nil {
		err = l.admit(w, h)
	}
	if err == nil {
		handle(newStream(w, h, l.cfg.FrameBytesMax))
		return
	}
	if ctx.Err() == nil {
		l.complaints.stranger(Quorum, w.addr(), err)
		if l.cfg.Refused != nil {
			l.cfg.Refused(w.addr(), err)
		}
	}
}

func (l *StreamListener) admit(w *wire, h Hello) error {
	err := l.end.check(h)
	if err == nil && h.Knock {
		err = errors.New("the quorum port is not knocked at")
	}
	if err != nil {
		_ = l.end.reply(w, refused, err.Error()) // the peer may be gone; the reason is logged here too
		return err
	}
	return l.end.reply(w, accepted, "")
}
