package zkclient

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/server/proto"
)

var (
	// ErrConnectionLoss says that the connection ended before the reply came.
	ErrConnectionLoss = errors.New("the connection was lost before the reply came, it may or may not have been carried out")
	// ErrNoConnection says that there was no connection for Config.ConnectWait.
	ErrNoConnection = errors.New("there is no connection to a server")
	// ErrClosed says that the client has been closed.
	ErrClosed = errors.New("the client is closed")
	// ErrFrameTooLong says that a reply is longer than Config.FrameBytesMax.
	ErrFrameTooLong = errors.New("the reply is longer than the client accepts")
	// ErrProtocol says that a server sent what cannot be.
	ErrProtocol = errors.New("the server breaks the protocol")
)

// Error is a request that failed. Err is a [proto.ErrCode] when the server says so,
// and otherwise one of this package's errors or the context's.
type Error struct {
	Op   proto.OpCode
	Path string // as the caller gave it, without the chroot
	Err  error
}

// Error prints op, path and reason.
func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s %s: %v", e.Op, e.Path, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Code returns the server's code in err: OK if err is nil, and [proto.ErrAPI], which
// no server sends, if there is none.
func Code(err error) proto.ErrCode {
	var code proto.ErrCode
	switch {
	case err == nil:
		return proto.OK
	case errors.As(err, &code):
		return code
	}
	return proto.ErrAPI
}
