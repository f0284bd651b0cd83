package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

// proposalsMax is how many transactions a script can propose at a time.
const proposalsMax = 10_000

// awaitSpan is how long a script waits for what it awaits, unless it says so.
const awaitSpan = 20 * time.Second

// stage is where a script is played.
type stage struct {
	w        *world
	holds    map[hold][]held
	cues     []cue
	actors   map[int]*actor
	seen     map[sight]int
	finished bool // the finale is over

	mutate func()           // switches the mutation on with which the script is played; nil: with none
	unmet  *check.Violation // the first expectation that was not met, with a mutation
}

// sight is what a script may ask about later: that a server did something.
type sight struct {
	kind check.Kind
	node ensemble.ServerID
}

func newStage(w *world) *stage {
	return &stage{w: w, holds: map[hold][]held{}, actors: map[int]*actor{}, seen: map[sight]int{}}
}

// cue is a command that waits for an event.
type cue struct {
	kind check.Kind
	node ensemble.ServerID
	nth  int
	do   command
}

// verb is a command of the language.
type verb struct {
	usage    string
	min, max int // words behind it; max -1: any number
	do       func(s *stage, words []string) error
	fault    bool // it disturbs the servers
}

var verbs map[string]verb

func init() {
	verbs = map[string]verb{
		"start":   {"start N …", 1, -1, eachHost(false, func(h *host) { h.keptDown = false; h.start() }), false},
		"crash":   {"crash N … [kill|power|torn|silent]: power loses what was not synced, torn every second piece of it; silent is like power, and the others do not hear of it", 1, -1, (*stage).crash, false},
		"empty":   {"empty N: the disk of a server that is down", 1, 1, (*stage).empty, false},
		"spoil":   {"spoil N FILE: flips the last bit written of the newest log, snapshot or epochs of a server that is down", 2, 2, (*stage).spoil, false},
		"lose":    {"lose N FILE: removes the newest log, snapshot or epochs of a server that is down", 2, 2, (*stage).lose, false},
		"halt":    {"halt N …: SIGSTOP, until go", 1, -1, eachHost(true, func(h *host) { h.pause() }), true},
		"go":      {"go N …", 1, -1, eachHost(true, func(h *host) { h.resume() }), true},
		"disk":    {"disk N stuck|unsynced|full|ok, or disk N fails|dies OPERATION [FILE] [nth K] [kept]", 2, 7, (*stage).disk, true},
		"clock":   {"clock N 1h: the wall clock jumps by so much", 2, 2, (*stage).clock, true},
		"speed":   {"speed BYTES: what each quorum link carries in a second; 0 is no limit", 1, 1, (*stage).speed, true},
		"run":     {"run 500ms", 1, 1, (*stage).runFor, false},
		"until":   {"until 12.5s", 1, 1, (*stage).runUntil, false},
		"at":      {"at 12.5s FAULT …", 2, -1, (*stage).at, false},
		"part":    {"part A B [election|quorum] or part A>B [election|quorum]", 1, 3, partOrJoin(true), true},
		"join":    {"join A B or join A>B", 1, 3, partOrJoin(false), true},
		"hold":    {"hold A>B PACKET: from the first such packet on, nothing passes; * is any", 2, 2, (*stage).hold, true},
		"deliver": {"deliver A>B [K]: K of the packets that are held, or all, which ends the hold", 1, 2, (*stage).deliver, true},
		"propose": {"propose K [at N] [@BYTES]: K transactions, asked of the leader or of server N, of so many bytes each at least", 1, 4, (*stage).propose, false},
		"mutate":  {"mutate: from here on a mutant is on, if the script is played with one", 0, 0, (*stage).mutateNow, false},
		"heal":    {"heal: ends all faults and holds and starts all servers", 0, 0, (*stage).heal, false},
		"finale":  {"finale: heals, demands a write and one history, before and after a restart of all, and asks all checkers", 0, 0, (*stage).finale, false},
		"on":      {"on EVENT N [nth K] do COMMAND", 4, -1, (*stage).on, false},
		"client":  {"client K connect|leave|REQUEST|got|waits|notice|silent …", 2, -1, (*stage).client, false},
		"await":   {"await CONDITION [within 5s]", 1, -1, (*stage).await, false},
		"expect":  {"expect CONDITION", 1, -1, (*stage).expect, false},
	}
}

