// Package sasl is the server's side of SASL as ZooKeeper's clients speak it: the
// mechanism DIGEST-MD5 (RFC 2831) with quality of protection auth, for the service
// zookeeper in the realm zk-sasl-md5 (spec client-protocol 1.6 and 5). It is pure:
// a [Digest] is stepped with the tokens of one client, and [ReadUsers] reads the text
// of a JAAS file, where ZooKeeper's operators have their users.
//
// What Java's server takes, this takes, and what it refuses, this refuses; the tests
// of package integration_test compare the two. There are two exceptions. The identity
// is always the name that the password belongs to: Java lets who has a name with an
// @ in it be whoever he says. And a client that begins with a Kerberos token is told
// so, instead of being asked for a digest that it cannot make.
package sasl
