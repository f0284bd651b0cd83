package zktest

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/zab/storage"
)

// Config says what ensemble to start. The zero value is one of three servers with
// disks in memory; each field says its default.
type Config struct {
	// Servers is the number of participants, 3 by default. Their ids are 1 to Servers.
	Servers int
	// Observers is the number of observers; their ids follow. There are none by
	// default. Both together are at most 64.
	Observers int

	// TickTime is ZooKeeper's unit of time, 500 ms by default and at least 10 ms.
	// Leader and followers give one another up after 5 ticks of silence.
	TickTime time.Duration
	// MinSessionTimeout and MaxSessionTimeout bound what clients may ask for: by
	// default 2 ticks, so that tests can see sessions expire, and a minute, so that
	// no session expires that a test does not want to.
	MinSessionTimeout, MaxSessionTimeout time.Duration

	// Dir puts the data into files, server N's into Dir/server-N, and a later
	// ensemble of as many servers goes on with them. Kill is then a kill of the
	// process alone: what was written is there, synced or not. Empty, the default,
	// means disks in memory, each gone with the ensemble.
	Dir string
	// SnapshotTxns is how many transactions a server applies between two snapshots,
	// 100,000 by default. With few, a restarted server soon needs a snapshot from
	// its leader.
	SnapshotTxns int

	// Logger gets what the servers log. By default that is the test's log, from
	// Info on, which is seen when the test fails; nothing in a benchmark; and
	// slog.Default() for New.
	Logger *slog.Logger
}

const (
	serversDefault           = 3
	serversMax               = 64
	tickTimeDefault          = 500 * time.Millisecond
	tickTimeMin              = 10 * time.Millisecond
	maxSessionTimeoutDefault = time.Minute
	syncLimitTicks           = 5
	initLimitTicks           = 50      // a machine that is busy with other tests is no reason to give up
	logSegmentBytes          = 1 << 20 // of a disk in memory, which really holds what is preallocated
	ensembleName             = "zktest"
)

func (c Config) withDefaults() Config {
	if c.Servers == 0 {
		c.Servers = serversDefault
	}
	if c.TickTime == 0 {
		c.TickTime = tickTimeDefault
	}
	if c.MinSessionTimeout == 0 {
		c.MinSessionTimeout = 2 * c.TickTime
	}
	if c.MaxSessionTimeout == 0 {
		c.MaxSessionTimeout = max(maxSessionTimeoutDefault, c.MinSessionTimeout)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Validate returns all faults of the configuration, joined.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("zktest: "+format, args...))
		}
	}
	check(c.Servers >= 1, "Config.Servers is %d: an ensemble has at least one participant", c.Servers)
	check(c.Observers >= 0, "Config.Observers is %d: it must not be negative", c.Observers)
	check(c.Servers+c.Observers <= serversMax, "Config.Servers and Observers are %d together: at most %d run in one process",
		c.Servers+c.Observers, serversMax)
	check(c.TickTime >= tickTimeMin, "Config.TickTime is %v: want at least %v, or 0 for the default", c.TickTime, tickTimeMin)
	check(c.SnapshotTxns >= 0, "Config.SnapshotTxns is %d: it must not be negative", c.SnapshotTxns)
	check(c.MinSessionTimeout > 0 && c.MinSessionTimeout <= c.MaxSessionTimeout,
		"Config.MinSessionTimeout is %v and MaxSessionTimeout %v: the first must be positive and not more than the second",
		c.MinSessionTimeout, c.MaxSessionTimeout)
	if err := c.server(1).Validate(); err != nil && len(faults) == 0 {
		faults = append(faults, fmt.Errorf("zktest: %w", err))
	}
	return errors.Join(faults...)
}

// server configures the service for clients.
func (c Config) server(id int) server.Config {
	return server.Config{
		Self: ensemble.ServerID(id), Ensemble: ensembleName, TickTime: c.TickTime,
		MinSessionTimeout: c.MinSessionTimeout, MaxSessionTimeout: c.MaxSessionTimeout,
		MaxClientCnxns: -1, Whitelist: []string{"*"}, Logger: c.Logger,
	}
}

func (c Config) dataDir(id int) string {
	if c.Dir == "" {
		return "/data"
	}
	return filepath.Join(c.Dir, "server-"+strconv.Itoa(id))
}

// found reports whether Dir has the data of an ensemble, which must be one of as
// many servers.
func (c Config) found() (bool, error) {
	if c.Dir == "" {
		return false, nil
	}
	there, err := filepath.Glob(filepath.Join(c.Dir, "server-*"))
	if err != nil {
		return false, fmt.Errorf("zktest: look into Config.Dir %s: %w", c.Dir, err)
	}
	if n := c.Servers + c.Observers; len(there) != 0 && len(there) != n {
		return false, fmt.Errorf("zktest: Config.Dir %s holds the data of %d servers, and this ensemble has %d: take as many, or another directory",
			c.Dir, len(there), n)
	}
	return len(there) > 0, nil
}

// platter is what a server's disk has, whoever runs: in memory, or in files.
type platter struct {
	mem *storage.MemFS // nil: in files
	dir string
}

func (c Config) platter(id int) platter {
	if c.Dir == "" {
		return platter{mem: storage.NewMemFS(), dir: c.dataDir(id)}
	}
	return platter{dir: c.dataDir(id)}
}

func (p *platter) fs() storage.FS {
	if p.mem == nil {
		return storage.OS()
	}
	return p.mem
}

// segmentBytes is quorum.Config's LogSegmentBytes.
func (p *platter) segmentBytes() int64 {
	if p.mem == nil {
		return 0
	}
	return logSegmentBytes
}

// crash leaves what was synced. Files keep what was written: their machine goes on.
func (p *platter) crash() {
	if p.mem != nil {
		p.mem = p.mem.Crash(nil)
	}
}

func (p *platter) wipe() error {
	if p.mem == nil {
		return os.RemoveAll(p.dir)
	}
	p.mem = storage.NewMemFS()
	return nil
}