// do carries out a command.
func (s *stage) do(c command) {
	var err error
	if v, ok := verbs[c.words[0]]; ok {
		if v.fault {
			s.w.emit(&check.Event{Kind: check.Fault, Mode: "script", Text: strings.Join(c.words, " ")})
		}
		err = v.do(s, c.words[1:])
	} else {
		var a Action
		if a, err = parseAction(c.words); err == nil {
			s.w.act(a)
		}
	}
	if err == nil {
		return
	}
	unmet := &check.Violation{Invariant: "expect", Rule: "a script gets what it expects",
		Text: fmt.Sprintf("line %d: %s: %v", c.line, strings.Join(c.words, " "), err)}
	switch {
	case s.mutate == nil:
		if s.w.seq > 0 {
			s.w.judge() // what a checker says to it is worth more
		}
		s.w.fail(unmet)
	case s.unmet == nil:
		s.unmet = unmet
	}
}

// observe counts an event and plays its cues, right behind it.
func (s *stage) observe(ev *check.Event) {
	s.seen[sight{ev.Kind, ev.Node}]++
	for i := range s.cues {
		q := &s.cues[i]
		if q.kind != ev.Kind || q.node != ev.Node {
			continue
		}
		if q.nth > 1 {
			q.nth--
			continue
		}
		do := q.do
		s.cues = slices.Delete(s.cues, i, i+1)
		s.w.after(1, func() { s.do(do) })
		return
	}
}

func (s *stage) on(words []string) error {
	q, err := s.cue(words)
	if err == nil {
		s.cues = append(s.cues, q)
	}
	return err
}

// cue reads EVENT N [nth K] do COMMAND.
func (s *stage) cue(words []string) (q cue, err error) {
	q.nth = 1
	if q.kind, err = parseKind(words[0]); err != nil {
		return q, err
	}
	if q.node, err = s.server(words[1]); err != nil {
		return q, err
	}
	at := slices.Index(words, "do")
	if at == 4 && words[2] == "nth" {
		if q.nth, err = strconv.Atoi(words[3]); err != nil {
			return q, err
		}
	} else if at != 2 {
		return q, fmt.Errorf("want: %s", verbs["on"].usage)
	}
	q.do = command{words: words[at+1:]}
	return q, nil
}

// server reads the number of a server that exists.
func (s *stage) server(word string) (ensemble.ServerID, error) {
	n, err := strconv.Atoi(word)
	if err != nil || s.w.host(ensemble.ServerID(n)) == nil {
		return 0, fmt.Errorf("%q is no server of this world; they are %v", word, s.w.ids())
	}
	return ensemble.ServerID(n), nil
}

// eachHost does something with servers that are up, or down.
func eachHost(up bool, do func(*host)) func(*stage, []string) error {
	return func(s *stage, words []string) error {
		for _, word := range words {
			id, err := s.server(word)
			if err != nil {
				return err
			}
			h := s.w.host(id)
			switch {
			case up && !h.alive() && h.keptDown:
				return fmt.Errorf("server %d is down already", id)
			case !up && h.alive():
				return fmt.Errorf("server %d is up already", id)
			}
			do(h)
		}
		return nil
	}
}

func (s *stage) crash(words []string) error {
	mode, silent, piece := kill, false, 0
	survives := func(n int) int {
		if piece++; mode == torn && piece%2 == 0 {
			return n
		}
		return 0
	}
	switch last := words[len(words)-1]; last {
	case "kill", "power", "torn":
		mode, words = crashMode(last), words[:len(words)-1]
	case "silent":
		mode, silent, words = power, true, words[:len(words)-1]
	}
	return eachHost(true, func(h *host) {
		h.keptDown = true // a process that ended by itself would start again
		if silent && h.alive() {
			for _, e := range h.proc.links {
				e.stream.open, e.stream.lost = false, true
			}
		}
		h.crash(mode, survives)
	})(s, words)
}

