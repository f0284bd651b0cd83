package zkclient

import (
	"context"
	"slices"

	"github.com/quorate/quorate/server/proto"
)

// AddWatch arms a watch that stays: for the node and its children, or with recursive
// for the node and everything below. The node need not exist.
func (c *Client) AddWatch(ctx context.Context, path string, recursive bool) error {
	mode, k := proto.AddWatchPersistent, watchPersistent
	if recursive {
		mode, k = proto.AddWatchPersistentRecursive, watchRecursive
	}
	return c.at(ctx, proto.OpAddWatch, path, func(full string) proto.Record {
		return &proto.AddWatchRequest{Path: full, Mode: mode}
	}, &proto.IntReply{}, c.arms(true, k))
}

// RemoveWatches takes watches of a path away; watcherType is one of proto's Watcher
// constants. With local they are forgotten here even if the server cannot be told or
// does not know them. It is proto.ErrNoWatcher if there is none.
func (c *Client) RemoveWatches(ctx context.Context, path string, watcherType int32, local bool) error {
	full, err := c.full(path)
	if err != nil {
		return &Error{Op: proto.OpRemoveWatches, Path: path, Err: err}
	}
	c.mu.Lock()
	known := slices.ContainsFunc(watcherKinds(watcherType), func(k kind) bool { return c.watches[k][full] })
	connected := c.state == StateConnected || c.state == StateReadOnly
	c.mu.Unlock()
	if !known {
		return &Error{Op: proto.OpRemoveWatches, Path: path, Err: proto.ErrNoWatcher}
	}
	if connected || !local {
		err = c.call(ctx, proto.OpRemoveWatches, path, &proto.WatchesRequest{Path: full, Type: watcherType}, &proto.Empty{}, func(code proto.ErrCode) {
			if code == proto.OK {
				c.watches.remove(watcherType, full)
			}
		})
	}
	if local {
		c.mu.Lock()
		c.watches.remove(watcherType, full)
		c.mu.Unlock()
		return nil
	}
	return err
}

// Watch is one that is armed.
type Watch struct {
	Path string
	// Kind is data, exist, child, persistent or recursive.
	Kind string
}

// Watches returns the watches that are armed, by kind and path.
func (c *Client) Watches() []Watch {
	names := [kinds]string{"data", "exist", "child", "persistent", "recursive"}
	var list []Watch
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range kinds {
		at := len(list)
		for path := range c.watches[k] {
			list = append(list, Watch{c.strip(path), names[k]})
		}
		slices.SortFunc(list[at:], func(a, b Watch) int {
			if a.Path < b.Path {
				return -1
			}
			return 1
		})
	}
	return list
}
