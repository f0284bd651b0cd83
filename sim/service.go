package sim

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
)

// digestEvery is how many transactions lie between two comparisons of the whole
// state on all servers.
const digestEvery = 64

// reapPeriod is how often a leader looks for containers and nodes with a time to
// live that nobody needs; in ZooKeeper once a minute.
const reapPeriod = 500 * time.Millisecond

// epochOfWorld is the wall clock's time at the beginning, 2026-01-01.
var epochOfWorld = time.Unix(1767225600, 0)

// Digester is a state machine that can sum itself up, so that replicas can be
// compared: equal states have equal digests. server.Server is one.
type Digester interface {
	TreeDigest() (ensemble.Zxid, uint64)
}

// newMachine makes the state machine of a process.
func (p *proc) newMachine() zab.StateMachine {
	if p.w.cfg.Machine != nil {
		return p.w.cfg.Machine(p.h.id)
	}
	s := &service{p: p, wires: map[int]*wire{}}
	s.server = server.New(server.Config{
		Self: p.h.id, Ensemble: "sim", TickTime: p.w.cfg.TickTime, MaxClientCnxns: -1, Logger: p.w.log,
		Clock: p.clock, Time: func() time.Time { return epochOfWorld.Add(p.w.now + p.h.wall) },
		ExtendedTypes: p.w.history.ExtendedTypes, EnforceQuota: p.w.history.EnforceQuota, ContainerCheckInterval: reapPeriod,
		Trace: &server.Trace{Touched: s.touched, Expired: s.expired},
	})
	s.server.Attach(p)
	if p.service == nil {
		p.service = s
	}
	return s.server
}

// service is ZooKeeper for clients, in a process.
type service struct {
	p      *proc
	server *server.Server
	wires  map[int]*wire // by connection
}

func (s *service) housekeep() {
	s.server.Housekeep()
	s.p.after(time.Duration(float64(s.server.HousekeepingPeriod())/s.p.h.drift)+s.p.some(s.p.h.late), s.housekeep)
}

func (s *service) touched(session int64, timeout time.Duration) {
	s.sessionEvent("touch", session, timeout)
}

func (s *service) expired(session int64) {
	s.p.w.over[session] = true
	s.sessionEvent("expire", session, 0)
}

// sessionEvent tells the time by the process's own clock: that is the one that
// sessions live by.
func (s *service) sessionEvent(mode string, session int64, timeout time.Duration) {
	if s != s.p.service {
		return // a shadow
	}
	ev := &check.Event{Node: s.p.h.id, Life: s.p.life, Kind: check.SessionEvent, Mode: mode, Session: session, Timeout: timeout, Peer: s.p.h.id}
	s.p.w.emit(ev)
}

// cutAll ends the connections of clients when the process has ended.
func (s *service) cutAll(loud bool) {
	for _, n := range slices.Sorted(maps.Keys(s.wires)) {
		w := s.wires[n]
		w.closed = true
		if loud {
			w.toClient(nil, true)
		}
	}
	s.wires = nil
}

// wire joins a connection of the server to the simulated client: it implements
// server.Wire.
type wire struct {
	s       *service
	conn    *server.Conn
	client  *clientConn
	rest    []byte // what the server does not take yet
	closed  bool   // at the server's end
	arrives time.Duration

	serving, flushing, pushing bool // planned
}

// accept opens a connection for a client.
func (s *service) accept(c *clientConn) *wire {
	w := &wire{s: s, client: c}
	remote := netip.AddrPortFrom(c.client.address(), uint16(c.record.Conn))
	conn, ok := s.server.Open(remote, w)
	if !ok {
		return nil
	}
	w.conn = conn
	s.wires[c.record.Conn] = w
	return w
}

// Ready implements server.Wire: a worker will come.
func (w *wire) Ready() {
	if w.serving || w.closed {
		return
	}
	w.serving = true
	w.s.p.after(w.s.p.some(200*time.Microsecond), func() {
		w.serving = false
		if !w.closed && w.conn.Serve() {
			w.Ready()
		}
	})
}

// Flush implements server.Wire: what there is will be written.
func (w *wire) Flush() {
	if w.flushing || w.closed {
		return
	}
	w.flushing = true
	w.s.p.after(w.s.p.some(50*time.Microsecond), func() {
		w.flushing = false
		for !w.closed {
			batch, end := w.conn.Output()
			if batch == nil && !end {
				return
			}
			w.toClient(append([]byte(nil), batch...), end)
		}
	})
}

// Room implements server.Wire: the server takes bytes again.
func (w *wire) Room() {
	if w.pushing || w.closed || len(w.rest) == 0 {
		return
	}
	w.pushing = true
	w.s.p.after(w.s.p.some(50*time.Microsecond), func() {
		w.pushing = false
		w.receive(nil)
	})
}

// Close implements server.Wire.
func (w *wire) Close() {
	if !w.closed {
		w.closed = true
		delete(w.s.wires, w.client.record.Conn)
		w.toClient(nil, true)
	}
}

// receive gives bytes of the client to the server.
func (w *wire) receive(b []byte) {
	if w.closed {
		return
	}
	w.rest = append(w.rest, b...)
	n := w.conn.Receive(w.rest)
	w.rest = append(w.rest[:0], w.rest[n:]...)
}

// toClient sends bytes, or the end of the stream, to the client.
func (w *wire) toClient(b []byte, end bool) {
	world := w.s.p.w
	w.arrives = max(w.arrives, world.now+world.net.some())
	way := direction{clientPort, w.s.p.h.id, anybody}
	c := w.client
	world.queue.add(w.arrives, nil, func() {
		world.net.arrive(way, func() {
			if end {
				c.ended()
				return
			}
			c.receive(b)
		})
	})
}
