// Package ensemble says who the servers are and what a majority is.
//
// It is the vocabulary that every other package shares and imports nothing of
// theirs: server ids, epochs and zxids; the [State] a server is in; [Member],
// one line server.N=… of a configuration; and [View], a set of members with the
// quorum system that decides which sets of voters may speak for all.
//
// # Zxids
//
// A [Zxid] names a transaction. Its upper 32 bits are the epoch of the leader
// that proposed it and its lower 32 bits count that leader's proposals from 1,
// so zxids order first by leader and then by proposal. NewZxid(e, 0) is the
// start of epoch e, before its first proposal.
//
// # Quorums
//
// Two quorum systems exist, both ZooKeeper's. Majority asks for more than half
// of the voters. The hierarchical one, chosen by any group or weight, asks for
// more than half of the weight in more than half of the groups. Observers are
// members, and never count in either.
package ensemble
