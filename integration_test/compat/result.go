package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
)

// Column names one of the runs that are compared.
type Column string

// The four runs: either server in peace, and either while its leaders are killed.
const (
	Real     Column = "real"
	Ours     Column = "ours"
	RealFire Column = "real-fire"
	OursFire Column = "ours-fire"
)

// columns are all runs, in the order of the tables.
var columns = []Column{Real, Ours, RealFire, OursFire}

// fire says whether the leaders are killed in a run.
func (c Column) fire() bool { return c == RealFire || c == OursFire }

// ours says whether a run is against Quorate.
func (c Column) ours() bool { return c == Ours || c == OursFire }

// Outcome is how a test ended.
type Outcome string

// The outcomes of a test.
const (
	Pass Outcome = "pass"
	Fail Outcome = "fail"
	Skip Outcome = "skip"
)

// Verdict is what a test came to in one run.
type Verdict struct {
	Outcome Outcome `json:"outcome"`
	// Tries is how often it was run: a test that fails is run again.
	Tries int `json:"tries,omitempty"`
	// Seconds is how long its last try took.
	Seconds float64 `json:"seconds,omitempty"`
	// Kills counts the leaders that were killed while it ran, over all tries.
	Kills int `json:"kills,omitempty"`
	// Reason is what its last try, or its skip, said; one line.
	Reason string `json:"reason,omitempty"`
}

// RunInfo says how one run of a suite was made.
type RunInfo struct {
	Date   string `json:"date"`
	Commit string `json:"commit"`
	Server string `json:"server"`
	Client string `json:"client"`
	// Seconds is how long the run took, with the starts of its servers.
	Seconds float64 `json:"seconds"`
	Kills   int     `json:"kills,omitempty"`
	// LeftOut are lines of the suite's zoo.cfg that the server refuses, and
	// that were left out so that it starts.
	LeftOut []string `json:"left_out,omitempty"`
}

// SuiteResult holds the runs of one suite.
type SuiteResult struct {
	Runs  map[Column]RunInfo            `json:"runs"`
	Tests map[string]map[Column]Verdict `json:"tests"`
}

// Results are those of all suites by name: what the JSON file holds.
type Results map[string]*SuiteResult

// names lists the tests of a suite in alphabetical order.
func (s *SuiteResult) names() []string {
	return slices.Sorted(maps.Keys(s.Tests))
}

// put replaces one run of a suite, and forgets tests that no run knows any more.
func (r Results) put(suite string, col Column, info RunInfo, verdicts map[string]Verdict) {
	s := r[suite]
	if s == nil {
		s = &SuiteResult{Runs: map[Column]RunInfo{}, Tests: map[string]map[Column]Verdict{}}
		r[suite] = s
	}
	s.Runs[col] = info
	for _, of := range s.Tests {
		delete(of, col)
	}
	for name, v := range verdicts {
		if s.Tests[name] == nil {
			s.Tests[name] = map[Column]Verdict{}
		}
		s.Tests[name][col] = v
	}
	for name, of := range s.Tests {
		if len(of) == 0 {
			delete(s.Tests, name)
		}
	}
}

// regression is a test that passes on ZooKeeper and does not on Quorate.
type regression struct {
	Suite, Test string
	Column      Column // Ours or OursFire
	Verdict     Verdict
}

// Known says why it is known, if it is.
func (b regression) Known() string { return known[b.Suite][b.Test] }

// regressions compares each run of ours with the same one of ZooKeeper's.
func (r Results) regressions() []regression {
	var out []regression
	for suite, s := range r {
		for name, of := range s.Tests {
			for theirs, ours := range map[Column]Column{Real: Ours, RealFire: OursFire} {
				v, ran := of[ours]
				if of[theirs].Outcome == Pass && ran && v.Outcome != Pass {
					out = append(out, regression{suite, name, ours, v})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b regression) int {
		return cmp.Or(cmp.Compare(a.Suite, b.Suite), cmp.Compare(a.Test, b.Test), cmp.Compare(a.Column, b.Column))
	})
	return out
}

// loadResults reads a file of results; a file that is not there has none.
func loadResults(path string) (Results, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Results{}, nil
	}
	if err != nil {
		return nil, err
	}
	r := Results{}
	return r, json.Unmarshal(data, &r)
}

// save writes the file of results, a line for each run and each test, so that a
// difference can be read.
func (r Results) save(path string) error {
	var b bytes.Buffer
	b.WriteString("{")
	for i, suite := range slices.Sorted(maps.Keys(r)) {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, "\n%q: {\"runs\": {", suite)
		if err := writeLines(&b, r[suite].Runs); err != nil {
			return err
		}
		b.WriteString("},\n\"tests\": {")
		if err := writeLines(&b, r[suite].Tests); err != nil {
			return err
		}
		b.WriteString("}}")
	}
	b.WriteString("\n}\n")
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// writeLines writes the members of an object, a line for each.
func writeLines[K ~string, V any](b *bytes.Buffer, members map[K]V) error {
	for i, key := range slices.Sorted(maps.Keys(members)) {
		name, err := json.Marshal(key)
		if err != nil {
			return err
		}
		value, err := json.Marshal(members[key])
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(b, "\n%s: %s", name, value)
	}
	return nil
}
