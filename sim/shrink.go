package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/mutant"
)

// Shrunk is a red run, cut down to what it needs to be red.
type Shrunk struct {
	Violation *Violation
	Script    string // plays it, see ParseScript
	Before    int    // faults of the run as it was found
	Faults    int    // faults that are left
	Runs      int    // that it took
}

// ErrGreen says that there is nothing to shrink: the run violates nothing.
var ErrGreen = errors.New("sim: the run violates nothing")

// Shrink plays a red configuration again and again with ever fewer faults,
// clients and servers, as long as the same invariant is violated, and returns the
// smallest that it found. It goes on until nothing can be left out any more or
// stop, called before every run, says so; Config.Stop ends the run that is under
// way, too, and stop should then say the same. progress, which may be nil, hears
// how far it is.
func Shrink(cfg Config, stop func() bool, progress func(runs, faults int)) (Shrunk, error) {
	if err := cfg.Validate(); err != nil {
		return Shrunk{}, err
	}
	cfg = cfg.withDefaults()
	cfg.Trace, cfg.History = nil, nil
	w, err := newWorld(cfg)
	if err != nil {
		return Shrunk{}, err
	}
	found, err := w.playSeed()
	if err != nil {
		return Shrunk{}, err
	}
	if found.Violation == nil {
		return Shrunk{}, ErrGreen
	}
	s := &shrinker{stop: stop, progress: progress, invariant: found.Violation.Invariant, runs: 1}
	s.best = plan{cfg: cfg, actions: w.nemesis.done, until: cfg.Time}
	if found.Violation.At < cfg.Time {
		s.best.until = found.Violation.At + time.Millisecond
	}
	before := len(s.best.actions)
	if s.last = s.red(s.best); s.last == nil {
		if cfg.Stop != nil && cfg.Stop() {
			return Shrunk{}, ErrStopped
		}
		return Shrunk{}, fmt.Errorf("sim: seed %d violates %s, and its faults played from a script do not", cfg.Seed, s.invariant)
	}
	s.shrink()
	return Shrunk{Violation: s.last, Script: s.best.script(s.last), Before: before, Faults: len(s.best.actions), Runs: s.runs}, nil
}

// plan is a run whose faults are fixed.
type plan struct {
	cfg     Config
	actions []timedAction
	until   time.Duration // when it is healed
}

type shrinker struct {
	best      plan
	last      *Violation // of best
	invariant string
	runs      int
	stop      func() bool
	progress  func(runs, faults int)
}

// red plays a plan and returns the violation, if it is the one.
func (s *shrinker) red(p plan) *Violation {
	s.runs++
	if s.progress != nil {
		s.progress(s.runs, len(s.best.actions))
	}
	r, err := p.play()
	if err != nil || r.Violation == nil || r.Violation.Invariant != s.invariant {
		return nil
	}
	return r.Violation
}

// try makes a plan the best one if it is red.
func (s *shrinker) try(p plan) bool {
	if s.stop() {
		return false
	}
	v := s.red(p)
	if v == nil {
		return false
	}
	s.best, s.last = p, v
	return true
}

// shrink leaves out what it can: faults, in halves and quarters and so on down
// to single ones (ddmin), clients, observers, servers, and time.
func (s *shrinker) shrink() {
	for again := true; again && !s.stop(); {
		again = s.fewerFaults()
		again = s.smallerWorld() || again
		again = s.shorter() || again
	}
}

func (s *shrinker) fewerFaults() (progress bool) {
	for size := max(len(s.best.actions)/2, 1); ; size /= 2 {
		for from := 0; from < len(s.best.actions) && !s.stop(); {
			p := s.best
			p.actions = slices.Delete(slices.Clone(p.actions), from, min(from+size, len(p.actions)))
			if s.try(p) {
				progress = true
			} else {
				from += size
			}
		}
		if size <= 1 {
			return progress
		}
	}
}

