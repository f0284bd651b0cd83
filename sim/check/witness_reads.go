package check

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/server/proto"
)

// hearRead judges the reply to a request that changes nothing, in the state that
// its zxid names, and arms the watch that it asked for.
func (w *witness) hearRead(l *line, op *Op) {
	ids := l.idsAt(op.Sent)
	switch r := op.Request.(type) {
	case *proto.PathWatchRequest:
		w.hearPath(l, op, r, ids)
	case *proto.PathRequest:
		switch op.Code {
		case proto.OpSync:
			w.hearSync(op, r)
		case proto.OpGetACL:
			w.hearACL(op, r, ids)
		default:
			w.hearCount(op, r, ids)
		}
	case *proto.MultiRequest:
		w.hearMultiRead(op, r, ids)
	case *proto.GetEphemeralsRequest:
		w.hearEphemerals(l, op, r)
	case *proto.SetWatchesRequest:
		w.hearSetWatches(l, op, r)
	case *proto.AddWatchRequest:
		w.hearAddWatch(l, op, r)
	case *proto.WatchesRequest:
		w.hearWatches(l, op, r)
	case *proto.AuthRequest:
		code := proto.OK
		if r.Scheme != "digest" && r.Scheme != "ip" {
			code = proto.ErrAuthFailed
		}
		w.expect(op, code, invC6)
	case *proto.SASLRequest: // these servers know no mechanism
		if reply, ok := op.Reply.(*proto.SASLReply); w.expect(op, proto.OK, invC6) && (!ok || reply.Token != nil) {
			w.fail(invC6, op.where(), "%s was answered with %+v and should be with no token", op.name(), op.Reply)
		}
	default: // ping and whoAmI are of no state
		if w.expect(op, proto.OK, invC6) && op.Code == proto.OpWhoAmI {
			w.hearWhoAmI(l, op, ids)
		}
	}
}

// hearWhoAmI judges whoAmI: the address, then who the client has shown to be, the
// name without the proof.
func (w *witness) hearWhoAmI(l *line, op *Op, ids []proto.ID) {
	var want, got []proto.ClientInfo
	for _, id := range ids {
		user := id.ID
		if id.Scheme == "digest" {
			user, _, _ = strings.Cut(id.ID, ":")
		}
		want = append(want, proto.ClientInfo{Scheme: id.Scheme, User: user})
	}
	if reply, ok := op.Reply.(*proto.WhoAmIReply); ok {
		got = reply.Clients
	}
	if l.Address == "" {
		got = slices.DeleteFunc(slices.Clone(got), func(c proto.ClientInfo) bool { return c.Scheme == "ip" })
	}
	if !slices.Equal(got, want) {
		w.fail(invC6, op.where(), "%s was answered with %v; the client is %v", op.name(), got, want)
	}
}

// find returns the node at a path, if somebody with these identities may read it.
func (w *witness) find(path string, perm int32, ids []proto.ID) (*znode, proto.ErrCode) {
	n := w.model.node(path)
	switch {
	case n == nil:
		return nil, proto.ErrNoNode
	case !permitted(n.acl, perm, ids):
		return nil, proto.ErrNoAuth
	}
	return n, proto.OK
}

// hearPath judges exists, getData, getChildren and getChildren2.
func (w *witness) hearPath(l *line, op *Op, r *proto.PathWatchRequest, ids []proto.ID) {
	n, want := w.find(r.Path, proto.PermRead, ids)
	if op.Code == proto.OpExists && strings.Contains(r.Path, "\x00") {
		want = proto.ErrBadArguments
	}
	if r.Watch && w.refusedWatch(l, op) {
		return
	}
	defer w.armRead(l, op, r)
	w.count(invC6)
	if op.Err != want {
		w.wrongCode(op, r.Path, want)
		return
	}
	if want != proto.OK {
		return
	}
	switch reply := op.Reply.(type) {
	case *proto.StatReply:
		if op.Code == proto.OpExists {
			w.compareNode(op, r.Path, n, reply.Stat)
			return
		}
	case *proto.DataReply:
		if op.Code == proto.OpGetData {
			w.compareData(op, r.Path, n, reply.Data, reply.Stat)
			return
		}
	case *proto.StringsReply:
		if op.Code == proto.OpGetChildren {
			w.compareChildren(op, r.Path, n, reply.Strings)
			return
		}
	case *proto.Children2Reply:
		if op.Code == proto.OpGetChildren2 {
			w.compareChildren(op, r.Path, n, reply.Children)
			w.compareNode(op, r.Path, n, reply.Stat)
			return
		}
	}
	w.fail(invC6, op.where(), "%s was answered with a body of type %T", op.name(), op.Reply)
}

