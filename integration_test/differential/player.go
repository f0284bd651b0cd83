package differential

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"time"
)

// Limits of the player.
const (
	supersededTimeout = 3 * time.Second // for the end of a connection whose client has come back
	frameBytesMax     = 64 << 20
	timeoutMin        = 60000  // of sessions, ms: none expires while a script is played
	timeoutMax        = 120000 // likewise
)

// replyTimeout is for what a server has to answer, or close.
var replyTimeout = 10 * time.Second

// Observation is what a client saw on one connection in one step.
type Observation struct {
	Step, Conn int
	Frames     []Frame
	Closed     bool // the connection was at its end, behind the frames
	Silent     bool // something that had to come did not
}

// Player plays scripts on the servers at some addresses, one script at a time.
type Player struct {
	Addrs []string
	// Lags says that a server may answer a sync before it has applied what others
	// have told clients: see leaderSync.
	Lags bool

	canon    *Canon
	script   *Script
	links    map[int]*link
	sessions map[int]*session
	seen     []Observation
	zxid     int64 // the highest of all replies
}

// link is a connection.
type link struct {
	conn    net.Conn
	in      *bufio.Reader
	server  int
	session int   // the connection that made it
	zxid    int64 // of its last reply
}

type session struct {
	id       int64
	password [16]byte
	closed   bool // by a closeSession that was answered
}

// Play plays a script that begins behind zxid base and returns what the clients
// saw, in order. An error means that the player could not do its part, not that
// a server did something unexpected.
func (p *Player) Play(s *Script, base int64) ([]Observation, *Canon, error) {
	p.canon, p.script, p.seen, p.zxid = newCanon(base), s, nil, 0
	p.links, p.sessions = map[int]*link{}, map[int]*session{}
	defer func() {
		for _, l := range p.links {
			l.conn.Close()
		}
	}()
	for i := range s.Steps {
		if err := p.step(i); err != nil {
			return nil, nil, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(p.links)) {
		p.batch(len(s.Steps), n, nil) // what events are under way
	}
	return p.seen, p.canon, p.closeSessions()
}

func (p *Player) step(i int) error {
	step := &p.script.Steps[i]
	switch step.Kind {
	case Open:
		return p.open(i, step)
	case Send:
		p.batch(i, step.Conn, step.Requests)
	case Wait:
		time.Sleep(step.Wait)
	case Cut:
		if l := p.links[step.Conn]; l != nil {
			p.batch(i, step.Conn, nil)
			p.drop(step.Conn)
		}
	}
	return nil
}

// drop closes a connection.
func (p *Player) drop(conn int) {
	if l := p.links[conn]; l != nil {
		l.conn.Close()
		delete(p.links, conn)
	}
}

// batch writes requests and a ping behind them, and reads until that is
// answered. So all replies and events have come, or are missing. Behind a request
// that may end the connection there is no ping until it is answered.
func (p *Player) batch(step, conn int, requests []Request) {
	o := Observation{Step: step, Conn: conn}
	defer func() { p.seen = append(p.seen, o) }()
	l := p.links[conn]
	if l == nil {
		o.Closed = true
		return
	}
	_ = l.conn.SetDeadline(time.Now().Add(replyTimeout))
	if len(p.Addrs) > 1 {
		p.catchUp(l, &o)
	}
	if !o.Closed && !o.Silent {
		p.sendAll(l, &o, requests)
	}
	if o.Closed || o.Silent {
		p.drop(conn)
	}
}

// catchUp has the server know what clients were told by others.
func (p *Player) catchUp(l *link, o *Observation) {
	told := p.zxid
	for end := time.Now().Add(replyTimeout); time.Now().Before(end); {
		p.exchange(l, o, syncFirst.frame(0), []*Request{&syncFirst})
		if !p.Lags || o.Closed || o.Silent || l.zxid >= told {
			return
		}
	}
}

// sendAll is the part of batch that knows of the requests.
func (p *Player) sendAll(l *link, o *Observation, requests []Request) {
	var out []byte
	var expected []*Request
	var last *Request
	for i := range requests {
		last = &requests[i]
		out = append(out, last.frame(p.canon.base)...)
		if !last.Raw {
			expected = append(expected, last)
		}
	}
	if last == nil || !last.closing() {
		p.exchange(l, o, append(out, pingRequest.frame(0)...), append(expected, &pingRequest))
		return
	}
	p.exchange(l, o, out, expected)
	switch n := len(o.Frames); {
	case o.Closed || o.Silent:
	case last.Raw || n > 0 && last.ends(&o.Frames[n-1]):
		p.readEnd(l, o)
	default:
		p.exchange(l, o, pingRequest.frame(0), []*Request{&pingRequest})
	}
}

// ends reports whether the server has to close the connection behind the reply.
func (r *Request) ends(reply *Frame) bool {
	if len(reply.Raw) < 16 {
		return false
	}
	switch code := int32(binary.BigEndian.Uint32(reply.Raw[12:])); code {
	case errUnimplemented, errAuthFailed:
		return true
	}
	return r.Op == opCloseSession
}

// pingRequest stands behind every batch.
var pingRequest = Request{Xid: xidPing, Op: opPing}

// syncFirst stands before every batch when there are several servers.
var syncFirst = Request{Xid: 0x7ffffff0, Op: opSync, Body: []Token{str("/")}}

// exchange writes, and reads until as many replies have come as are expected.
func (p *Player) exchange(l *link, o *Observation, out []byte, expected []*Request) {
	_, _ = l.conn.Write(out) // what is wrong shows when reading
	for len(expected) > 0 {
		f, ok := p.readOne(l, o)
		if !ok {
			return
		}
		if f.Kind != Event {
			f.Request, expected = expected[0], expected[1:]
		}
		if f.Kind != Event && len(f.Raw) >= 12 {
			l.zxid = int64(binary.BigEndian.Uint64(f.Raw[4:]))
			p.zxid = max(p.zxid, l.zxid)
		}
		switch f.Request {
		case &syncFirst:
			continue
		case &pingRequest:
			f.Kind, f.Request = Probe, nil
		}
		p.noteClosed(l, &f)
		o.Frames = append(o.Frames, f)
	}
}

// readEnd reads until the server closes the connection.
func (p *Player) readEnd(l *link, o *Observation) {
	for {
		f, ok := p.readOne(l, o)
		if !ok {
			return
		}
		o.Frames = append(o.Frames, f)
	}
}

// readOne reads a frame, or notes how the stream ended.
func (p *Player) readOne(l *link, o *Observation) (Frame, bool) {
	raw, err := readFrame(l.in)
	if err != nil {
		var timeout net.Error
		o.Silent = errors.As(err, &timeout) && timeout.Timeout()
		o.Closed = !o.Silent
		return Frame{}, false
	}
	f := Frame{Raw: raw}
	if len(raw) >= 4 && int32(binary.BigEndian.Uint32(raw)) == xidEvent {
		f.Kind = Event
	}
	return f, true
}

// noteClosed remembers that a session is over.
func (p *Player) noteClosed(l *link, f *Frame) {
	if f.Request != nil && f.Request.Op == opCloseSession && len(f.Raw) == 16 && binary.BigEndian.Uint32(f.Raw[12:]) == 0 {
		if s := p.sessions[l.session]; s != nil {
			s.closed = true
		}
	}
}

func readFrame(r *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > frameBytesMax {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	frame := make([]byte, n)
	_, err := io.ReadFull(r, frame)
	return frame, err
}
