package znode

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// setQuota does what ZooKeeper's setquota does.
func (w *world) setQuota(subtree, limits string) {
	w.t.Helper()
	dir := QuotaPath
	for name := range bytes.SplitSeq([]byte(subtree[1:]), []byte("/")) {
		dir += "/" + string(name)
		w.create(dir, 0)
	}
	for path, text := range map[string]string{limitsPath(subtree): limits, statsPath(subtree): "count=0,bytes=0"} {
		res := w.do(alice, proto.OpCreate, &proto.CreateRequest{Path: path, Data: []byte(text), ACL: proto.OpenACL})
		require.Equal(w.t, proto.OK, res.Err)
	}
}

func (w *world) stats(subtree string) string { return string(mustNode(w, statsPath(subtree)).Data()) }

// The figures are what ZooKeeper 3.8.0 has for the same commands.
func TestQuota_StatsAreKeptAsZooKeepers(t *testing.T) {
	w := newWorld(t)
	put := func(path, data string) {
		require.Equal(t, proto.OK, w.do(alice, proto.OpCreate, &proto.CreateRequest{Path: path, Data: []byte(data), ACL: proto.OpenACL}).Err)
	}
	put("/t", "data1")
	put("/t/c1", "xx")
	w.setQuota("/t", "count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1")
	assert.Equal(t, "count=2,bytes=7", w.stats("/t"))
	before := w.stat(statsPath("/t"))
	put("/t/c2", "yyy")
	put("/t/c3", "")
	assert.Equal(t, "count=4,bytes=10", w.stats("/t"))
	w.do(alice, proto.OpSetData, mkSet("/t/c1", "abcdefg", -1))
	assert.Equal(t, "count=4,bytes=15", w.stats("/t"))
	assert.Equal(t, "DataChanged /t/c1", w.story(), "the stats fire nothing")
	w.do(alice, proto.OpDelete, mkDelete("/t/c2", -1))
	assert.Equal(t, "count=3,bytes=12", w.stats("/t"))
	put("/tx", "not below /t")
	before.DataLength = w.stat(statsPath("/t")).DataLength
	assert.Equal(t, before, w.stat(statsPath("/t")), "no version, no zxid")

	w.do(alice, proto.OpCreate, mkCreate("/t/e", 1))
	assert.Equal(t, "count=4,bytes=13", w.stats("/t"))
	w.do(alice, proto.OpCloseSession, &proto.Empty{})
	assert.Equal(t, "count=3,bytes=12", w.stats("/t"))
}

// ZooKeeper 3.8.0 ends, and cannot start again, after a delete below a quota whose
// stats are no number.
func TestQuota_StatsAreNotTheClientsToWrite(t *testing.T) {
	w := newWorld(t)
	w.must("/t", "/t/x")
	w.setQuota("/t", "?")
	res := w.do(alice, proto.OpSetData, mkSet(statsPath("/t"), "hello", 0))
	assert.Equal(t, []int32{1, 5}, []int32{res.Stat.Version, res.Stat.DataLength}, "as it was written, as ZooKeeper says")
	assert.Equal(t, "count=2,bytes=2", w.stats("/t"))
	w.do(alice, proto.OpDelete, mkDelete("/t/x", -1))
	assert.Equal(t, "count=1,bytes=1", w.stats("/t"))
}

func TestQuota_BeginsAndEndsWithItsNodes(t *testing.T) {
	w := newWorld(t)
	w.must("/t", "/t/x", QuotaPath+"/t")
	w.must(statsPath("/t"))
	assert.Equal(t, "count=2,bytes=2", w.stats("/t"), "counted when it is created")
	w.must("/t/y")
	assert.Equal(t, "count=2,bytes=2", w.stats("/t"), "and not kept without limits")
	assert.Empty(t, w.tree.Quotas())
	w.must(limitsPath("/t"))
	assert.Equal(t, "count=3,bytes=3", w.stats("/t"))
	assert.Equal(t, []Quota{{"/t", 3, 3, -1, -1, -1, -1}}, w.tree.Quotas())
	w.do(alice, proto.OpDelete, mkDelete(limitsPath("/t"), -1))
	w.must("/t/z")
	assert.Equal(t, "count=3,bytes=3", w.stats("/t"))
	w.do(alice, proto.OpDelete, mkDelete(statsPath("/t"), -1))
	assert.Zero(t, w.tree.quotas.size)
	assert.Empty(t, w.tree.quotas.root.below, "nothing stays in the trie")
}

func TestQuota_OfWhatIsNotThereYetAndOfNoSubtree(t *testing.T) {
	w := newWorld(t)
	w.setQuota("/later", "countHardLimit=1")
	assert.Equal(t, "count=0,bytes=0", w.stats("/later"))
	w.must("/later")
	assert.Equal(t, "count=1,bytes=1", w.stats("/later"))
	w.setQuota("/zookeeper/quota", "countHardLimit=0") // would count itself
	w.must(QuotaPath+"/"+limitsName, QuotaPath+"/"+statsName)
	assert.Len(t, w.tree.Quotas(), 1, "none for the root, nor for what is below /zookeeper")
}

