// Package zab is ZooKeeper Atomic Broadcast as pure state machines: how an
// elected leader brings its learners to one history and then extends it.
//
// [Lead] and [Follow] make the two roles. Both are values that are stepped:
//
//	leader.Step(now, input, &effects)
//
// An [Input] is something that happened (a packet came, the disk is done, time
// has passed), an [Effect] something to do (append, send, commit). There is no
// goroutine, socket, file or clock in here, so the same inputs give the same
// effects, and a test or a simulator can be the world. Package quorum is the
// shell that runs it on TCP and files.
//
// # A leadership
//
//	discovery        learners say which epoch they have accepted (FOLLOWERINFO); the
//	                 leader proposes a higher one (LEADERINFO) and a quorum promises
//	                 to follow no lower (ACKEPOCH)
//	synchronization  the leader plans from two histories how each learner gets to its
//	                 own (PlanSync: DIFF, TRUNC, SNAP), sends it, and NEWLEADER behind
//	                 it; when a quorum has it on disk, all of it is committed
//	broadcast        UPTODATE, and then PROPOSAL, ACK and COMMIT in zxid order, INFORM
//	                 for observers, PING for everybody
//
// Proposals travel in batches, acknowledgements and commits are cumulative: ACK
// and COMMIT of a zxid mean everything up to it.
//
// # What must be durable before what is said
//
// Effects are carried out in order, storage effects on one disk queue. The core
// waits for the disk's answer ([Durable]) before it speaks:
//
//	SaveEpochs(accepted)                    on disk before LEADERINFO and ACKEPOCH
//	Append…, then SaveEpochs(current)       on disk, in this order, before ACK of NEWLEADER
//	Append                                  on disk before ACK of its transactions
//
// A shell need not wait for anything else. It must sync an Append before it
// carries out a SaveEpochs that comes behind it, and must end the process when
// the disk fails.
//
// # Histories
//
// Within an epoch counters are contiguous, so a history has a [Shape] of a few
// numbers, and [PlanSync] compares two shapes. Nothing that leaves a gap is ever
// appended. Each transaction carries the hash of all history before it
// ([NextChain]), and a server whose chain differs from its leader's stops
// instead of diverging.
//
// The [Journal] is what both roles share and what outlives them: shape, epochs,
// commit point, and how far the disk is.
//
// # Who counts
//
// Quorums are the view's. Observers never count. A server that is unsure of its
// history (its disk was empty, or the tail of its log damaged) counts in no
// quorum of discovery, unless every voter is there: then whatever was ever
// acknowledged is on one of them. It is sure again when a leader has
// synchronized it.
package zab
