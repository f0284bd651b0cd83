//go:build !mutants

package main

import (
	"context"
	"errors"
	"io"
)

var errNoMutants = errors.New("this binary has no mutants in it: build it with -tags mutants")

// setMutant has nothing to switch on in this build.
func setMutant(string) error { return errNoMutants }

func clearMutant() {}

// runMutants has nothing to run in this build.
func runMutants(context.Context, simOptions, io.Writer, io.Writer) error {
	return usageError{errNoMutants}
}