func TestQuota_NestedCountForBoth(t *testing.T) {
	w := newWorld(t)
	w.must("/a", "/a/b")
	w.setQuota("/a", "count=100")
	w.setQuota("/a/b", "count=100")
	w.must("/a/b/c", "/a/x")
	assert.Equal(t, "count=4,bytes=4", w.stats("/a"))
	assert.Equal(t, "count=2,bytes=2", w.stats("/a/b"))
}

func TestQuota_RestoreCountsAnew(t *testing.T) {
	w := newWorld(t)
	w.must("/t", "/t/x")
	w.setQuota("/t", "count=1")
	right := dump(t, w.tree.Snapshot())
	w.tree.own(statsPath("/t")).setData([]byte("count=9,bytes=9")) // as a foreign one may say
	got := NewTree()
	require.NoError(t, got.Restore(bytes.NewReader(dump(t, w.tree.Snapshot()))))
	assert.Equal(t, right, dump(t, got.Snapshot()))
	require.NoError(t, got.Restore(bytes.NewReader(right)))
	assert.Equal(t, right, dump(t, got.Snapshot()), "and changes nothing that is right")
}

func TestQuota_SnapshotsKeepTheStatsOfTheirZxid(t *testing.T) {
	w := newWorld(t)
	w.must("/t")
	w.setQuota("/t", "count=1")
	snap := w.tree.Snapshot()
	before := dump(t, snap)
	w.must("/t/x")
	assert.Equal(t, before, dump(t, snap))
	assert.Equal(t, "count=2,bytes=2", w.stats("/t"))
}

func TestParseLimits(t *testing.T) {
	for text, want := range map[string]limits{
		"":                {-1, -1, -1, -1},
		"count=5,bytes=9": {5, 9, -1, -1},
		"count=5,bytes=-1=;byteHardLimit=50;countHardLimit=6": {5, -1, 6, 50},
		"count=x,bytes=1":                      {-1, 1, -1, -1},
		"count = 1;bytes=99999999999999999999": {-1, -1, -1, -1},
		",;=,count=-7;,countHardLimit=0":       {-1, -1, 0, -1},
		"garbage":                              {-1, -1, -1, -1},
	} {
		assert.Equal(t, want, parseLimits(text), text)
	}
}

func FuzzParseLimits(f *testing.F) {
	f.Add("count=5,bytes=-1=;byteHardLimit=50;countHardLimit=6")
	f.Fuzz(func(t *testing.T, text string) {
		l := parseLimits(text)
		again := parseLimits(fmt.Sprintf("count=%d,bytes=%d=;byteHardLimit=%d;countHardLimit=%d", l.count, l.bytes, l.bytesHard, l.countHard))
		assert.Equal(t, l, again)
	})
}

func TestQuota_EnforcedAgainstWhatIsOutstanding(t *testing.T) {
	w := newWorld(t)
	var told []Excess
	w.prep.Exceeded = func(e Excess) { told = append(told, e) }
	w.must("/t")
	w.setQuota("/t", "count=1,bytes=4=;byteHardLimit=-1;countHardLimit=3")
	assert.Equal(t, proto.OK, w.create("/t/free", 0).Err, "not enforced by default")
	w.do(alice, proto.OpDelete, mkDelete("/t/free", -1))
	assert.Empty(t, told)

	w.prep.EnforceQuota = true
	want := func(path string, code proto.ErrCode) {
		t.Helper()
		h, _ := w.prepare(home, alice, proto.OpCreate, mkCreate(path, 0))
		assert.Equal(t, code != proto.OK, h.Type == proto.OpError, path)
	}
	want("/t/1", proto.OK)
	want("/t/2", proto.OK)
	want("/t/3", proto.ErrQuotaExceeded)
	assert.Equal(t, []Excess{{"/t", "count", 4, 3, true}}, told)
	told = nil
	w.prepare(home, alice, proto.OpDelete, mkDelete("/t/1", -1))
	want("/t/3", proto.OK)
	want("/t/4", proto.ErrQuotaExceeded)
	w.prepare(home, alice, proto.OpSetData, mkSet("/t", "long", -1))
	assert.Contains(t, told, Excess{"/t", "bytes", 6, 4, false}, "beyond a soft limit it is only told")
	codes := []proto.ErrCode{}
	for len(w.pending) > 0 {
		codes = append(codes, w.apply().Err)
	}
	assert.Equal(t, []proto.ErrCode{0, 0, -125, 0, 0, -125, 0}, codes)
	assert.Equal(t, "count=3,bytes=6", w.stats("/t"))
	assert.Zero(t, w.prep.Outstanding())
}

