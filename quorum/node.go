package quorum

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/transport"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// Node is a running server of an ensemble: the shell around a Peer. All methods
// may be called from any goroutine.
type Node struct {
	cfg     Config
	log     *slog.Logger
	machine zab.StateMachine
	store   *storage.Store
	peer    *Peer
	started time.Time

	ctx    context.Context
	cancel context.CancelCauseFunc
	group  *errgroup.Group
	ended  chan struct{}
	err    error // why it ended; set before ended is closed

	inbox     chan event
	manager   *transport.Manager
	messenger *fle.Messenger
	streams   *transport.StreamListener

	streamConfig transport.StreamConfig

	syncer    *syncer
	applier   *applier
	proposer  *proposer
	snapshots *snapshots

	appended        signal // the log has grown
	appliedSignal   signal
	committedSignal signal
	committed       atomic.Int64
	transfers       atomic.Int64 // snapshots being sent
	tag             atomic.Uint64
	origin          sync.Mutex // keeps the order of requests between tag and queue

	mu      sync.Mutex
	waiting *waiting
	links   map[ensemble.ServerID]*link
	leader  ensemble.ServerID
	state   ensemble.State
	turned  signal // the role has changed
	role    context.CancelFunc
	roleCtx context.Context
	term    *term // while leading
	status  zab.Status
}

// Start opens the data directory, binds the ports and lets the server take part
// in its ensemble, until ctx ends or Close is called. It returns without waiting
// for an election; see Status and Established.
//
// The state machine is first restored from what is on disk, in the background.
func Start(ctx context.Context, cfg Config, machine zab.StateMachine) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if machine == nil {
		return nil, errors.New("quorum: the state machine is nil")
	}
	store, found, err := storage.Open(cfg.storage())
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, log: cfg.log(), machine: machine, store: store, started: time.Now(),
		ended: make(chan struct{}), inbox: make(chan event, inboxMax),
		links: map[ensemble.ServerID]*link{}, leader: ensemble.NoServer, waiting: newWaiting(),
	}
	quorumPort, electionPort, err := cfg.listen()
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	if err := n.build(found, quorumPort, electionPort); err != nil {
		_ = quorumPort.Close()
		_ = electionPort.Close()
		_ = store.Close()
		return nil, err
	}
	if found.Epochs.Unsure && cfg.View.IsVoter(cfg.Self) {
		n.log.Warn("this server cannot vouch for its history (its disk is empty, or the end of its log was damaged): "+
			"it counts only together with all other voters, until a leader has synchronized it", "voters", cfg.View.Voters())
	}
	n.run(ctx, found, electionPort)
	return n, nil
}

func (c *Config) log() *slog.Logger { return c.Logger.With("sid", c.Self) }

// storage says how the disk is used. A write that provably never finished was
// never acknowledged, so a tail like that leaves no doubt; what else is cut off
// does.
func (c *Config) storage() storage.Config {
	return storage.Config{
		Dir: c.Dir, LogDir: c.LogDir, Server: c.Self, FS: c.FS, Initialize: c.Initialize,
		SegmentBytes: c.LogSegmentBytes, SnapshotsRetained: c.SnapshotsRetained, TrustUnfinished: true, Logger: c.log(),
		Trace: c.Hooks.Storage,
	}
}

