// Package quorum runs a server of an ensemble: it elects (package fle), and then
// leads, follows or observes (package zab), on real sockets, files and time. It
// is the library's front door:
//
//	node, err := quorum.Start(ctx, quorum.Config{Self: 1, View: view, Dir: dir}, machine)
//	result, err := node.Propose(ctx, request)
//
// machine is yours, a [zab.StateMachine]. Every server applies the same
// transactions in the same order. See the example for a whole ensemble in one
// process.
//
// # The peer and its shell
//
// [Peer] is ZooKeeper's QuorumPeer as a pure state machine, LOOKING, FOLLOWING,
// LEADING, OBSERVING; it knows no socket, file or clock. [Node] is its shell:
//
//	loop        steps the peer, carries out effects, never waits for anybody
//	syncer      writes to the disk; one fdatasync for all that came meanwhile
//	applier     applies what is committed, in order, and completes requests
//	proposer    on the leader, prepares requests and proposes them in batches
//	snapshots   writes captured states while the applier goes on
//	links       one per peer: a goroutine that sends a queue, one that reads
//
// and, from other packages, the Manager of the election connections and the
// WorkerSender and WorkerReceiver of the election.
//
// A write goes: Submit, (link,) proposer, loop, syncer and links at the same
// time, acknowledgements, loop, applier, done.
//
// # What is promised
//
// When Propose returns without an error, the transaction is on the disks of a
// quorum, applied here, and will be applied everywhere, in the same place of one
// order. After [ErrNotServing] nothing has happened; after any other error the
// outcome is unknown. A read of the local state may be stale; behind [Node.Sync]
// it is not older than the call.
//
// A disk that fails to sync, or a history that contradicts the leader's, ends
// the node with an error: see [Node.Done].
package quorum
