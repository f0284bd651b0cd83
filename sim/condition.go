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

// look says what is the case instead of a condition; "" if it holds.
type look func() string

// condition is what a script can await or expect. read makes sense of the words
// behind its name, of which there are min to max; max -1 is any number. It needs no
// server that runs: so a mistake in a script is found when the script is read.
type condition struct {
	usage    string
	min, max int
	read     func(s *stage, words []string) (look, error)
}

var conditions = map[string]condition{
	"leader":    {"leader N|any|none", 1, 1, (*stage).isLeader},
	"serving":   {"serving N …", 1, -1, each((*stage).isServing)},
	"state":     {"state N LOOKING|FOLLOWING|LEADING|OBSERVING|down", 2, 2, (*stage).hasState},
	"logged":    {"logged N EPOCH:COUNTER", 2, 2, zxidOf("logged", func(p *proc) ensemble.Zxid { return p.journal.Last().Zxid })},
	"durable":   {"durable N EPOCH:COUNTER", 2, 2, zxidOf("durable", func(p *proc) ensemble.Zxid { return p.journal.DurableZxid() })},
	"applied":   {"applied N EPOCH:COUNTER", 2, 2, zxidOf("applied", func(p *proc) ensemble.Zxid { return p.applier.position.Zxid })},
	"committed": {"committed EPOCH:COUNTER", 1, 1, (*stage).isCommitted},
	"epochs":    {"epochs N ACCEPTED CURRENT", 3, 3, (*stage).hasEpochs},
	"sure":      {"sure N …", 1, -1, each(doubts(false))},
	"unsure":    {"unsure N …", 1, -1, each(doubts(true))},
	"synced":    {"synced N DIFF|TRUNC|SNAP: how it got its history last", 2, 2, (*stage).wasSynced},
	"leaders":   {"leaders K: how many leaderships have been established", 1, 1, (*stage).hadLeaders},
	"same":      {"same: all servers have one history, whole", 0, 0, func(s *stage, _ []string) (look, error) { return s.w.different, nil }},
	"held":      {"held A>B K: at least so many packets", 2, 2, (*stage).isHeld},
	"saw":       {"saw EVENT N [K]: server N has done that, K times at least, since the script began", 2, 3, (*stage).hasSeen},
	"snapshot":  {"snapshot N EPOCH:COUNTER: the newest snapshot on its disk", 2, 2, zxidOf("a snapshot at", func(p *proc) ensemble.Zxid { return p.store.Snapshot().Zxid })},
	"round":     {"round N K: of its election", 2, 2, numberOf("its round is", func(p *proc) int64 { return p.ballot.Round() })},
	"voting":    {"voting N M: whom it votes for, or has elected", 2, 2, numberOf("it votes for", func(p *proc) int64 { return int64(p.ballot.Vote().Leader) })},
	"linked":    {"linked A B: A has a quorum link to B, as far as A knows", 2, 2, (*stage).isLinked},
}

// kinds are the events that a script can name.
var kinds = []check.Kind{
	check.Boot, check.Crash, check.Wipe, check.Damage, check.RoleChange, check.VoteSend, check.VoteRecv, check.Decide,
	check.EpochProposed, check.EpochAck, check.EpochsDurable, check.SyncPlan, check.LogAppend, check.LogDurable,
	check.LogTruncate, check.SnapInstall, check.SnapSave, check.NewLeaderAck, check.Established, check.Proposed,
	check.AckSend, check.AckCount, check.Committed, check.Delivered, check.Halted, check.DiskError, check.SessionEvent,
	check.LinkUp, check.LinkDown,
}

func parseKind(word string) (check.Kind, error) {
	if slices.Contains(kinds, check.Kind(word)) {
		return check.Kind(word), nil
	}
	return "", fmt.Errorf("%q is no event; they are %v", word, kinds)
}

// condition reads a condition, perhaps behind not.
func (s *stage) condition(words []string) (look, error) {
	if words[0] == "not" && len(words) > 1 {
		is, err := s.condition(words[1:])
		return func() string {
			if is() == "" {
				return "that is the case"
			}
			return ""
		}, err
	}
	c, ok := conditions[words[0]]
	if !ok {
		var usages []string
		for _, c := range conditions {
			usages = append(usages, c.usage)
		}
		slices.Sort(usages)
		return nil, fmt.Errorf("no such condition; they are, also behind not: %s", strings.Join(usages, "; "))
	}
	if n := len(words) - 1; n < c.min || c.max >= 0 && n > c.max {
		return nil, fmt.Errorf("want: %s", c.usage)
	}
	is, err := c.read(s, words[1:])
	if err != nil {
		err = fmt.Errorf("%w (want: %s)", err, c.usage)
	}
	return is, err
}

