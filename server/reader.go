package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/quorate/quorate/server/proto"
)

// Sizes of a reader's chunks, in bytes.
const (
	chunkBytesMin = 512
	chunkBytesMax = 64 << 10
)

// Errors that end a connection from the reader's side.
var (
	errFrameLength = errors.New("frame length")
	errNotServing  = errors.New("not serving")
)

// frames cuts a stream into frames. Frames share a chunk that is never written
// to again where they lie, so they stay valid and need no copy; the chunk is
// garbage when all of them are. A quiet connection has a small one.
type frames struct {
	chunk []byte
	r, w  int  // chunk[r:w] has been read and not been cut
	size  int  // of the next chunk
	later bool // the first frame, a ConnectRequest, has been cut
}

// fill reads once from r. need is the number of bytes that must fit.
func (f *frames) fill(r io.Reader, need int) error {
	if f.chunk == nil || len(f.chunk)-f.r < need || f.w == len(f.chunk) {
		f.renew(need)
	}
	n, err := r.Read(f.chunk[f.w:])
	if n > 0 {
		if f.w+n == len(f.chunk) {
			f.size = min(2*f.size, chunkBytesMax)
		}
		f.w += n
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// renew moves what has not been cut into a new chunk. A long frame's chunk grows
// with what has come of it, not with what it claims.
func (f *frames) renew(need int) {
	have := f.w - f.r
	f.size = max(f.size, chunkBytesMin)
	if have < f.size/8 && f.w < f.size/2 {
		f.size = max(f.size/2, chunkBytesMin)
	}
	next := make([]byte, max(f.size, min(need, 2*have)))
	copy(next, f.chunk[f.r:f.w])
	f.chunk, f.r, f.w = next, 0, have
}

// peekInt returns the int at offset, if that much has been read.
func (f *frames) peekInt(offset int) (int32, bool) {
	if f.w-f.r < offset+4 {
		return 0, false
	}
	return int32(binary.BigEndian.Uint32(f.chunk[f.r+offset:])), true
}

// cut takes the frame of n bytes behind a length, if it is whole.
func (f *frames) cut(n int) ([]byte, bool) {
	if f.w-f.r < 4+n {
		return nil, false
	}
	from := f.r + 4
	f.r = from + n
	return f.chunk[from:f.r:f.r], true
}

// serve reads the connection until it ends. It is the connection's only
// permanent goroutine, and the one that closes the socket.
func (c *conn) serve() {
	defer c.s.tasks.Done()
	err := c.read()
	reason := "closed by the client"
	if !errors.Is(err, io.EOF) {
		reason = err.Error()
	}
	if errors.Is(err, errFrameLength) {
		session, _ := c.identity()
		c.s.log.Warn("closing a connection", "remote", c.remote, "session", sessionID(session), "err", err)
	} else if !errors.Is(err, errNotServing) {
		c.linger()
	}
	c.abort(reason)
	c.s.leave(c)
}

// read takes in frames until the stream ends. Once the connection is closing it
// only reads on, so that the client sees a FIN and not a reset.
func (c *conn) read() error {
	var f frames
	need, first := 4, true
	for {
		if err := f.fill(c.nc, need); err != nil {
			return err
		}
		now := c.s.now()
		c.heard.Store(int64(now))
		if p, _ := c.state(); p >= phaseClosing {
			f.r, f.w, need = 0, 0, 4
			continue
		}
		if first {
			n, ok := f.peekInt(0)
			if !ok {
				continue
			}
			first = false
			if c.fourLetterWord(n) {
				continue
			}
			if !c.s.serving.Load() {
				return errNotServing
			}
		}
		var err error
		if need, err = c.take(&f, now); err != nil {
			return err
		}
		for c.crowded() {
			<-c.room
		}
	}
}

// take cuts and pushes all whole frames, and returns how many bytes the next one
// needs with its length.
func (c *conn) take(f *frames, now time.Duration) (need int, err error) {
	defer c.ready()
	for {
		n, ok := f.peekInt(0)
		if !ok {
			return 4, nil
		}
		fits, known := c.fits(f, int(n))
		if !known {
			return 12, nil
		}
		if !fits {
			return 0, fmt.Errorf("%w %d: want 0 to %d (jute.maxbuffer)", errFrameLength, n, c.s.cfg.JuteMaxBuffer)
		}
		frame, ok := f.cut(int(n))
		if !ok {
			return 4 + int(n), nil
		}
		if f.later && len(frame) < requestHeaderBytes {
			return 0, fmt.Errorf("%w %d: want a request, which has a header of %d bytes", errFrameLength, n, requestHeaderBytes)
		}
		f.later = true
		if !c.push(incoming{frame, now}) {
			return 4, nil
		}
	}
}

// requestHeaderBytes is the length of a RequestHeader.
const requestHeaderBytes = 8

// fits reports whether a frame may have n bytes. Whether a long one may depends
// on its op, which may not have come yet: then that is not known.
func (c *conn) fits(f *frames, n int) (fits, known bool) {
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

// linger waits, at the end of the input, until everything that came before it
// has been executed and answered: a client may send its last requests, a
// closeSession above all, and end its side at once.
func (c *conn) linger() {
	_, timeout := c.identity()
	limit := time.NewTimer(max(timeout, drainTimeout))
	defer limit.Stop()
	for {
		c.mu.Lock()
		over := c.phase == phaseGone || !c.flushing && (c.requests == 0 || c.phase == phaseClosing)
		c.waiting = !over
		c.mu.Unlock()
		if over {
			return
		}
		select {
		case <-c.room:
		case <-limit.C:
			return
		}
	}
}
