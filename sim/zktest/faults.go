package zktest

import (
	"errors"
	"fmt"
	"slices"
)

// change makes one change to the ensemble, and no other meanwhile. do gets the
// hosts of ids; with an error it must have changed nothing that matters.
func (e *Ensemble) change(what string, ids []int, do func([]*host) error) error {
	e.baton <- struct{}{}
	hosts, err := e.find(what, ids)
	switch {
	case e.closed:
		err = fmt.Errorf("zktest: %s: the ensemble is closed", what)
	case err == nil && len(ids) == 0:
		err = fmt.Errorf("zktest: %s: of which server? Name its id", what)
	case err == nil:
		if err = do(hosts); err != nil {
			err = fmt.Errorf("zktest: %s: %w", what, err)
		}
	}
	<-e.baton
	return e.check(err) // which may end the goroutine
}

// running returns the processes of hosts, all of which must run.
func (e *Ensemble) running(hosts []*host) ([]*process, error) {
	for _, h := range hosts {
		if e.fabric.process(h.id) == nil {
			return nil, fmt.Errorf("server %d does not run; Restart it first", h.id)
		}
	}
	return e.alive(hosts), nil
}

func (e *Ensemble) dead(hosts []*host) error {
	for _, h := range hosts {
		switch p := e.fabric.process(h.id); {
		case p == nil:
		case p.over():
			return fmt.Errorf("server %d has ended by itself; Kill it first, for what is left of it", h.id)
		default:
			return fmt.Errorf("server %d runs; Kill it first", h.id)
		}
	}
	return nil
}

// Kill ends servers as kill -9, and with disks in memory a power cut, would, all of
// them at the same instant: connections end without a goodbye, and what was not
// synced is lost. It returns when nothing of the servers is left in the process.
// A paused server can be killed. One that has ended by itself must be, before it
// is restarted.
func (e *Ensemble) Kill(ids ...int) error {
	return e.change("Kill", ids, func(hosts []*host) error {
		list, err := e.running(hosts)
		if err != nil {
			return err
		}
		e.kill(list)
		return nil
	})
}

// Restart starts servers that were killed, on what their disks have and with their
// ports. It does not wait until they serve, which may take others: see
// WaitServing.
func (e *Ensemble) Restart(ids ...int) error {
	return e.change("Restart", ids, func(hosts []*host) error {
		if err := e.dead(hosts); err != nil {
			return err
		}
		return e.boots(hosts)
	})
}

// Wipe empties the disks of servers that were killed. Such a server may not vote
// until a leader has given it back what it had, unless all voters are there.
func (e *Ensemble) Wipe(ids ...int) error {
	return e.change("Wipe", ids, func(hosts []*host) error {
		if err := e.dead(hosts); err != nil {
			return err
		}
		var faults []error
		for _, h := range hosts {
			faults = append(faults, h.platter.wipe())
		}
		return errors.Join(faults...)
	})
}

// Pause stops servers as SIGSTOP would, all of them at the same instant. When it
// returns they read and write nothing any more, until Resume.
func (e *Ensemble) Pause(ids ...int) error {
	return e.change("Pause", ids, func(hosts []*host) error {
		list, err := e.running(hosts)
		if err != nil {
			return err
		}
		for _, p := range list {
			if p.paused() {
				return fmt.Errorf("server %d is paused already", p.id)
			}
		}
		e.fabric.restrict(func() {
			for _, p := range list {
				p.gate.setShut(true)
			}
		})
		return nil
	})
}

// Resume lets paused servers go on where they stopped.
func (e *Ensemble) Resume(ids ...int) error {
	return e.change("Resume", ids, func(hosts []*host) error {
		list, err := e.running(hosts)
		if err != nil {
			return err
		}
		for _, p := range list {
			if !p.paused() {
				return fmt.Errorf("server %d is not paused", p.id)
			}
		}
		e.fabric.change(func() {
			for _, p := range list {
				p.gate.setShut(false)
			}
		})
		return nil
	})
}

// Partition stalls, until Heal, all ways between servers of different groups, on
// top of what is stalled already. Servers in no group keep their ways to all, so
// Partition([]int{1}, []int{3}) leaves server 2 as a bridge. Clients reach all
// servers as before.
func (e *Ensemble) Partition(groups ...[]int) error {
	return e.change("Partition", slices.Concat(groups...), func([]*host) error {
		if len(groups) < 2 {
			return errors.New("one group is no partition; name two or more, or use Isolate")
		}
		e.fabric.restrict(func() {
			for i, group := range groups {
				for _, other := range groups[i+1:] {
					e.fabric.part(group, other)
				}
			}
		})
		return nil
	})
}

// Isolate stalls, until Heal, all ways between each of the servers and all others.
func (e *Ensemble) Isolate(ids ...int) error {
	return e.change("Isolate", ids, func(hosts []*host) error {
		e.fabric.restrict(func() {
			for _, h := range hosts {
				for _, other := range e.hosts {
					if other != h {
						e.fabric.part([]int{h.id}, []int{other.id})
					}
				}
			}
		})
		return nil
	})
}

// Stall stalls, until Heal, what one server sends to another. The other direction
// of the same connections goes on; new ones, which need both, hang.
func (e *Ensemble) Stall(from, to int) error {
	return e.change("Stall", []int{from, to}, func([]*host) error {
		e.fabric.restrict(func() { e.fabric.stalled[way{from, to}] = true })
		return nil
	})
}

// Heal ends all that Partition, Isolate and Stall have begun. What waited moves on,
// in order. It does not resume paused servers.
func (e *Ensemble) Heal() error {
	everybody := make([]int, len(e.hosts))
	for i := range everybody {
		everybody[i] = i + 1
	}
	return e.change("Heal", everybody, func([]*host) error {
		e.fabric.change(func() { clear(e.fabric.stalled) })
		return nil
	})
}

// CutClients resets the client connections of servers, once: the clients may
// connect again, here or elsewhere, and their sessions go on.
func (e *Ensemble) CutClients(ids ...int) error {
	return e.change("CutClients", ids, func(hosts []*host) error {
		list, err := e.running(hosts)
		if err != nil {
			return err
		}
		for _, p := range list {
			for _, c := range e.fabric.clients(p) {
				c.cut()
				e.fabric.forget(c)
			}
		}
		return nil
	})
}
