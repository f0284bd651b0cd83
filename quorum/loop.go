package quorum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/transport"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

const (
	inboxMax = 4096
	tickMax  = 20 * time.Millisecond
	// acceptWait is how long a learner that was faster than our own election
	// may wait at the door.
	acceptWait = time.Second
	redialWait = 20 * time.Millisecond // doubles
	redialsMax = 5                     // 620 ms in all, plus what the dials take
)

// event is an input on its way to the loop. What comes by a link counts only as
// long as the link is the current one.
type event struct {
	link *link
	in   zab.Input
}

// post hands an input to the loop. It blocks while the loop has much to do; the
// loop itself never waits for anybody.
func (n *Node) post(ctx context.Context, l *link, in zab.Input) error {
	select {
	case n.inbox <- event{l, in}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *Node) notified(from ensemble.ServerID, notification fle.Notification) {
	_ = n.post(n.ctx, nil, Notified{From: from, Notification: notification})
}

// run starts the goroutines. The first that fails ends all.
func (n *Node) run(ctx context.Context, found storage.Recovery, electionPort net.Listener) {
	ctx, n.cancel = context.WithCancelCause(ctx)
	n.group, n.ctx = errgroup.WithContext(ctx)
	n.roleCtx, n.role = context.WithCancel(n.ctx)
	ctx = n.ctx

	n.applier.push(&restoreState{nil, make(chan struct{})})
	n.applier.push(&applyUpTo{max(found.Committed, found.Snapshot.Zxid)})
	n.applier.push(&loadedState{})

	n.group.Go(func() error { return n.manager.Run(ctx, electionPort) })
	n.group.Go(func() error { return n.messenger.Run(ctx) })
	n.group.Go(func() error { return n.streams.Run(ctx, n.welcome) })
	n.group.Go(func() error { return n.syncer.run(ctx) })
	n.group.Go(func() error { return n.applier.run(ctx) })
	n.group.Go(func() error { return n.proposer.run(ctx) })
	n.group.Go(func() error { return n.snapshots.run(ctx) })
	n.group.Go(func() error { return n.loop(ctx) })
	go n.finish()
}

// finish waits for the end and sweeps up.
func (n *Node) finish() {
	err := n.group.Wait()
	n.cancel(nil)
	n.role()
	n.mu.Lock()
	w := n.waiting
	n.mu.Unlock()
	if o, ok := n.machine.(zab.RoleObserver); ok {
		o.RoleChanged(zab.Role{State: ensemble.Looking, Leader: ensemble.NoServer})
	}
	n.applier.waiting.fail(ErrClosed)
	w.fail(ErrClosed)
	if cerr := n.store.Close(); err == nil && cerr != nil && !errors.Is(cerr, storage.ErrClosed) {
		err = cerr
	}
	if err != nil {
		n.log.Error("server ends", "err", err)
	}
	n.err = err
	close(n.ended)
}

// loop is the one goroutine that steps the peer and carries out its effects.
func (n *Node) loop(ctx context.Context) error {
	tick := min(tickMax, n.cfg.TickTime/10)
	ticker := time.NewTicker(max(tick, time.Millisecond))
	defer ticker.Stop()
	var out zab.Effects
	err := n.step(Delivered{}, &out)
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err = n.step(Delivered{Any: n.manager.HaveDelivered()}, &out); err == nil {
				err = n.step(zab.Tick{}, &out)
			}
			n.describe()
		case e := <-n.inbox:
			if !n.admit(e) {
				continue
			}
			err = n.step(e.in, &out)
			if down, ok := e.in.(zab.LinkDown); ok {
				n.forget(e.link, down.Peer)
			}
		}
	}
	return err
}

// admit drops what comes from links that are not current, and makes a new link
// of a learner the current one.
func (n *Node) admit(e event) bool {
	if e.link == nil {
		return true
	}
	n.mu.Lock()
	old := n.links[e.link.peer]
	fits := e.link.role == n.roleCtx
	up, isUp := e.in.(zab.LinkUp)
	if isUp && fits {
		n.links[up.Peer] = e.link
	}
	n.mu.Unlock()
	switch {
	case !fits:
		e.link.close(errors.New("the role has ended"))
		return false
	case isUp:
		if old != nil {
			old.close(fmt.Errorf("server %d has connected anew", up.Peer))
		}
		return true
	}
	return old == e.link
}

