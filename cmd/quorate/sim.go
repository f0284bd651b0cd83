package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/sim"
)

// Exit codes of quorate sim, besides 0 and 2.
const (
	exitUnsafe        = 1
	exitNotAlive      = 2 // and wrong usage, which says so
	exitInconclusive  = 3
	exitHarness       = 4
	exitUndeterminate = 5
)

// simOptions are the flags of the commands of quorate sim.
type simOptions struct {
	seeds     string
	seed      uint64
	servers   int
	observers int
	clients   int
	rate      float64
	time      time.Duration
	parallel  int
	until     bool
	twice     bool
	mutant    string

	hash   bool
	story  bool
	trace  string
	html   string
	script string
	out    string
	budget time.Duration
	limit  int
	kills  int
	only   string
}

func newSimCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sim",
		Short: "Run whole ensembles in a simulated world, with faults, from seeds",
		Long: `Run whole ensembles of the real code (election, broadcast, log, znodes, sessions,
watches) in a simulated world: virtual time, links that break, disks that lose,
fail and fill up, clocks that lie, servers that crash, clients that pipeline and
reconnect. Every invariant is checked at every step, and every reply against an
independent model; at the end all is healed and everybody must work again. The
same seed gives the same run.

Exit codes: 0 all held, 1 safety was violated, 2 liveness was violated (or wrong
usage), 3 nothing can be said (too little happened), 4 the simulator itself
failed, 5 two runs of one seed differed.`,
		Example: `  quorate sim run --seeds 1-1000 --parallel 2
  quorate sim replay --seed 17 --html run.html
  quorate sim shrink --seed 17 -o red.txt
  quorate sim script red.txt --story`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usageError{fmt.Errorf("there is no command %q (see quorate sim -h)", args[0])}
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRun: func(*cobra.Command, []string) {
			if os.Getenv("GOGC") == "" { // worlds are small and make much garbage
				debug.SetGCPercent(400)
			}
		},
	}
	c.AddCommand(newSimRun(), newSimReplay(), newSimShrink(), newSimScript(), newSimMutants())
	return c
}

// worldFlags adds the flags that describe the world of a seed.
func (o *simOptions) worldFlags(c *cobra.Command, span time.Duration) {
	f := c.Flags()
	f.IntVar(&o.servers, "servers", 0, "participants (default: 3, and 5 for every fourth seed)")
	f.IntVar(&o.observers, "observers", 0, "observers, with --servers")
	f.IntVar(&o.clients, "clients", 0, "clients; -1 for none (default 3)")
	f.Float64Var(&o.rate, "rate", 0, "requests a second of each client (default 15)")
	f.DurationVar(&o.time, "time", span, "simulated time with faults")
	f.StringVar(&o.mutant, "mutant", "", "break Quorate on purpose: M01 … (needs a binary built with -tags mutants)")
}

// config is the world of a seed; its run ends with ctx.
func (o *simOptions) config(ctx context.Context, seed uint64) sim.Config {
	return sim.Varied(sim.Config{
		Servers: o.servers, Observers: o.observers, Clients: o.clients, Rate: o.rate, Time: o.time,
		Stop: func() bool { return ctx.Err() != nil },
	}, seed)
}

// check looks at the world's flags, and switches the mutant on.
func (o *simOptions) check(seed uint64) error {
	if err := o.config(context.Background(), seed).Validate(); err != nil {
		return usageError{err}
	}
	if o.mutant == "" {
		return nil
	}
	if err := setMutant(o.mutant); err != nil {
		return usageError{err}
	}
	return nil
}

// replayCommand is what runs a seed again.
func (o *simOptions) replayCommand(seed uint64) string {
	c := fmt.Sprintf("quorate sim replay --seed %d --time %v --story", seed, o.time)
	if o.servers > 0 {
		c += fmt.Sprintf(" --servers %d --observers %d", o.servers, o.observers)
	}
	if o.clients != 0 {
		c += fmt.Sprintf(" --clients %d", o.clients)
	}
	if o.rate != 0 {
		c += fmt.Sprintf(" --rate %v", o.rate)
	}
	if o.mutant != "" {
		c += " --mutant " + o.mutant
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
	if err != nil || last < first || last == math.MaxUint64 {
		return 0, 0, usageError{fmt.Errorf("--seeds %q: want A-B with A not above B, or one number", s)}
	}
	return first, last, nil
}

// verdict is the error, with its exit code, of a violation; nil for none.
func verdict(v *sim.Violation) error {
	switch {
	case v == nil:
		return nil
	case v.Invariant == sim.Liveness:
		return codeError{v, exitNotAlive}
	}
	return codeError{v, exitUnsafe}
}

// errInterrupted is what ends a command when somebody presses Ctrl-C.
var errInterrupted = codeError{errors.New("interrupted"), exitInconclusive}

// harness is an error of the simulator itself, unless it has a code already or
// somebody stopped it.
func harness(err error) error {
	var coded codeError
	switch {
	case err == nil || errors.As(err, &coded):
		return err
	case errors.Is(err, sim.ErrStopped):
		return errInterrupted
	}
	return codeError{err, exitHarness}
}

// output is where a command prints to. It remembers the first failure, so that
// nobody takes half of a story, on a disk that is full, for all of it.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// printing makes a command of do, which fails too if its output cannot be written.
func printing(do func(ctx context.Context, args []string, stdout, stderr io.Writer) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		out := &output{w: c.OutOrStdout()}
		err := do(c.Context(), args, out, c.ErrOrStderr())
		switch {
		case out.err == nil:
			return err
		case err != nil:
			return fmt.Errorf("the output is not whole: %w; it would have ended with: %v", out.err, err)
		}
		return fmt.Errorf("the output is not whole: %w", out.err)
	}
}
