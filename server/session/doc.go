// Package session knows what a ZooKeeper session is apart from any connection:
// its id, its password, and when it expires.
//
// All of it is pure: time comes in as an argument, a duration since any fixed
// moment on a monotonic clock, and nothing here locks.
//
//   - [Generator] makes ids that no other server of the ensemble makes.
//   - [Password] makes the 16 bytes that let a client come back to its session
//     at any server, from a secret that the ensemble shares.
//   - [Buckets] say which sessions are due: expiry is rounded up to ticks, so
//     that a touch is one map look-up and a whole bucket expires at once.
//   - [Tracker] is the leader's table: which sessions live, when they expire, and
//     which are being closed.
//
// Only the leader expires sessions. A tracker is filled from the replicated
// session table when a leadership begins, every session with a full fresh
// timeout, and thrown away when it ends.
package session