// wrongCode reports a read that has another code than it should. A node that is
// shown and is not there may be one that came back from the dead.
func (w *witness) wrongCode(op *Op, path string, want proto.ErrCode) {
	if stat, ok := statOf(op.Reply); ok && want == proto.ErrNoNode && op.Err == proto.OK && w.undead(op, path, stat) {
		return
	}
	w.fail(invC6, op.where(), "%s at %s was answered with %v; in this state it is %v", op.name(), op.Zxid, op.Err, want)
}

func statOf(reply proto.Record) (proto.Stat, bool) {
	switch r := reply.(type) {
	case *proto.StatReply:
		return r.Stat, true
	case *proto.DataReply:
		return r.Stat, true
	case *proto.Children2Reply:
		return r.Stat, true
	case *proto.ACLReply:
		return r.Stat, true
	}
	return proto.Stat{}, false
}

// undead reports whether a Stat is of a node that was deleted (S4), or of an
// ephemeral whose session is over (S3).
func (w *witness) undead(op *Op, path string, stat proto.Stat) bool {
	gone := w.model.gone[birth{path, stat.Czxid}]
	if gone {
		w.fail(invS4, op.where(), "%s at %s shows the node that %#x created, which is deleted", op.name(), op.Zxid, stat.Czxid)
	}
	orphan := stat.EphemeralOwner != 0 && !w.model.live[stat.EphemeralOwner]
	if orphan {
		w.fail(invS3, op.where(), "%s at %s shows an ephemeral of session 0x%x, which does not live", op.name(), op.Zxid, uint64(stat.EphemeralOwner))
	}
	return gone || orphan
}

// compareNode compares the Stat of a node that is there.
func (w *witness) compareNode(op *Op, path string, n *znode, got proto.Stat) {
	if path == configPath {
		w.learnConfig(n, got, nil)
	}
	want := n.stat()
	if got != want && (got.Czxid != want.Czxid || got.EphemeralOwner != want.EphemeralOwner) && w.undead(op, path, got) {
		return
	}
	w.compareStat(op, path, got, want)
}

// compareData compares the content of a node that is there. If that is an
// earlier or a later one, with the Stat that belongs to it, it is one fault and
// not two.
func (w *witness) compareData(op *Op, path string, n *znode, data []byte, stat proto.Stat) {
	if path == configPath {
		w.learnConfig(n, stat, data)
	}
	w.count(invC6)
	if stat.Czxid != n.czxid && w.undead(op, path, stat) {
		return
	}
	if !sameData(data, n.data) {
		if _, stats, ok := quotaOf(path); ok && stats && isStats(n.data) {
			w.fail(invT10, op.where(), "%s at %s: the stats are %q and should be %q", op.name(), op.Zxid, data, n.data)
		}
		w.fail(invC6, op.where(), "%s at %s: the data is %q (version %d) and should be %q (version %d)",
			op.name(), op.Zxid, data, stat.Version, n.data, n.version)
		return
	}
	if isStats(data) {
		w.count(invT10)
	}
	w.compareNode(op, path, n, stat)
}

// learnConfig takes the content of /zookeeper/config from the first replies that
// have it; data may be nil. Servers write it by themselves, the same on all.
func (w *witness) learnConfig(n *znode, stat proto.Stat, data []byte) {
	m := w.model
	if !m.configStat {
		n.version, n.mzxid, n.data = stat.Version, stat.Mzxid, make([]byte, stat.DataLength)
		m.configStat = true
	}
	if !m.configData && data != nil && len(data) == len(n.data) {
		n.data = data
		m.configData = true
	}
}

func (w *witness) compareChildren(op *Op, path string, n *znode, got []string) {
	w.count(invC6)
	last, sorted := "", true
	same := len(got) == len(n.children)
	for i, name := range got {
		same = same && n.children[name]
		sorted = sorted && (i == 0 || name > last)
		last = name
	}
	if same && !sorted { // then one may stand twice
		same = len(slices.Compact(slices.Sorted(slices.Values(got)))) == len(got)
	}
	if !same {
		w.fail(invC6, op.where(), "%s at %s: the children are %q and should be %q", op.name(), op.Zxid, got, n.names())
	}
}

