package server

import (
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/znode"
)

// Serve implements lf.Handler: it begins the requests that may begin, in order.
func (c *Conn) Serve() (again bool) {
	c.takeTurn()
	for range turnRequests {
		in, h, first, ok := c.next()
		switch {
		case !ok:
			return false
		case first:
			c.connect(in)
		default:
			c.dispatch(in, h)
		}
	}
	return true
}

// dispatch begins one request of an open connection.
func (c *Conn) dispatch(in incoming, h proto.RequestHeader) {
	switch {
	case !c.admitted(h.Op):
		c.turnAway(in, h)
	case !h.Op.FromClient():
		c.misbehaved("a request with an operation that clients cannot ask for: " + h.Op.String())
		c.answer(in, proto.ReplyHeader{Xid: h.Xid, Zxid: -1, Err: proto.ErrUnimplemented}, last, nil)
	case h.Op == proto.OpCloseSession && c.isLocal():
		c.closeLocal(in, h)
	case c.readOnly && (h.Op.Write() || h.Op == proto.OpSync):
		c.auditRefused(in, h)
		c.answer(in, proto.ReplyHeader{Xid: h.Xid, Zxid: c.s.zxid.Load(), Err: proto.ErrNotReadOnly}, 0, nil)
	case h.Op.Write():
		c.submit(in, h)
	case h.Op == proto.OpSync:
		c.sync(in, h)
	case h.Op == proto.OpAuth:
		c.auth(in, h)
	case h.Op == proto.OpSASL:
		c.sasl(in, h)
	case h.Op == proto.OpPing:
		c.answer(in, proto.ReplyHeader{Xid: proto.XidPing, Zxid: c.s.zxid.Load()}, 0, nil)
	case in.rest != nil:
		c.rearm(in, h)
	default:
		c.readOne(in, h)
	}
}

// submit hands a write to the quorum. What is wrong with it the leader says: so
// the answer comes in its turn.
func (c *Conn) submit(in incoming, h proto.RequestHeader) {
	if c.s.cfg.EagerACLCheck && c.refuseEagerly(in, h) {
		return
	}
	id, _ := c.identity()
	body := in.frame[requestHeaderBytes:]
	local := c.isLocal()
	if local && c.s.cfg.LocalSessionsUpgrading && mustUpgrade(h.Op, body) {
		if local = false; !c.upgrade() {
			c.drop(in, committed)
			return
		}
	}
	req := appendRequest(id, h.Xid, h.Op, local, c.idsBytes, body)
	c.s.quorum.Submit(req, func(result any, err error) { c.written(in, h, result, err) })
}

// written answers a write, in the goroutine that has just applied it.
func (c *Conn) written(in incoming, h proto.RequestHeader, result any, err error) {
	res, _ := result.(*znode.Result)
	if err != nil {
		res = nil
	}
	c.audit(in, h, res)
	switch {
	case res == nil:
		// Nobody knows what became of the write, and the client must not be told
		// that it failed.
		c.drop(in, committed)
		c.finish("outcome of a write unknown")
		return
	case res.SessionMoved():
		c.drop(in, committed)
		c.finish("session moved to another server")
		return
	}
	head := proto.ReplyHeader{Xid: h.Xid, Zxid: int64(res.Zxid), Err: res.Err}
	how := committed
	if h.Op == proto.OpCloseSession {
		how |= last
	}
	c.answer(in, head, how, writeReply(h.Op, res))
}

// writeReply returns the body of the reply to a write that succeeded.
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

// sync answers when everything committed before it has been applied here.
func (c *Conn) sync(in incoming, h proto.RequestHeader) {
	var req proto.PathRequest
	bad := proto.Unmarshal(in.frame[requestHeaderBytes:], &req)
	if bad != nil {
		c.answer(in, proto.ReplyHeader{Xid: h.Xid, Zxid: c.s.zxid.Load(), Err: proto.ErrMarshalling}, committed, nil)
		return
	}
	c.s.quorum.Sync(func(err error) {
		if err != nil {
			c.drop(in, committed)
			c.finish("outcome of a sync unknown")
			return
		}
		c.answer(in, proto.ReplyHeader{Xid: h.Xid, Zxid: c.s.zxid.Load()}, committed, &proto.PathReply{Path: req.Path})
	})
}
