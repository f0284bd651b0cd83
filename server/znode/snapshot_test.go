package znode

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/jute"
	"github.com/quorate/quorate/server/proto"
)

func dump(t testing.TB, s *Snapshot) []byte {
	t.Helper()
	var buf bytes.Buffer
	n, err := s.WriteTo(&buf)
	require.NoError(t, err)
	require.Equal(t, int64(buf.Len()), n)
	return buf.Bytes()
}

// furnished has one of everything.
func furnished(t testing.TB) *world {
	w := newWorld(t)
	w.must("/a", "/a/b", "/a/b/c", "/gone")
	w.do(alice, proto.OpDelete, mkDelete("/gone", -1))
	w.do(alice, proto.OpCreate, &proto.CreateRequest{Path: "/null", ACL: aclOf("1:ip:1.2.3.4")})
	w.do(alice, proto.OpCreate, &proto.CreateRequest{Path: "/empty", Data: []byte{}, ACL: aclOf("1:ip:1.2.3.4")})
	w.do(bob, proto.OpCreate, &proto.CreateRequest{Path: "/eph", ACL: []proto.ACL{{Perms: 31, ID: DigestID("u", "p")}}, Flags: 1})
	w.do(bob, proto.OpCreateContainer, mkCreate("/c", 4))
	w.do(alice, proto.OpSetData, mkSet("/a/b", strings.Repeat("x", 3000), -1))
	w.do(alice, proto.OpSetACL, &proto.SetACLRequest{Path: "/a", ACL: proto.OpenACL, Version: -1})
	for i := range 20 {
		w.must(fmt.Sprintf("/a/%d", i))
	}
	w.tree.SetConfig("server.1=x", 3)
	return w
}

func TestSnapshot_RoundTrip(t *testing.T) {
	w := furnished(t)
	data := dump(t, w.tree.Snapshot())
	got := NewTree()
	require.NoError(t, got.Restore(iotest.OneByteReader(bytes.NewReader(data))))
	assert.Equal(t, w.tree.Digest(), got.Digest())
	assert.Equal(t, w.tree.Zxid(), got.Zxid())
	assert.Equal(t, w.tree.Sessions(), got.Sessions())
	assert.Equal(t, w.tree.NodeCount(), got.NodeCount())
	assert.Equal(t, w.tree.Bytes(), got.Bytes())
	assert.Equal(t, w.tree.Ephemerals(bob), got.Ephemerals(bob))
	assert.Equal(t, []int{1, 1}, []int{got.EphemeralCount(), got.ContainerCount()})
	assert.Len(t, got.acls.byKey, len(w.tree.acls.byKey))
	assert.Equal(t, data, dump(t, got.Snapshot()), "equal states give equal bytes")
	null, _ := got.Node("/null")
	empty, _ := got.Node("/empty")
	assert.True(t, null.Data() == nil && empty.Data() != nil)
	assert.Equal(t, 24, got.Descendants("/a")+2, "20 and b and c")

	w.tree, w.pending = got, nil
	w.prep = NewPreparer(got)
	w.must("/a/more")
	assert.Equal(t, "/a/s0000000022", w.create("/a/s", 2).Path, "the counter is there")
}

func TestSnapshot_LayoutOfAnEmptyServer(t *testing.T) {
	want := strings.Join([]string{
		"00000001", "0000000000000007", "00001770", // a session
		"00000001", "0000000000000001", "00000001", "00000001", "00000005776f726c64", "00000006616e796f6e65", // world:anyone:1
		"00000000", "00000000", "ffffffffffffffff", strings.Repeat("00", 60),
		"0000000a" + hex.EncodeToString([]byte("/zookeeper")), "00000000", "ffffffffffffffff", strings.Repeat("00", 60),
		"00000011" + hex.EncodeToString([]byte("/zookeeper/config")), "00000000", "0000000000000001",
		strings.Repeat("00", 40), "ffffffff", strings.Repeat("00", 16),
		"00000010" + hex.EncodeToString([]byte("/zookeeper/quota")), "00000000", "ffffffffffffffff", strings.Repeat("00", 60),
		"000000012f", "0000000500000001",
	}, "")
	tree := NewTree()
	tree.Apply(proto.TxnHeader{Session: 7, Zxid: 0x500000001}, &proto.CreateSessionTxn{TimeoutMillis: 6000}, nil)
	assert.Equal(t, want, hex.EncodeToString(dump(t, tree.Snapshot())))
}