func (n *Node) forget(l *link, peer ensemble.ServerID) {
	n.mu.Lock()
	if n.links[peer] == l {
		delete(n.links, peer)
	}
	n.mu.Unlock()
}

// step steps the peer and does what comes of it. The error is that of a Halt.
func (n *Node) step(in zab.Input, out *zab.Effects) error {
	out.Reset()
	at := time.Since(n.started)
	n.peer.Step(at, in, out)
	if n.cfg.Trace != nil {
		n.cfg.Trace(Event{Server: n.cfg.Self, At: at, Input: in, Effects: append([]zab.Effect(nil), out.List...)})
	}
	if n.cfg.Hooks.Event != nil {
		n.cfg.Hooks.Event(Event{Server: n.cfg.Self, At: at, Input: in, Effects: out.List})
	}
	for _, e := range out.List {
		if halt, ok := e.(zab.Halt); ok {
			return errors.New(halt.Reason)
		}
		n.perform(e)
	}
	return nil
}

// perform carries out an effect. Nothing in here blocks.
func (n *Node) perform(effect zab.Effect) {
	switch e := effect.(type) {
	case zab.Append, zab.Truncate, zab.Install, zab.SaveEpochs:
		n.syncer.push(e)
	case zab.Send:
		n.send(e)
	case zab.SendLog:
		for _, id := range e.To {
			n.queue(id, item{log: &e})
		}
	case zab.SendSnapshot:
		n.queue(e.To, item{snapshot: &e})
	case zab.Commit:
		n.committed.Store(int64(e.UpTo))
		n.applier.push(&applyUpTo{e.UpTo})
		n.committedSignal.notify()
	case zab.Established:
		n.established(e)
	case zab.SyncPoint:
		n.applier.push(&pointPassed{e.ID, e.UpTo})
	case zab.Synchronized:
		n.log.Info("synchronized", "mode", e.Mode, "peer", e.Leader, "epoch", e.Epoch, "zxid", e.Last.String())
	case zab.Drop:
		n.drop(e)
	case RoleChange:
		n.roleChange(e)
	case Connect:
		n.connect(e.Leader)
	case Notify:
		n.messenger.Queue([]fle.Outgoing{{To: e.To, Notification: e.Notification}})
	case ConnectAll:
		n.manager.ConnectAll()
	default:
		panic(fmt.Sprintf("quorum: effect %T", effect))
	}
}

func (n *Node) queue(id ensemble.ServerID, it item) {
	n.mu.Lock()
	l := n.links[id]
	n.mu.Unlock()
	if l != nil {
		l.push(it)
	}
}

// send encodes a packet once for all that get it.
func (n *Node) send(e zab.Send) {
	if e.Packet.Type == zab.Ping && e.To[0] == n.leader {
		if talk, ok := n.machine.(zab.Conversation); ok && e.Packet.ID != 0 {
			e.Packet.Data = talk.Heartbeat()
		}
	}
	frame, err := zab.MarshalPacket(nil, &e.Packet)
	if err != nil {
		panic(fmt.Sprintf("quorum: encode %v: %v", e.Packet.Type, err))
	}
	txns := e.Packet.Txns
	for _, id := range e.To {
		n.mu.Lock()
		l := n.links[id]
		n.mu.Unlock()
		switch {
		case l == nil:
		case len(txns) > 0:
			l.pushTxns(frame, txns[len(txns)-1].Zxid)
		default:
			l.push(item{frame: frame})
		}
	}
}

func (n *Node) drop(e zab.Drop) {
	n.log.Warn("link dropped", "peer", e.Peer, "err", e.Reason)
	n.mu.Lock()
	l := n.links[e.Peer]
	delete(n.links, e.Peer)
	n.mu.Unlock()
	if l != nil {
		l.close(errors.New(e.Reason))
	}
}

