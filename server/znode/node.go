package znode

import (
	"math"
	"unsafe"

	"github.com/quorate/quorate/server/proto"
)

// Owners that are no session (spec client-protocol 2.4 and 2.5).
const (
	containerOwner int64 = math.MinInt64
	ttlOwnerMask   int64 = -1 << 40 // upper three bytes
	ttlOwnerTag    int64 = -1 << 56 // 0xFF0000 in them
)

// TTLMillisMax is the longest time to live that a node can have.
const TTLMillisMax int64 = 1<<40 - 1

// sessionOwner returns the session that an owner field names: 0 for persistent
// nodes, containers and nodes with a time to live. A session id of server 255
// is taken for a time to live only if its 40 bits of milliseconds are below
// 2^24, which happens for five hours in 35 years.
func sessionOwner(owner int64) int64 {
	if owner == containerOwner || owner&ttlOwnerMask == ttlOwnerTag {
		return 0
	}
	return owner
}

// ttlOwner returns the owner field of nodes with a time to live.
func ttlOwner(millis int64) int64 { return ttlOwnerTag | millis&TTLMillisMax }

// from353 translates the owner that ZooKeeper 3.5.3 gave to nodes with a time to
// live: the sign and the milliseconds. That format cannot be told from sessions
// of servers above 127.
func from353(owner int64) int64 {
	if owner < 0 && !mortal(owner) {
		return ttlOwner(min(owner&math.MaxInt64, TTLMillisMax))
	}
	return owner
}

// node is one znode. It is 96 bytes long, and there are many: see BenchmarkTree_MemoryPerNode.
type node struct {
	data     string // of data that is null, empty; see stamp
	children *children
	acl      *acl

	czxid, mzxid, pzxid int64
	ctime, mtime        int64
	owner               int64
	version             int32
	ccount              int32 // creations under it, ever; "cversion" in snapshots
	aversion            int32
	stamp               uint32 // generation<<1 | 1 if data is null
}

func (n *node) gen() uint32 { return n.stamp >> 1 }

func (n *node) null() bool { return n.stamp&1 != 0 }

func (n *node) setGen(gen uint32) { n.stamp = gen<<1 | n.stamp&1 }

// setData copies data.
func (n *node) setData(data []byte) {
	n.data = string(data)
	n.stamp &^= 1
	if data == nil {
		n.stamp |= 1
	}
}

// bytes returns the data without copying it: nil for null. It must not be
// written to.
func (n *node) bytes() []byte {
	switch {
	case n.null():
		return nil
	case n.data == "":
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(n.data), len(n.data))
}

// stat returns what a client is told (spec client-protocol 1.8).
func (n *node) stat() proto.Stat {
	children := int32(n.children.len())
	return proto.Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, CVersion: 2*n.ccount - children, AVersion: n.aversion,
		EphemeralOwner: sessionOwner(n.owner), DataLength: int32(len(n.data)),
		NumChildren: children, Pzxid: n.pzxid,
	}
}

// Node is a node to be read, as [Tree.Node] found it. It is valid until the
// tree changes.
type Node struct{ n *node }

// Data returns the node's data, nil for null. It must not be written to. Other
// than the Node it stays as it is when the tree changes.
func (n Node) Data() []byte { return n.n.bytes() }

// Stat returns the node's Stat.
func (n Node) Stat() proto.Stat { return n.n.stat() }

// ACL returns the node's ACL, which must not be written to. It stays as it is
// when the tree changes.
func (n Node) ACL() []proto.ACL { return n.n.acl.list }

// Children returns the names of the children, ascending.
func (n Node) Children() []string {
	entries := n.n.children.sorted()
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.name
	}
	return names
}

// Container reports whether the node is a container.
func (n Node) Container() bool { return n.n.owner == containerOwner }

// TTLMillis returns the node's time to live, and 0 if it has none.
func (n Node) TTLMillis() int64 {
	if !mortal(n.n.owner) || n.Container() {
		return 0
	}
	return n.n.owner & TTLMillisMax
}
