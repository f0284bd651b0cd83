package gossip

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/quorate/quorate/ensemble"
)

// Gossip is one server's part in the gossip of its ensemble. Its methods may be
// called by any goroutine.
type Gossip struct {
	cfg   Config
	table table
	words *words
	news  chan struct{}     // one slot: OnChange is due
	work  chan struct{}     // one slot: there is something to announce
	stale chan struct{}     // one slot: somebody has a later view
	calls chan func()       // hooks for Run's goroutine to call
	left  chan struct{}     // closed when Run has ended
	once  map[string]string // join address -> the last fault logged; of the joiner

	mu   sync.Mutex
	meta Meta   // what is to be announced
	blob []byte // meta, encoded
	addr string // that the others use
	used bool
}

// New makes a Gossip that announces a server in state Looking, and starts
// nothing.
func New(cfg Config) (*Gossip, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	g := &Gossip{
		cfg:   cfg,
		table: table{members: map[ensemble.ServerID]Member{}},
		news:  make(chan struct{}, 1),
		work:  make(chan struct{}, 1),
		stale: make(chan struct{}, 1),
		calls: make(chan func(), 64),
		left:  make(chan struct{}),
		once:  map[string]string{},
	}
	g.words = newWords(g)
	return g, g.Announce(Meta{})
}

// Run gossips until ctx ends, then tells the others that this server leaves. The
// error is nil unless the port cannot be bound. It may be called once.
func (g *Gossip) Run(ctx context.Context) error {
	g.mu.Lock()
	again := g.used
	g.used = true
	g.mu.Unlock()
	if again {
		return errors.New("gossip: Run may be called once")
	}
	defer close(g.left)
	wireCtx, cutWire := context.WithCancel(context.WithoutCancel(ctx))
	defer cutWire()
	ml, err := g.create(ctx, wireCtx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	workers.Go(func() { g.join(ctx, ml) })
	workers.Go(func() { g.announce(ctx, ml) })
	g.serve(ctx)
	cancel()

	// What hangs in a dial or a stream is cut off after a moment, the rest is
	// waited for; then the others are told.
	hurry := time.AfterFunc(g.cfg.Timing.Timeout/4, cutWire)
	workers.Wait()
	hurry.Stop()
	_ = ml.Leave(leaveTimeout(g.cfg.Timing)) // times out when nobody hears it
	cutWire()
	return ml.Shutdown()
}

func leaveTimeout(t Timing) time.Duration { return min(10*t.Gossip, time.Second) }

// create binds the port and starts memberlist.
func (g *Gossip) create(ctx, wireCtx context.Context) (*memberlist.Memberlist, error) {
	bind, err := splitAddress(g.cfg.Bind)
	if err != nil {
		return nil, fmt.Errorf("gossip: bind: %w", err)
	}
	ips, err := resolve(ctx, bind.host)
	if err != nil {
		return nil, fmt.Errorf("gossip: bind %s: %w", g.cfg.Bind, err)
	}
	logger := log.New(g.words, "", 0)
	w, err := newWire(wireCtx, ips[0], bind.port, logger)
	if err != nil {
		return nil, err
	}
	adv, err := g.advertised(ctx, ips[0], w.GetAutoBindPort())
	if err != nil {
		_ = w.Shutdown()
		return nil, err
	}
	g.mu.Lock()
	g.addr = adv.String()
	g.mu.Unlock()
	ml, err := memberlist.Create(g.memberlistConfig(w, logger, adv))
	if err != nil {
		_ = w.Shutdown()
		return nil, fmt.Errorf("gossip: %w", err)
	}
	return ml, nil
}

func (g *Gossip) advertised(ctx context.Context, bound net.IP, port int) (endpoint, error) {
	if g.cfg.Advertise == "" {
		if bound.IsUnspecified() {
			bound = reachableIP()
		}
		return endpoint{bound.String(), port}, nil
	}
	ep, err := splitAddress(g.cfg.Advertise)
	if err != nil {
		return ep, fmt.Errorf("gossip: advertise: %w", err)
	}
	ips, err := resolve(ctx, ep.host)
	if err != nil {
		return ep, fmt.Errorf("gossip: advertise %s: %w", g.cfg.Advertise, err)
	}
	return endpoint{ips[0].String(), ep.port}, nil
}

func (g *Gossip) memberlistConfig(w *wire, logger *log.Logger, adv endpoint) *memberlist.Config {
	t := g.cfg.Timing
	c := memberlist.DefaultLANConfig()
	c.Name = nodeName(g.cfg.Ensemble, g.cfg.Self)
	c.Transport = w
	c.Logger = logger
	c.AdvertiseAddr, c.AdvertisePort = adv.host, adv.port
	c.BindPort = adv.port
	c.TCPTimeout = t.Timeout
	c.ProbeInterval, c.ProbeTimeout = t.Probe, t.ProbeTimeout
	c.GossipInterval, c.PushPullInterval = t.Gossip, t.PushPull
	c.SuspicionMult, c.SuspicionMaxTimeoutMult = t.Suspicion, 2
	c.AwarenessMaxMultiplier = 3
	c.GossipToTheDeadTime = max(30*time.Second, 2*t.PushPull)
	c.DeadNodeReclaimTime = time.Millisecond // a server may come back on another port
	c.EnableCompression = false              // it is small
	if g.cfg.Key != "" {
		key := sha256.Sum256([]byte(g.cfg.Key))
		c.SecretKey = key[:]
	}
	d := &delegate{g}
	c.Delegate, c.Events, c.Alive, c.Merge, c.Conflict = d, d, d, d, d
	return c
}

// serve calls the hooks until ctx ends.
func (g *Gossip) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.news:
			if g.cfg.OnChange != nil {
				g.cfg.OnChange()
			}
		case call := <-g.calls:
			call()
		}
	}
}

