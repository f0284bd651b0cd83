//go:build mutants

package mutant

// catalogue has every mutant, in the order of the numbers. Invariants are named as
// in docs/testing.md: E epochs and leaders, B broadcast, F election, T the tree, S
// sessions, C and W what clients see, V that it lives; HEO is the hypothetical
// election.
var catalogue = []Mutant{
	{
		ID:     M01,
		Does:   "acknowledges a proposal when it has come, and not when it is on disk; a leader counts itself so, too",
		Cousin: "etcd 14370",
		Alarms: []string{"B7", "B6", "HEO"},
		Where:  []string{"zab/journal.go", "zab/learner.go"},
	}, {
		ID:     M02,
		Does:   "acknowledges NEWLEADER before the history sent with DIFF, and the epoch, are on disk",
		Cousin: "ZOOKEEPER-3911, ZOOKEEPER-4646",
		Alarms: []string{"D2", "B7", "B8", "HEO"},
		Where:  []string{"zab/learner.go"},
	}, {
		ID:     M03,
		Does:   "saves currentEpoch before the history sent with DIFF",
		Cousin: "ZOOKEEPER-4643",
		Alarms: []string{"B8", "HEO"},
		Where:  []string{"zab/learner.go"},
	}, {
		ID:     M04,
		Does:   "keeps the applied state when it leaves a quorum, and takes that for its history: votes and joins as if the rest of its log were not there",
		Cousin: "ZOOKEEPER-2845",
		Alarms: []string{"B11", "B8", "B10", "E7", "HEO"},
		Where:  []string{"zab/leader.go", "zab/learner.go", "zab/shape.go"},
	}, {
		ID:     M05,
		Does:   "commits when half of the voters have it, rounded down: of three, the leader alone",
		Alarms: []string{"B6"},
		Where:  []string{"zab/leader_broadcast.go"},
	}, {
		ID:     M06,
		Does:   "counts acknowledging packets, so that two of one follower count like two followers",
		Alarms: []string{"B6"},
		Where:  []string{"zab/leader_broadcast.go"},
	}, {
		ID:     M07,
		Does:   "removes the epochs file before it writes the new one",
		Cousin: "ClickHouse 113654",
		Alarms: []string{"V7", "E1", "E2", "HEO"}, // V7: it does not start again
		Where:  []string{"zab/storage/store.go"},
	}, {
		ID:     M08,
		Does:   "takes as much of the log for durable behind a truncation as before it: skips a sync when the log is that long again, and writes batches that recovery does not believe",
		Cousin: "ClickHouse 102629",
		Alarms: []string{"V7", "D1", "B7", "HEO"}, // V7: its log does not go on
		Where:  []string{"zab/storage/truncate.go"},
	}, {
		ID:     M09,
		Does:   "sends DIFF to a learner whose last zxid lies between the leader's first and last, though the leader does not have it",
		Cousin: "ZOOKEEPER-1154",
		Alarms: []string{"B8", "V7"}, // V7: its chained hash halts the learner
		Where:  []string{"zab/leader_discovery.go"},
	}, {
		ID:     M10,
		Does:   "truncates one transaction too far when a log file ends with the last one that should stay",
		Alarms: []string{"B9", "D1", "V7"}, // V7: the log does not go on
		Where:  []string{"zab/storage/truncate.go"},
	}, {
		ID:     M11,
		Does:   "takes whatever comes while it is being synchronized, without looking whether it continues the log; and the leader leaves out the first transaction of a DIFF, without which nobody would ever notice",
		Cousin: "ZOOKEEPER-4925, ZOOKEEPER-2418",
		Alarms: []string{"B10", "B3", "B8"},
		Where:  []string{"zab/learner.go", "zab/leader_discovery.go", "zab/storage/append.go"},
	}, {
		ID:     M12,
		Does:   "does not keep in memory what comes first after a start, an install or a truncation, so that it reads, applies and sends its log with a hole",
		Cousin: "ZOOKEEPER-4925",
		Alarms: []string{"B3", "B10", "B8"},
		Where:  []string{"zab/storage/window.go"},
	}, {
		ID:     M13,
		Does:   "proposes the highest epoch that a follower has accepted, and not one more",
		Alarms: []string{"E5", "E3"},
		Where:  []string{"zab/leader_discovery.go"},
	}, {
		ID:     M14,
		Does:   "promises an epoch once more, to another leader, so that it counts twice",
		Alarms: []string{"E4"},
		Where:  []string{"zab/learner.go"},
	}, {
		ID:     M15,
		Does:   "prefers votes by zxid before epoch",
		Alarms: []string{"F2", "F7", "V1"}, // V1: a leader refuses followers that are ahead of it
		Where:  []string{"fle/vote.go"},
	}, {
		ID:     M16,
		Does:   "counts votes of an older round as of this one",
		Alarms: []string{"F1", "F3"},
		Where:  []string{"fle/receive.go"},
	}, {
		ID:     M17,
		Does:   "sends proposals only to who has acknowledged NEWLEADER, and commits to all who are on their way",
		Cousin: "issue 1 of the Zab TLA+ specification",
		Alarms: []string{"B12", "B10", "V7"}, // B12: a COMMIT of what the learner was never sent
		Where:  []string{"zab/leader_broadcast.go"},
	}, {
		ID:     M18,
		Does:   "says in UPTODATE that all is committed that the learner has acknowledged",
		Cousin: "issue 3 of the Zab TLA+ specification",
		Alarms: []string{"B6", "B13", "B2", "B1"},
		Where:  []string{"zab/leader_discovery.go"},
	}, {
		ID:     M19,
		Does:   "goes on changing the nodes of a state that it has captured: a snapshot's content is of another moment than its zxid",
		Cousin: "ZOOKEEPER-3104, ZOOKEEPER-3127",
		Alarms: []string{"T2"},
		Where:  []string{"server/znode/snapshot.go"},
	}, {
		ID:     M20,
		Does:   "lets the first parts of a multi have their effect when a later one fails",
		Cousin: "ZOOKEEPER-3127",
		Alarms: []string{"T5", "C6", "T4", "W2"},
		Where:  []string{"server/znode/prepare.go", "server/znode/apply.go"},
	}, {
		ID:     M21,
		Does:   "keeps what it prepared and nobody committed when its leadership ends",
		Cousin: "ClickHouse 54572",
		Alarms: []string{"V7", "C6", "T4"}, // V7: a leader stops when a node did not become what it prepared
		Where:  []string{"server/znode/prepare.go"},
	}, {
		ID:     M22,
		Does:   "votes, and begins its next role, while the disk still writes for the last one",
		Cousin: "ZOOKEEPER-4712",
		Alarms: []string{"B11", "B7", "B10"},
		Where:  []string{"quorum/peer.go"},
	}, {
		ID:     M23,
		Does:   "goes on when extending, writing or cutting the log has failed",
		Cousin: "ZOOKEEPER-3701, ZOOKEEPER-2247",
		Alarms: []string{"V7", "HEO", "D1", "B2", "B8", "B10"}, // V7: it does not start again
		Where:  []string{"zab/storage/append.go", "zab/storage/truncate.go"},
	}, {
		ID:     M24,
		Does:   "syncs once more when a sync of the log has failed, and believes the second",
		Alarms: []string{"V7", "HEO", "D1"}, // V7: it does not start again
		Where:  []string{"zab/storage/append.go"},
	}, {
		ID:     M25,
		Does:   "votes at once after its disk was wiped",
		Cousin: "ZOOKEEPER-261",
		Alarms: []string{"D1", "HEO"},
		Where:  []string{"zab/storage/settle.go"},
	}, {
		ID:     M26,
		Does:   "commits a reconfiguration with a quorum of the new view only",
		Alarms: []string{"R2", "HEO"},
		Absent: "there is no reconfiguration yet: the view is that of the configuration file",
	}, {
		ID:     M27,
		Does:   "expires sessions by the wall clock",
		Alarms: []string{"S5"},
		Where:  []string{"server/expiry.go"},
	}, {
		ID:     M28,
		Does:   "forgets, when it closes a session, the ephemerals that were prepared and not applied",
		Cousin: "ZOOKEEPER-1208",
		Alarms: []string{"S3", "S4", "T4", "W5", "W6"}, // its ephemeral is there, of nobody
		Where:  []string{"server/znode/prepare.go", "server/znode/apply.go"},
	}, {
		ID:     M29,
		Does:   "fires the watches of a transaction when the next one is applied, after its zxid has been seen",
		Alarms: []string{"W4", "W2", "W6"},
		Where:  []string{"server/statemachine.go"},
	}, {
		ID:     M30,
		Does:   "compares with >= in setWatches: fires a watch for the change that the client saw",
		Alarms: []string{"W5"},
		Where:  []string{"server/rearm.go"},
	}, {
		ID:     M31,
		Does:   "answers a sync as leader without asking whether it still leads",
		Cousin: "ZOOKEEPER-1675, etcd 20418",
		Alarms: []string{"C8", "C5", "C6", "S5"},
		Where:  []string{"zab/leader_broadcast.go"},
	}, {
		ID:     M32,
		Does:   "takes a client that has seen a later state than the server",
		Alarms: []string{"C2"},
		Where:  []string{"server/handshake.go"},
	}, {
		ID:     M33,
		Does:   "numbers sequential nodes by a counter of the leadership and not of the parent",
		Alarms: []string{"T6", "T5", "C6"},
		Where:  []string{"server/znode/prepareop.go"},
	}, {
		ID:     M34,
		Does:   "begins a read while an earlier write of the same session is on its way",
		Alarms: []string{"C1", "C3", "C6"},
		Where:  []string{"server/conn.go"},
	}, {
		ID:     M35,
		Does:   "proposes the zxid behind the last of its epoch, which is in the next one",
		Cousin: "ZOOKEEPER-1277",
		Alarms: []string{"E6"}, // in a history that begins near the end of an epoch
		Where:  []string{"zab/leader_broadcast.go"},
	}, {
		ID:     M36,
		Does:   "repeats its vote at every tick",
		Cousin: "ZOOKEEPER-1419",
		Alarms: []string{"F7"}, // while there is no quorum
		Where:  []string{"fle/ballot.go"},
	}, {
		ID:     M37,
		Does:   "waits for ever for a leader that has stopped talking before UPTODATE",
		Cousin: "ZOOKEEPER-3109",
		Alarms: []string{"V1"},
		Where:  []string{"zab/learner.go"},
	}, {
		ID:     M38,
		Does:   "leads on when no quorum answers any more",
		Alarms: []string{"V1"},
		Where:  []string{"zab/leader.go"},
	}, {
		ID:     M39,
		Does:   "takes a damaged end of the log for its end, and votes",
		Cousin: "NuRaft 185",
		Alarms: []string{"D1", "HEO"},
		Where:  []string{"zab/storage/settle.go"},
	}, {
		ID:     M40,
		Does:   "does not verify the checksums of frames between servers",
		Alarms: []string{"B2", "T1"}, // when bytes on the network change
		Where:  []string{"transport/frame.go"},
		Real:   true,
	}, {
		ID:     M41,
		Does:   "checks hard quotas against the usage that is, and not against what is prepared besides",
		Alarms: []string{"T10"},
		Where:  []string{"server/znode/overlay_quota.go"},
	}, {
		ID:     M42,
		Does:   "reaps containers that have not had a child yet",
		Alarms: []string{"T8"},
		Where:  []string{"server/znode/mortal.go"},
	},
}
