package znode

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/quorate/quorate/server/proto"
)

// ErrSnapshot is wrapped by every error of Restore that is the snapshot's fault
// and not the reader's.
var ErrSnapshot = errors.New("not a snapshot of znodes, or a damaged one")

// readChunkBytes bounds what is allocated on the word of a length alone.
const readChunkBytes = 64 << 10

// Restore replaces the whole state by one that Snapshot.WriteTo wrote, and
// reads r to its end. It checks everything and allocates no more than about
// what it read, whatever the input. After an error the tree is as it was
// before. Snapshots captured before remain valid.
func (t *Tree) Restore(r io.Reader) error {
	in := &snapshotReader{r: bufio.NewReaderSize(r, snapshotBufferBytes)}
	fresh := &Tree{
		acls:       newACLTable(),
		sessions:   map[int64]int32{},
		ephemerals: map[int64]map[string]struct{}{},
		lenient:    t.lenient, emulate353: t.emulate353,
	}
	in.sessions(fresh)
	keys := in.acls(fresh)
	in.nodes(fresh, keys)
	fresh.zxid = in.long()
	if in.err == nil && fresh.zxid < 0 {
		in.fail("its zxid is 0x%x", uint64(fresh.zxid))
	}
	in.end()
	if in.err != nil {
		return fmt.Errorf("restore znodes, at byte %d: %w", in.n, in.err)
	}
	fresh.addReserved()
	fresh.recountAll()
	*t = *fresh
	return nil
}

// snapshotReader reads primitives. After the first error it yields zero values.
type snapshotReader struct {
	r       *bufio.Reader
	n       int64 // bytes read
	err     error
	scratch []byte
	word    [8]byte
}

func (s *snapshotReader) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrSnapshot, fmt.Sprintf(format, args...))
	}
}

func (s *snapshotReader) full(buf []byte) bool {
	if s.err != nil {
		return false
	}
	n, err := io.ReadFull(s.r, buf)
	s.n += int64(n)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		s.fail("it ends too early")
	} else {
		s.err = err
	}
	return s.err == nil
}

func (s *snapshotReader) int() int32 {
	if s.full(s.word[:4]) {
		return int32(binary.BigEndian.Uint32(s.word[:]))
	}
	return 0
}

func (s *snapshotReader) long() int64 {
	if s.full(s.word[:8]) {
		return int64(binary.BigEndian.Uint64(s.word[:]))
	}
	return 0
}

// buffer reads a buffer; nil is null or an error. The result is valid until the
// next read.
func (s *snapshotReader) buffer() []byte {
	n := int(s.int())
	if s.err != nil || n == -1 {
		return nil
	}
	if n < 0 {
		s.fail("a length of %d", n)
		return nil
	}
	if s.scratch == nil {
		s.scratch = make([]byte, 0, readChunkBytes)
	}
	buf := s.scratch[:0]
	for len(buf) < n {
		step := min(n-len(buf), max(readChunkBytes, len(buf)))
		at := len(buf)
		if cap(buf) < at+step {
			buf = append(buf, make([]byte, step)...)
		} else {
			buf = buf[:at+step]
		}
		if !s.full(buf[at:]) {
			return nil
		}
	}
	s.scratch = buf
	return buf
}

// string reads a string that must not be null.
func (s *snapshotReader) string() string {
	b := s.buffer()
	if b == nil {
		s.fail("null where a string is required")
	}
	return string(b)
}

// count reads the number of elements of a table.
func (s *snapshotReader) count(what string) int {
	n := int(s.int())
	if n < 0 {
		s.fail("%d %s", n, what)
	}
	return n
}

func (s *snapshotReader) end() {
	if s.err != nil {
		return
	}
	switch _, err := s.r.ReadByte(); {
	case err == nil:
		s.fail("something follows its end")
	case err != io.EOF:
		s.err = err
	}
}

func (s *snapshotReader) sessions(t *Tree) {
	for n := s.count("sessions"); n > 0 && s.err == nil; n-- {
		id, timeout := s.long(), s.int()
		if _, twice := t.sessions[id]; twice {
			s.fail("session 0x%x stands there twice", uint64(id))
		}
		t.sessions[id] = timeout
	}
}

// acls reads the table of lists and returns it by key.
func (s *snapshotReader) acls(t *Tree) map[int64][]proto.ACL {
	keys := map[int64][]proto.ACL{openACLKey: proto.OpenACL}
	for n := s.count("ACLs"); n > 0 && s.err == nil; n-- {
		key, list := s.long(), s.acl()
		if _, twice := keys[key]; twice {
			s.fail("ACL %d stands there twice", key)
		}
		keys[key] = list
	}
	return keys
}

func (s *snapshotReader) acl() []proto.ACL {
	n := int(s.int())
	if n < -1 {
		s.fail("an ACL of %d entries", n)
	}
	var list []proto.ACL
	for ; n > 0 && s.err == nil; n-- {
		entry := proto.ACL{Perms: s.int()}
		entry.ID.Scheme = s.string()
		entry.ID.ID = s.string()
		list = append(list, entry)
	}
	return list
}

// nodes reads the nodes, parents before children, up to the mark behind them.
func (s *snapshotReader) nodes(t *Tree, keys map[int64][]proto.ACL) {
	var parent *node
	parentPath := ""
	for {
		path := s.string()
		if s.err != nil || path == RootPath {
			if t.root == nil {
				s.fail("it has no root")
			}
			return
		}
		n := s.node(t, keys)
		if s.err != nil {
			return
		}
		if t.root == nil || path == "" {
			if path != "" || t.root != nil {
				s.fail("the root is not where it should be: node %q", path)
				return
			}
			t.root, t.nodes, t.bytes = n, 1, int64(len(RootPath)+len(n.data))
			continue
		}
		dir, name, ok := split(path)
		if !ok || name == "" {
			s.fail("node %q has no name", path)
			return
		}
		if parent == nil || dir != parentPath {
			parent, parentPath = t.find(dir), dir
		}
		if parent == nil || parent.children.get(name) != nil {
			s.fail("node %q has no parent or stands there twice", path)
			return
		}
		t.attach(parent, path, name, n)
	}
}

// node reads what follows a node's path.
func (s *snapshotReader) node(t *Tree, keys map[int64][]proto.ACL) *node {
	n := &node{}
	n.setData(s.buffer())
	key := s.long()
	n.czxid, n.mzxid, n.ctime, n.mtime = s.long(), s.long(), s.long(), s.long()
	n.version, n.ccount, n.aversion = s.int(), s.int(), s.int()
	n.owner, n.pzxid = s.long(), s.long()
	if _, session := t.sessions[n.owner]; t.emulate353 && !session {
		n.owner = from353(n.owner)
	}
	if s.err != nil {
		return n
	}
	list, ok := keys[key]
	if !ok {
		s.fail("a node has ACL %d, which is not in the table", key)
		return n
	}
	n.acl = t.acls.take(list)
	return n
}
