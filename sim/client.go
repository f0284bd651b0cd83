package sim

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// client is a ZooKeeper client: it keeps a session, pipelines requests, watches,
// and finds another server when it loses one. All that it sends and sees goes
// into the world's history.
type client struct {
	w   *world
	id  int
	rng *rand.Rand

	session  int64
	password [proto.PasswordBytes]byte
	timeout  int32 // ms
	seen     ensemble.Zxid
	xid      int32
	conn     *clientConn
	watches  watchList
	gen      workload
	quiet    bool              // makes no new requests
	manual   bool              // does not connect by itself
	only     ensemble.ServerID // connects there; 0: anywhere
}

func newClient(w *world, id int) *client {
	c := &client{w: w, id: id, rng: w.stream("client", id)}
	c.timeout = int32([]int{800, 1500, 3000, 6000}[c.rng.IntN(4)])
	c.gen = workload{c: c, rng: w.stream("workload", id)}
	return c
}

// address is the client's, on all its connections.
func (c *client) address() netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(c.id)}) }

func (c *client) some(d time.Duration) time.Duration { return time.Duration(c.rng.Int64N(int64(d))) }

// begin connects, and goes on for ever.
func (c *client) begin() { c.w.after(c.some(300*time.Millisecond), c.connect) }

// connect tries one server. While it is down, or does not serve, the next try
// follows soon.
func (c *client) connect() {
	if c.conn != nil || c.manual {
		return
	}
	hosts := c.w.hosts
	h := hosts[c.rng.IntN(len(hosts))]
	if c.only != 0 {
		h = c.w.host(c.only)
	}
	p := h.proc
	if p == nil || h.paused || !c.w.net.reaches(clientPort, anybody, h.id) || p.service == nil {
		c.w.after(20*time.Millisecond+c.some(100*time.Millisecond), c.connect)
		return
	}
	w := c.w
	w.conns++
	w.order++
	record := &check.Conn{
		Client: c.id, Conn: w.conns, Server: h.id, Asked: c.session, Seen: c.seen, TimeoutMs: c.timeout,
		Opened: w.order, OpenedAt: w.now, Address: c.address().String(),
	}
	conn := &clientConn{client: c, record: record, server: p, open: true, sent: w.now, heard: w.now}
	conn.wire = p.service.accept(conn)
	if conn.wire == nil {
		w.after(100*time.Millisecond, c.connect)
		return
	}
	w.history.Conns = append(w.history.Conns, record)
	c.conn = conn
	password := c.password
	if c.session != 0 && c.rng.IntN(200) == 0 {
		record.WrongPassword = true
		password[0] ^= 0xff
	}
	request := &proto.ConnectRequest{LastZxidSeen: int64(c.seen), TimeoutMillis: c.timeout, SessionID: c.session, Password: password[:], HasReadOnly: true}
	conn.send(proto.AppendFrame(nil, request), "ConnectRequest")
	w.after(c.period(), func() { conn.watchdog() })
}

func (c *client) period() time.Duration { return time.Duration(c.timeout) * time.Millisecond / 3 }

// forget begins anew: the session is over.
func (c *client) forget() {
	c.session, c.seen, c.xid = 0, 0, 0
	c.watches.clear()
}

// think makes the next request some time from now, while this connection lasts.
func (c *client) think() {
	cc := c.conn
	mean := float64(second) / c.w.cfg.Rate
	d := time.Duration(min(c.rng.ExpFloat64(), 5) * mean)
	c.w.after(d, func() {
		if c.conn != cc || !cc.ready || c.quiet {
			return
		}
		if len(cc.outstanding) < outstandingMax {
			c.gen.next(cc)
		}
		if c.conn == cc {
			c.think()
		}
	})
}

// outstandingMax is how many requests a client pipelines.
const outstandingMax = 12

// vanish leaves without closing the session, and comes back much later, when it
// may be over.
func (c *client) vanish(cc *clientConn) {
	c.manual = true
	cc.close(true)
	c.w.after(2*second+c.some(12*second), func() { c.comeBack() })
}

func (c *client) comeBack() {
	if c.manual {
		c.manual = false
		c.connect()
	}
}
