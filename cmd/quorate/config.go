package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
)

// serverConfig is what zoo.cfg and myid say, checked and with every default
// filled in. Nothing in it is left for the reader to complete.
type serverConfig struct {
	Path     string            // the file it was read from
	ServerID ensemble.ServerID // from dataDir/myid; 1 where a lone server has no myid

	// View is the ensemble of the server.N lines. It is nil for an observer that
	// knows nothing but gossip.join, and has one member on free loopback ports
	// for a lone server, the one without server.N lines.
	View       *ensemble.View
	Standalone bool // one server alone: ZooKeeper's standalone mode
	Observer   bool // this server's role

	TickTime       time.Duration // default 3 s, as in ZooKeeper's code
	InitLimitTicks int           // default 10
	SyncLimitTicks int           // default 5

	DataDir    string // snapshots and myid
	DataLogDir string // transaction log; default DataDir

	ClientAddr        string        // host:port for clients; empty: none are served
	MinSessionTimeout time.Duration // default 2 ticks
	MaxSessionTimeout time.Duration // default 20 ticks
	MaxClientCnxns    int           // connections per client address; default 60, 0 is no limit
	OutstandingMax    int           // globalOutstandingLimit; default 1000
	FrameBytesMax     int           // jute.maxbuffer; default 1048575
	LeaderServes      bool          // default true
	// FourLetterWords is 4lw.commands.whitelist, split; {"*"} stands for all and
	// nil for the server's own default, which is what an absent key means.
	FourLetterWords []string

	TLS  tlsConfig  // clients that speak TLS
	JAAS jaasConfig // clients that authenticate by SASL

	// Service is the rest of what the file says about serving clients, in the
	// words of package server, whose defaults hold.
	Service server.Config

	SnapCount       int   // transactions between snapshots; default 100000
	SnapRetainCount int   // snapshots kept; default and least 3
	PreAllocBytes   int64 // log preallocation; default 64 MiB

	ListenOnAllIPs bool   // quorumListenOnAllIPs
	EnsembleName   string // servers of another name are refused; empty matches only empty
	Gossip         gossipConfig
	Admin          adminConfig
	Audit          auditConfig

	// Warnings are sentences about keys that were accepted without effect, each
	// with file and line, to be logged once.
	Warnings []string
}

// gossipConfig is gossip.bind, gossip.join and gossip.key. Gossip is off while
// Bind is empty.
type gossipConfig struct {
	Bind string   // host:port; port 0 is any free one
	Join []string // host:port of servers to ask first
	Key  string   // pass phrase that all servers share; empty: not encrypted
}

// Limits of the files, far above any real one.
const (
	configBytesMax = 1 << 20
	myIDBytesMax   = 64
)

// loadServerConfig reads zoo.cfg at path and the myid beside its data. The error
// has one line for each fault, all of them, each with file and line.
func loadServerConfig(path string) (*serverConfig, error) {
	data, err := readLimited(path, configBytesMax)
	if err != nil {
		return nil, describeFileError(path, "the configuration file", err)
	}
	return parseServerConfig(path, data, configWorld{ReadMyID: readMyID, FreePort: freeLoopbackPort})
}

// configWorld is what the parser needs from outside its text.
type configWorld struct {
	ReadMyID func(path string) ([]byte, error) // fs.ErrNotExist where there is none
	FreePort func() (int, error)
}

// parseServerConfig is loadServerConfig without the file system.
func parseServerConfig(path string, data []byte, world configWorld) (*serverConfig, error) {
	return parseEntries(path, configEntries(bytes.TrimPrefix(data, []byte("\ufeff"))), world) // as some editors begin a file
}

