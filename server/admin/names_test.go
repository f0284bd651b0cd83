package admin

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/zab"
)

// zooKeeperNames are the metrics of ZooKeeper 3.6 to 3.9 and of its trunk: spec
// client-protocol 7.6.
const zooKeeperNames = `
ack_latency approximate_data_size auth_failed_count avg_latency bytes_received_count close_session_prep_time
cnxn_closed_without_zk_server_running commit_count commit_process_time commit_propagation_latency connection_drop_count
connection_drop_probability connection_rejected connection_request_count connection_revalidate_count connection_token_deficit dbinittime
diff_count digest_mismatches_count election_time ensemble_auth_fail ensemble_auth_skip ensemble_auth_success ephemerals_count
follower_sync_time fsynctime global_sessions inflight_diff_count inflight_snap_count insecure_admin_count jvm_pause_time_ms
large_requests_rejected last_client_response_size last_proposal_size leader_unavailable_time leader_uptime learner_commit_received_count
learner_handler_qp_size learner_handler_qp_time_ms learner_proposal_received_count learners local_sessions local_write_committed_time_ms
looking_count max_client_response_size max_file_descriptor_count max_latency max_proposal_size min_client_response_size min_latency
min_proposal_size node_changed_watch_count node_children_watch_count node_created_watch_count node_deleted_watch_count
non_mtls_local_conn_count non_mtls_remote_conn_count num_alive_connections observer_sync_time op_count_total open_file_descriptor_count
outstanding_changes_queued outstanding_changes_removed outstanding_requests outstanding_tls_handshake packets_received packets_sent
pending_session_queue_size pending_syncs prep_process_time prep_processor_queue_size prep_processor_queue_time_ms
prep_processor_request_queued propagation_latency proposal_ack_creation_latency proposal_count proposal_latency proposal_process_time
quit_leading_due_to_disloyal_voter quorum_ack_latency quorum_size quota_bytes_limit_per_namespace quota_bytes_usage_per_namespace
quota_count_limit_per_namespace quota_count_usage_per_namespace read_commitproc_time_ms read_final_proc_time_ms read_per_namespace
readlatency reads_after_write_in_session_queue request_commit_queued request_throttle_queue_time_ms request_throttle_wait_count
requests_in_session_queue response_bytes response_packet_cache_hits response_packet_cache_misses response_packet_get_children_cache_hits
response_packet_get_children_cache_misses revalidate_count server_write_committed_time_ms sessionless_connections_expired snap_count
snapshottime socket_closing_time stale_replies stale_requests stale_requests_dropped stale_sessions_expired startup_snap_load_time
startup_txns_load_time startup_txns_loaded sync_process_time sync_processor_batch_size sync_processor_queue_and_flush_time_ms
sync_processor_queue_flush_time_ms sync_processor_queue_size sync_processor_queue_time_ms sync_processor_request_queued synced_followers
synced_non_voting_followers synced_observers throttled_ops tls_handshake_exceeded ttl_node_created_count ttl_node_deleted_count
unavailable_time unrecoverable_error_count unsuccessful_handshake updatelatency uptime watch_bytes watch_count write_commitproc_time_ms
write_final_proc_time_ms write_per_namespace znode_count
`

// setQuota has the server apply what a client does that sets a quota.
func setQuota(t *testing.T, s *server.Server) {
	t.Helper()
	for i, n := range []proto.CreateTxn{
		{Path: "/a"}, {Path: "/zookeeper/quota/a"}, {Path: "/zookeeper/quota/a/zookeeper_limits", Data: []byte("count=5,bytes=10")},
		{Path: "/zookeeper/quota/a/zookeeper_stats", Data: []byte("count=0,bytes=0"), ParentCVersion: 2},
	} {
		n.ACL, n.ParentCVersion = proto.OpenACL, max(n.ParentCVersion, 1)
		zxid := ensemble.NewZxid(1, uint32(i+1))
		s.Apply(zab.Txn{Zxid: zxid, Data: proto.AppendTxn(nil, proto.TxnHeader{Zxid: int64(zxid), Type: proto.OpCreate}, &n)})
	}
}

// Every name of ZooKeeper's is shown by a leader, or explained away in
// docs/operating.md; and none is both.
func TestMetrics_NoNameIsForgotten(t *testing.T) {
	a, s := newAdmin(t, 3, Config{})
	setQuota(t, s)
	m := s.Metrics()
	for _, key := range []string{"1", "a"} {
		m.AckLatency.Get(key)
		m.ReadBytes.Get(key)
		m.WrittenBytes.Get(key)
		m.QuotaExceeded.Get(key)
	}
	shown := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (\w+) `).FindAllStringSubmatch(get(t, a.Handler(), "/metrics").Body.String(), -1) {
		shown[match[1]] = true
	}
	explained := explainedAway(t)
	for _, name := range strings.Fields(zooKeeperNames) {
		assert.True(t, shown[name] != explained[name], "%s: shown %v, in the list of those that are not %v", name, shown[name], explained[name])
	}
	for name := range explained {
		assert.False(t, shown[name], "%s is shown, and docs/operating.md says that it is not", name)
	}
}

func explainedAway(t *testing.T) map[string]bool {
	t.Helper()
	b, err := os.ReadFile("../../docs/operating.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(b), "### Names that are not here")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n#")
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		if columns := strings.Split(line, "|"); len(columns) > 2 {
			for _, match := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllStringSubmatch(columns[1], -1) {
				names[match[1]] = true
			}
		}
	}
	require.NotEmpty(t, names)
	return names
}
