package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/admin"
)

// adminPorts are the listeners that operators and dashboards use; nil is none.
type adminPorts struct{ commands, metrics net.Listener }

// listenAdmin opens them. A port in use is a fault where somebody asked for it;
// that of the default is done without, as ZooKeeper does.
func (in *instance) listenAdmin() error {
	a := in.cfg.Admin
	if a.Enabled {
		ln, err := net.Listen("tcp", a.addr())
		switch {
		case err == nil:
			in.admin.commands = ln
		case !a.PortAsked && errors.Is(err, syscall.EADDRINUSE):
			in.log.Warn("no admin server: its port is in use; admin.serverPort chooses another, admin.enableServer=false none", "addr", a.addr())
		default:
			return fmt.Errorf("listen for the admin server on %s: %w: see admin.serverPort", a.addr(), err)
		}
	}
	if a.ExporterPort >= 0 {
		ln, err := net.Listen("tcp", a.exporterAddr())
		if err != nil {
			return fmt.Errorf("listen for metrics on %s: %w: see metricsProvider.httpPort", a.exporterAddr(), err)
		}
		in.admin.metrics = ln
	}
	return nil
}

func (p adminPorts) close() {
	for _, ln := range []net.Listener{p.commands, p.metrics} {
		if ln != nil {
			_ = ln.Close()
		}
	}
}

// startAdmin serves what listenAdmin opened. A failure of it is logged: it is no
// reason to end a server.
func (in *instance) startAdmin(ctx context.Context, group *errgroup.Group) {
	a := in.cfg.Admin
	cfg := admin.Config{
		CommandURL: a.CommandURL, IdleTimeout: a.IdleTimeout, NoMetrics: !a.Metrics, ProcessMetrics: a.ProcessMetrics,
		InitialConfiguration: a.Text, LastSnapshot: in.lastSnapshot, Logger: in.log,
	}
	if in.clients != nil {
		cfg.ClientAddr = in.clients.Addr().String()
	}
	serve := func(ln net.Listener, cfg admin.Config, what string) {
		if ln == nil {
			return
		}
		in.log.Info(what, "url", "http://"+ln.Addr().String())
		group.Go(func() error {
			if err := admin.New(cfg, in.server).Run(ctx, ln); err != nil {
				in.log.Error("what operators ask is not answered any more", "err", err)
			}
			return nil
		})
	}
	serve(in.admin.commands, cfg, "admin server")
	cfg.NoCommands, cfg.NoMetrics = true, false
	serve(in.admin.metrics, cfg, "metrics")
}

// lastSnapshot tells the admin server.
func (in *instance) lastSnapshot() (at ensemble.Zxid, taken time.Time, ok bool) {
	n := in.node.p.Load()
	if n == nil {
		return 0, taken, false
	}
	pos, file := n.LastSnapshot()
	info, err := os.Stat(file)
	if err != nil {
		return 0, taken, false
	}
	return pos.Zxid, info.ModTime(), true
}
