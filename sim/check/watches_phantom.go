package check

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/server/proto"
)

func (w *witness) checkEventCommitted(l *line, n *Notice) {
	if at, _ := w.state(n.Zxid); w.h.Txns[at-1].Order > n.Order {
		w.fail(invW2, w.seen(n), "connection %d got %s of %s by %s before that was committed anywhere", l.Conn.Conn, n.Type, n.Path, n.Zxid)
	}
}

// phantom reports an event that should not have come, as what it most likely is.
func (w *witness) phantom(l *line, n *Notice) {
	say := func(r invariant, what string) {
		w.fail(r, w.seen(n), "connection %d got %s of %s by %s: %s", l.Conn.Conn, n.Type, n.Path, n.Zxid, what)
	}
	at, _ := w.state(n.Zxid)
	happened := at <= w.at && slices.ContainsFunc(w.touchesOf(at-1), func(c touch) bool { return c.kind == n.Type && c.path == n.Path })
	before := slices.ContainsFunc(l.notices, func(i int) bool {
		o := w.h.Events[i]
		return o != n && o.Order <= n.Order && o.Zxid == n.Zxid && o.Type == n.Type && o.Path == n.Path
	})
	switch {
	case !happened:
		say(invW2, "that changed nothing of the kind")
	case w.deepOnly(l, n):
		say(invW6, "a recursive watch does not hear of lists of children")
	case before && w.staysAt(l, n.Path):
		say(invW6, "a second time")
	case before:
		say(invW1, "a second time")
	case slices.Contains(l.silent, n.Path):
		say(invW7, "the watch was removed")
	case slices.Contains(l.spent, n.Path):
		say(invW1, "the watch had fired before")
	default:
		say(invW2, "it was not watched")
	}
}

func (w *witness) touchesOf(txn int) []touch {
	from := 0
	if txn > 0 {
		from = w.touchEnd[txn-1]
	}
	return w.touches[from:w.touchEnd[txn]]
}

// deepOnly reports whether the event is about children and the only watch that
// covers the path is a recursive one.
func (w *witness) deepOnly(l *line, n *Notice) bool {
	if n.Type != proto.EventNodeChildrenChanged || w.modeAt(l, n.Path)&watchPersistent != 0 {
		return false
	}
	for path := n.Path; ; path = parentOf(path) {
		if w.modeAt(l, path)&watchRecursive != 0 {
			return true
		}
		if path == rootPath {
			return false
		}
	}
}

// staysAt reports whether a persistent or recursive watch covers the path.
func (w *witness) staysAt(l *line, path string) bool {
	return w.modeAt(l, path)&watchPersistent != 0 || slices.ContainsFunc(l.paths, func(p string) bool {
		return w.modeAt(l, p)&watchRecursive != 0 && (p == path || p == rootPath || strings.HasPrefix(path, p+"/"))
	})
}
