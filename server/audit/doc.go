// Package audit writes ZooKeeper's audit log: who changed what, as lines of JSON,
//
//	{"time":"2026-01-02T03:04:05.678Z","session":"0x1…","user":"10.0.0.7,bob","ip":"10.0.0.7",
//	 "operation":"create","znode":"/a","znode_type":"ephemeral","result":"success"}
//
// each in one line. Keys that mean nothing for an operation are left out; the
// words are ZooKeeper's (spec client-protocol 5).
//
// The server hands events to [Log.Record], which never waits: they go through a
// queue to one goroutine that writes. When the disk is too slow for the queue, or
// full, events are lost, and the log says so: a line with the operation
// auditDropped has their number in "dropped", the server's own log a warning, and
// the counter that Config.Dropped is told too. What has been written is with the
// operating system, and survives the end of the process, not that of the machine.
//
// Rotation is somebody else's business, logrotate's for instance: when the file of
// that name is gone, or another one, the next line goes into a new file. So no
// signal is needed.
package audit
