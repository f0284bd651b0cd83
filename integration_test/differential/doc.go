// Package differential plays the same histories of clients on Apache ZooKeeper
// and on Quorate and compares what the clients saw, byte by byte.
//
// A history is a [Script]: connections that open and are cut, and batches of
// requests, valid and not. [Generate] makes one from a seed; as text it can be
// read, edited and played again. [Player] plays it on a server, one batch at a
// time, so that every server has to give the same answers in the same order. What
// may differ between any two servers (session ids, passwords, times, where zxids
// begin) is given common names by [Canon]; everything else is compared as it is.
//
// A difference is one of those that [Differences] lists, each with its reason, or
// it is a failure: the script is shrunk and printed.
// Differences that no random history may meet have scripts in the tests.
package differential
