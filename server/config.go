package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/lf"
	"github.com/quorate/quorate/server/metric"
	"github.com/quorate/quorate/server/znode"
)

// Config says how a Server treats its clients. The zero value works; a field
// left zero has the default that its comment names, which is ZooKeeper's.
type Config struct {
	// Self is this server's id.
	Self ensemble.ServerID
	// Ensemble names the ensemble; it is used for the default of Secret only.
	Ensemble string

	// TickTime is the granularity of session expiry; default 3 s, zoo.cfg tickTime.
	TickTime time.Duration
	// MinSessionTimeout and MaxSessionTimeout bound what clients may ask for;
	// default 2 and 20 TickTime.
	MinSessionTimeout, MaxSessionTimeout time.Duration
	// HandshakeTimeout is how long a connection may stay without a session;
	// default 10 s, zoo.cfg nio.sessionlessCnxnTimeout.
	HandshakeTimeout time.Duration

	// MaxClientCnxns limits the connections of one client address; default 60,
	// negative is unlimited. One too many is closed at once.
	MaxClientCnxns int
	// JuteMaxBuffer limits the bytes of a request; default 0xfffff, at most
	// JuteMaxBufferMax. A longer one closes the connection. (setWatches may be 16 times as long: the C client
	// sends all its watches in one.)
	JuteMaxBuffer int
	// GlobalOutstandingLimit is the number of requests in work from which on the
	// server stops reading from connections that have one; default 1000. With
	// more than two voters it is divided by the number of voters less one, like
	// ZooKeeper's.
	GlobalOutstandingLimit int
	// LargeRequestThreshold is the length in bytes from which on a request counts as
	// a large one; 0 is never. All large requests together, coming in or in work,
	// may have LargeRequestMaxBytes, default 100 MiB; the connection with one more
	// is closed.
	LargeRequestThreshold, LargeRequestMaxBytes int
	// MaxCnxns limits the connections of all clients; 0 is unlimited. One too many
	// is closed at once.
	MaxCnxns int
	// ConnectionThrottle limits how fast clients may connect.
	ConnectionThrottle ConnectionThrottle
	// OutputBytesMax is how much may wait to be written to one client; default
	// 64 MiB. Beyond it the connection is closed. Long before, from 1 MiB on,
	// the requests of a client that does not read are not begun; so only watch
	// events and single large replies get there. When four times as much waits
	// for all clients, who has read nothing for a second is closed with 64 KiB.
	OutputBytesMax int

	// OldEvents gives events the zxid -1 in their headers, as servers before
	// ZooKeeper 3.9 did, instead of that of the change. C clients older than 2013
	// take it for one of a reply and can miss an event when they reconnect
	// (ZOOKEEPER-1417). Default false, zoo.cfg events.zxid=false.
	OldEvents bool

	// WatchesMax limits the watches of one connection; default 1,000,000. One
	// more is refused, with the read that asked for it.
	WatchesMax int

	// LocalSessions makes new sessions known to this server only: they cost no
	// transaction, cannot have ephemeral nodes and end when the client goes to
	// another server. LocalSessionsUpgrading makes such a session a global one when
	// it first creates an ephemeral node; otherwise that is refused. Default false,
	// zoo.cfg localSessionsEnabled and localSessionsUpgradingEnabled.
	LocalSessions, LocalSessionsUpgrading bool
	// ReadOnly lets the server serve reads without a quorum, to clients that say
	// they are content with that; default false, zoo.cfg readonlymode.enabled. It
	// shows what was committed when the quorum was lost, so it does not begin with
	// that before it has been in a quorum once.
	ReadOnly bool

	// Workers and Sets size the leader/followers pool; see lf.Config.
	Workers, Sets int

	// Whitelist names the four-letter words that are answered; default ruok,
	// srvr, stat, mntr, conf, cons, isro, memb and dgst. "*" means all.
	Whitelist []string
	// Version stands in srvr, stat, mntr and envi:
	// x.y.z-suffix, built on MM/dd/yyyy HH:mm ZONE.
	Version string
	// Audit gets what clients have changed, and tried to, from many goroutines and
	// before they are answered: it must be quick, and must not call back. Nil means
	// nobody; see package audit.
	Audit func(AuditEvent)
	// Setup is told by the words conf and dirs, and by the admin server.
	Setup Setup
	// Metrics is where the server records what it measures; nil means a table of
	// its own, see Server.Metrics. A table belongs to one server.
	Metrics *metric.Table

	// Members answers the four-letter word memb, which is not ZooKeeper's: what
	// this server knows of the others. Nil means that the word is unknown.
	Members func() string

	// Policy says which identities clients can have and what they may do. The
	// default is ZooKeeper's: ip and digest, and nobody may do everything.
	Policy Policy
	// EagerACLCheck refuses a write that the state of this server does not allow
	// before the leader is asked; default false, zoo.cfg enableEagerACLCheck.
	EagerACLCheck bool
	// ExtendedTypes allows nodes with a time to live; default false, zoo.cfg
	// extendedTypesEnabled. Self must be less than 255 then: the ids of such a
	// server's sessions could be taken for times to live. All servers need the
	// same, and so for the next field.
	ExtendedTypes bool
	// Emulate353TTLNodes reads snapshots in which nodes with a time to live have
	// the format of ZooKeeper 3.5.3; default false.
	Emulate353TTLNodes bool
	// EnforceQuota refuses requests beyond the hard limits of a quota, and logs
	// those beyond a soft one; default false. The stats are kept in any case.
	EnforceQuota bool
	// ContainerCheckInterval is how often the leader looks for containers, and
	// nodes with a time to live, that nobody needs any more; default 1 min.
	ContainerCheckInterval time.Duration
	// ContainersPerMinuteMax is how many of them it deletes in a minute; default
	// 10,000.
	ContainersPerMinuteMax int
	// ContainerNeverUsedMax is how long a container may wait for its first child;
	// default 0, for ever.
	ContainerNeverUsedMax time.Duration
	// SASL is how clients may authenticate by SASL; nil is not at all. That the
	// identities count in ACLs is up to Policy.
	SASL *SASL
	// EnforceAuth are the schemes of which a client must have an identity before it
	// is answered anything else; default none. Zoo.cfg enforce.auth.enabled and
	// enforce.auth.schemes, or sessionRequireClientSASLAuth.
	EnforceAuth []string
	// EnsembleAuth lets clients say by the scheme ensemble which ensemble they want
	// to talk to; who wants none of EnsembleNames is closed, unless that is nil.
	// Zoo.cfg ensembleAuthName, with ZooKeeper's EnsembleAuthenticationProvider.
	EnsembleAuth  bool
	EnsembleNames []string
	// HandshakesMax limits the connections whose TLS handshake is under way;
	// default 1000. One too many is closed at once. Zoo.cfg
	// netty.server.outstandingHandshake.limit.
	HandshakesMax int

	// Secret makes session passwords, zoo.cfg session.secret; all servers of an
	// ensemble must have the same. The default is derived from the name of the ensemble, so that it
	// protects against mistakes and not against attackers.
	Secret []byte

	// Clock tells the time for everything that lasts: session expiry, timeouts,
	// latencies. It never goes back and is never negative; nil means the time
	// since New. Any goroutine calls it, some with locks held.
	Clock func() time.Duration
	// Time tells the time of day, which goes into transactions and new session
	// ids; nil means time.Now.
	Time func() time.Time

	// Rand is where nonces come from; nil means crypto/rand. Any goroutine calls it.
	Rand io.Reader

	// Logger is where the log goes; nil means slog.Default().
	Logger *slog.Logger
	// Trace hears of what happens; nil means nobody does.
	Trace *Trace
}

