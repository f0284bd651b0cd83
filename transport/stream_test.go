package transport

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

// quorumPort runs a StreamListener and returns its address and its end.
func quorumPort(t *testing.T, cfg StreamConfig, handle func(*Stream)) (addr string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- NewStreamListener(cfg, ln).Run(ctx, handle) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				assert.NoError(t, err)
			case <-time.After(soon):
				assert.Fail(t, "Run did not return")
			}
		})
	}
	t.Cleanup(stop)
	return ln.Addr().String(), stop
}

func echo(s *Stream) {
	for {
		p, err := s.Read()
		if err != nil {
			return
		}
		if s.Write(p) != nil || s.Flush() != nil {
			return
		}
	}
}

func learner(sid ensemble.ServerID) StreamConfig { return StreamConfig{Self: sid, Ensemble: "test"} }

func TestStream_KeepsOrderAndBytes(t *testing.T) {
	who := make(chan Hello, 1)
	addr, _ := quorumPort(t, learner(1), func(s *Stream) { who <- s.Hello(); echo(s) })
	cfg := learner(2)
	cfg.Role, cfg.Instance = Observer, 99
	s, err := DialStream(context.Background(), cfg, addr)
	require.NoError(t, err)
	defer s.Close()
	h := <-who
	assert.EqualValues(t, 2, h.Sid)
	assert.Equal(t, Observer, h.Role)
	assert.EqualValues(t, 99, h.Instance)
	assert.NotEmpty(t, h.Remote)
	assert.EqualValues(t, 1, s.Hello().Sid)
	assert.Equal(t, addr, s.RemoteAddr().String())

	var sent [][]byte
	for i := range 400 {
		size := 1 + i*i%300
		if i%100 == 50 {
			size = streamDirectBytes * (i / 50)
		}
		sent = append(sent, bytes.Repeat([]byte{byte(i)}, size))
	}
	go func() {
		for i := 0; i < len(sent); i += 4 {
			assert.NoError(t, s.Write(sent[i:i+4]...))
		}
		assert.NoError(t, s.Flush())
	}()
	for i, want := range sent {
		got, err := s.Read()
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "payload %d", i)
	}
}

func TestStream_ShortPayloadsWaitForFlush(t *testing.T) {
	got := make(chan string, 1)
	addr, _ := quorumPort(t, learner(1), func(s *Stream) {
		s.SetReadTimeout(50 * time.Millisecond)
		_, err := s.Read()
		got <- fmt.Sprint(errors.Is(err, os.ErrDeadlineExceeded))
	})
	s, err := DialStream(context.Background(), learner(2), addr)
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Write([]byte("short")))
	assert.Equal(t, "true", <-got, "not flushed, so the other side timed out")
}

func TestStream_WriteRejectsLengths(t *testing.T) {
	addr, _ := quorumPort(t, learner(1), echo)
	cfg := learner(2)
	cfg.FrameBytesMax = 100
	s, err := DialStream(context.Background(), cfg, addr)
	require.NoError(t, err)
	defer s.Close()
	assert.ErrorContains(t, s.Write([]byte("x"), nil), "payload of 0 bytes")
	assert.ErrorContains(t, s.Write([]byte("x"), make([]byte, 101)), "want 1 to 100")
	require.NoError(t, s.Write(make([]byte, 100)), "nothing of the refused ones was written")
	require.NoError(t, s.Flush())
	p, err := s.Read()
	require.NoError(t, err)
	assert.Len(t, p, 100)
}

