package check

import (
	"slices"
	"time"

	"github.com/quorate/quorate/server/proto"
)

var reapTamperings = []tampering{
	{"a node that has children is reaped", invT8, func(x *tamperer) bool { return reapAnother(x, "/zookeeper") }},
	{"a node is reaped that is not there", invT8, func(x *tamperer) bool { return reapAnother(x, "/nowhere") }},
	{"a node is reaped that lasts", invT8, func(x *tamperer) bool {
		return reapLeftOver(x, func(n *znode) bool { return !n.container && n.ttl == 0 })
	}},
	{"a container is reaped that had no child yet", invT8, func(x *tamperer) bool {
		return reapLeftOver(x, func(n *znode) bool { return n.container && n.creates == 0 })
	}},
	{"a node is reaped before its time is over", invT8, func(x *tamperer) bool {
		last := x.h.Txns[len(x.h.Txns)-1]
		return reapLeftOver(x, func(n *znode) bool { return n.ttl > 0 && last.Time-n.mtime <= n.ttl })
	}},
	{"servers that reap nothing reap", invT8, func(x *tamperer) bool {
		_, ok := x.chooseTxn(isReaping)
		if ok {
			x.h.ReapPeriod = 0
		}
		return ok
	}},
	{"what is to be reaped is reaped an hour later", invT9, func(x *tamperer) bool {
		i, ok := x.chooseTxn(isReaping)
		if ok {
			for j := i; j < len(x.h.Txns); j++ {
				x.h.Txns[j].At += time.Hour
			}
			x.h.End += time.Hour
			x.h.Calm = []Span{{x.h.Txns[i-1].At, x.h.Txns[i].At}}
		}
		return ok
	}},
	{"a node whose time is over stays", invT9, func(x *tamperer) bool {
		last := x.h.Txns[len(x.h.Txns)-1]
		soon := last.Time + time.Minute.Milliseconds() // clocks differ, and a leader before may have had a later time
		_, ok := x.leftOver(func(n *znode) bool { return n.ttl > 0 && n.mtime+n.ttl < soon })
		if ok {
			x.h.End = last.At + time.Hour
			x.h.Calm = []Span{{last.At, x.h.End}}
		}
		return ok
	}},
}

func isReaping(_ int, t *Txn) bool { return t.Op == proto.OpDeleteContainer && t.Session == 0 }

// reapAnother lets the servers reap another node than they did.
func reapAnother(x *tamperer, path string) bool {
	i, ok := x.chooseTxn(isReaping)
	if ok {
		x.h.Txns[i].Path = path
	}
	return ok
}

// leftOver chooses a node without children of those that are there at the end.
func (x *tamperer) leftOver(fits func(*znode) bool) (string, bool) {
	var list []string
	for path, n := range x.model.nodes {
		if len(n.children) == 0 && n.czxid > 0 && fits(n) {
			list = append(list, path)
		}
	}
	slices.Sort(list)
	return choose(x, list)
}

// reapLeftOver lets the servers reap, at the very end, a node that they must not.
func reapLeftOver(x *tamperer, fits func(*znode) bool) bool {
	path, ok := x.leftOver(fits)
	if ok {
		last := x.h.Txns[len(x.h.Txns)-1]
		x.appendTxn(Txn{Op: proto.OpDeleteContainer, Path: path, Time: last.Time}, last.Zxid.Epoch())
	}
	return ok
}
