package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Liveness is the name of the invariant that is not about safety: once all
// faults have ended, everybody must work again within a bound.
const Liveness = "liveness"

// lastLines is how much of the story a violation tells.
const lastLines = 60

// Config says what happens in a run. The same Config gives the same run.
type Config struct {
	Seed      uint64
	Servers   int // participants; 3 by default
	Observers int
	// Time is how long faults go on; 60 s of the simulated world by default.
	Time time.Duration
	// EmptyDisks lets all servers begin with disks that nobody has declared to
	// be new, see zab.Epochs.Unsure.
	EmptyDisks bool
	// Loss is the share of election messages that are lost, 0 to 1.
	Loss float64
	// Trace, if not nil, gets every line of the story.
	Trace func(line string)
}

// Report says what happened.
type Report struct {
	Seed      uint64
	Simulated time.Duration
	Events    int
	Leaders   int // leaderships that were established
	Crashes   int
	Wipes     int
	Committed int    // transactions
	Hash      uint64 // of the whole story: equal for equal runs
	Violation *Violation
}

// Violation is an invariant that did not hold.
type Violation struct {
	Seed      uint64
	Invariant string
	At        time.Duration
	Text      string
	Last      []string // what happened before
}

// Error says what was violated, and how to see it again.
func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d violates %q at %v: %s", v.Seed, v.Invariant, v.At, v.Text)
}

// Varied returns the configuration of a seed in a series: every fourth runs
// five servers, every second an observer, every third begins with empty disks
// or loses votes. Fields of base that are set stay.
func Varied(base Config, seed uint64) Config {
	base.Seed = seed
	if base.Servers == 0 {
		base.Servers = 3
		if seed%4 == 0 {
			base.Servers = 5
		}
		base.Observers = int(seed % 2)
	}
	base.EmptyDisks = base.EmptyDisks || seed%3 == 0
	if base.Loss == 0 {
		base.Loss = float64(seed%3) * 0.1
	}
	return base
}

// Validate returns all faults of the configuration, joined.
func (c Config) Validate() error {
	var faults []error
	if c.Servers < 0 || c.Observers < 0 || c.Servers+c.Observers > 50 {
		faults = append(faults, fmt.Errorf("sim: %d servers and %d observers: want at least one server and at most 50 in all", c.Servers, c.Observers))
	}
	if c.Time < 0 {
		faults = append(faults, fmt.Errorf("sim: Time is %v: it must not be negative", c.Time))
	}
	if c.Loss < 0 || c.Loss > 1 {
		faults = append(faults, fmt.Errorf("sim: Loss is %v: want 0 to 1", c.Loss))
	}
	return errors.Join(faults...)
}

// Run runs a world: faults for Config.Time, then all is healed, and everybody
// must get to the same history. Whatever invariant is violated first ends the
// run and stands in the report.
func Run(cfg Config) (report Report, err error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	if cfg.Servers == 0 {
		cfg.Servers = 3
	}
	if cfg.Time == 0 {
		cfg.Time = time.Minute
	}
	w, err := newWorld(cfg)
	if err != nil {
		return Report{}, err
	}
	defer func() {
		report = w.report
		report.Simulated, report.Leaders, report.Committed = w.now, len(w.leaders), len(w.history)
		report.Hash = w.hash.Sum64()
		switch v := recover().(type) {
		case nil:
		case *Violation:
			report.Violation = v
		default:
			panic(v)
		}
	}()
	w.chaos(cfg.Time)
	w.heal()
	return w.report, nil
}

// Story returns the violation with what happened before it.
func (v *Violation) Story() string {
	return strings.Join(v.Last, "\n") + "\n" + v.Error()
}
