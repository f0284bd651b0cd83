// Package wire is a small ZooKeeper client that hides nothing: one TCP
// connection, one session, requests that may be pipelined. Black-box tests and
// the benchmark use it where a full client would get in the way by
// reconnecting, retrying or waiting.
//
// A Conn never reconnects. The first failure ends it; requests without a reply
// then fail with ErrLost, and nobody knows whether they were carried out.
package wire
