package differential

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"
)

// Script is a history of clients, the same for every server. Connections are
// numbered; a session has the number of the connection that it was made by.
type Script struct {
	Name  string // where it comes from, for people
	Roots []string
	Steps []Step
}

// StepKind says what happens in a step.
type StepKind byte

// The kinds of steps.
const (
	Open StepKind = iota // a connection is made and a session asked for
	Send                 // a batch of requests is written at once, and its replies are awaited
	Cut                  // the client closes the connection, its session stays
	Wait                 // time passes
)

// Step is one thing that a client does.
type Step struct {
	Kind     StepKind
	Conn     int
	Open     OpenRequest
	Requests []Request
	Wait     time.Duration
}

// OpenRequest is what a client says first.
type OpenRequest struct {
	Server   int // on which of the servers, from 1
	Timeout  int32
	Seen     Token    // lastZxidSeen: a long or a zxid
	Session  int      // the connection that made the session; 0 for a new one, -1 for one that never was
	Password Password // which one is given for it
	ReadOnly int      // the last byte, or -1 to leave it out
}

// Password is how right a password is.
type Password byte

// The passwords.
const (
	RightPassword Password = iota
	WrongPassword          // one bit is wrong
	ZeroPassword
	EmptyPassword
	NullPassword
)

var passwordNames = []string{"right", "wrong", "zero", "empty", "null"}

// Request is one frame.
type Request struct {
	Xid  int32
	Op   int32
	Body []Token
	Trim int  // so many bytes are missing at the end
	Raw  bool // Body is all of it, with the length in front
}

// requestHeaderBytes are the length, the xid and the op.
const requestHeaderBytes = 12

// frame is the request as it is on the wire.
func (r *Request) frame(base int64) []byte {
	b := make([]byte, 4, 64)
	if r.Raw {
		b = b[:0]
	} else {
		b = binary.BigEndian.AppendUint32(b, uint32(r.Xid))
		b = binary.BigEndian.AppendUint32(b, uint32(r.Op))
	}
	for _, t := range r.Body {
		b = t.appendTo(b, base)
	}
	if r.Raw {
		return b
	}
	b = b[:max(len(b)-r.Trim, requestHeaderBytes)] // never the header: that would be another thing
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// closing reports whether the server may close the connection because of the
// request: then nothing may stand behind it, for whether that is still executed
// is a race.
func (r *Request) closing() bool {
	if r.Raw {
		return true
	}
	size := 0
	for _, t := range r.Body {
		if t.Kind == kindFill {
			size += int(t.N)
		}
	}
	if size > frameBytesUsual {
		return true
	}
	switch r.Op {
	case opCloseSession, opAuth, opSASL, opCheck:
		return true
	}
	_, known := opNames[r.Op]
	return !known || r.Op == opCreateSession || r.Op == opDeleteContainer
}

// frameBytesUsual is what a request may be long with anything around it; longer
// ones may be too long for the server.
const frameBytesUsual = 1000000

// path is the first string of the request, which in most is the path.
func (r *Request) path() string {
	if len(r.Body) > 0 && r.Body[0].Kind == kindString {
		return r.Body[0].S
	}
	return ""
}

// moved reports whether the session of a connection has gone on by one to another
// server, up to a step.
func (s *Script) moved(conn, step int) bool {
	session, server, moved := 0, 0, false
	for i := range s.Steps[:min(step+1, len(s.Steps))] {
		switch o := &s.Steps[i].Open; {
		case s.Steps[i].Kind != Open:
		case s.Steps[i].Conn == conn:
			session, server, moved = cmp.Or(o.Session, conn), o.Server, false
		case o.Session != 0 && o.Session == session && o.Password == RightPassword && o.Server != server:
			moved = true
		}
	}
	return moved
}

// Requests counts the requests, with those that ask for a session.
func (s *Script) Requests() int {
	n := 0
	for _, step := range s.Steps {
		switch step.Kind {
		case Open:
			n++
		case Send:
			n += len(step.Requests)
		}
	}
	return n
}

// clone copies a script as deep as the shrinker changes it.
func (s *Script) clone() *Script {
	c := *s
	c.Steps = slices.Clone(s.Steps)
	for i := range c.Steps {
		c.Steps[i].Requests = slices.Clone(c.Steps[i].Requests)
	}
	return &c
}
