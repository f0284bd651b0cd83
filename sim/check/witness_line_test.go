package check_test

import (
	"net/netip"
	"slices"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/znode"
	"github.com/quorate/quorate/sim/check"
)

// townLine is a connection: what is under way in both directions, and the
// server's end of it.
type townLine struct {
	town   *town
	client *townClient
	server *townServer
	conn   *check.Conn
	cut    bool // the client has gone; what it sent may still arrive

	up, down []func() // in order, nothing lost in the middle
	gone     bool     // the server has closed it
	closing  bool     // the client has asked for the end of the session
	open     bool
	pending  int
	barrier  bool
	ids      []proto.ID
	queued   []*check.Op // the requests of up, nil for the ConnectRequest
}

// serve lets the server begin the next request, if it may.
func (l *townLine) serve() {
	if l.gone || len(l.up) == 0 {
		return
	}
	if op := l.queued[0]; op != nil {
		write := op.Code.Write() && op.Code.FromClient()
		if !l.open || l.pending > 0 && (l.barrier || !write) {
			return
		}
	}
	next := l.up[0]
	l.up, l.queued = l.up[1:], l.queued[1:]
	next()
}

// deliver brings the next frame to the client.
func (l *townLine) deliver() {
	if l.cut || len(l.down) == 0 {
		return
	}
	next := l.down[0]
	l.down = l.down[1:]
	next()
}

// send queues something for the client.
func (l *townLine) send(f func()) {
	if !l.gone {
		l.down = append(l.down, f)
	}
}

// end closes the server's end behind what is queued.
func (l *townLine) end() {
	l.send(func() {
		l.hangUp(false)
	})
	l.gone = true
	if l.server.watches != nil {
		l.server.watches.RemoveWatcher(l)
	}
	if s := l.server.lines[l.conn.Session]; s == l {
		delete(l.server.lines, l.conn.Session)
	}
}

// hangUp ends the client's end. What it has sent may still arrive, from the
// beginning on.
func (l *townLine) hangUp(byFault bool) {
	if l.cut {
		return
	}
	l.cut = true
	l.conn.Closed, l.conn.ClosedAt = l.town.tick()
	l.conn.ClosedByFault = byFault
	if n := l.town.IntN(len(l.up) + 1); l.town.IntN(2) == 0 {
		l.up, l.queued = l.up[:n], l.queued[:n]
	}
	if l.client.line == l {
		l.client.line = nil
	}
}

// reply answers a request.
func (l *townLine) reply(op *check.Op, zxid int64, code proto.ErrCode, body proto.Record) {
	if code != proto.OK {
		body = nil
	}
	if m, ok := body.(*proto.MultiResponse); ok {
		body = onTheWire(m)
	}
	l.send(func() {
		op.Returned, op.BackAt = l.town.tick()
		op.Zxid, op.Err, op.Reply = ensemble.Zxid(zxid), code, body
		if zxid > 0 && op.Code != proto.OpPing {
			l.client.seen = max(l.client.seen, op.Zxid)
		}
		l.client.answered(op)
	})
}

// onTheWire leaves away what a result does not have there.
func onTheWire(m *proto.MultiResponse) proto.Record {
	got := &proto.MultiResponse{}
	if err := proto.Unmarshal(proto.Marshal(m), got); err != nil {
		panic(err)
	}
	return got
}

func (l *townLine) event(zxid int64, kind proto.EventType, path string, acl []proto.ACL) {
	if !policy.Check(acl, proto.PermRead, l.ids) {
		return
	}
	l.send(func() {
		order, at := l.town.tick()
		l.town.h.Events = append(l.town.h.Events, &check.Notice{
			Client: l.client.no, Conn: l.conn.Conn, Session: l.conn.Session, Order: order, At: at,
			Zxid: ensemble.Zxid(zxid), Type: kind, Path: path,
		})
	})
}