// build makes the parts; it starts nothing.
func (n *Node) build(found storage.Recovery, quorumPort, electionPort net.Listener) error {
	var random [16]byte
	_, _ = rand.Read(random[:])
	instance := binary.BigEndian.Uint64(random[:8]) | 1
	n.tag.Store(binary.BigEndian.Uint64(random[8:]) >> 1)

	journal := zab.NewJournal(found.Shape, found.Epochs, max(found.Committed, found.Snapshot.Zxid))
	n.committed.Store(int64(journal.Committed()))
	ballot, err := fle.NewBallot(fle.Config{Server: n.cfg.Self, View: n.cfg.View})
	if err != nil {
		return err
	}
	n.peer = NewPeer(n.cfg.zab(), journal, ballot)
	n.syncer, n.applier, n.proposer, n.snapshots = newSyncer(n), newApplier(n), newProposer(n), newSnapshots(n)

	role := transport.Participant
	if !n.cfg.View.IsVoter(n.cfg.Self) {
		role = transport.Observer
	}
	election := transport.Config{
		Self: n.cfg.Self, Ensemble: n.cfg.Ensemble, Role: role, Instance: instance,
		Advertise: n.advertise(electionPort),
		Addresses: func(id ensemble.ServerID) []string { return n.cfg.addresses(id, ensemble.Addr.Election) },
		Accept:    n.accept, Dialer: transport.DialFunc(n.cfg.Dial), Logger: n.cfg.Logger, Trace: n.reachability(),
	}
	if err := election.Validate(); err != nil {
		return err
	}
	n.manager = transport.NewManager(election)
	n.streamConfig = transport.StreamConfig{
		Self: n.cfg.Self, Ensemble: n.cfg.Ensemble, Role: role, Instance: instance, Accept: n.accept,
		Dialer: transport.DialFunc(n.cfg.Dial), FrameBytesMax: frameBytesMax, Logger: n.cfg.Logger,
	}
	n.streams = transport.NewStreamListener(n.streamConfig, quorumPort)
	n.messenger, err = fle.NewMessenger(fle.MessengerConfig{Transport: n.manager, Logger: n.log, Handle: n.notified})
	return err
}

// advertise returns the addresses at which others reach our election port.
func (n *Node) advertise(electionPort net.Listener) []string {
	if m, ok := n.cfg.View.Member(n.cfg.Self); ok {
		var list []string
		for _, a := range m.Addrs {
			list = append(list, a.Election())
		}
		return list
	}
	return []string{electionPort.Addr().String()}
}

// accept decides on servers that introduce themselves: members of the view in
// their role, and any number of observers that are in no line of it.
func (n *Node) accept(h transport.Hello) error {
	m, member := n.cfg.View.Member(h.Sid)
	switch {
	case !member && h.Role == transport.Participant:
		return fmt.Errorf("sid %d says that it is a participant, but there is no server.%d line here", h.Sid, h.Sid)
	case member && m.Observer != (h.Role == transport.Observer):
		return fmt.Errorf("sid %d says that it is a %v, but its server.%d line here says otherwise", h.Sid, h.Role, h.Sid)
	}
	return nil
}

// reachability turns what the election transport sees into hints for elections.
func (n *Node) reachability() *transport.Trace {
	hint := func(id ensemble.ServerID, up bool) { _ = n.post(n.ctx, nil, Reachable{Peer: id, Up: up}) }
	return &transport.Trace{
		Connected:    func(id ensemble.ServerID) { hint(id, true) },
		Disconnected: func(id ensemble.ServerID, _ error) { hint(id, false) },
		DialFailed:   func(id ensemble.ServerID, _ error) { hint(id, false) },
	}
}

// Submit hands a request to the leader, which prepares and proposes it. Requests
// of one node keep the order of the calls. done is called exactly once, by the
// goroutine that applies: with the result of Apply when the transaction has been
// applied here, in zxid order, or with an error; it must not block. Submit
// itself blocks while 20,000 requests or 16 MiB of this node are on their way, so
// done must not call it. The node keeps request.
func (n *Node) Submit(request []byte, done func(result any, err error)) {
	if len(request) > RequestBytesMax {
		done(nil, fmt.Errorf("%w: %d bytes, %d are the limit", ErrTooLarge, len(request), RequestBytesMax))
		return
	}
	if !n.submit(request, done) {
		done(nil, n.unavailable())
	}
}

// submit sends a request the way of the role that is on now. If that ends
// meanwhile the request goes nowhere, and its end fails it.
func (n *Node) submit(request []byte, done func(any, error)) bool {
	n.origin.Lock()
	defer n.origin.Unlock()
	w, t, l := n.way()
	tag := n.tag.Add(1)
	if !w.write(tag, len(request)+requestBytesExtra, done) {
		return false
	}
	if t == nil {
		n.sendToLeader(l, zab.Packet{Type: zab.Request, ID: tag, Data: request})
		return true
	}
	if err := n.proposer.add(t, zab.Origin{Server: n.cfg.Self, Tag: tag}, request); err != nil {
		n.log.Error("request dropped", "err", err) // our credit is far below the limit
		w.fail(ErrOutcomeUnknown)
	}
	return true
}

