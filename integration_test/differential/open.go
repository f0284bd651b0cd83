package differential

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"
)

// strangeSession is the id of a session that never was.
const strangeSession = 0x5ea51de0fca51de

// open makes a connection and asks for a session.
func (p *Player) open(i int, step *Step) error {
	p.drop(step.Conn)
	l, err := p.dial(step.Open.Server)
	if err != nil {
		return err
	}
	l.session = step.Conn
	if step.Open.Session > 0 {
		l.session = step.Open.Session
	}
	o := Observation{Step: i, Conn: step.Conn}
	if _, err := l.conn.Write(p.connectRequest(&step.Open)); err != nil {
		return fmt.Errorf("send a ConnectRequest: %w", err)
	}
	raw, err := readFrame(l.in)
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		o.Silent = true
	case err != nil:
		o.Closed = true
	default:
		p.welcome(step, raw)
		o.Frames = []Frame{{Kind: Welcome, Raw: raw}}
		p.links[step.Conn] = l
	}
	p.seen = append(p.seen, o)
	if p.links[step.Conn] == nil {
		l.conn.Close()
	} else if len(raw) < 16 || binary.BigEndian.Uint64(raw[8:]) == 0 {
		p.batch(i, step.Conn, nil) // refused: it is closed now
	}
	p.superseded(i, step, l)
	return nil
}

func (p *Player) dial(server int) (*link, error) {
	if server < 1 || server > len(p.Addrs) {
		return nil, fmt.Errorf("there is no server %d", server)
	}
	conn, err := net.DialTimeout("tcp", p.Addrs[server-1], replyTimeout)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(replyTimeout))
	return &link{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), server: server}, nil
}

// connectRequest is the first frame of a connection.
func (p *Player) connectRequest(o *OpenRequest) []byte {
	var id int64
	word := str(string(make([]byte, 16)))
	switch s := p.sessions[o.Session]; {
	case o.Session == -1:
		id = strangeSession
		word = p.passwordFor(o.Password, [16]byte{1, 2, 3})
	case o.Session > 0 && s == nil:
		id = strangeSession + int64(o.Session) // it was never made, for the same reason everywhere
	case o.Session > 0:
		id = s.id
		word = p.passwordFor(o.Password, s.password)
	}
	return connectFrame(id, word, o.Timeout, o.Seen, o.ReadOnly, p.canon.base)
}

func (p *Player) passwordFor(kind Password, right [16]byte) Token {
	switch kind {
	case WrongPassword:
		right[5] ^= 0x10
	case ZeroPassword:
		right = [16]byte{}
	case EmptyPassword:
		return str("")
	case NullPassword:
		return null()
	}
	return str(string(right[:]))
}

func connectFrame(id int64, password Token, timeout int32, seen Token, readOnly int, base int64) []byte {
	body := []Token{i32(0), i32(0), seen, i32(timeout), i64(id), password}
	if readOnly >= 0 {
		body = append(body, Token{Kind: kindByte, N: int64(readOnly)})
	}
	r := Request{Raw: true, Body: body}
	b := r.frame(base)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// welcome remembers a new session.
func (p *Player) welcome(step *Step, raw []byte) {
	if step.Open.Session != 0 || len(raw) < 36 {
		return
	}
	id := int64(binary.BigEndian.Uint64(raw[8:]))
	if id == 0 {
		return
	}
	p.sessions[step.Conn] = &session{id: id, password: [16]byte(raw[20:36])}
	p.canon.sessions[id] = step.Conn
}

// superseded looks after the other connections of the session on the same
// server: whoever comes back with the right password ends them.
func (p *Player) superseded(i int, step *Step, l *link) {
	if step.Open.Session <= 0 {
		return
	}
	for _, n := range slices.Sorted(maps.Keys(p.links)) {
		old := p.links[n]
		if old == l || old.session != l.session || old.server != l.server {
			continue
		}
		if p.links[step.Conn] == nil || step.Open.Password != RightPassword {
			p.batch(i, n, nil)
			continue
		}
		// Nothing is written: a reset would destroy the events that have come.
		o := Observation{Step: i, Conn: n}
		_ = old.conn.SetDeadline(time.Now().Add(supersededTimeout))
		p.readEnd(old, &o)
		p.seen = append(p.seen, o)
		p.drop(n)
	}
}

// closeSessions ends what the script left open, so that nothing expires while
// another one is played.
func (p *Player) closeSessions() error {
	for _, n := range slices.Sorted(maps.Keys(p.sessions)) {
		s := p.sessions[n]
		if s.closed {
			continue
		}
		l, err := p.dial(1)
		if err != nil {
			return err
		}
		out := connectFrame(s.id, str(string(s.password[:])), timeoutMin, i64(0), -1, 0)
		_, err = l.conn.Write(out)
		if err == nil {
			_, err = readFrame(l.in)
		}
		if err == nil {
			_, err = l.conn.Write((&Request{Xid: 1, Op: opCloseSession}).frame(0))
		}
		if err == nil {
			_, err = readFrame(l.in)
		}
		l.conn.Close()
		// A session that was closed unheard of is refused here, which is fine.
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return fmt.Errorf("close the session of connection %d: %w", n, err)
		}
	}
	return nil
}
