//go:build mutants

package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/server/proto"
)

// TestMutant_Server shows of each mutant of the server a scene in which it does
// something else than it should.
func TestMutant_Server(t *testing.T) {
	for _, c := range []struct {
		id    mutant.ID
		does  string
		scene func(t *testing.T, h *hand) bool
	}{
		{mutant.M27, "expires a session when somebody sets the clock", func(t *testing.T, h *hand) bool {
			ahead := time.Duration(0)
			h.s.cfg.Time = func() time.Time { return handBorn.Add(h.clock + ahead) }
			h.look()
			h.lead()
			w := h.join(t)
			h.s.Housekeep()
			ahead = time.Hour
			h.clock += time.Second
			h.s.Housekeep()
			_, alive := h.s.tree.Session(w.session)
			return !alive
		}},
		{mutant.M29, "answers before it fires what the answer tells", func(t *testing.T, h *hand) bool {
			w := h.join(t)
			w.do(proto.OpCreate, createOf("/n", "", 0))
			w.do(proto.OpCreate, createOf("/other", "", 0))
			w.do(proto.OpGetData, read("/n", true))
			for range 3 {
				w.reply(t, nil)
			}
			w.do(proto.OpSetData, setOf("/n", "x"))
			return w.reply(t, nil).Xid == w.xid
		}},
		{mutant.M30, "fires a watch for what the client has seen", func(t *testing.T, h *hand) bool {
			w := h.join(t)
			w.do(proto.OpCreate, createOf("/n", "", 0))
			seen := w.reply(t, nil).Zxid
			w.do(proto.OpSetWatches, &proto.SetWatchesRequest{RelativeZxid: seen, Data: []string{"/n"}})
			return w.reply(t, nil).Xid == proto.XidNotification
		}},
		{mutant.M32, "serves a client that comes from its future", func(t *testing.T, h *hand) bool {
			w := h.dial("10.0.0.1:1000")
			require.NotNil(t, w)
			w.send(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000, LastZxidSeen: int64(h.zxid) + 1000}))
			h.settle()
			return len(w.got) > 0
		}},
		{mutant.M34, "reads what an earlier write of the session will change", func(t *testing.T, h *hand) bool {
			w := h.join(t)
			h.late = true
			w.do(proto.OpCreate, createOf("/n", "", 0))
			w.do(proto.OpExists, read("/n", false))
			return len(w.got) > 0 && w.reply(t, nil).Err == proto.ErrNoNode
		}},
	} {
		t.Run(c.id.String(), func(t *testing.T) {
			mutant.Show(t, c.id, "server", c.does, func() bool { return c.scene(t, newHand(Config{})) })
		})
	}
}
