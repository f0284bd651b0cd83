package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// Config describes a [Manager]. Self and Ensemble are required; everything else
// has a default that suits a local network.
type Config struct {
	Self     ensemble.ServerID
	Ensemble string // name, 1 to 128 bytes
	Role     Role
	// Instance identifies this run of the server; 0 means a random one. Give the
	// same to [StreamConfig].
	Instance uint64

	// Advertise are this server's own election addresses, host:port, told to each
	// peer so that it can dial back even if this server stands in no server.N
	// line of its. A wildcard host is replaced by the one the peer sees.
	Advertise []string
	// Addresses returns where the election port of a server may be found,
	// host:port, best first. It is asked at each dial, and names are resolved at
	// each dial. nil means that only peers which have introduced themselves can
	// be dialed.
	Addresses func(ensemble.ServerID) []string
	// Accept decides on a server that introduces itself; its error becomes the
	// sentence of the refusal. Other ensembles, wrong ports and this server's own
	// sid have been refused before. nil accepts everybody else. It is called
	// concurrently.
	Accept func(Hello) error

	Dialer DialFunc    // nil means net.Dialer
	TLS    *tls.Config // nil means plain TCP; used for both directions

	ConnectTimeout   time.Duration // one address of one dial; default 2 s
	HandshakeTimeout time.Duration // default 3 s
	WriteTimeout     time.Duration // one frame; default 2 s
	PingInterval     time.Duration // default 1 s
	IdleTimeout      time.Duration // without a frame from the peer; default 4 s, more than PingInterval
	ProbeTimeout     time.Duration // for an old connection to prove itself against a new one; default 500 ms
	BackoffMin       time.Duration // after the first failed dial; doubles; default 20 ms
	BackoffMax       time.Duration // default 1 s

	FrameBytesMax int // longest message, in bytes; default 512 KiB (ZooKeeper's PACKETMAXSIZE)
	ReceiveMax    int // messages that wait for Receive; default 100 (RECV_CAPACITY)
	HandshakesMax int // connections that have not introduced themselves; default 64
	PeersMax      int // different sids; default 1024

	Logger *slog.Logger // nil means slog.Default()
	Trace  *Trace       // may be nil
}

// Trace tells what happens to a [Manager]'s connections. Any hook may be nil. Connected,
// Disconnected, DialFailed and Refused are called one after another, in the
// order of the events, from one goroutine that must not be held up; Dropped and
// ReceiveDropped are called by whoever caused them.
type Trace struct {
	Connected      func(sid ensemble.ServerID)            // a connection is ready in both directions
	Disconnected   func(sid ensemble.ServerID, err error) // and has ended
	DialFailed     func(sid ensemble.ServerID, err error) // none of its addresses led to a connection
	Refused        func(remote string, err error)         // a connection that came in was turned away
	Dropped        func(sid ensemble.ServerID)            // a message was overtaken by a newer one before it was sent
	ReceiveDropped func(sid ensemble.ServerID)            // the receive queue was full, its oldest message is lost
}

// Counters count what a [Manager] has done since it was made.
type Counters struct {
	Sent            uint64 // messages written to a connection
	Received        uint64 // messages read from a connection
	Resent          uint64 // of Sent, because the connection was new
	Dropped         uint64 // overtaken in their mailbox
	ReceiveDropped  uint64 // lost because nobody received
	TooLong         uint64 // not sent because longer than FrameBytesMax
	Dials           uint64
	DialsFailed     uint64
	Connections     uint64 // established, in either direction
	Refused         uint64 // handshakes turned away, for whatever reason
	BadFrames       uint64 // connections ended by a bad frame, handshakes included
	EventsForgotten uint64 // not traced, because a hook was held up
}

// Validate reports all that is wrong, joined.
func (c Config) Validate() error {
	c = c.withDefaults()
	hello := c.hello()
	faults := []error{hello.validate()}
	if c.IdleTimeout <= c.PingInterval {
		faults = append(faults, fmt.Errorf("IdleTimeout %s must be longer than PingInterval %s", c.IdleTimeout, c.PingInterval))
	}
	if c.FrameBytesMax > frameBytesCeiling {
		faults = append(faults, fmt.Errorf("FrameBytesMax %d: at most %d", c.FrameBytesMax, frameBytesCeiling))
	}
	if c.BackoffMax < c.BackoffMin {
		faults = append(faults, fmt.Errorf("BackoffMax %s is shorter than BackoffMin %s", c.BackoffMax, c.BackoffMin))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("transport: %w", err)
	}
	return nil
}

func (c Config) hello() Hello {
	return Hello{
		Sid: c.Self, To: ensemble.NoServer, Ensemble: c.Ensemble, Kind: Election, Role: c.Role,
		Instance: c.Instance, Addresses: c.Advertise,
	}
}

func (c Config) withDefaults() Config {
	defaultTo(&c.ConnectTimeout, 2*time.Second)
	defaultTo(&c.HandshakeTimeout, 3*time.Second)
	defaultTo(&c.WriteTimeout, 2*time.Second)
	defaultTo(&c.PingInterval, time.Second)
	defaultTo(&c.IdleTimeout, 4*time.Second)
	defaultTo(&c.ProbeTimeout, 500*time.Millisecond)
	defaultTo(&c.BackoffMin, 20*time.Millisecond)
	defaultTo(&c.BackoffMax, time.Second)
	defaultTo(&c.FrameBytesMax, 512<<10)
	defaultTo(&c.ReceiveMax, 100)
	defaultTo(&c.HandshakesMax, 64)
	defaultTo(&c.PeersMax, 1024)
	if c.Instance == 0 {
		c.Instance = newInstance()
	}
	if c.Dialer == nil {
		c.Dialer = (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// defaultTo replaces a value that is not positive.
func defaultTo[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}
