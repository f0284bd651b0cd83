package fle

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

var rewrite = flag.Bool("rewrite", false, "write the traces of testdata/*.txt anew instead of comparing them")

// TestScripts runs the scenes in testdata. A scene is a list of blocks: comment
// lines with '#', commands, a line "----", and the trace that the commands
// leave, up to a blank line. The commands are the methods of script below.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			got := runScript(t, string(text))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(text), got, "trace differs; if it should, run: go test ./fle -run TestScripts -rewrite")
		})
	}
}

func runScript(t *testing.T, text string) string {
	s := &script{t: t, ballots: map[ensemble.ServerID]*Ballot{}, links: map[link][]Notification{}, undelivered: map[ensemble.ServerID]bool{}}
	var out bytes.Buffer
	inTrace := false
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		switch {
		case line == "":
			inTrace = false
			fmt.Fprintln(&out)
		case inTrace: // the old trace
		case strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
		case line == "----":
			inTrace = true
			fmt.Fprintln(&out, line)
			out.WriteString(s.trace.String())
			s.trace.Reset()
		default:
			fmt.Fprintln(&out, line)
			s.line = fmt.Sprintf("line %d: %s", i+1, line)
			s.command(strings.Fields(line))
		}
	}
	require.Empty(t, s.trace.String(), "the last commands have no ---- below them")
	return out.String()
}

type link struct{ from, to ensemble.ServerID }

// script is a small world: ballots, links that keep order and deliver when told
// to, and a clock that moves when told to.
type script struct {
	t           *testing.T
	line        string
	view        *ensemble.View
	now         time.Duration
	ballots     map[ensemble.ServerID]*Ballot // those that run
	links       map[link][]Notification
	undelivered map[ensemble.ServerID]bool
	trace       bytes.Buffer
}

func (s *script) printf(format string, args ...any) { fmt.Fprintf(&s.trace, format+"\n", args...) }

func (s *script) command(words []string) {
	args := words[1:]
	switch words[0] {
	case "servers": // servers 3 observers=4,5 groups=1,2|3,4 weights=4:0
		s.servers(args)
	case "start": // start 1 zxid=5,12 epoch=5 unsure; anew if it has crashed
		s.start(args)
	case "deliver": // deliver all | deliver 1->2
		s.deliver(args)
	case "drop": // drop all | drop 1->2
		s.drop(args)
	case "tick": // tick 200ms: the clock moves, nothing is delivered
		s.advance(s.duration(args[0]), false)
	case "run": // run 1s: the clock moves and everything is delivered at once
		s.advance(s.duration(args[0]), true)
	case "crash": // crash 3: it is gone, with all that is under way to or from it
		s.crash(s.sid(args[0]))
	case "reachable": // reachable 3 up | reachable 3 down by=1,2
		s.reachable(args)
	case "undelivered": // undelivered 1,2: their transports have sent nothing
		s.undelivered = map[ensemble.ServerID]bool{}
		for _, id := range s.sids(args[0]) {
			s.undelivered[id] = true
		}
	case "send": // send 3->1 LEADING leader=3 zxid=5,11 round=7 epoch=5 unsure
		l := s.link(args[0])
		s.step(l.to, Receive{From: l.from, Notification: s.notification(args[1:])})
	case "settled": // settled 1 epoch=5
		_, _, epoch, _ := s.vote(args[1:])
		s.step(s.sid(args[0]), Settled{Epoch: epoch})
	case "expect": // expect 1 FOLLOWING 2 | expect 1 LOOKING
		s.expect(args)
	case "status":
		for _, id := range slices.Sorted(maps.Keys(s.ballots)) {
			b := s.ballots[id]
			s.printf("%d %s %s", id, b.State(), b.Vote())
		}
	default:
		require.Fail(s.t, "unknown command", s.line)
	}
}