func TestSnapshot_StaysWhileTheTreeChanges(t *testing.T) {
	w := furnished(t)
	for i := range 1200 {
		w.must(fmt.Sprintf("/a/b/n%d", i))
	}
	before := dump(t, w.tree.Snapshot())
	var kept []*Snapshot
	for i := range 40 {
		kept = append(kept, w.tree.Snapshot())
		require.Equal(t, dump(t, kept[0]), before)
		w.do(alice, proto.OpDelete, mkDelete(fmt.Sprintf("/a/b/n%d", i*20), -1))
		w.do(alice, proto.OpSetData, mkSet(fmt.Sprintf("/a/b/n%d", i*20+1), "changed", -1))
		w.do(alice, proto.OpSetACL, &proto.SetACLRequest{Path: "/null", ACL: aclOf(fmt.Sprintf("1:ip:1.2.3.%d", i)), Version: -1})
		w.do(int64(i+50), proto.OpCreateSession, &proto.CreateSessionTxn{})
		w.create("/a/b/seq", 3)
		if i%10 == 0 {
			w.do(bob, proto.OpCloseSession, &proto.Empty{})
		}
	}
	require.Equal(t, dump(t, kept[0]), before)
	assert.NotEqual(t, before, dump(t, w.tree.Snapshot()))
	for i, s := range kept[1:] {
		restored := NewTree()
		require.NoError(t, restored.Restore(bytes.NewReader(dump(t, s))), i)
	}
	kept[0].Release()
	_, err := kept[0].WriteTo(io.Discard)
	assert.Error(t, err)
}

// To be run with the race detector.
func TestSnapshot_WrittenWhileTheTreeChanges(t *testing.T) {
	w := newWorld(t)
	w.must("/p")
	for i := range 2000 {
		w.must(fmt.Sprintf("/p/n%d", i))
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for round := range 8 {
		snap, digest := w.tree.Snapshot(), w.tree.Digest()
		wg.Go(func() {
			var buf bytes.Buffer
			_, err := snap.WriteTo(&buf)
			snap.Release()
			restored := NewTree()
			if assert.NoError(t, err) && assert.NoError(t, restored.Restore(&buf)) {
				assert.Equal(t, digest, restored.Digest())
			}
		})
		for i := range 300 {
			path := fmt.Sprintf("/p/n%d", (i*7+round)%2000)
			switch i % 5 {
			case 0:
				w.do(alice, proto.OpDelete, mkDelete(path, -1))
			case 1:
				w.do(alice, proto.OpSetACL, &proto.SetACLRequest{Path: path, ACL: aclOf(fmt.Sprintf("1:ip:1.2.%d.%d", round, i%250)), Version: -1})
			case 2:
				w.do(int64(round*1000+i+50), proto.OpCreateSession, &proto.CreateSessionTxn{})
			case 3:
				w.create("/p/e", 3)
			default:
				w.do(alice, proto.OpSetData, mkSet(path, "new", -1))
			}
		}
	}
}

func TestSnapshot_WriteErrorIsReported(t *testing.T) {
	w := furnished(t)
	broken := errors.New("disk full")
	_, err := w.tree.Snapshot().WriteTo(&failing{after: 100, err: broken})
	assert.ErrorIs(t, err, broken)
}

type failing struct {
	after int
	err   error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		return 0, f.err
	}
	return len(p), nil
}

func TestRestore_FailsOnEveryTruncationAndKeepsTheTree(t *testing.T) {
	w := furnished(t)
	data := dump(t, w.tree.Snapshot())
	got := NewTree()
	fresh := got.Digest()
	for n := 0; n < len(data); n += 1 + n/50 {
		require.ErrorIs(t, got.Restore(bytes.NewReader(data[:n])), ErrSnapshot, n)
		require.Equal(t, fresh, got.Digest())
	}
	require.ErrorIs(t, got.Restore(bytes.NewReader(append(data, 0))), ErrSnapshot)
	broken := errors.New("link lost")
	err := got.Restore(io.MultiReader(bytes.NewReader(data[:500]), iotest.ErrReader(broken)))
	assert.ErrorIs(t, err, broken)
	assert.NotErrorIs(t, err, ErrSnapshot)
	err = got.Restore(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)))
	assert.ErrorIs(t, err, broken, "read to the end")
}

// raw builds snapshots that WriteTo never would.
func raw(build func(e *jute.Encoder)) []byte {
	var e jute.Encoder
	build(&e)
	return e.Bytes()
}

func rawNode(e *jute.Encoder, path string, key int64) {
	e.String(path)
	e.Buffer(nil)
	e.Long(key)
	e.Raw(make([]byte, 60))
}