// Setup is what a server does not need to know of itself and operators ask it.
type Setup struct {
	ClientPort, SecureClientPort int // 0: there is none
	ElectionPort, QuorumPort     int
	InitLimitTicks               int
	SyncLimitTicks               int
	// DataDir and LogDir are where the quorum keeps snapshots and log; their sizes
	// are counted when somebody asks.
	DataDir, LogDir string
}

// Trace has hooks for what happens to clients; each may be nil. They are called
// synchronously by many goroutines, some with the state locked: they must be
// quick and must not call back.
type Trace struct {
	// Accepted is called for every connection, also for one that is refused.
	Accepted func(remote netip.AddrPort, refused bool)
	// Closed is called when a connection has ended, with the reason.
	Closed func(remote netip.AddrPort, session int64, reason string)
	// Connected is called when a session has been given to a connection: a new
	// one, or one that the client had before.
	Connected func(session int64, timeout time.Duration, renewed bool)
	// Refused is called when a client presented a session that it cannot have:
	// expired, unknown, or with a wrong password.
	Refused func(session int64)
	// Touched is called on the leader whenever it gives a session timeout more to
	// live: the session was created, a leadership began (then for all sessions,
	// ascending), or the client was heard of, on a connection of this server, in a
	// learner's heartbeat or when it came back to its session.
	Touched func(session int64, timeout time.Duration)
	// Expired is called on the leader when it decides that a session has expired.
	Expired func(session int64)
	// Applied is called for every transaction applied, with its error code; 0 is
	// success.
	Applied func(zxid ensemble.Zxid, session int64, op int32, code int32)
	// LF hears of the workers.
	LF lf.Trace
}

