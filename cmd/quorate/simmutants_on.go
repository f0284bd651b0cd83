//go:build mutants

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/sim"
)

// wanted reports whether --only names a mutant, alone or in a range.
func (o *simOptions) wanted(name string) bool {
	if o.only == "" {
		return true
	}
	for _, part := range strings.Split(o.only, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if name == first || isRange && name >= first && name <= last {
			return true
		}
	}
	return false
}

// fate is what became of a mutant.
type fate struct {
	seeds  []int // between one kill and the next
	since  int   // seeds since the last kill
	by     map[string]int
	others map[string]int // violations that the mutant is not known for
	run    int
	took   time.Duration
}

// setMutant switches one mutant on, clearMutant all off.
func setMutant(name string) error { return mutant.Set(name) }

func clearMutant() { mutant.Clear() }

func runMutants(ctx context.Context, o simOptions, stdout, stderr io.Writer) error {
	if o.limit < 1 || o.parallel < 1 || o.kills < 1 {
		return usageError{fmt.Errorf("--seeds %d --parallel %d --kills %d: want 1 or more", o.limit, o.parallel, o.kills)}
	}
	if err := o.check(1); err != nil {
		return err
	}
	if !slices.ContainsFunc(mutant.All(), func(m mutant.Mutant) bool { return m.Absent == "" && !m.Real && o.wanted(m.ID.String()) }) {
		return usageError{fmt.Errorf("--only %q names no mutant that a simulation has; they are M01 to M42, without M26 and M40", o.only)}
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "mutant\tkilled by\tmedian seeds\tseeds run\twhat it does")
	survivors := 0
	for _, m := range mutant.All() {
		if m.Absent != "" || m.Real || !o.wanted(m.ID.String()) {
			continue
		}
		if err := mutant.Set(m.ID.String()); err != nil {
			return harness(err)
		}
		f := hunt(ctx, o, m)
		mutant.Clear()
		if ctx.Err() != nil {
			break
		}
		median := "-"
		if len(f.seeds) > 0 {
			slices.Sort(f.seeds)
			median = fmt.Sprint(f.seeds[len(f.seeds)/2])
		} else {
			survivors++
		}
		_, _ = fmt.Fprintf(table, "%v\t%s\t%s\t%d\t%s\n", m.ID, f.names(), median, f.run, m.Does)
		_, _ = fmt.Fprintf(stderr, "%v: %s, median %s seeds, %d run in %v\n", m.ID, f.names(), median, f.run, f.took.Round(time.Millisecond))
	}
	_ = table.Flush()
	if survivors > 0 {
		return codeError{fmt.Errorf("%d mutants survive", survivors), exitUnsafe}
	}
	return ctx.Err()
}

// names are the invariants that noticed, the most frequent first, and behind them
// those that do not count.
func (f *fate) names() string {
	names := tally(f.by)
	if names == "" {
		names = "nobody"
	}
	if others := tally(f.others); others != "" {
		names += "; not counted: " + others
	}
	return names
}

func tally(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	for i, n := range names {
		names[i] = fmt.Sprintf("%s (%d)", n, counts[n])
	}
	return strings.Join(names, ", ")
}

// hunt runs seeds until a mutant has been noticed often enough. Only who names an
// invariant that the mutant breaks has noticed it.
func hunt(ctx context.Context, o simOptions, m mutant.Mutant) *fate {
	f := &fate{by: map[string]int{}, others: map[string]int{}}
	began := time.Now()
	reports := make(chan sim.Report, o.parallel)
	for seed := uint64(1); f.run < o.limit && len(f.seeds) < o.kills && ctx.Err() == nil; {
		for i := range o.parallel {
			go func() {
				r, err := sim.Run(o.config(ctx, seed+uint64(i)))
				if err != nil {
					r.Violation = nil
				}
				reports <- r
			}()
		}
		seed += uint64(o.parallel)
		for range o.parallel {
			f.take(<-reports, m.Alarms)
		}
	}
	f.took = time.Since(began)
	return f
}

// take counts a run.
func (f *fate) take(r sim.Report, alarms []string) {
	f.run++
	f.since++
	switch v := r.Violation; {
	case v == nil:
	case slices.Contains(alarms, v.Invariant):
		f.by[v.Invariant]++
		f.seeds = append(f.seeds, f.since)
		f.since = 0
	default:
		f.others[v.Invariant]++
	}
}
