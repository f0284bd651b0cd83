package fle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/ensemble"
)

// DestinationsMax is how many servers may have a notification waiting in a
// messenger's queue. It is far above any ensemble: only strangers that ask, one
// after another under ever new sids, could reach it.
const DestinationsMax = 1024

// complainEvery limits how often a messenger logs about bad notifications.
const complainEvery = 10 * time.Second

// Transport carries notifications between servers. Package transport's Manager
// is one. All methods may be called concurrently.
type Transport interface {
	// Send hands over a payload for a server and returns soon, whether that
	// server can be reached or not. A newer payload may replace one that has
	// not left yet. The payload is shared: nobody changes it any more.
	Send(to ensemble.ServerID, payload []byte)
	// Receive returns the next payload and the server that it came from, which
	// the transport knows and the payload does not say. It waits until there is
	// one, ctx ends, or the transport fails for good. The payload is the caller's.
	Receive(ctx context.Context) (from ensemble.ServerID, payload []byte, err error)
	// HaveDelivered reports whether for some server nothing is waiting to be sent.
	HaveDelivered() bool
	// ConnectAll begins to connect to all voters that are not connected.
	ConnectAll()
}

// MessengerConfig describes a messenger.
type MessengerConfig struct {
	Transport Transport
	// Handle gets each notification that could be read, one after another, from
	// the goroutine WorkerReceiver. While it waits nothing is received; it must
	// return when the context of Run ends.
	Handle func(from ensemble.ServerID, n Notification)
	// Logger may be nil; then it is slog.Default().
	Logger *slog.Logger
	// Trace may be nil.
	Trace *Trace
}

// Stats counts what a messenger has done since it was made.
type Stats struct {
	Sent       uint64 // payloads handed to the transport
	Replaced   uint64 // overtaken in the queue by a newer one for the same server
	Refused    uint64 // not queued because of DestinationsMax
	Unsendable uint64 // could not be encoded
	Received   uint64 // handed to Handle
	Malformed  uint64 // could not be decoded
}

// Messenger is ZooKeeper's FastLeaderElection.Messenger: the goroutine
// WorkerSender between a ballot and the transport, and WorkerReceiver on the
// way back. Both only encode, decode and carry; what is answered is decided by
// the ballot.
type Messenger struct {
	cfg  MessengerConfig
	wake chan struct{} // one slot: the queue is not empty

	mu      sync.Mutex
	order   []ensemble.ServerID // first come, first sent
	waiting map[ensemble.ServerID]Notification

	sent, replaced, refused, unsendable, received, malformed atomic.Uint64
}

// NewMessenger returns a messenger that carries nothing before Run.
func NewMessenger(cfg MessengerConfig) (*Messenger, error) {
	var faults []error
	if cfg.Transport == nil {
		faults = append(faults, errors.New("fle: Transport is nil; a messenger needs one to send and receive by"))
	}
	if cfg.Handle == nil {
		faults = append(faults, errors.New("fle: Handle is nil; received notifications would go nowhere"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Messenger{cfg: cfg, wake: make(chan struct{}, 1), waiting: map[ensemble.ServerID]Notification{}}, nil
}

// Run runs WorkerSender and WorkerReceiver until ctx ends, and then returns nil,
// or until the transport fails, and then returns why. Both have ended when it
// returns. It may be called again afterwards.
func (m *Messenger) Run(ctx context.Context) error {
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { m.workerSender(running); return nil })
	g.Go(func() error { return m.workerReceiver(running) })
	err := g.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Queue hands over a ballot's notifications for sending. It never blocks. For
// each server at most one waits, the newest. Any goroutine may call it.
func (m *Messenger) Queue(out []Outgoing) {
	if len(out) == 0 {
		return
	}
	var lost []Outgoing
	m.mu.Lock()
	for _, o := range out {
		old, waits := m.waiting[o.To]
		switch {
		case waits:
			m.replaced.Add(1)
			lost = append(lost, Outgoing{o.To, old})
		case len(m.waiting) >= DestinationsMax:
			m.refused.Add(1)
			lost = append(lost, o)
			continue
		default:
			m.order = append(m.order, o.To)
		}
		m.waiting[o.To] = o.Notification
	}
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
	for _, o := range lost {
		m.cfg.Trace.replaced(o.To, o.Notification)
	}
}

// Stats returns the counters.
func (m *Messenger) Stats() Stats {
	return Stats{
		Sent: m.sent.Load(), Replaced: m.replaced.Load(), Refused: m.refused.Load(),
		Unsendable: m.unsendable.Load(), Received: m.received.Load(), Malformed: m.malformed.Load(),
	}
}

func (m *Messenger) take() (Outgoing, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.order) == 0 {
		return Outgoing{}, false
	}
	to := m.order[0]
	m.order = slices.Delete(m.order, 0, 1)
	n := m.waiting[to]
	delete(m.waiting, to)
	return Outgoing{to, n}, true
}

func (m *Messenger) workerSender(ctx context.Context) {
	complaint := complaints{log: m.cfg.Logger, what: "notification cannot be sent"}
	var last Notification // of a broadcast all are equal: encode once
	var payload []byte
	for {
		for ctx.Err() == nil {
			o, ok := m.take()
			if !ok {
				break
			}
			if payload == nil || o.Notification != last {
				p, err := EncodeNotification(o.Notification)
				if err != nil {
					m.unsendable.Add(1)
					complaint.add(o.To, err)
					continue
				}
				last, payload = o.Notification, p
			}
			m.cfg.Transport.Send(o.To, payload)
			m.sent.Add(1)
		}
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		}
	}
}

func (m *Messenger) workerReceiver(ctx context.Context) error {
	complaint := complaints{log: m.cfg.Logger, what: "notification ignored"}
	for {
		from, payload, err := m.cfg.Transport.Receive(ctx)
		if err != nil {
			return fmt.Errorf("fle: receive notification: %w", err)
		}
		n, err := DecodeNotification(payload)
		if err != nil {
			m.malformed.Add(1)
			m.cfg.Trace.malformed(from, err)
			complaint.add(from, err)
			continue
		}
		m.received.Add(1)
		m.cfg.Handle(from, n)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// complaints logs errors at most once per complainEvery and counts the others.
type complaints struct {
	log    *slog.Logger
	what   string
	next   time.Time
	unsaid int
}

func (c *complaints) add(peer ensemble.ServerID, err error) {
	now := time.Now()
	if now.Before(c.next) {
		c.unsaid++
		return
	}
	c.log.Warn(c.what, "peer", int64(peer), "err", err, "unsaid", c.unsaid)
	c.next, c.unsaid = now.Add(complainEvery), 0
}
