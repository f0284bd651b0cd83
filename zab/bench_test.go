package zab

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

// bench is a small world for tests of the roles: servers with logs in memory,
// links that the test delivers by hand, and disks that finish when it says so.
type bench struct {
	t       *testing.T
	view    *ensemble.View
	now     time.Duration
	servers map[ensemble.ServerID]*server
	links   map[[2]ensemble.ServerID][]Packet // from, to
}

type server struct {
	b       *bench
	id      ensemble.ServerID
	journal *Journal
	log     []Txn // what storage holds, written or not
	epochs  Epochs
	leader  *Leader
	learner *Learner
	disk    []Effect // storage effects that are not done
	slow    bool     // the disk waits for finish
	trace   []string // everything said and written, in order

	established ensemble.Epoch
	synced      Synchronized
	points      []SyncPoint
	ended       string // reason of a Resign or Halt
	halted      bool
}

func newBench(t *testing.T, voters, observers int) *bench {
	b := &bench{t: t, servers: map[ensemble.ServerID]*server{}, links: map[[2]ensemble.ServerID][]Packet{}}
	var members []ensemble.Member
	for i := 1; i <= voters+observers; i++ {
		id := ensemble.ServerID(i)
		members = append(members, ensemble.Member{ID: id, Observer: i > voters})
		b.servers[id] = &server{b: b, id: id, journal: NewJournal(Shape{}, Epochs{}, 0)}
	}
	view, err := ensemble.NewView(0, members)
	require.NoError(t, err)
	b.view = view
	return b
}

func (b *bench) config(id ensemble.ServerID) Config {
	return Config{Self: id, View: b.view, TickTime: time.Second, InitLimitTicks: 10, SyncLimitTicks: 5}
}

// history gives a server that does not run yet a log and epochs.
func (b *bench) history(id ensemble.ServerID, e Epochs, zxids ...ensemble.Zxid) {
	s := b.servers[id]
	s.log = nil
	shape, last := Shape{}, Position{}
	for _, z := range zxids {
		data := []byte(fmt.Sprint(z))
		last = Position{z, NextChain(last.Chain, z, Origin{}, data)}
		txn := Txn{Zxid: z, Data: data, Chain: last.Chain}
		s.log = append(s.log, txn)
		shape = shape.Append(txn)
	}
	s.epochs = e
	s.journal = NewJournal(shape, e, 0)
}

func (b *bench) lead(id ensemble.ServerID) *server {
	s := b.servers[id]
	var out Effects
	s.leader = Lead(b.config(id), s.journal, b.now, &out)
	s.perform(&out)
	return s
}

func (b *bench) follow(id, leader ensemble.ServerID) *server {
	s := b.servers[id]
	s.learner = Follow(b.config(id), s.journal, leader, b.now)
	b.servers[leader].input(LinkUp{Peer: id})
	s.input(LinkUp{Peer: leader})
	return s
}

func (s *server) input(in Input) {
	var out Effects
	s.journal.Observe(in)
	if s.leader != nil {
		s.leader.Step(s.b.now, in, &out)
	}
	if s.learner != nil {
		s.learner.Step(s.b.now, in, &out)
	}
	s.perform(&out)
}

