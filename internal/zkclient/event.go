package zkclient

import "github.com/quorate/quorate/server/proto"

// State is the state of a client.
type State int

// The states of a client.
const (
	StateConnecting State = iota // no server yet, or none any more: the client looks for one
	StateConnected               // requests are answered
	StateReadOnly                // connected to a server without a quorum
	StateExpired                 // over: the session has ended
	StateAuthFailed              // over: the server refused an identity
	StateClosed                  // over: by Close
)

// String prints zkCli's word for the state.
func (s State) String() string {
	switch s {
	case StateConnecting:
		return "CONNECTING"
	case StateConnected:
		return "CONNECTED"
	case StateReadOnly:
		return "CONNECTEDREADONLY"
	case StateExpired:
		return "EXPIRED"
	case StateAuthFailed:
		return "AUTH_FAILED"
	}
	return "CLOSED"
}

// Event is a change of what is watched, or of the connection.
type Event struct {
	// Type is what has happened to Path, or 0 if the event is one of the connection.
	Type proto.EventType
	Path string
	// Zxid is that of the change; -1 if the server does not say (ZooKeeper before
	// 3.9, and changes found out when watches were armed again).
	Zxid int64

	// State is the state from now on. The rest is set only if Type is 0.
	State  State
	Server string // host:port
	Err    error  // why a connection has ended, or could not be opened
	// Missed says, in the first event of a connection that is not the session's
	// first, that the ensemble has changed since the old connection was last heard
	// of: events of persistent watches may have been missed, those with zxids above
	// LastZxid and up to Zxid.
	Missed   bool
	LastZxid int64
}
