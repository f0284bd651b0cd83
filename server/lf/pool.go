package lf

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// Config says how large a pool is. The zero value is usable.
type Config struct {
	// Sets is the number of sets, each with its own baton and source; 0 means 1.
	Sets int
	// Workers is the number of workers of all sets together, at least two per
	// set: one to wait and one to serve. 0 means twice GOMAXPROCS, at least 4
	// per set.
	Workers int
	// Source makes the source of a set; nil means NewQueue.
	Source func(set int) Source
	// Trace hears of what the workers do; nil means nobody does.
	Trace *Trace
}

// Trace has hooks, each of which may be nil. They are called by the workers and
// must not block.
type Trace struct {
	// Taken is called when a worker has taken a session and passed the baton on.
	Taken func(set, worker int)
	// Served is called when it has served the session.
	Served func(set, worker int)
}

// Pool is a set, or several, of workers. Make one with New.
type Pool struct {
	sources []Source
	batons  []chan struct{}
	workers int // in total
	trace   Trace
	joined  atomic.Uint64
}

// New makes a pool. No worker runs before Run.
func New(cfg Config) *Pool {
	if cfg.Sets <= 0 {
		cfg.Sets = 1
	}
	if cfg.Workers <= 0 {
		cfg.Workers = max(4*cfg.Sets, 2*runtime.GOMAXPROCS(0))
	}
	cfg.Workers = max(cfg.Workers, 2*cfg.Sets)
	if cfg.Source == nil {
		cfg.Source = func(int) Source { return NewQueue() }
	}
	p := &Pool{workers: cfg.Workers}
	if cfg.Trace != nil {
		p.trace = *cfg.Trace
	}
	for i := range cfg.Sets {
		p.sources = append(p.sources, cfg.Source(i))
		p.batons = append(p.batons, make(chan struct{}, 1))
	}
	return p
}

// Join gives h a place in the pool, in the sets by turns. It may be called by
// any goroutine, before and during Run.
func (p *Pool) Join(h Handler) *Session {
	set := (p.joined.Add(1) - 1) % uint64(len(p.sources))
	return &Session{source: p.sources[set], handler: h}
}

// Workers returns the number of workers of all sets.
func (p *Pool) Workers() int { return p.workers }

// Run lets the workers work until ctx ends or a source fails, and returns when
// all of them have stopped: nil after the end of ctx, else the source's error. A
// session that is being served is served to the end. A pool runs once at a time.
func (p *Pool) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for i := range p.batons {
		select { // a baton may lie here since an earlier Run
		case p.batons[i] <- struct{}{}:
		default:
		}
	}
	var wg sync.WaitGroup
	for w := range p.workers {
		wg.Go(func() {
			if err := p.work(ctx, w%len(p.sources), w); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, ctx.Err()) {
		return err
	}
	return nil
}

// work is the life of one worker. It returns an error only if its source failed.
func (p *Pool) work(ctx context.Context, set, worker int) error {
	source, baton := p.sources[set], p.batons[set]
	for {
		select {
		case <-baton:
		case <-ctx.Done():
			return nil
		}
		s, err := source.Next(ctx)
		baton <- struct{}{} // has room: this worker took it out
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if p.trace.Taken != nil {
			p.trace.Taken(set, worker)
		}
		s.serve()
		if p.trace.Served != nil {
			p.trace.Served(set, worker)
		}
	}
}
