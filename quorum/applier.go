package quorum

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

// readBytesMax is how much of the log is read at a time.
const readBytesMax = 1 << 20

// The applier's commands, in the order in which the protocol decided them. They
// are queued as pointers, by which they are told apart.
type (
	applyUpTo struct{ zxid ensemble.Zxid }
	enterRole struct {
		role    zab.Role
		waiting *waiting
		term    *term // of a leader
	}
	leaveRole   struct{ waiting *waiting } // whose outcomes nobody knows now
	pointPassed struct {
		tag  uint64
		upTo ensemble.Zxid
	}
	restoreState struct {
		install func() error // makes the snapshot the newest; may be nil
		done    chan struct{}
	}
	captureState struct{ done chan capture }
)

// applier is the one goroutine that touches the state machine's applied state.
type applier struct {
	node *Node

	mu       sync.Mutex
	commands []any
	position zab.Position // last applied
	wake     chan struct{}

	waiting *waiting // of the role that is entered; only the run goroutine uses it, and loading
	loading Loaded   // what the start has cost so far
}

func newApplier(n *Node) *applier {
	return &applier{node: n, wake: make(chan struct{}, 1), waiting: newWaiting()}
}

func (a *applier) poke() { notify(a.wake) }

// push queues a command; it never blocks.
func (a *applier) push(cmd any) {
	a.mu.Lock()
	if _, ok := cmd.(*applyUpTo); ok && len(a.commands) > 0 {
		if _, ok := a.commands[len(a.commands)-1].(*applyUpTo); ok {
			a.commands = a.commands[:len(a.commands)-1]
		}
	}
	a.commands = append(a.commands, cmd)
	a.mu.Unlock()
	a.poke()
}

func (a *applier) peek() any {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.commands) == 0 {
		return nil
	}
	return a.commands[0]
}

// pop removes cmd, which peek returned, unless a later one has replaced it.
func (a *applier) pop(cmd any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.commands[0] != cmd {
		return
	}
	a.commands[0] = nil
	a.commands = a.commands[1:]
	if len(a.commands) == 0 {
		a.commands = nil
	}
}

func (a *applier) at() zab.Position {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.position
}

func (a *applier) setAt(p zab.Position) {
	a.mu.Lock()
	a.position = p
	a.mu.Unlock()
}

// capture is a state to be sent to a learner.
type capture struct {
	at   zab.Position
	snap zab.Snapshot
	err  error
}

// capture asks for the state as it is, to be released by the caller.
func (a *applier) capture(ctx context.Context) (capture, error) {
	cmd := &captureState{make(chan capture, 1)}
	a.push(cmd)
	select {
	case c := <-cmd.done:
		return c, c.err
	case <-ctx.Done():
		go func() { // the applier ends, or answers
			select {
			case c := <-cmd.done:
				if c.err == nil {
					c.snap.Release()
				}
			case <-a.node.ended:
			}
		}()
		return capture{}, ctx.Err()
	}
}

// restore asks the applier to install a snapshot and to load it, and waits until
// it has. It is the applier that installs, because that takes the log away from
// under its feet.
func (a *applier) restore(ctx context.Context, install func() error) error {
	done := make(chan struct{})
	a.push(&restoreState{install, done})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *applier) run(ctx context.Context) error {
	for ctx.Err() == nil {
		cmd := a.peek()
		if cmd == nil {
			select {
			case <-ctx.Done():
			case <-a.wake:
			}
			continue
		}
		if err := a.execute(ctx, cmd); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		a.pop(cmd)
	}
	return nil
}

func (a *applier) execute(ctx context.Context, cmd any) error {
	switch c := cmd.(type) {
	case *applyUpTo:
		return a.apply(ctx, c.zxid)
	case *loadedState:
		if a.node.cfg.Hooks.Loaded != nil {
			a.node.cfg.Hooks.Loaded(a.loading)
		}
	case *enterRole:
		if o, ok := a.node.machine.(zab.RoleObserver); ok {
			o.RoleChanged(c.role)
		}
		a.waiting = c.waiting
		c.waiting.open()
		a.node.turned.notify()
		if c.role.State == ensemble.Leading {
			a.node.proposer.begin(c.term, c.role.Epoch)
		}
	case *leaveRole:
		if o, ok := a.node.machine.(zab.RoleObserver); ok {
			o.RoleChanged(zab.Role{State: ensemble.Looking, Leader: ensemble.NoServer})
		}
		c.waiting.fail(ErrOutcomeUnknown)
	case *pointPassed:
		if done := a.waiting.takeSync(c.tag); done != nil {
			if err := a.apply(ctx, c.upTo); err != nil {
				done(ErrClosed)
				return err
			}
			done(nil)
		}
	case *captureState:
		snap, err := a.node.machine.Snapshot()
		c.done <- capture{a.at(), snap, err}
	case *restoreState:
		defer close(c.done)
		if c.install != nil {
			if err := c.install(); err != nil {
				return err
			}
		}
		return a.load()
	default:
		panic(fmt.Sprintf("quorum: applier command %T", cmd))
	}
	return nil
}

// load restores the state machine from the newest snapshot, if there is one.
func (a *applier) load() error {
	at, r, err := a.node.store.OpenSnapshot()
	if errors.Is(err, storage.ErrNoSnapshot) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open snapshot: %w", err)
	}
	began := time.Now()
	err = a.node.machine.Restore(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("restore the snapshot at %v: %w", at.Zxid, err)
	}
	a.loading.Snapshot, a.loading.Took = at, time.Since(began)
	a.setAt(at)
	a.node.snapshots.restored(at)
	return nil
}

// apply applies the log up to a zxid. What is committed may still be on its way
// to the log; then it waits.
func (a *applier) apply(ctx context.Context, upTo ensemble.Zxid) error {
	began := time.Now()
	defer func() { a.loading.TxnsTook += time.Since(began) }()
	for pos := a.at(); pos.Zxid < upTo; {
		txns, err := a.node.store.Read(pos.Zxid, readBytesMax)
		if err != nil {
			return fmt.Errorf("apply behind %v: %w", pos.Zxid, err)
		}
		n := 0
		for n < len(txns) && txns[n].Zxid <= upTo {
			n++
		}
		if n == 0 && len(txns) > 0 {
			return fmt.Errorf("%v is committed, and the log goes on with %v behind %v", upTo, txns[0].Zxid, pos.Zxid)
		}
		if n == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-a.wake:
			}
			continue
		}
		for _, t := range txns[:n] {
			result := a.node.machine.Apply(t)
			pos = zab.Position{Zxid: t.Zxid, Chain: t.Chain}
			a.setAt(pos)
			if t.Origin.Server == a.node.cfg.Self {
				a.waiting.complete(t.Origin.Tag, result)
			}
		}
		a.loading.Txns += n
		a.node.snapshots.applied(pos, n)
		a.node.appliedSignal.notify()
	}
	return nil
}