func (w *witness) hearSync(op *Op, r *proto.PathRequest) {
	reply, ok := op.Reply.(*proto.PathReply)
	if w.expect(op, proto.OK, invC6) && (!ok || reply.Path != r.Path) {
		w.fail(invC6, op.where(), "%s was answered with %+v and should repeat its path", op.name(), op.Reply)
	}
}

// hearACL judges getACL. Who may not administer the node sees no digests.
func (w *witness) hearACL(op *Op, r *proto.PathRequest, ids []proto.ID) {
	n, want := w.find(r.Path, proto.PermRead|proto.PermAdmin, ids)
	w.count(invT7)
	if op.Err != want {
		w.wrongCode(op, r.Path, want)
		return
	}
	if want != proto.OK {
		return
	}
	reply, ok := op.Reply.(*proto.ACLReply)
	if !ok {
		w.fail(invC6, op.where(), "%s was answered with a body of type %T", op.name(), op.Reply)
		return
	}
	acl := n.acl
	if !permitted(acl, proto.PermAdmin, ids) {
		acl = masked(acl)
	}
	if !slices.Equal(reply.ACL, acl) {
		w.fail(invT7, op.where(), "%s at %s: the ACL is %v and should be %v", op.name(), op.Zxid, reply.ACL, acl)
		return
	}
	w.compareNode(op, r.Path, n, reply.Stat)
}

// hearCount judges getAllChildrenNumber.
func (w *witness) hearCount(op *Op, r *proto.PathRequest, ids []proto.ID) {
	_, want := w.find(r.Path, proto.PermRead, ids)
	if !w.expect(op, want, invT7) || want != proto.OK {
		return
	}
	reply, ok := op.Reply.(*proto.IntReply)
	if n := int32(w.model.descendants(r.Path)); !ok || reply.Value != n {
		w.fail(invT7, op.where(), "%s at %s was answered with %+v and should be %d", op.name(), op.Zxid, op.Reply, n)
	}
}

func (w *witness) hearMultiRead(op *Op, r *proto.MultiRequest, ids []proto.ID) {
	for _, part := range r.Ops {
		if part.Op != proto.OpGetData && part.Op != proto.OpGetChildren {
			w.expect(op, proto.ErrMarshalling, invC6)
			return
		}
	}
	if !w.expect(op, proto.OK, invC6) {
		return
	}
	reply, ok := op.Reply.(*proto.MultiResponse)
	if !ok {
		w.fail(invC6, op.where(), "%s was answered with a body of type %T", op.name(), op.Reply)
		return
	}
	want := make([]proto.MultiResult, len(r.Ops))
	for i, part := range r.Ops {
		path := pathOf(part.Request)
		n, code := w.find(path, proto.PermRead, ids)
		if path == configPath && i < len(reply.Results) && reply.Results[i].Type == proto.OpGetData {
			w.learnConfig(n, reply.Results[i].Stat, reply.Results[i].Data)
		}
		switch {
		case code != proto.OK:
			want[i] = proto.MultiResult{Type: proto.OpError, Err: code}
		case part.Op == proto.OpGetData:
			want[i] = proto.MultiResult{Type: part.Op, Data: n.data, Stat: n.stat()}
		default:
			want[i] = proto.MultiResult{Type: part.Op, Children: n.names()}
		}
	}
	w.compareMulti(op, reply.Results, want)
}

// hearEphemerals judges getEphemerals: those of the own session whose path
// begins with the prefix, as a text.
func (w *witness) hearEphemerals(l *line, op *Op, r *proto.GetEphemeralsRequest) {
	var want []string
	prefix := strings.TrimFunc(r.PrefixPath, func(r rune) bool { return r <= ' ' })
	all := prefix == "" || prefix == "/"
	for _, path := range w.model.ephemerals(l.Session) {
		if all || strings.HasPrefix(path, r.PrefixPath) {
			want = append(want, path)
		}
	}
	if !w.expect(op, proto.OK, invC6) {
		return
	}
	if reply, ok := op.Reply.(*proto.StringsReply); !ok || !sameNames(reply.Strings, want) {
		w.fail(invC6, op.where(), "%s at %s was answered with %+v; the session's ephemerals are %q", op.name(), op.Zxid, op.Reply, want)
	}
}
