package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/sim"
)

func newSimRun() *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use:     "run",
		Short:   "Run a series of seeds",
		Example: `  quorate sim run --seeds 1-1000 --servers 5 --observers 1 --time 60s --parallel 2`,
		Args:    exactArgs(0, "no arguments"),
		RunE: printing(func(ctx context.Context, _ []string, stdout, stderr io.Writer) error {
			return runSeeds(ctx, o, stdout, stderr)
		}),
	}
	f := c.Flags()
	f.StringVar(&o.seeds, "seeds", "1-100", "seeds to run: A-B, or one")
	f.IntVar(&o.parallel, "parallel", 1, "runs at a time")
	f.BoolVar(&o.until, "until-failure", false, "go on behind the last seed until something is violated")
	f.BoolVar(&o.twice, "twice", false, "run each seed twice and compare")
	o.worldFlags(c, time.Minute)
	return c
}

// series is a run of many seeds.
type series struct {
	o     simOptions
	next  atomic.Uint64
	stop  atomic.Bool
	began time.Time

	mu  sync.Mutex
	sum sim.Report
	n   int
	bad *sim.Violation
	err error
}

func runSeeds(ctx context.Context, o simOptions, stdout, stderr io.Writer) error {
	first, last, err := parseSeeds(o.seeds)
	if err != nil {
		return err
	}
	if o.parallel < 1 {
		return usageError{fmt.Errorf("--parallel %d: want 1 or more", o.parallel)}
	}
	if err := o.check(first); err != nil {
		return err
	}
	s := &series{o: o, began: time.Now()}
	s.next.Store(first)
	s.run(ctx, last, func() { s.print(stderr, "") })
	s.print(stdout, "summary: ")
	switch {
	case s.err != nil:
		return s.err
	case s.bad != nil:
		_, _ = fmt.Fprintf(stdout, "%s\n%s\n", s.bad.Story(), o.replayCommand(s.bad.Seed))
		return verdict(s.bad)
	case ctx.Err() != nil:
		return errInterrupted
	case s.sum.Committed == 0 || s.sum.Requests == 0 && o.clients >= 0:
		_, _ = fmt.Fprintln(stdout, "inconclusive: nothing was committed, or no client got an answer")
		return codeError{errors.New("inconclusive"), exitInconclusive}
	}
	return nil
}

// run plays the seeds up to last in as many goroutines as asked for, and reports
// now and then.
func (s *series) run(ctx context.Context, last uint64, report func()) {
	var workers sync.WaitGroup
	for range s.o.parallel {
		workers.Go(func() { s.work(ctx, last) })
	}
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			report()
		}
	}
}

func (s *series) work(ctx context.Context, last uint64) {
	for ctx.Err() == nil && !s.stop.Load() {
		seed := s.next.Add(1) - 1
		if seed > last && !s.o.until {
			return
		}
		r, err := sim.Run(s.o.config(ctx, seed))
		if err == nil && s.o.twice {
			var again sim.Report
			if again, err = sim.Run(s.o.config(ctx, seed)); err == nil && again.Hash != r.Hash {
				err = codeError{fmt.Errorf("seed %d: two runs differ: hashes %016x and %016x", seed, r.Hash, again.Hash), exitUndeterminate}
			}
		}
		if errors.Is(err, sim.ErrStopped) {
			return
		}
		s.take(r, err)
	}
}

func (s *series) take(r sim.Report, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.sum.Add(r)
	if err != nil && s.err == nil {
		s.err = harness(err)
	}
	// Of several at a time the lowest seed is told, so that it does not depend on
	// luck which.
	if r.Violation != nil && (s.bad == nil || r.Violation.Seed < s.bad.Seed) {
		s.bad = r.Violation
	}
	if s.err != nil || s.bad != nil {
		s.stop.Store(true)
	}
}

func (s *series) print(w io.Writer, label string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	violations := 0
	if s.bad != nil {
		violations = 1
	}
	took := time.Since(s.began)
	checks := 0
	for _, n := range s.sum.Checked {
		checks += n
	}
	_, _ = fmt.Fprintf(w, "%s%d seeds, %.2f simulated hours in %v (%.1f h/min), %.0f events/s, %d leader changes, %d crashes, %d recoveries, "+
		"%d faults, %d transactions, %d requests, %d watch events, %d checks of %d invariants, %d violations, hash of all %016x\n",
		label, s.n, s.sum.Simulated.Hours(), took.Round(time.Millisecond), s.sum.Simulated.Hours()/took.Minutes(),
		float64(s.sum.Events)/took.Seconds(), s.sum.Leaders, s.sum.Crashes, s.sum.Recoveries, s.sum.Faults, s.sum.Committed,
		s.sum.Requests, s.sum.Notices, checks, len(s.sum.Checked), violations, s.sum.Hash)
	if s.err != nil {
		_, _ = fmt.Fprintln(w, s.err)
	}
}
