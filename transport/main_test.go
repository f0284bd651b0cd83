package transport

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/ensemble"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	soon  = 5 * time.Second // bound of what must happen
	often = 2 * time.Millisecond
)

// town is a network of Managers that know each other's addresses.
type town struct {
	t     *testing.T
	mu    sync.Mutex
	where map[ensemble.ServerID][]string
}

func newTown(t *testing.T) *town {
	return &town{t: t, where: map[ensemble.ServerID][]string{}}
}

func (tn *town) addresses(sid ensemble.ServerID) []string {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	return tn.where[sid]
}

func (tn *town) move(sid ensemble.ServerID, addr ...string) {
	tn.mu.Lock()
	defer tn.mu.Unlock()
	tn.where[sid] = addr
}

// resident is a running Manager with all that has happened to it.
type resident struct {
	*Manager
	t    *testing.T
	sid  ensemble.ServerID
	addr string
	stop func()

	mu     sync.Mutex
	events []string
	warned int // log records at Warn and above
}

func (tn *town) listen() net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tn.t, err)
	return ln
}

// settle starts sid on a new port that the others know.
func (tn *town) settle(sid ensemble.ServerID, edit ...func(*Config)) *resident {
	ln := tn.listen()
	tn.move(sid, ln.Addr().String())
	return tn.settleAt(sid, ln, edit...)
}

func (tn *town) settleAt(sid ensemble.ServerID, ln net.Listener, edit ...func(*Config)) *resident {
	r := &resident{t: tn.t, sid: sid, addr: ln.Addr().String()}
	cfg := Config{
		Self: sid, Ensemble: "test", Addresses: tn.addresses,
		Logger: slog.New(r),
		Trace: &Trace{
			Connected:    func(s ensemble.ServerID) { r.note("connected %d", s) },
			Disconnected: func(s ensemble.ServerID, err error) { r.note("disconnected %d", s) },
			DialFailed:   func(s ensemble.ServerID, err error) { r.note("failed %d: %v", s, err) },
			Refused:      func(_ string, err error) { r.note("refused: %v", err) },
		},
	}
	for _, e := range edit {
		e(&cfg)
	}
	r.Manager = NewManager(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, ln) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				assert.NoError(tn.t, err)
			case <-time.After(soon):
				assert.Fail(tn.t, "Run did not return")
			}
		})
	}
	tn.t.Cleanup(r.stop)
	eventually(tn.t, func() bool {
		r.Manager.mu.Lock()
		defer r.Manager.mu.Unlock()
		return r.Manager.ctx != nil
	}, "Run has begun")
	return r
}

func (r *resident) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

// seen counts the events that start with prefix.
func (r *resident) seen(prefix string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if len(e) >= len(prefix) && e[:len(prefix)] == prefix {
			n++
		}
	}
	return n
}

func (r *resident) history() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.events...)
}

func (r *resident) warnings() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.warned
}

// A resident is the slog.Handler that counts its warnings.
func (r *resident) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (r *resident) WithAttrs([]slog.Attr) slog.Handler           { return r }
func (r *resident) WithGroup(string) slog.Handler                { return r }
func (r *resident) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warned++
	return nil
}

// expect receives one message and checks it.
func (r *resident) expect(from ensemble.ServerID, payload string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	sid, got, err := r.Receive(ctx)
	require.NoError(r.t, err)
	assert.Equal(r.t, from, sid)
	assert.Equal(r.t, payload, string(got))
}

// until receives until payload arrives from from.
func (r *resident) until(from ensemble.ServerID, payload string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	for {
		sid, got, err := r.Receive(ctx)
		require.NoError(r.t, err, "waiting for %q from %d", payload, from)
		if sid == from && string(got) == payload {
			return
		}
	}
}

func eventually(t *testing.T, cond func() bool, msg string, args ...any) {
	t.Helper()
	require.Eventually(t, cond, soon, often, append([]any{msg}, args...)...)
}

// links counts the connections a server has at this moment, as its TCP stack
// would see them.
func (r *resident) links() (n int) {
	r.Manager.mu.Lock()
	defer r.Manager.mu.Unlock()
	for _, p := range r.peers {
		if p.link != nil {
			n++
		}
	}
	return n
}

// stranger opens a bare connection and writes bytes.
func stranger(t *testing.T, addr string, b []byte) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = c.Write(b)
	require.NoError(t, err)
	return c
}

// sealedHello is a whole handshake frame.
func sealedHello(t *testing.T, h Hello) []byte {
	t.Helper()
	p, err := seal(&h)
	require.NoError(t, err)
	return appendFrame(nil, p)
}

// ask opens a connection, sends h and returns the answer.
func ask(t *testing.T, addr string, h Hello) (answer, *wire) {
	t.Helper()
	if h.To == 0 {
		h.To = ensemble.NoServer
	}
	w := newWire(stranger(t, addr, sealedHello(t, h)), 4096)
	require.NoError(t, w.conn.SetDeadline(time.Now().Add(soon)))
	p, err := w.in.read()
	require.NoError(t, err)
	var a answer
	require.NoError(t, unseal(p, &a))
	return a, w
}
