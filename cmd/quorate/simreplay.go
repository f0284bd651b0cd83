package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/sim"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/sim/picture"
)

func newSimReplay() *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use:   "replay",
		Short: "Run one seed, and show it: its hash, its story, a trace, a picture, a script",
		Example: `  quorate sim replay --seed 17 --story
  quorate sim replay --seed 17 --time 20s --html run.html`,
		Args: exactArgs(0, "no arguments"),
		RunE: printing(func(ctx context.Context, _ []string, stdout, _ io.Writer) error {
			return replaySeed(ctx, o, stdout)
		}),
	}
	f := c.Flags()
	f.Uint64Var(&o.seed, "seed", 1, "the seed")
	f.BoolVar(&o.hash, "hash", false, "print the hash of the run and nothing else")
	f.StringVar(&o.script, "script", "", "write the run as a script, its faults line by line, to FILE")
	o.showFlags(c)
	o.worldFlags(c, time.Minute)
	return c
}

// showFlags adds the flags that say how a run is shown.
func (o *simOptions) showFlags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&o.story, "story", false, "print every event")
	f.StringVar(&o.trace, "trace", "", "write every event to FILE, a JSON object on each line")
	f.StringVar(&o.html, "html", "", "write a picture of the run to FILE, to be looked at in a browser")
}

// show collects what a run is to be shown by.
type show struct {
	o       simOptions
	events  []check.Event
	history *check.History
	html    *os.File
	trace   *os.File
	lines   *bufio.Writer
	encode  *json.Encoder
	err     error
}

// open makes the files before the run, so that a mistake is told before the wait.
func (o simOptions) open(cfg *sim.Config, stdout io.Writer) (*show, error) {
	s := &show{o: o}
	if o.trace != "" {
		f, err := os.Create(o.trace)
		if err != nil {
			return nil, usageError{err}
		}
		s.trace, s.lines = f, bufio.NewWriter(f)
		s.encode = json.NewEncoder(s.lines)
	}
	if o.html != "" {
		f, err := os.Create(o.html)
		if err != nil {
			return nil, usageError{err}
		}
		s.html = f
	}
	if o.story || o.html != "" || o.trace != "" {
		cfg.Trace = func(ev *check.Event) {
			if o.story {
				_, _ = fmt.Fprintln(stdout, sim.Line(ev))
			}
			if s.encode != nil && s.err == nil {
				s.err = s.encode.Encode(ev)
			}
			if o.html != "" {
				s.events = append(s.events, *ev)
			}
		}
		cfg.History = func(h *check.History) { s.history = h }
	}
	return s, nil
}

// close finishes the files.
func (s *show) close(title string, v *sim.Violation) error {
	err := s.err
	if s.trace != nil {
		err = errors.Join(err, s.lines.Flush(), s.trace.Close())
	}
	if s.html == nil || err != nil {
		return err
	}
	var violation *check.Violation
	if v != nil {
		violation = &v.Violation
	}
	w := bufio.NewWriter(s.html)
	err = picture.Write(w, title, s.events, s.history, violation)
	return errors.Join(err, w.Flush(), s.html.Close())
}

func replaySeed(ctx context.Context, o simOptions, stdout io.Writer) error {
	if err := o.check(o.seed); err != nil {
		return err
	}
	cfg := o.config(ctx, o.seed)
	s, err := o.open(&cfg, stdout)
	if err != nil {
		return err
	}
	r, err := sim.Run(cfg)
	if err != nil {
		return harness(err)
	}
	if err := s.close(fmt.Sprintf("seed %d", o.seed), r.Violation); err != nil {
		return harness(err)
	}
	if o.script != "" {
		text, err := sim.Record(o.config(ctx, o.seed))
		if err == nil {
			err = os.WriteFile(o.script, []byte(text), 0o644)
		}
		if err != nil {
			return harness(err)
		}
	}
	if o.hash {
		_, _ = fmt.Fprintf(stdout, "%016x\n", r.Hash)
		return verdict(r.Violation)
	}
	_, _ = fmt.Fprintf(stdout, "seed %d: %d servers, %d observers, hash %016x, %d events, %d leaders, %d crashes, %d faults, %d transactions, %d requests\n",
		o.seed, cfg.Servers, cfg.Observers, r.Hash, r.Events, r.Leaders, r.Crashes, r.Faults, r.Committed, r.Requests)
	if r.Violation != nil {
		_, _ = fmt.Fprintln(stdout, r.Violation.Error())
	}
	return verdict(r.Violation)
}