// way returns what belongs to the role that is on now: who waits, and either the
// leadership of this server or the link to the leader.
func (n *Node) way() (*waiting, *term, *link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.waiting, n.term, n.links[n.leader]
}

// sendToLeader queues a packet. Without a link the role is about to end, which
// fails what waits.
func (n *Node) sendToLeader(l *link, p zab.Packet) {
	if l == nil {
		return
	}
	frame, err := zab.MarshalPacket(nil, &p)
	if err != nil {
		panic(fmt.Sprintf("quorum: encode %v: %v", p.Type, err))
	}
	l.push(item{frame: frame})
}

// Propose is Submit for those who want to wait for the result. After an error
// other than ErrNotServing the request may still take effect.
func (n *Node) Propose(ctx context.Context, request []byte) (any, error) {
	type outcome struct {
		result any
		err    error
	}
	c := make(chan outcome, 1)
	n.Submit(request, func(result any, err error) { c <- outcome{result, err} })
	select {
	case o := <-c:
		return o.result, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// SyncPoint calls done, from the goroutine that applies, once this server has
// applied everything that was committed anywhere when SyncPoint was called, as
// confirmed by a quorum. So a read behind it is linearizable.
func (n *Node) SyncPoint(done func(err error)) {
	w, t, l := n.way()
	tag := n.tag.Add(1)
	if !w.sync(tag, done) {
		done(n.unavailable())
		return
	}
	if t != nil {
		_ = n.post(n.ctx, nil, zab.SyncRequest{From: n.cfg.Self, ID: tag})
		return
	}
	n.sendToLeader(l, zab.Packet{Type: zab.Sync, ID: tag})
}

// Sync waits for a SyncPoint.
func (n *Node) Sync(ctx context.Context) error {
	c := make(chan error, 1)
	n.SyncPoint(func(err error) { c <- err })
	select {
	case err := <-c:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ask puts a question to the leader's state machine (zab.Conversation). done is
// called exactly once, from any goroutine, possibly before Ask returns.
func (n *Node) Ask(question []byte, done func(answer []byte, err error)) {
	w, t, l := n.way()
	tag := n.tag.Add(1)
	if !w.ask(tag, done) {
		done(nil, n.unavailable())
		return
	}
	if t != nil {
		talk, ok := n.machine.(zab.Conversation)
		if !ok {
			panic("quorum: Ask, but the state machine answers no questions (zab.Conversation)")
		}
		n.proposer.ask(t, func() { w.answer(tag, talk.Answer(n.cfg.Self, question)) })
		return
	}
	n.sendToLeader(l, zab.Packet{Type: zab.Revalidate, ID: tag, Data: question})
}

// Status says how the server is doing.
func (n *Node) Status() zab.Status {
	n.mu.Lock()
	s := n.status
	n.mu.Unlock()
	s.Applied = n.applier.at()
	return s
}

// View returns the ensemble.
func (n *Node) View() *ensemble.View { return n.cfg.View }

// Established waits until this server serves: it leads, or is synchronized with
// a leader, and has applied everything that was committed before.
func (n *Node) Established(ctx context.Context) error {
	for {
		changed := n.turned.wait()
		w := n.current()
		w.mu.Lock()
		serving := w.serving
		w.mu.Unlock()
		if serving {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-n.ended:
			return n.unavailable()
		}
	}
}

// Done is closed when the server has ended, by Close or because it failed.
func (n *Node) Done() <-chan struct{} { return n.ended }

// Close ends the server, waits for all its goroutines and returns why it had
// ended before, if it had: a disk that failed, a history that diverged.
func (n *Node) Close() error {
	n.cancel(nil)
	<-n.ended
	return n.err
}

func (n *Node) current() *waiting {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.waiting
}

func (n *Node) unavailable() error {
	if n.ctx.Err() != nil {
		return ErrClosed
	}
	return ErrNotServing
}
