package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Kind says whose servers a cluster runs.
type Kind int

// The two kinds of servers.
const (
	Quorate   Kind = iota
	ZooKeeper      // Apache ZooKeeper as Debian packages it
)

// String names the kind.
func (k Kind) String() string {
	if k == ZooKeeper {
		return "ZooKeeper"
	}
	return "Quorate"
}

// Config describes a cluster.
type Config struct {
	Kind      Kind
	Binary    string // the quorate binary; unused for ZooKeeper
	Dir       string // where all files go; must exist
	Servers   int    // voters, numbered from 1
	Observers int    // numbered on from there
	// Lines are added to every zoo.cfg. A line here replaces the default of the
	// same key.
	Lines []string
	// JavaFlags are given to java; ZooKeeper only.
	JavaFlags []string
	// Gossip adds gossip.bind and gossip.join lines; Quorate only.
	Gossip bool
}

// Cluster is an ensemble of server processes. Its methods may be called from
// several goroutines, those of one Server from one at a time.
type Cluster struct {
	Config  Config
	Servers []*Server // by id, from 1
}

// New chooses ports and writes the files of a cluster. It starts nothing.
func New(cfg Config) (*Cluster, error) {
	c := &Cluster{Config: cfg}
	for id := 1; id <= cfg.Servers+cfg.Observers; id++ {
		s, err := newServer(cfg, id)
		if err != nil {
			return nil, err
		}
		s.Observer = id > cfg.Servers
		c.Servers = append(c.Servers, s)
	}
	for _, s := range c.Servers {
		if err := s.WriteConfig(c.configLines(s)...); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// newServer makes a server with its directory and ports, without files.
func newServer(cfg Config, id int) (*Server, error) {
	ports, err := FreePorts(4)
	if err != nil {
		return nil, err
	}
	s := &Server{
		ID: id, Kind: cfg.Kind, Binary: cfg.Binary, JavaFlags: cfg.JavaFlags, Dir: filepath.Join(cfg.Dir, fmt.Sprintf("server-%d", id)),
		ClientPort: ports[0], QuorumPort: ports[1], ElectionPort: ports[2], GossipPort: ports[3],
	}
	return s, os.MkdirAll(s.DataDir(), 0o755)
}

// Stranger makes one more server that the others know nothing of, with its own
// ports and directory but no files yet. It is not among Servers; the caller
// ends it with Kill.
func (c *Cluster) Stranger(id int) (*Server, error) {
	cfg := c.Config
	cfg.Dir = filepath.Join(cfg.Dir, "stranger")
	return newServer(cfg, id)
}

// MemberLines are the server.N lines of all members.
func (c *Cluster) MemberLines() []string {
	var lines []string
	for _, s := range c.Servers {
		role := "participant"
		if s.Observer {
			role = "observer"
		}
		lines = append(lines, fmt.Sprintf("server.%d=127.0.0.1:%d:%d:%s", s.ID, s.QuorumPort, s.ElectionPort, role))
	}
	return lines
}

// configLines are the lines of s's file behind those that belong to s alone.
func (c *Cluster) configLines(s *Server) []string {
	lines := append(c.MemberLines(), c.Config.Lines...)
	if s.Observer {
		lines = append(lines, "peerType=observer")
	}
	if c.Config.Gossip {
		lines = append(lines, fmt.Sprintf("gossip.bind=127.0.0.1:%d", s.GossipPort),
			fmt.Sprintf("gossip.join=127.0.0.1:%d", c.Servers[0].GossipPort))
	}
	return lines
}

// Server returns the server with that id.
func (c *Cluster) Server(id int) *Server { return c.Servers[id-1] }

// Start starts the servers with these ids, or all of them, and returns without
// waiting for them to serve.
func (c *Cluster) Start(ids ...int) error {
	for _, s := range c.pick(ids) {
		if err := s.Start(); err != nil {
			return err
		}
	}
	return nil
}

// WaitServing waits until the servers with these ids, or all of them, serve clients.
func (c *Cluster) WaitServing(timeout time.Duration, ids ...int) error {
	deadline := time.Now().Add(timeout)
	for _, s := range c.pick(ids) {
		if err := s.WaitServing(time.Until(deadline)); err != nil {
			return err
		}
	}
	return nil
}

// Leader waits for a server that says it leads and returns it.
func (c *Cluster) Leader(timeout time.Duration) (*Server, error) {
	var leader *Server
	err := Poll(timeout, func() error {
		for _, s := range c.Servers {
			if !s.Running() {
				continue
			}
			if mode, err := s.Mode(); err == nil && mode == "leader" {
				leader = s
				return nil
			}
		}
		return errors.New("no server leads")
	})
	return leader, err
}

// ClientAddrs returns the client addresses of the servers with these ids, or of all.
func (c *Cluster) ClientAddrs(ids ...int) []string {
	var addrs []string
	for _, s := range c.pick(ids) {
		addrs = append(addrs, s.ClientAddr())
	}
	return addrs
}

// Close kills every process that is still running. It may be called twice.
func (c *Cluster) Close() {
	for _, s := range c.Servers {
		s.Kill()
	}
}

// Logs returns the ends of all logs, for a failed test.
func (c *Cluster) Logs(bytesMax int) string {
	var b strings.Builder
	for _, s := range c.Servers {
		log := s.Log()
		if len(log) > bytesMax {
			log = "…" + log[len(log)-bytesMax:]
		}
		fmt.Fprintf(&b, "--- log of server %d ---\n%s\n", s.ID, log)
	}
	return b.String()
}

func (c *Cluster) pick(ids []int) []*Server {
	if len(ids) == 0 {
		return c.Servers
	}
	var out []*Server
	for _, id := range ids {
		out = append(out, c.Server(id))
	}
	return out
}

// Poll calls f every 10 ms until it returns nil, and returns its last error
// once the time is over.
func Poll(timeout time.Duration, f func() error) error {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("after %v: %w", timeout, err)
		}
	}
}