func TestRestore_RefusesNonsense(t *testing.T) {
	nodes := func(paths ...string) []byte {
		return raw(func(e *jute.Encoder) {
			e.Int(0)
			e.Int(0)
			for _, p := range paths {
				rawNode(e, p, openACLKey)
			}
			e.String("/")
			e.Long(1)
		})
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":             {nil, "ends too early"},
		"negative sessions": {raw(func(e *jute.Encoder) { e.Int(-1) }), "-1 sessions"},
		"many sessions":     {raw(func(e *jute.Encoder) { e.Int(math.MaxInt32) }), "ends too early"},
		"session twice":     {raw(func(e *jute.Encoder) { e.Int(2); e.Long(1); e.Int(2); e.Long(1); e.Int(2) }), "session 0x1"},
		"negative ACLs":     {raw(func(e *jute.Encoder) { e.Int(0); e.Int(-5) }), "-5 ACLs"},
		"ACL of -2":         {raw(func(e *jute.Encoder) { e.Int(0); e.Int(1); e.Long(1); e.Int(-2) }), "ACL of -2"},
		"ACL twice":         {raw(func(e *jute.Encoder) { e.Int(0); e.Int(1); e.Long(-1); e.Int(0) }), "ACL -1"},
		"huge ACL":          {raw(func(e *jute.Encoder) { e.Int(0); e.Int(1); e.Long(1); e.Int(math.MaxInt32) }), "ends too early"},
		"null scheme": {raw(func(e *jute.Encoder) {
			e.Int(0)
			e.Int(1)
			e.Long(1)
			e.Int(1)
			e.Int(31)
			e.Int(-1)
		}), "null"},
		"huge path":     {raw(func(e *jute.Encoder) { e.Int(0); e.Int(0); e.Int(math.MaxInt32) }), "ends too early"},
		"length -7":     {raw(func(e *jute.Encoder) { e.Int(0); e.Int(0); e.Int(-7) }), "length of -7"},
		"unknown ACL":   {raw(func(e *jute.Encoder) { e.Int(0); e.Int(0); rawNode(e, "", 4) }), "ACL 4"},
		"no root":       {nodes(), "no root"},
		"not the root":  {nodes("/a"), `"/a"`},
		"root twice":    {nodes("", ""), "root"},
		"node twice":    {nodes("", "/a", "/a"), "twice"},
		"no parent":     {nodes("", "/a/b"), "no parent"},
		"no slash":      {nodes("", "a"), "no name"},
		"no name":       {nodes("", "/a", "/a/"), "no name"},
		"negative zxid": {append(nodes("")[:len(nodes(""))-8], bytes.Repeat([]byte{0xff}, 8)...), "zxid"},
	} {
		t.Run(name, func(t *testing.T) {
			err := NewTree().Restore(bytes.NewReader(c.data))
			require.ErrorIs(t, err, ErrSnapshot)
			assert.Contains(t, err.Error(), c.want)
			assert.Contains(t, err.Error(), "at byte")
		})
	}
}

func TestRestore_AddsReservedNodesThatAreMissing(t *testing.T) {
	data := raw(func(e *jute.Encoder) {
		e.Int(0)
		e.Int(0)
		rawNode(e, "", openACLKey)
		rawNode(e, "/zookeeper", openACLKey)
		e.String("/")
		e.Long(9)
	})
	tree := NewTree()
	require.NoError(t, tree.Restore(bytes.NewReader(data)))
	assert.Equal(t, 4, tree.NodeCount())
	n, ok := tree.Node("/zookeeper/config")
	assert.True(t, ok)
	assert.Equal(t, aclOf("1:world:anyone"), n.ACL())
	root, _ := tree.Node("/")
	assert.Nil(t, root.Data())
}

func TestRestore_HostileLengthsAllocateLittle(t *testing.T) {
	data := raw(func(e *jute.Encoder) {
		e.Int(0)
		e.Int(0)
		e.Int(math.MaxInt32)
		e.Raw(make([]byte, 1000))
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.Error(t, NewTree().Restore(bytes.NewReader(data)))
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
}

func TestACLTable_ForgetsWhatNoNodeHas(t *testing.T) {
	w := newWorld(t)
	w.must("/a", "/b")
	base := len(w.tree.acls.byKey)
	set := func(path string, list []proto.ACL) {
		require.Equal(t, proto.OK, w.do(alice, proto.OpSetACL, &proto.SetACLRequest{Path: path, ACL: list, Version: -1}, proto.ID{Scheme: SchemeSuper}).Err)
	}
	set("/a", aclOf("31:ip:1.1.1.1"))
	set("/b", aclOf("31:ip:1.1.1.1"))
	assert.Len(t, w.tree.acls.byKey, base+1)
	assert.Same(t, w.tree.find("/a").acl, w.tree.find("/b").acl)
	set("/a", aclOf("31:ip:1.1.1.1"))
	set("/a", proto.OpenACL)
	assert.Len(t, w.tree.acls.byKey, base+1)
	w.do(alice, proto.OpDelete, mkDelete("/b", -1))
	assert.Len(t, w.tree.acls.byKey, base)
}

func FuzzRestore(f *testing.F) {
	f.Add(dump(f, NewTree().Snapshot()))
	f.Add(dump(f, furnished(f).tree.Snapshot()))
	f.Fuzz(func(t *testing.T, data []byte) {
		tree := NewTree()
		if tree.Restore(bytes.NewReader(data)) != nil {
			return
		}
		again := NewTree()
		require.NoError(t, again.Restore(bytes.NewReader(dump(t, tree.Snapshot()))))
		require.Equal(t, tree.Digest(), again.Digest())
		require.Equal(t, tree.Bytes(), again.Bytes())
	})
}
