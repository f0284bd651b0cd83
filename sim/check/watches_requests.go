package check

import (
	"slices"

	"github.com/quorate/quorate/server/proto"
)

// armRead arms the watch of a read that was answered. The reply's code decides:
// what is wrong with that is reported elsewhere.
func (w *witness) armRead(l *line, op *Op, r *proto.PathWatchRequest) {
	if !r.Watch {
		return
	}
	switch op.Code {
	case proto.OpExists:
		if op.Err == proto.OK || op.Err == proto.ErrNoNode {
			w.arm(l, r.Path, watchData)
		}
	case proto.OpGetData:
		if op.Err == proto.OK {
			w.arm(l, r.Path, watchData)
		}
	default:
		if op.Err == proto.OK {
			w.arm(l, r.Path, watchChildren)
		}
	}
}

func (w *witness) hearAddWatch(l *line, op *Op, r *proto.AddWatchRequest) {
	mode, want := watchPersistent, proto.OK
	switch r.Mode {
	case proto.AddWatchPersistent:
	case proto.AddWatchPersistentRecursive:
		mode = watchRecursive
	default:
		want = proto.ErrMarshalling
	}
	if w.refusedWatch(l, op) || !w.expect(op, want, invC6) || want != proto.OK {
		return
	}
	if reply, ok := op.Reply.(*proto.IntReply); !ok || reply.Value != 0 {
		w.fail(invC6, op.where(), "%s was answered with %+v and should be 0", op.name(), op.Reply)
	}
	w.arm(l, r.Path, mode)
}

// refusedWatch reports whether the server had no room for a watch: then nothing
// can be said about the events of the connection any more.
func (w *witness) refusedWatch(l *line, op *Op) bool {
	l.blind = l.blind || op.Err == proto.ErrSystem
	return op.Err == proto.ErrSystem
}

// selection returns what a type of checkWatches and removeWatches stands for.
func selection(kind int32) (mode watchMode, ok bool) {
	switch kind {
	case proto.WatcherChildren:
		return watchChildren, true
	case proto.WatcherData:
		return watchData, true
	case proto.WatcherAny:
		return watchData | watchChildren | watchPersistent | watchRecursive, true
	case proto.WatcherPersistent:
		return watchPersistent, true
	case proto.WatcherPersistentRecursive:
		return watchRecursive, true
	}
	return 0, false
}

// hearWatches judges checkWatches and removeWatches: W7.
func (w *witness) hearWatches(l *line, op *Op, r *proto.WatchesRequest) {
	mode, ok := selection(r.Type)
	if l.blind {
		return
	}
	if !ok {
		w.expect(op, proto.ErrMarshalling, invC6)
		return
	}
	path := r.Path
	if path == "" {
		path = rootPath
	}
	want := proto.OK
	if w.modeAt(l, path)&mode == 0 {
		want = proto.ErrNoWatcher
	}
	w.expect(op, want, invW7)
	if op.Code == proto.OpRemoveWatches && op.Err == proto.OK {
		w.disarm(l, path, mode)
		l.silent = append(l.silent, path)
	}
}

// hearSetWatches judges what a setWatches made of the client's lists, the events
// before its reply included: W5.
func (w *witness) hearSetWatches(l *line, op *Op, r *proto.SetWatchesRequest) {
	got := l.synth
	l.synth = nil
	if w.refusedWatch(l, op) || !w.expect(op, proto.OK, invC6) {
		return
	}
	var want []event
	settle := func(path string, kind proto.EventType, mode watchMode) {
		w.count(invW5)
		if kind == 0 {
			w.arm(l, path, mode)
		} else {
			want = append(want, event{zxid: -1, kind: kind, path: path})
		}
	}
	for _, path := range r.Data {
		settle(path, caughtUp(w.model.node(path), func(n *znode) bool { return n.mzxid > r.RelativeZxid }, proto.EventNodeDataChanged), watchData)
	}
	for _, path := range r.Exist {
		kind := proto.EventType(0)
		if w.model.node(path) != nil {
			kind = proto.EventNodeCreated
		}
		settle(path, kind, watchData)
	}
	for _, path := range r.Child {
		settle(path, caughtUp(w.model.node(path), func(n *znode) bool { return n.pzxid > r.RelativeZxid }, proto.EventNodeChildrenChanged), watchChildren)
	}
	for _, path := range r.Persistent {
		settle(path, 0, watchPersistent)
	}
	for _, path := range r.PersistentRecursive {
		settle(path, 0, watchRecursive)
	}
	for _, n := range got {
		i := slices.IndexFunc(want, func(e event) bool { return e.is(n) })
		if i < 0 {
			w.fail(invW5, w.seen(n), "connection %d got %s of %s from %s at %s, and nothing of the kind happened since 0x%x",
				l.Conn.Conn, n.Type, n.Path, op.name(), op.Zxid, uint64(r.RelativeZxid))
			continue
		}
		want = slices.Delete(want, i, i+1)
	}
	for _, e := range want {
		w.fail(invW5, op.where(), "connection %d got the reply to %s at %s without %s of %s, which is owed since 0x%x",
			l.Conn.Conn, op.name(), op.Zxid, e.kind, e.path, uint64(r.RelativeZxid))
	}
}

// caughtUp returns the event that tells of what a client missed, 0 for nothing.
func caughtUp(n *znode, changed func(*znode) bool, kind proto.EventType) proto.EventType {
	switch {
	case n == nil:
		return proto.EventNodeDeleted
	case changed(n):
		return kind
	}
	return 0
}

// noMissed reports events of a setWatches that come before another reply.
func (w *witness) noMissed(l *line, op *Op) {
	for _, n := range l.synth {
		w.fail(invW5, w.seen(n), "connection %d got %s of %s without a zxid before the reply to %s, which is no setWatches",
			l.Conn.Conn, n.Type, n.Path, op.name())
	}
	l.synth = nil
}

// endSynth judges events of a setWatches whose reply was lost: one that asked for
// them must have been under way.
func (w *witness) endSynth(l *line) {
	for _, n := range l.synth {
		w.count(invW5)
		asked := slices.ContainsFunc(l.ops, func(i int) bool {
			r, ok := w.h.Ops[i].Request.(*proto.SetWatchesRequest)
			return ok && w.h.Ops[i].Returned == 0 && w.h.Ops[i].Sent < n.Order && mayCause(r, n)
		})
		if !asked {
			w.fail(invW5, w.seen(n), "connection %d got %s of %s without a zxid, and asked for no such thing", l.Conn.Conn, n.Type, n.Path)
		}
	}
	l.synth = nil
}

// mayCause reports whether a setWatches has the path in a list that has events of
// the kind.
func mayCause(r *proto.SetWatchesRequest, n *Notice) bool {
	switch n.Type {
	case proto.EventNodeCreated:
		return slices.Contains(r.Exist, n.Path)
	case proto.EventNodeDeleted:
		return slices.Contains(r.Data, n.Path) || slices.Contains(r.Child, n.Path)
	case proto.EventNodeDataChanged:
		return slices.Contains(r.Data, n.Path)
	case proto.EventNodeChildrenChanged:
		return slices.Contains(r.Child, n.Path)
	}
	return false
}
