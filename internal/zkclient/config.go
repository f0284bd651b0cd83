package zkclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"time"
)

// Config says whom to connect to. All fields but Servers may be left out.
type Config struct {
	// Servers is ZooKeeper's connect string: host:port,host:port/chroot.
	Servers string
	// SessionTimeout is how long the session outlives silence, 30 s by default. The
	// server may grant another time: see Client.SessionTimeout.
	SessionTimeout time.Duration
	// ConnectWait is how long a request waits for a connection before it fails with
	// ErrNoConnection. By default it waits until its context ends.
	ConnectWait time.Duration
	// ReadOnly accepts a server that has no quorum. While connected to one the
	// client looks for one that has.
	ReadOnly bool
	// Auth are identities to give on every connection from the first on.
	Auth []Auth
	// SASL, if not nil, is who the client is to servers that ask for a password; each
	// connection begins with the proof. One that fails ends the client.
	SASL *SASL
	// TLS, if not nil, is the configuration of every connection. An empty ServerName
	// is the host's.
	TLS *tls.Config
	// Dial opens connections. By default it is that of a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// OnEvent, if not nil, is told of watch events and of changes of the connection,
	// in order. It is called by the goroutine that reads the connection: it must not
	// block, and must not call methods of the Client.
	OnEvent func(Event)

	// FrameBytesMax is the longest reply accepted, 64 MiB by default.
	FrameBytesMax int
	// OutstandingMax is how many requests may be under way or waiting, 1024 by
	// default. Callers beyond it wait.
	OutstandingMax int
}

// Auth is an identity as addauth gives it: for the scheme digest, Data is
// user:password.
type Auth struct {
	Scheme string
	Data   []byte
}

const (
	sessionTimeoutDefault = 30 * time.Second
	frameBytesMaxDefault  = 64 << 20
	outstandingMaxDefault = 1024
	// requestBytesMax is what a length of the protocol can say; servers accept 1 MiB.
	requestBytesMax = math.MaxInt32
)

func (c Config) withDefaults() Config {
	if c.SessionTimeout == 0 {
		c.SessionTimeout = sessionTimeoutDefault
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	if c.FrameBytesMax == 0 {
		c.FrameBytesMax = frameBytesMaxDefault
	}
	if c.OutstandingMax == 0 {
		c.OutstandingMax = outstandingMaxDefault
	}
	return c
}

// Validate returns all faults of the configuration, joined.
func (c Config) Validate() error {
	_, _, fault := ParseConnectString(c.Servers)
	faults := []error{fault}
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("zkclient: "+format, args...))
		}
	}
	check(c.SessionTimeout >= 0 && c.SessionTimeout.Milliseconds() <= math.MaxInt32,
		"Config.SessionTimeout is %v: want a positive time of at most 24 days, or 0 for the default", c.SessionTimeout)
	check(c.ConnectWait >= 0, "Config.ConnectWait is %v: it must not be negative", c.ConnectWait)
	check(c.FrameBytesMax >= 0, "Config.FrameBytesMax is %d: it must not be negative", c.FrameBytesMax)
	check(c.OutstandingMax >= 0, "Config.OutstandingMax is %d: it must not be negative", c.OutstandingMax)
	return errors.Join(faults...)
}
