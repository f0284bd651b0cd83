package transport

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// The first byte of each payload on the election port, behind the handshake.
const (
	tagMessage byte = 0 // a message follows
	tagPing    byte = 1 // to be answered at once
	tagPong    byte = 2
)

// link is an established connection to a peer on the election port.
type link struct {
	peer  *peer
	hello Hello
	wire  *wire
	since time.Time
	stop  func() bool // detaches it from Run's context

	done     chan struct{} // closed by finish
	sendDone chan struct{} // closed at the end of its SendWorker
	ping     chan struct{} // one slot: send one
	pong     chan struct{} // one slot: send one

	mu    sync.Mutex
	err   error         // why it was finished
	heard chan struct{} // closed at the next frame, if somebody waits for it
}

func newLink(p *peer, h Hello, w *wire, frameBytesMax int) *link {
	w.in.max = frameBytesMax + 1 // the tag
	return &link{
		peer: p, hello: h, wire: w, since: time.Now(),
		done: make(chan struct{}), sendDone: make(chan struct{}),
		ping: make(chan struct{}, 1), pong: make(chan struct{}, 1),
	}
}

// finish closes the connection, once; both its workers end soon after.
func (l *link) finish(err error) {
	l.mu.Lock()
	first := l.err == nil
	if first {
		l.err = err
	}
	l.mu.Unlock()
	if first {
		close(l.done)
		l.wire.close()
	}
}

// reason is what finish was first called with.
func (l *link) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// next returns a channel that is closed when the next frame arrives.
func (l *link) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard == nil {
		l.heard = make(chan struct{})
	}
	return l.heard
}

func (l *link) hear() {
	l.mu.Lock()
	waited := l.heard
	l.heard = nil
	l.mu.Unlock()
	if waited != nil {
		close(waited)
	}
}

// alive pings the peer and reports whether anything is heard from it in time.
func (l *link) alive(timeout time.Duration) bool {
	heard := l.next()
	poke(l.ping)
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-heard:
		return true
	case <-l.done:
	case <-t.C:
	}
	return false
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sendWorker writes what the peer's mailbox gets, pings, and answers pings. On a
// new connection it first repeats the last message, unless a newer one waits: the
// peer may not have read it from the old connection.
func (m *Manager) sendWorker(l, before *link) {
	if before != nil {
		<-before.sendDone // it may have taken a message that it could not send
	}
	err := m.sendLoop(l)
	close(l.sendDone)
	l.stop()
	m.remove(l, err)
}

func (m *Manager) sendLoop(l *link) error {
	box := l.peer.box
	if box.again() {
		m.counters.resent.Add(1)
	}
	ticker := time.NewTicker(m.cfg.PingInterval)
	defer ticker.Stop()
	poke(box.ready)
	var buf []byte
	for {
		tag, message := tagPing, []byte(nil)
		select {
		case <-l.done:
			return l.reason()
		case <-ticker.C:
		case <-l.ping:
		case <-l.pong:
			tag = tagPong
		case <-box.ready:
			var ok bool
			if message, ok = box.take(); !ok {
				continue
			}
			tag = tagMessage
		}
		buf = appendFrame(buf[:0], []byte{tag}, message)
		if err := m.write(l, buf); err != nil {
			if message != nil {
				box.again()
			}
			return err
		}
		if message != nil {
			m.counters.sent.Add(1)
		}
	}
}

func (m *Manager) write(l *link, frame []byte) error {
	if err := l.wire.conn.SetWriteDeadline(time.Now().Add(m.cfg.WriteTimeout)); err != nil {
		return err
	}
	_, err := l.wire.conn.Write(frame)
	if reason := l.reason(); err != nil && reason != nil {
		return reason
	}
	return err
}

// recvWorker reads until the connection ends or nothing has been heard for the
// idle timeout.
func (m *Manager) recvWorker(l *link) {
	l.wire.in.arm = func() {
		// An error here shows at the read that follows.
		_ = l.wire.conn.SetReadDeadline(time.Now().Add(m.cfg.IdleTimeout))
	}
	for {
		payload, err := l.wire.in.read()
		if err != nil {
			if reason := l.reason(); reason != nil {
				err = reason
			} else if errors.Is(err, os.ErrDeadlineExceeded) {
				err = fmt.Errorf("%w (%s)", ErrIdle, m.cfg.IdleTimeout)
			}
			m.remove(l, err)
			return
		}
		l.hear()
		switch payload[0] {
		case tagPong:
		case tagPing:
			poke(l.pong)
		case tagMessage:
			if len(payload) > 1 {
				m.counters.received.Add(1)
				m.deliver(letter{l.peer.sid, payload[1:]})
				continue
			}
			fallthrough
		default:
			m.remove(l, l.wire.in.fault("%d bytes that start with tag %d, which means nothing", len(payload), payload[0]))
			return
		}
	}
}
