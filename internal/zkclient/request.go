package zkclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/server/proto"
)

// sendsMax is how many connections a read may outlive: one that kills its connection
// each time would do so for ever.
const sendsMax = 4

// request is one on its way. It holds a slot until it is finished, unless it is the
// client's own.
type request struct {
	op    proto.OpCode
	xid   int32
	body  []byte
	sent  int // how often it was written
	own   bool
	gone  bool       // nobody waits any more; mu guards it
	reply chan reply // one slot

	// onReply, if not nil, is called by the reader with the code of the reply, before
	// anything that is behind it on the wire is looked at. It holds mu.
	onReply func(proto.ErrCode)
}

// reply is the end of a request.
type reply struct {
	code proto.ErrCode
	body []byte
	err  error // there is no reply
}

// repeatable says that a request may be sent again when its fate is unknown. Sync
// and auth change nothing that is replicated.
func (r *request) repeatable() bool { return !r.op.Write() }

// requestBytesUsual is the length beyond which a server closes the connection without
// a word, unless it is configured otherwise: jute.maxbuffer's default.
const requestBytesUsual = 0xfffff

// tooLong says why a server may have closed the connection over the request, or nothing.
func (r *request) tooLong() string {
	if n := len(r.body) + headerBytes; n > requestBytesUsual {
		return fmt.Sprintf("; the request has %d bytes, and a server takes no more than its jute.maxbuffer, %d unless that is set", n, requestBytesUsual)
	}
	return ""
}

// call makes a request and waits for its reply, decoded into rep.
func (c *Client) call(ctx context.Context, op proto.OpCode, path string, req, rep proto.Record, onReply func(proto.ErrCode)) error {
	fail := func(err error) error { return &Error{Op: op, Path: path, Err: err} }
	r := &request{op: op, body: proto.Marshal(req), reply: make(chan reply, 1), onReply: onReply}
	if len(r.body) > requestBytesMax-headerBytes {
		return fail(fmt.Errorf("%d bytes are more than a request can have", len(r.body)))
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return fail(c.because(ctx.Err()))
	case <-c.done:
		return fail(c.overBecause())
	}
	c.mu.Lock()
	over := c.over
	if over == nil {
		c.queue = append(c.queue, r)
	}
	c.mu.Unlock()
	if over != nil {
		<-c.slots
		return fail(over)
	}
	c.nudge()
	got, err := c.await(ctx, r)
	switch {
	case err != nil:
		return fail(err)
	case got.code != proto.OK:
		return fail(got.code)
	}
	if err := proto.Unmarshal(got.body, rep); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrProtocol, err))
	}
	return nil
}

// await waits for the end of a request, or for that of the caller's patience.
func (c *Client) await(ctx context.Context, r *request) (reply, error) {
	var impatience <-chan time.Time
	if c.cfg.ConnectWait > 0 {
		ticker := time.NewTicker(c.cfg.ConnectWait)
		defer ticker.Stop()
		impatience = ticker.C
	}
	for {
		select {
		case got := <-r.reply:
			return got, got.err
		case <-ctx.Done():
			c.unqueue(r, true)
			return reply{}, c.because(ctx.Err())
		case <-impatience:
			// Under way it has another limit: the silence of the server.
			if state, _ := c.State(); state == StateConnecting && c.unqueue(r, false) {
				return reply{}, c.because(ErrNoConnection)
			}
		}
	}
}

// unqueue forgets a request that is not sent, and reports whether that was so. With
// abandon the reply to one that is sent will be forgotten.
func (c *Client) unqueue(r *request, abandon bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.queue, r)
	if i < 0 {
		r.gone = r.gone || abandon
		return false
	}
	c.queue = slices.Delete(c.queue, i, i+1)
	<-c.slots
	return true
}

func (c *Client) overBecause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// nudge tells the writer that there is something to look at.
func (c *Client) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// finish ends a request.
func (c *Client) finish(r *request, got reply) {
	if !r.own {
		<-c.slots
	}
	r.reply <- got
}

// take moves requests from the queue to those that the link waits for, and gives
// them their xids.
func (c *Client) take(l *link, most int) []*request {
	c.mu.Lock()
	defer c.mu.Unlock()
	var batch []*request
	for len(c.queue) > 0 && len(batch) < most {
		r := c.queue[0]
		c.queue = c.queue[1:]
		c.register(l, r)
		batch = append(batch, r)
	}
	if len(c.queue) == 0 {
		c.queue = nil // lets go of what the slice remembers
	}
	return batch
}

// register makes a request one that the link waits for. The caller holds mu.
func (c *Client) register(l *link, r *request) {
	if r.xid = proto.XidAuth; r.op != proto.OpAuth {
		c.xid = max(c.xid+1, 1) // MaxInt32 is followed by 1
		r.xid = c.xid
	}
	r.sent++
	l.pending = append(l.pending, r)
}

var errNothingAsked = errors.New("a reply to nothing")

// match takes the request that a reply belongs to. Replies come in order, but for
// those to auth, which ZooKeeper may send earlier (spec client-protocol 1.3). The
// caller holds mu.
func (l *link) match(xid int32) (*request, error) {
	at := 0
	if xid == proto.XidAuth {
		for at < len(l.pending) && l.pending[at].xid != proto.XidAuth {
			at++
		}
	}
	if at >= len(l.pending) {
		return nil, fmt.Errorf("%w: %w: xid %d", ErrProtocol, errNothingAsked, xid)
	}
	r := l.pending[at]
	if r.xid != xid {
		return nil, fmt.Errorf("%w: reply %d where %d is due", ErrProtocol, xid, r.xid)
	}
	if at == 0 {
		l.pending = l.pending[1:]
	} else {
		l.pending = append(l.pending[:at:at], l.pending[at+1:]...)
	}
	return r, nil
}
