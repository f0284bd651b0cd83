package server

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/watch"
	"github.com/quorate/quorate/server/znode"
)

// readOne executes a request that only reads. The state is locked from before
// the tree is looked at until the reply is queued: so the watch that it may arm
// misses no change, no event of that watch can overtake the reply, and the
// reply's zxid is that of the state it was read from.
func (c *Conn) readOne(in incoming, h proto.RequestHeader) {
	s := c.s
	req, err := proto.DecodeRequest(h.Op, in.frame[requestHeaderBytes:])
	if again, ok := req.(*proto.SetWatchesRequest); ok && err == nil {
		in.rest = newRearming(again)
		c.rearm(in, h)
		return
	}
	s.state.RLock()
	var body proto.Record
	code := proto.ErrMarshalling
	if err == nil {
		body, code = c.execute(h.Op, req)
	}
	head := proto.ReplyHeader{Xid: h.Xid, Zxid: s.zxid.Load(), Err: code}
	t := c.queue(in, head, 0, body)
	s.state.RUnlock()
	c.after(t)
	c.refusedRead(h.Op, code)
}

// refusedRead says in the log which limit a read met, if it did.
func (c *Conn) refusedRead(op proto.OpCode, code proto.ErrCode) {
	s := c.s
	switch {
	case code != proto.ErrSystem:
	case op == proto.OpMultiRead:
		s.complain(slog.LevelWarn, "refused a multiRead: its results are too long together", "remote", c.remote,
			"session", sessionID(c.session), "limit", s.multiReadBytesMax())
	default:
		s.complain(slog.LevelWarn, "refused a read: too many watches on one connection", "remote", c.remote,
			"session", sessionID(c.session), "limit", s.cfg.WatchesMax)
	}
}

// execute runs a read and returns the body of its reply. The state is locked.
func (c *Conn) execute(op proto.OpCode, req proto.Record) (proto.Record, proto.ErrCode) {
	var body proto.Record
	var code proto.ErrCode
	switch r := req.(type) {
	case *proto.PathWatchRequest:
		switch op {
		case proto.OpExists:
			body, code = c.exists(r)
		case proto.OpGetData:
			body, code = c.getData(r)
		default:
			body, code = c.getChildren(r, op == proto.OpGetChildren2)
		}
	case *proto.PathRequest:
		if op == proto.OpGetACL {
			body, code = c.getACL(r.Path)
		} else {
			body, code = c.countDescendants(r.Path)
		}
	case *proto.MultiRequest:
		body, code = c.multiRead(r)
	case *proto.GetEphemeralsRequest:
		body = c.getEphemerals(r.PrefixPath)
	case *proto.Empty: // whoAmI
		body = c.whoAmI()
	case *proto.AddWatchRequest:
		body, code = c.addWatch(r)
	case *proto.WatchesRequest:
		code = c.changeWatches(op, r)
	default:
		code = proto.ErrUnimplemented
	}
	return body, code
}

// node finds a node that the connection may do perm to.
func (c *Conn) node(path string, perm int32) (znode.Node, proto.ErrCode) {
	n, ok := c.s.tree.Node(path)
	switch {
	case !ok:
		return n, proto.ErrNoNode
	case !c.s.allowed(n.ACL(), perm, c.ids):
		return n, proto.ErrNoAuth
	}
	return n, proto.OK
}

func (c *Conn) exists(r *proto.PathWatchRequest) (proto.Record, proto.ErrCode) {
	if strings.IndexByte(r.Path, 0) >= 0 {
		return nil, proto.ErrBadArguments
	}
	n, code := c.node(r.Path, proto.PermRead)
	if code == proto.ErrNoAuth {
		return nil, code
	}
	if r.Watch { // also for a node that is not there
		if code := c.arm((*watch.Manager[*Conn]).AddData, r.Path); code != proto.OK {
			return nil, code
		}
	}
	if code != proto.OK {
		return nil, code
	}
	c.measureRead(r.Path, 0)
	return &proto.StatReply{Stat: n.Stat()}, proto.OK
}

func (c *Conn) getData(r *proto.PathWatchRequest) (proto.Record, proto.ErrCode) {
	n, code := c.node(r.Path, proto.PermRead)
	if code == proto.OK && r.Watch {
		code = c.arm((*watch.Manager[*Conn]).AddData, r.Path)
	}
	if code != proto.OK {
		return nil, code
	}
	data := n.Data()
	c.measureRead(r.Path, len(data))
	return &proto.DataReply{Data: data, Stat: n.Stat()}, proto.OK
}

