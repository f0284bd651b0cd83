package metric

// Table is everything that one server measures. Make one with New. The comment
// of a field is ZooKeeper's name and, where the two are not quite the same, what
// is measured here; spec client-protocol 7.6.
type Table struct {
	sources                          []Source
	counters, basics, advanced, sets []entry

	Clients
	Requests
	Protocol
	Disk
}

// Clients are counted where connections come and go.
type Clients struct {
	ConnectionRequests    *Counter // connection_request_count
	ConnectionsRejected   *Counter // connection_rejected
	ConnectionDrops       *Counter // connection_drop_count: the client ended the stream, or the link broke
	ConnectionRevalidates *Counter // connection_revalidate_count
	Revalidates           *Counter // revalidate_count: questions of learners, on the leader
	SessionlessExpired    *Counter // sessionless_connections_expired
	SessionsExpired       *Counter // stale_sessions_expired
	NotServing            *Counter // cnxn_closed_without_zk_server_running
	BytesReceived         *Counter // bytes_received_count
	ResponseBytes         *Counter // response_bytes
	WatchBytes            *Counter // watch_bytes
	LargeRejected         *Counter // large_requests_rejected
	TokenDeficit          *Summary // connection_token_deficit
	EnsembleAuthSuccess   *Counter // ensemble_auth_success
	EnsembleAuthFail      *Counter // ensemble_auth_fail
	EnsembleAuthSkip      *Counter // ensemble_auth_skip
	AuditDropped          *Counter // audit_dropped_count, which is ours
	HandshakesFailed      *Counter // unsuccessful_handshake: of TLS
	HandshakesExceeded    *Counter // tls_handshake_exceeded
}

// Requests are measured where they are answered and applied.
type Requests struct {
	ReadLatency        *Summary      // readlatency
	UpdateLatency      *Summary      // updatelatency
	PropagationLatency *Summary      // propagation_latency
	Prepared           *Counter      // prep_processor_request_queued
	NodeCreatedWatches *Summary      // node_created_watch_count
	NodeDeletedWatches *Summary      // node_deleted_watch_count
	NodeChangedWatches *Summary      // node_changed_watch_count
	ChildrenWatches    *Summary      // node_children_watch_count
	ReadBytes          *Set[Summary] // read_per_namespace
	WrittenBytes       *Set[Summary] // write_per_namespace
	QuotaExceeded      *Set[Counter] // quota_exceeded_error_per_namespace
	Ops                [opsMax]*Counter
}

// Protocol is what election and broadcast do; package meter fills it.
type Protocol struct {
	Lookings              *Counter      // looking_count
	ElectionTime          *Summary      // election_time
	UnavailableTime       *Summary      // unavailable_time
	LeaderUnavailableTime *Summary      // leader_unavailable_time
	FollowerSyncTime      *Summary      // follower_sync_time
	ObserverSyncTime      *Summary      // observer_sync_time
	Diffs, Snaps          *Counter      // diff_count, snap_count: learners synchronized so, on the leader
	InflightDiffs         *Summary      // inflight_diff_count
	InflightSnaps         *Summary      // inflight_snap_count
	Proposals             *Counter      // proposal_count
	Commits               *Counter      // commit_count
	LearnerProposals      *Counter      // learner_proposal_received_count
	LearnerCommits        *Counter      // learner_commit_received_count
	ProposalLatency       *Summary      // proposal_latency
	ProposalAckLatency    *Summary      // proposal_ack_creation_latency
	CommitPropagation     *Summary      // commit_propagation_latency
	QuorumAckLatency      *Summary      // quorum_ack_latency
	AckLatency            *Set[Summary] // ack_latency
}

// Disk is what the log and the snapshots cost; package meter fills it.
type Disk struct {
	FsyncTime         *Summary // fsynctime
	FlushTime         *Summary // sync_processor_queue_flush_time_ms: the same, with quantiles
	QueueAndFlushTime *Summary // sync_processor_queue_and_flush_time_ms
	BatchSize         *Summary // sync_processor_batch_size
	Logged            *Counter // sync_processor_request_queued
	SlowFsyncs        *Counter // fsync_threshold_exceed_count, which only the admin server shows
	SnapshotTime      *Summary // snapshottime
	InitTime          *Summary // dbinittime
	StartupSnapTime   *Summary // startup_snap_load_time
	StartupTxns       *Summary // startup_txns_loaded
	StartupTxnsTime   *Summary // startup_txns_load_time
}

