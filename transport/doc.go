// Package transport carries bytes between the servers of an ensemble.
//
// It knows who is at the other end of a connection and nothing of what is said:
// votes belong to package fle, replication to package zab. There are two ways:
//
//   - [Manager] serves the election port. It keeps at most one connection per
//     pair of servers and one mailbox per peer that holds only the newest
//     message: a vote that has been overtaken is of no use to anybody
//     (ZooKeeper's QuorumCnxManager).
//   - [Stream] and [StreamListener] serve the quorum port: ordered, reliable
//     connections from a learner to its leader, in which nothing is dropped.
//
// # Frames
//
// Everything on a wire is a frame:
//
//	u32 length | u32 CRC-32C of the payload | payload        big endian
//
// A length of 0, a negative one, or one above the limit of the connection ends
// it before a byte is allocated, and so does a wrong checksum: the error is a
// [FrameError] that names the peer's address and the reason.
//
// # Handshake
//
// The dialer's first frame is its [Hello], the acceptor's is its answer:
//
//	"QRTE" | u16 version (1) | msgpack array [sid, to, ensemble, kind, role, instance, knock, addresses]
//	"QRTE" | u16 version (1) | msgpack array [verdict, reason, the acceptor's own hello]
//
// Later versions may append elements to the arrays. A refusal carries a sentence,
// so that the dialer can log in one line why it is not wanted: another ensemble,
// the wrong port, a sid that is not in the view, a sid that somebody else uses.
// Handshakes have a deadline, at most [Config].HandshakesMax of them are under
// way at once, and when there are more the oldest is given up: a server that
// means it needs milliseconds.
//
// # One connection per pair
//
// The server with the larger sid dials. A server that wants to reach a larger
// one "knocks": it dials, says so in its hello, is told that it will be called
// back, and hangs up. A connection that exists is never given up for a knock as
// long as it answers a ping within [Config].ProbeTimeout, so crossing knocks and
// dials leave exactly one connection.
//
// # A sid used twice
//
// Each process has a random instance number in its hello. When a sid calls that
// already has a connection:
//
//   - from the same instance, and it dials: the old connection is replaced. The
//     dialer dials only after it has lost the old one.
//   - otherwise the old connection is pinged. If it answers, the newcomer is
//     told so, and if it is another instance it is refused: "sid 2 is already in
//     use by host:port". If it does not answer within the probe timeout, it
//     belonged to a machine that is gone, and the newcomer takes its place.
//
// A server killed and started again is therefore back at once: its old
// connections were reset when it died.
//
// # Liveness
//
// On the election port both sides send a ping each [Config].PingInterval; a
// connection without a frame for [Config].IdleTimeout is half-open and dropped.
// Writes have deadlines, TCP keepalive is on, and names are resolved anew at each
// dial. On the quorum port the layer above has pings of its own and sets read and
// write timeouts on its streams.
//
// # Goroutines
//
// Constructors start none. [Manager.Run] runs the Listener, a SendWorker and a
// RecvWorker per connection, one dialer per peer that is being dialed, and one
// goroutine per handshake and for [Trace]; all have ended when it returns. The same
// holds for [StreamListener.Run]. No lock is held while anything is dialed,
// read, written or called.
package transport
