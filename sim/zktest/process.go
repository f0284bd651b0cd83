package zktest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/zab"
)

// process is one run of a server, from its start to its end.
type process struct {
	id      int
	gate    *gate
	logger  *slog.Logger
	clients *inlet
	peers   *inlet
	votes   *inlet
	backend backend
	cancel  context.CancelFunc // set by boot
	killed  atomic.Bool
	ended   chan struct{} // closed when all its goroutines have ended
}

// enter makes a process and opens its doors: who connects from now on waits for
// it to boot.
func (e *Ensemble) enter(h *host) *process {
	p := &process{id: h.id, gate: newGate(), ended: make(chan struct{}), cancel: func() {}}
	p.logger = slog.New(muffled{e.cfg.Logger.Handler(), &p.killed})
	p.backend.view = e.view
	p.clients = h.clients.admit(e.fabric, p, true)
	p.peers = h.quorum.admit(e.fabric, p, false)
	p.votes = h.election.admit(e.fabric, p, false)
	e.fabric.change(func() { e.fabric.running[h.id] = p })
	return p
}

// boot starts the server on the disk that it has. Its service for clients stands
// before its quorum does, which tells it when to serve.
func (e *Ensemble) boot(p *process, h *host) error {
	service := e.cfg.server(h.id)
	service.Logger = p.logger
	srv := server.New(service)
	srv.Attach(&p.backend)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	group, ctx := errgroup.WithContext(ctx)
	node, err := quorum.Start(ctx, quorum.Config{
		Self: ensemble.ServerID(h.id), View: e.view, Ensemble: ensembleName,
		Dir: h.platter.dir, FS: disk{h.platter.fs(), p.gate}, Initialize: h.fresh,
		TickTime: e.cfg.TickTime, InitLimitTicks: initLimitTicks, SyncLimitTicks: syncLimitTicks,
		SnapshotTxns: e.cfg.SnapshotTxns, LogSegmentBytes: h.platter.segmentBytes(),
		QuorumListener: p.peers, ElectionListener: p.votes,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return e.fabric.dial(ctx, p, network, addr)
		},
		Logger: p.logger,
		// The loop of the protocol calls this in every step, and so a paused
		// server stops between deciding something and doing it.
		Trace: func(quorum.Event) { _ = p.gate.pass() },
	}, srv)
	if err != nil {
		cancel()
		p.killed.Store(true)
		e.vanish(p)
		close(p.ended)
		e.fabric.change(func() { delete(e.fabric.running, p.id) })
		return fmt.Errorf("start server %d: %w", h.id, err)
	}
	h.fresh = false
	p.backend.node.Store(node)
	group.Go(func() error {
		<-node.Done()
		return cmp.Or(node.Close(), errEnded)
	})
	group.Go(func() error { return srv.Run(ctx, p.clients) })
	go e.attend(p, group)
	return nil
}

// errEnded ends the rest of a server when its quorum part has ended.
var errEnded = errors.New("the server has ended")

// attend waits for the end of a server. One that nobody killed has failed, and
// its connections end as those of a process do.
func (e *Ensemble) attend(p *process, group *errgroup.Group) {
	err := group.Wait()
	p.cancel()
	if !p.killed.Load() {
		e.mu.Lock()
		e.failures = append(e.failures, fmt.Errorf("zktest: server %d has ended by itself: %w", p.id, err))
		e.mu.Unlock()
		e.vanish(p)
	}
	close(p.ended)
}

// vanish is what others see of the end of processes.
func (e *Ensemble) vanish(list ...*process) {
	e.fabric.change(func() {
		for _, p := range list {
			p.gate.kill()
		}
	})
	for _, p := range list {
		for _, in := range []*inlet{p.clients, p.peers, p.votes} {
			_ = in.Close()
		}
	}
}

// over reports whether the server has ended, killed or not.
func (p *process) over() bool {
	_, dead := p.gate.state()
	return dead
}

func (p *process) paused() bool {
	paused, _ := p.gate.state()
	return paused
}

// backend is the quorum as the server sees it. The server is made before the
// node, which restores it, so the node comes later.
type backend struct {
	view *ensemble.View
	node atomic.Pointer[quorum.Node]
}

var _ server.Quorum = (*backend)(nil)

func (b *backend) Submit(request []byte, done func(any, error)) {
	if n := b.node.Load(); n != nil {
		n.Submit(request, done)
		return
	}
	done(nil, quorum.ErrNotServing)
}

func (b *backend) Sync(done func(error)) {
	if n := b.node.Load(); n != nil {
		n.SyncPoint(done)
		return
	}
	done(quorum.ErrNotServing)
}

func (b *backend) Ask(question []byte, done func([]byte, error)) {
	if n := b.node.Load(); n != nil {
		n.Ask(question, done)
		return
	}
	done(nil, quorum.ErrNotServing)
}

func (b *backend) Status() zab.Status {
	if n := b.node.Load(); n != nil {
		return n.Status()
	}
	return zab.Status{Leader: ensemble.NoServer, Phase: "election"}
}

func (b *backend) View() *ensemble.View { return b.view }

// muffled is a log handler that falls silent when the server is killed: the
// dead do not log.
type muffled struct {
	slog.Handler
	killed *atomic.Bool
}

func (m muffled) Enabled(ctx context.Context, level slog.Level) bool {
	return !m.killed.Load() && m.Handler.Enabled(ctx, level)
}

func (m muffled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return muffled{m.Handler.WithAttrs(attrs), m.killed}
}

func (m muffled) WithGroup(name string) slog.Handler {
	return muffled{m.Handler.WithGroup(name), m.killed}
}
