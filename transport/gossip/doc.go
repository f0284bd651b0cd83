// Package gossip tells the servers of an ensemble where the others are and who
// looks dead, by hashicorp/memberlist. It is the only package that imports it.
//
// What it says is advice. It finds addresses and observers, it lets any one server
// list all, and it may make a follower look for a new leader sooner; it never
// counts in a vote, a quorum or a view.
//
// # What is said
//
// Each server announces one [Meta] record of at most 512 bytes: sid, ensemble,
// role, state, epoch, zxid and its three addresses. It travels with memberlist's
// own messages over UDP and TCP on one port:
//
//	u8 version (1) | msgpack array [ensemble, sid, observer, state, epoch, zxid, quorum, election, client, view version, padding]
//
// When two servers compare all they know, which they do when one joins and now
// and then afterwards, they also exchange the text of the newest ensemble view
// that they have heard of, by its version. A server that sees a later version
// announced than it has compares at once with the one that announces it:
//
//	u8 version (1) | msgpack array [ensemble, view]
//
// So an observer that has nothing but its myid and gossip.join learns the whole
// ensemble with its first join: [Gossip.View], or [Gossip.Voters] while nobody has
// told a view.
//
// The padding gives the announcements of different servers different lengths.
// memberlist's queue of outgoing messages, up to v0.7.0 at least, numbers its
// messages anew when it has run empty for a moment, and then loses one of two that
// have the same number and the same length. For the same reason each announcement
// is repeated twice, unless a newer one comes.
//
// Later versions may append elements to the arrays.
//
// # Who is refused
//
// A node with another key cannot be understood, and one of another ensemble is
// not let in; both are reported in one sentence, once per minute and host. Two
// nodes that announce the same sid are reported, and the one that was there first
// is believed until it looks dead.
//
// # Suspicion
//
// A server that does not answer probes is first suspected ([Config].OnSuspect) and
// then, if it does not object, held dead. With [Local] timing this takes about
// half a second and two seconds, with [LAN] two and six.
//
// # Goroutines
//
// New starts nothing. [Gossip.Run] creates the memberlist and waits for all that
// it started itself, after it has told the others that this server leaves. memberlist
// does not let anybody wait for its own goroutines; they are told to end before
// Run returns, cannot call a hook any more, and are gone within a probe timeout.
package gossip