func (s *server) perform(out *Effects) {
	for _, effect := range out.List {
		switch e := effect.(type) {
		case Append, SaveEpochs, Truncate, Install:
			if a, ok := e.(Append); ok {
				s.log = append(s.log, a.Txns...)
			}
			s.disk = append(s.disk, effect)
		case Send:
			for _, to := range e.To {
				s.trace = append(s.trace, fmt.Sprintf("->%d %v", to, e.Packet))
				s.b.links[[2]ensemble.ServerID{s.id, to}] = append(s.b.links[[2]ensemble.ServerID{s.id, to}], e.Packet)
			}
		case SendLog:
			kind := Proposal
			if e.Inform {
				kind = Inform
			}
			var txns []Txn
			for _, t := range s.log {
				if t.Zxid > e.After && t.Zxid <= e.UpTo {
					txns = append(txns, t)
				}
			}
			for _, to := range e.To {
				p := Packet{Type: kind, Txns: txns}
				s.trace = append(s.trace, fmt.Sprintf("->%d %v", to, p))
				s.b.links[[2]ensemble.ServerID{s.id, to}] = append(s.b.links[[2]ensemble.ServerID{s.id, to}], p)
			}
		case SendSnapshot:
			at, rest := Position{}, []Txn(nil)
			for _, t := range s.log {
				if t.Zxid <= s.journal.committed {
					at = Position{t.Zxid, t.Chain}
				} else if t.Zxid <= e.UpTo {
					rest = append(rest, t)
				}
			}
			plan := Packet{Type: Snap, At: at}
			if at.Zxid == 0 {
				plan = Packet{Type: Diff}
			}
			for _, p := range []Packet{plan, {Type: Proposal, Txns: rest}} {
				s.trace = append(s.trace, fmt.Sprintf("->%d %v", e.To, p))
				s.b.links[[2]ensemble.ServerID{s.id, e.To}] = append(s.b.links[[2]ensemble.ServerID{s.id, e.To}], p)
			}
		case Commit:
			s.trace = append(s.trace, fmt.Sprintf("commit %v", e.UpTo))
		case Established:
			s.established = e.Epoch
			s.trace = append(s.trace, fmt.Sprintf("established %d", e.Epoch))
		case Synchronized:
			s.synced = e
		case SyncPoint:
			s.points = append(s.points, e)
		case Drop:
			s.trace = append(s.trace, fmt.Sprintf("drop %d: %s", e.Peer, e.Reason))
			if l := s.b.servers[e.Peer]; l.learner != nil {
				l.input(LinkDown{Peer: s.id, Err: fmt.Errorf("dropped")})
			}
		case Resign:
			s.ended = e.Reason
		case Halt:
			s.ended, s.halted = e.Reason, true
		}
	}
	if !s.slow {
		s.finish()
	}
}

// finish lets the disk do all that waits.
func (s *server) finish() {
	for len(s.disk) > 0 {
		s.finishOne()
	}
}

// finishOne lets the disk do one thing.
func (s *server) finishOne() {
	effect := s.disk[0]
	s.disk = s.disk[1:]
	switch e := effect.(type) {
	case Append:
		s.trace = append(s.trace, fmt.Sprintf("synced %v", e.Txns[len(e.Txns)-1].Zxid))
		s.input(Durable{e.Ticket})
	case SaveEpochs:
		s.epochs = e.Epochs
		s.trace = append(s.trace, fmt.Sprintf("epochs %d/%d", e.Epochs.Accepted, e.Epochs.Current))
		s.input(Durable{e.Ticket})
	case Truncate:
		n := 0
		for n < len(s.log) && s.log[n].Zxid <= e.To {
			n++
		}
		last := Position{}
		if n > 0 {
			last = Position{s.log[n-1].Zxid, s.log[n-1].Chain}
		}
		// Proposals that came meanwhile are held by the core.
		s.log = s.log[:n]
		s.trace = append(s.trace, fmt.Sprintf("truncated %v", e.To))
		s.input(Truncated{e.Ticket, last})
	case Install:
		s.log = nil
		s.trace = append(s.trace, fmt.Sprintf("installed %v", e.At.Zxid))
		s.input(Installed(e))
	}
}

// deliver hands over the packets from one server to another; n < 0 means all,
// also those that come of it.
func (b *bench) deliver(from, to ensemble.ServerID, n int) {
	key := [2]ensemble.ServerID{from, to}
	for ; n != 0 && len(b.links[key]) > 0; n-- {
		p := b.links[key][0]
		b.links[key] = b.links[key][1:]
		frame, err := MarshalPacket(nil, &p)
		require.NoError(b.t, err)
		p, err = UnmarshalPacket(frame)
		require.NoError(b.t, err)
		b.servers[to].input(Received{From: from, Packet: p})
	}
}

// settle delivers everything until nothing is under way.
func (b *bench) settle() {
	for {
		quiet := true
		for from := range b.servers {
			for to := range b.servers {
				if len(b.links[[2]ensemble.ServerID{from, to}]) > 0 {
					quiet = false
					b.deliver(from, to, -1)
				}
			}
		}
		if quiet {
			return
		}
	}
}

func (b *bench) pass(d time.Duration) {
	for end := b.now + d; b.now < end; {
		b.now += 100 * time.Millisecond
		for id := ensemble.ServerID(1); int(id) <= len(b.servers); id++ {
			b.servers[id].input(Tick{})
		}
	}
}

func (s *server) propose(data ...string) {
	var entries []Entry
	for _, d := range data {
		entries = append(entries, Entry{Origin: Origin{s.id, 1}, Data: []byte(d)})
	}
	s.input(Propose{First: s.leader.NextZxid(), Entries: entries})
}