// parseEntries is parseServerConfig for entries from wherever; path says where, for
// faults of the whole.
func parseEntries(path string, entries iter.Seq[configEntry], world configWorld) (*serverConfig, error) {
	p := &configParser{
		cfg: serverConfig{
			Path:            path,
			TickTime:        3 * time.Second,
			InitLimitTicks:  10,
			SyncLimitTicks:  5,
			MaxClientCnxns:  60,
			OutstandingMax:  1000,
			FrameBytesMax:   0xfffff,
			LeaderServes:    true,
			SnapCount:       100000,
			SnapRetainCount: 3,
			PreAllocBytes:   65536 << 10,
			Admin:           adminDefault,
		},
		world:   world,
		entries: map[string]configEntry{},

		standaloneEnabled: true,
	}
	p.readEntries(entries)
	p.finishPaths()
	p.finishTimes()
	p.finishGossip()
	p.finishMembership()
	p.finishClientAddr()
	p.finishSecure()
	p.finishAuth()
	p.finishService()
	p.finishAdmin()
	if err := errors.Join(p.faults...); err != nil {
		return nil, err
	}
	return &p.cfg, nil
}

// configEntry is one key=value of the file.
type configEntry struct {
	Key, Value string
	Line       int
	Source     string // where it stands, if not in a line of the file
	Property   bool   // it is a system property of Java's, as -Dzookeeper.key=value
}

type configParser struct {
	cfg     serverConfig
	world   configWorld
	entries map[string]configEntry // by canonical key
	faults  []error

	lines      ensemble.Lines
	clientPort int
	clientHost string
	securePort int
	secureHost string
	peerType   string

	allowFailed, requireSASL, enforce bool
	schemes                           []string // enforce.auth.schemes

	standaloneEnabled bool // ZooKeeper's default is true
}

// at says where e stands.
func (p *configParser) at(e configEntry) string {
	if e.Source != "" {
		return e.Source
	}
	return fmt.Sprintf("%s:%d", p.cfg.Path, e.Line)
}

// fault reports a fault of the line at which e stands.
func (p *configParser) fault(e configEntry, format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf("%s: %s", p.at(e), fmt.Sprintf(format, args...)))
}

// faultOf reports a fault of the whole file.
func (p *configParser) faultOf(format string, args ...any) {
	p.faults = append(p.faults, fmt.Errorf("%s: %s", p.cfg.Path, fmt.Sprintf(format, args...)))
}

func (p *configParser) warn(e configEntry, format string, args ...any) {
	p.cfg.Warnings = append(p.cfg.Warnings, fmt.Sprintf("%s: %s", p.at(e), fmt.Sprintf(format, args...)))
}

// readEntries goes through the file once and gives each key to its rule.
func (p *configParser) readEntries(entries iter.Seq[configEntry]) {
	for e := range entries {
		if e.Key == "" {
			p.fault(e, "%q has no key: want key=value", clip(e.Value))
			continue
		}
		// A key may also be written as the system property that it is in Java.
		e.Key = strings.TrimPrefix(e.Key, "zookeeper.")
		if e.Property && p.noKey(e) {
			continue
		}
		if first, dup := p.entries[e.Key]; dup {
			p.fault(e, "%s is set here and in line %d; remove one of the two", e.Key, first.Line)
			continue
		}
		p.entries[e.Key] = e
		p.take(e)
	}
}

func (p *configParser) has(key string) bool { _, ok := p.entries[key]; return ok }

func (p *configParser) finishPaths() {
	if p.cfg.DataDir == "" && !p.has("dataDir") {
		p.faultOf("dataDir is missing; add a line such as dataDir=/var/lib/quorate")
	}
	if p.cfg.DataLogDir == "" {
		p.cfg.DataLogDir = p.cfg.DataDir
	}
}

func (p *configParser) finishTimes() {
	c := &p.cfg
	if c.MinSessionTimeout == 0 {
		c.MinSessionTimeout = 2 * c.TickTime
	}
	if c.MaxSessionTimeout == 0 {
		c.MaxSessionTimeout = 20 * c.TickTime
	}
	if c.MinSessionTimeout > c.MaxSessionTimeout {
		e, ok := p.entries["minSessionTimeout"]
		if !ok {
			e = p.entries["maxSessionTimeout"]
		}
		p.fault(e, "minSessionTimeout (%d ms) is more than maxSessionTimeout (%d ms)",
			c.MinSessionTimeout.Milliseconds(), c.MaxSessionTimeout.Milliseconds())
	}
}

