package server

import "time"

// End says that no more bytes come from the client: with nil that it has ended
// its side of the stream, else what became of the link. A client may send its
// last requests, a closeSession above all, and end its side at once; so what came
// before is still executed and answered, and then the connection is closed. If
// that takes longer than the session's timeout, Housekeep closes it.
func (c *Conn) End(err error) {
	reason := "closed by the client"
	if err != nil {
		reason = err.Error()
	}
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	if c.phase < phaseClosing {
		c.s.metrics.ConnectionDrops.Inc()
	}
	c.ended, c.endReason, c.waiting = true, reason, false
	if c.deadline == 0 {
		c.deadline = c.s.now() + max(c.timeout, drainTimeout)
	}
	over := c.over()
	c.mu.Unlock()
	if over {
		c.Abort(reason)
	}
}

// over reports whether nothing is left to be done for a client that has ended
// its side. c.mu is held.
func (c *Conn) over() bool {
	return c.ended && !c.flushing && (c.requests == 0 && c.phase < phaseClosing || c.phase == phaseClosing)
}

// Abort closes the connection at once: queued output and requests that have not
// begun are lost. The reason is for the log and Trace.Closed. Any goroutine may
// call it that holds no lock of the server, and more than once.
func (c *Conn) Abort(reason string) {
	c.mu.Lock()
	if c.phase == phaseGone {
		c.mu.Unlock()
		return
	}
	c.closing(reason)
	c.phase, c.waiting = phaseGone, false
	c.out, c.outBox, c.writing = nil, nil, nil
	c.countOutput()
	c.mu.Unlock()
	c.wire.Close()
	c.s.forget(c)
	c.s.leave(c)
}

// finish closes the connection in good order: what is queued is written, then a
// FIN ends the stream, and the client gets a little time to end its side, so
// that no reset overtakes the last bytes. Any goroutine may call it that holds
// no lock.
func (c *Conn) finish(reason string) {
	c.mu.Lock()
	c.closing(reason)
	t := todoClose
	if c.startFlush() {
		t |= todoFlush
	}
	c.mu.Unlock()
	c.after(t)
}

// closing begins the good end: nothing more is taken in. c.mu is held; the
// caller calls closed when it has let it go, and starts the flush.
func (c *Conn) closing(reason string) {
	if c.phase >= phaseClosing {
		return
	}
	c.phase, c.reason, c.outHeld = phaseClosing, reason, false
	if at := c.s.now() + drainTimeout; c.deadline == 0 || at < c.deadline {
		c.deadline = at
	}
	for ; c.head < len(c.inbox); c.head++ {
		c.uncount(c.inbox[c.head])
	}
	c.inbox, c.head = nil, 0
	c.s.largeBytes.Add(int64(-c.coming))
	c.coming = 0
}

// closed does what closing could not do with c.mu held.
func (c *Conn) closed() {
	c.mu.Lock()
	room := c.waiting
	c.waiting = false
	c.mu.Unlock()
	if room {
		c.wire.Room()
	}
	c.s.forget(c)
}

// noSession is why a connection is closed whose client is too slow to ask for a
// session, or for which there was none in time.
const noSession = "no session within the handshake timeout"

// overdue reports whether the connection must be closed at once, and why.
func (c *Conn) overdue(now time.Duration) (reason string, yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.deadline != 0 && now >= c.deadline:
		return c.endReason, true
	case c.phase <= phaseDeciding && now-c.since > c.s.cfg.HandshakeTimeout:
		return noSession, true
	case c.phase == phaseOpen && now-time.Duration(c.heard.Load()) > c.timeout:
		return "silent for longer than its session timeout", true
	}
	return "", false
}