func (n *Node) established(e zab.Established) {
	n.mu.Lock()
	role := zab.Role{State: n.state, Epoch: e.Epoch, Leader: n.leader}
	w, t := n.waiting, n.term
	n.mu.Unlock()
	n.log.Info("serving", "state", role.State.String(), "leader", role.Leader, "epoch", e.Epoch)
	n.applier.push(&enterRole{role, w, t})
	n.describe()
}

// roleChange closes everything of the role before and opens the new one.
func (n *Node) roleChange(e RoleChange) {
	if e.State == ensemble.Looking {
		n.log.Info("looking for a leader", "reason", e.Reason)
	} else {
		n.log.Info("elected", "state", e.State.String(), "leader", e.Leader)
	}
	n.role()
	n.mu.Lock()
	n.roleCtx, n.role = context.WithCancel(n.ctx)
	links, old := n.links, n.waiting
	n.state, n.leader = e.State, e.Leader
	if e.State == ensemble.Looking {
		n.links, n.waiting, n.term = map[ensemble.ServerID]*link{}, newWaiting(), nil
	}
	if e.State == ensemble.Leading {
		n.term = &term{}
		n.proposer.open(n.term)
	}
	n.mu.Unlock()
	if e.State == ensemble.Looking {
		n.proposer.end()
		n.syncer.setIncoming(n.ctx, nil)
		old.close()
		for _, l := range links {
			l.close(errors.New(e.Reason))
		}
		n.applier.push(&leaveRole{old})
	}
	n.turned.notify()
	n.describe()
}

// describe publishes the status.
func (n *Node) describe() {
	var s zab.Status
	n.peer.Describe(&s)
	n.mu.Lock()
	changed := s.State != n.status.State || s.Epoch != n.status.Epoch
	n.status = s
	n.mu.Unlock()
	if changed {
		n.turned.notify()
	}
}

// connect dials the leader until it answers or the role ends, or not for long: a
// leader that has died since it was elected must not cost more than a moment.
func (n *Node) connect(leader ensemble.ServerID) {
	n.mu.Lock()
	ctx := n.roleCtx
	n.mu.Unlock()
	n.group.Go(func() error {
		for attempt := 0; ctx.Err() == nil; attempt++ {
			s, err := n.dial(ctx, leader)
			if err == nil {
				l := newLink(n, leader, s, nil, ctx)
				l.run(ctx)
				return nil
			}
			if attempt == redialsMax {
				_ = n.post(ctx, nil, zab.Unreachable{Peer: leader, Err: err})
				return nil
			}
			select {
			case <-ctx.Done():
			case <-time.After(redialWait << attempt):
			}
		}
		return nil
	})
}

func (n *Node) dial(ctx context.Context, leader ensemble.ServerID) (*transport.Stream, error) {
	cfg := n.streamConfig
	cfg.Expect = &leader
	var faults []error
	for _, addr := range n.cfg.addresses(leader, ensemble.Addr.Quorum) {
		s, err := transport.DialStream(ctx, cfg, addr)
		if err == nil {
			return s, nil
		}
		faults = append(faults, err)
	}
	if len(faults) == 0 {
		faults = append(faults, fmt.Errorf("no address of server %d is known", leader))
	}
	return nil, errors.Join(faults...)
}

// welcome serves a learner that has connected, once this server leads. The
// learner may have been told of the election's end before we were.
func (n *Node) welcome(s *transport.Stream) {
	deadline := time.NewTimer(acceptWait)
	defer deadline.Stop()
	for {
		turned := n.turned.wait()
		n.mu.Lock()
		t, ctx := n.term, n.roleCtx
		n.mu.Unlock()
		if t != nil {
			newLink(n, s.Hello().Sid, s, t, ctx).run(ctx)
			return
		}
		select {
		case <-turned:
		case <-deadline.C:
			return
		case <-n.ctx.Done():
			return
		}
	}
}
