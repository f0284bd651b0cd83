package znode

import (
	"github.com/cespare/xxhash/v2"

	"github.com/quorate/quorate/internal/jute"
	"github.com/quorate/quorate/server/proto"
)

// Digest returns a number that is the same for equal states and, but for
// chance, different for different ones: for comparing replicas at one zxid. It
// covers every node with path, data, ACL and all fields, /zookeeper/config
// included, and the table of sessions, and not the zxid. It looks at every
// node. The sum of the hashes of all parts is independent of their order.
func (t *Tree) Digest() uint64 {
	d := digester{path: []byte{}}
	d.node(t.root)
	for id, timeout := range t.sessions {
		d.e = *jute.NewEncoder(d.e.Bytes()[:0])
		d.e.Byte('s')
		d.e.Long(id)
		d.e.Int(timeout)
		d.sum += xxhash.Sum64(d.e.Bytes())
	}
	return d.sum
}

type digester struct {
	e    jute.Encoder
	path []byte
	sum  uint64
}

func (d *digester) node(n *node) {
	d.e = *jute.NewEncoder(d.e.Bytes()[:0])
	d.e.Byte('n')
	d.e.Buffer(d.path)
	d.e.Buffer(n.bytes())
	proto.EncodeACLs(&d.e, n.acl.list)
	for _, v := range [...]int64{n.czxid, n.mzxid, n.pzxid, n.ctime, n.mtime, n.owner} {
		d.e.Long(v)
	}
	d.e.Int(n.version)
	d.e.Int(n.ccount)
	d.e.Int(n.aversion)
	d.sum += xxhash.Sum64(d.e.Bytes())
	base := len(d.path)
	n.children.each(func(name string, child *node) {
		d.path = append(append(d.path[:base], '/'), name...)
		d.node(child)
	})
	d.path = d.path[:base]
}
