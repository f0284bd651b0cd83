package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// Config describes a [Gossip]. Self, Ensemble and Bind are required.
type Config struct {
	Self     ensemble.ServerID
	Ensemble string
	// Bind is host:port for both UDP and TCP. An empty host is every address; port
	// 0 is any free one. Advertise is the host:port that the others are to use; empty
	// means Bind, with a private address of this machine if the host is a wildcard.
	Bind      string
	Advertise string
	// Join are host:port of some other servers. They are tried until one answers,
	// and again whenever nobody else is left; names are resolved each time. This
	// server's own address among them does no harm.
	Join []string
	// Key is a pass phrase. All servers of an ensemble have the same. Packets are
	// encrypted with AES-256-GCM under its SHA-256. Empty: in the clear.
	Key string
	// Timing defaults to LAN.
	Timing Timing

	// OnChange, if not nil, is called after something has changed in Members or
	// View; several changes may be one call. OnSuspect is called when a server does
	// not answer probes, is held dead, or has left; perhaps twice. Both are called
	// from one goroutine, which should not be held up.
	OnChange  func()
	OnSuspect func(ensemble.ServerID)

	Logger *slog.Logger // nil means slog.Default()
	Trace  *Trace       // may be nil
}

// Trace tells of trouble. Any hook may be nil; they are called from the goroutine
// of OnChange.
type Trace struct {
	// Refused tells of a node that was not let in, and of one that does not let this
	// server in: it has another key or is of another ensemble.
	Refused func(remote, reason string)
	// Conflict tells of a second node, at remote, that announces a sid in use.
	Conflict func(sid ensemble.ServerID, remote string)
}

// Timing says how fast gossip is. Faster costs packets: about one per server and
// Probe, and a few per Gossip while something is new.
type Timing struct {
	Probe        time.Duration // one server is probed per interval
	ProbeTimeout time.Duration // for its answer; less than Probe
	Gossip       time.Duration // between packets with news
	PushPull     time.Duration // between full exchanges with one other server
	Suspicion    int           // intervals of Probe, times log10 of the servers, from suspected to dead
	Timeout      time.Duration // for TCP
	Rejoin       time.Duration // between attempts to join when alone; 5 times this when not
	Announce     time.Duration // shortest interval between two announcements
	AnnounceZxid time.Duration // and between two that differ in nothing but the zxid
}

// LAN is for servers on a network of their own.
var LAN = Timing{
	Probe: 500 * time.Millisecond, ProbeTimeout: 250 * time.Millisecond, Gossip: 100 * time.Millisecond,
	PushPull: 10 * time.Second, Suspicion: 4, Timeout: 2 * time.Second, Rejoin: 2 * time.Second,
	Announce: 100 * time.Millisecond, AnnounceZxid: 2 * time.Second,
}

// Local is for servers on one machine.
var Local = Timing{
	Probe: 200 * time.Millisecond, ProbeTimeout: 100 * time.Millisecond, Gossip: 40 * time.Millisecond,
	PushPull: 5 * time.Second, Suspicion: 4, Timeout: time.Second, Rejoin: 300 * time.Millisecond,
	Announce: 50 * time.Millisecond, AnnounceZxid: time.Second,
}

func (c Config) withDefaults() Config {
	if c.Timing == (Timing{}) {
		c.Timing = LAN
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Trace == nil {
		c.Trace = &Trace{}
	}
	return c
}

// Validate reports all that is wrong, joined.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	if err := (&Meta{Ensemble: c.Ensemble, Sid: c.Self}).validate(); err != nil {
		faults = append(faults, err)
	}
	if _, err := splitAddress(c.Bind); err != nil {
		faults = append(faults, fmt.Errorf("bind: %w", err))
	}
	if c.Advertise != "" {
		if ep, err := splitAddress(c.Advertise); err != nil {
			faults = append(faults, fmt.Errorf("advertise: %w", err))
		} else if ep.port == 0 || ep.host == "" {
			faults = append(faults, fmt.Errorf("advertise: %q: want a host and a port that others can reach", c.Advertise))
		}
	}
	for _, a := range c.Join {
		if ep, err := splitAddress(a); err != nil {
			faults = append(faults, fmt.Errorf("join: %w", err))
		} else if ep.port == 0 || ep.host == "" {
			faults = append(faults, fmt.Errorf("join: %q: want a host and a port", a))
		}
	}
	t := c.Timing
	for name, d := range map[string]time.Duration{"Probe": t.Probe, "ProbeTimeout": t.ProbeTimeout, "Gossip": t.Gossip, "PushPull": t.PushPull, "Timeout": t.Timeout, "Rejoin": t.Rejoin} {
		if d <= 0 {
			faults = append(faults, fmt.Errorf("timing: %s must be positive", name))
		}
	}
	if t.ProbeTimeout >= t.Probe {
		faults = append(faults, fmt.Errorf("timing: ProbeTimeout %s must be shorter than Probe %s", t.ProbeTimeout, t.Probe))
	}
	if t.Suspicion < 1 {
		faults = append(faults, errors.New("timing: Suspicion must be 1 or more"))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

// endpoint is a host and a port.
type endpoint struct {
	host string
	port int
}

// String gives host:port, IPv6 in brackets.
func (e endpoint) String() string { return net.JoinHostPort(e.host, strconv.Itoa(e.port)) }

func splitAddress(a string) (endpoint, error) {
	host, port, err := net.SplitHostPort(a)
	if err != nil {
		return endpoint{}, fmt.Errorf("address %q: want host:port", a)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return endpoint{}, fmt.Errorf("address %q: %q is not a port (1 to 65535)", a, port)
	}
	return endpoint{host, n}, nil
}

// resolve finds the IP addresses of a host.
func resolve(ctx context.Context, host string) ([]net.IP, error) {
	if host == "" {
		return []net.IP{net.IPv4zero}, nil
	}
	if ip := net.ParseIP(host); ip != nil {
		return []net.IP{ip}, nil
	}
	addrs, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	var ips []net.IP
	for _, a := range addrs {
		ips = append(ips, a.IP)
	}
	if len(ips) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	return ips, nil
}

// reachableIP chooses what to advertise when bound to every address: a private
// address of this machine, or a public one, or else loopback.
func reachableIP() net.IP {
	best, rank := net.IPv4(127, 0, 0, 1), 0
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return best
	}
	for _, a := range addrs {
		ipnet, ok := a.(*net.IPNet)
		if !ok || !ipnet.IP.IsGlobalUnicast() {
			continue
		}
		r := 1
		if ipnet.IP.To4() != nil {
			r++
		}
		if ipnet.IP.IsPrivate() {
			r += 2
		}
		if r > rank {
			best, rank = ipnet.IP, r
		}
	}
	return best
}
