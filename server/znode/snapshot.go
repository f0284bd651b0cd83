package znode

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/quorate/quorate/internal/jute"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
)

// openACLKey stands for the open list in a snapshot.
const openACLKey int64 = -1

// snapshotBufferBytes is how much of a snapshot is encoded before it is written.
const snapshotBufferBytes = 256 << 10

// Snapshot is a Tree's state at one zxid. The tree may change while it is
// written: see [Tree.Snapshot].
type Snapshot struct {
	root     *node
	zxid     int64
	open     *acl
	acls     map[string]*acl
	sessions map[int64]int32
}

// Snapshot captures the present state, in constant time. From then on the tree
// copies what it changes: a node and its ancestors once each, and of a node
// with many children the part that the changed one is in.
func (t *Tree) Snapshot() *Snapshot {
	s := &Snapshot{root: t.root, zxid: t.zxid, open: t.acls.open, acls: t.acls.byKey, sessions: t.sessions}
	if !mutant.On(mutant.M19) {
		t.gen++
	}
	t.acls.shared, t.sessionsShared = true, true
	return s
}

func (t *Tree) unshareSessions() {
	if t.sessionsShared {
		t.sessions, t.sessionsShared = maps.Clone(t.sessions), false
	}
}

// Release lets go of the captured state. WriteTo must not be called any more.
func (s *Snapshot) Release() { *s = Snapshot{} }

// errReleased is what WriteTo of a released snapshot says.
var errReleased = errors.New("znode: the snapshot was released")

// WriteTo writes the state in the format of the package comment. Equal states
// give equal bytes. It may run concurrently with the tree's methods.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) {
	if s.root == nil {
		return 0, errReleased
	}
	out := &snapshotWriter{w: bufio.NewWriterSize(w, snapshotBufferBytes), path: []byte{}}
	out.e.Int(int32(len(s.sessions)))
	for _, id := range slices.Sorted(maps.Keys(s.sessions)) {
		out.e.Long(id)
		out.e.Int(s.sessions[id])
		out.flush()
	}
	out.keys = map[*acl]int64{s.open: openACLKey}
	out.e.Int(int32(len(s.acls)))
	for i, key := range slices.Sorted(maps.Keys(s.acls)) {
		a := s.acls[key]
		out.keys[a] = int64(i + 1)
		out.e.Long(int64(i + 1))
		proto.EncodeACLs(&out.e, a.list)
		out.flush()
	}
	out.node(s.root)
	out.e.String(RootPath)
	out.e.Long(s.zxid)
	out.flush()
	if out.err == nil {
		out.err = out.w.Flush()
	}
	return out.n, out.err
}

// snapshotWriter encodes one piece at a time. After an error it does nothing.
type snapshotWriter struct {
	w    *bufio.Writer
	e    jute.Encoder
	path []byte // of the node being written, "" for the root
	keys map[*acl]int64
	n    int64
	err  error
}

// flush hands the piece encoded last to the buffer.
func (s *snapshotWriter) flush() {
	piece := s.e.Bytes()
	if s.err == nil {
		var n int
		n, s.err = s.w.Write(piece)
		s.n += int64(n)
	}
	s.e = *jute.NewEncoder(piece[:0])
}

// node writes n, whose path is s.path, and everything below it.
func (s *snapshotWriter) node(n *node) {
	s.e.Buffer(s.path)
	s.e.Buffer(n.bytes())
	s.e.Long(s.keys[n.acl])
	s.e.Long(n.czxid)
	s.e.Long(n.mzxid)
	s.e.Long(n.ctime)
	s.e.Long(n.mtime)
	s.e.Int(n.version)
	s.e.Int(n.ccount)
	s.e.Int(n.aversion)
	s.e.Long(n.owner)
	s.e.Long(n.pzxid)
	s.flush()
	if s.err != nil || n.children.len() == 0 {
		return
	}
	base := len(s.path)
	for _, child := range n.children.sorted() {
		s.path = append(append(s.path[:base], '/'), child.name...)
		s.node(child.node)
	}
	s.path = s.path[:base]
}
