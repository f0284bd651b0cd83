// Package certs makes a [tls.Config] out of the files that ZooKeeper's operators
// have: a key store and a trust store, each in PEM, PKCS12 or JKS, with the
// passwords beside them (zoo.cfg ssl.keyStore.* and ssl.trustStore.*).
//
// # Reload
//
// The files are looked at again when a client begins a handshake, at most once a
// second, by the handshake that comes first. There is no goroutine and no watcher:
// a server that nobody connects to needs no new certificate. What has changed is
// read as a whole and put in place of the old at once. Files that cannot be used,
// half written or with a key that does not belong to its certificate, are reported
// once and leave the old in force. Connections that are up go on with what they
// were made with.
//
// # What differs from Java
//
// Names of protocols and cipher suites are Java's, which are the registry's. There
// are no session tickets: who was taken out of the trust store does not come back
// by one. Revocation lists and OCSP are not looked at, so the keys that ask for them
// are refused by who reads zoo.cfg.
package certs
