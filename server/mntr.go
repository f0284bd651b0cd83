package server

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/ensemble"
)

// digestNodesMax is up to how many nodes mntr computes the digest of the tree.
const digestNodesMax = 100_000

// wordMntr lists what monitoring wants to know, one zk_name<TAB>value a line,
// under ZooKeeper's names where it has one: what the table of metrics knows, and
// behind it what only this implementation has.
func (s *Server) wordMntr() string {
	var b strings.Builder
	s.Monitor(func(name string, value any) {
		if f, ok := value.(float64); ok {
			value = Decimal(f)
		}
		fmt.Fprintf(&b, "zk_%s\t%v\n", name, value)
	})
	return b.String()
}

// Monitor visits what mntr tells, without zk_: version and role first. A value is
// a string, an int64 or a float64.
func (s *Server) Monitor(visit func(name string, value any)) {
	visit("version", s.cfg.Version)
	visit("server_state", s.mode())
	st := s.quorum.Status()
	if len(s.quorum.View().Members()) > 1 {
		visit("peer_state", strings.ToLower(st.State.String())+" - "+st.Phase)
	}
	for _, r := range s.metrics.Gather(s.now()) {
		r.Lines(visit)
	}
	visit("logged_zxid", st.Logged.String())
	visit("committed_zxid", st.Committed.String())
	visit("history_zxid", st.Applied.Zxid.String())
	visit("history_chain", fmt.Sprintf("%016x", st.Applied.Chain))
	s.state.RLock()
	nodes := s.tree.NodeCount()
	s.state.RUnlock()
	if nodes <= digestNodesMax {
		at, digest := s.shownDigest()
		visit("tree_digest", fmt.Sprintf("%016x", digest))
		visit("tree_digest_zxid", at.String())
	}
}

// gauges tells the table of metrics of the server's state.
func (s *Server) gauges(putKey func(name, key string, value any)) {
	put := func(name string, value any) { putKey(name, "", value) }
	s.quotaGauges(putKey)
	n := func(name string, value int) { put(name, int64(value)) }
	st, view, census, r := s.quorum.Status(), s.quorum.View(), s.census(), s.Report()
	put("avg_latency", r.LatencyAvg)
	put("max_latency", r.LatencyHigh)
	put("min_latency", r.LatencyLow)
	put("packets_received", r.Received)
	put("packets_sent", r.Sent)
	n("num_alive_connections", r.Connections)
	put("outstanding_requests", r.Outstanding)
	n("znode_count", census.nodes)
	n("watch_count", census.watches)
	n("ephemerals_count", census.ephemerals)
	put("approximate_data_size", census.dataBytes)
	n("global_sessions", census.sessions)
	n("local_sessions", s.localSessions())
	put("uptime", r.Uptime.Milliseconds())
	if open, limit, ok := openFiles(); ok {
		put("open_file_descriptor_count", open)
		put("max_file_descriptor_count", limit)
	}
	drop, _ := s.throttle.state()
	put("connection_drop_probability", drop)
	put("auth_failed_count", r.AuthFailed)
	put("last_client_response_size", r.LastReplyBytes)
	put("max_client_response_size", r.HighReplyBytes)
	put("min_client_response_size", r.LowReplyBytes)
	put("outstanding_tls_handshake", s.handshakes.underWay.Load())
	put("non_mtls_remote_conn_count", s.handshakes.plainRemote.Load())
	put("non_mtls_local_conn_count", s.handshakes.plainLocal.Load())
	if len(view.Members()) > 1 {
		n("quorum_size", len(view.Voters()))
	}
	put("epoch", int64(st.Epoch))
	if st.State != ensemble.Leading || len(view.Members()) == 1 {
		return
	}
	n("learners", st.Learners)
	n("synced_followers", st.SyncedFollowers)
	n("synced_observers", st.SyncedObservers)
	n("synced_non_voting_followers", 0) // there is no such role
	n("pending_syncs", st.PendingSyncs)
	put("leader_uptime", s.leaderSince().Milliseconds())
	n("outstanding_proposals", st.Outstanding)
	n("last_proposal_size", st.ProposalBytes.Last)
	n("max_proposal_size", st.ProposalBytes.Max)
	n("min_proposal_size", st.ProposalBytes.Min)
}

// quotaGauges tells of the quotas of the nodes right below the root, as ZooKeeper
// does: the hard limit, or else the soft one.
func (s *Server) quotaGauges(put func(name, key string, value any)) {
	s.state.RLock()
	quotas := s.tree.Quotas()
	s.state.RUnlock()
	limit := func(name, key string, hard, soft int64) {
		if hard < 0 {
			hard = soft
		}
		if hard >= 0 {
			put(name, key, hard)
		}
	}
	for _, q := range quotas {
		key, ok := namespace(q.Path)
		if !ok || len(key)+1 != len(q.Path) {
			continue
		}
		limit("quota_count_limit_per_namespace", key, q.CountHardLimit, q.CountLimit)
		limit("quota_bytes_limit_per_namespace", key, q.BytesHardLimit, q.BytesLimit)
		put("quota_count_usage_per_namespace", key, q.Count)
		put("quota_bytes_usage_per_namespace", key, q.Bytes)
	}
}
