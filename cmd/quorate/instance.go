package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/server/audit"
	"github.com/quorate/quorate/server/meter"
	"github.com/quorate/quorate/transport/gossip"
	"github.com/quorate/quorate/zab"
)

// instance is one server, wired: gossip, quorum, and the service for clients.
type instance struct {
	cfg        *serverConfig
	initialize bool // a new server of a new ensemble
	timing     gossip.Timing
	logger     *slog.Logger
	log        *slog.Logger // logger, with our sid

	clients net.Listener // nil: there is no clientPort
	secure  net.Listener // nil: there is no secureClientPort
	users   *userFile    // nil: nobody may authenticate by SASL
	admin   adminPorts
	audit   *audit.Log // nil: there is none
	gossip  *gossip.Gossip
	server  *server.Server
	node    attached
	view    *ensemble.View
	serving chan struct{} // closed when the server serves for the first time
}

// attached is the quorum as the server sees it. The server is made before the
// node, which restores it, so the node comes later.
type attached struct {
	view *ensemble.View
	p    atomic.Pointer[quorum.Node]
}

func (a *attached) Submit(request []byte, done func(any, error)) {
	if n := a.p.Load(); n != nil {
		n.Submit(request, done)
		return
	}
	done(nil, quorum.ErrNotServing)
}

func (a *attached) Sync(done func(error)) {
	if n := a.p.Load(); n != nil {
		n.SyncPoint(done)
		return
	}
	done(quorum.ErrNotServing)
}

func (a *attached) Ask(question []byte, done func([]byte, error)) {
	if n := a.p.Load(); n != nil {
		n.Ask(question, done)
		return
	}
	done(nil, quorum.ErrNotServing)
}

func (a *attached) Status() zab.Status {
	if n := a.p.Load(); n != nil {
		return n.Status()
	}
	return zab.Status{Leader: ensemble.NoServer, Phase: "election"}
}

func (a *attached) View() *ensemble.View { return a.view }

func newInstance(cfg *serverConfig, log *slog.Logger) (*instance, error) {
	in := &instance{cfg: cfg, logger: log, log: log.With("sid", cfg.ServerID), view: cfg.View, serving: make(chan struct{})}
	in.timing = gossip.LAN
	if err := in.listen(); err != nil {
		in.closeClients()
		return nil, err
	}
	if cfg.JAAS.Path != "" {
		users, err := openUsers(cfg.JAAS, in.log)
		if err != nil {
			in.closeClients()
			return nil, err
		}
		in.users = users
	}
	if err := errors.Join(in.listenAdmin(), in.openAudit()); err != nil {
		in.closeClients()
		return nil, err
	}
	return in, nil
}

// run serves until ctx ends or something fails.
func (in *instance) run(ctx context.Context) error {
	return in.audited(func() error { return in.serve(ctx) })
}

func (in *instance) serve(ctx context.Context) error {
	defer in.closeClients()
	for _, w := range in.cfg.Warnings {
		in.log.Warn(w)
	}
	group, ctx := errgroup.WithContext(ctx)
	if in.cfg.Gossip.Bind != "" {
		if err := in.startGossip(ctx, group); err != nil {
			return errors.Join(err, group.Wait())
		}
	}
	if in.view == nil && !in.learnView(ctx) {
		return group.Wait()
	}
	if err := in.startQuorum(ctx, group); err != nil {
		in.auditSelf(server.AuditServerStart, server.AuditFailure)
		group.Go(func() error { return err })
		return group.Wait()
	}
	in.auditSelf(server.AuditServerStart, server.AuditSuccess)
	defer in.auditSelf(server.AuditServerStop, server.AuditInvoked)
	return group.Wait()
}

func (in *instance) closeClients() {
	for _, ln := range in.listeners() {
		_ = ln.Close()
	}
	in.admin.close()
}

func (in *instance) startGossip(ctx context.Context, group *errgroup.Group) error {
	g, err := gossip.New(gossip.Config{
		Self: in.cfg.ServerID, Ensemble: in.ensembleName(), Bind: in.cfg.Gossip.Bind, Join: in.cfg.Gossip.Join,
		Key: in.cfg.Gossip.Key, Timing: in.timing, Logger: in.logger,
	})
	if err != nil {
		return err
	}
	in.gossip = g
	if in.view != nil {
		if err := g.SetView(in.view); err != nil {
			return err
		}
	}
	group.Go(func() error { return g.Run(ctx) })
	return nil
}

