package check_test

import (
	"fmt"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/znode"
	"github.com/quorate/quorate/sim/check"
)

// townClient sends whatever comes to its mind.
type townClient struct {
	town    *town
	no      int
	line    *townLine
	session int64
	seen    ensemble.Zxid
	xid     int32
	restart bool // counts from 1 on every connection, as kazoo does
	waiting int
	simple  bool   // has one-shot watches only
	watched string // the last path
}

// act does something: connect, send, hang up.
func (c *townClient) act() {
	w := c.town
	switch {
	case c.line == nil:
		c.connect()
	case c.line.conn.Answered == 0:
		if w.IntN(20) == 0 {
			c.line.hangUp(true)
		}
	case w.IntN(60) == 0:
		c.line.hangUp(true)
	case c.waiting < 6:
		c.request()
	}
}

func (c *townClient) connect() {
	w := c.town
	l := &townLine{town: w, client: c, server: w.servers[w.IntN(len(w.servers))]}
	order, at := w.tick()
	l.conn = &check.Conn{
		Client: c.no, Conn: len(w.h.Conns) + 1, Server: l.server.id, Asked: c.session, Seen: c.seen, TimeoutMs: 4000,
		Opened: order, OpenedAt: at, WrongPassword: c.session != 0 && w.IntN(20) == 0, Address: c.address(),
	}
	l.ids = []proto.ID{{Scheme: "ip", ID: c.address()}}
	if c.restart {
		c.xid = 0
	}
	c.waiting = 0
	w.h.Conns = append(w.h.Conns, l.conn)
	w.lines = append(w.lines, l)
	c.line = l
	l.up, l.queued = []func(){l.connect}, []*check.Op{nil}
}

// address is the client's, the same on all its connections.
func (c *townClient) address() string { return fmt.Sprintf("10.0.0.%d", c.no) }

func (c *townClient) answered(op *check.Op) { c.waiting-- }

func (c *townClient) send(code proto.OpCode, req proto.Record) {
	l := c.line
	c.xid++
	xid := c.xid
	if code == proto.OpPing {
		xid = proto.XidPing
	}
	order, at := c.town.tick()
	op := &check.Op{
		Client: c.no, Conn: l.conn.Conn, Server: l.server.id, Session: l.conn.Session, Xid: xid,
		Code: code, Request: req, Sent: order, SentAt: at,
	}
	c.town.h.Ops = append(c.town.h.Ops, op)
	c.waiting++
	l.up = append(l.up, func() { l.execute(op) })
	l.queued = append(l.queued, op)
}

func oneOf[T any](w *town, from ...T) T { return from[w.IntN(len(from))] }

func (w *town) path() string {
	return oneOf(w, "/a", "/a", "/a", "/b", "/b", "/c", "/a/x", "/a/x", "/a/y", "/a/x/1", "/b/z", "/e", "/e/f",
		"/", "/none/x", "/a/s0000000001", "/zookeeper/config")
}

// quota returns a write that has to do with a quota.
func (w *town) quota() (proto.OpCode, proto.Record) {
	dir := "/zookeeper/quota" + oneOf(w, "/a", "/a", "/a/x", "/e")
	create := func(path, data string) (proto.OpCode, proto.Record) {
		return oneOf(w, proto.OpCreate, proto.OpCreate2), &proto.CreateRequest{Path: path, Data: []byte(data), ACL: proto.OpenACL}
	}
	limits, stats := dir+"/zookeeper_limits", dir+"/zookeeper_stats"
	text := fmt.Sprintf("count=2,bytes=-1=;byteHardLimit=%d;countHardLimit=%d", 20*w.IntN(3)-1, w.IntN(6)-1)
	switch w.IntN(12) {
	case 0, 1, 2:
		return create(dir, "")
	case 3, 4, 5:
		return create(limits, text)
	case 6, 7, 8:
		return create(stats, "count=0,bytes=0")
	case 9:
		return proto.OpDelete, &proto.PathVersionRequest{Path: oneOf(w, limits, stats), Version: -1}
	}
	return proto.OpSetData, &proto.SetDataRequest{Path: oneOf(w, limits, stats), Data: []byte(text), Version: -1}
}

func (w *town) version() int32 { return oneOf[int32](w, -1, -1, -1, -1, 0, 1, 2) }

func (w *town) data() []byte {
	return oneOf(w, nil, []byte{}, []byte("x"), fmt.Appendf(nil, "d%d", w.order), fmt.Appendf(nil, "d%d", w.order))
}

func (w *town) acl() []proto.ACL {
	auth := []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}}
	mixed := []proto.ACL{
		{Perms: proto.PermAll, ID: znode.DigestID("u", "1")}, {Perms: proto.PermRead, ID: proto.ID{Scheme: "world", ID: "anyone"}},
	}
	if w.IntN(11) > 0 {
		return proto.OpenACL
	}
	one := func(scheme, id string) []proto.ACL {
		return []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: scheme, ID: id}}}
	}
	near, nearby := one("ip", "10.0.0.1"), one("ip", "10.0.0.2/31")
	return oneOf(w, auth, mixed, nil, one("world", "me"), near, near, near, nearby, nearby, one("ip", "10.0.0.1/40"), one("ip", "1.2.3"))
}

