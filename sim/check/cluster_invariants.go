package check

// Rule is an invariant: its short name, what must hold, and who checks it.
type Rule struct {
	// ID is the name in Violation.Invariant.
	ID string
	// Words are the invariant in a sentence.
	Words string
	// Where says who checks it: ByCluster, ByWitness, ByWorld, or why nobody does.
	Where string
}

// Who checks an invariant.
const (
	ByCluster = "cluster"
	ByWitness = "witness"
	ByWorld   = "world"

	noReconfig = "not: there is no reconfiguration yet"
)

// invariant is the index of an invariant in Invariants.
type invariant uint8

const (
	invE1 invariant = iota
	invE2
	invE3
	invE4
	invE5
	invE6
	invE7
	invE8
	invB1
	invB2
	invB3
	invB4
	invB5
	invB6
	invB7
	invB8
	invB9
	invB10
	invB11
	invB12
	invB13
	invHEO
	invD1
	invD2
	invF1
	invF2
	invF3
	invF4
	invF5
	invF6
	invF7
	invF8
	invT1
	invT2
	invT3
	invT4
	invT5
	invT6
	invT7
	invT8
	invT9
	invT10
	invS1
	invS2
	invS3
	invS4
	invS5
	invS6
	invS7
	invS8
	invS9
	invC1
	invC2
	invC3
	invC4
	invC5
	invC6
	invC7
	invC8
	invC9
	invC10
	invW1
	invW2
	invW3
	invW4
	invW5
	invW6
	invW7
	invR1
	invR2
	invR3
	invR4
	invR5
	invR6
	invR7
	invV1
	invV7
	invH1
	invH3
	invH5
)

