package check

import (
	"slices"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
)

// watchMode is how a connection watches a path, a set of the following.
type watchMode uint8

const (
	watchData       watchMode = 1 << iota // once: getData, exists
	watchChildren                         // once: getChildren
	watchPersistent                       // both, for ever
	watchRecursive                        // for ever, all below too, children's lists not
)

// watcher is a connection that watches a path.
type watcher struct {
	line *line
	mode watchMode
}

// watching is what a connection watches, and what it has to be told.
type watching struct {
	paths  []string // at which it has had watches
	due    []event  // that must come before any later reply
	late   []event  // that were reported as missing
	top    ensemble.Zxid
	synth  []*Notice // events of a setWatches whose reply is not here yet
	known  int       // the order up to which its proofs of identity count
	told   int       // the touch of which it was told last
	blind  bool      // the server refused a watch, so nobody knows which it has
	spent  []string  // paths of one-shot watches that have fired
	silent []string  // paths from which watches were removed
}

// event is one that a connection must get.
type event struct {
	zxid    ensemble.Zxid
	kind    proto.EventType
	path    string
	forever bool // of a persistent or recursive watch
	// maybe says that the client may or may not be allowed to hear of it: it is
	// proving who it is at that time.
	maybe bool
}

func (e event) is(n *Notice) bool { return e.zxid == n.Zxid && e.kind == n.Type && e.path == n.Path }

// arm adds a watch of a connection.
func (w *witness) arm(l *line, path string, mode watchMode) {
	if path == "" {
		path = rootPath
	}
	if mode == watchRecursive && w.modeAt(l, path)&watchRecursive == 0 {
		w.deep++
	}
	list := w.watchers[path]
	for i := range list {
		if list[i].line == l {
			list[i].mode |= mode
			return
		}
	}
	w.watchers[path] = append(list, watcher{l, mode})
	l.paths = append(l.paths, path)
}

func (w *witness) modeAt(l *line, path string) watchMode {
	for _, k := range w.watchers[path] {
		if k.line == l {
			return k.mode
		}
	}
	return 0
}

// disarm takes modes away from a connection's watch at a path.
func (w *witness) disarm(l *line, path string, mode watchMode) {
	list := w.watchers[path]
	for i := range list {
		if list[i].line != l {
			continue
		}
		if list[i].mode&mode&watchRecursive != 0 {
			w.deep--
		}
		if list[i].mode &^= mode; list[i].mode == 0 {
			list = slices.Delete(list, i, i+1)
		}
		break
	}
	if len(list) == 0 {
		delete(w.watchers, path)
	} else {
		w.watchers[path] = list
	}
}

// leave forgets a connection of which nothing more is known.
func (w *witness) leave(l *line) {
	w.endSynth(l)
	for _, path := range l.paths {
		w.disarm(l, path, watchData|watchChildren|watchPersistent|watchRecursive)
	}
	l.paths = nil
}

// fire finds the connections that must hear of a change (spec client-protocol
// 3.2), and uses up their one-shot watches. Each hears of it once.
func (w *witness) fire(zxid ensemble.Zxid, c touch) {
	w.touchNo++
	uses, stays := watchData, watchPersistent|watchRecursive
	switch c.kind {
	case proto.EventNodeDeleted:
		uses = watchData | watchChildren
	case proto.EventNodeChildrenChanged:
		uses, stays = watchChildren, watchPersistent
	}
	for _, k := range slices.Clone(w.watchers[c.path]) {
		if hit := k.mode & (uses | stays); hit != 0 {
			w.tell(k.line, zxid, c, hit&stays != 0)
		}
		if spent := k.mode & uses; spent != 0 {
			k.line.spent = append(k.line.spent, c.path)
			w.disarm(k.line, c.path, spent)
		}
	}
	if c.kind == proto.EventNodeChildrenChanged {
		return
	}
	for path := c.path; path != rootPath && w.deep > 0; {
		path = parentOf(path)
		for _, k := range w.watchers[path] {
			if k.mode&watchRecursive != 0 {
				w.tell(k.line, zxid, c, true)
			}
		}
	}
}

