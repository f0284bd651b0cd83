package server

import (
	"runtime"
	"sync"
	"time"
)

// outputKeepBytes is the largest buffer that is kept for other connections.
const outputKeepBytes = 64 << 10

// outputBuffers are empty buffers of up to outputKeepBytes: an idle connection
// holds none.
var outputBuffers = sync.Pool{New: func() any { return new([]byte) }}

// output returns what is to be written so far, for appending. c.mu is held.
func (c *conn) output() []byte {
	if c.outBox == nil {
		c.outBox = outputBuffers.Get().(*[]byte)
		c.out = (*c.outBox)[:0]
	}
	return c.out
}

// outputGrew says what is to be done after something was appended to the output.
// c.mu is held.
func (c *conn) outputGrew() (t todo) {
	if len(c.out) > c.s.cfg.OutputBytesMax && c.phase < phaseClosing {
		c.overflow = true
		c.out, c.outBox = nil, nil
		c.closing("the client does not read")
		t = todoClose
	}
	if c.startFlush() {
		t |= todoFlush
	}
	return t
}

// startFlush reports whether the caller must start c.flush as a goroutine. c.mu
// is held.
func (c *conn) startFlush() bool {
	if c.flushing || c.phase == phaseGone || len(c.out) == 0 && (c.phase != phaseClosing || c.endSent) {
		return false
	}
	c.flushing = true
	c.s.tasks.Add(1)
	return true
}

// flush writes the output until there is none, in as few writes as possible. It
// is a goroutine that exists only while there is something to write; c.flushing
// says so. If the connection is closing it also ends the stream.
func (c *conn) flush() {
	defer c.s.tasks.Done()
	for wrote := false; ; wrote = true {
		runtime.Gosched() // whoever made output may be about to make more
		c.mu.Lock()
		batch, box := c.out, c.outBox
		c.out, c.outBox = nil, nil
		resume := wrote && c.outHeld
		if resume {
			c.outHeld = false
		}
		over, ending, signal := len(batch) == 0, c.phase == phaseClosing, c.waiting
		if over {
			c.flushing, c.endSent = false, ending
		}
		c.mu.Unlock()
		if resume {
			c.ready()
		}
		if over {
			if ending {
				c.endStream()
			}
			if signal {
				signalOne(c.room)
			}
			return
		}
		if _, err := c.nc.Write(batch); err != nil {
			c.abort("write: " + err.Error())
			return
		}
		if cap(batch) <= outputKeepBytes {
			*box = batch
			outputBuffers.Put(box)
		}
	}
}

// endStream sends the FIN and lets the reader wait a little for the client's.
func (c *conn) endStream() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		c.abort("")
		return
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(drainTimeout)); err != nil {
		c.abort("")
	}
}
