package server

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/server/lf"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/znode"
)

// phase is where a connection is in its life. It only grows.
type phase uint8

const (
	phaseFresh    phase = iota // the first frame, a ConnectRequest, is expected
	phaseDeciding              // the quorum is asked about the session
	phaseOpen                  // there is a session
	phaseClosing               // nothing more is taken in; what is queued is being written
	phaseGone                  // the socket is closed, or about to be
)

// incoming is one request, whole and not begun.
type incoming struct {
	frame []byte        // without the length; immutable
	at    time.Duration // when it came
}

// header returns the request's header; frames in an open connection have one.
func (in incoming) header() proto.RequestHeader {
	return proto.RequestHeader{
		Xid: int32(binary.BigEndian.Uint32(in.frame)),
		Op:  proto.OpCode(binary.BigEndian.Uint32(in.frame[4:])),
	}
}

// conn is one client connection.
//
// Its reader (a goroutine, reader.go) puts frames into the inbox. Workers of the
// pool take them out, one worker at a time (Serve). Replies and events go into
// the output, in the order in which the client must see them, and a goroutine
// that exists only while there is output writes it (output.go).
type conn struct {
	s      *Server
	nc     net.Conn
	remote netip.AddrPort
	work   *lf.Session
	since  time.Duration
	heard  atomic.Int64  // when bytes last came; a time.Duration
	room   chan struct{} // one slot: the reader may look again

	mu        sync.Mutex
	phase     phase
	reason    string // why it is closing
	inbox     []incoming
	head      int // first of inbox that has not begun
	bytes     int // of requests received and not answered
	requests  int // received and not answered
	pending   int // handed to the quorum and not done
	barrier   bool
	waiting   bool // the reader waits for room
	closeSent bool // the client asked to close its session

	out      []byte // to be written; in a buffer of the pool, see output
	outBox   *[]byte
	outHeld  bool // out has reached outputPauseBytes; the worker stopped for it
	overflow bool // out has reached OutputBytesMax
	flushing bool // a flush goroutine exists
	endSent  bool // the last one has ended the stream

	session  int64
	timeout  time.Duration
	hasRO    bool       // the client sent the readOnly byte
	ids      []proto.ID // replaced as a whole, never written to
	idsBytes []byte     // ids encoded, likewise
	stats    connStats

	unwatched bool          // guarded by Server.watchMu: takes no watches any more
	shipped   time.Duration // guarded by Server.mu: what of heard the leader was told
}

func newConn(s *Server, nc net.Conn, remote netip.AddrPort) *conn {
	c := &conn{s: s, nc: nc, remote: remote, since: s.now(), room: make(chan struct{}, 1)}
	c.heard.Store(int64(c.since))
	c.setIDs([]proto.ID{znode.IPID(remote.Addr())})
	c.work = s.pool.Join(c)
	c.stats.reset()
	return c
}

func (c *conn) setIDs(ids []proto.ID) {
	c.ids, c.idsBytes = ids, encodeIDs(ids)
}

// push takes in one frame from the reader. It returns false if nothing more may
// be sent on the connection.
func (c *conn) push(in incoming) bool {
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
	c.requests++
	c.bytes += len(in.frame)
	c.stats.received++
	c.s.stats.received.Add(1)
	c.s.inflight.Add(1)
	return true
}

// next takes the next request out of the inbox if it may begin now: a write
// unless a sync or the end of the session is on its way before it, and anything
// else once all before it is done. No request of a client is begun while much of
// the output is unread. first says that it is the ConnectRequest, which has no
// header.
func (c *conn) next() (in incoming, h proto.RequestHeader, first, ok bool) {
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
		write := h.Op.Write() && h.Op.FromClient()
		if write || h.Op == proto.OpSync {
			c.pending++
			c.barrier = !write || h.Op == proto.OpCloseSession
			c.closeSent = c.closeSent || h.Op == proto.OpCloseSession
		}
		c.stats.began(h)
	}
	c.inbox[c.head] = incoming{}
	c.head++
	return in, h, first, true
}

// runnable reports whether there is a request that may begin. c.mu is held.
func (c *conn) runnable() bool {
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
		return !c.barrier && op.Write() && op.FromClient()
	}
	return false
}

// ready tells the pool if there is something to do.
func (c *conn) ready() {
	c.mu.Lock()
	ready := c.runnable()
	c.mu.Unlock()
	if ready {
		c.work.Ready()
	}
}

// answer queues the answer to a request and counts the request as done. It must
// not be called with a lock held; see queue.
func (c *conn) answer(in incoming, h proto.ReplyHeader, how answerKind, body proto.Record) {
	c.after(c.queue(in, h, how, body))
}

// drop counts a request as done that gets no answer, because the connection is
// about to be closed or is closing.
func (c *conn) drop(in incoming, how answerKind) {
	c.answer(in, proto.ReplyHeader{}, how|silent, nil)
}

