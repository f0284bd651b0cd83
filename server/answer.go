package server

import "github.com/quorate/quorate/server/proto"

// answer queues the answer to a request and counts the request as done. It must
// not be called with a lock held; see queue.
func (c *Conn) answer(in incoming, h proto.ReplyHeader, how answerKind, body proto.Record) {
	c.after(c.queue(in, h, how, body))
}

// drop counts a request as done that gets no answer, because the connection is
// about to be closed or is closing.
func (c *Conn) drop(in incoming, how answerKind) {
	c.answer(in, proto.ReplyHeader{}, how|silent, nil)
}

// queue is the part of answer that may be done with locks of the server held. It
// appends the reply to the output, unless the connection is closing, and counts
// the request as done. The caller calls after with the result when it holds no
// lock any more.
func (c *Conn) queue(in incoming, h proto.ReplyHeader, how answerKind, body proto.Record) todo {
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
		op, wrote := proto.OpCreateSession, true
		if how&welcome == 0 {
			op = in.header().Op
			wrote = how&committed != 0 && op != proto.OpSync
		}
		c.s.answered(op, wrote, now-in.at, len(c.out)-before)
	}
	var t todo
	if c.done(in) {
		t |= todoRoom
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
	t |= c.outputGrew()
	if c.over() {
		t |= todoOver
	}
	return t
}

// after does what queue and send found to be done.
func (c *Conn) after(t todo) {
	if t&todoFlush != 0 {
		c.wire.Flush()
	}
	if t&todoRoom != 0 {
		c.wire.Room()
	}
	if t&todoReady != 0 {
		c.wire.Ready()
	}
	if t&todoClose != 0 {
		c.closed()
	}
	if t&todoOver != 0 {
		c.Abort(c.endReason)
	}
}

// todo is a set of things to do for a connection without any lock held.
type todo uint8

const (
	todoFlush  todo = 1 << iota // tell Wire.Flush
	todoRoom                    // tell Wire.Room
	todoReady                   // tell Wire.Ready
	todoClose                   // call c.closed
	todoOver                    // the client has ended its side, and all is answered
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
func (c *Conn) send(frame []byte, acl []proto.ACL) todo {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != phaseOpen || !c.s.allowed(acl, proto.PermRead, c.ids) {
		return 0
	}
	c.out = append(c.output(), frame...)
	c.stats.sent++
	c.s.stats.sent.Add(1)
	c.s.metrics.WatchBytes.Add(len(frame))
	return c.outputGrew()
}

// done counts a request as answered and reports whether there is room again for
// which somebody waits. c.mu is held.
func (c *Conn) done(in incoming) (room bool) {
	c.uncount(in)
	if !c.waiting || c.full() {
		return false
	}
	c.waiting = false
	return true
}

// uncount is the opposite of what push counts. c.mu is held.
func (c *Conn) uncount(in incoming) {
	c.requests--
	c.bytes -= len(in.frame)
	c.s.inflight.Add(-1)
	if c.s.large(len(in.frame)) {
		c.s.largeBytes.Add(int64(-len(in.frame)))
	}
}
