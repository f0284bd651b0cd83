package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
)

// alone reports whether no other server is alive.
func (g *Gossip) alone() bool {
	return !slices.ContainsFunc(g.Members(), func(m Member) bool { return m.Alive && m.Sid != g.cfg.Self })
}

// join looks for the others: at once, often while alone, and now and then for
// good, because two halves of an ensemble that were apart for long do not find
// each other otherwise.
func (g *Gossip) join(ctx context.Context, ml *memberlist.Memberlist) {
	wait := g.cfg.Timing.Rejoin
	tick := time.NewTicker(wait)
	defer tick.Stop()
	for rest := 0; ; rest-- {
		if rest <= 0 || g.alone() {
			g.joinAll(ctx, ml)
			rest = 5
		}
		g.catchUp(ml)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-g.stale:
		}
	}
}

// catchUp compares with the server that announces the latest view, if it is later
// than ours.
func (g *Gossip) catchUp(ml *memberlist.Memberlist) {
	best := Member{Meta: Meta{ViewVersion: g.table.version()}}
	for _, m := range g.Members() {
		if m.Alive && m.Sid != g.cfg.Self && m.ViewVersion > best.ViewVersion {
			best = m
		}
	}
	if best.Gossip == "" {
		return
	}
	if _, err := ml.Join([]string{best.Gossip}); err != nil {
		g.words.log(fmt.Sprintf("asking sid %d for its view: %v", best.Sid, err))
	}
}

func (g *Gossip) joinAll(ctx context.Context, ml *memberlist.Memberlist) {
	for _, name := range g.cfg.Join {
		if ctx.Err() != nil {
			return
		}
		if name == g.Addr() || g.knows(name) {
			continue
		}
		err := g.joinOne(ctx, ml, name)
		if ctx.Err() == nil {
			g.joined(name, err)
		}
	}
}

// knows reports whether the server that gossips at addr is alive.
func (g *Gossip) knows(addr string) bool {
	ep, err := splitAddress(addr)
	ip := net.ParseIP(ep.host)
	if err != nil || ip == nil {
		return false
	}
	ep.host = ip.String()
	return slices.ContainsFunc(g.Members(), func(m Member) bool { return m.Alive && m.Gossip == ep.String() })
}

func (g *Gossip) joinOne(ctx context.Context, ml *memberlist.Memberlist, name string) error {
	ep, err := splitAddress(name)
	if err != nil {
		return err
	}
	lookup, cancel := context.WithTimeout(ctx, g.cfg.Timing.Timeout)
	ips, err := resolve(lookup, ep.host)
	cancel()
	if err != nil {
		return err
	}
	var faults []error
	for _, ip := range ips {
		if _, err = ml.Join([]string{endpoint{ip.String(), ep.port}.String()}); err == nil {
			return nil
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// joined logs the outcome of a join when it differs from the last.
func (g *Gossip) joined(name string, err error) {
	text, refused := "", false
	if err != nil {
		text = strings.Join(strings.Fields(err.Error()), " ")
		if reason := diagnose(text); reason != "" {
			text, refused = reason, true
		}
	}
	if last, tried := g.once[name]; tried && last == text {
		return
	}
	g.once[name] = text
	switch {
	case err == nil:
		g.cfg.Logger.Debug("gossip joined", "sid", g.cfg.Self, "addr", name)
	case refused:
		g.cfg.Logger.Warn(fmt.Sprintf("gossip.join %s does not work: %s", name, text), "sid", g.cfg.Self)
		if hook := g.cfg.Trace.Refused; hook != nil {
			g.call(func() { hook(name, text) })
		}
	default:
		g.cfg.Logger.Info("gossip cannot join yet", "sid", g.cfg.Self, "addr", name, "err", text)
	}
}

// repeats is how often an announcement is said again: packets get lost.
const repeats = 2

// announce spreads what Announce was given, within the limits of Timing.
func (g *Gossip) announce(ctx context.Context, ml *memberlist.Memberlist) {
	var last Meta
	var at time.Time
	again := time.NewTimer(0)
	defer again.Stop()
	left := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.work:
			if !g.settle(ctx, last, at) {
				return
			}
			left = repeats + 1
		case <-again.C:
			if left <= 0 {
				continue
			}
		}
		g.mu.Lock()
		last = g.meta
		g.mu.Unlock()
		at = time.Now()
		// It would wait until the packet has been sent often enough, which is when
		// there is somebody to send it to.
		_ = ml.UpdateNode(time.Millisecond)
		left--
		again.Reset(g.cfg.Timing.AnnounceZxid)
	}
}

// settle waits until it is time for the next announcement after the one of last;
// false when ctx ends.
func (g *Gossip) settle(ctx context.Context, last Meta, at time.Time) bool {
	for {
		g.mu.Lock()
		next := g.meta
		g.mu.Unlock()
		gap := g.cfg.Timing.Announce
		if next.Zxid = last.Zxid; next == last {
			gap = g.cfg.Timing.AnnounceZxid
		}
		wait := time.Until(at.Add(gap))
		if wait <= 0 {
			return true
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
			return true
		case <-g.work: // something more has changed, perhaps something of weight
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}
