//go:build mutants

package znode

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
)

// TestMutant_State shows of each mutant of the state and its preparer a scene in
// which it does something else than it should.
func TestMutant_State(t *testing.T) {
	for _, c := range []struct {
		id    mutant.ID
		does  string
		scene func(w *world) bool
	}{
		{mutant.M19, "has in a snapshot what was changed after it", func(w *world) bool {
			snap := w.tree.Snapshot()
			w.must("/later")
			var content bytes.Buffer
			_, err := snap.WriteTo(&content)
			require.NoError(w.t, err)
			restored := NewTree()
			require.NoError(w.t, restored.Restore(&content))
			_, there := restored.Node("/later")
			return there && restored.Zxid() < w.tree.Zxid()
		}},
		{mutant.M20, "has the first part of a multi that failed", func(w *world) bool {
			res := w.do(alice, proto.OpMulti, multiOf(1, mkCreate("/first", 0), 2, mkDelete("/none", -1), 1, mkCreate("/last", 0)))
			require.Equal(w.t, proto.ErrNoNode, res.Multi[1].Err)
			_, first := w.tree.Node("/first")
			_, last := w.tree.Node("/last")
			require.False(w.t, last)
			require.Equal(w.t, first, w.create("/first", 0).Err == proto.ErrNodeExists, "leader and state agree")
			return first
		}},
		{mutant.M21, "prepares against what an earlier leadership prepared", func(w *world) bool {
			w.prepare(home, alice, proto.OpCreate, mkCreate("/a", 0))
			w.pending = nil // it is lost with its leader
			w.prep.Reset()
			_, rec := w.prepare(home, alice, proto.OpCreate, mkCreate("/a", 0))
			e, failed := rec.(*proto.ErrorTxn)
			return failed && e.Err == proto.ErrNodeExists
		}},
		{mutant.M28, "keeps an ephemeral of a session that is gone", func(w *world) bool {
			w.prepare(home, alice, proto.OpCreate, mkCreate("/e", proto.FlagEphemeral))
			w.prepare(home, alice, proto.OpCloseSession, &proto.Empty{})
			w.apply()
			require.Equal(w.t, proto.OK, w.apply().Err)
			_, alive := w.tree.Session(alice)
			require.False(w.t, alive)
			return slices.Equal([]string{"/e"}, w.tree.Ephemerals(alice))
		}},
		{mutant.M33, "numbers by something else than the parent's counter", func(w *world) bool {
			w.must("/p")
			return w.create("/p/s", proto.FlagSequential).Path != "/p/s0000000000"
		}},
		{mutant.M41, "makes two nodes where one is left", func(w *world) bool {
			w.prep.EnforceQuota = true
			w.must("/q", "/zookeeper/quota/q")
			w.do(alice, proto.OpCreate, &proto.CreateRequest{Path: "/zookeeper/quota/q/zookeeper_limits", Data: []byte("countHardLimit=2"), ACL: proto.OpenACL})
			w.must("/zookeeper/quota/q/zookeeper_stats")
			w.prepare(home, alice, proto.OpCreate, mkCreate("/q/a", 0))
			w.prepare(home, alice, proto.OpCreate, mkCreate("/q/b", 0))
			require.Equal(w.t, proto.OK, w.apply().Err)
			return w.apply().Err == proto.OK
		}},
		{mutant.M42, "deletes a container that waits for its first child", func(w *world) bool {
			create := &proto.CreateRequest{Path: "/c", ACL: proto.OpenACL, Flags: proto.FlagContainer}
			require.Equal(w.t, proto.OK, w.do(alice, proto.OpCreateContainer, create).Err)
			return w.do(0, proto.OpDeleteContainer, &proto.PathRequest{Path: "/c"}).Err == proto.OK
		}},
	} {
		t.Run(c.id.String(), func(t *testing.T) {
			mutant.Show(t, c.id, "server", c.does, func() bool { return c.scene(newWorld(t)) })
		})
	}
}
