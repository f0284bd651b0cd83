package zkclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/quorate/quorate/server/proto"
)

// Client is a session with an ensemble. Its methods may be called from many
// goroutines at once.
type Client struct {
	cfg    Config
	chroot string

	slots chan struct{} // one for each request under way or waiting
	wake  chan struct{} // there is something to write
	stop  context.CancelFunc
	done  chan struct{} // run has ended

	mu        sync.Mutex
	servers   []string // in the order in which they are tried
	next      int      // index of the server to try next
	queue     []*request
	xid       int32
	watches   watchlist
	auths     []Auth
	session   session
	lastZxid  int64 // of replies: a server must have it before we connect to it
	heardZxid int64 // of anything: what the ensemble was known to have done
	state     State
	server    string
	changed   chan struct{} // closed when state changes
	fault     error         // why there is no connection
	over      error         // why the client is over; set once
}

// session is what a server is shown to go on with a session.
type session struct {
	id       int64
	password []byte
	timeout  time.Duration
	// global says that a server with a quorum knows the session. One of a server
	// without a quorum is not to be shown to others (spec client-protocol 4.7).
	global bool
}

// How long to wait before the servers are tried once more, and how long for one.
const (
	backoffMin     = 50 * time.Millisecond
	backoffMax     = time.Second
	connectTimeMin = time.Second
	attemptsMin    = 4 // in the time of a session
	farewellTime   = 2 * time.Second
)

// Dial opens a session: it returns when a server has granted one, or with what is
// wrong when ctx ends. The caller closes the Client.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	c, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.WaitConnected(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("connect to %s: %w", cfg.Servers, err)
	}
	return c, nil
}

// Open is Dial without waiting: the Client looks for a server from now on, and what
// is asked of it waits for one. The caller closes the Client.
func Open(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg.withDefaults(), wake: make(chan struct{}, 1), done: make(chan struct{}), changed: make(chan struct{})}
	c.servers, c.chroot, _ = ParseConnectString(cfg.Servers)
	rand.Shuffle(len(c.servers), func(i, j int) { c.servers[i], c.servers[j] = c.servers[j], c.servers[i] })
	c.slots = make(chan struct{}, c.cfg.OutstandingMax)
	c.session.timeout = c.cfg.SessionTimeout
	c.auths = append(c.auths, cfg.Auth...)

	life, stop := context.WithCancel(context.Background())
	c.stop = stop
	go c.run(life)
	return c, nil
}

// WaitConnected returns when requests are answered, or with the reason why they are
// not when ctx ends or the client is over.
func (c *Client) WaitConnected(ctx context.Context) error {
	for {
		c.mu.Lock()
		state, changed, over := c.state, c.changed, c.over
		c.mu.Unlock()
		switch {
		case over != nil:
			return over
		case state == StateConnected || state == StateReadOnly:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return c.because(ctx.Err())
		}
	}
}

// because adds to the end of a caller's patience why there is no connection.
func (c *Client) because(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault == nil || c.state == StateConnected || c.state == StateReadOnly {
		return err
	}
	return fmt.Errorf("%w: %w", err, c.fault)
}

// State returns the state, and the server of the connection if there is one.
func (c *Client) State() (State, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.server
}

// SessionID returns the id of the session.
func (c *Client) SessionID() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.id
}

// SessionTimeout returns the timeout that the server has granted.
func (c *Client) SessionTimeout() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.timeout
}

// LastZxid returns the highest zxid that a reply had.
func (c *Client) LastZxid() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastZxid
}

// Close ends the session, if a server can be told within two seconds (otherwise it
// expires), and waits until nothing of the client is left. Requests under way fail.
// It may be called more than once.
func (c *Client) Close() {
	if state, _ := c.State(); state == StateConnected || state == StateReadOnly {
		ctx, cancel := context.WithTimeout(context.Background(), farewellTime)
		// The reply is the last that the server sends: nobody is to take its closing for
		// a lost connection.
		_ = c.call(ctx, proto.OpCloseSession, "", &proto.Empty{}, &proto.Empty{}, func(proto.ErrCode) { c.stop() })
		cancel()
	}
	c.stop()
	<-c.done
}

// run connects, and connects again, until the client is over.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	tried, backoff := 0, backoffMin
	for {
		addr := c.nextServer()
		l, err := c.connect(ctx, addr)
		switch {
		case ctx.Err() != nil:
			if l != nil {
				_ = l.conn.Close()
			}
			c.end(StateClosed, ErrClosed)
			return
		case errors.Is(err, proto.ErrSessionExpired):
			c.end(StateExpired, err)
			return
		case errors.Is(err, proto.ErrAuthFailed):
			c.end(StateAuthFailed, err)
			return
		case err == nil:
			if err = l.serve(ctx); errors.Is(err, proto.ErrAuthFailed) {
				c.takeBack(l)
				c.end(StateAuthFailed, err)
				return
			}
			c.lost(ctx, l, err)
			if l.heard {
				tried, backoff = 0, backoffMin
				continue
			}
		default:
			c.setFault(addr, err)
		}
		if tried++; tried%len(c.servers) == 0 {
			pause(ctx, backoff/2+rand.N(backoff))
			backoff = min(backoff*2, backoffMax)
		}
	}
}

func (c *Client) nextServer() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	addr := c.servers[c.next%len(c.servers)]
	c.next = (c.next + 1) % len(c.servers)
	return addr
}

// setFault remembers why there is no connection, and tells whoever listens.
func (c *Client) setFault(addr string, err error) {
	c.mu.Lock()
	c.fault = fmt.Errorf("%s: %w", addr, err)
	fault := c.fault
	c.mu.Unlock()
	c.cfg.OnEvent(Event{State: StateConnecting, Server: addr, Err: fault})
}

// setState publishes a change of the connection. The caller holds mu.
func (c *Client) setState(s State, server string) {
	c.state, c.server = s, server
	close(c.changed)
	c.changed = make(chan struct{})
}

// end is the last that happens to a client.
func (c *Client) end(s State, err error) {
	c.mu.Lock()
	c.over = err
	c.setState(s, "")
	queue := c.queue
	c.queue = nil
	c.mu.Unlock()
	for _, r := range queue {
		c.finish(r, reply{err: err})
	}
	c.cfg.OnEvent(Event{State: s, Err: err})
}

// takeBack puts the requests that a connection leaves without a reply back into the
// queue, which ends with the client.
func (c *Client) takeBack(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(l.pending, c.queue...)
	l.pending = nil
}

// lost sorts the requests that a connection leaves without a reply: reads go to the
// head of the queue, everything else fails.
func (c *Client) lost(ctx context.Context, l *link, err error) {
	var failed, again []*request
	c.mu.Lock()
	for i, r := range l.pending {
		tooLong := i == 0 && errors.Is(err, ErrFrameTooLong)
		if r.own || r.gone || !r.repeatable() || r.sent >= sendsMax || tooLong {
			failed = append(failed, r)
		} else {
			again = append(again, r)
		}
	}
	l.pending = nil
	c.queue = append(again, c.queue...)
	c.fault = fmt.Errorf("%s: %w", l.addr, err)
	c.setState(StateConnecting, "")
	fault := c.fault
	c.mu.Unlock()
	for i, r := range failed {
		reason := ErrConnectionLoss
		if i == 0 && errors.Is(err, ErrFrameTooLong) {
			reason = ErrFrameTooLong
		}
		c.finish(r, reply{err: fmt.Errorf("%w (%w%s)", reason, err, r.tooLong())})
	}
	if ctx.Err() == nil {
		c.cfg.OnEvent(Event{State: StateConnecting, Server: l.addr, Err: fault})
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
