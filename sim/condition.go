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

// conditions are what a script can await or expect. Each returns "" when it
// holds, and otherwise what is the case instead.
var conditions = map[string]struct {
	usage string
	holds func(s *stage, words []string) (string, error)
}{
	"leader":    {"leader N|any|none", (*stage).isLeader},
	"serving":   {"serving N …", (*stage).isServing},
	"state":     {"state N LOOKING|FOLLOWING|LEADING|OBSERVING|down", (*stage).hasState},
	"logged":    {"logged N EPOCH:COUNTER", zxidOf("logged", func(p *proc) ensemble.Zxid { return p.journal.Last().Zxid })},
	"durable":   {"durable N EPOCH:COUNTER", zxidOf("durable", func(p *proc) ensemble.Zxid { return p.journal.DurableZxid() })},
	"applied":   {"applied N EPOCH:COUNTER", zxidOf("applied", func(p *proc) ensemble.Zxid { return p.applier.position.Zxid })},
	"committed": {"committed EPOCH:COUNTER", (*stage).isCommitted},
	"epochs":    {"epochs N ACCEPTED CURRENT", (*stage).hasEpochs},
	"sure":      {"sure N …", (*stage).isSure},
	"unsure":    {"unsure N …", (*stage).isUnsure},
	"synced":    {"synced N DIFF|TRUNC|SNAP: how it got its history last", (*stage).wasSynced},
	"leaders":   {"leaders K: how many leaderships have been established", (*stage).hadLeaders},
	"same":      {"same: all servers have one history, whole", func(s *stage, _ []string) (string, error) { return s.w.different(), nil }},
	"held":      {"held A>B K: at least so many packets", (*stage).isHeld},
	"saw":       {"saw EVENT N [K]: server N has done that, K times at least, since the script began", (*stage).hasSeen},
	"snapshot":  {"snapshot N EPOCH:COUNTER: the newest snapshot on its disk", zxidOf("a snapshot at", func(p *proc) ensemble.Zxid { return p.store.Snapshot().Zxid })},
	"round":     {"round N K: of its election", (*stage).isRound},
	"voting":    {"voting N M: whom it votes for, or has elected", (*stage).isVoting},
	"linked":    {"linked A B: A has a quorum link to B, as far as A knows", (*stage).isLinked},
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

// judge says what is the case instead of a condition; "" if it holds.
func (s *stage) judge(words []string) (string, error) {
	if words[0] == "not" && len(words) > 1 {
		why, err := s.judge(words[1:])
		if err == nil && why == "" {
			return "that is the case", nil
		}
		return "", err
	}
	c, ok := conditions[words[0]]
	if !ok {
		var usages []string
		for _, c := range conditions {
			usages = append(usages, c.usage)
		}
		slices.Sort(usages)
		return "", fmt.Errorf("no such condition; they are, also behind not: %s", strings.Join(usages, "; "))
	}
	why, err := c.holds(s, words[1:])
	if err != nil {
		err = fmt.Errorf("%w (want: %s)", err, c.usage)
	}
	return why, err
}

func (s *stage) expect(words []string) error {
	why, err := s.judge(words)
	if err == nil && why != "" {
		err = errors.New(why)
	}
	return err
}

func (s *stage) await(words []string) error {
	span := awaitSpan
	if n := len(words); n > 2 && words[n-2] == "within" {
		d, err := time.ParseDuration(words[n-1])
		if err != nil {
			return err
		}
		span, words = d, words[:n-2]
	}
	for limit := s.w.now + span; ; {
		why, err := s.judge(words)
		if err != nil || why == "" {
			return err
		}
		at, ok := s.w.queue.next()
		if !ok || at > limit {
			return fmt.Errorf("%s, after %v", why, span)
		}
		s.w.run(at)
	}
}

func (s *stage) isLeader(words []string) (string, error) {
	if len(words) != 1 {
		return "", errors.New("want one word")
	}
	h := s.w.leading()
	switch {
	case words[0] == "none":
		if h != nil {
			return fmt.Sprintf("server %d leads", h.id), nil
		}
		return "", nil
	case h == nil:
		return "no server leads", nil
	case words[0] == "any":
		return "", nil
	}
	id, err := s.server(words[0])
	if err == nil && h.id != id {
		return fmt.Sprintf("server %d leads", h.id), nil
	}
	return "", err
}

func (s *stage) isServing(words []string) (string, error) {
	for _, word := range words {
		id, err := s.server(word)
		if err != nil {
			return "", err
		}
		if p := s.w.host(id).proc; p == nil || p.state == ensemble.Looking || !p.waiting.open {
			return fmt.Sprintf("server %d does not serve", id), nil
		}
	}
	return "", nil
}

func (s *stage) hasState(words []string) (string, error) {
	if len(words) != 2 {
		return "", errors.New("want two words")
	}
	id, err := s.server(words[0])
	if err != nil {
		return "", err
	}
	state := "down"
	if p := s.w.host(id).proc; p != nil {
		state = p.state.String()
	}
	if state != words[1] {
		return fmt.Sprintf("server %d is %s", id, state), nil
	}
	return "", nil
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

func zxidOf(what string, of func(*proc) ensemble.Zxid) func(*stage, []string) (string, error) {
	return func(s *stage, words []string) (string, error) {
		if len(words) != 2 {
			return "", errors.New("want two words")
		}
		id, err := s.server(words[0])
		if err != nil {
			return "", err
		}
		z, err := parseZxid(words[1])
		if err != nil {
			return "", err
		}
		p := s.w.host(id).proc
		if p == nil {
			return fmt.Sprintf("server %d is down", id), nil
		}
		if is := of(p); is != z {
			return fmt.Sprintf("server %d has %s %s", id, what, printZxid(is)), nil
		}
		return "", nil
	}
}

func (s *stage) isCommitted(words []string) (string, error) {
	if len(words) != 1 {
		return "", errors.New("want one word")
	}
	z, err := parseZxid(words[0])
	if err != nil {
		return "", err
	}
	last := ensemble.Zxid(0)
	if n := len(s.w.canon); n > 0 {
		last = s.w.canon[n-1].Zxid
	}
	if last != z {
		return "the last that is committed is " + printZxid(last), nil
	}
	return "", nil
}

func (s *stage) hasEpochs(words []string) (string, error) {
	if len(words) != 3 {
		return "", errors.New("want three words")
	}
	id, err := s.server(words[0])
	if err != nil {
		return "", err
	}
	p := s.w.host(id).proc
	if p == nil {
		return fmt.Sprintf("server %d is down", id), nil
	}
	e := p.store.Epochs()
	if got := fmt.Sprintf("%d %d", e.Accepted, e.Current); got != words[1]+" "+words[2] {
		return fmt.Sprintf("server %d has epochs %s", id, got), nil
	}
	return "", nil
}

func (s *stage) isSure(words []string) (string, error)   { return s.doubts(words, false) }
func (s *stage) isUnsure(words []string) (string, error) { return s.doubts(words, true) }

func (s *stage) doubts(words []string, want bool) (string, error) {
	for _, word := range words {
		id, err := s.server(word)
		if err != nil {
			return "", err
		}
		if p := s.w.host(id).proc; p == nil || p.journal.Epochs().Unsure != want {
			return fmt.Sprintf("server %d is not", id), nil
		}
	}
	return "", nil
}

func (s *stage) wasSynced(words []string) (string, error) {
	if len(words) != 2 {
		return "", errors.New("want two words")
	}
	id, err := s.server(words[0])
	if err != nil {
		return "", err
	}
	if mode := s.w.host(id).synced; mode != words[1] {
		return fmt.Sprintf("server %d was synchronized by %q", id, mode), nil
	}
	return "", nil
}

func (s *stage) hadLeaders(words []string) (string, error) {
	if len(words) != 1 {
		return "", errors.New("want one word")
	}
	n, err := strconv.Atoi(words[0])
	if err == nil && len(s.w.leaders) != n {
		return fmt.Sprintf("there have been %d", len(s.w.leaders)), nil
	}
	return "", err
}

func (s *stage) isHeld(words []string) (string, error) {
	if len(words) != 2 {
		return "", errors.New("want two words")
	}
	from, to, err := s.way(words[0])
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(words[1])
	if have := len(s.holds[hold{from, to}]); err == nil && have < n {
		return fmt.Sprintf("%d are held", have), nil
	}
	return "", err
}

func (s *stage) hasSeen(words []string) (string, error) {
	if len(words) != 2 && len(words) != 3 {
		return "", errors.New("want two words, or three")
	}
	kind, err := parseKind(words[0])
	if err != nil {
		return "", err
	}
	id, err := s.server(words[1])
	if err != nil {
		return "", err
	}
	want := 1
	if len(words) == 3 {
		if want, err = strconv.Atoi(words[2]); err != nil {
			return "", err
		}
	}
	if have := s.seen[sight{kind, id}]; have < want {
		return fmt.Sprintf("server %d has done that %d times", id, have), nil
	}
	return "", nil
}

// twoNumbers reads a server that is up, and a number.
func (s *stage) twoNumbers(words []string) (*proc, int, error) {
	if len(words) != 2 {
		return nil, 0, errors.New("want two words")
	}
	id, err := s.server(words[0])
	if err != nil {
		return nil, 0, err
	}
	n, err := strconv.Atoi(words[1])
	return s.w.host(id).proc, n, err
}

func (s *stage) isRound(words []string) (string, error) {
	p, n, err := s.twoNumbers(words)
	switch {
	case err != nil:
		return "", err
	case p == nil:
		return "it is down", nil
	case p.ballot.Round() != int64(n):
		return fmt.Sprintf("its round is %d", p.ballot.Round()), nil
	}
	return "", nil
}

func (s *stage) isVoting(words []string) (string, error) {
	p, n, err := s.twoNumbers(words)
	switch {
	case err != nil:
		return "", err
	case p == nil:
		return "it is down", nil
	case p.ballot.Vote().Leader != ensemble.ServerID(n):
		return fmt.Sprintf("it votes for %d", p.ballot.Vote().Leader), nil
	}
	return "", nil
}

func (s *stage) isLinked(words []string) (string, error) {
	p, n, err := s.twoNumbers(words)
	switch {
	case err != nil:
		return "", err
	case p == nil || p.links[ensemble.ServerID(n)] == nil:
		return "it has none", nil
	}
	return "", nil
}