func (in *instance) ensembleName() string {
	if in.cfg.EnsembleName == "" {
		return "quorate"
	}
	return in.cfg.EnsembleName
}

// learnView waits until gossip has told what the ensemble is.
func (in *instance) learnView(ctx context.Context) bool {
	in.log.Info("asking by gossip who the ensemble is", "join", in.cfg.Gossip.Join)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if v := in.gossip.View(); v != nil && len(in.gossip.Voters()) > 0 {
			in.view = v
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

func (in *instance) startQuorum(ctx context.Context, group *errgroup.Group) error {
	if in.view.IsVoter(in.cfg.ServerID) && in.cfg.Observer {
		return fmt.Errorf("this server is to be an observer, but the ensemble has it as a participant: server.%d", in.cfg.ServerID)
	}
	in.log.Info("starting", "version", version(), "voters", in.view.Voters(), "dataDir", in.cfg.DataDir, "clients", in.cfg.ClientAddr, "secureClients", in.cfg.TLS.Addr)
	in.server = server.New(in.serviceConfig())
	in.node.view = in.view
	in.server.Attach(&in.node)
	in.startAdmin(ctx, group)
	node, err := quorum.Start(ctx, quorum.Config{
		Self: in.cfg.ServerID, View: in.view, Ensemble: in.ensembleName(),
		Dir: in.cfg.DataDir, LogDir: in.cfg.DataLogDir, Initialize: in.initialize,
		TickTime: in.cfg.TickTime, InitLimitTicks: in.cfg.InitLimitTicks, SyncLimitTicks: in.cfg.SyncLimitTicks,
		SnapshotTxns: in.cfg.SnapCount, SnapshotsRetained: in.cfg.SnapRetainCount,
		Addresses: in.announced, Logger: in.logger,
		Hooks: meter.New(in.server.Metrics(), in.cfg.ServerID, nil).Hooks(),
	}, in.server)
	if err != nil {
		return err
	}
	in.node.p.Store(node)
	group.Go(func() error {
		<-node.Done()
		return node.Close()
	})
	if ports := in.listeners(); len(ports) > 0 {
		group.Go(func() error { return in.server.Run(ctx, ports...) })
	}
	group.Go(func() error {
		if node.Established(ctx) == nil {
			close(in.serving)
		}
		return nil
	})
	if in.gossip != nil {
		group.Go(func() error { return in.announce(ctx, node) })
	}
	return nil
}

// serviceConfig is what the service for clients is told.
func (in *instance) serviceConfig() server.Config {
	c := in.cfg.Service
	c.Self, c.Ensemble, c.TickTime = in.cfg.ServerID, in.ensembleName(), in.cfg.TickTime
	c.MinSessionTimeout, c.MaxSessionTimeout = in.cfg.MinSessionTimeout, in.cfg.MaxSessionTimeout
	c.MaxClientCnxns, c.JuteMaxBuffer = unlimited(in.cfg.MaxClientCnxns), in.cfg.FrameBytesMax
	c.GlobalOutstandingLimit, c.Whitelist = in.cfg.OutstandingMax, in.cfg.FourLetterWords
	c.Setup, c.Members, c.Logger = in.setup(), in.members, in.logger
	if c.SASL != nil && in.users != nil {
		c.SASL = &server.SASL{Users: in.users.current, AllowFailed: c.SASL.AllowFailed}
	}
	if in.audit != nil {
		c.Audit = in.audit.Record
	}
	return c
}

// unlimited translates zoo.cfg's 0, no limit, to the server's.
func unlimited(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// announce tells by gossip what changes. It begins before there is a quorum: to
// form one, servers may need the addresses.
func (in *instance) announce(ctx context.Context, node *quorum.Node) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := in.gossip.Announce(in.meta(node.Status())); err != nil {
			in.log.Warn("cannot announce by gossip", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (in *instance) meta(s zab.Status) gossip.Meta {
	m := gossip.Meta{
		Ensemble: in.ensembleName(), Sid: in.cfg.ServerID, Observer: !in.view.IsVoter(in.cfg.ServerID),
		State: s.State, Epoch: s.Epoch, Zxid: s.Logged,
	}
	if me, ok := in.view.Member(in.cfg.ServerID); ok {
		m.Quorum, m.Election = me.Addrs[0].Quorum(), me.Addrs[0].Election()
	}
	if in.clients != nil {
		m.Client = in.clients.Addr().String()
	}
	return m
}

// announced returns where gossip says that a server is, for names that do not
// resolve and servers that have moved.
func (in *instance) announced(id ensemble.ServerID) []ensemble.Addr {
	if in.gossip == nil {
		return nil
	}
	m, ok := in.gossip.Member(id)
	if !ok {
		return nil
	}
	var list []ensemble.Addr
	elections := m.ElectionAddrs()
	for i, q := range m.QuorumAddrs() {
		host, port, err := net.SplitHostPort(q)
		if err != nil || i >= len(elections) {
			continue
		}
		_, eport, err := net.SplitHostPort(elections[i])
		if err != nil {
			continue
		}
		qp, _ := strconv.Atoi(port)
		ep, _ := strconv.Atoi(eport)
		list = append(list, ensemble.Addr{Host: host, QuorumPort: qp, ElectionPort: ep})
	}
	return list
}

// setup is what the words and the admin server tell of the configuration.
func (in *instance) setup() server.Setup {
	at := server.Setup{
		DataDir: in.cfg.DataDir, LogDir: in.cfg.DataLogDir,
		InitLimitTicks: in.cfg.InitLimitTicks, SyncLimitTicks: in.cfg.SyncLimitTicks,
	}
	at.ClientPort, at.SecureClientPort = portOf(in.clients), portOf(in.secure)
	if me, ok := in.view.Member(in.cfg.ServerID); ok {
		at.ElectionPort, at.QuorumPort = me.Addrs[0].ElectionPort, me.Addrs[0].QuorumPort
	}
	return at
}

// memberLine is what the four-letter word memb tells about one server, as JSON.
type memberLine struct {
	Sid    int64  `json:"sid"`
	Role   string `json:"role"`
	State  string `json:"state"`
	Epoch  int64  `json:"epoch"`
	Zxid   string `json:"zxid"`
	Client string `json:"client,omitempty"`
	Alive  bool   `json:"alive"`
}

// members answers the four-letter word memb: a line of JSON for each server that
// the view or gossip knows.
func (in *instance) members() string {
	found := map[int64]memberLine{}
	for _, m := range in.view.Members() {
		line := memberLine{Sid: int64(m.ID), Role: "participant", State: "UNKNOWN", Zxid: "0x0", Client: dialable(m.Client, m.Addrs[0].Host)}
		if m.Observer {
			line.Role = "observer"
		}
		found[line.Sid] = line
	}
	if in.gossip != nil {
		for _, m := range in.gossip.Members() {
			line := memberLine{
				Sid: int64(m.Sid), Role: "participant", State: m.State.String(), Epoch: int64(m.Epoch),
				Zxid: m.Zxid.String(), Client: m.Client, Alive: m.Alive,
			}
			if m.Observer {
				line.Role = "observer"
			}
			if !m.Alive {
				line.State = "DOWN"
			}
			found[line.Sid] = line
		}
	}
	s := in.node.Status()
	me := found[int64(in.cfg.ServerID)]
	me.Sid, me.State, me.Epoch, me.Zxid, me.Alive = int64(in.cfg.ServerID), s.State.String(), int64(s.Epoch), s.Logged.String(), true
	if m, ok := in.view.Member(in.cfg.ServerID); ok && me.Client == "" && in.clients != nil {
		me.Client = dialable(in.clients.Addr().String(), m.Addrs[0].Host)
	}
	me.Role = "participant"
	if !in.view.IsVoter(in.cfg.ServerID) {
		me.Role = "observer"
	}
	found[me.Sid] = me
	var ids []int64
	for id := range found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var text []byte
	for _, id := range ids {
		line, _ := json.Marshal(found[id])
		text = append(append(text, line...), '\n')
	}
	return string(text)
}

// dialable replaces a wildcard host by that of the server's peer address.
func dialable(client, host string) string {
	h, port, err := net.SplitHostPort(client)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(h); ip != nil && ip.IsUnspecified() {
		h = host
	}
	return net.JoinHostPort(h, port)
}