// DefaultVersion is the Version of a Config that names none. Clients look at the
// three numbers: they are those of the ZooKeeper whose protocol is spoken.
const DefaultVersion = "3.9.3-quorate, built on 01/01/2026 00:00 UTC"

// JuteMaxBufferMax is the highest JuteMaxBuffer: a request must fit into one of
// the quorum's, which has at most 8 MiB, with the identities of its client.
const JuteMaxBufferMax = 7 << 20

// Fixed limits.
const (
	// extendedTypesIDMax is the highest server id with ExtendedTypes, ZooKeeper's.
	extendedTypesIDMax = 254

	connectBytesMax   = 4096            // of a ConnectRequest, which has 45
	setWatchesFactor  = 16              // times JuteMaxBuffer, for setWatches
	multiReadFactor   = 16              // times JuteMaxBuffer, for the results of a multiRead
	inboxRequestsMax  = 1000            // received from one connection and not answered
	inboxBytesMax     = 4 << 20         // the same in bytes; one request may exceed it
	outputAllFactor   = 4               // times OutputBytesMax, waiting to be written to all clients
	outputLag         = time.Second     // without a write: then a client counts as one that does not read
	outputPauseBytes  = 1 << 20         // waiting to be written: begin no more requests
	turnRequests      = 64              // served before another session gets its turn
	drainTimeout      = 2 * time.Second // for a closed client to read and to close
	authIDsMax        = 64              // identities of one connection
	authIDsBytesMax   = 64 << 10        // all of them encoded; they go with every write
	housekeepingMin   = 10 * time.Millisecond
	heartbeatSessions = 1 << 20 // sessions in one touch table
)

