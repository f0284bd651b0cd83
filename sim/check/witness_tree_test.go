package check_test

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/znode"
)

// policy is that of a server on which nothing is configured.
var policy znode.Policy

// read executes what changes nothing.
func (l *townLine) read(code proto.OpCode, req proto.Record) (proto.Record, proto.ErrCode) {
	t := l.server.tree
	switch r := req.(type) {
	case *proto.PathWatchRequest:
		return l.readPath(code, r)
	case *proto.PathRequest:
		if code == proto.OpGetACL {
			n, e := l.node(r.Path, proto.PermRead|proto.PermAdmin)
			if e != proto.OK {
				return nil, e
			}
			acl := n.ACL()
			if !policy.Check(acl, proto.PermAdmin, l.ids) {
				acl = znode.Mask(acl)
			}
			return &proto.ACLReply{ACL: acl, Stat: n.Stat()}, proto.OK
		}
		_, e := l.node(r.Path, proto.PermRead)
		return &proto.IntReply{Value: int32(t.Descendants(r.Path))}, e
	case *proto.MultiRequest:
		return l.multiRead(r)
	case *proto.GetEphemeralsRequest:
		paths := slices.DeleteFunc(t.Ephemerals(l.conn.Session), func(p string) bool { return !strings.HasPrefix(p, r.PrefixPath) })
		return &proto.StringsReply{Strings: paths}, proto.OK
	case *proto.AddWatchRequest:
		if r.Mode == proto.AddWatchPersistent {
			_ = l.server.watches.AddPersistent(l, r.Path)
		} else {
			_ = l.server.watches.AddRecursive(l, r.Path)
		}
		return &proto.IntReply{}, proto.OK
	case *proto.WatchesRequest:
		had := false
		if code == proto.OpCheckWatches {
			had = l.server.watches.Has(l, r.Path, r.Type)
		} else {
			had = l.server.watches.Remove(l, r.Path, r.Type)
		}
		if !had {
			return nil, proto.ErrNoWatcher
		}
		return nil, proto.OK
	case *proto.SetWatchesRequest:
		l.setWatches(r)
	case *proto.SASLRequest:
		return &proto.SASLReply{}, proto.OK
	}
	if code == proto.OpWhoAmI {
		reply := &proto.WhoAmIReply{}
		for _, id := range l.ids {
			reply.Clients = append(reply.Clients, proto.ClientInfo{Scheme: id.Scheme, User: znode.User(id)})
		}
		return reply, proto.OK
	}
	return nil, proto.OK
}

func (l *townLine) node(path string, perm int32) (znode.Node, proto.ErrCode) {
	n, ok := l.server.tree.Node(path)
	switch {
	case !ok:
		return n, proto.ErrNoNode
	case !policy.Check(n.ACL(), perm, l.ids):
		return n, proto.ErrNoAuth
	}
	return n, proto.OK
}

func (l *townLine) readPath(code proto.OpCode, r *proto.PathWatchRequest) (proto.Record, proto.ErrCode) {
	n, e := l.node(r.Path, proto.PermRead)
	m := l.server.watches
	if r.Watch && (e == proto.OK || code == proto.OpExists && e == proto.ErrNoNode) {
		if code == proto.OpExists || code == proto.OpGetData {
			_ = m.AddData(l, r.Path)
		} else {
			_ = m.AddChild(l, r.Path)
		}
	}
	if e != proto.OK {
		return nil, e
	}
	switch code {
	case proto.OpExists:
		return &proto.StatReply{Stat: n.Stat()}, e
	case proto.OpGetData:
		return &proto.DataReply{Data: n.Data(), Stat: n.Stat()}, e
	case proto.OpGetChildren2:
		return &proto.Children2Reply{Children: n.Children(), Stat: n.Stat()}, e
	}
	return &proto.StringsReply{Strings: n.Children()}, e
}

func (l *townLine) multiRead(r *proto.MultiRequest) (proto.Record, proto.ErrCode) {
	out := &proto.MultiResponse{}
	for _, part := range r.Ops {
		n, e := l.node(part.Request.(*proto.PathWatchRequest).Path, proto.PermRead)
		switch {
		case e != proto.OK:
			out.Results = append(out.Results, proto.MultiResult{Type: proto.OpError, Err: e})
		case part.Op == proto.OpGetData:
			out.Results = append(out.Results, proto.MultiResult{Type: part.Op, Data: n.Data(), Stat: n.Stat()})
		default:
			out.Results = append(out.Results, proto.MultiResult{Type: part.Op, Children: n.Children()})
		}
	}
	return out, proto.OK
}

func (l *townLine) setWatches(r *proto.SetWatchesRequest) {
	m, t := l.server.watches, l.server.tree
	for _, path := range r.Data {
		switch n, ok := t.Node(path); {
		case !ok:
			l.event(-1, proto.EventNodeDeleted, path, nil)
		case n.Stat().Mzxid > r.RelativeZxid:
			l.event(-1, proto.EventNodeDataChanged, path, nil)
		default:
			_ = m.AddData(l, path)
		}
	}
	for _, path := range r.Exist {
		if _, ok := t.Node(path); ok {
			l.event(-1, proto.EventNodeCreated, path, nil)
		} else {
			_ = m.AddData(l, path)
		}
	}
	for _, path := range r.Child {
		switch n, ok := t.Node(path); {
		case !ok:
			l.event(-1, proto.EventNodeDeleted, path, nil)
		case n.Stat().Pzxid > r.RelativeZxid:
			l.event(-1, proto.EventNodeChildrenChanged, path, nil)
		default:
			_ = m.AddChild(l, path)
		}
	}
	for _, path := range r.Persistent {
		_ = m.AddPersistent(l, path)
	}
	for _, path := range r.PersistentRecursive {
		_ = m.AddRecursive(l, path)
	}
}
