package zkclient

import (
	"maps"
	"slices"

	"github.com/quorate/quorate/server/proto"
)

// kind is a list of setWatches2 that a watch is in.
type kind int

const (
	watchData  kind = iota // getData, and exists of a node that is there
	watchExist             // exists of a node that is not there
	watchChild
	watchPersistent
	watchRecursive
	kinds
)

// watchlist has the watches that are armed, by the server's paths, to arm them
// again on another connection.
type watchlist [kinds]map[string]bool

func (w *watchlist) add(k kind, path string) {
	if w[k] == nil {
		w[k] = map[string]bool{}
	}
	w[k][path] = true
}

// fired takes away the one-shot watches that an event ends (spec client-protocol
// 3.2 and 3.5).
func (w *watchlist) fired(t proto.EventType, path string) {
	switch t {
	case proto.EventNodeCreated, proto.EventNodeDataChanged:
		delete(w[watchData], path)
		delete(w[watchExist], path)
	case proto.EventNodeDeleted:
		delete(w[watchData], path)
		delete(w[watchExist], path)
		delete(w[watchChild], path)
	case proto.EventNodeChildrenChanged:
		delete(w[watchChild], path)
	}
}

// of returns the kinds that a type of removeWatches means.
func watcherKinds(watcherType int32) []kind {
	switch watcherType {
	case proto.WatcherChildren:
		return []kind{watchChild}
	case proto.WatcherData:
		return []kind{watchData, watchExist}
	case proto.WatcherPersistent:
		return []kind{watchPersistent}
	case proto.WatcherPersistentRecursive:
		return []kind{watchRecursive}
	}
	return []kind{watchData, watchExist, watchChild, watchPersistent, watchRecursive}
}

// remove takes watches of one path away and reports whether there was one.
func (w *watchlist) remove(watcherType int32, path string) bool {
	found := false
	for _, k := range watcherKinds(watcherType) {
		found = found || w[k][path]
		delete(w[k], path)
	}
	return found
}

// setWatchesBytesMax is how much one setWatches may take: servers limit a frame, and
// some clients have thousands of watches (ZOOKEEPER-706).
const setWatchesBytesMax = 128 << 10

// requests returns what arms all watches on a new connection: requests of at most
// setWatchesBytesMax each, unless a single path is longer.
func (w *watchlist) requests(relativeZxid int64) []*proto.SetWatchesRequest {
	extended := len(w[watchPersistent])+len(w[watchRecursive]) > 0
	var list []*proto.SetWatchesRequest
	size := setWatchesBytesMax
	for k := range kinds {
		for _, path := range slices.Sorted(maps.Keys(w[k])) {
			if size += 4 + len(path); size > setWatchesBytesMax {
				list = append(list, &proto.SetWatchesRequest{RelativeZxid: relativeZxid, Extended: extended,
					Data: []string{}, Exist: []string{}, Child: []string{}, Persistent: []string{}, PersistentRecursive: []string{}})
				size = 8 + 5*4 + 4 + len(path)
			}
			r := list[len(list)-1]
			into := [kinds]*[]string{&r.Data, &r.Exist, &r.Child, &r.Persistent, &r.PersistentRecursive}[k]
			*into = append(*into, path)
		}
	}
	return list
}
