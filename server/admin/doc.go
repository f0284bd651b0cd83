// Package admin is ZooKeeper's AdminServer: what the four-letter words tell, and
// more, over HTTP as JSON, and the metrics for Prometheus.
//
//	GET /commands            the list of commands, as HTML
//	GET /commands/NAME       one of them, by its name or an alias
//	GET /metrics             the metrics, in Prometheus's text format
//
// The commands, their aliases and keys, the order of the keys and even the spaces
// of the JSON are ZooKeeper's: spec client-protocol 7.5. Errors come with status
// 200 and a text under "error", as its 3.8 does. Numbers in maps' keys are
// decimal.
//
// Nobody is asked who he is, so [Config].Addr is on loopback unless somebody says
// otherwise. The commands that change anything only reset statistics. ZooKeeper
// 3.9's snapshot, restore and shed_connections are unknown here.
//
// It reads package server through its reports, and takes from the process that
// wires it, by Config, what a server cannot know. Start reading at [Admin.Handler].
package admin
