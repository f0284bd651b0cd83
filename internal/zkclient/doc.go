// Package zkclient is a small client of ZooKeeper's protocol, for the tools of
// this project. It speaks to Quorate and to ZooKeeper alike.
//
// [Dial] opens a session and [Client.Close] ends it. In between the client keeps
// the session alive: when a connection fails it takes the next server of the list,
// presents the session and the last zxid it has seen (a server that is behind
// that one refuses), gives its identities again (AddAuth) and arms its watches
// again (setWatches, setWatches2).
//
// # Requests
//
// Methods may be called from many goroutines, and then share the connection:
// requests are sent as they come, without waiting for replies, and are answered in
// order. So whoever has a thousand reads to make calls from a few dozen
// goroutines. Requests of one goroutine take effect in their order.
//
// A request that is not sent yet waits for a connection until its context ends.
// What happens when the connection ends between a request and its reply depends on
// the kind: a read is sent again on the next connection, up to three times; a
// write fails with [ErrConnectionLoss], and nobody knows whether it was carried
// out. A context that ends while a request is under way abandons the reply, not
// the request.
//
// A code of the server's comes as an [Error], with the op and the path:
//
//	errors.Is(err, proto.ErrNoNode)
//
// # Events
//
// Watch events and changes of the connection go to [Config].OnEvent, in the order
// of the wire: an event is there before the reply that knows of its change.
// There are no watchers of single paths. One-shot watches end with their event,
// persistent ones stay until RemoveWatches. Persistent watches are armed again on a
// new connection without news of what happened meanwhile: the [StateConnected]
// event says whether there can have been any (Event.Missed).
//
// # Limits
//
// Requests under way and waiting, 1024 ([Config].OutstandingMax); bytes of a reply,
// 64 MiB ([Config].FrameBytesMax), of which no more is allocated than has come;
// results of a multi, as many as it has operations. A server that breaks the
// protocol costs its connection.
package zkclient