// queue is the part of answer that may be done with locks of the server held. It
// appends the reply to the output, unless the connection is closing, and counts
// the request as done. The caller calls after with the result when it holds no
// lock any more.
func (c *conn) queue(in incoming, h proto.ReplyHeader, how answerKind, body proto.Record) todo {
	now := c.s.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase < phaseClosing && how&silent == 0 {
		out := c.output()
		before := len(out)
		if how&welcome != 0 {
			c.out = proto.AppendFrame(out, body)
		} else {
			c.out = proto.AppendReply(out, h, body)
		}
		c.stats.answered(h.Zxid, now, now-in.at)
		c.s.stats.answered(now-in.at, len(c.out)-before)
	}
	var t todo
	if c.done(in) {
		t |= todoSignal
	}
	if how&committed != 0 {
		c.pending--
	}
	if how&last != 0 {
		c.closing(h.Err.Error())
		t |= todoClose
	}
	if how&welcome != 0 && c.phase == phaseDeciding {
		c.phase = phaseOpen
		t |= todoOpened
	}
	if how&(committed|welcome) != 0 && c.runnable() {
		t |= todoReady
	}
	return t | c.outputGrew()
}

// after does what queue and send found to be done.
func (c *conn) after(t todo) {
	if t&todoFlush != 0 {
		go c.flush()
	}
	if t&todoSignal != 0 {
		signalOne(c.room)
	}
	if t&todoReady != 0 {
		c.work.Ready()
	}
	if t&todoClose != 0 {
		c.closed()
	}
}

// todo is a set of things to do for a connection without any lock held.
type todo uint8

const (
	todoFlush  todo = 1 << iota // start c.flush
	todoSignal                  // tell the reader
	todoReady                   // tell the pool
	todoClose                   // call c.closed
	todoOpened                  // nothing: the connection is open now
)

// answerKind is a set of facts about an answer.
type answerKind uint8

const (
	committed answerKind = 1 << iota // the request was handed to the quorum
	last                             // the connection is closed behind the answer
	silent                           // there is no reply
	welcome                          // it is a ConnectResponse, which has no header
)

// send queues a frame that answers nothing: an event, which concerns a node with
// this ACL and is dropped if the client may not read it. The caller calls after
// with the result when it holds no lock any more.
func (c *conn) send(frame []byte, acl []proto.ACL) todo {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != phaseOpen || !c.s.allowed(acl, proto.PermRead, c.ids) {
		return 0
	}
	c.out = append(c.output(), frame...)
	c.stats.sent++
	c.s.stats.sent.Add(1)
	return c.outputGrew()
}

// done counts a request as answered and reports whether the reader waits for
// that. c.mu is held.
func (c *conn) done(in incoming) (signal bool) {
	c.requests--
	c.bytes -= len(in.frame)
	c.s.inflight.Add(-1)
	signal = c.waiting
	c.waiting = false
	return signal
}

// crowded reports whether the reader must wait before it reads on, and if so
// remembers that it does. c.mu is not held.
func (c *conn) crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = c.phase < phaseClosing && c.requests > 0 &&
		(c.requests >= inboxRequestsMax || c.bytes >= inboxBytesMax || c.s.inflight.Load() > c.s.outstandingMax.Load())
	return c.waiting
}

// closing begins the good end: nothing more is taken in. c.mu is held; the
// caller calls closed when it has let it go, and starts the flush.
func (c *conn) closing(reason string) {
	if c.phase >= phaseClosing {
		return
	}
	c.phase, c.reason, c.outHeld = phaseClosing, reason, false
	c.dropInbox()
}

// closed does what closing could not do with c.mu held.
func (c *conn) closed() {
	_ = c.nc.SetWriteDeadline(time.Now().Add(drainTimeout))
	signalOne(c.room)
	c.s.forget(c)
}

// finish closes the connection in good order: what is queued is written, then a
// FIN ends the stream, and the client gets a little time to end its side, so
// that no reset overtakes the last bytes. Any goroutine may call it that holds
// no lock.
func (c *conn) finish(reason string) {
	c.mu.Lock()
	c.closing(reason)
	flush := c.startFlush()
	c.mu.Unlock()
	if flush {
		go c.flush()
	}
	c.closed()
}

// abort closes the connection at once; queued output is lost.
func (c *conn) abort(reason string) {
	c.mu.Lock()
	c.closing(reason)
	c.phase = phaseGone
	c.out, c.outBox = nil, nil
	c.mu.Unlock()
	_ = c.nc.Close()
	signalOne(c.room)
	c.s.forget(c)
}

// dropInbox forgets the requests that have not begun. c.mu is held.
func (c *conn) dropInbox() {
	for ; c.head < len(c.inbox); c.head++ {
		c.done(c.inbox[c.head])
	}
	c.inbox, c.head = nil, 0
}

// state returns the phase and the number of requests not answered.
func (c *conn) state() (phase, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase, c.requests
}

// identity returns the session and its timeout; 0 before there is one.
func (c *conn) identity() (session int64, timeout time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session, c.timeout
}

// signalOne fills a one-slot channel.
func signalOne(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
