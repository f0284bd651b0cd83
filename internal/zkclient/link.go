package zkclient

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/quorate/quorate/server/proto"
)

const (
	headerBytes  = 8  // a RequestHeader
	writeBatch   = 64 // requests taken from the queue at a time
	bufferBytes  = 64 << 10
	pingFraction = 3 // of the session timeout between two pings
)

// link is one connection to one server.
type link struct {
	c        *Client
	addr     string
	conn     net.Conn
	in       *bufio.Reader
	out      *bufio.Writer
	readOnly bool
	resumed  bool // the session had a connection before this one
	heard    bool // the server has said more than its ConnectResponse; the reader's

	pending []*request // sent, in order, without a reply; the client's mu guards it
	prelude int        // the client's own requests that are still without a reply; mu guards it
	before  int64      // the client's heardZxid when the link began

	broken chan struct{} // closed by the reader when it ends
	err    error         // why the reader has ended
}

// serve carries requests and replies until the connection ends, and returns why.
func (l *link) serve(ctx context.Context) error {
	l.broken = make(chan struct{})
	first := l.beginPrelude()
	go l.read()
	if l.readOnly {
		seek, cancel := context.WithCancel(ctx)
		sought := make(chan struct{})
		go func() { defer close(sought); l.c.seekReadWrite(seek, l) }()
		defer func() { cancel(); <-sought }()
	}
	err := l.write(ctx, first)
	_ = l.conn.Close()
	<-l.broken
	if err == nil {
		err = l.err
	}
	return err
}

// beginPrelude makes the requests that every connection begins with: identities,
// then watches, so that a watch is armed by those who may.
func (l *link) beginPrelude() []*request {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	l.before = c.heardZxid
	var list []*request
	add := func(op proto.OpCode, body proto.Record) *request {
		r := &request{op: op, body: proto.Marshal(body), own: true, reply: make(chan reply, 1)}
		c.register(l, r)
		list = append(list, r)
		return r
	}
	for _, a := range c.auths {
		add(proto.OpAuth, &proto.AuthRequest{Scheme: a.Scheme, Auth: a.Data})
	}
	watches := c.watches.requests(c.lastZxid)
	for _, w := range watches {
		op := proto.OpSetWatches
		if w.Extended {
			op = proto.OpSetWatches2
		}
		add(op, w)
	}
	if len(watches) == 0 && l.resumed {
		// The zxid of its reply says whether something was missed.
		add(proto.OpExists, &proto.PathWatchRequest{Path: "/"})
	}
	if l.prelude = len(list); l.prelude == 0 {
		// From here on, and not before, Dial returns and requests are sent.
		c.ready(l, 0)
	}
	return list
}

// ready says that the connection answers requests. zxid is that of the last reply
// of its prelude. The caller holds mu.
func (c *Client) ready(l *link, zxid int64) {
	state := StateConnected
	if l.readOnly {
		state = StateReadOnly
	}
	c.fault = nil
	c.setState(state, l.addr)
	missed := l.resumed && zxid > l.before
	event := Event{State: state, Server: l.addr, Missed: missed, LastZxid: l.before, Zxid: zxid}
	c.mu.Unlock()
	c.cfg.OnEvent(event)
	c.mu.Lock()
}

// write sends requests and pings until the connection ends.
func (l *link) write(ctx context.Context, batch []*request) error {
	ping := time.NewTicker(max(l.c.SessionTimeout()/pingFraction, time.Millisecond))
	defer ping.Stop()
	for {
		for _, r := range batch {
			if err := l.writeRequest(r.xid, r.op, r.body); err != nil {
				return l.failed(err)
			}
		}
		if batch = l.c.take(l, writeBatch); len(batch) > 0 {
			continue
		}
		if err := l.out.Flush(); err != nil {
			return l.failed(err)
		}
		select {
		case <-l.c.wake:
			batch = l.c.take(l, writeBatch)
		case <-ping.C:
			if err := l.writeRequest(proto.XidPing, proto.OpPing, nil); err != nil {
				return l.failed(err)
			}
		case <-l.broken:
			return nil
		case <-ctx.Done():
			return ErrClosed
		}
	}
}

// failed prefers the reader's reason, which knows what the server has said.
func (l *link) failed(err error) error {
	_ = l.conn.Close()
	<-l.broken
	if l.err != nil && !errors.Is(l.err, net.ErrClosed) {
		return l.err
	}
	return err
}

func (l *link) writeRequest(xid int32, op proto.OpCode, body []byte) error {
	var head [4 + headerBytes]byte
	binary.BigEndian.PutUint32(head[0:], uint32(headerBytes+len(body)))
	binary.BigEndian.PutUint32(head[4:], uint32(xid))
	binary.BigEndian.PutUint32(head[8:], uint32(op))
	if _, err := l.out.Write(head[:]); err != nil {
		return err
	}
	_, err := l.out.Write(body)
	return err
}

// read takes replies and events until the connection ends. A server that says
// nothing for two thirds of the session timeout, while it is pinged each third, is
// given up.
func (l *link) read() {
	defer close(l.broken)
	for {
		frame, err := readFrame(l.in, l.c.cfg.FrameBytesMax)
		if err == nil {
			err = l.receive(frame)
		}
		if err != nil {
			l.err = describe(err, l.c.SessionTimeout())
			_ = l.conn.Close()
			return
		}
	}
}

func describe(err error, timeout time.Duration) error {
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("the server was silent for %v: %w", silence(timeout), err)
	}
	return err
}

// silence is how long a server may say nothing.
func silence(timeout time.Duration) time.Duration { return timeout * 2 / 3 }

// receive handles one frame.
func (l *link) receive(frame []byte) error {
	var h proto.ReplyHeader
	body, err := proto.UnmarshalHeader(frame, &h)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	l.heard = true
	c := l.c
	c.mu.Lock()
	c.heardZxid = max(c.heardZxid, h.Zxid)
	switch h.Xid {
	case proto.XidNotification:
		c.mu.Unlock()
		return l.event(h, body)
	case proto.XidPing:
		c.mu.Unlock()
		return nil
	}
	defer c.mu.Unlock()
	r, err := l.match(h.Xid)
	if err != nil {
		return err
	}
	if h.Xid != proto.XidAuth {
		c.lastZxid = max(c.lastZxid, h.Zxid)
	}
	if r.onReply != nil {
		r.onReply(h.Err)
	}
	c.finish(r, reply{code: h.Err, body: body})
	if !r.own {
		return nil
	}
	if r.op == proto.OpAuth && h.Err != proto.OK {
		return fmt.Errorf("the server refuses an identity that it is given on every connection: %w", h.Err)
	}
	if l.prelude--; l.prelude == 0 {
		c.ready(l, h.Zxid)
	}
	return nil
}

// event tells of a change, and forgets the one-shot watches that it ends.
func (l *link) event(h proto.ReplyHeader, body []byte) error {
	var w proto.WatcherEvent
	if err := proto.Unmarshal(body, &w); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if w.Type < proto.EventNodeCreated || w.Type > proto.EventNodeChildrenChanged {
		return fmt.Errorf("%w: an event of the type %d", ErrProtocol, w.Type)
	}
	l.c.mu.Lock()
	l.c.watches.fired(w.Type, w.Path)
	state := l.c.state
	l.c.mu.Unlock()
	l.c.cfg.OnEvent(Event{Type: w.Type, Path: l.c.strip(w.Path), Zxid: h.Zxid, State: state, Server: l.addr})
	return nil
}