// Invariants are all that are checked, and those that are not, in the order in
// which they are explained: epochs, broadcast, durability, election, state,
// sessions, clients, watches, reconfiguration, liveness, honesty of the run.
// The names of those that ZAB's authors and the TLA+ specifications also use are
// theirs: B1 Integrity, B2 TotalOrder, B3 and B4 PrimaryOrder, B5
// PrimaryIntegrity, B8 ProcessConsistency, E7 LeaderLogCompleteness. D1, D2, T9, T10,
// C10, V7 and the H are ours.
var Invariants = [...]Rule{
	invE1: {"E1", "the accepted and the current epoch of a server never decrease, not by a restart either", ByCluster},
	invE2: {"E2", "the current epoch is never above the accepted one", ByCluster},
	invE3: {"E3", "an epoch has at most one established leader, by the acknowledgements of a quorum", ByCluster},
	invE4: {"E4", "a server promises an epoch once, acknowledges NEWLEADER of it to one leader, and neither after it has accepted a later one", ByCluster},
	invE5: {"E5", "a new epoch is above all that the quorum which produced it had accepted", ByCluster},
	invE6: {"E6", "an established leader proposes in its own epoch, counting from 1 without gaps", ByCluster},
	invE7: {"E7", "an established leader has everything that was committed in earlier epochs", ByCluster},
	invE8: {"E8", "with what history an epoch was established is settled: every later leader has exactly that below it", ByCluster},

	invB1:  {"B1", "what is logged and delivered was proposed by a leader, just so, and is delivered once in a life", ByCluster},
	invB2:  {"B2", "all servers commit and deliver the same transactions in the same order", ByCluster},
	invB3:  {"B3", "within an epoch deliveries are contiguous", ByCluster},
	invB4:  {"B4", "the epochs of a server's deliveries never decrease", ByCluster},
	invB5:  {"B5", "a leader proposes only when it has delivered all that anybody delivered from earlier epochs", ByCluster},
	invB6:  {"B6", "commits come in zxid order, and a leader commits what a quorum of voters has acknowledged", ByCluster},
	invB7:  {"B7", "a learner acknowledges what is on its disk, in rising order, and a leader counts what was acknowledged", ByCluster},
	invB8:  {"B8", "who adopts an epoch and acknowledges its NEWLEADER has its leader's history", ByCluster},
	invB9:  {"B9", "what is committed is never cut off a log nor replaced by less", ByCluster},
	invB10: {"B10", "the records of a log follow one another without a hole, each epoch behind the history it began with", ByCluster},
	invB11: {"B11", "what a server says of itself in an election is what its disk says", ByCluster},
	invB12: {"B12", "a message that does not fit the role and its phase is refused", ByWorld + ": no server may complain of another"},
	invB13: {"B13", "no reply speaks of anything that is not committed", ByWitness + ", as part of C6: replies name committed transactions"},

	invHEO: {"HEO", "whichever quorum elects from the synced disks, its choice has everything that was ever committed", ByCluster},
	invD1:  {"D1", "what the disk has confirmed survives a crash, or the server says that it is unsure", ByCluster},
	invD2:  {"D2", "an epoch is on disk before it is promised or acknowledged", ByCluster},

	invF1: {"F1", "who decides has heard a quorum for the same vote, or followers of a leader and that leader itself", ByCluster},
	invF2: {"F2", "the vote decided on is the best of those heard", ByCluster},
	invF3: {"F3", "election rounds never go back within a life, and a vote is changed only by one of the same round", ByCluster},
	invF4: {"F4", "only voters with weight are counted and elected", ByCluster},
	invF5: {"F5", "nobody follows a server that is no voter of its view", ByCluster},
	invF6: {"F6", "no newcomer deposes a leader that a quorum follows undisturbed", ByCluster},
	invF7: {"F7", "elections do not flood: notifications after the last fault stay within a bound", ByCluster},
	invF8: {"F8", "within a bound after the last fault a leader serves", ByCluster},

	invT1:  {"T1", "the state after a transaction is the same on all servers", ByCluster},
	invT2:  {"T2", "a snapshot is of a committed state, and restoring it gives that state", ByCluster},
	invT3:  {"T3", "applying transactions twice to a fuzzy snapshot changes nothing", "not: snapshots are not fuzzy"},
	invT4:  {"T4", "every field of Stat is what the history makes it", ByWitness},
	invT5:  {"T5", "a multi happens as a whole at one zxid, or not at all", ByWitness},
	invT6:  {"T6", "sequential names count the creations under their parent", ByWitness},
	invT7:  {"T7", "ACLs and counts of nodes survive every way of copying a state", ByWitness},
	invT8:  {"T8", "an ephemeral has no children; what is reaped has none, and is a container that had some or a node whose time is over", ByWitness},
	invT9:  {"T9", "in calm, what is to be reaped is reaped in time", ByWitness},
	invT10: {"T10", "the stats of a quota are those of its subtree, and where they are enforced its hard limits hold", ByWitness},

	invS1: {"S1", "session ids are unique for ever, and only who has the password comes back", ByWitness},
	invS2: {"S2", "a session that is closed does nothing more", ByWitness},
	invS3: {"S3", "an ephemeral exists only while its session lives", ByWitness},
	invS4: {"S4", "a node that is gone stays gone", ByWitness},
	invS5: {"S5", "a leader expires a session only when it was told nothing of it for the timeout", ByCluster},
	invS6: {"S6", "a silent client's session ends in time", ByWitness},
	invS7: {"S7", "what a session's former connection still sends is not committed", ByWitness},
	invS8: {"S8", "a local session that becomes global leaves nothing dangling", "not: no simulated server makes local sessions"},
	invS9: {"S9", "closing a session always fits into a transaction", "not: no simulated session has ephemerals enough to fill a transaction"},

	invC1:  {"C1", "replies come in the order of the requests of a connection", ByWitness},
	invC2:  {"C2", "a client's zxid never goes back, also not at another server", ByWitness},
	invC3:  {"C3", "requests of a connection take effect in the order in which they were sent", ByWitness},
	invC4:  {"C4", "a write that was answered is ordered before one that was sent later", ByWitness},
	invC5:  {"C5", "a read that was answered is ordered before a write that was sent later", ByWitness},
	invC6:  {"C6", "a reply is that of the state at its zxid", ByWitness},
	invC7:  {"C7", "what was acknowledged happened once, what failed did not, what is unknown at most once", ByWitness},
	invC8:  {"C8", "sync returns a state that has everything committed before it was sent", ByWitness},
	invC9:  {"C9", "a read-only server answers no write and does not go back", "not: no simulated server serves without a quorum"},
	invC10: {"C10", "a request that ends its connection is the last that is answered on it", ByWitness},
	invW1:  {"W1", "a one-shot watch fires once", ByWitness},
	invW2:  {"W2", "an event tells of a committed change that the client watches", ByWitness},
	invW3:  {"W3", "events come in the order of the changes", ByWitness},
	invW4:  {"W4", "a client hears of a change before it sees the new state", ByWitness},
	invW5:  {"W5", "setWatches fires exactly what changed meanwhile", ByWitness},
	invW6:  {"W6", "a persistent or recursive watch hears of every change once", ByWitness},
	invW7:  {"W7", "a watch that was removed is silent", ByWitness},

	invR1: {"R1", "one reconfiguration at a time", noReconfig},
	invR2: {"R2", "a reconfiguration commits by quorums of the old and of the new view", noReconfig},
	invR3: {"R3", "view versions rise, and are the same on disk, in the tree and in memory", noReconfig},
	invR4: {"R4", "who was removed is not counted", noReconfig},
	invR5: {"R5", "no two disjoint quorums can commit", noReconfig},
	invR6: {"R6", "a leader that is removed hands over without loss", noReconfig},
	invR7: {"R7", "servers with an old view form no quorum", noReconfig},

	invV1: {"V1", "once the faults are over, everybody writes and agrees again within a bound", ByWorld},
	invV7: {"V7", "no server stops for good, unless its disk has failed", ByCluster},
	invH1: {"H1", "the trace is whole: no event is missing, none is of a process that is gone", ByCluster},
	invH3: {"H3", "a run that committed nothing proves nothing", ByCluster},
	invH5: {"H5", "the history is whole", ByWitness},
}

// rulesOfCluster returns the invariants that a Cluster checks.
func rulesOfCluster() []invariant {
	var list []invariant
	for i, r := range Invariants {
		if r.Where == ByCluster {
			list = append(list, invariant(i))
		}
	}
	return list
}
