package main

import (
	"context"
	"strings"
)

// suite is a body of tests of one client. A suite starts its own servers,
// through the stage, and may be run any number of times.
type suite interface {
	// Name is short, for flags and tables.
	Name() string
	// About is a paragraph for the document: whose tests these are and how
	// they are run.
	About() string
	// Missing is what this machine lacks to run it, with what to install; nil
	// if nothing.
	Missing() error
	// Client names the client and its version.
	Client() string
	// Tests lists all tests.
	Tests(ctx context.Context) ([]string, error)
	// Slow says whether a short run leaves a test out.
	Slow(test string) bool
	// Run runs these tests against the servers of the stage, one after the
	// other, and records each. An error means that the suite itself could not
	// be run.
	Run(ctx context.Context, s *stage, tests []string, rec *recorder) error
}

// suites are all suites, in the order of the document.
func suites() []suite {
	return []suite{&goZooKeeper{}, &kazoo{}, zkCli(), cliMT(), &javaPrograms{}}
}

// oneLine makes text fit for a table: one line, not too long, no bar.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}
