package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/metric"
	"github.com/quorate/quorate/server/proto"
)

// value returns what a counter or gauge shows, or the sum of a summary.
func (h *hand) value(t *testing.T, name string) any {
	t.Helper()
	for _, r := range h.s.Metrics().Gather(h.clock) {
		if r.Name != name {
			continue
		}
		if r.Kind == metric.Basic || r.Kind == metric.Advanced {
			return int64(r.Summary.Sum)
		}
		return r.Value
	}
	require.Fail(t, "no such metric", name)
	return nil
}

func TestMetrics_OfConnections(t *testing.T) {
	h := newHand(Config{MaxClientCnxns: 3, EnsembleAuth: true, EnsembleNames: []string{"ours"}})
	w := h.join(t)
	require.NotNil(t, h.dial("10.0.0.1:2"))
	gone := h.dial("10.0.0.1:3")
	require.Nil(t, h.dial("10.0.0.1:4"))
	gone.c.End(nil)
	h.clock += 11 * time.Second // longer than a connection may be without a session, and than the session lasts
	h.s.Housekeep()
	h.settle()
	for name, want := range map[string]int64{
		"connection_request_count": 1, "connection_rejected": 1, "connection_drop_count": 1, "sessionless_connections_expired": 1,
		"stale_sessions_expired": 1, "connection_revalidate_count": 0, "op_count_create_session": 1,
	} {
		assert.Equal(t, want, h.value(t, name), name)
	}
	assert.True(t, w.closed)

	h.look()
	late := h.dial("10.0.0.2:1")
	late.send(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 4000}))
	h.settle()
	assert.Equal(t, int64(1), h.value(t, "cnxn_closed_without_zk_server_running"))
}

func TestMetrics_OfWatchesAndBytes(t *testing.T) {
	h := newHand(Config{})
	a, b := h.join(t), h.join(t)
	h.s.ResetStats()
	do := func(w *handWire, op proto.OpCode, rec proto.Record) {
		t.Helper()
		w.send(request(9, op, rec))
		h.settle()
	}
	for _, w := range []*handWire{a, b} {
		do(w, proto.OpExists, read("/n", true))
		do(w, proto.OpGetChildren, read("/", true))
	}
	do(a, proto.OpCreate, createOf("/n", "123", 0))
	do(b, proto.OpGetData, read("/n", true))
	do(a, proto.OpSetData, &proto.SetDataRequest{Path: "/n", Data: []byte("4567"), Version: -1})
	do(b, proto.OpGetData, read("/n", true))
	do(a, proto.OpDelete, &proto.PathVersionRequest{Path: "/n", Version: -1})
	for name, want := range map[string]int64{
		"node_created_watch_count": 2, "node_children_watch_count": 2, "node_changed_watch_count": 1, "node_deleted_watch_count": 1,
		"write_per_namespace": 2 + 3 + 2 + 4 + 2, "read_per_namespace": 2*(2+statBytes) + 3 + 4, "prep_processor_request_queued": 3,
		"op_count_exists": 2, "op_count_get_children": 2, "op_count_get_data": 2, "op_count_total": 9,
	} {
		assert.Equal(t, want, h.value(t, name), name)
	}
	assert.Equal(t, int64(len(a.got)+len(b.got)), h.value(t, "response_bytes").(int64)+h.value(t, "watch_bytes").(int64))
}
