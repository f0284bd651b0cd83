package server

import (
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/server/proto"
)

var errFrameLength = errors.New("frame length")

// quietAfter is for how long nothing must have come for a client to count as quiet.
const quietAfter = time.Second

// Receive takes in bytes from the client, however the stream has been cut into
// pieces, and returns how many; p stays the caller's. It takes fewer than all
// while the connection, or the whole server, has too many requests in work: the
// rest is to be offered again after Wire.Room. The overshoot is at most a chunk of
// 64 KiB. A connection that is closing takes everything and forgets it.
func (c *Conn) Receive(p []byte) (n int) {
	for n < len(p) && !c.crowded() {
		took := copy(c.in.space(), p[n:])
		n += took
		c.received(took)
	}
	return n
}

// received takes in n bytes that have been put into c.in.space.
func (c *Conn) received(n int) {
	now := c.s.now()
	quiet := now-time.Duration(c.heard.Load()) >= quietAfter
	c.in.took(n)
	if !c.hears(now) {
		c.in.drop()
		return
	}
	if !c.begun {
		first, ok := c.in.peekInt(0)
		if !ok {
			return
		}
		done, isWord := c.fourLetterWord(first)
		if c.begun = done; isWord {
			return
		}
		if !c.s.serving.Load() {
			c.s.metrics.NotServing.Inc()
			c.Abort("not serving")
			return
		}
	}
	err := c.take(now)
	if !c.part && c.in.w > c.in.r {
		c.part, c.partAt = true, now
	}
	if quiet {
		c.in.rest()
	}
	c.ready()
	if err != nil {
		c.misbehaved(err.Error())
		c.End(err)
	}
}

// hears notes that bytes came, and reports whether they matter still. A client
// that takes longer for one request than its session lasts is not heard of by the
// bytes of that: it could hold a place for ever by a byte now and then.
func (c *Conn) hears(now time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase >= phaseClosing || c.ended {
		return false
	}
	if c.phase != phaseOpen || !c.part || now-c.partAt <= c.timeout {
		c.heard.Store(int64(now))
	}
	return true
}

// take cuts and pushes all whole frames, and notes how many bytes the next one
// needs with its length.
func (c *Conn) take(now time.Duration) error {
	f := &c.in
	for {
		f.need = lengthBytes
		n, ok := f.peekInt(0)
		if !ok {
			return nil
		}
		fits, known := c.fits(int(n))
		if !known {
			f.need = lengthBytes + requestHeaderBytes
			return nil
		}
		if !fits {
			return fmt.Errorf("%w %d: want 0 to %d (jute.maxbuffer)", errFrameLength, n, c.s.cfg.JuteMaxBuffer)
		}
		if err := c.admitLarge(int(n)); err != nil {
			return err
		}
		frame, ok := f.cut(int(n))
		if !ok {
			f.need = lengthBytes + int(n)
			return nil
		}
		if f.later && len(frame) < requestHeaderBytes {
			return fmt.Errorf("%w %d: want a request, which has a header of %d bytes", errFrameLength, n, requestHeaderBytes)
		}
		f.later, c.part = true, false
		if !c.push(incoming{frame: frame, at: now}) {
			return nil
		}
	}
}

// requestHeaderBytes is the length of a RequestHeader.
const requestHeaderBytes = 8

// fits reports whether a frame may have n bytes. Whether a long one may depends
// on its op, which may not have come yet: then that is not known.
func (c *Conn) fits(n int) (fits, known bool) {
	f := &c.in
	limit := c.s.cfg.JuteMaxBuffer
	if !f.later {
		limit = min(limit, connectBytesMax)
	}
	switch {
	case n >= 0 && n <= limit:
		return true, true
	case n < 0 || n > setWatchesFactor*limit || !f.later:
		return false, true
	}
	op, ok := f.peekInt(8)
	return proto.OpCode(op) == proto.OpSetWatches || proto.OpCode(op) == proto.OpSetWatches2, ok
}

// crowded reports whether the client must wait before more is taken in, and if
// so remembers that it does.
func (c *Conn) crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = c.full()
	return c.waiting
}

// full reports whether too many requests are in work for another. The limit of
// the whole server only holds up those who have one: so there is always
// something whose end makes room. c.mu is held.
func (c *Conn) full() bool {
	return c.phase < phaseClosing && !c.ended && c.requests > 0 &&
		(c.requests >= inboxRequestsMax || c.bytes >= inboxBytesMax || c.s.inflight.Load() > c.s.outstandingMax.Load())
}