// change returns a write that may be part of a multi.
func (w *town) change(inMulti bool) (proto.OpCode, proto.Record) {
	if w.IntN(20) == 0 {
		return w.quota()
	}
	switch n := w.IntN(20); {
	case n < 9:
		path, flags := w.path(), oneOf[int32](w, 0, 0, 0, 0, 1, 1, 2, 3)
		if flags >= 2 {
			path = oneOf(w, "/a/s", "/b/", "/q")
		}
		r := &proto.CreateRequest{Path: path, Data: w.data(), ACL: w.acl(), Flags: flags}
		return oneOf(w, proto.OpCreate, proto.OpCreate2, proto.OpCreate2, proto.OpCreateContainer), r
	case n < 12:
		return proto.OpDelete, &proto.PathVersionRequest{Path: w.path(), Version: w.version()}
	case n < 18:
		return proto.OpSetData, &proto.SetDataRequest{Path: w.path(), Data: w.data(), Version: w.version()}
	case inMulti:
		return proto.OpCheck, &proto.PathVersionRequest{Path: w.path(), Version: w.version()}
	case n == 18:
		return proto.OpCreateTTL, &proto.CreateTTLRequest{
			CreateRequest: proto.CreateRequest{Path: w.path(), ACL: proto.OpenACL, Flags: oneOf[int32](w, 0, 5, 5, 5, 6)}, TTLMillis: oneOf[int64](w, 0, 5, 50, 500, 1<<39, 1<<39, 1<<40),
		}
	}
	return proto.OpSetACL, &proto.SetACLRequest{Path: w.path(), ACL: w.acl(), Version: w.version()}
}

// request sends some request.
func (c *townClient) request() {
	w := c.town
	path := &proto.PathRequest{Path: w.path()}
	watched := &proto.PathWatchRequest{Path: w.path(), Watch: w.IntN(2) == 0}
	if w.IntN(25) == 0 {
		watched.Path = "/zookeeper/quota/a/zookeeper_stats"
	}
	if watched.Watch {
		c.watched = watched.Path
	}
	switch n := w.IntN(200); {
	case c.simple && n >= 170 && n < 191:
		c.send(proto.OpRemoveWatches, &proto.WatchesRequest{Path: c.watched, Type: 1 + int32(w.IntN(3))})
	case n < 75:
		c.send(w.change(false))
	case n < 90:
		m := &proto.MultiRequest{}
		for range w.IntN(4) {
			op, req := w.change(true)
			m.Ops = append(m.Ops, proto.MultiOp{Op: op, Request: req})
		}
		c.send(proto.OpMulti, m)
	case n < 150:
		c.send(oneOf(w, proto.OpExists, proto.OpExists, proto.OpGetData, proto.OpGetData, proto.OpGetChildren, proto.OpGetChildren2), watched)
	case n < 158:
		c.send(proto.OpSync, path)
	case n < 163:
		c.send(oneOf(w, proto.OpGetACL, proto.OpGetAllChildrenNumber), path)
	case n < 166:
		c.send(proto.OpGetEphemerals, &proto.GetEphemeralsRequest{PrefixPath: oneOf(w, "", "/", "/a")})
	case n < 170:
		c.send(proto.OpMultiRead, &proto.MultiRequest{Reads: true, Ops: []proto.MultiOp{
			{Op: proto.OpGetData, Request: &proto.PathWatchRequest{Path: w.path()}},
			{Op: proto.OpGetChildren, Request: &proto.PathWatchRequest{Path: w.path()}},
		}})
	case n < 177:
		c.send(proto.OpAddWatch, &proto.AddWatchRequest{Path: w.path(), Mode: oneOf[int32](w, 0, 1)})
	case n < 184:
		c.send(oneOf(w, proto.OpCheckWatches, proto.OpRemoveWatches, proto.OpRemoveWatches), &proto.WatchesRequest{Path: w.path(), Type: 1 + int32(w.IntN(5))})
	case n < 191:
		c.send(proto.OpSetWatches2, &proto.SetWatchesRequest{
			RelativeZxid: int64(c.seen) - int64(w.IntN(20)), Extended: true,
			Data: []string{w.path(), w.path()}, Exist: []string{w.path()}, Child: []string{w.path(), w.path()},
			Persistent: []string{w.path()}[:w.IntN(2)], PersistentRecursive: []string{w.path()}[:w.IntN(2)],
		})
	case n < 194:
		c.send(proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: fmt.Appendf(nil, "u:%d", 1+w.IntN(2))})
	case n < 198:
		c.send(proto.OpPing, nil)
	case n == 198:
		switch w.IntN(8) {
		case 0:
			c.send(proto.OpReconfig, &proto.ReconfigRequest{})
		case 1:
			c.send(proto.OpCheck, &proto.PathVersionRequest{Path: "/a"})
		case 2:
			c.send(proto.OpAuth, &proto.AuthRequest{Scheme: "nobody"})
		case 3:
			c.send(oneOf(w, proto.OpDeleteContainer, proto.OpCode(999), proto.OpCreateSession), nil)
		case 4:
			c.send(proto.OpSASL, &proto.SASLRequest{Token: []byte("me")})
		default:
			c.send(proto.OpWhoAmI, nil)
		}
	default:
		if w.IntN(3) == 0 {
			c.send(proto.OpCloseSession, nil)
		}
	}
}