// ZOOKEEPER-4219: what is checked may exist only in the multi itself.
func TestQuota_EnforcedInsideAMulti(t *testing.T) {
	w := newWorld(t)
	w.prep.EnforceQuota = true
	w.must("/t")
	w.setQuota("/t", "byteHardLimit=10;countHardLimit=3")
	create := func(path string) proto.MultiOp { return proto.MultiOp{Op: proto.OpCreate, Request: mkCreate(path, 0)} }
	set := func(path, data string) proto.MultiOp {
		return proto.MultiOp{Op: proto.OpSetData, Request: mkSet(path, data, -1)}
	}
	errs := func(ops ...proto.MultiOp) (list []proto.ErrCode) {
		for _, r := range w.do(alice, proto.OpMulti, &proto.MultiRequest{Ops: ops}).Multi {
			list = append(list, r.Err)
		}
		return list
	}
	assert.Equal(t, []proto.ErrCode{0, 0, -125, -2}, errs(create("/t/a"), set("/t/a", "12345678"), set("/t/a", "1234567890"), create("/t/b")))
	assert.Equal(t, "count=1,bytes=1", w.stats("/t"), "all of it was taken back")
	assert.Equal(t, []proto.ErrCode{0, 0, -125}, errs(create("/t/a"), create("/t/b"), create("/t/c")))
	assert.Equal(t, []proto.ErrCode{0, 0, 0, 0}, errs(create("/t/a"), create("/t/b"), proto.MultiOp{Op: proto.OpDelete, Request: mkDelete("/t/a", -1)}, create("/t/c")))
	assert.Equal(t, "count=3,bytes=3", w.stats("/t"))
	assert.Equal(t, []proto.ErrCode{0, 0}, errs(set(limitsPath("/t"), "countHardLimit=4"), create("/t/d")), "new limits hold at once")
}

func TestQuota_OutstandingQuotaIsInForce(t *testing.T) {
	w := newWorld(t)
	w.prep.EnforceQuota = true
	w.must("/t", "/t/1", QuotaPath+"/t")
	w.prepare(home, alice, proto.OpCreate, mkCreate("/t/2", 0))
	w.prepare(home, alice, proto.OpCreate, &proto.CreateRequest{Path: limitsPath("/t"), Data: []byte("countHardLimit=4"), ACL: proto.OpenACL})
	w.prepare(home, alice, proto.OpCreate, mkCreate(statsPath("/t"), 0))
	w.prepare(home, alice, proto.OpCreate, mkCreate("/t/3", 0))
	h, _ := w.prepare(home, alice, proto.OpCreate, mkCreate("/t/4", 0))
	assert.Equal(t, proto.OpError, h.Type)
	w.prepare(home, alice, proto.OpDelete, mkDelete(limitsPath("/t"), -1))
	h, _ = w.prepare(home, alice, proto.OpCreate, mkCreate("/t/4", 0))
	assert.Equal(t, proto.OpCreate, h.Type, "and its end counts at once")
	for len(w.pending) > 0 {
		w.apply()
	}
	assert.Equal(t, "count=4,bytes=4", w.stats("/t"))
	assert.Len(t, mustNode(w, "/t").Children(), 4)
}

// Each new quota makes every server count what there is.
func TestQuota_AMultiCannotHaveThemCountedWithoutEnd(t *testing.T) {
	w := newWorld(t)
	w.must("/t", QuotaPath+"/t", limitsPath("/t"))
	m := &proto.MultiRequest{}
	for range countsMax {
		m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpCreate, Request: mkCreate(statsPath("/t"), 0)},
			proto.MultiOp{Op: proto.OpDelete, Request: mkDelete(statsPath("/t"), -1)})
	}
	assert.Equal(t, proto.OK, w.do(alice, proto.OpMulti, m).Multi[2*countsMax-1].Err)
	m.Ops = append(m.Ops, m.Ops[0])
	assert.Equal(t, proto.ErrBadArguments, w.do(alice, proto.OpMulti, m).Multi[2*countsMax].Err)
	w.must(statsPath("/t"))
}

// As in ZooKeeper, quota comes behind permissions and before the version.
func TestQuota_ItsPlaceAmongTheChecks(t *testing.T) {
	w := newWorld(t)
	w.prep.EnforceQuota = true
	w.must("/t")
	w.do(alice, proto.OpCreate, mkCreate("/t/e", 1))
	w.do(alice, proto.OpCreate, &proto.CreateRequest{Path: "/t/shut", ACL: aclOf("1:world:anyone")})
	w.setQuota("/t", "byteHardLimit=1;countHardLimit=1")
	assert.Equal(t, proto.ErrNoChildrenForEphemerals, w.create("/t/e/x", 0).Err)
	assert.Equal(t, proto.ErrNodeExists, w.create("/t/e", 0).Err)
	assert.Equal(t, proto.ErrNoAuth, w.create("/t/shut/x", 0).Err)
	assert.Equal(t, proto.ErrQuotaExceeded, w.create("/t/x", 0).Err)
	assert.Equal(t, proto.ErrNoAuth, w.do(alice, proto.OpSetData, mkSet("/t/shut", "xxx", 7)).Err)
	assert.Equal(t, proto.ErrQuotaExceeded, w.do(alice, proto.OpSetData, mkSet("/t", "xxx", 7)).Err)
	assert.Equal(t, proto.ErrBadVersion, w.do(alice, proto.OpSetData, mkSet("/t", "x", 7)).Err, "what does not grow is not checked")
	assert.Equal(t, proto.OK, w.do(alice, proto.OpDelete, mkDelete("/t/shut", -1)).Err, "and deleting never")
}
