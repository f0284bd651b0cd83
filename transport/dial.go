package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// dialLocked starts a dialer for p unless one is at work.
func (m *Manager) dialLocked(p *peer) {
	if !p.dialing {
		p.dialing = m.startLocked(func() { m.dialer(p) })
	}
}

// dialer dials p until there is a connection. After a failure it goes on only
// while a message waits for p.
func (m *Manager) dialer(p *peer) {
	m.mu.Lock()
	ctx := m.ctx
	m.mu.Unlock()
	if ctx == nil {
		return
	}
	for m.pause(ctx, p) {
		m.counters.dials.Add(1)
		select {
		case <-p.kick: // of an earlier time
		default:
		}
		knocked, err := m.dial(ctx, p)
		if knocked {
			m.await(ctx, p)
		}
		if ctx.Err() != nil || m.dialed(p, knocked, err) {
			return
		}
	}
}

// pause waits until p may be dialed again; false when Run is ending or a
// connection has come up meanwhile.
func (m *Manager) pause(ctx context.Context, p *peer) bool {
	m.mu.Lock()
	wait := time.Until(p.notBefore)
	m.mu.Unlock()
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-p.kick:
		case <-ctx.Done():
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil || p.link != nil {
		p.dialing = false
		return false
	}
	return true
}

// await gives a peer that was knocked at the time to dial back.
func (m *Manager) await(ctx context.Context, p *peer) {
	t := time.NewTimer(m.cfg.ConnectTimeout)
	defer t.Stop()
	select {
	case <-p.kick: // by install
	case <-t.C:
	case <-ctx.Done():
	}
}

// dialed books the outcome of a dial and reports whether the dialer is done.
func (m *Manager) dialed(p *peer, knocked bool, err error) (done bool) {
	if err == nil && knocked {
		err = fmt.Errorf("sid %d was asked to dial back and has not", p.sid)
	}
	m.mu.Lock()
	up := p.link != nil
	if up {
		p.dialing = false
		m.mu.Unlock()
		return true
	}
	if err == nil {
		err = errors.New("the connection ended at once")
	}
	p.failures++
	p.notBefore = time.Now().Add(m.backoff(p.failures))
	done = !p.box.pending()
	p.dialing = !done
	m.events.add(m.cfg.Trace.dialFailed(p.sid, err))
	m.mu.Unlock()
	m.counters.dialsFailed.Add(1)
	var no *RefusedError
	if errors.As(err, &no) {
		m.complaints.warn(fmt.Sprintf("refused %d %s", p.sid, no.Reason), "refused by a peer", "sid", m.cfg.Self, "peer", p.sid, "err", err)
	} else {
		m.complaints.quiet(fmt.Sprintf("dial %d", p.sid), "cannot connect", "sid", m.cfg.Self, "peer", p.sid, "err", err)
	}
	return done
}

// backoff doubles with each failure, and scatters by a quarter so that two
// servers do not keep in step.
func (m *Manager) backoff(failures int) time.Duration {
	d := m.cfg.BackoffMax
	if shift := failures - 1; shift < 20 {
		d = min(d, m.cfg.BackoffMin<<shift)
	}
	return d - time.Duration(rand.Int64N(int64(d)/4+1))
}

// dial tries p's addresses one after another. knocked means that p has been
// reached and will dial back.
func (m *Manager) dial(ctx context.Context, p *peer) (knocked bool, err error) {
	knock := p.sid > m.cfg.Self
	list := m.candidates(p)
	if len(list) == 0 {
		return false, fmt.Errorf("sid %d: %w", p.sid, ErrNoAddress)
	}
	var faults []error
	for _, addr := range list {
		w, a, err := m.end.open(ctx, addr, p.sid, knock)
		if err == nil {
			err = m.recognize(p, addr, a.from)
		}
		if err != nil {
			if w != nil {
				w.close()
			}
			faults = append(faults, err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		m.mu.Lock()
		p.good = addr
		m.mu.Unlock()
		switch {
		case knock && a.verdict == callBack:
			return true, nil
		case !knock && a.verdict == accepted:
			if !m.install(p, newLink(p, a.from, w, m.cfg.FrameBytesMax), nil) {
				w.close()
			}
			return false, nil
		case w != nil:
			w.close()
		}
		faults = append(faults, fmt.Errorf("%s: %s", addr, a.reason))
	}
	return false, errors.Join(faults...)
}

// recognize makes sure that the server that accepts is the one that was meant;
// it should have refused otherwise.
func (m *Manager) recognize(p *peer, addr string, from Hello) error {
	if from.Ensemble != m.cfg.Ensemble || from.Sid != p.sid {
		return fmt.Errorf("%s accepts as sid %d of ensemble %q, and sid %d of ensemble %q was dialed", addr, from.Sid, from.Ensemble, p.sid, m.cfg.Ensemble)
	}
	return nil
}

// candidates lists where p may be: where it was last, where it says it is, and
// where the configuration or gossip says it is.
func (m *Manager) candidates(p *peer) []string {
	var told []string
	if m.cfg.Addresses != nil {
		told = m.cfg.Addresses(p.sid)
	}
	m.mu.Lock()
	own, good := p.addresses, p.good
	m.mu.Unlock()
	var list []string
	add := func(a string) {
		if a != "" && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	if slices.Contains(told, good) || slices.Contains(own, good) {
		add(good)
	}
	for _, a := range own {
		add(a)
	}
	for _, a := range told {
		add(a)
	}
	return list
}

// called has p dialed because it has knocked from h's addresses.
func (m *Manager) called(p *peer, h Hello) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.failures, p.notBefore = 0, time.Time{}
	if len(h.Addresses) > 0 {
		p.addresses = h.Addresses
	}
	if p.link == nil {
		poke(p.kick)
		m.dialLocked(p)
	}
}

// use returns the peer of a hello and its connection, if any.
func (m *Manager) use(sid ensemble.ServerID) (*peer, *link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peerLocked(sid)
	if p == nil {
		return nil, nil
	}
	return p, p.link
}
