package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/sim"
)

// Exit codes of quorate sim, besides 0 and 2.
const (
	exitUnsafe        = 1
	exitNotAlive      = 2 // and wrong usage, which says so
	exitHarness       = 4
	exitUndeterminate = 5
)

// simOptions are the flags of quorate sim run and replay.
type simOptions struct {
	seeds     string
	seed      uint64
	servers   int
	observers int
	time      time.Duration
	parallel  int
	until     bool
	twice     bool
	story     bool
}

func newSimCommand() *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use:   "sim",
		Short: "Run whole ensembles in a simulated world, with faults, from seeds",
		Long: `Run whole ensembles of the real protocol code in a simulated world: virtual time,
links that break, disks that are slow or wiped, servers that crash. Every
invariant is checked at every step; at the end all is healed and everybody must
work again. The same seed gives the same run.

Exit codes: 0 all held, 1 safety was violated, 2 liveness was violated (or wrong
usage), 4 the simulator itself failed, 5 two runs of one seed differed.`,
		Example: `  quorate sim run --seeds 1-1000
  quorate sim replay --seed 17 --story`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	run := &cobra.Command{
		Use:     "run",
		Short:   "Run a series of seeds",
		Example: `  quorate sim run --seeds 1-1000 --servers 5 --observers 1 --time 60s`,
		Args:    exactArgs(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return runSeeds(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := run.Flags()
	f.StringVar(&o.seeds, "seeds", "1-100", "seeds to run: A-B, or one")
	f.IntVar(&o.parallel, "parallel", 1, "runs at a time")
	f.BoolVar(&o.until, "until-failure", false, "go on behind the last seed until something is violated")
	f.BoolVar(&o.twice, "twice", false, "run each seed twice and compare")
	replay := &cobra.Command{
		Use:     "replay",
		Short:   "Run one seed and print its hash, or its story",
		Example: `  quorate sim replay --seed 17 --story`,
		Args:    exactArgs(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return replaySeed(o, c.OutOrStdout())
		},
	}
	replay.Flags().Uint64Var(&o.seed, "seed", 1, "the seed")
	replay.Flags().BoolVar(&o.story, "story", false, "print every line of the story")
	for _, sub := range []*cobra.Command{run, replay} {
		sub.Flags().IntVar(&o.servers, "servers", 0, "participants (default: 3, and 5 for every fourth seed)")
		sub.Flags().IntVar(&o.observers, "observers", 0, "observers, with --servers")
		sub.Flags().DurationVar(&o.time, "time", time.Minute, "simulated time with faults")
	}
	c.AddCommand(run, replay)
	return c
}

func (o simOptions) config(seed uint64) sim.Config {
	return sim.Varied(sim.Config{Servers: o.servers, Observers: o.observers, Time: o.time}, seed)
}

// replayCommand is what runs a seed again.
func (o simOptions) replayCommand(seed uint64) string {
	c := fmt.Sprintf("quorate sim replay --seed %d --time %v --story", seed, o.time)
	if o.servers > 0 {
		c += fmt.Sprintf(" --servers %d --observers %d", o.servers, o.observers)
	}
	return c
}

// parseSeeds reads A-B, or A.
func parseSeeds(s string) (first, last uint64, err error) {
	a, b, isRange := strings.Cut(s, "-")
	if !isRange {
		b = a
	}
	first, err = strconv.ParseUint(a, 10, 64)
	if err == nil {
		last, err = strconv.ParseUint(b, 10, 64)
	}
	if err != nil || last < first {
		return 0, 0, usageError{fmt.Errorf("--seeds %q: want A-B with A not above B, or one number", s)}
	}
	return first, last, nil
}

// series is a run of many seeds.
type series struct {
	o    simOptions
	next atomic.Uint64
	stop atomic.Bool

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
	if err := o.config(first).Validate(); err != nil {
		return usageError{err}
	}
	s := &series{o: o}
	s.next.Store(first)
	started := time.Now()
	var workers sync.WaitGroup
	for range o.parallel {
		workers.Go(func() { s.work(ctx, last) })
	}
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-tick.C:
			s.print(stderr, time.Since(started), "")
		}
	}
	s.print(stdout, time.Since(started), "summary: ")
	switch {
	case s.err != nil:
		return s.err
	case s.bad != nil:
		_, _ = fmt.Fprintf(stdout, "%s\n%s\n", s.bad.Story(), o.replayCommand(s.bad.Seed))
		if s.bad.Invariant == sim.Liveness {
			return codeError{s.bad, exitNotAlive}
		}
		return codeError{s.bad, exitUnsafe}
	}
	return nil
}

func (s *series) work(ctx context.Context, last uint64) {
	for ctx.Err() == nil && !s.stop.Load() {
		seed := s.next.Add(1) - 1
		if seed > last && !s.o.until {
			return
		}
		r, err := sim.Run(s.o.config(seed))
		if err == nil && s.o.twice {
			var again sim.Report
			if again, err = sim.Run(s.o.config(seed)); err == nil && again.Hash != r.Hash {
				err = codeError{fmt.Errorf("seed %d: two runs differ: hashes %016x and %016x", seed, r.Hash, again.Hash), exitUndeterminate}
			}
		}
		s.take(r, err)
	}
}

func (s *series) take(r sim.Report, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.sum.Simulated += r.Simulated
	s.sum.Events += r.Events
	s.sum.Leaders += r.Leaders
	s.sum.Crashes += r.Crashes
	s.sum.Wipes += r.Wipes
	s.sum.Committed += r.Committed
	if err != nil && s.err == nil {
		var coded codeError
		if !errors.As(err, &coded) {
			err = codeError{err, exitHarness}
		}
		s.err = err
	}
	if r.Violation != nil && s.bad == nil {
		s.bad = r.Violation
	}
	if s.err != nil || s.bad != nil {
		s.stop.Store(true)
	}
}

func (s *series) print(w io.Writer, took time.Duration, label string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	violations := 0
	if s.bad != nil {
		violations = 1
	}
	_, _ = fmt.Fprintf(w, "%s%d seeds, %.2f simulated hours in %v, %.0f events/s, %d leaders, %d crashes, %d wipes, %d transactions, %d violations\n",
		label, s.n, s.sum.Simulated.Hours(), took.Round(time.Millisecond), float64(s.sum.Events)/took.Seconds(),
		s.sum.Leaders, s.sum.Crashes, s.sum.Wipes, s.sum.Committed, violations)
	if s.err != nil {
		_, _ = fmt.Fprintln(w, s.err)
	}
}

func replaySeed(o simOptions, stdout io.Writer) error {
	cfg := o.config(o.seed)
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	if o.story {
		cfg.Trace = func(line string) { _, _ = fmt.Fprintln(stdout, line) }
	}
	r, err := sim.Run(cfg)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stdout, "seed %d: %d servers, %d observers, hash %016x, %d events, %d leaders, %d transactions\n",
		o.seed, cfg.Servers, cfg.Observers, r.Hash, r.Events, r.Leaders, r.Committed)
	if r.Violation == nil {
		return nil
	}
	_, _ = fmt.Fprintln(stdout, r.Violation.Error())
	if r.Violation.Invariant == sim.Liveness {
		return codeError{r.Violation, exitNotAlive}
	}
	return codeError{r.Violation, exitUnsafe}
}