// withDefaults returns the config completed.
func (c Config) withDefaults() Config {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	setInt := func(n *int, def int) {
		if *n == 0 {
			*n = def
		}
	}
	set(&c.TickTime, 3*time.Second)
	set(&c.MinSessionTimeout, 2*c.TickTime)
	set(&c.MaxSessionTimeout, 20*c.TickTime)
	set(&c.HandshakeTimeout, 10*time.Second)
	set(&c.ContainerCheckInterval, time.Minute)
	setInt(&c.ContainersPerMinuteMax, 10_000)
	setInt(&c.MaxClientCnxns, 60)
	setInt(&c.JuteMaxBuffer, 0xfffff)
	setInt(&c.GlobalOutstandingLimit, 1000)
	setInt(&c.LargeRequestMaxBytes, 100<<20)
	c.ConnectionThrottle.setDefaults()
	setInt(&c.OutputBytesMax, 64<<20)
	setInt(&c.WatchesMax, 1_000_000)
	setInt(&c.HandshakesMax, 1000)
	if c.Whitelist == nil {
		c.Whitelist = []string{"ruok", "srvr", "stat", "mntr", "conf", "cons", "isro", "memb", "dgst"}
	}
	if c.Version == "" {
		c.Version = DefaultVersion
	}
	if c.Secret == nil {
		c.Secret = []byte("quorate session password of ensemble " + c.Ensemble)
	}
	c.setClocks()
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Trace == nil {
		c.Trace = &Trace{}
	}
	if c.Metrics == nil {
		c.Metrics = metric.New()
	}
	return c
}

// offers reports whether a client can get an identity of the scheme.
func (c *Config) offers(scheme string) bool {
	switch scheme {
	case znode.SchemeIP:
		return true
	case znode.SchemeDigest:
		return !c.Policy.NoDigest
	case znode.SchemeX509:
		return c.Policy.X509
	case znode.SchemeSASL:
		return c.SASL != nil
	}
	return false
}

// Validate returns everything that is wrong with the config, joined.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	negative := func(name string, d time.Duration) {
		if d < 0 || d > 0 && d < time.Millisecond {
			fault("server: %s is %v; want at least 1ms, or 0 for the default", name, d)
		}
	}
	negative("TickTime", c.TickTime)
	negative("MinSessionTimeout", c.MinSessionTimeout)
	negative("MaxSessionTimeout", c.MaxSessionTimeout)
	negative("HandshakeTimeout", c.HandshakeTimeout)
	negative("ContainerCheckInterval", c.ContainerCheckInterval)
	negative("ContainerNeverUsedMax", c.ContainerNeverUsedMax)
	count := func(name string, n int) {
		if n < 0 {
			fault("server: %s is %d; want a positive number, or 0 for the default", name, n)
		}
	}
	if err := c.Policy.Validate(); err != nil {
		fault("server: Policy: %w", err)
	}
	for _, scheme := range c.EnforceAuth {
		if !c.offers(scheme) {
			fault("server: EnforceAuth names %q, by which no client can authenticate", scheme)
		}
	}
	count("JuteMaxBuffer", c.JuteMaxBuffer)
	if c.JuteMaxBuffer > JuteMaxBufferMax {
		fault("server: JuteMaxBuffer is %d; want at most %d", c.JuteMaxBuffer, JuteMaxBufferMax)
	}
	count("GlobalOutstandingLimit", c.GlobalOutstandingLimit)
	count("LargeRequestThreshold", c.LargeRequestThreshold)
	count("LargeRequestMaxBytes", c.LargeRequestMaxBytes)
	count("MaxCnxns", c.MaxCnxns)
	c.ConnectionThrottle.validate(fault)
	count("OutputBytesMax", c.OutputBytesMax)
	count("WatchesMax", c.WatchesMax)
	count("ContainersPerMinuteMax", c.ContainersPerMinuteMax)
	if c.ExtendedTypes && c.Self > extendedTypesIDMax {
		fault("server: ExtendedTypes and an id of %d do not go together; want at most %d", c.Self, extendedTypesIDMax)
	}
	count("HandshakesMax", c.HandshakesMax)
	count("Workers", c.Workers)
	count("Sets", c.Sets)
	if len(faults) == 0 {
		if d := c.withDefaults(); d.MinSessionTimeout > d.MaxSessionTimeout {
			fault("server: minSessionTimeout %v is more than maxSessionTimeout %v", d.MinSessionTimeout, d.MaxSessionTimeout)
		}
	}
	return errors.Join(faults...)
}
