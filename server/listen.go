package server

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/quorate/quorate/server/lf"
)

// front is what stands between a listener and the server: the accepting, the
// workers and the timers of one Run.
type front struct {
	s     *Server
	pool  *lf.Pool
	tasks sync.WaitGroup // sockets
}

// Run accepts and serves clients on all of the listeners until ctx ends or one of
// them fails, and returns when all connections are closed: nil after the end of
// ctx. It closes the listeners. Those for TLS come from Secure. A server runs once.
func (s *Server) Run(ctx context.Context, listeners ...net.Listener) error {
	if s.quorum == nil {
		closeAll(listeners)
		return ErrNoQuorum
	}
	poolCtx, stopPool := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPool()
	accepting, stopAccepting := context.WithCancel(ctx)
	defer stopAccepting()

	f := &front{s: s, pool: lf.New(lf.Config{Sets: s.cfg.Sets, Workers: s.cfg.Workers, Trace: &s.cfg.Trace.LF})}
	var wg sync.WaitGroup
	var poolErr error
	wg.Go(func() {
		poolErr = f.pool.Run(poolCtx)
		stopAccepting()
	})
	wg.Go(func() { f.housekeeping(accepting) })
	acceptErr := f.acceptAll(accepting, stopAccepting, listeners)
	f.drain()
	stopPool()
	wg.Wait()
	return errors.Join(acceptErr, poolErr)
}

// acceptAll takes connections from all listeners until ctx ends, which it does with
// stop when one fails. It closes them.
func (f *front) acceptAll(ctx context.Context, stop func(), listeners []net.Listener) error {
	errs := make([]error, len(listeners))
	var wg sync.WaitGroup
	for i, ln := range listeners {
		wg.Go(func() {
			errs[i] = f.accept(ctx, ln)
			stop()
		})
	}
	<-ctx.Done()
	closeAll(listeners)
	wg.Wait()
	return errors.Join(errs...)
}

func closeAll(listeners []net.Listener) {
	for _, ln := range listeners {
		_ = ln.Close()
	}
}

// accept takes connections until ctx ends. Errors that pass, such as too many
// open files, are waited out.
func (f *front) accept(ctx context.Context, ln net.Listener) error {
	pause := time.Duration(0)
	for {
		nc, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			f.s.log.Error("cannot accept a client; trying again", "err", err, "in", pause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			continue
		}
		pause = 0
		f.join(nc)
	}
}

// join takes in a new connection, or refuses it.
func (f *front) join(nc net.Conn) {
	_, secure := nc.(*secureConn)
	if secure && !f.s.beginHandshake() {
		_ = nc.Close()
		return
	}
	var k *socket
	_, ok := f.s.open(remoteOf(nc), func(c *Conn) Wire {
		k = attach(c, nc, f.pool, &f.tasks)
		return k
	})
	if !ok {
		if secure {
			f.s.endHandshake()
		}
		_ = nc.Close()
		return
	}
	if !secure {
		f.s.countPlain(k.c.remote)
	}
	go k.read()
}

// housekeeping calls Housekeep until ctx ends.
func (f *front) housekeeping(ctx context.Context) {
	period := f.s.HousekeepingPeriod()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		f.s.Housekeep()
		timer.Reset(period - f.s.now()%period)
	}
}

// drainEvery is how exactly drainTimeout is kept when the server stops.
const drainEvery = 50 * time.Millisecond

// drain closes all connections in good order and waits until they are over.
func (f *front) drain() {
	for _, c := range f.s.connections() {
		c.finish("server stops")
	}
	over := make(chan struct{})
	go func() { f.tasks.Wait(); close(over) }()
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			f.s.closeIdle(f.s.now())
		}
	}
}
