package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// Manager keeps one connection to each peer on the election port and delivers to
// each the newest message meant for it. Its methods may be called by any
// goroutine.
type Manager struct {
	cfg        Config
	end        endpoint
	inbox      *inbox
	complaints complaints
	events     *events
	counters   counters

	mu      sync.Mutex
	peers   map[ensemble.ServerID]*peer
	ctx     context.Context // of Run; nil before it and after its end
	used    bool            // Run has been called
	workers sync.WaitGroup  // everything that Run waits for; Add only with mu held and ctx set
}

// peer is what is known of one server. Its fields belong to the Manager's mutex,
// but for the mailbox, which has its own.
type peer struct {
	sid       ensemble.ServerID
	box       *mailbox
	mailed    bool          // something has been sent to it
	link      *link         // nil: not connected
	lastLink  *link         // the newest there ever was: its SendWorker must end before another starts
	dialing   bool          // a dialer is at work
	kick      chan struct{} // one slot: dial again without waiting
	addresses []string      // as it gave them itself
	good      string        // the address that worked last
	failures  int           // dials in a row
	notBefore time.Time     // of the next dial
}

type counters struct {
	sent, received, resent, dropped, receiveDropped, tooLong atomic.Uint64
	dials, dialsFailed, connections, refused, badFrames      atomic.Uint64
}

// NewManager makes a Manager and starts nothing. What is wrong with cfg is
// reported by Run.
func NewManager(cfg Config) *Manager {
	cfg = cfg.withDefaults()
	return &Manager{
		cfg: cfg,
		end: endpoint{
			self: cfg.hello(), accept: cfg.Accept, tls: cfg.TLS, dial: cfg.Dialer,
			connect: cfg.ConnectTimeout, handshake: cfg.HandshakeTimeout, buffer: 4 << 10,
		},
		inbox:      newInbox(cfg.ReceiveMax),
		complaints: complaints{log: cfg.Logger},
		events:     newEvents(),
		peers:      map[ensemble.ServerID]*peer{},
	}
}

// Run serves the election port on ln, which it closes, until ctx ends. It
// returns when all its goroutines have ended; the error is nil unless the
// listener failed or the configuration is wrong. It may be called once.
func (m *Manager) Run(ctx context.Context, ln net.Listener) error {
	if err := m.cfg.Validate(); err != nil {
		_ = ln.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.mu.Lock()
	if m.used {
		m.mu.Unlock()
		_ = ln.Close()
		return errors.New("transport: Manager.Run may be called once")
	}
	m.used = true
	m.ctx = ctx
	for _, p := range m.peers {
		if p.box.pending() {
			m.dialLocked(p)
		}
	}
	m.mu.Unlock()
	traced := make(chan struct{})
	go func() {
		defer close(traced)
		m.events.run()
	}()

	err := m.listen(ctx, ln)

	cancel()
	m.mu.Lock()
	m.ctx = nil // no worker starts from here on
	m.mu.Unlock()
	m.workers.Wait()
	m.events.close()
	<-traced
	close(m.inbox.closed)
	return err
}

// listen is the Listener: it gives each new connection a goroutine.
func (m *Manager) listen(ctx context.Context, ln net.Listener) error {
	waiting := &lobby{max: m.cfg.HandshakesMax}
	failed := func(err error) {
		m.complaints.warn("accept "+err.Error(), "cannot accept connections", "port", Election, "err", err)
	}
	return acceptLoop(ctx, ln, failed, func(raw net.Conn) {
		if old := waiting.enter(raw); old != nil {
			_ = old.Close()
		}
		if !m.start(func() { m.admit(ctx, raw, waiting) }) {
			_ = raw.Close()
		}
	})
}

// start runs a worker that Run waits for; false once Run is ending.
func (m *Manager) start(work func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.startLocked(work)
}

func (m *Manager) startLocked(work func()) bool {
	if m.ctx == nil || m.ctx.Err() != nil {
		return false
	}
	m.workers.Add(1)
	go func() {
		defer m.workers.Done()
		work()
	}()
	return true
}

// Send puts payload into the mailbox of a server, in place of an older message
// that has not been sent yet, and sees to it that there is a connection. It never
// blocks. It may be called before Run. The payload must have 1 to FrameBytesMax
// bytes and must not be changed afterwards; one that is empty or too long is
// dropped with a complaint. A message to this server itself is received like any
// other, so FLE counts its own vote as it counts those of others.
//
// Delivery is at most best effort: the newest message is tried again on new
// connections, so a receiver must tolerate duplicates.
func (m *Manager) Send(to ensemble.ServerID, payload []byte) {
	if len(payload) == 0 || len(payload) > m.cfg.FrameBytesMax {
		m.counters.tooLong.Add(1)
		m.complaints.warn(fmt.Sprintf("length %d", to), "message not sent: its length is not allowed", "peer", to, "bytes", len(payload), "max", m.cfg.FrameBytesMax)
		return
	}
	if to == m.cfg.Self {
		m.deliver(letter{to, payload})
		return
	}
	m.mu.Lock()
	p := m.peerLocked(to)
	if p != nil {
		p.mailed = true
	}
	m.mu.Unlock()
	if p == nil {
		m.complaints.warn("peers", "message not sent: too many different sids", "peer", to, "max", m.cfg.PeersMax)
		return
	}
	if p.box.put(payload) {
		m.counters.dropped.Add(1)
		if t := m.cfg.Trace; t != nil && t.Dropped != nil {
			t.Dropped(to)
		}
	}
	m.Connect(to)
}

// Connect dials a server that is not connected, once, without a message for it.
// Trace tells the outcome. It never blocks, and does nothing before Run.
func (m *Manager) Connect(to ensemble.ServerID) {
	if to == m.cfg.Self {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.peerLocked(to); p != nil && p.link == nil {
		m.dialLocked(p)
	}
}

// ConnectAll does for each server to which something has ever been sent what
// Connect does for one.
func (m *Manager) ConnectAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.peers {
		if p.mailed && p.link == nil {
			m.dialLocked(p)
		}
	}
}

// Receive returns the next message that has arrived and the sid of the
// connection that it came by. The caller owns the payload, but for those that
// this server has sent to itself. Messages of one connection keep their order.
// The error is ctx's, or ErrClosed when Run has returned and nothing is left.
func (m *Manager) Receive(ctx context.Context) (from ensemble.ServerID, payload []byte, err error) {
	l, err := m.inbox.get(ctx)
	if err != nil {
		return ensemble.NoServer, nil, err
	}
	return l.from, l.payload, nil
}

func (m *Manager) deliver(l letter) {
	if m.inbox.put(l) {
		m.counters.receiveDropped.Add(1)
		if t := m.cfg.Trace; t != nil && t.ReceiveDropped != nil {
			t.ReceiveDropped(l.from)
		}
	}
}

// HaveDelivered reports whether at least one peer's mailbox is empty, that is,
// has at least one of those to whom something was sent been given its newest
// message. It is false when nothing has been sent to anybody
// (QuorumCnxManager.haveDelivered).
func (m *Manager) HaveDelivered() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.peers {
		if p.mailed && !p.box.pending() {
			return true
		}
	}
	return false
}

