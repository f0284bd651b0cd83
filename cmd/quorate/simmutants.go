package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"
)

func newSimMutants() *cobra.Command {
	var o simOptions
	c := &cobra.Command{
		Use:   "mutants",
		Short: "Show that the checkers notice when Quorate is broken on purpose",
		Long: `Run random seeds with one mistake after the other built into Quorate, and print which
invariant noticed it and after how many seeds. The binary must be built with
-tags mutants; the ordinary one has no mutants in it.

A mutant is run until it has been noticed --kills times, or --seeds seeds have
not noticed it. Exit code 1: some mutant was not noticed at all.`,
		Example: `  go build -tags mutants -o quorate-mutants ./cmd/quorate
  ./quorate-mutants sim mutants --seeds 1000 --parallel 2`,
		Args: exactArgs(0, "no arguments"),
		RunE: printing(func(ctx context.Context, _ []string, stdout, stderr io.Writer) error {
			return runMutants(ctx, o, stdout, stderr)
		}),
	}
	f := c.Flags()
	f.IntVar(&o.limit, "seeds", 1000, "seeds for each mutant at most")
	f.IntVar(&o.parallel, "parallel", 1, "runs at a time")
	f.StringVar(&o.only, "only", "", "mutants to run: M03, or M01-M30, or several with commas between them (default: all)")
	f.IntVar(&o.kills, "kills", 5, "how often each is to be noticed, for the median")
	o.worldFlags(c, 20*time.Second)
	return c
}