func (c *Conn) getChildren(r *proto.PathWatchRequest, withStat bool) (proto.Record, proto.ErrCode) {
	n, code := c.node(r.Path, proto.PermRead)
	if code == proto.OK && r.Watch {
		code = c.arm((*watch.Manager[*Conn]).AddChild, r.Path)
	}
	if code != proto.OK {
		return nil, code
	}
	children := n.Children()
	bytes := 0
	for _, name := range children {
		bytes += len(name)
	}
	c.measureRead(r.Path, bytes)
	if withStat {
		return &proto.Children2Reply{Children: children, Stat: n.Stat()}, proto.OK
	}
	return &proto.StringsReply{Strings: children}, proto.OK
}

func (c *Conn) getACL(path string) (proto.Record, proto.ErrCode) {
	n, code := c.node(path, proto.PermRead|proto.PermAdmin)
	if code != proto.OK {
		return nil, code
	}
	acl := n.ACL()
	if !c.s.allowed(acl, proto.PermAdmin, c.ids) {
		acl = znode.Mask(acl)
	}
	return &proto.ACLReply{ACL: acl, Stat: n.Stat()}, proto.OK
}

func (c *Conn) countDescendants(path string) (proto.Record, proto.ErrCode) {
	if _, code := c.node(path, proto.PermRead); code != proto.OK {
		return nil, code
	}
	return &proto.IntReply{Value: int32(c.s.tree.Descendants(path))}, proto.OK
}

// getEphemerals takes a prefix for none when nothing but control characters and
// spaces is around its slash, if there is one: as Java trims.
func (c *Conn) getEphemerals(prefix string) proto.Record {
	paths := c.s.tree.Ephemerals(c.session)
	if p := strings.TrimFunc(prefix, func(r rune) bool { return r <= ' ' }); p != "" && p != "/" {
		paths = slices.DeleteFunc(paths, func(path string) bool { return !strings.HasPrefix(path, prefix) })
	}
	return &proto.StringsReply{Strings: paths}
}

func (c *Conn) whoAmI() proto.Record {
	r := &proto.WhoAmIReply{}
	for _, id := range c.ids {
		r.Clients = append(r.Clients, proto.ClientInfo{Scheme: id.Scheme, User: znode.User(id)})
	}
	return r
}

// multiReadBytesMax limits the results of a multiRead: a short request may ask for
// a long node ten thousand times.
func (s *Server) multiReadBytesMax() int {
	return min(multiReadFactor*s.cfg.JuteMaxBuffer, s.cfg.OutputBytesMax)
}

// multiRead executes reads, each with a result of its own, all in one state.
func (c *Conn) multiRead(r *proto.MultiRequest) (proto.Record, proto.ErrCode) {
	resp := &proto.MultiResponse{Results: make([]proto.MultiResult, len(r.Ops))}
	room := c.s.multiReadBytesMax()
	for i, op := range r.Ops {
		res := &resp.Results[i]
		req := op.Request.(*proto.PathWatchRequest)
		n, code := c.node(req.Path, proto.PermRead)
		switch {
		case code != proto.OK:
			res.Type, res.Err = proto.OpError, code
		case op.Op == proto.OpGetData:
			res.Type, res.Data, res.Stat = op.Op, n.Data(), n.Stat()
			room -= len(res.Data)
		default:
			res.Type, res.Children = op.Op, n.Children()
			for _, name := range res.Children {
				room -= lengthBytes + len(name)
			}
		}
		if room < 0 {
			return nil, proto.ErrSystem
		}
	}
	return resp, proto.OK
}

// arm adds a watch, unless the connection is closing: its watches would stay
// for ever (ZOOKEEPER-1382). The state is locked.
func (c *Conn) arm(add func(*watch.Manager[*Conn], *Conn, string) error, path string) proto.ErrCode {
	s := c.s
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	if c.unwatched {
		return proto.OK
	}
	if add(s.watches, c, path) != nil {
		return proto.ErrSystem
	}
	return proto.OK
}

func (c *Conn) addWatch(r *proto.AddWatchRequest) (proto.Record, proto.ErrCode) {
	add := (*watch.Manager[*Conn]).AddPersistent
	switch r.Mode {
	case proto.AddWatchPersistent:
	case proto.AddWatchPersistentRecursive:
		add = (*watch.Manager[*Conn]).AddRecursive
	default:
		return nil, proto.ErrMarshalling
	}
	if code := c.arm(add, r.Path); code != proto.OK {
		return nil, code
	}
	return &proto.IntReply{}, proto.OK
}

func (c *Conn) changeWatches(op proto.OpCode, r *proto.WatchesRequest) proto.ErrCode {
	if !watch.ValidType(r.Type) {
		return proto.ErrMarshalling
	}
	s := c.s
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	var had bool
	if op == proto.OpCheckWatches {
		had = s.watches.Has(c, r.Path, r.Type)
	} else {
		had = s.watches.Remove(c, r.Path, r.Type)
	}
	if !had {
		return proto.ErrNoWatcher
	}
	return proto.OK
}
