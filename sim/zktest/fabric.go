package zktest

import (
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
)

// fabric is the network of an ensemble: which servers run, which ways between
// them are stalled, and all their connections.
type fabric struct {
	ports map[string]int // who has a quorum or election address

	mu      sync.Mutex
	running map[int]*process
	stalled map[way]bool
	conns   map[*conn]struct{}
	changed chan struct{} // closed, and made anew, at each change of the first two
}

// way is a direction between two servers.
type way struct{ from, to int }

func newFabric() *fabric {
	return &fabric{
		ports: map[string]int{}, running: map[int]*process{}, stalled: map[way]bool{},
		conns: map[*conn]struct{}{}, changed: make(chan struct{}),
	}
}

// change makes a change at one instant, for all connections at once.
func (f *fabric) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	for c := range f.conns {
		if c.update(func() { f.impress(c) }) {
			delete(f.conns, c)
		}
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// restrict is change, and waits until what it forbids has come to rest: no byte
// moves any more that must not, and no disk does anything for who is paused.
func (f *fabric) restrict(do func()) {
	f.change(do)
	f.mu.Lock()
	conns, procs := slices.Collect(maps.Keys(f.conns)), slices.Collect(maps.Values(f.running))
	f.mu.Unlock()
	for _, p := range procs {
		p.gate.quiet()
	}
	for _, c := range conns {
		c.quiet()
	}
}

// impress tells a connection how things are. f.mu and c.mu are held.
func (f *fabric) impress(c *conn) {
	paused, dead := c.owner.gate.state()
	c.frozen, c.closed = paused, c.closed || dead
	c.in.stalled = f.stalled[way{c.peer, c.owner.id}]
	c.out.stalled = f.stalled[way{c.owner.id, c.peer}]
}

// process returns the server that runs with that id, nil if none does.
func (f *fabric) process(id int) *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[id]
}

// apart reports whether two servers cannot have a conversation.
func (f *fabric) apart(a, b int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stalled[way{a, b}] || f.stalled[way{b, a}]
}

// errStranger is for an address that is in no line of the view.
var errStranger = errors.New("no server of this ensemble is there")

// part stalls both ways between the servers of two groups. It is for change.
func (f *fabric) part(group, other []int) {
	for _, a := range group {
		for _, b := range other {
			f.stalled[way{a, b}], f.stalled[way{b, a}] = true, true
		}
	}
}

// join makes a new connection one of ours. peer is the server that was dialed, 0
// for a connection that came in.
func (f *fabric) join(owner *process, tcp *net.TCPConn, peer int, client bool) (net.Conn, error) {
	c := newConn(f, owner, tcp)
	c.peer, c.client = peer, client
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.update(func() { f.impress(c) }) {
		return nil, errKilled
	}
	f.conns[c] = struct{}{}
	return c, nil
}

func (f *fabric) forget(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
}

// clients returns the open connections of clients to a server.
func (f *fabric) clients(p *process) []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []*conn
	for c := range f.conns {
		if c.owner == p && c.client {
			list = append(list, c)
		}
	}
	return list
}

// dial connects a server to an address of another. It hangs while one of the two
// ways between them is stalled: a handshake needs both.
func (f *fabric) dial(ctx context.Context, p *process, network, addr string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		at, _ := net.ResolveTCPAddr(network, addr) // an address that is none stays nil
		return nil, &net.OpError{Op: "dial", Net: network, Addr: at, Err: err}
	}
	to, known := f.ports[addr]
	if !known {
		return fail(errStranger)
	}
	for {
		if err := p.gate.pass(); err != nil {
			return fail(err)
		}
		f.mu.Lock()
		there, changed := f.running[to], f.changed
		apart := f.stalled[way{p.id, to}] || f.stalled[way{to, p.id}]
		f.mu.Unlock()
		switch {
		case apart:
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return fail(os.ErrDeadlineExceeded)
			}
		case there == nil || there.over():
			return fail(syscall.ECONNREFUSED)
		}
		nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c, err := f.join(p, nc.(*net.TCPConn), to, false)
		if err != nil {
			return fail(err)
		}
		return c, nil
	}
}