// execute begins a request on the server.
func (l *townLine) execute(op *check.Op) {
	s := l.server
	switch {
	case !op.Code.FromClient():
		l.reply(op, -1, proto.ErrUnimplemented, nil)
		l.end()
	case op.Code.Write():
		l.write(op)
	case op.Code == proto.OpSync:
		l.pending++
		l.barrier = true
		s.forward = append(s.forward, func() {
			n := len(l.town.log)
			s.answers = append(s.answers, func() {
				s.syncs = append(s.syncs, townSync{n, func() {
					l.pending--
					l.reply(op, s.zxid, proto.OK, &proto.PathReply{Path: op.Request.(*proto.PathRequest).Path})
				}})
				if s.applied >= n {
					s.syncs[len(s.syncs)-1].done()
					s.syncs = s.syncs[:len(s.syncs)-1]
				}
			})
		})
	case op.Code == proto.OpAuth:
		r := op.Request.(*proto.AuthRequest)
		ids, code := policy.Authenticate(r.Scheme, r.Auth, netip.MustParseAddr(l.conn.Address))
		for _, id := range ids {
			if !slices.Contains(l.ids, id) {
				l.ids = append(slices.Clone(l.ids), id)
			}
		}
		l.reply(op, 0, code, nil)
		if code != proto.OK {
			l.end()
		}
	case op.Code == proto.OpPing:
		l.reply(op, s.zxid, proto.OK, nil)
	default:
		body, code := l.read(op.Code, op.Request)
		l.reply(op, s.zxid, code, body)
	}
}

func (l *townLine) write(op *check.Op) {
	l.pending++
	l.barrier = op.Code == proto.OpCloseSession
	l.closing = l.closing || l.barrier
	req := proto.Request{Session: l.conn.Session, Cxid: op.Xid, Op: op.Code, IDs: l.ids}
	if op.Request != nil {
		req.Body = proto.Marshal(op.Request)
	}
	l.server.forward = append(l.server.forward, func() {
		l.town.propose(l.server, req, func(res *znode.Result) {
			l.pending--
			if res.SessionMoved() {
				l.end()
				return
			}
			l.reply(op, int64(res.Zxid), res.Err, writeReply(op.Code, res))
			if op.Code == proto.OpCloseSession {
				l.end()
			}
		})
	})
}

func writeReply(op proto.OpCode, res *znode.Result) proto.Record {
	switch op {
	case proto.OpCreate:
		return &proto.PathReply{Path: res.Path}
	case proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		return &proto.Create2Reply{Path: res.Path, Stat: res.Stat}
	case proto.OpSetData, proto.OpSetACL:
		return &proto.StatReply{Stat: res.Stat}
	case proto.OpMulti:
		return &proto.MultiResponse{Results: res.Multi}
	}
	return nil
}

// connect handles a ConnectRequest.
func (l *townLine) connect() {
	w, s, c := l.town, l.server, l.conn
	if int64(c.Seen) > s.zxid {
		l.end()
		return
	}
	if c.Asked == 0 {
		w.nextID++
		id := w.nextID
		s.forward = append(s.forward, func() {
			body := proto.Marshal(&proto.CreateSessionTxn{TimeoutMillis: 4000})
			w.propose(s, proto.Request{Session: id, Op: proto.OpCreateSession, Body: body}, func(*znode.Result) { l.welcome(id) })
		})
		return
	}
	if c.WrongPassword {
		l.refuse()
		return
	}
	if old := s.lines[c.Asked]; old != nil {
		old.end()
	}
	s.lines[c.Asked] = l
	s.forward = append(s.forward, func() {
		valid := w.prepare.SetOwner(c.Asked, s.id)
		s.answers = append(s.answers, func() {
			if valid {
				l.welcome(c.Asked)
			} else {
				l.refuse()
			}
		})
	})
}

func (l *townLine) welcome(id int64) {
	if l.gone {
		return
	}
	l.open = true
	l.conn.Session = id
	l.server.lines[id] = l
	l.send(func() {
		l.conn.Answered, l.conn.AnsweredAt = l.town.tick()
		l.conn.Given = 4000
		l.client.session = id
	})
}

func (l *townLine) refuse() {
	l.send(func() {
		l.conn.Answered, l.conn.AnsweredAt = l.town.tick()
		l.conn.Refused = true
		l.client.session, l.client.seen = 0, 0
	})
	l.end()
}
