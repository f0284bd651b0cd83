package sim

import (
	"slices"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// watchList is what a client knows of its watches, to arm them again on another
// connection.
type watchList struct {
	data, exist, child, persistent, recursive []string // ascending
}

func (l *watchList) clear() { *l = watchList{} }

func add(list *[]string, path string) {
	if i, found := slices.BinarySearch(*list, path); !found {
		*list = slices.Insert(*list, i, path)
	}
}

func remove(list *[]string, path string) {
	if i, found := slices.BinarySearch(*list, path); found {
		*list = slices.Delete(*list, i, i+1)
	}
}

// armed notes what a reply says about watches, as ZooKeeper's clients do.
func (l *watchList) armed(op *check.Op) {
	switch r := op.Request.(type) {
	case *proto.PathWatchRequest:
		if !r.Watch {
			return
		}
		switch {
		case op.Code == proto.OpExists && op.Err == proto.ErrNoNode:
			add(&l.exist, r.Path)
		case op.Err != proto.OK:
		case op.Code == proto.OpExists || op.Code == proto.OpGetData:
			add(&l.data, r.Path)
		default:
			add(&l.child, r.Path)
		}
	case *proto.AddWatchRequest:
		switch {
		case op.Err != proto.OK:
		case r.Mode == proto.AddWatchPersistent:
			add(&l.persistent, r.Path)
		default:
			add(&l.recursive, r.Path)
		}
	case *proto.WatchesRequest:
		if op.Code == proto.OpRemoveWatches && op.Err == proto.OK {
			l.removed(r)
		}
	}
}

func (l *watchList) removed(r *proto.WatchesRequest) {
	if r.Type == proto.WatcherChildren || r.Type == proto.WatcherAny {
		remove(&l.child, r.Path)
	}
	if r.Type == proto.WatcherData || r.Type == proto.WatcherAny {
		remove(&l.data, r.Path)
		remove(&l.exist, r.Path)
	}
	if r.Type == proto.WatcherPersistent || r.Type == proto.WatcherAny {
		remove(&l.persistent, r.Path)
	}
	if r.Type == proto.WatcherPersistentRecursive || r.Type == proto.WatcherAny {
		remove(&l.recursive, r.Path)
	}
}

// fired notes that one-shot watches are gone.
func (l *watchList) fired(t proto.EventType, path string) {
	switch t {
	case proto.EventNodeCreated, proto.EventNodeDataChanged:
		remove(&l.data, path)
		remove(&l.exist, path)
	case proto.EventNodeChildrenChanged:
		remove(&l.child, path)
	case proto.EventNodeDeleted:
		remove(&l.data, path)
		remove(&l.exist, path)
		remove(&l.child, path)
	}
}

// pathsAtOnce is how many paths a client that splits its lists puts into one
// setWatches. Real ones split at 128 KiB, which no simulated client fills.
const pathsAtOnce = 3

// paths returns all that are watched, in a fixed order; one may stand twice.
func (l *watchList) paths() []string {
	return slices.Concat(l.data, l.exist, l.child, l.persistent, l.recursive)
}

// again returns the requests that arm the watches on a new connection, with that
// many paths in each; 0 is any number.
func (l *watchList) again(seen ensemble.Zxid, atOnce int) (all []*proto.SetWatchesRequest) {
	var r *proto.SetWatchesRequest
	n := 0
	for i, list := range [][]string{l.data, l.exist, l.child, l.persistent, l.recursive} {
		for _, path := range list {
			if r == nil || n == atOnce && atOnce > 0 {
				r, n = &proto.SetWatchesRequest{RelativeZxid: int64(seen)}, 0
				all = append(all, r)
			}
			n++
			to := []*[]string{&r.Data, &r.Exist, &r.Child, &r.Persistent, &r.PersistentRecursive}[i]
			*to = append(*to, path)
			r.Extended = r.Extended || i >= 3
		}
	}
	return all
}
