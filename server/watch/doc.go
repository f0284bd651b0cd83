// Package watch remembers who wants to hear of which node, and says whom a
// change concerns. It holds the rules of spec client-protocol 3: which table a
// change looks in, which watches are used up by it, who is told once only.
//
// A watcher is a connection, whatever type it has: [Manager] is generic over a
// comparable key. There are two tables, data and child, and in each a watcher
// has at a path any set of the modes
//
//	standard     fires once                             exists, getData, getChildren
//	persistent   fires until removed                    addWatch, in both tables
//	recursive    fires for all below as well, data only addWatch
//
// A Manager is a plain value without locks: the server calls it while it holds
// its tree lock, because a watch must be armed in the same instant in which the
// node was read, and must fire in the instant in which the node changes. Results
// come in the order in which watchers first registered, not in map order.
//
// A watch fires by [Manager.Trigger], with an event as package znode reports
// it. The four kinds of change look like this:
//
//	create P/N    Trigger(NodeCreated, P/N), Trigger(NodeChildrenChanged, P)
//	delete P/N    Trigger(NodeDeleted, P/N), Trigger(NodeChildrenChanged, P)
//	setData N     Trigger(NodeDataChanged, N)
//	setACL N      nothing
package watch
