package gossip

import (
	"context"
	"fmt"
	"log"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	bindAttempts = 10 // a free port for TCP may be taken for UDP
	streamsMax   = 64 // TCP connections from others at a time
)

// wire is memberlist's transport, but its streams end with ctx and those that
// come in are limited.
type wire struct {
	*memberlist.NetTransport
	ctx      context.Context
	incoming chan net.Conn
	slots    chan struct{} // one is taken by each stream that has come in
	closed   chan struct{} // NetTransport has been shut down
	once     sync.Once
	worker   sync.WaitGroup
}

func newWire(ctx context.Context, ip net.IP, port int, logger *log.Logger) (*wire, error) {
	cfg := &memberlist.NetTransportConfig{BindAddrs: []string{ip.String()}, BindPort: port, Logger: logger}
	attempts := 1
	if port == 0 {
		attempts = bindAttempts
	}
	var nt *memberlist.NetTransport
	var err error
	for range attempts {
		if nt, err = memberlist.NewNetTransport(cfg); err == nil {
			break
		}
	}
	at := endpoint{ip.String(), port}
	if err != nil && isInUse(err) {
		return nil, fmt.Errorf("gossip: %s is in use by another process; choose another gossip.bind or stop that one", at)
	}
	if err != nil {
		return nil, fmt.Errorf("gossip: bind %s: %w", at, err)
	}
	w := &wire{NetTransport: nt, ctx: ctx, incoming: make(chan net.Conn), slots: make(chan struct{}, streamsMax), closed: make(chan struct{})}
	w.worker.Go(w.forward)
	return w, nil
}

// isInUse looks into an error that NetTransport does not wrap.
func isInUse(err error) bool { return strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) }

// Shutdown implements memberlist.Transport. NetTransport waits for somebody to
// take its last stream, so forward ends after it.
func (w *wire) Shutdown() error {
	err := w.NetTransport.Shutdown()
	w.once.Do(func() { close(w.closed) }) // memberlist may have called it already when it failed to start
	w.worker.Wait()
	return err
}

// forward hands memberlist the streams that come in, and turns away those above
// the limit.
func (w *wire) forward() {
	for {
		select {
		case c := <-w.NetTransport.StreamCh():
			select {
			case w.slots <- struct{}{}:
			default:
				_ = c.Close()
				continue
			}
			b := w.bind(c, func() { <-w.slots })
			select {
			case w.incoming <- b:
			case <-w.closed:
				_ = b.Close()
			}
		case <-w.closed:
			return
		}
	}
}

// StreamCh implements memberlist.Transport.
func (w *wire) StreamCh() <-chan net.Conn { return w.incoming }

// DialTimeout implements memberlist.Transport.
func (w *wire) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return w.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (w *wire) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout}
	c, err := d.DialContext(w.ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	return w.bind(c, func() {}), nil
}

// bind makes c end with ctx; done is called once, when it has been closed.
func (w *wire) bind(c net.Conn, done func()) net.Conn {
	b := &boundConn{Conn: c, done: sync.OnceFunc(done)}
	b.stop = context.AfterFunc(w.ctx, func() { _ = c.Close() })
	return b
}

type boundConn struct {
	net.Conn
	stop func() bool
	done func()
}

// Close implements net.Conn.
func (b *boundConn) Close() error {
	b.stop()
	b.done()
	return b.Conn.Close()
}