// Connected reports whether there is a connection to a server at this moment.
func (m *Manager) Connected(sid ensemble.ServerID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[sid]
	return p != nil && p.link != nil
}

// Counters returns what has been counted so far.
func (m *Manager) Counters() Counters {
	c := &m.counters
	return Counters{
		Sent: c.sent.Load(), Received: c.received.Load(), Resent: c.resent.Load(),
		Dropped: c.dropped.Load(), ReceiveDropped: c.receiveDropped.Load(), TooLong: c.tooLong.Load(),
		Dials: c.dials.Load(), DialsFailed: c.dialsFailed.Load(), Connections: c.connections.Load(),
		Refused: c.refused.Load(), BadFrames: c.badFrames.Load(), EventsForgotten: m.events.forgotten.Load(),
	}
}

// peerLocked returns the peer with that sid, made if need be. When there are too
// many it forgets one that is not connected and has never been written to; if
// there is none, it returns nil.
func (m *Manager) peerLocked(sid ensemble.ServerID) *peer {
	p := m.peers[sid]
	if p != nil {
		return p
	}
	if len(m.peers) >= m.cfg.PeersMax {
		for id, idle := range m.peers {
			if !idle.mailed && !idle.dialing && idle.link == nil {
				delete(m.peers, id)
				break
			}
		}
	}
	if len(m.peers) < m.cfg.PeersMax {
		p = &peer{sid: sid, box: newMailbox(), kick: make(chan struct{}, 1)}
		m.peers[sid] = p
	}
	return p
}

// install makes l the connection to its peer, in place of old, and starts its
// workers; false if the peer has another connection by now, has been forgotten
// to make room, or Run is ending.
func (m *Manager) install(p *peer, l, old *link) bool {
	m.mu.Lock()
	if m.peers[p.sid] != p || p.link != old || m.ctx == nil || m.ctx.Err() != nil {
		m.mu.Unlock()
		return false
	}
	before := p.lastLink
	p.link, p.lastLink = l, l
	if old != nil {
		m.events.add(m.cfg.Trace.disconnected(p.sid, ErrReplaced))
	}
	m.events.add(m.cfg.Trace.connected(p.sid))
	l.stop = context.AfterFunc(m.ctx, func() { l.finish(context.Canceled) })
	m.startLocked(func() { m.sendWorker(l, before) })
	m.startLocked(func() { m.recvWorker(l) })
	m.mu.Unlock()
	m.counters.connections.Add(1)
	if old != nil {
		old.finish(ErrReplaced)
	}
	m.cfg.Logger.Debug("connected", "sid", m.cfg.Self, "peer", p.sid, "addr", l.wire.addr())
	return true
}

// remove takes l out, if it is still its peer's connection, and has the peer
// dialed when a message waits for it.
func (m *Manager) remove(l *link, err error) {
	l.finish(err)
	p := l.peer
	m.mu.Lock()
	current := p.link == l
	if current {
		p.link = nil
		if time.Since(l.since) > m.cfg.BackoffMax {
			p.failures, p.notBefore = 0, time.Time{}
		}
		m.events.add(m.cfg.Trace.disconnected(p.sid, err))
	}
	if p.link == nil && p.box.pending() {
		m.dialLocked(p)
	}
	m.mu.Unlock()
	if !current {
		return
	}
	var fault *FrameError
	switch {
	case errors.As(err, &fault):
		m.counters.badFrames.Add(1)
		m.complaints.warn(fmt.Sprintf("frame %d", p.sid), "connection closed", "peer", p.sid, "err", err)
	case errors.Is(err, io.EOF), errors.Is(err, context.Canceled):
		m.cfg.Logger.Debug("disconnected", "sid", m.cfg.Self, "peer", p.sid, "err", err)
	default:
		m.cfg.Logger.Info("disconnected", "sid", m.cfg.Self, "peer", p.sid, "err", err)
	}
}