// call has a hook called. One that finds no room is lost: it repeats itself.
func (g *Gossip) call(hook func()) {
	select {
	case g.calls <- hook:
	default:
	}
}

func (g *Gossip) suspect(sid ensemble.ServerID) {
	if g.cfg.OnSuspect != nil && sid != g.cfg.Self {
		g.call(func() { g.cfg.OnSuspect(sid) })
	}
}

func (g *Gossip) changed() { poke(g.news) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Announce says what the others are to know of this server; Ensemble, Sid and
// ViewVersion are filled in. It never blocks and may be called as often as something changes:
// what comes faster than Timing allows is announced once. An error says what in
// it cannot be announced, and changes nothing.
func (g *Gossip) Announce(m Meta) error {
	return g.revise(func(old *Meta) { *old = m })
}

// revise changes what is announced.
func (g *Gossip) revise(edit func(*Meta)) error {
	g.mu.Lock()
	old := g.meta
	m := old
	edit(&m)
	m.Ensemble, m.Sid, m.ViewVersion = g.cfg.Ensemble, g.cfg.Self, g.table.version()
	blob, err := m.encode()
	if err == nil {
		g.meta, g.blob = m, blob
	}
	g.mu.Unlock()
	if err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	if m != old {
		poke(g.work)
	}
	return nil
}

// SetView says which view of the ensemble this server has. The newest one known
// to any server spreads to all of them.
func (g *Gossip) SetView(v *ensemble.View) error {
	if n := len(v.String()); n > ViewBytesMax {
		return fmt.Errorf("gossip: a view of %d bytes, at most %d can be told", n, ViewBytesMax)
	}
	if !g.table.replace(v) {
		return nil
	}
	g.changed()
	return g.revise(func(*Meta) {})
}

// View returns the newest view that this server has been given or told of, nil
// if there is none.
func (g *Gossip) View() *ensemble.View { return g.table.newest() }

// Members returns all servers heard of, this one included once Run has begun, by
// sid. The dead stay for an hour.
func (g *Gossip) Members() []Member { return g.table.list(time.Now()) }

// Member returns what is known of one server.
func (g *Gossip) Member(sid ensemble.ServerID) (Member, bool) { return g.table.get(sid) }

// Voters returns the participants heard of, dead or alive, as their lines in a
// configuration. It is no view: a voter that has never been heard of is missing.
func (g *Gossip) Voters() []ensemble.Member {
	var voters []ensemble.Member
	for _, m := range g.Members() {
		if v, ok := m.voter(); ok {
			voters = append(voters, v)
		}
	}
	return voters
}

// Addr returns the host:port at which the others reach this server's gossip,
// empty before Run has bound it.
func (g *Gossip) Addr() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.addr
}