func (s *stage) expect(words []string) error {
	is, err := s.condition(words)
	if err != nil {
		return err
	}
	if why := is(); why != "" {
		return errors.New(why)
	}
	return nil
}

// awaited reads a condition and how long to wait for it.
func (s *stage) awaited(words []string) (look, time.Duration, error) {
	span := awaitSpan
	if n := len(words); n > 2 && words[n-2] == "within" {
		d, err := time.ParseDuration(words[n-1])
		if err != nil {
			return nil, 0, err
		}
		span, words = d, words[:n-2]
	}
	is, err := s.condition(words)
	return is, span, err
}

func (s *stage) await(words []string) error {
	is, span, err := s.awaited(words)
	if err != nil {
		return err
	}
	for limit := s.w.now + span; ; {
		why := is()
		if why == "" {
			return nil
		}
		at, ok := s.w.queue.next()
		if !ok || at > limit {
			return fmt.Errorf("%s, after %v", why, span)
		}
		s.w.run(at)
	}
}

// proofread looks for mistakes in a command that only the world can tell: in what
// is awaited or expected, now or on an event.
func (s *stage) proofread(words []string) (err error) {
	switch words[0] {
	case "expect":
		_, err = s.condition(words[1:])
	case "await":
		_, _, err = s.awaited(words[1:])
	case "on":
		var q cue
		if q, err = s.cue(words[1:]); err == nil {
			err = s.proofread(q.do.words)
		}
	}
	return err
}

