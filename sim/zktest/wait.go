package zktest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// pollInterval is how often servers are asked how they are while somebody waits.
const pollInterval = time.Millisecond

// Leader returns the id of the leader, 0 if there is none at the moment: the server
// that leads a majority of the voters, itself included, which run, are not paused,
// know it as the leader of the same epoch and can talk with it.
func (e *Ensemble) Leader() int {
	id, _ := e.leader()
	return id
}

func (e *Ensemble) leader() (leader int, epoch ensemble.Epoch) {
	for _, h := range e.hosts {
		s, up := e.awake(h)
		if !up || s.State != ensemble.Leading || s.Epoch <= epoch {
			continue
		}
		with := 0
		for _, other := range e.hosts {
			if !other.observer && e.under(other, h.id, s.Epoch) {
				with++
			}
		}
		if 2*with > e.cfg.Servers {
			leader, epoch = h.id, s.Epoch
		}
	}
	return leader, epoch
}

// status is what is asked of a server that runs and is not paused.
type status struct {
	State  ensemble.State
	Leader ensemble.ServerID
	Epoch  ensemble.Epoch
}

func (e *Ensemble) awake(h *host) (status, bool) {
	p := e.fabric.process(h.id)
	if p == nil || p.over() || p.paused() {
		return status{}, false
	}
	s := p.backend.Status()
	return status{s.State, s.Leader, s.Epoch}, true
}

// under reports whether a server leads, follows or observes under this leader and
// can talk with it.
func (e *Ensemble) under(h *host, leader int, epoch ensemble.Epoch) bool {
	s, up := e.awake(h)
	return up && s.Epoch == epoch && s.Leader == ensemble.ServerID(leader) && (h.id == leader || !e.fabric.apart(h.id, leader))
}

// WaitLeader waits for a leader, as Leader has it, that serves, and returns its id.
// When ctx ends first the error says how the servers are; a test goes on.
func (e *Ensemble) WaitLeader(ctx context.Context) (int, error) {
	leader := 0
	err := e.poll(ctx, "no server leads a majority", func() bool {
		leader, _ = e.leader()
		return leader != 0 && e.serves(leader)
	})
	if err != nil {
		return 0, err
	}
	return leader, nil
}

// WaitServing waits until there is a leader and these servers serve under it;
// without ids, all servers that run and are not paused. When ctx ends first the
// error says how the servers are; a test goes on.
func (e *Ensemble) WaitServing(ctx context.Context, ids ...int) error {
	hosts, err := e.find("WaitServing", ids)
	if err != nil {
		return e.check(err)
	}
	if _, err := e.running(hosts); err != nil {
		return e.check(fmt.Errorf("zktest: WaitServing: %w", err))
	}
	return e.poll(ctx, "not all servers serve", func() bool {
		list := hosts
		if len(ids) == 0 {
			list = e.up()
		}
		leader, epoch := e.leader()
		for _, h := range list {
			if !e.under(h, leader, epoch) || !e.serves(h.id) {
				return false
			}
		}
		return leader != 0
	})
}

// up returns the hosts whose servers run and are not paused.
func (e *Ensemble) up() []*host {
	var list []*host
	for _, h := range e.hosts {
		if _, up := e.awake(h); up {
			list = append(list, h)
		}
	}
	return list
}

// atOnce is a context for looking without waiting.
var atOnce = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// serves reports whether a server lets clients in, which it does a moment after it
// knows its leader.
func (e *Ensemble) serves(id int) bool {
	p := e.fabric.process(id)
	if p == nil {
		return false
	}
	n := p.backend.node.Load()
	return n != nil && n.Established(atOnce) == nil
}

func (e *Ensemble) poll(ctx context.Context, complaint string, done func() bool) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("zktest: %s: %w (%s)", complaint, context.Cause(ctx), e.describe())
		case <-tick.C:
		}
	}
	return nil
}

// describe says how all servers are.
func (e *Ensemble) describe() string {
	var parts []string
	for _, s := range e.Servers() {
		st := s.Status()
		line := fmt.Sprintf("server %d %v", s.ID(), st.State)
		p := e.fabric.process(s.ID())
		switch {
		case p == nil:
			line = fmt.Sprintf("server %d is down", s.ID())
		case p.over():
			line = fmt.Sprintf("server %d has ended by itself", s.ID())
		case p.paused():
			line += ", paused"
		case st.Leader != ensemble.NoServer:
			line += fmt.Sprintf(", leader %d, epoch %d, %s", st.Leader, st.Epoch, st.Phase)
		}
		parts = append(parts, line)
	}
	return strings.Join(parts, "; ")
}