// tell puts an event on the list of what a connection must get, if it may.
func (w *witness) tell(l *line, zxid ensemble.Zxid, c touch, forever bool) {
	if l.told == w.touchNo {
		return
	}
	l.told = w.touchNo
	allowed := permitted(c.acl, proto.PermRead, l.idsAt(l.known))
	maybe := !allowed && len(l.auths) > 0 && permitted(c.acl, proto.PermRead, l.auths[len(l.auths)-1].ids)
	if allowed || maybe {
		l.due = append(l.due, event{zxid: zxid, kind: c.kind, path: c.path, forever: forever, maybe: maybe})
	}
}

// settle demands, at a reply, that every event of its state and the states before
// it has come: W4, and W6 for watches that stay.
func (w *witness) settle(l *line, op *Op) {
	l.known = max(l.known, op.Sent)
	if len(l.due) > 0 && l.due[0].zxid <= op.Zxid {
		w.missed(l, op.Zxid, op.where(), op.name(), func(event) bool { return false })
	}
}

// overtaken demands, at an event, that every event of the states before it has
// come. One that still comes, before any reply, is only out of order: W3.
func (w *witness) overtaken(l *line, n *Notice) {
	if len(l.due) > 0 && l.due[0].zxid < n.Zxid {
		w.missed(l, n.Zxid-1, w.seen(n), "an event", func(e event) bool {
			return slices.ContainsFunc(l.notices, func(i int) bool { return w.h.Events[i].Order > n.Order && e.is(w.h.Events[i]) })
		})
	}
}

// missed reports the events up to a zxid that have not come, and forgets them,
// except for those that may still come.
func (w *witness) missed(l *line, upTo ensemble.Zxid, at where, before string, mayCome func(event) bool) {
	var kept []event
	n := 0
	for ; n < len(l.due) && l.due[n].zxid <= upTo; n++ {
		e := l.due[n]
		switch {
		case e.maybe || l.blind:
			continue
		case mayCome(e):
			kept = append(kept, e)
			continue
		}
		r := invW4
		if e.forever {
			r = invW6
		}
		w.count(r)
		w.fail(r, at, "connection %d got %s (%s) without %s of %s by %s", l.Conn.Conn, before, upTo, e.kind, e.path, e.zxid)
		l.late = append(l.late, e)
	}
	l.due = append(kept, l.due[n:]...)
}

// hearNotice judges an event.
func (w *witness) hearNotice(l *line, n *Notice) {
	if n.Zxid == -1 {
		l.synth = append(l.synth, n)
		return
	}
	w.count(invW1)
	w.count(invW2)
	if at, ok := w.state(n.Zxid); at == 0 || !ok || w.h.Txns[at-1].Zxid != n.Zxid {
		w.fail(invW2, w.seen(n), "connection %d got %s of %s by %s: that is no committed transaction", l.Conn.Conn, n.Type, n.Path, n.Zxid)
		return
	}
	w.count(invW3)
	if n.Zxid < l.top {
		w.fail(invW3, w.seen(n), "connection %d got %s of %s by %s behind an event of %s", l.Conn.Conn, n.Type, n.Path, n.Zxid, l.top)
	}
	l.top = max(l.top, n.Zxid)
	w.overtaken(l, n)
	for i, e := range l.due {
		if e.is(n) {
			w.count(invW4)
			if e.forever {
				w.count(invW6)
			}
			l.due = slices.Delete(l.due, i, i+1)
			w.checkEventCommitted(l, n)
			return
		}
	}
	for i, e := range l.late {
		if e.is(n) {
			l.late = slices.Delete(l.late, i, i+1)
			return
		}
	}
	if !l.blind {
		w.phantom(l, n)
	}
}