// each reads a condition of one server that several are to meet.
func each(one func(s *stage, id ensemble.ServerID) string) func(*stage, []string) (look, error) {
	return func(s *stage, words []string) (look, error) {
		var ids []ensemble.ServerID
		for _, word := range words {
			id, err := s.server(word)
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
		return func() string {
			for _, id := range ids {
				if why := one(s, id); why != "" {
					return why
				}
			}
			return ""
		}, nil
	}
}

func (s *stage) isServing(id ensemble.ServerID) string {
	if p := s.w.host(id).proc; p == nil || p.state == ensemble.Looking || !p.waiting.open {
		return fmt.Sprintf("server %d does not serve", id)
	}
	return ""
}

func doubts(want bool) func(*stage, ensemble.ServerID) string {
	return func(s *stage, id ensemble.ServerID) string {
		if p := s.w.host(id).proc; p == nil || p.journal.Epochs().Unsure != want {
			return fmt.Sprintf("server %d is not", id)
		}
		return ""
	}
}

func (s *stage) isLeader(words []string) (look, error) {
	want := ensemble.NoServer
	if words[0] != "any" && words[0] != "none" {
		id, err := s.server(words[0])
		if err != nil {
			return nil, err
		}
		want = id
	}
	return func() string {
		h := s.w.leading()
		switch {
		case h == nil && words[0] == "none":
			return ""
		case h == nil:
			return "no server leads"
		case words[0] == "any" || h.id == want:
			return ""
		}
		return fmt.Sprintf("server %d leads", h.id)
	}, nil
}

func (s *stage) hasState(words []string) (look, error) {
	id, err := s.server(words[0])
	states := []string{"down"}
	for state := ensemble.Looking; state <= ensemble.Observing; state++ {
		states = append(states, state.String())
	}
	if err == nil && !slices.Contains(states, words[1]) {
		err = fmt.Errorf("%q is no state", words[1])
	}
	return func() string {
		state := "down"
		if p := s.w.host(id).proc; p != nil {
			state = p.state.String()
		}
		if state != words[1] {
			return fmt.Sprintf("server %d is %s", id, state)
		}
		return ""
	}, err
}

// parseZxid reads EPOCH:COUNTER.
func parseZxid(word string) (ensemble.Zxid, error) {
	a, b, ok := strings.Cut(word, ":")
	epoch, err := strconv.ParseInt(a, 10, 32)
	if err == nil {
		var counter uint64
		if counter, err = strconv.ParseUint(b, 10, 32); err == nil && ok {
			return ensemble.NewZxid(ensemble.Epoch(epoch), uint32(counter)), nil
		}
	}
	return 0, fmt.Errorf("%q: want EPOCH:COUNTER", word)
}

func printZxid(z ensemble.Zxid) string { return fmt.Sprintf("%d:%d", z.Epoch(), z.Counter()) }

// zxidOf reads a server and a zxid that is something to it.
func zxidOf(what string, of func(*proc) ensemble.Zxid) func(*stage, []string) (look, error) {
	return func(s *stage, words []string) (look, error) {
		id, err := s.server(words[0])
		if err != nil {
			return nil, err
		}
		z, err := parseZxid(words[1])
		return func() string {
			p := s.w.host(id).proc
			if p == nil {
				return fmt.Sprintf("server %d is down", id)
			}
			if got := of(p); got != z {
				return fmt.Sprintf("server %d has %s %s", id, what, printZxid(got))
			}
			return ""
		}, err
	}
}

// numberOf reads a server and a number that it has.
func numberOf(says string, of func(*proc) int64) func(*stage, []string) (look, error) {
	return func(s *stage, words []string) (look, error) {
		id, err := s.server(words[0])
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(words[1], 10, 64)
		return func() string {
			p := s.w.host(id).proc
			if p == nil {
				return "it is down"
			}
			if got := of(p); got != n {
				return fmt.Sprintf("%s %d", says, got)
			}
			return ""
		}, err
	}
}

func (s *stage) isCommitted(words []string) (look, error) {
	z, err := parseZxid(words[0])
	return func() string {
		last := ensemble.Zxid(0)
		if n := len(s.w.canon); n > 0 {
			last = s.w.canon[n-1].Zxid
		}
		if last != z {
			return "the last that is committed is " + printZxid(last)
		}
		return ""
	}, err
}

func (s *stage) hasEpochs(words []string) (look, error) {
	id, err := s.server(words[0])
	for _, word := range words[1:] {
		if err == nil {
			_, err = strconv.ParseUint(word, 10, 31)
		}
	}
	return func() string {
		p := s.w.host(id).proc
		if p == nil {
			return fmt.Sprintf("server %d is down", id)
		}
		e := p.store.Epochs()
		if got := fmt.Sprintf("%d %d", e.Accepted, e.Current); got != words[1]+" "+words[2] {
			return fmt.Sprintf("server %d has epochs %s", id, got)
		}
		return ""
	}, err
}

func (s *stage) wasSynced(words []string) (look, error) {
	id, err := s.server(words[0])
	if err == nil && !slices.Contains([]string{"DIFF", "TRUNC", "SNAP"}, words[1]) {
		err = fmt.Errorf("%q is no way to be synchronized", words[1])
	}
	return func() string {
		if mode := s.w.host(id).synced; mode != words[1] {
			return fmt.Sprintf("server %d was synchronized by %q", id, mode)
		}
		return ""
	}, err
}

func (s *stage) hadLeaders(words []string) (look, error) {
	n, err := strconv.Atoi(words[0])
	return func() string {
		if len(s.w.leaders) != n {
			return fmt.Sprintf("there have been %d", len(s.w.leaders))
		}
		return ""
	}, err
}

func (s *stage) isHeld(words []string) (look, error) {
	from, to, err := s.way(words[0])
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(words[1])
	return func() string {
		if have := len(s.holds[hold{from, to}]); have < n {
			return fmt.Sprintf("%d are held", have)
		}
		return ""
	}, err
}

func (s *stage) hasSeen(words []string) (look, error) {
	kind, err := parseKind(words[0])
	if err != nil {
		return nil, err
	}
	id, err := s.server(words[1])
	want := 1
	if err == nil && len(words) == 3 {
		want, err = strconv.Atoi(words[2])
	}
	return func() string {
		if have := s.seen[sight{kind, id}]; have < want {
			return fmt.Sprintf("server %d has done that %d times", id, have)
		}
		return ""
	}, err
}

func (s *stage) isLinked(words []string) (look, error) {
	a, err := s.server(words[0])
	if err != nil {
		return nil, err
	}
	b, err := s.server(words[1])
	return func() string {
		if p := s.w.host(a).proc; p == nil || p.links[b] == nil {
			return "it has none"
		}
		return ""
	}, err
}
