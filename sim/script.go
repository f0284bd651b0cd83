package sim

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Script is a scenario: a text that says what happens in a world, line by line,
// and what is expected of it. docs/scenarios.md describes the language.
type Script struct {
	// Title is the comment at the top, without the signs.
	Title string
	// Mutants are the mutations that bring the bug back, each with the invariants
	// of which one must then be violated.
	Mutants []ScriptMutant

	cfg      Config
	begins   bool // everything starts by itself
	recorder bool
	quotas   bool // hard limits hold, whatever the seed says
	commands []command
}

// ScriptMutant is a line "mutant M02 violates B7 HEO" of a script.
type ScriptMutant struct {
	ID         string
	Invariants []string
}

// command is a line of a script.
type command struct {
	line  int
	words []string
}

// ParseScript reads a script. The error names the line and what is wrong with it.
func ParseScript(r io.Reader) (*Script, error) {
	s := &Script{cfg: Config{Clients: -1, Faults: &Faults{}}}
	lines := bufio.NewScanner(r)
	titled := false
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if comment, ok := strings.CutPrefix(text, "#"); ok {
			if !titled {
				s.Title = strings.TrimSpace(s.Title + "\n" + strings.TrimSpace(comment))
			}
			continue
		}
		titled = titled || s.Title != ""
		if at := strings.Index(text, " #"); at >= 0 {
			text = text[:at]
		}
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		c := command{n, words}
		known, err := s.header(c)
		if err == nil && !known {
			err = c.check()
			s.commands = append(s.commands, c)
		}
		if err != nil {
			return nil, c.wrong(err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read script: %w", err)
	}
	if err := s.cfg.Validate(); err != nil {
		return nil, err
	}
	if err := s.proofread(); err != nil {
		return nil, err
	}
	return s, nil
}

// proofread looks for mistakes that would else be found when the script comes to
// them, perhaps after minutes, or never.
func (s *Script) proofread() error {
	w, err := newWorld(s.cfg.withDefaults())
	if err != nil {
		return err
	}
	stage := newStage(w)
	for _, c := range s.commands {
		if err := stage.proofread(c.words); err != nil {
			return c.wrong(err)
		}
	}
	return nil
}

// wrong says in which line of a script a mistake is.
func (c command) wrong(err error) error {
	return fmt.Errorf("line %d: %s: %w", c.line, strings.Join(c.words, " "), err)
}

// header reads a line that describes the world; such lines come first.
func (s *Script) header(c command) (known bool, err error) {
	number := func() (n int) {
		if len(c.words) != 2 {
			err = fmt.Errorf("want one number")
			return 0
		}
		n, err = strconv.Atoi(c.words[1])
		return n
	}
	span := func() (d time.Duration) {
		if len(c.words) != 2 {
			err = fmt.Errorf("want one duration")
			return 0
		}
		d, err = time.ParseDuration(c.words[1])
		return d
	}
	real := func() (float64, error) {
		if len(c.words) != 2 {
			return 0, fmt.Errorf("want one number")
		}
		return strconv.ParseFloat(c.words[1], 64)
	}
	switch c.words[0] {
	case "servers":
		s.cfg.Servers = number()
	case "observers":
		s.cfg.Observers = number()
	case "seed":
		if len(c.words) != 2 {
			return true, fmt.Errorf("want one number")
		}
		s.cfg.Seed, err = strconv.ParseUint(c.words[1], 10, 64)
	case "clients":
		if s.cfg.Clients = number(); s.cfg.Clients == 0 {
			s.cfg.Clients = -1
		}
	case "rate":
		s.cfg.Rate, err = real()
	case "loss":
		s.cfg.Loss, err = real()
	case "snapshot-txns":
		s.cfg.SnapshotTxns = number()
	case "last-counter":
		s.cfg.LastCounter = uint32(number())
	case "tick":
		s.cfg.TickTime = span()
	case "empty-disks":
		s.cfg.EmptyDisks = true
	case "recorder":
		s.recorder = true
	case "quotas":
		s.quotas = true
	case "begin":
		s.begins = true
	case "mutant":
		if len(c.words) < 4 || c.words[2] != "violates" {
			return true, fmt.Errorf("want: mutant M02 violates B7 [HEO …]")
		}
		s.Mutants = append(s.Mutants, ScriptMutant{c.words[1], slices.Clone(c.words[3:])})
	default:
		return false, nil
	}
	if err == nil && len(s.commands) > 0 {
		err = fmt.Errorf("it describes the world, and must come before everything that happens")
	}
	return true, err
}

// check looks at a command without carrying it out.
func (c command) check() error {
	v, ok := verbs[c.words[0]]
	if !ok {
		if _, err := parseAction(c.words); err == nil {
			return nil
		} else if slices.Contains(Families, Family(c.words[0])) {
			return err
		}
		return fmt.Errorf("unknown command %q; the commands are %s, and the faults %s", c.words[0],
			strings.Join(verbNames(), ", "), strings.Join(familyNames(), ", "))
	}
	if n := len(c.words) - 1; n < v.min || v.max >= 0 && n > v.max {
		return fmt.Errorf("want: %s", v.usage)
	}
	if c.words[0] == "on" {
		at := slices.Index(c.words, "do")
		if at < 2 || at == len(c.words)-1 {
			return fmt.Errorf("want: %s", v.usage)
		}
		return command{c.line, c.words[at+1:]}.check()
	}
	return nil
}

func verbNames() []string {
	var names []string
	for name := range verbs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func familyNames() []string {
	var names []string
	for _, f := range Families {
		names = append(names, string(f))
	}
	return names
}

// Run plays the script. What it expects and does not get is a violation of
// "expect", at that line. Of base it takes Trace, History and Stop, see Config,
// and the Seed if that is not 0: a scene should not depend on it.
func (s *Script) Run(base Config) (Report, error) { return s.run(base, nil) }

// RunMutant plays the script with a mutation, which switchOn switches on: at the
// line mutate, or at the beginning if there is none. An expectation that is not
// met does not end the run: it is the violation if no checker finds one.
func (s *Script) RunMutant(base Config, switchOn func()) (Report, error) {
	return s.run(base, switchOn)
}

func (s *Script) run(base Config, mutate func()) (Report, error) {
	cfg := s.cfg
	cfg.Trace, cfg.History, cfg.Stop = base.Trace, base.History, base.Stop
	if base.Seed != 0 {
		cfg.Seed = base.Seed
	}
	if s.recorder {
		cfg.Machine = newRecorder
	}
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	cfg = cfg.withDefaults()
	w, err := newWorld(cfg)
	if err != nil {
		return Report{}, err
	}
	w.history.EnforceQuota = w.history.EnforceQuota || s.quotas
	for _, h := range w.hosts {
		h.keptDown = !s.begins
	}
	stage := newStage(w)
	stage.mutate = mutate
	w.stage = stage
	return w.play(func() {
		if mutate != nil && !slices.ContainsFunc(s.commands, func(c command) bool { return c.words[0] == "mutate" }) {
			mutate()
		}
		if s.begins {
			w.begin()
		}
		for _, c := range s.commands {
			stage.do(c)
		}
		if !stage.finished {
			w.judge()
		}
		if stage.unmet != nil {
			w.fail(stage.unmet)
		}
	})
}