// New returns a table in which nothing has been measured yet.
func New() *Table {
	t := &Table{}
	t.clients()
	t.requests()
	t.protocol()
	t.disk()
	t.constant("unrecoverable_error_count", "Errors that leave the server damaged: always 0, since such a server ends.")
	t.constant("digest_mismatches_count", "Differences between replicas: always 0, since a server whose history differs ends.")
	return t
}

func (t *Table) clients() {
	t.ConnectionRequests = t.counter("connection_request_count", "Clients that asked for a session.")
	t.ConnectionsRejected = t.counter("connection_rejected", "Connections refused because there were too many.")
	t.ConnectionDrops = t.counter("connection_drop_count", "Connections that ended from the client's side.")
	t.ConnectionRevalidates = t.counter("connection_revalidate_count", "Clients that came back to a session.")
	t.Revalidates = t.counter("revalidate_count", "Questions of other servers about a session, on the leader.")
	t.SessionlessExpired = t.counter("sessionless_connections_expired", "Connections closed because they had no session in time.")
	t.SessionsExpired = t.counter("stale_sessions_expired", "Sessions expired, on the leader.")
	t.NotServing = t.counter("cnxn_closed_without_zk_server_running", "Connections closed because the server had no quorum.")
	t.BytesReceived = t.counter("bytes_received_count", "Bytes of requests.")
	t.ResponseBytes = t.counter("response_bytes", "Bytes of replies.")
	t.WatchBytes = t.counter("watch_bytes", "Bytes of watch events.")
	t.LargeRejected = t.counter("large_requests_rejected", "Requests refused because large ones were too many bytes together.")
	t.TokenDeficit = t.summary(Basic, numbers, "connection_token_deficit", "Tokens missing in the connection throttle when a client asks for a session.")
	t.EnsembleAuthSuccess = t.counter("ensemble_auth_success", "Clients that named this ensemble.")
	t.EnsembleAuthFail = t.counter("ensemble_auth_fail", "Clients turned away that named another ensemble.")
	t.EnsembleAuthSkip = t.counter("ensemble_auth_skip", "Clients that named no ensemble.")
	t.AuditDropped = t.counter("audit_dropped_count", "Events that the audit log has lost.")
	t.HandshakesFailed = t.counter("unsuccessful_handshake", "TLS handshakes that failed.")
	t.HandshakesExceeded = t.counter("tls_handshake_exceeded", "TLS handshakes refused because too many were under way.")
}

func (t *Table) requests() {
	t.ReadLatency = t.summary(Advanced, times, "readlatency", "Milliseconds from a request that writes nothing to its reply.")
	t.UpdateLatency = t.summary(Advanced, times, "updatelatency", "Milliseconds from a write to its reply.")
	t.PropagationLatency = t.summary(Advanced, times, "propagation_latency", "Milliseconds from the making of a transaction on the leader until it is applied here.")
	t.Prepared = t.counter("prep_processor_request_queued", "Writes made into transactions, on the leader.")
	t.NodeCreatedWatches = t.summary(Basic, numbers, "node_created_watch_count", "Watches fired by the creation of a node.")
	t.NodeDeletedWatches = t.summary(Basic, numbers, "node_deleted_watch_count", "Watches fired by the deletion of a node.")
	t.NodeChangedWatches = t.summary(Basic, numbers, "node_changed_watch_count", "Watches fired by a change of data.")
	t.ChildrenWatches = t.summary(Basic, numbers, "node_children_watch_count", "Watches fired by a change of children.")
	t.ReadBytes = t.summarySet(Basic, numbers, "read_per_namespace", "Bytes of a read, by the first part of the path.")
	t.WrittenBytes = t.summarySet(Basic, numbers, "write_per_namespace", "Bytes of a write, by the first part of the path.")
	t.QuotaExceeded = t.counterSet("quota_exceeded_error_per_namespace", "Requests refused because of a quota, by the first part of the path; on the leader.")
	for op, name := range opNames {
		t.Ops[op] = t.counter("op_count_"+name, "Requests of this kind answered.")
	}
	t.opTotal()
}