func TestStream_WriteTimeoutEndsAStuckPeer(t *testing.T) {
	release := make(chan struct{})
	addr, _ := quorumPort(t, learner(1), func(*Stream) { <-release })
	defer close(release)
	s, err := DialStream(context.Background(), learner(2), addr)
	require.NoError(t, err)
	defer s.Close()
	s.SetWriteTimeout(50 * time.Millisecond)
	block := make([]byte, 1<<20)
	for range 100 {
		if err = s.Write(block); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.Equal(t, err, s.Flush(), "and the stream is done for")
}

func TestStream_EndIsEOF(t *testing.T) {
	addr, _ := quorumPort(t, learner(1), func(s *Stream) { _ = s.Write([]byte("bye")); _ = s.Flush() })
	s, err := DialStream(context.Background(), learner(2), addr)
	require.NoError(t, err)
	p, err := s.Read()
	require.NoError(t, err)
	assert.Equal(t, "bye", string(p))
	_, err = s.Read()
	assert.Equal(t, io.EOF, err)
	assert.NoError(t, s.Close())
	assert.NoError(t, s.Close())
}

func TestStream_RefusalsHaveASentence(t *testing.T) {
	cfg := learner(1)
	cfg.Accept = func(h Hello) error {
		if h.Sid == 9 {
			return errors.New("sid 9 is not in the view")
		}
		return nil
	}
	addr, _ := quorumPort(t, cfg, echo)
	other := learner(2)
	other.Ensemble = "other"
	for _, c := range []struct {
		cfg  StreamConfig
		want string
	}{
		{other, `of ensemble "other"`},
		{learner(9), "sid 9 is not in the view"},
		{learner(1), "same myid"},
	} {
		_, err := DialStream(context.Background(), c.cfg, addr)
		var no *RefusedError
		require.ErrorAs(t, err, &no)
		assert.EqualValues(t, 1, no.By)
		assert.Contains(t, no.Reason, c.want)
	}
	three := ensemble.ServerID(3)
	wrong := learner(2)
	wrong.Expect = &three
	_, err := DialStream(context.Background(), wrong, addr)
	assert.ErrorContains(t, err, "sid 2 looks for sid 3 here, and this is sid 1")

	a := newTown(t).settle(7)
	_, err = DialStream(context.Background(), learner(2), a.addr)
	assert.ErrorContains(t, err, "this is the election port of sid 7")

	_, err = DialStream(context.Background(), StreamConfig{Self: 1}, addr)
	assert.ErrorContains(t, err, "ensemble name")
}

func TestStreamListener_HostileBytesDisturbNobody(t *testing.T) {
	cfg := learner(1)
	refusals := make(chan error, 100)
	cfg.Refused = func(_ string, err error) { refusals <- err }
	addr, _ := quorumPort(t, cfg, echo)
	s, err := DialStream(context.Background(), learner(2), addr)
	require.NoError(t, err)
	defer s.Close()
	for _, input := range hostileInputs(t) {
		c := stranger(t, addr, input)
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
		select {
		case <-refusals:
		case <-time.After(soon):
			require.Fail(t, "not refused")
		}
	}
	require.NoError(t, s.Write([]byte("still here")))
	require.NoError(t, s.Flush())
	p, err := s.Read()
	require.NoError(t, err)
	assert.Equal(t, "still here", string(p))
}

func TestStreamListener_SilentStrangersDoNotLockOutServers(t *testing.T) {
	cfg := learner(1)
	cfg.HandshakesMax, cfg.HandshakeTimeout = 3, time.Hour
	addr, _ := quorumPort(t, cfg, echo)
	for range 10 {
		stranger(t, addr, []byte{0})
	}
	s, err := DialStream(context.Background(), learner(2), addr)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestStreamListener_EndClosesStreamsAndWaits(t *testing.T) {
	running := make(chan struct{})
	ended := false
	addr, stop := quorumPort(t, learner(1), func(s *Stream) {
		close(running)
		_, _ = s.Read()
		ended = true
	})
	s, err := DialStream(context.Background(), learner(2), addr)
	require.NoError(t, err)
	defer s.Close()
	<-running
	stop()
	assert.True(t, ended)
	_, err = s.Read()
	assert.Error(t, err)
}

func TestDialStream_ContextEndsAHangingHandshake(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = DialStream(ctx, learner(2), ln.Addr().String())
	require.Error(t, err)
	assert.Less(t, time.Since(start), 2*time.Second)
}

func selfSigned(t *testing.T) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs:      pool, ClientCAs: pool,
	}
}

func TestTLS_BothPorts(t *testing.T) {
	cert := selfSigned(t)
	secure := learner(1)
	secure.TLS = cert
	addr, _ := quorumPort(t, secure, echo)
	cfg := learner(2)
	cfg.TLS = cert
	s, err := DialStream(context.Background(), cfg, addr)
	require.NoError(t, err)
	defer s.Close()
	long := make([]byte, 100_000)
	require.NoError(t, s.Write([]byte("short"), long))
	p, err := s.Read()
	require.NoError(t, err)
	assert.Equal(t, "short", string(p))
	p, err = s.Read()
	require.NoError(t, err)
	assert.Len(t, p, len(long))

	_, err = DialStream(context.Background(), learner(2), addr)
	assert.Error(t, err, "plain text is not answered")

	tn := newTown(t)
	a := tn.settle(1, func(c *Config) { c.TLS = cert })
	b := tn.settle(2, func(c *Config) { c.TLS = cert })
	a.Send(2, []byte("secret"))
	b.expect(1, "secret")
	start := time.Now()
	a.stop()
	assert.Less(t, time.Since(start), time.Second)
}
