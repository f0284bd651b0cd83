package server

import (
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/watch"
	"github.com/quorate/quorate/server/znode"
)

// setWatches and setWatches2 arm again what the client watched before it lost its
// connection, and tell it what it missed since the state that it had seen last
// (spec client-protocol 3.5). There may be a million paths in one: so they are gone
// through a few at a time, and changes and other clients have their turn between.
// Each path is judged and armed in one state, which is all that a client can tell.

// rearmPaths is how many paths are gone through with the state locked.
const rearmPaths = 256

// rearming is what is left to do of a setWatches.
type rearming struct {
	seen  int64 // the zxid
	lists []rearmList
}

// rearmList are watches of one kind.
type rearmList struct {
	paths []string
	add   func(*watch.Manager[*Conn], *Conn, string) error
	// missed tells by the node, if it is there, which event the client missed.
	missed func(n znode.Node, there bool, seen int64) (e proto.EventType, yes bool)
}

func newRearming(r *proto.SetWatchesRequest) *rearming {
	type manager = watch.Manager[*Conn]
	rest := &rearming{seen: r.RelativeZxid, lists: []rearmList{
		{r.Data, (*manager).AddData, missedData},
		{r.Exist, (*manager).AddData, missedCreation},
		{r.Child, (*manager).AddChild, missedChild},
		{r.Persistent, (*manager).AddPersistent, missedNothing},
		{r.PersistentRecursive, (*manager).AddRecursive, missedNothing},
	}}
	if mutant.On(mutant.M30) {
		rest.seen--
	}
	return rest
}

func missedData(n znode.Node, there bool, seen int64) (proto.EventType, bool) {
	if !there {
		return proto.EventNodeDeleted, true
	}
	return proto.EventNodeDataChanged, n.Stat().Mzxid > seen
}

func missedCreation(_ znode.Node, there bool, _ int64) (proto.EventType, bool) {
	return proto.EventNodeCreated, there
}

func missedChild(n znode.Node, there bool, seen int64) (proto.EventType, bool) {
	if !there {
		return proto.EventNodeDeleted, true
	}
	return proto.EventNodeChildrenChanged, n.Stat().Pzxid > seen
}

func missedNothing(znode.Node, bool, int64) (proto.EventType, bool) { return 0, false }

// rearm does the next part of a setWatches. It is answered with the last one;
// before, it goes back to where it came from.
func (c *Conn) rearm(in incoming, h proto.RequestHeader) {
	s := c.s
	s.state.RLock()
	t, code := c.rearmSome(in.rest)
	over := code != proto.OK || len(in.rest.lists) == 0
	if over {
		t |= c.queue(in, proto.ReplyHeader{Xid: h.Xid, Zxid: s.zxid.Load(), Err: code}, 0, nil)
	}
	s.state.RUnlock()
	if !over {
		c.putBack(in)
	}
	c.after(t)
	c.refusedRead(h.Op, code)
}

// rearmSome goes through the next paths and takes them out of the rest. The state
// is locked.
func (c *Conn) rearmSome(rest *rearming) (t todo, code proto.ErrCode) {
	for n := 0; len(rest.lists) > 0; {
		list := &rest.lists[0]
		for len(list.paths) > 0 {
			if n++; n > rearmPaths {
				return t, proto.OK
			}
			path := list.paths[0]
			list.paths = list.paths[1:]
			node, there := c.s.tree.Node(path)
			if e, yes := list.missed(node, there, rest.seen); yes {
				t |= c.send(proto.AppendEvent(nil, -1, e, path), nil)
				continue
			}
			if code := c.arm(list.add, path); code != proto.OK {
				return t, code
			}
		}
		rest.lists = rest.lists[1:]
	}
	return t, proto.OK
}

// putBack makes a request that is not done the next one again.
func (c *Conn) putBack(in incoming) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase >= phaseClosing:
		c.uncount(in)
	case c.head > 0:
		c.head--
		c.inbox[c.head] = in
	default: // more has come, and the inbox begins anew
		c.inbox = append([]incoming{in}, c.inbox...)
	}
}
