package server

import (
	"log/slog"
	"net/netip"
)

// Wire is what a connection needs of the world: somebody who carries its bytes
// and lets it work. The sockets of Run are one. By others a server is driven by
// hand, without goroutine, socket or timer: see the package comment.
//
// Its methods only take note: they must not block, and must not call the Conn or
// the Server, but have it done afterwards. They may be called by any goroutine
// that calls the server, never with a lock held. With several goroutines at work
// a call may also come after Close.
type Wire interface {
	// Ready says that there is something to do: call Conn.Serve. It may come
	// again before that was done, and during it; then call it once more.
	Ready()
	// Flush says that there is something to write: call Conn.Output until it has
	// nothing. It does not come again before.
	Flush()
	// Room says that Conn.Receive, which took less than it was given, takes more.
	Room()
	// Close says that the connection is over, by whatever reason. It comes once.
	// What Conn.Output gave is to be written if that is still possible, and then
	// the stream ends; nothing more comes of the Conn.
	Close()
}

// Open takes in a connection from a client at remote, as if it had been accepted.
// It returns false when the client has too many; w has heard of nothing then.
// Attach must have been called before.
func (s *Server) Open(remote netip.AddrPort, w Wire) (c *Conn, ok bool) {
	return s.open(remote, func(*Conn) Wire { return w })
}

// open makes the wire, unless the connection is refused, before anybody can find
// the connection.
func (s *Server) open(remote netip.AddrPort, wire func(*Conn) Wire) (c *Conn, ok bool) {
	s.mu.Lock()
	n, limit, key := s.perAddr[remote.Addr()], s.cfg.MaxClientCnxns, "maxClientCnxns"
	if s.cfg.MaxCnxns > 0 && len(s.conns) >= s.cfg.MaxCnxns {
		n, limit, key = len(s.conns), s.cfg.MaxCnxns, "maxCnxns"
	}
	refused := limit > 0 && n >= limit
	if !refused {
		s.perAddr[remote.Addr()]++
		s.opened++
		c = newConn(s, remote, s.opened)
		c.wire = wire(c)
		s.conns[c] = struct{}{}
	}
	s.mu.Unlock()
	if s.cfg.Trace.Accepted != nil {
		s.cfg.Trace.Accepted(remote, refused)
	}
	if refused {
		s.metrics.ConnectionsRejected.Inc()
		s.complain(slog.LevelWarn, "refusing a client: too many connections; see "+key, "remote", remote, "connections", n, "limit", limit)
	}
	return c, !refused
}