// finishService lets package server say what it cannot do.
func (p *configParser) finishService() {
	c := &p.cfg.Service
	if err := c.Validate(); err != nil {
		p.faultOf("%v", err)
	}
	if c.Secret == nil && len(c.EnforceAuth) > 0 {
		p.cfg.Warnings = append(p.cfg.Warnings, p.cfg.Path+": clients must authenticate, but whoever sees the id of a session can take it over, "+
			"because its password follows from public things; add a line session.secret= with a pass phrase that all servers share")
	}
}

// finishGossip gives a server that joins, and says nothing about where to
// listen, a free port: on loopback if all it joins is there.
func (p *configParser) finishGossip() {
	g := &p.cfg.Gossip
	if g.Bind == "" && !p.has("gossip.bind") && len(g.Join) > 0 {
		g.Bind = "127.0.0.1:0"
		for _, addr := range g.Join {
			host, _, _ := net.SplitHostPort(addr)
			if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
				g.Bind = "0.0.0.0:0"
			}
		}
	}
	if e, ok := p.entries["gossip.key"]; ok && g.Bind == "" && !p.has("gossip.bind") && !p.has("gossip.join") {
		p.fault(e, "gossip.key without gossip.bind or gossip.join: gossip is off, so there is nothing to encrypt")
	}
}

// finishClientAddr joins clientPort with what this server's own line says
// behind the ';'.
func (p *configParser) finishClientAddr() {
	c := &p.cfg
	portEntry, hasPort := p.entries["clientPort"]
	if addr, ok := p.entries["clientPortAddress"]; ok && p.clientPort == 0 {
		if !hasPort || portEntry.Value == "0" {
			p.fault(addr, "clientPortAddress is set but clientPort is not; add a line such as clientPort=2181")
		}
		return
	}
	if p.clientPort != 0 {
		c.ClientAddr = net.JoinHostPort(p.clientHost, strconv.Itoa(p.clientPort))
	}
	if c.View == nil {
		p.warnWithoutClients()
		return
	}
	self, _ := c.View.Member(c.ServerID)
	switch {
	case self.Client == "" || self.Client == c.ClientAddr:
	case c.ClientAddr == "":
		c.ClientAddr = self.Client
	case !sameClientAddr(self.Client, c.ClientAddr):
		p.fault(portEntry, "clients are to use %s, but server.%d says %s; keep one of the two", c.ClientAddr, c.ServerID, self.Client)
	default:
		c.ClientAddr = self.Client
	}
	p.warnWithoutClients()
}

func (p *configParser) warnWithoutClients() {
	if p.cfg.ClientAddr == "" && p.securePort == 0 {
		p.cfg.Warnings = append(p.cfg.Warnings, p.cfg.Path+": no clients are served, because there is no clientPort; add a line such as clientPort=2181")
	}
}

// sameClientAddr reports whether two addresses differ only in how they say "any".
func sameClientAddr(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	anyHost := func(h string) bool { return h == "" || net.ParseIP(h).IsUnspecified() }
	return portA == portB && (hostA == hostB || anyHost(hostA) && anyHost(hostB))
}

// readLimited reads a whole file and fails if it is longer than bytesMax.
func readLimited(path string, bytesMax int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, bytesMax+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > bytesMax {
		return nil, fmt.Errorf("longer than %d bytes", bytesMax)
	}
	return data, nil
}

// describeFileError makes a sentence of a failed read, with the path once.
func describeFileError(path, what string, err error) error {
	var pathErr *os.PathError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s: %s does not exist", path, what)
	case errors.As(err, &pathErr):
		return fmt.Errorf("%s: cannot read %s: %w", path, what, pathErr.Err)
	}
	return fmt.Errorf("%s: cannot read %s: %w", path, what, err)
}