func (t *Table) protocol() {
	t.Lookings = t.counter("looking_count", "Elections that this server began.")
	t.ElectionTime = t.summary(Basic, times, "election_time", "Milliseconds that an election took.")
	t.UnavailableTime = t.summary(Basic, times, "unavailable_time", "Milliseconds from the loss of a role until the server served again.")
	t.LeaderUnavailableTime = t.summary(Basic, times, "leader_unavailable_time", "The same, where the server came to lead.")
	t.FollowerSyncTime = t.summary(Basic, times, "follower_sync_time", "Milliseconds from the end of an election until this follower was synchronized.")
	t.ObserverSyncTime = t.summary(Basic, times, "observer_sync_time", "Milliseconds from the end of an election until this observer was synchronized.")
	t.Diffs = t.counter("diff_count", "Learners synchronized from the log, on the leader.")
	t.Snaps = t.counter("snap_count", "Learners synchronized by a snapshot, on the leader.")
	t.InflightDiffs = t.summary(Basic, numbers, "inflight_diff_count", "Learners being synchronized from the log, when another one begins.")
	t.InflightSnaps = t.summary(Basic, numbers, "inflight_snap_count", "Learners being synchronized by a snapshot, when another one begins.")
	t.Proposals = t.counter("proposal_count", "Transactions proposed, on the leader.")
	t.Commits = t.counter("commit_count", "Transactions committed, on the leader.")
	t.LearnerProposals = t.counter("learner_proposal_received_count", "Transactions proposed to this learner.")
	t.LearnerCommits = t.counter("learner_commit_received_count", "Transactions committed, as this learner was told.")
	t.ProposalLatency = t.summary(Advanced, times, "proposal_latency", "Milliseconds from the making of a transaction until this learner had it; of a batch, its first.")
	t.ProposalAckLatency = t.summary(Advanced, times, "proposal_ack_creation_latency", "Milliseconds from the making of a transaction until it is on this disk; of a batch, its first.")
	t.CommitPropagation = t.summary(Advanced, times, "commit_propagation_latency", "Milliseconds from the making of a transaction until this learner knew that it is committed.")
	t.QuorumAckLatency = t.summary(Advanced, times, "quorum_ack_latency", "Milliseconds from a proposal until a quorum had it, on the leader; of a batch.")
	t.AckLatency = t.summarySet(Advanced, times, "ack_latency", "Milliseconds from a proposal until a server acknowledged it, on the leader, by sid.")
}

func (t *Table) disk() {
	t.FsyncTime = t.summary(Basic, times, "fsynctime", "Milliseconds that a sync of the log took.")
	t.FlushTime = t.summary(Advanced, times, "sync_processor_queue_flush_time_ms", "Milliseconds that a sync of the log took.")
	t.QueueAndFlushTime = t.summary(Advanced, times, "sync_processor_queue_and_flush_time_ms", "Milliseconds that transactions waited for the disk and its sync.")
	t.BatchSize = t.summary(Basic, numbers, "sync_processor_batch_size", "Transactions that one sync of the log made durable.")
	t.Logged = t.counter("sync_processor_request_queued", "Transactions handed to the log.")
	t.SlowFsyncs = &Counter{}
	t.SnapshotTime = t.summary(Basic, times, "snapshottime", "Milliseconds that the writing of a snapshot took.")
	t.InitTime = t.summary(Basic, times, "dbinittime", "Milliseconds that loading the state took at the start.")
	t.StartupSnapTime = t.summary(Basic, times, "startup_snap_load_time", "Milliseconds of it for the snapshot.")
	t.StartupTxns = t.summary(Basic, numbers, "startup_txns_loaded", "Transactions applied behind the snapshot at the start.")
	t.StartupTxnsTime = t.summary(Basic, times, "startup_txns_load_time", "Milliseconds that they took.")
}
