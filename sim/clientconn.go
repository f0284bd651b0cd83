package sim

import (
	"encoding/binary"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/jute"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// clientConn is a connection of a client, seen from the client.
type clientConn struct {
	client *client
	record *check.Conn
	wire   *wire
	server *proc
	buf    []byte
	open   bool
	ready  bool // the session is settled
	sent   time.Duration
	heard  time.Duration

	arrives     time.Duration // at the server
	outstanding []*check.Op   // in the order of their answers
}

// watchdog pings, and gives a silent server up.
func (cc *clientConn) watchdog() {
	c := cc.client
	if !cc.open {
		return
	}
	if c.w.now-cc.heard > 2*c.period() {
		cc.close(true)
		return
	}
	if cc.ready && c.w.now-cc.sent >= c.period()/2 {
		cc.request(proto.OpPing, nil)
	}
	c.w.after(c.period()/2, cc.watchdog)
}

// send gives bytes to the network.
func (cc *clientConn) send(frame []byte, what string) {
	w := cc.client.w
	cc.sent = w.now
	cc.arrives = max(cc.arrives, w.now+w.net.some())
	way := direction{clientPort, anybody, cc.record.Server}
	id := w.bytesSent(cc, what)
	w.queue.add(cc.arrives, nil, func() {
		w.net.arrive(way, func() {
			cc.server.run(func() {
				w.bytesReceived(cc, what, id)
				cc.wire.receive(frame)
			})
		})
	})
}

// request sends a request and notes it in the history.
func (cc *clientConn) request(code proto.OpCode, body proto.Record) {
	c := cc.client
	w := c.w
	xid := int32(0)
	switch code {
	case proto.OpPing:
		xid = proto.XidPing
	case proto.OpAuth:
		xid = proto.XidAuth
	case proto.OpSetWatches, proto.OpSetWatches2:
		xid = proto.XidSetWatches
	case proto.OpCloseSession:
		w.over[c.session] = true // whatever becomes of the request
		c.xid++
		xid = c.xid
	default:
		c.xid++
		xid = c.xid
	}
	e := jute.NewEncoder(nil)
	at := e.Reserve(4)
	(&proto.RequestHeader{Xid: xid, Op: code}).Encode(e)
	if body != nil {
		body.Encode(e)
	}
	frame := e.Bytes()
	binary.BigEndian.PutUint32(frame[at:], uint32(len(frame)-at-4))
	w.order++
	op := &check.Op{
		Client: c.id, Conn: cc.record.Conn, Server: cc.record.Server, Session: c.session, Xid: xid, Code: code, Request: body,
		Sent: w.order, SentAt: w.now,
	}
	cc.outstanding = append(cc.outstanding, op)
	w.history.Ops = append(w.history.Ops, op)
	cc.send(frame, code.String())
}

// receive takes bytes from the server.
func (cc *clientConn) receive(b []byte) {
	if !cc.open {
		return
	}
	cc.heard = cc.client.w.now
	_, _ = cc.client.w.hash.Write(b)
	cc.buf = append(cc.buf, b...)
	for cc.open && len(cc.buf) >= 4 {
		n := int(binary.BigEndian.Uint32(cc.buf))
		if len(cc.buf) < 4+n {
			return
		}
		frame := cc.buf[4 : 4+n : 4+n]
		cc.buf = cc.buf[4+n:]
		cc.frame(frame)
	}
}

func (cc *clientConn) frame(frame []byte) {
	if cc.record.Answered == 0 {
		cc.connected(frame)
		return
	}
	var h proto.ReplyHeader
	rest, err := proto.UnmarshalHeader(frame, &h)
	if err != nil {
		cc.garbage(err)
		return
	}
	cc.client.w.stampClient(cc.client.id, h.Zxid, int32(h.Err)^h.Xid)
	if h.Xid == proto.XidNotification {
		cc.notified(h, rest)
		return
	}
	if len(cc.outstanding) == 0 || cc.outstanding[0].Xid != h.Xid {
		cc.client.w.broken("C1", "replies come in the order of the requests", cc.record.Server,
			"client %d got a reply to xid %d on connection %d, which is not its oldest request", cc.client.id, h.Xid, cc.record.Conn)
	}
	cc.answered(h, rest)
}

func (cc *clientConn) garbage(err error) {
	cc.client.w.broken("C6", "a server sends what a client can read", cc.record.Server, "client %d: %v", cc.client.id, err)
}

// connected is the answer to the ConnectRequest.
func (cc *clientConn) connected(frame []byte) {
	c, w := cc.client, cc.client.w
	var r proto.ConnectResponse
	if err := proto.Unmarshal(frame, &r); err != nil {
		cc.garbage(err)
		return
	}
	w.order++
	cc.record.Answered, cc.record.AnsweredAt = w.order, w.now
	cc.record.Session, cc.record.Given = r.SessionID, r.TimeoutMillis
	w.stampClient(c.id, r.SessionID, r.TimeoutMillis)
	if r.SessionID == 0 {
		cc.record.Refused = true
		if s := c.session; s != 0 && !cc.record.WrongPassword && !w.over[s] {
			w.broken("S5", "a session ends when it is closed or has been silent for its timeout", cc.record.Server,
				"client %d was told that its session 0x%x is over, and nobody has closed it", c.id, uint64(s))
		}
		if !cc.record.WrongPassword {
			c.forget()
		}
		cc.close(false)
		return
	}
	if c.session == 0 {
		c.watches.clear()
	}
	c.session, c.password = r.SessionID, r.Password
	cc.ready = true
	if !c.manual {
		c.gen.introduceAgain(cc)
	}
	for _, r := range c.watches.again(c.seen, c.rng.IntN(2)*pathsAtOnce) {
		code := proto.OpSetWatches
		if r.Extended {
			code = proto.OpSetWatches2
		}
		cc.request(code, r)
	}
	w.report.Connects++
	if !c.manual && c.rng.IntN(25) == 0 { // loses it at once, before everybody knows of the session
		cc.close(true)
		return
	}
	c.think()
}

// notified is a watch event.
func (cc *clientConn) notified(h proto.ReplyHeader, rest []byte) {
	c, w := cc.client, cc.client.w
	var e proto.WatcherEvent
	if err := proto.Unmarshal(rest, &e); err != nil {
		cc.garbage(err)
		return
	}
	w.order++
	w.report.Notices++
	w.history.Events = append(w.history.Events, &check.Notice{
		Client: c.id, Conn: cc.record.Conn, Session: c.session, Order: w.order, At: w.now,
		Zxid: ensemble.Zxid(h.Zxid), Type: e.Type, Path: e.Path,
	})
	c.watches.fired(e.Type, e.Path)
	if h.Zxid > 0 {
		c.seen = max(c.seen, ensemble.Zxid(h.Zxid))
	}
}

// answered is the reply to the oldest request.
func (cc *clientConn) answered(h proto.ReplyHeader, rest []byte) {
	c, w := cc.client, cc.client.w
	op := cc.outstanding[0]
	cc.outstanding[0] = nil
	cc.outstanding = cc.outstanding[1:]
	w.order++
	op.Returned, op.BackAt, op.Zxid, op.Err = w.order, w.now, ensemble.Zxid(h.Zxid), h.Err
	if h.Err == proto.OK {
		op.Reply = newReply(op.Code)
		if op.Reply != nil {
			if err := proto.Unmarshal(rest, op.Reply); err != nil {
				cc.garbage(err)
				return
			}
		}
	}
	w.report.Requests++
	if h.Zxid > 0 {
		c.seen = max(c.seen, op.Zxid)
	}
	c.watches.armed(op)
	c.gen.learn(op)
	if op.Code == proto.OpCloseSession {
		c.forget()
		cc.close(false)
	}
}

// newReply returns an empty record of the type that answers an op; nil for none.
func newReply(op proto.OpCode) proto.Record {
	switch op {
	case proto.OpCreate:
		return &proto.PathReply{}
	case proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		return &proto.Create2Reply{}
	case proto.OpSetData, proto.OpSetACL, proto.OpExists:
		return &proto.StatReply{}
	case proto.OpGetData:
		return &proto.DataReply{}
	case proto.OpGetACL:
		return &proto.ACLReply{}
	case proto.OpGetChildren, proto.OpGetEphemerals:
		return &proto.StringsReply{}
	case proto.OpGetChildren2:
		return &proto.Children2Reply{}
	case proto.OpSync:
		return &proto.PathReply{}
	case proto.OpMulti, proto.OpMultiRead:
		return &proto.MultiResponse{}
	case proto.OpGetAllChildrenNumber, proto.OpAddWatch:
		return &proto.IntReply{}
	case proto.OpWhoAmI:
		return &proto.WhoAmIReply{}
	case proto.OpSASL:
		return &proto.SASLReply{}
	}
	return nil
}

// ended is the end of the stream as the client sees it.
func (cc *clientConn) ended() {
	if cc.open {
		cc.finish()
	}
}

// close ends the connection from the client's side.
func (cc *clientConn) close(byFault bool) {
	if !cc.open {
		return
	}
	cc.record.ClosedByFault = byFault
	w := cc.client.w
	way := direction{clientPort, anybody, cc.record.Server}
	w.after(w.net.some(), func() {
		w.net.arrive(way, func() {
			cc.server.run(func() {
				if !cc.wire.closed {
					cc.wire.conn.Abort("the client has gone")
				}
			})
		})
	})
	cc.finish()
}

func (cc *clientConn) finish() {
	c, w := cc.client, cc.client.w
	cc.open, cc.ready = false, false
	w.order++
	cc.record.Closed, cc.record.ClosedAt = w.order, w.now
	w.report.Unanswered += len(cc.outstanding)
	cc.outstanding = nil
	if c.conn == cc {
		c.conn = nil
		if c.manual {
			return
		}
		pause := 200 * time.Millisecond
		switch c.rng.IntN(8) {
		case 0, 1:
			pause = time.Millisecond
		case 2, 3: // much may happen meanwhile to what it watches
			pause = second
		}
		w.after(c.some(pause), c.connect)
	}
}