func (s *shrinker) smallerWorld() (progress bool) {
	for s.best.cfg.Clients > 1 {
		p := s.best
		p.cfg.Clients--
		if !s.try(p) {
			break
		}
		progress = true
	}
	for s.best.cfg.Observers > 0 {
		p := s.best
		p.cfg.Observers--
		if !s.try(p) {
			break
		}
		progress = true
	}
	for s.best.cfg.Servers > 3 {
		p := s.best
		p.cfg.Servers -= 2
		p.actions = slices.DeleteFunc(slices.Clone(p.actions), func(a timedAction) bool {
			return int(a.Server) > p.cfg.Servers || int(a.Peer) > p.cfg.Servers
		})
		if !s.try(p) {
			break
		}
		progress = true
	}
	return progress
}

// shorter ends the trouble where the violation is, or right behind the last
// fault.
func (s *shrinker) shorter() bool {
	p := s.best
	if s.last.At < p.until {
		p.until = s.last.At + time.Millisecond
	} else if n := len(p.actions); n > 0 && p.actions[n-1].at+2*second < p.until {
		p.until = p.actions[n-1].at + second
	}
	return p.until < s.best.until && s.try(p)
}

// play plays the plan as its script would.
func (p plan) play() (Report, error) {
	s := &Script{cfg: p.cfg, begins: true}
	s.cfg.Faults = &Faults{}
	for _, line := range p.lines() {
		s.commands = append(s.commands, command{len(s.commands) + 1, strings.Fields(line)})
	}
	return s.Run(p.cfg)
}

// lines are the commands of the plan.
func (p plan) lines() []string {
	var lines []string
	for _, a := range p.actions {
		if a.at <= p.until {
			lines = append(lines, fmt.Sprintf("at %v %v", a.at, a.Action))
		}
	}
	return append(lines, "until "+p.until.String(), "finale")
}

// script prints the plan with a comment that says what it shows.
func (p plan) script(v *Violation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Seed %d.", p.cfg.Seed)
	if v != nil {
		text, _, _ := strings.Cut(v.Text, "\n") // of a panic the stack follows
		fmt.Fprintf(&b, " Violates %s (%s) at %v:\n# %s", v.Invariant, v.Rule, v.At, text)
	}
	b.WriteByte('\n')
	header := func(name string, value string) { fmt.Fprintf(&b, "%s %s\n", name, value) }
	header("seed", strconv.FormatUint(p.cfg.Seed, 10))
	header("servers", strconv.Itoa(p.cfg.Servers))
	if p.cfg.Observers > 0 {
		header("observers", strconv.Itoa(p.cfg.Observers))
	}
	header("clients", strconv.Itoa(p.cfg.Clients))
	header("rate", strconv.FormatFloat(p.cfg.Rate, 'g', -1, 64))
	header("snapshot-txns", strconv.Itoa(p.cfg.SnapshotTxns))
	header("tick", p.cfg.TickTime.String())
	if p.cfg.Loss > 0 {
		header("loss", strconv.FormatFloat(p.cfg.Loss, 'g', -1, 64))
	}
	if p.cfg.LastCounter > 0 {
		header("last-counter", strconv.FormatUint(uint64(p.cfg.LastCounter), 10))
	}
	if p.cfg.EmptyDisks {
		b.WriteString("empty-disks\n")
	}
	for _, m := range mutant.All() { // of which an ordinary binary has none
		if mutant.Built && v != nil && mutant.On(m.ID) {
			header("mutant", fmt.Sprintf("%v violates %s", m.ID, v.Invariant))
		}
	}
	b.WriteString("begin\n\n")
	for _, line := range p.lines() {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// Record plays a run and returns it as a script, fault by fault.
func Record(cfg Config) (string, error) {
	if err := cfg.Validate(); err != nil {
		return "", err
	}
	cfg = cfg.withDefaults()
	w, err := newWorld(cfg)
	if err != nil {
		return "", err
	}
	r, err := w.playSeed()
	if err != nil {
		return "", err
	}
	p := plan{cfg: cfg, actions: w.nemesis.done, until: cfg.Time}
	return p.script(r.Violation), nil
}