func (s *script) servers(args []string) {
	n, err := strconv.Atoi(args[0])
	require.NoError(s.t, err, s.line)
	members := make([]ensemble.Member, n)
	for i := range members {
		members[i] = ensemble.Member{ID: ensemble.ServerID(i + 1), Weight: 1}
	}
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "observers":
			for _, id := range s.sids(value) {
				members[id-1].Observer = true
			}
		case "groups":
			for g, group := range strings.Split(value, "|") {
				for _, id := range s.sids(group) {
					members[id-1].Group = int64(g + 1)
				}
			}
		case "weights":
			for _, w := range strings.Split(value, ",") {
				id, weight, _ := strings.Cut(w, ":")
				members[s.sid(id)-1].Weight = int64(s.sid(weight))
			}
		default:
			require.Fail(s.t, "unknown argument "+arg, s.line)
		}
	}
	s.view, err = ensemble.NewView(0, members)
	require.NoError(s.t, err, s.line)
}

func (s *script) start(args []string) {
	id := s.sid(args[0])
	if s.ballots[id] == nil {
		b, err := NewBallot(Config{Server: id, View: s.view, Trace: s.hooks(id)})
		require.NoError(s.t, err, s.line)
		s.ballots[id] = b
	}
	zxid, _, epoch, unsure := s.vote(args[1:])
	s.step(id, Start{Zxid: zxid, Epoch: epoch, Unsure: unsure})
}

func (s *script) hooks(id ensemble.ServerID) *Trace {
	return &Trace{
		RoundStarted: func(_ int64, v Vote) { s.printf("%d begins with %s", id, v) },
		VoteChanged:  func(from ensemble.ServerID, v Vote) { s.printf("%d votes for %s, as %d does", id, v, from) },
		QuorumSeen:   func(v Vote) { s.printf("%d sees a quorum for %s", id, v) },
		Received:     func(from ensemble.ServerID, n Notification) { s.printf("%d <- %d %s", id, from, n) },
		Dropped:      func(_ ensemble.ServerID, _ Notification, r DropReason) { s.printf("%d drops it: %s", id, r) },
		Decided: func(d Decision) {
			s.printf("%d is %s: %s, by %s", id, d.State, d.Vote, strings.Trim(fmt.Sprint(d.Supporters), "[]"))
		},
	}
}

func (s *script) step(id ensemble.ServerID, in Input) {
	b := s.ballots[id]
	require.NotNil(s.t, b, "server %d does not run; %s", id, s.line)
	var out Effects
	b.Step(s.now, in, &out)
	for i := 0; i < len(out.Notify); {
		n := out.Notify[i].Notification
		to := ""
		for ; i < len(out.Notify) && out.Notify[i].Notification == n; i++ {
			dest := out.Notify[i].To
			to += dest.String() + " "
			if s.ballots[dest] != nil {
				s.links[link{id, dest}] = append(s.links[link{id, dest}], n)
			}
		}
		s.printf("%d -> %s%s", id, to, n)
	}
	if out.Connect {
		s.printf("%d asks for connections", id)
	}
}

func (s *script) deliver(args []string) {
	if args[0] != "all" {
		l := s.link(args[0])
		require.NotEmpty(s.t, s.links[l], "nothing is under way; %s", s.line)
		s.deliverOne(l)
		return
	}
	for range 1000 {
		busy := false
		for _, l := range s.sortedLinks() {
			if len(s.links[l]) > 0 {
				busy = true
				s.deliverOne(l)
			}
		}
		if !busy {
			return
		}
	}
	require.Fail(s.t, "the servers never fall silent", s.line)
}

func (s *script) sortedLinks() []link {
	return slices.SortedFunc(maps.Keys(s.links), func(a, b link) int {
		if a.from != b.from {
			return int(a.from - b.from)
		}
		return int(a.to - b.to)
	})
}

func (s *script) deliverOne(l link) {
	n := s.links[l][0]
	s.links[l] = s.links[l][1:]
	s.step(l.to, Receive{From: l.from, Notification: n})
}

