package zktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

// startLimit is how long all servers may take to serve. It takes milliseconds; a
// machine that needs seconds has something else to do.
const startLimit = 30 * time.Second

// Ensemble is a running ensemble. Its methods may be called from any goroutine,
// but see the package comment on misuse in tests.
type Ensemble struct {
	cfg    Config
	fatal  func(error) // ends the test; nil outside of one
	view   *ensemble.View
	fabric *fabric
	hosts  []*host       // by id, from 1
	baton  chan struct{} // of the change that is being made
	closed bool          // the baton guards it

	once     sync.Once
	mu       sync.Mutex
	failures []error // servers that have ended by themselves
}

// host is what there is of a server whether it runs or not: its ports and its disk.
type host struct {
	id                        int
	observer                  bool
	clients, quorum, election *door
	platter                   platter
	fresh                     bool // its empty disk is that of a new ensemble
}

// New starts an ensemble and returns when all its servers serve. The caller closes
// it. In a test Start and StartConfig are more convenient.
func New(cfg Config) (*Ensemble, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	e := &Ensemble{cfg: cfg.withDefaults(), fabric: newFabric(), baton: make(chan struct{}, 1)}
	found, err := e.cfg.found()
	if err == nil {
		err = e.build(!found)
	}
	if err == nil {
		err = e.boots(e.hosts)
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		err = e.WaitServing(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// build opens the ports and makes the disks; what it has made Close takes away.
func (e *Ensemble) build(fresh bool) error {
	var members []ensemble.Member
	for i := range e.cfg.Servers + e.cfg.Observers {
		h := &host{id: i + 1, observer: i >= e.cfg.Servers, platter: e.cfg.platter(i + 1), fresh: fresh}
		e.hosts = append(e.hosts, h)
		for _, d := range []**door{&h.clients, &h.quorum, &h.election} {
			open, err := openDoor()
			if err != nil {
				return fmt.Errorf("zktest: open a port for server %d: %w", h.id, err)
			}
			*d = open
		}
		e.fabric.ports[h.quorum.addr()], e.fabric.ports[h.election.addr()] = h.id, h.id
		members = append(members, ensemble.Member{
			ID: ensemble.ServerID(h.id), Observer: h.observer, Client: h.clients.addr(), Weight: 1,
			Addrs: []ensemble.Addr{{Host: "127.0.0.1", QuorumPort: h.quorum.port(), ElectionPort: h.election.port()}},
		})
	}
	view, err := ensemble.NewView(0, members)
	e.view = view
	return err
}

// boots starts servers that can all be reached when the first one looks around.
func (e *Ensemble) boots(hosts []*host) error {
	var list []*process
	for _, h := range hosts {
		list = append(list, e.enter(h))
	}
	var faults []error
	for i, h := range hosts {
		if err := e.boot(list[i], h); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// Close ends all servers, frees the ports and returns when nothing of the ensemble
// is left. The error tells of servers that had ended by themselves; a second call
// returns it again. An ensemble of a test is closed by the test.
func (e *Ensemble) Close() error {
	e.once.Do(func() {
		e.baton <- struct{}{}
		defer func() { <-e.baton }()
		e.closed = true
		e.fabric.change(func() { clear(e.fabric.stalled) })
		e.kill(e.alive(e.hosts))
		for _, h := range e.hosts {
			for _, d := range []*door{h.clients, h.quorum, h.election} {
				if d != nil {
					d.close()
				}
			}
		}
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.failures...)
}

// alive returns the processes of hosts that have one, be it paused or over.
func (e *Ensemble) alive(hosts []*host) []*process {
	var list []*process
	for _, h := range hosts {
		if p := e.fabric.process(h.id); p != nil {
			list = append(list, p)
		}
	}
	return list
}

// kill kills at one instant: first everything stands still, then the disks forget,
// then the connections end.
func (e *Ensemble) kill(list []*process) {
	e.fabric.change(func() {
		for _, p := range list {
			p.gate.setShut(true)
		}
	})
	for _, p := range list {
		p.killed.Store(true)
		e.hosts[p.id-1].platter.crash()
		p.cancel()
	}
	e.vanish(list...)
	for _, p := range list {
		<-p.ended
	}
	e.fabric.change(func() {
		for _, p := range list {
			delete(e.fabric.running, p.id)
		}
	})
}

// Addrs returns the client addresses of all servers, host:port, by id.
func (e *Ensemble) Addrs() []string {
	var list []string
	for _, h := range e.hosts {
		list = append(list, h.clients.addr())
	}
	return list
}

// ConnectString returns Addrs joined by commas, as most clients want them.
func (e *Ensemble) ConnectString() string { return strings.Join(e.Addrs(), ",") }

// Server returns a server. Of an id that does not exist it is one without an
// address.
func (e *Ensemble) Server(id int) Server {
	if id < 1 || id > len(e.hosts) {
		e.check(e.unknown("Server", id))
		return Server{}
	}
	return Server{e, e.hosts[id-1]}
}

// Servers returns all servers by id, observers last.
func (e *Ensemble) Servers() []Server {
	var list []Server
	for _, h := range e.hosts {
		list = append(list, Server{e, h})
	}
	return list
}

// Server is a server of an ensemble, whether it runs or not.
type Server struct {
	e *Ensemble
	h *host
}

// ID returns the sid, from 1.
func (s Server) ID() int {
	if s.h == nil {
		return 0
	}
	return s.h.id
}

// Addr returns where clients connect, host:port. It is the same after a restart.
func (s Server) Addr() string {
	if s.h == nil {
		return ""
	}
	return s.h.clients.addr()
}

// Running reports whether the server has been started and has not ended. One that
// is paused runs.
func (s Server) Running() bool {
	if s.h == nil {
		return false
	}
	p := s.e.fabric.process(s.h.id)
	return p != nil && !p.over()
}

// Status returns what the server thinks of itself; of one that is paused, what it
// thought then. One that does not run is Looking and has the phase "down".
func (s Server) Status() zab.Status {
	if !s.Running() {
		return zab.Status{Server: ensemble.ServerID(s.ID()), Leader: ensemble.NoServer, Phase: "down"}
	}
	if p := s.e.fabric.process(s.h.id); p != nil {
		return p.backend.Status()
	}
	return zab.Status{Server: ensemble.ServerID(s.ID()), Leader: ensemble.NoServer, Phase: "down"}
}

// check ends the test with an error, if there are both.
func (e *Ensemble) check(err error) error {
	if err != nil && e.fatal != nil {
		e.fatal(err)
	}
	return err
}

func (e *Ensemble) unknown(what string, id int) error {
	return fmt.Errorf("zktest: %s: there is no server %d: the ids are 1 to %d", what, id, len(e.hosts))
}

// find returns the hosts with these ids.
func (e *Ensemble) find(what string, ids []int) ([]*host, error) {
	var list []*host
	for i, id := range ids {
		if id < 1 || id > len(e.hosts) {
			return nil, e.unknown(what, id)
		}
		if slices.Contains(ids[:i], id) {
			return nil, fmt.Errorf("zktest: %s: server %d is named twice", what, id)
		}
		list = append(list, e.hosts[id-1])
	}
	return list, nil
}
