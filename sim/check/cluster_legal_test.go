package check

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

// legal tells a run in which everything is as it must be. It is no protocol: it
// knows the whole ensemble at once and simply does what a correct one may do.
type legal struct {
	rng     *rand.Rand
	view    *ensemble.View
	servers []*legalServer
	events  []Event
	now     time.Duration
	seq     int
	canon   int // how much of the leader's log is committed
	history []Entry
	faults  bool
}

// legalServer is one server of a legal run, disk and process.
type legalServer struct {
	id                ensemble.ServerID
	voter             bool
	up                bool
	life              int
	log               []Entry
	synced            int
	snap              int // entries of the log that the newest snapshot stands for
	accepted, current ensemble.Epoch
	unsure            bool
	mode              string // what Boot will say
	round             int64
	vote              Vote

	state     ensemble.State
	leader    *legalServer
	serving   bool
	acked     int
	sent      int // of the leader's log, as a follower
	committed int
	delivered int
	firstRole ensemble.Epoch // accepted when the role began
}

// legalRun tells the run of a seed.
func legalRun(t testing.TB, seed uint64) (*ensemble.View, []Event) {
	t.Helper()
	w := &legal{rng: rand.New(rand.NewPCG(seed, 33))}
	voters := 3 + 2*w.rng.IntN(2)
	observers := w.rng.IntN(2)
	var members []ensemble.Member
	doubt := w.chance(4)
	for i := 1; i <= voters+observers; i++ {
		id := ensemble.ServerID(i)
		members = append(members, ensemble.Member{ID: id, Observer: i > voters})
		w.servers = append(w.servers, &legalServer{id: id, voter: i <= voters, unsure: doubt, mode: "clean"})
	}
	view, err := ensemble.NewView(0, members)
	require.NoError(t, err)
	w.view = view
	if doubt {
		for _, s := range w.servers {
			w.boot(s)
		}
		w.term(w.servers[:voters])
	}
	for range 5 + w.rng.IntN(6) {
		w.term(w.gather())
		w.trouble()
	}
	w.event(nil, Event{Kind: Healed})
	for tries := 0; ; tries++ {
		require.Less(t, tries, 200, "seed %d finds no leader", seed)
		for _, s := range w.servers {
			if !s.up {
				w.boot(s)
			}
		}
		if w.term(w.servers[:voters]) && w.canon > 0 && view.HasQuorum(func(id ensemble.ServerID) bool { return w.servers[id-1].serving }) {
			break
		}
		w.endRoles()
	}
	w.now += 2 * owed.LeaderWithin
	w.event(nil, Event{Kind: MessageSend, Text: "the end"})
	return view, w.events
}

func (w *legal) chance(n int) bool { return w.rng.IntN(n) == 0 }

// event tells an event; of nobody if s is nil.
func (w *legal) event(s *legalServer, ev Event) {
	w.now += time.Duration(w.rng.IntN(int(time.Millisecond)))
	if w.chance(40) {
		w.events = append(w.events, Event{At: w.now, Kind: MessageSend, Text: "for people only"})
	}
	w.seq++
	ev.At, ev.Seq = w.now, w.seq
	if s != nil {
		ev.Node, ev.Life = s.id, s.life
	}
	w.events = append(w.events, ev)
}

func zxidOf(log []Entry, n int) ensemble.Zxid {
	if n == 0 {
		return 0
	}
	return log[n-1].Zxid
}

func (w *legal) boot(s *legalServer) {
	s.life++
	s.up, s.synced, s.round, s.state, s.leader, s.serving = true, len(s.log), 0, ensemble.Looking, nil, false
	s.current = max(s.current, zxidOf(s.log, len(s.log)).Epoch())
	s.accepted = max(s.accepted, s.current)
	s.committed, s.delivered = s.snap, s.snap
	w.event(s, Event{
		Kind: Boot, Accepted: s.accepted, Current: s.current, Unsure: s.unsure,
		Snap: zxidOf(s.log, s.snap), Log: slices.Clone(s.log), Mode: s.mode,
	})
	s.mode = "clean"
	w.deliver(s, min(w.canon, max(s.delivered, len(s.log)-w.rng.IntN(4)))) // the hint in the log
}

