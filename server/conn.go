package server

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/sasl"
	"github.com/quorate/quorate/server/znode"
)

// phase is where a connection is in its life. It only grows.
type phase uint8

const (
	phaseFresh    phase = iota // the first frame, a ConnectRequest, is expected
	phaseDeciding              // the quorum is asked about the session
	phaseOpen                  // there is a session
	phaseClosing               // nothing more is taken in; what is queued is being written
	phaseGone                  // the wire is closed, or about to be
)

// incoming is one request, whole and not begun.
type incoming struct {
	frame []byte        // without the length; immutable
	at    time.Duration // when it came
	rest  *rearming     // of a setWatches that has been begun; else nil
}

// header returns the request's header; frames in an open connection have one.
func (in incoming) header() proto.RequestHeader {
	return proto.RequestHeader{
		Xid: int32(binary.BigEndian.Uint32(in.frame)),
		Op:  proto.OpCode(binary.BigEndian.Uint32(in.frame[4:])),
	}
}

// Conn is one client connection as the server sees it: a stream of bytes each
// way, and requests in between. Who carries the bytes is its Wire. Get one from
// Server.Open; it needs no farewell beside End or Abort.
//
// Bytes come in through Receive (input.go), which puts frames into the inbox.
// Serve takes them out and begins them (dispatch.go). Replies and events go into
// the output, in the order in which the client must see them, and leave through
// Output (output.go).
//
// Receive and End are for one goroutine at a time, so are Serve and Output;
// different ones of them may be called at the same time, and Abort at any time.
// After Wire.Close they all do nothing.
type Conn struct {
	s      *Server
	wire   Wire
	remote netip.AddrPort
	seq    uint64 // of all connections of the server
	since  time.Duration
	heard  atomic.Int64 // when the client was heard of last; a time.Duration

	in        frames    // of the goroutine that calls Receive
	begun     bool      // likewise: the first bytes, perhaps a four-letter word, have come
	readBytes nsSummary // of the goroutine that calls Serve
	part      bool      // likewise: a frame has come in part, from partAt on
	partAt    time.Duration

	mu        sync.Mutex
	phase     phase
	reason    string // why it is closing
	inbox     []incoming
	head      int // first of inbox that has not begun
	bytes     int // of requests received and not answered
	requests  int // received and not answered
	pending   int // handed to the quorum and not done
	barrier   bool
	coming    int         // bytes of a large request that is not whole yet
	turn      func() bool // asks the quorum for the session, by a worker; see giveTurn
	waiting   bool        // Receive refused bytes: tell Wire.Room
	closeSent bool        // the client asked to close its session
	tooLate   bool        // the session has ended before the client was told that it has it
	asking    bool        // a four-letter word is being answered

	ended     bool          // no more bytes come from the client
	endReason string        // why
	deadline  time.Duration // by then a connection that ends must be over; 0 is none

	out       []byte        // to be written; in a buffer of the pool, see output
	outBox    *[]byte       // where the buffer goes back to
	writing   *[]byte       // that of what Output gave last
	writingAt time.Duration // when it gave that
	counted   int           // of what waits here, in Server.outputBytes
	outHeld   bool          // out has reached outputPauseBytes; the worker stopped for it
	overflow  bool          // out has reached OutputBytesMax
	flushing  bool          // Wire.Flush was called, and Output has not yet had nothing
	endSent   bool          // Output has ended the stream

	session   int64
	timeout   time.Duration
	local     bool         // the session is known to this server only
	readOnly  bool         // there is no quorum, and the client knows it
	hasRO     bool         // the client sent the readOnly byte
	ids       []proto.ID   // replaced as a whole, never written to
	idsBytes  []byte       // ids encoded, likewise
	digest    *sasl.Digest // of the goroutine that calls Serve
	encrypted bool
	stats     connStats

	unwatched bool          // guarded by Server.watchMu: takes no watches any more
	shipped   time.Duration // guarded by Server.mu: what of heard the leader was told
}

func newConn(s *Server, remote netip.AddrPort, seq uint64) *Conn {
	c := &Conn{s: s, remote: remote, seq: seq, since: s.now()}
	c.heard.Store(int64(c.since))
	c.setIDs([]proto.ID{znode.IPID(remote.Addr())})
	c.stats.reset()
	return c
}

func (c *Conn) setIDs(ids []proto.ID) {
	c.ids, c.idsBytes = ids, encodeIDs(ids)
}

// push takes in one frame. It returns false if nothing more may be sent on the
// connection.
func (c *Conn) push(in incoming) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase >= phaseClosing {
		return false
	}
	if c.head == len(c.inbox) {
		c.inbox, c.head = c.inbox[:0], 0
		if cap(c.inbox) > 64 {
			c.inbox = nil
		}
	}
	c.inbox = append(c.inbox, in)
	if c.s.large(len(in.frame)) {
		c.coming = 0 // uncount gives its bytes back
	}
	c.requests++
	c.bytes += len(in.frame)
	c.stats.received++
	c.s.stats.received.Add(1)
	c.s.metrics.BytesReceived.Add(lengthBytes + len(in.frame))
	c.s.inflight.Add(1)
	return true
}

// next takes the next request out of the inbox if it may begin now: a write
// unless a sync or the end of the session is on its way before it, and anything
// else once all before it is done. No request of a client is begun while much of
// the output is unread. first says that it is the ConnectRequest, which has no
// header.
func (c *Conn) next() (in incoming, h proto.RequestHeader, first, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.runnable() {
		return in, h, false, false
	}
	if c.outHeld = c.outHeld || len(c.out) > outputPauseBytes; c.outHeld {
		return in, h, false, false
	}
	in = c.inbox[c.head]
	first = c.phase == phaseFresh
	if !first {
		h = in.header()
		if c.forQuorum(h.Op) {
			c.pending++
			c.barrier = h.Op == proto.OpSync || h.Op == proto.OpCloseSession
			c.closeSent = c.closeSent || h.Op == proto.OpCloseSession
		}
		c.stats.began(h)
	}
	c.inbox[c.head] = incoming{}
	c.head++
	return in, h, first, true
}

// runnable reports whether there is a request that may begin. c.mu is held.
func (c *Conn) runnable() bool {
	if c.head == len(c.inbox) {
		return false
	}
	switch c.phase {
	case phaseFresh:
		return true
	case phaseOpen:
		if c.pending == 0 {
			return true
		}
		op := c.inbox[c.head].header().Op
		return !c.barrier && (op != proto.OpSync && c.forQuorum(op) || mutant.On(mutant.M34))
	}
	return false
}

// forQuorum reports whether a request is answered by the quorum and not here.
// c.mu is held.
func (c *Conn) forQuorum(op proto.OpCode) bool {
	switch {
	case c.readOnly, op == proto.OpCloseSession && c.local, !c.admitted(op):
		return false
	}
	return op == proto.OpSync || op.Write() && op.FromClient()
}

// ready tells the wire if there is something to do.
func (c *Conn) ready() {
	c.mu.Lock()
	ready := c.runnable()
	c.mu.Unlock()
	if ready {
		c.wire.Ready()
	}
}

// state returns the phase and the number of requests not answered.
func (c *Conn) state() (phase, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase, c.requests
}

// identity returns the session and its timeout; 0 before there is one.
func (c *Conn) identity() (session int64, timeout time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session, c.timeout
}