func (s *script) drop(args []string) {
	if args[0] == "all" {
		clear(s.links)
		return
	}
	delete(s.links, s.link(args[0]))
}

func (s *script) advance(d time.Duration, deliver bool) {
	end := s.now + d
	for {
		if deliver {
			s.deliver([]string{"all"})
		}
		next, due := end, ensemble.NoServer
		for _, id := range slices.Sorted(maps.Keys(s.ballots)) {
			if at, ok := s.ballots[id].Deadline(); ok && (at < next || at == next && due == ensemble.NoServer) {
				next, due = at, id
			}
		}
		s.now = max(s.now, next)
		if due == ensemble.NoServer {
			return
		}
		s.printf("at %v", s.now)
		s.step(due, Tick{Delivered: !s.undelivered[due]})
	}
}

func (s *script) crash(id ensemble.ServerID) {
	delete(s.ballots, id)
	for l := range s.links {
		if l.from == id || l.to == id {
			delete(s.links, l)
		}
	}
}

func (s *script) reachable(args []string) {
	who, by := s.sid(args[0]), slices.Sorted(maps.Keys(s.ballots))
	if len(args) > 2 {
		by = s.sids(strings.TrimPrefix(args[2], "by="))
	}
	for _, id := range by {
		if id != who {
			s.step(id, Reachable{Sid: who, Up: args[1] == "up"})
		}
	}
}

func (s *script) expect(args []string) {
	b := s.ballots[s.sid(args[0])]
	require.NotNil(s.t, b, s.line)
	require.Equal(s.t, args[1], b.State().String(), s.line)
	if len(args) > 2 {
		require.Equal(s.t, args[2], b.Vote().Leader.String(), s.line)
	}
}

func (s *script) notification(args []string) Notification {
	n := Notification{ViewVersion: s.view.Version(), Config: s.view.String()}
	for state := ensemble.Looking; state <= ensemble.Observing; state++ {
		if state.String() == args[0] {
			n.State = state
		}
	}
	require.Equal(s.t, args[0], n.State.String(), s.line)
	n.Zxid, n.Leader, n.PeerEpoch, n.Unsure = s.vote(args[1:])
	n.Round = 1
	for _, arg := range args[1:] {
		if r, ok := strings.CutPrefix(arg, "round="); ok {
			n.Round = int64(s.sid(r))
		}
	}
	return n
}

func (s *script) vote(args []string) (zxid ensemble.Zxid, leader ensemble.ServerID, epoch ensemble.Epoch, unsure bool) {
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "zxid":
			if value == "none" {
				zxid = ensemble.NoZxid
				continue
			}
			e, c, ok := strings.Cut(value, ",")
			require.True(s.t, ok, "want zxid=epoch,counter; %s", s.line)
			zxid = ensemble.NewZxid(ensemble.Epoch(s.sid(e)), uint32(s.sid(c)))
		case "epoch":
			epoch = ensemble.Epoch(s.sid(value))
		case "leader":
			leader = s.sid(value)
		case "unsure":
			unsure = true
		case "round":
		default:
			require.Fail(s.t, "unknown argument "+arg, s.line)
		}
	}
	return zxid, leader, epoch, unsure
}

func (s *script) duration(word string) time.Duration {
	d, err := time.ParseDuration(word)
	require.NoError(s.t, err, s.line)
	return d
}

func (s *script) sid(word string) ensemble.ServerID {
	n, err := strconv.ParseInt(word, 10, 64)
	require.NoError(s.t, err, s.line)
	return ensemble.ServerID(n)
}

func (s *script) sids(list string) (out []ensemble.ServerID) {
	for _, word := range strings.Split(list, ",") {
		out = append(out, s.sid(word))
	}
	return out
}

func (s *script) link(word string) link {
	from, to, ok := strings.Cut(word, "->")
	require.True(s.t, ok, "want from->to; %s", s.line)
	return link{s.sid(from), s.sid(to)}
}
