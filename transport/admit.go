package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// admit takes a connection that came in through its handshake.
func (m *Manager) admit(ctx context.Context, raw net.Conn, waiting *lobby) {
	w := newWire(raw, m.end.buffer)
	stop := context.AfterFunc(ctx, w.close)
	h, err := m.end.listen(ctx, w)
	waiting.leave(raw)
	if err == nil {
		err = m.receive(ctx, w, h)
	}
	stop()
	if err != nil {
		w.close()
		if ctx.Err() == nil {
			m.turnedAway(w, err)
		}
	}
}

func (m *Manager) turnedAway(w *wire, err error) {
	var fault *FrameError
	if errors.As(err, &fault) {
		m.counters.badFrames.Add(1)
	}
	m.counters.refused.Add(1)
	m.events.add(m.cfg.Trace.refused(w.addr(), err))
	m.complaints.stranger(Election, w.addr(), err)
}

// receive decides what becomes of a server that has introduced itself. After an
// error the connection is to be closed; without one it has been dealt with.
func (m *Manager) receive(ctx context.Context, w *wire, h Hello) error {
	refuse := func(err error) error {
		_ = m.end.reply(w, refused, err.Error()) // the peer may be gone; the reason is logged here too
		return err
	}
	if err := m.end.check(h); err != nil {
		return refuse(err)
	}
	if h.Knock != (h.Sid < m.cfg.Self) {
		return refuse(fmt.Errorf("of two servers the one with the larger sid dials and the other knocks; sid %d did it the other way round with sid %d", h.Sid, m.cfg.Self))
	}
	p, old := m.use(h.Sid)
	if p == nil {
		return refuse(fmt.Errorf("sid %d has talked to %d different sids, which is its limit", m.cfg.Self, m.cfg.PeersMax))
	}
	redial := old != nil && !h.Knock && h.Instance == old.hello.Instance
	if old != nil && !redial {
		if old.alive(m.cfg.ProbeTimeout) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if h.Instance != old.hello.Instance {
				return refuse(fmt.Errorf("sid %d is already in use by %s, connected since %s; two servers have the same myid", h.Sid, old.wire.addr(), old.since.Format(time.RFC3339)))
			}
			defer w.close()
			return m.end.reply(w, connected, "there is a connection already, and it is alive")
		}
		m.remove(old, fmt.Errorf("no answer to a ping within %s, and sid %d calls from %s", m.cfg.ProbeTimeout, h.Sid, w.addr()))
		old = nil
	}
	if h.Knock {
		defer w.close()
		err := m.end.reply(w, callBack, "")
		m.called(p, h)
		return err
	}
	if err := m.end.reply(w, accepted, ""); err != nil {
		return err
	}
	m.mu.Lock()
	p.failures, p.notBefore = 0, time.Time{}
	if len(h.Addresses) > 0 {
		p.addresses = h.Addresses
	}
	m.mu.Unlock()
	if !m.install(p, newLink(p, h, w, m.cfg.FrameBytesMax), old) {
		return fmt.Errorf("sid %d called twice at the same time; one connection is enough", h.Sid)
	}
	poke(p.kick) // somebody may wait for this call
	return nil
}