func newSimShrink() *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use:     "shrink",
		Short:   "Cut a red seed down to a small script that is still red",
		Example: `  quorate sim shrink --seed 17 -o red.txt`,
		Args:    exactArgs(0, "no arguments"),
		RunE: printing(func(ctx context.Context, _ []string, stdout, stderr io.Writer) error {
			return shrinkSeed(ctx, o, stdout, stderr)
		}),
	}
	f := c.Flags()
	f.Uint64Var(&o.seed, "seed", 1, "the seed")
	f.StringVarP(&o.out, "output", "o", "", "write the script to FILE (default: print it)")
	f.DurationVar(&o.budget, "budget", 45*time.Second, "how long to try")
	o.worldFlags(c, time.Minute)
	return c
}

func shrinkSeed(ctx context.Context, o simOptions, stdout, stderr io.Writer) error {
	if err := o.check(o.seed); err != nil {
		return err
	}
	began := time.Now()
	told := began
	enough := func() bool { return ctx.Err() != nil || time.Since(began) > o.budget }
	small, err := sim.Shrink(o.config(ctx, o.seed), enough, func(runs, faults int) {
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			_, _ = fmt.Fprintf(stderr, "%d runs, %d faults left\n", runs, faults)
		}
	})
	if errors.Is(err, sim.ErrGreen) {
		return usageError{fmt.Errorf("seed %d is green: there is nothing to shrink", o.seed)}
	}
	if err != nil {
		return harness(err)
	}
	if o.out == "" {
		_, _ = io.WriteString(stdout, small.Script)
	} else if err := os.WriteFile(o.out, []byte(small.Script), 0o644); err != nil {
		return usageError{err}
	}
	_, _ = fmt.Fprintf(stderr, "%d faults cut down to %d in %d runs and %v: %v\n", small.Before, small.Faults, small.Runs,
		time.Since(began).Round(time.Millisecond), small.Violation)
	if ctx.Err() != nil {
		return errInterrupted
	}
	return nil
}

func newSimScript() *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use:   "script FILE",
		Short: "Play a scenario script",
		Long: `Play a scenario script: a text that says, line by line, what happens in a simulated
ensemble and what is expected of it. docs/scenarios.md describes the language;
sim/testdata has many.`,
		Example: `  quorate sim script sim/testdata/trace_3911.txt --html run.html`,
		Args:    exactArgs(1, "the name of a script"),
		RunE: printing(func(ctx context.Context, args []string, stdout, _ io.Writer) error {
			return playScript(ctx, o, args[0], stdout)
		}),
	}
	o.showFlags(c)
	c.Flags().StringVar(&o.mutant, "mutant", "", "break Quorate on purpose: M01 … (needs a binary built with -tags mutants)")
	return c
}

func playScript(ctx context.Context, o simOptions, name string, stdout io.Writer) error {
	f, err := os.Open(name)
	if err != nil {
		return usageError{err}
	}
	script, err := sim.ParseScript(f)
	_ = f.Close()
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", name, err)}
	}
	if o.mutant != "" {
		if err := setMutant(o.mutant); err != nil {
			return usageError{err}
		}
		clearMutant()
	}
	cfg := sim.Config{Stop: func() bool { return ctx.Err() != nil }}
	s, err := o.open(&cfg, stdout)
	if err != nil {
		return err
	}
	var r sim.Report
	if o.mutant == "" {
		r, err = script.Run(cfg)
	} else {
		// The script says when, if it is to be from some moment on.
		r, err = script.RunMutant(cfg, func() { _ = setMutant(o.mutant) })
	}
	if err == nil {
		err = s.close(name, r.Violation)
	}
	if err != nil {
		return harness(err)
	}
	if r.Violation != nil {
		if !o.story {
			_, _ = fmt.Fprintln(stdout, r.Violation.Story())
		}
		return verdict(r.Violation)
	}
	_, _ = fmt.Fprintf(stdout, "%s: green, %d events in %v of the simulated world\n", name, r.Events, r.Simulated)
	return nil
}
