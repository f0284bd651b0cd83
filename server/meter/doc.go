// Package meter measures the quorum beneath a server: it hears of elections,
// proposals, syncs and snapshots through the hooks of package quorum, and records
// them in the server's table of metrics under ZooKeeper's names.
//
// It stands between two packages that do not know each other. What a name means
// here where ZooKeeper's pipeline has other stages, its comment in package metric
// says. One thing is different throughout: transactions are proposed, logged and
// acknowledged in batches, and a batch is measured once, by its first transaction
// or its end, where ZooKeeper measures each.
package meter
