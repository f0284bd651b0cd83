// Package server is ZooKeeper for clients on top of any quorum: unmodified Java,
// C, kazoo and go-zookeeper clients connect to it.
//
// A [Server] is the quorum's zab.StateMachine. What it replicates is the state
// of package znode, a tree of nodes with a table of sessions; around it stand
// the connections. Start reading at [Conn], and at [Server.Run] for the sockets.
//
// # The way of a request
//
// Bytes of a client come in through [Conn.Receive], which cuts the stream into
// frames and puts them into the connection's inbox (input.go). Then the connection
// is ready, and [Conn.Serve] begins its requests in order, up to 64 in a turn
// (conn.go, dispatch.go). There is no queue of requests between the two but the
// connection's own.
//
// A write goes to the quorum as a proto.Request and is not waited for; the next
// write of the session may follow at once. On the leader Prepare makes a
// transaction of it, every server applies that, and on the server it came from
// the applying goroutine queues the answer (conn.written).
//
// Everything else, reads, pings, auth and sync, begins when the session's
// earlier writes are answered. A read is executed at once, in Serve.
//
// # What is in order
//
// Replies and watch events of a connection go through one output buffer, which
// leaves in batches through [Conn.Output] (output.go). What is appended first is
// seen first, and so:
//
//   - Apply holds the state locked for writing while it applies a transaction
//     and queues its events; a read holds it for reading while it looks at the
//     tree, arms its watch and queues its reply. Hence an event stands before
//     every reply that knows of its change, the reply to a read stands before
//     the events of the watch that it armed, nothing falls between the two, and
//     the zxid of a reply is exactly that of the state it was read from.
//   - The answer to a write is queued after its Apply, so behind its events.
//   - Requests are begun in order, and none but writes are begun while one is
//     under way; so replies come in the order of the requests.
//
// # Sessions
//
// A ConnectRequest for a new session is a createSession transaction. For an old
// one the password is verified here and the leader asked (Ask, Answer), which
// makes this server the session's owner: requests that still come through
// another one are refused, and their connection is closed. Learners report which
// sessions they heard of in Heartbeat; the leader alone expires sessions, by
// closeSession transactions (expiry.go). When a closeSession is applied the
// session's connection is closed, wherever it is.
//
// With local sessions a new session is known to one server only, costs no
// transaction and cannot move (local.go). A server without a quorum may serve
// reads to clients that agree, on such sessions (readonly.go). When clients come
// in crowds, those that have a session do not wait behind all that want one
// (creations.go), and there may be fewer let in (throttle.go).
//
// # Who the client is
//
// A connection has identities, which go with each of its writes to the leader: its
// address, and what the client adds by auth (a password) and by sasl (DIGEST-MD5,
// package sasl), both in auth.go. A TLS client that showed a certificate has its
// subject from the beginning: [Secure] makes a TLS port of a listener (secure.go), and
// [Conn.Encrypted] tells the connection. [Config].EnforceAuth turns everybody away
// who has none of certain schemes. What identities are allowed is up to
// [Config].Policy.
//
// # Closing
//
// A connection is closed in good order: what is queued is written, a FIN
// follows, and what the client sends is read and forgotten until it has closed its
// end or two seconds have passed. At the end of a client's stream, what it had sent
// is still executed. When the server leaves its quorum all sessions' connections
// are closed, and requests under way are never answered: nobody knows what
// becomes of them.
//
// # What operators see
//
// What happens is measured in one table, package metric, under ZooKeeper's names;
// package meter adds what the quorum does. States are told by reports (report.go).
// The four-letter words (words.go, texts.go, mntr.go) and the admin server (package
// admin) print the one and the other, so they agree. Who changed what goes to
// Config.Audit (audit.go), before the client is answered; package audit writes it down.
//
// # Sockets, or none
//
// A Conn knows nothing of sockets. It has a [Wire], which it tells that there is
// something to do, and which then calls it. [Server.Run] makes one of every
// accepted socket (listen.go, socket.go): a reader goroutine calls Receive, the
// workers of the leader/followers pool (package lf) call Serve, a goroutine that
// exists only while there is output calls Output, and a timer calls
// [Server.Housekeep].
//
// Whoever calls them himself drives the server by hand, the very same code without
// goroutine, socket or timer: a simulator does, and the example of [Server.Open].
// With [Config].Clock, Time and Rand given, nothing but the calls has an influence then:
// the same calls, by one goroutine, give the same bytes, and the same calls of
// Wire, Quorum and Trace in the same order. No map's order can be seen. (What the
// words envi and mntr tell of the process is an exception.) Such a server needs no
// farewell: who forgets it has crashed it.
//
// # Limits
//
// Length of a frame, requests and bytes in work of one connection, requests and
// bytes of large requests in work of all, bytes waiting to be written, connections
// of one address and of all, connects in a time, TLS handshakes under way, sessions
// being created, watches and identities of one connection: see [Config] and the constants beside it.
package server
