package znode

import (
	"bytes"
	"flag"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

var seedFlag = flag.Int64("znode.seed", 0, "run the property test with this seed only")

// generator makes random requests over few paths, so that they meet.
type generator struct{ *rand.Rand }

func pick[T any](g generator, from ...T) T { return from[g.Intn(len(from))] }

func (g generator) path() string {
	return pick(g, "/a", "/a", "/b", "/a/x", "/a/y", "/a/x/1", "/b/z", "/b/z/2", "/a/q0000000001", "/b/0000000000",
		"/", "/zookeeper/config", "/none/x")
}

// quotaPath is a limits or stats node.
func (g generator) quotaPath() string {
	return "/zookeeper/quota" + pick(g, "/a", "/a", "/a/x", "/b") + pick(g, "/zookeeper_limits", "/zookeeper_stats")
}

func (g generator) limits() []byte {
	return []byte(pick(g, "count=2", "countHardLimit=3", "byteHardLimit=7", "count=1,bytes=-1=;byteHardLimit=20;countHardLimit=5", "?"))
}

// quota is a request about quotas.
func (g generator) quota() (proto.OpCode, proto.Record) {
	switch n := g.Intn(8); {
	case n < 4:
		return proto.OpCreate2, &proto.CreateRequest{Path: g.quotaPath(), Data: g.limits(), ACL: proto.OpenACL, Flags: pick[int32](g, 0, 0, 1)}
	case n < 6:
		return proto.OpDelete, mkDelete(g.quotaPath(), -1)
	}
	return proto.OpSetData, &proto.SetDataRequest{Path: g.quotaPath(), Data: g.limits(), Version: g.version()}
}

func (g generator) version() int32 { return pick[int32](g, -1, -1, -1, 0, 1, 2) }

func (g generator) list() []proto.ACL {
	return pick(g, proto.OpenACL, proto.OpenACL, proto.OpenACL, aclOf("17:world:anyone"), aclOf("31:world:anyone", "1:ip:9.9.9.9"),
		aclOf("31:ip:9.9.9.9"))
}

func (g generator) data() []byte { return pick(g, nil, []byte{}, []byte("x"), []byte("longer")) }

func (g generator) one(inMulti bool) (proto.OpCode, proto.Record) {
	switch n := g.Intn(24); {
	case n >= 22:
		return g.quota()
	case n == 21:
		return proto.OpCreateContainer, &proto.CreateRequest{Path: g.path(), Data: g.data(), ACL: g.list(), Flags: 4}
	case n == 20:
		c := proto.CreateRequest{Path: g.path(), Data: g.data(), ACL: g.list(), Flags: pick[int32](g, 5, 6)}
		return proto.OpCreateTTL, &proto.CreateTTLRequest{CreateRequest: c, TTLMillis: int64(1 + g.Intn(100))}
	case n < 9:
		path, flags := g.path(), pick[int32](g, 0, 0, 0, 1, 2, 3)
		if flags >= 2 {
			path = pick(g, "/a/q", "/b/", "/q", "/a/x/")
		}
		return pick(g, proto.OpCreate, proto.OpCreate2), &proto.CreateRequest{Path: path, Data: g.data(), ACL: g.list(), Flags: flags}
	case n < 13:
		return proto.OpDelete, mkDelete(g.path(), g.version())
	case n < 17:
		return proto.OpSetData, &proto.SetDataRequest{Path: g.path(), Data: g.data(), Version: g.version()}
	case inMulti:
		return proto.OpCheck, mkDelete(g.path(), g.version())
	default:
		return proto.OpSetACL, &proto.SetACLRequest{Path: g.path(), ACL: g.list(), Version: g.version()}
	}
}

func (g generator) request() (proto.OpCode, proto.Record) {
	switch n := g.Intn(22); {
	case n >= 20:
		return proto.OpDeleteContainer, &proto.PathRequest{Path: pick(g, "/a", "/b", "/a/x", "/a/y", "/b/z", "/a/x/1", "/b/z/2")}
	case n == 0:
		return proto.OpCloseSession, &proto.Empty{}
	case n < 3:
		return proto.OpCreateSession, &proto.CreateSessionTxn{TimeoutMillis: 5}
	case n < 8:
		m := &proto.MultiRequest{}
		for range g.Intn(5) {
			op, rec := g.one(true)
			m.Ops = append(m.Ops, proto.MultiOp{Op: op, Request: rec})
		}
		return proto.OpMulti, m
	}
	return g.one(false)
}

// run plays random requests into a world that prepares up to depth requests
// ahead, and into the model one after the other. Every result must be the same,
// and at the end every node.
func run(t *testing.T, seed int64, steps int) {
	g := generator{rand.New(rand.NewSource(seed))}
	w, m := newWorld(t), newModel()
	m.sessions[alice], m.sessions[bob] = true, true
	w.prep.ExtendedTypes = true
	w.prep.EnforceQuota, m.enforce = seed%2 == 0, seed%2 == 0
	for _, path := range []string{"/zookeeper/quota/a", "/zookeeper/quota/a/x", "/zookeeper/quota/b"} {
		w.must(path)
		m.do(moment{zxid: int64(w.zxid), now: w.now, session: alice}, proto.OpCreate2, mkCreate(path, 0))
	}
	depth := g.Intn(20)
	var want []Result
	apply := func() {
		got := w.apply()
		require.Equal(t, want[0], Result{Err: got.Err, Path: got.Path, Stat: got.Stat, TimeoutMillis: got.TimeoutMillis, Multi: got.Multi},
			"seed %d at %s: %s", seed, got.Zxid, got.Op)
		want = want[1:]
	}
	for range steps {
		session := pick[int64](g, alice, bob, 3)
		op, rec := g.request()
		at := moment{session: session}
		var ids []proto.ID
		if g.Intn(3) == 0 {
			at.super, ids = true, []proto.ID{{Scheme: SchemeSuper}}
		}
		if op == proto.OpCreateSession && w.prep.alive(session) != m.sessions[session] {
			t.Fatalf("seed %d: session", seed)
		}
		if op == proto.OpCreateSession && !m.sessions[session] {
			for len(w.pending) > 0 { // an id is free once its closing is applied
				apply()
			}
		}
		w.prepare(home, session, op, rec, ids...)
		at.zxid, at.now = int64(w.zxid), w.now
		res := m.do(at, op, rec)
		if op == proto.OpMulti && res.Multi == nil {
			res.Multi = []proto.MultiResult{}
		}
		want = append(want, res)
		for len(w.pending) > depth || len(w.pending) > 0 && g.Intn(depth+2) == 0 {
			apply()
		}
		if g.Intn(50) == 0 {
			depth = g.Intn(20)
		}
		if g.Intn(40) == 0 {
			reload(t, w)
		}
		if len(w.pending) == 0 {
			compareDue(t, seed, w, m)
		}
	}
	for len(w.pending) > 0 {
		apply()
	}
	require.Zero(t, w.prep.Outstanding())
	require.Empty(t, w.prep.nodes)
	require.Empty(t, w.prep.created)
	require.Empty(t, w.prep.sessions)
	require.Empty(t, w.prep.usage)
	compare(t, seed, w.tree, m)
}

// reload replaces the tree's content by that of its snapshot, in passing.
func reload(t *testing.T, w *world) {
	digest, size := w.tree.Digest(), w.tree.Bytes()
	data := dump(t, w.tree.Snapshot())
	require.NoError(t, w.tree.Restore(bytes.NewReader(data)))
	require.Equal(t, digest, w.tree.Digest())
	require.Equal(t, size, w.tree.Bytes())
}

// compareDue compares what is to be reaped, looked for in small portions.
func compareDue(t *testing.T, seed int64, w *world, m *model) {
	got, rule := []string{}, Reap{NowMillis: w.now, NeverUsedMillis: 50 * (w.now % 2)}
	for next := w.tree.MortalCount(); next > 0; {
		next, got = w.tree.Due(rule, next, 2, got)
	}
	want := m.due(rule.NowMillis, rule.NeverUsedMillis)
	require.ElementsMatch(t, want, got, "seed %d", seed)
	for _, path := range want {
		require.True(t, w.tree.IsDue(rule, path))
	}
}

func compare(t *testing.T, seed int64, tree *Tree, m *model) {
	require.Equal(t, len(m.nodes), tree.NodeCount(), "seed %d", seed)
	size, ephemerals, containers, ttls := int64(0), 0, 0, 0
	for path, want := range m.nodes {
		n, ok := tree.Node(path)
		require.True(t, ok, "seed %d: %s", seed, path)
		require.Equal(t, m.stat(path), n.Stat(), "seed %d: %s", seed, path)
		require.Equal(t, want.data, n.Data(), "seed %d: %s", seed, path)
		require.Equal(t, want.acl, n.ACL(), "seed %d: %s", seed, path)
		require.ElementsMatch(t, m.children(path), n.Children())
		size += int64(len(path) + len(want.data))
		require.Equal(t, want.container, n.Container())
		require.Equal(t, want.ttl, n.TTLMillis())
		if want.container {
			containers++
		}
		if want.ttl > 0 {
			ttls++
		}
		if want.owner != 0 {
			ephemerals++
			require.True(t, slices.Contains(tree.Ephemerals(want.owner), path))
		}
	}
	require.Equal(t, size, tree.Bytes(), "seed %d", seed)
	require.Equal(t, ephemerals, tree.EphemeralCount(), "seed %d", seed)
	require.Equal(t, []int{containers, ttls}, []int{tree.ContainerCount(), tree.TTLCount()}, "seed %d", seed)
	require.Len(t, tree.Quotas(), len(m.quotas()), "seed %d", seed)
	quotaNodes := 0
	for path := range m.nodes {
		if strings.HasSuffix(path, "/zookeeper_limits") || strings.HasSuffix(path, "/zookeeper_stats") {
			quotaNodes++
		}
	}
	require.Equal(t, quotaNodes == 0, tree.quotas.size == 0 && len(tree.quotas.root.below) == 0, "seed %d: the trie", seed)
	require.Equal(t, len(m.sessions), tree.SessionCount(), "seed %d", seed)
}

func TestTreeAndPreparer_AgainstTheModel(t *testing.T) {
	if *seedFlag != 0 {
		run(t, *seedFlag, 300)
		return
	}
	for seed := int64(1); seed <= 60; seed++ {
		run(t, seed, 300)
	}
}
