// Package x500 prints and reads distinguished names as Java does, because they
// are identities: what an ACL says of a client's certificate must be the text that
// ZooKeeper would have made of it (X500Principal.getName(), RFC 2253 with Java's own
// choices; spec client-protocol 5), and nothing else than what X500Principal takes
// for a name may stand there. It is pure.
package x500