func (s *stage) clock(words []string) error {
	id, err := s.server(words[0])
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(words[1])
	s.w.host(id).wall += d
	return err
}

func (s *stage) speed(words []string) (err error) {
	s.w.net.bandwidth, err = strconv.Atoi(words[0])
	if err == nil && s.w.net.bandwidth < 0 {
		err = errors.New("it must not be negative")
	}
	return err
}

func (s *stage) runFor(words []string) error {
	d, err := time.ParseDuration(words[0])
	s.w.run(s.w.now + d)
	return err
}

func (s *stage) runUntil(words []string) error {
	d, err := time.ParseDuration(words[0])
	if err == nil && d < s.w.now {
		return fmt.Errorf("it is %v already", s.w.now)
	}
	s.w.run(d)
	return err
}

func (s *stage) at(words []string) error {
	if err := s.runUntil(words[:1]); err != nil {
		return err
	}
	a, err := parseAction(words[1:])
	if err == nil {
		s.w.act(a)
	}
	return err
}

func (s *stage) mutateNow([]string) error {
	if s.mutate != nil {
		s.mutate()
	}
	return nil
}

// heal ends all faults. Held packets go on, in their order. What was to happen on
// an event must have happened by now.
func (s *stage) heal([]string) (err error) {
	if len(s.cues) > 0 {
		err = fmt.Errorf("on %s %d: that did not happen", s.cues[0].kind, s.cues[0].node)
	}
	s.cues, s.w.net.holds = nil, nil
	for _, from := range s.w.ids() {
		for _, to := range s.w.ids() {
			s.pass(hold{from, to}, len(s.holds[hold{from, to}]))
		}
	}
	s.w.heal()
	return err
}

// finale demands life: what the end of every run demands, and before that a
// write, if the world has no clients that would miss it.
func (s *stage) finale([]string) error {
	err := s.heal(nil)
	if s.w.cfg.Clients == 0 {
		s.w.demand("after the scene", s.w.unsettled)
		s.write()
	}
	s.w.finale()
	s.finished = true
	return err
}

// write demands that something new is committed.
func (s *stage) write() {
	before := len(s.w.canon)
	var last *client
	if s.w.cfg.Machine == nil {
		last = newClient(s.w, 250)
		last.quiet, last.timeout = true, 4000
		last.connect()
	}
	s.w.demand("after the scene", func() string {
		if len(s.w.canon) > before {
			return ""
		}
		if h := s.w.leading(); last == nil && h != nil {
			s.submit(h.proc, 0)
		}
		return "nothing is committed any more"
	})
	if last != nil {
		last.manual = true
	}
}

func (s *stage) propose(words []string) error {
	n, err := strconv.Atoi(words[0])
	if err != nil {
		return err
	}
	h, size := s.w.leading(), 0
	for words = words[1:]; len(words) > 0 && err == nil; {
		switch {
		case words[0][0] == '@':
			size, err = strconv.Atoi(words[0][1:])
			words = words[1:]
		case len(words) > 1 && words[0] == "at":
			var id ensemble.ServerID
			id, err = s.server(words[1])
			h, words = s.w.host(id), words[2:]
		default:
			err = fmt.Errorf("want: %s", verbs["propose"].usage)
		}
	}
	switch {
	case err != nil:
		return err
	case n < 0 || n > proposalsMax || size < 0 || size > 1<<20:
		return fmt.Errorf("%d times %d bytes: want at most %d and 1 MiB", n, size, proposalsMax)
	case s.w.cfg.Machine == nil:
		return errors.New("here clients make the transactions; a world for propose says recorder at its top")
	case h == nil || h.proc == nil:
		return errors.New("nobody is there to propose")
	case !h.proc.waiting.open:
		return fmt.Errorf("server %d does not serve yet", h.id)
	}
	for range n {
		s.submit(h.proc, size)
	}
	return nil
}

// submit makes a request for the recorder, of so many bytes and at least 16.
func (s *stage) submit(p *proc, bytes int) {
	s.w.asked++
	p.Submit(fmt.Appendf(nil, "request %*d", max(8, bytes-8), s.w.asked), func(any, error) {})
}
