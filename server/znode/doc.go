// Package znode is ZooKeeper's state and the rules of its writes: the tree of
// znodes with the table of sessions, how a request becomes a transaction and
// what a transaction does. It is pure: no clock, lock, goroutine or randomness,
// and what it returns does not depend on map order.
//
// # From request to reply
//
// On the leader a [Preparer] decides about each request in order:
//
//	header, record := preparer.Prepare(zxid, now, origin, &request)
//
// It checks the request against the tree and, over it, an overlay of what all
// transactions prepared before will have made of it. What comes back is a
// transaction with absolute values (final path, next version, next parent
// counter, list of ephemerals to delete), an error code being one too. Every
// server then applies it to its [Tree]:
//
//	result, events := tree.Apply(header, record, events[:0])
//
// The [Result] has all that a reply needs and the events are for package watch.
// Apply and Prepare must agree: a transaction that contradicts the tree, or does
// something else than was prepared, is a broken invariant and panics.
//
// # Who may call what when
//
// A Tree has no lock of its own. Reading methods may run together. Apply,
// SetConfig, Snapshot and Restore must run alone. A Preparer reads its tree, so
// Prepare may run together with readers and not with Apply; its own methods must
// not run together with each other, so call the ones that are not Prepare
// (SetOwner, Applied, Reset) either from the preparing goroutine or where Apply
// may be called. With one RWMutex: readers and Prepare hold it for reading,
// everything else for writing.
//
// A [Snapshot] may be written by any goroutine while the tree goes on changing.
// Nodes carry the generation they belong to; capturing one raises the tree's
// generation, and a change to a node of an older one first copies the path from
// the root to it. Children of one node are kept in shards of at most some 800, so
// of a node with very many the first change copies one shard and the directory
// of shards, a pointer for every few hundred children.
//
// # What follows from the tree
//
// Three things are kept beside the nodes, so that nobody has to look for them, and
// are made anew by a restore: the ephemerals of each session, the containers and
// nodes with a time to live (mortal.go), and the subtrees with a quota (quota.go).
// The stats of a quota are nodes themselves. Apply writes them in place, and they
// are always what is in the tree, so all replicas have the same.
//
// Whether a write keeps to the quotas is decided when it is prepared, from what
// the usage will be then; the overlay predicts that like everything else.
//
// # Snapshot format
//
// ZooKeeper's own record layouts (spec peer-protocol 6.3) without its file
// header and seals, for whoever stores it has checksums of its own. All numbers
// are big-endian:
//
//	int32 n, n × { int64 session, int32 timeout ms }          ascending by session
//	int32 n, n × { int64 key, vector<ACL> }                   keys 1 to n; -1 is world:anyone:31 and not listed
//	nodes, parents before children, ascending by name:
//	    { ustring path, buffer data, int64 ACL key,
//	      int64 czxid, mzxid, ctime, mtime, int32 version, ccount, aversion, int64 owner, pzxid }
//	ustring "/"                                               end of the nodes; the root's path is ""
//	int64 zxid                                                last transaction applied
//
// ccount is the number of creations under a node, from which the cversion that
// clients see and the numbers of sequential nodes follow. owner is a session,
// 0, or one of the marks of containers and nodes with a time to live.
package znode
