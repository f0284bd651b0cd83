//go:build !mutants

package main

import (
	"context"
	"io"

	"github.com/quorate/quorate/internal/mutant"
)

// runMutants has nothing to run in this build.
func runMutants(context.Context, simOptions, io.Writer, io.Writer) error {
	return usageError{mutant.ErrNotBuilt}
}
