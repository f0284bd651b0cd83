package quorum

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/ports"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// Config says who this server is and how it works. Self, View and Dir are
// required; the zero value of everything else is a sensible default.
type Config struct {
	Self ensemble.ServerID
	// View is the ensemble. A server that is not in it is an observer.
	View *ensemble.View
	// Ensemble is a name that all servers of an ensemble share; servers of
	// another are refused. "quorate" by default.
	Ensemble string
	// Dir holds snapshots and epochs, LogDir the transaction log; LogDir is Dir
	// unless set. One process at a time may use them.
	Dir, LogDir string
	// Initialize declares an empty Dir to be that of a new server of a new
	// ensemble. Without it, a server with an empty disk counts in no quorum
	// until it has been synchronized, unless all voters are there.
	Initialize bool

	// TickTime is ZooKeeper's unit of time, 2 s by default; the limits are in
	// ticks, 10 and 5 by default: how long discovery and synchronization may
	// take, and how long leader and learners may be silent.
	TickTime       time.Duration
	InitLimitTicks int
	SyncLimitTicks int

	// QuorumListener and ElectionListener accept other servers; nil means to
	// listen on the port of the server's own line of the view, on all
	// interfaces if its host name does not resolve here. Start closes them.
	QuorumListener, ElectionListener net.Listener
	// Addresses returns further addresses of a server, tried behind those of
	// the view at every dial. Nil means there are none.
	Addresses func(ensemble.ServerID) []ensemble.Addr
	// Dial opens connections to other servers; nil means net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// SnapshotTxns is how many transactions are applied between two snapshots,
	// 100,000 by default; servers stagger them by up to a half.
	SnapshotTxns int
	// SnapshotsRetained is how many snapshots a purge keeps, with the log
	// behind the oldest of them; 3 by default.
	SnapshotsRetained int
	// LogSegmentBytes is where the log begins its next file, 64 MiB by default. A
	// purge removes whole files.
	LogSegmentBytes int64
	// FS is the disk; nil means the operating system's.
	FS storage.FS

	// Logger gets what an operator should know; nil means slog.Default().
	Logger *slog.Logger
	// Trace gets every protocol event, from one goroutine; nil means nobody.
	Trace func(Event)
	// Hooks are told what is worth measuring.
	Hooks Hooks
}

// Event is one step of the protocol: an input and the effects that came of it,
// in order. They may be kept and must not be changed.
type Event struct {
	Server  ensemble.ServerID
	At      time.Duration // since the server started
	Input   zab.Input
	Effects []zab.Effect
}

const (
	tickTimeDefault       = 2 * time.Second
	initLimitTicksDefault = 10
	syncLimitTicksDefault = 5
	snapshotTxnsDefault   = 100_000
)

// Validate returns all faults of the configuration, joined.
func (c *Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("quorum: "+format, args...))
		}
	}
	check(c.View != nil, "Config.View is missing: who are the servers?")
	check(c.Self >= 0, "Config.Self is %d: a server id is 0 or more", c.Self)
	check(c.Dir != "", "Config.Dir is missing: where does the data go?")
	check(c.TickTime >= 0, "Config.TickTime is %v: it must not be negative", c.TickTime)
	check(c.InitLimitTicks >= 0, "Config.InitLimitTicks is %d: it must not be negative", c.InitLimitTicks)
	check(c.SyncLimitTicks >= 0, "Config.SyncLimitTicks is %d: it must not be negative", c.SyncLimitTicks)
	check(c.SnapshotTxns >= 0, "Config.SnapshotTxns is %d: it must not be negative", c.SnapshotTxns)
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	if c.TickTime == 0 {
		c.TickTime = tickTimeDefault
	}
	set(&c.InitLimitTicks, initLimitTicksDefault)
	set(&c.SyncLimitTicks, syncLimitTicksDefault)
	set(&c.SnapshotTxns, snapshotTxnsDefault)
	if c.Ensemble == "" {
		c.Ensemble = "quorate"
	}
	if c.LogDir == "" {
		c.LogDir = c.Dir
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c *Config) zab() zab.Config {
	return zab.Config{
		Self: c.Self, View: c.View,
		TickTime: c.TickTime, InitLimitTicks: c.InitLimitTicks, SyncLimitTicks: c.SyncLimitTicks,
	}
}

// addresses returns where a server may be, host:port, best first.
func (c *Config) addresses(id ensemble.ServerID, port func(ensemble.Addr) string) []string {
	var list []string
	seen := map[string]bool{}
	add := func(addrs []ensemble.Addr) {
		for _, a := range addrs {
			if s := port(a); !seen[s] {
				seen[s] = true
				list = append(list, s)
			}
		}
	}
	if m, ok := c.View.Member(id); ok {
		add(m.Addrs)
	}
	if c.Addresses != nil {
		add(c.Addresses(id))
	}
	return list
}

// listen opens the listeners that the configuration leaves to us.
func (c *Config) listen() (quorum, election net.Listener, err error) {
	quorum, election = c.QuorumListener, c.ElectionListener
	m, member := c.View.Member(c.Self)
	open := func(l net.Listener, what string, addr func(ensemble.Addr) string) (net.Listener, error) {
		if l != nil {
			return l, nil
		}
		at := ":0"
		if member {
			at = addr(m.Addrs[0])
		}
		l, err := net.Listen("tcp", at)
		var dns *net.DNSError
		if err != nil && errors.As(err, &dns) {
			_, port, _ := net.SplitHostPort(at)
			l, err = net.Listen("tcp", ":"+port)
		}
		if err != nil {
			return nil, ports.Fault(what, at, err)
		}
		return l, nil
	}
	if quorum, err = open(quorum, "the quorum", ensemble.Addr.Quorum); err != nil {
		return nil, nil, err
	}
	if election, err = open(election, "elections", ensemble.Addr.Election); err != nil {
		_ = quorum.Close()
		return nil, nil, err
	}
	return quorum, election, nil
}
