// Package lf is a leader/followers worker pool: N workers, of which one at a
// time waits for the next session that has something to do, for all of them.
//
// # How it works
//
// A set of workers has one baton. The worker that holds it, the holder, waits at
// the set's [Source] for the next ready session. When one comes it first passes
// the baton on, so that another worker waits in its place, and then serves the
// session itself; the request that woke it never changes hands and stands in no
// queue between a dispatcher and a worker. Finished, it lines up for the baton
// again. (Schmidt et al., "Leader/Followers", PLoP 2000. The word leader is left
// to ZAB here: the pool has a baton and a holder.)
//
// The baton is a channel of one slot and not a mutex: waiting for it can end with
// the context, is first come first served, and counts as idle in
// testing/synctest.
//
// A pool may have several sets, each with its own baton and source. A session
// belongs to one set for life. More sets mean less contention for the batons, and
// that a burst in one set cannot borrow workers of another.
//
// # Sessions
//
// A [Session] is what a worker serves: in the server, one client connection.
// [Session.Ready] says that it has something to do, from any goroutine and any
// number of times: bytes have been read, a write has completed, a slow reader has
// caught up. One session is never in two workers, and a Ready that comes while a
// worker is serving it is not lost: the session is lined up again behind the
// others when that worker is done.
//
// # Sources
//
// [Queue] is the portable source, a line of sessions made ready by whoever reads
// their connections. A source that waits in epoll itself can stand in its place.
package lf