// crash ends a process, and loses what may be lost.
func (w *legal) crash(s *legalServer) {
	mode := []string{"kill", "power", "stop"}[w.rng.IntN(3)]
	w.event(s, Event{Kind: Crash, Mode: mode})
	if mode == "power" {
		s.log = s.log[:s.synced+w.rng.IntN(len(s.log)-s.synced+1)]
	}
	if l := s.leader; mode == "kill" && l != nil && l != s && s.serving && s.sent == len(s.log) && s.sent < len(l.log) {
		s.log = slices.Concat(s.log, l.log[s.sent:s.sent+1]) // written, and nobody was told
	}
	s.up, s.state, s.leader, s.serving = false, ensemble.Looking, nil, false
}

// gather boots and crashes servers and returns the voters that take part next.
func (w *legal) gather() []*legalServer {
	for _, s := range w.servers {
		switch {
		case s.up && w.chance(6):
			w.crash(s)
		case !s.up && !w.chance(4):
			w.boot(s)
		}
	}
	var in []*legalServer
	for _, s := range w.servers {
		if s.up && s.voter && !w.chance(6) {
			in = append(in, s)
		}
	}
	return in
}

// quorum reports whether servers are a quorum of sure voters, or all voters.
func (w *legal) quorum(in []*legalServer) bool {
	has := func(unsure bool) func(ensemble.ServerID) bool {
		return func(id ensemble.ServerID) bool {
			return slices.ContainsFunc(in, func(s *legalServer) bool { return s.id == id && (unsure || !s.unsure) })
		}
	}
	all := true
	for _, id := range w.view.Voters() {
		all = all && has(true)(id)
	}
	return all || w.view.HasQuorum(has(false))
}

// trouble is what the world does between two leaders.
func (w *legal) trouble() {
	s := w.servers[w.rng.IntN(len(w.servers))]
	if w.chance(3) {
		w.event(nil, Event{Kind: Fault, Text: "a cut", Node: 0})
		w.faults = true
	} else if w.faults {
		w.event(nil, Event{Kind: Healed})
		w.faults = false
	}
	w.endRoles()
	if s.up && w.chance(2) {
		w.crash(s)
	}
	doubtful := slices.ContainsFunc(w.servers, func(s *legalServer) bool { return s.unsure })
	if s.up || doubtful && s.voter {
		return
	}
	switch w.rng.IntN(4) {
	case 0:
		w.event(s, Event{Kind: Wipe})
		*s = legalServer{id: s.id, voter: s.voter, life: s.life, unsure: true, mode: "empty"}
	case 1:
		w.event(s, Event{Kind: Damage})
		s.unsure, s.mode = true, "doubtful"
		s.log = s.log[:len(s.log)-w.rng.IntN(len(s.log)-s.snap+1)]
	case 2:
		if !s.voter { // of a voter it could cost what was committed
			w.event(s, Event{Kind: Rollback})
			s.log, s.snap, s.accepted, s.current = s.log[:len(s.log)/2], 0, 0, 0
		}
	}
}

// endRoles lets everybody lose its leader.
func (w *legal) endRoles() {
	for _, s := range w.servers {
		if s.up && s.state != ensemble.Looking {
			if s.leader != s {
				w.event(s, Event{Kind: LinkDown, Peer: s.leader.id})
			} else if w.chance(2) && !w.faults {
				w.event(nil, Event{Kind: Fault, Text: "upset"})
				w.event(nil, Event{Kind: Healed})
			} else {
				w.event(s, Event{Kind: LinkDown})
			}
			s.state, s.leader, s.serving = ensemble.Looking, nil, false
			w.event(s, Event{Kind: RoleChange, State: ensemble.Looking, Peer: ensemble.NoServer, Text: "lost"})
		}
	}
}

func digestOf(x Entry) uint64 { return x.Chain*31 | 1 }

// deliver applies the committed history up to n.
func (w *legal) deliver(s *legalServer, n int) {
	for s.delivered < n {
		x := w.history[s.delivered]
		s.delivered++
		w.event(s, Event{Kind: Delivered, Zxid: x.Zxid, Chain: x.Chain, Digest: digestOf(x)})
	}
}

func (w *legal) epochs(s *legalServer, accepted, current ensemble.Epoch) {
	if current > s.current || current == accepted {
		s.unsure = false
	}
	s.accepted, s.current = accepted, current
	w.event(s, Event{Kind: EpochsDurable, Accepted: s.accepted, Current: s.current, Unsure: s.unsure})
}
