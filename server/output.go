package server

import "sync"

// outputKeepBytes is the largest buffer that is kept for other connections.
const outputKeepBytes = 64 << 10

// outputBuffers are empty buffers of up to outputKeepBytes: an idle connection
// holds none.
var outputBuffers = sync.Pool{New: func() any { return new([]byte) }}

// output returns what is to be written so far, for appending. c.mu is held.
func (c *Conn) output() []byte {
	if c.outBox == nil {
		c.outBox = outputBuffers.Get().(*[]byte)
		c.out = (*c.outBox)[:0]
	}
	return c.out
}

// outputGrew says what is to be done after something was appended to the output.
// c.mu is held.
func (c *Conn) outputGrew() (t todo) {
	c.countOutput()
	if c.phase < phaseClosing && (len(c.out) > c.s.cfg.OutputBytesMax || c.lagging()) {
		c.overflow = true
		c.out, c.outBox = nil, nil
		c.countOutput()
		c.closing("the client does not read")
		t = todoClose
	}
	if c.startFlush() {
		t |= todoFlush
	}
	return t
}

// countOutput tells the server how much waits here to be written, unless it is so
// little that it does not matter: most connections never share the counter. c.mu
// is held.
func (c *Conn) countOutput() {
	n := len(c.out)
	if c.writing != nil {
		n += len(*c.writing)
	}
	if n <= outputKeepBytes {
		n = 0
	}
	if n != c.counted {
		c.s.outputBytes.Add(int64(n - c.counted))
		c.counted = n
	}
}

// lagging reports whether the client is one of those that make the server run out
// of memory together: much more waits for them than one may have, and this one
// does not read what was given to it before. c.mu is held.
func (c *Conn) lagging() bool {
	return c.writing != nil && len(c.out) > outputKeepBytes &&
		c.s.outputBytes.Load() > outputAllFactor*int64(c.s.cfg.OutputBytesMax) &&
		c.s.now()-c.writingAt > outputLag
}

// startFlush reports whether the caller must tell Wire.Flush. c.mu is held.
func (c *Conn) startFlush() bool {
	if c.flushing || c.phase == phaseGone || len(c.out) == 0 && (c.phase != phaseClosing || c.endSent) {
		return false
	}
	c.flushing = true
	return true
}

// Output returns the next bytes for the client, after Wire.Flush said that there
// are some. A call says that what the one before returned has been written: so
// who does not call it again until then makes the server see that the client does
// not read. The batch is the caller's until that next call.
//
// With an empty batch end tells what it means: true that the stream to the client
// ends here (call again when it has been ended), false that there is nothing now.
func (c *Conn) Output() (batch []byte, end bool) {
	c.mu.Lock()
	resume, over := false, false
	if c.writing != nil {
		if cap(*c.writing) <= outputKeepBytes {
			outputBuffers.Put(c.writing)
		}
		c.writing = nil
		resume, c.outHeld = c.outHeld, false
	}
	switch {
	case len(c.out) > 0:
		batch = c.out
		*c.outBox = batch
		c.writing, c.out, c.outBox = c.outBox, nil, nil
		c.writingAt = c.s.now()
	case c.phase == phaseClosing && !c.endSent:
		end, c.endSent = true, true
		if !c.ended {
			c.deadline = c.s.now() + drainTimeout
		}
	default:
		c.flushing = false
		over = c.over()
	}
	c.countOutput()
	c.mu.Unlock()
	if resume {
		c.ready()
	}
	if over {
		c.Abort(c.endReason)
	}
	return batch, end
}
