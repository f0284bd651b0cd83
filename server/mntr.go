package server

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/ensemble"
)

// digestNodesMax is up to how many nodes mntr computes the digest of the tree.
const digestNodesMax = 100_000

// wordMntr lists what monitoring wants to know, one zk_name<TAB>value a line,
// under ZooKeeper's names where it has one.
func (s *Server) wordMntr() string {
	var b strings.Builder
	put := func(name string, value any) { fmt.Fprintf(&b, "zk_%s\t%v\n", name, value) }
	st, view, census := s.quorum.Status(), s.quorum.View(), s.census()

	put("version", s.cfg.Version)
	put("server_state", s.mode())
	if len(view.Members()) > 1 {
		put("peer_state", strings.ToLower(st.State.String())+" - "+st.Phase)
	}
	low, avg, high := s.stats.latency()
	put("avg_latency", decimal(avg))
	put("max_latency", high)
	put("min_latency", low)
	put("packets_received", s.stats.received.Load())
	put("packets_sent", s.stats.sent.Load())
	put("num_alive_connections", len(s.connections()))
	put("outstanding_requests", s.inflight.Load())
	put("znode_count", census.nodes)
	put("watch_count", census.watches)
	put("ephemerals_count", census.ephemerals)
	put("approximate_data_size", census.dataBytes)
	put("global_sessions", census.sessions)
	put("local_sessions", s.localSessions())
	put("uptime", (s.now() - s.started).Milliseconds())
	if n, ok := openFiles(); ok {
		put("open_file_descriptor_count", n)
	}
	drop, deficit, rejected := s.throttle.state()
	put("connection_drop_probability", decimal(drop))
	put("connection_token_deficit", deficit)
	put("connection_rejected", rejected)
	put("large_requests_rejected", s.stats.largeRejected.Load())
	put("auth_failed_count", s.stats.authFailed.Load())
	put("last_client_response_size", s.stats.lastReply.Load())
	put("max_client_response_size", s.stats.highReply.Load())
	put("min_client_response_size", s.stats.lowReply.Load())

	if len(view.Members()) > 1 {
		put("quorum_size", len(view.Voters()))
	}
	if st.State == ensemble.Leading {
		put("learners", st.Learners)
		put("synced_followers", st.SyncedFollowers)
		put("synced_observers", st.SyncedObservers)
		put("synced_non_voting_followers", 0)
		put("outstanding_proposals", st.Outstanding)
		put("last_proposal_size", st.ProposalBytes.Last)
		put("max_proposal_size", st.ProposalBytes.Max)
		put("min_proposal_size", st.ProposalBytes.Min)
	}
	put("epoch", int64(st.Epoch))
	put("logged_zxid", st.Logged)
	put("committed_zxid", st.Committed)
	put("history_zxid", st.Applied.Zxid)
	put("history_chain", fmt.Sprintf("%016x", st.Applied.Chain))
	if census.nodes <= digestNodesMax {
		at, digest := s.TreeDigest()
		put("tree_digest", fmt.Sprintf("%016x", digest))
		put("tree_digest_zxid", at)
	}
	return b.String()
}
