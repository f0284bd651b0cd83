package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// event is what a test program of another language tells: a line of JSON behind
// eventMark for each.
type event struct {
	Test    string  `json:"test"`
	Event   string  `json:"event"` // known, begin, end
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason"`
}

const eventMark = "@compat "

// parseEvent reads a line of output; most are something else.
func parseEvent(line string) (event, bool) {
	text, ok := strings.CutPrefix(line, eventMark)
	if !ok {
		return event{}, false
	}
	var e event
	return e, json.Unmarshal([]byte(text), &e) == nil
}

// list runs a program that names its tests, and returns them in its order.
func list(ctx context.Context, dir string, env []string, name string, args ...string) ([]string, error) {
	p, err := start(dir, env, name, args...)
	if err != nil {
		return nil, err
	}
	defer p.end()
	var names, said []string
	for {
		line, err := p.next(ctx, time.Now().Add(time.Minute))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if e, ok := parseEvent(line); ok && e.Event == "known" {
			names = append(names, e.Test)
		} else if line != "" {
			said = append(said, line)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("it names no tests: " + oneLine(strings.Join(said, " ")))
	}
	return names, nil
}

// eventRun runs tests in a program that tells events.
type eventRun struct {
	timeout time.Duration // for one test, the start of the program included
	// launch starts the program for these tests.
	launch func(tests []string) (*program, error)
	// log is where its output goes; nil is nowhere.
	log io.Writer
}

// run runs all tests. When one takes too long, or the program ends within one,
// that test has failed, and the program is started again for the rest.
func (r *eventRun) run(ctx context.Context, tests []string, rec *recorder) error {
	left := slices.Clone(tests)
	for barren := 0; len(left) > 0; {
		n := len(left)
		var err error
		if left, err = r.once(ctx, left, rec); err != nil {
			return err
		}
		if barren++; len(left) < n {
			barren = 0
		}
		if barren == 3 {
			return errors.New("its program ends without running a test: " + left[0])
		}
	}
	return nil
}

// once starts the program once and returns the tests that it did not come to.
func (r *eventRun) once(ctx context.Context, tests []string, rec *recorder) ([]string, error) {
	p, err := r.launch(tests)
	if err != nil {
		return nil, err
	}
	defer p.terminate(10 * time.Second)
	left := slices.Clone(tests)
	done := func(name string) {
		left = slices.DeleteFunc(left, func(n string) bool { return n == name })
	}
	current, last := "", ""
	deadline := time.Now().Add(r.timeout)
	for {
		line, err := p.next(ctx, deadline)
		if errors.Is(err, io.EOF) || errors.Is(err, errSilent) || time.Now().After(deadline) {
			if current != "" {
				done(current)
				reason := "no result after " + r.timeout.String()
				if errors.Is(err, io.EOF) {
					reason = "the test program ended: " + last
				}
				rec.end(current, Fail, reason)
			}
			return left, nil
		}
		if err != nil {
			return nil, err
		}
		e, ok := parseEvent(line)
		switch {
		case !ok:
			if r.log != nil {
				_, _ = io.WriteString(r.log, line+"\n")
			}
			if strings.TrimSpace(line) != "" {
				last = line
			}
		case e.Event == "begin":
			current = e.Test
			rec.begin(current)
			deadline = time.Now().Add(r.timeout)
		case e.Event == "end":
			rec.end(e.Test, e.Outcome, e.Reason)
			done(e.Test)
			current, deadline = "", time.Now().Add(r.timeout)
			if len(left) == 0 {
				p.await(20 * time.Second) // it stops its servers
				return nil, nil
			}
		}
	}
}

// writeList writes names into a file, a line each.
func writeList(path string, names []string) error {
	return os.WriteFile(path, []byte(strings.Join(names, "\n")+"\n"), 0o644)
}
