package main

import (
	"fmt"
	"io"
	"time"
)

// recorder takes down how the tests of one run end. It is used by one
// goroutine.
type recorder struct {
	out      io.Writer // progress
	prefix   string
	stage    *stage
	verdicts map[string]Verdict

	started time.Time
	kills   int64
}

// begin marks the start of a test.
func (r *recorder) begin(string) {
	r.started, r.kills = time.Now(), r.stage.kills.Load()
}

// end marks the end of the test that began last.
func (r *recorder) end(name string, outcome Outcome, reason string) {
	v := r.verdicts[name]
	v.Outcome, v.Reason = outcome, oneLine(reason)
	v.Tries++
	v.Seconds = float64(time.Since(r.started).Milliseconds()/100) / 10
	v.Kills += int(r.stage.kills.Load() - r.kills)
	r.verdicts[name] = v
	fmt.Fprintf(r.out, "%s %-4s %6.1f s  %s", r.prefix, outcome, v.Seconds, name)
	if v.Reason != "" {
		fmt.Fprintf(r.out, ": %s", v.Reason)
	}
	fmt.Fprintln(r.out)
}
