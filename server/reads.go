package server

import (
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/mutant"
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
	s.state.RLock()
	var body proto.Record
	code, events := proto.ErrMarshalling, todo(0)
	if err == nil {
		body, code, events = c.execute(h.Op, req)
	}
	head := proto.ReplyHeader{Xid: h.Xid, Zxid: s.zxid.Load(), Err: code}
	t := c.queue(in, head, 0, body)
	s.state.RUnlock()
	c.after(t | events)
	switch {
	case code != proto.ErrSystem:
	case h.Op == proto.OpMultiRead:
		s.complain(slog.LevelWarn, "refused a multiRead: its results are too long together", "remote", c.remote,
			"session", sessionID(c.session), "limit", s.multiReadBytesMax())
	default:
		s.complain(slog.LevelWarn, "refused a read: too many watches on one connection", "remote", c.remote,
			"session", sessionID(c.session), "limit", s.cfg.WatchesMax)
	}
}

// execute runs a read and returns the body of its reply. The state is locked.
func (c *Conn) execute(op proto.OpCode, req proto.Record) (proto.Record, proto.ErrCode, todo) {
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
	case *proto.SetWatchesRequest:
		events, err := c.setWatches(r)
		return nil, err, events
	case *proto.AddWatchRequest:
		body, code = c.addWatch(r)
	case *proto.WatchesRequest:
		code = c.changeWatches(op, r)
	default:
		code = proto.ErrUnimplemented
	}
	return body, code, 0
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
	c.s.measureRead(r.Path, 0)
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
	c.s.measureRead(r.Path, len(data))
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
	c.s.measureRead(r.Path, bytes)
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

func (c *Conn) getEphemerals(prefix string) proto.Record {
	paths := c.s.tree.Ephemerals(c.session)
	if p := strings.TrimSpace(prefix); p != "" && p != "/" {
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

// errFired stands for a watch that setWatches fires at once instead of arming it.
var errFired = errors.New("fired")

// setWatches arms again what the client watched before it lost its connection,
// and tells it what it missed since the state it had seen last (spec
// client-protocol 3.5). The state is locked.
func (c *Conn) setWatches(r *proto.SetWatchesRequest) (todo, proto.ErrCode) {
	type manager = watch.Manager[*Conn]
	var t todo
	seen := r.RelativeZxid
	if mutant.On(mutant.M30) {
		seen--
	}
	fire := func(e proto.EventType, path string) error {
		t |= c.send(proto.AppendEvent(nil, -1, e, path), nil)
		return errFired
	}
	lists := []struct {
		paths []string
		add   func(*manager, *Conn, string) error
		rule  func(path string, n znode.Node, there bool) error // errFired, or nil to arm
	}{
		{r.Data, (*manager).AddData, func(path string, n znode.Node, there bool) error {
			if !there {
				return fire(proto.EventNodeDeleted, path)
			}
			if n.Stat().Mzxid > seen {
				return fire(proto.EventNodeDataChanged, path)
			}
			return nil
		}},
		{r.Exist, (*manager).AddData, func(path string, n znode.Node, there bool) error {
			if there {
				return fire(proto.EventNodeCreated, path)
			}
			return nil
		}},
		{r.Child, (*manager).AddChild, func(path string, n znode.Node, there bool) error {
			if !there {
				return fire(proto.EventNodeDeleted, path)
			}
			if n.Stat().Pzxid > seen {
				return fire(proto.EventNodeChildrenChanged, path)
			}
			return nil
		}},
		{r.Persistent, (*manager).AddPersistent, nil},
		{r.PersistentRecursive, (*manager).AddRecursive, nil},
	}
	for _, list := range lists {
		for _, path := range list.paths {
			if list.rule != nil {
				n, there := c.s.tree.Node(path)
				if list.rule(path, n, there) != nil {
					continue
				}
			}
			if code := c.arm(list.add, path); code != proto.OK {
				return t, code
			}
		}
	}
	return t, proto.OK
}
