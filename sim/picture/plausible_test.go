package picture

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

// plausible makes runs that look like real ones, without the protocol: a script
// says what happens, and this fills in the messages and the disks' work. Nothing
// here decides anything; package sim has the runs that mean something.
type plausible struct {
	rng     *rand.Rand
	now     time.Duration
	list    []check.Event
	message uint64
	servers map[ensemble.ServerID]*plausibleServer
	cuts    map[[2]ensemble.ServerID]bool
	leader  ensemble.ServerID
	members []ensemble.ServerID // that follow the leader, and itself
	epoch   ensemble.Epoch
	counter uint32
	round   int64

	history check.History
	moments []moment // of clients, to be numbered
	clients []*plausibleClient
}

type plausibleServer struct {
	life     int
	log      []check.Entry
	accepted ensemble.Epoch
	current  ensemble.Epoch
	observer bool
}

func newPlausible(seed uint64, servers int) *plausible {
	p := &plausible{
		rng: rand.New(rand.NewPCG(seed, 1)), now: 0, round: 0,
		servers: map[ensemble.ServerID]*plausibleServer{}, cuts: map[[2]ensemble.ServerID]bool{},
	}
	for i := range servers {
		p.servers[ensemble.ServerID(i+1)] = &plausibleServer{}
	}
	return p
}

func (p *plausible) ids() []ensemble.ServerID {
	var ids []ensemble.ServerID
	for i := range p.servers {
		ids = append(ids, i)
	}
	slices.Sort(ids)
	return ids
}

func (p *plausible) soon(least, most time.Duration) time.Duration {
	return least + time.Duration(p.rng.Int64N(int64(most-least)))
}

func (p *plausible) add(at time.Duration, node ensemble.ServerID, kind check.Kind, e check.Event) time.Duration {
	e.At, e.Node, e.Kind = at, node, kind
	if s := p.servers[node]; s != nil {
		e.Life = s.life
	}
	p.list = append(p.list, e)
	return at
}

func (p *plausible) up(id ensemble.ServerID) bool { return p.servers[id].life > 0 }

func (p *plausible) reach(a, b ensemble.ServerID) bool {
	return p.up(a) && p.up(b) && !p.cuts[[2]ensemble.ServerID{a, b}]
}

// send adds a packet and returns when it arrives, and whether.
func (p *plausible) send(at time.Duration, from, to ensemble.ServerID, format string, args ...any) (time.Duration, bool) {
	p.message++
	text, id := fmt.Sprintf(format, args...), p.message
	p.add(at, from, check.MessageSend, check.Event{Peer: to, Message: id, Text: text})
	got := at + p.soon(300*time.Microsecond, 2500*time.Microsecond)
	if !p.reach(from, to) {
		return got, false
	}
	p.add(got, to, check.MessageRecv, check.Event{Peer: from, Message: id, Text: text})
	return got, true
}

func (p *plausible) notify(at time.Duration, from, to ensemble.ServerID, v check.Vote) time.Duration {
	e := check.Event{Peer: to, Round: p.round, Vote: &v, State: ensemble.Looking}
	p.add(at, from, check.VoteSend, e)
	got := at + p.soon(time.Millisecond, 9*time.Millisecond)
	if p.reach(from, to) && p.rng.IntN(12) > 0 {
		e.Peer = from
		p.add(got, to, check.VoteRecv, e)
	}
	return got
}

func (p *plausible) boot(ids ...ensemble.ServerID) {
	for _, id := range ids {
		s := p.servers[id]
		life := 1
		for _, e := range p.list {
			if e.Node == id && e.Kind == check.Boot {
				life = e.Life + 1
			}
		}
		s.life = life
		at := p.now + p.soon(0, 60*time.Millisecond)
		p.add(at, id, check.Boot, check.Event{Accepted: s.accepted, Current: s.current, Log: slices.Clone(s.log), Mode: "clean"})
		p.add(at+time.Millisecond, id, check.RoleChange, check.Event{State: ensemble.Looking, Peer: ensemble.NoServer})
	}
	p.now += 70 * time.Millisecond
}

// elect lets ids vote, and the last of them with the longest log win.
func (p *plausible) elect(leader ensemble.ServerID, ids ...ensemble.ServerID) {
	p.round++
	own := func(id ensemble.ServerID) check.Vote {
		s := p.servers[id]
		return check.Vote{Leader: id, Zxid: last(s.log).Zxid, Epoch: s.current}
	}
	end := p.now
	for step, delay := range []time.Duration{0, 12 * time.Millisecond} {
		for _, from := range ids {
			if step == 1 && from == leader || p.servers[from].observer {
				continue
			}
			v := own(from)
			if step == 1 {
				v = own(leader)
			}
			at := p.now + delay + p.soon(0, 4*time.Millisecond)
			for _, to := range p.ids() {
				if to != from {
					end = max(end, p.notify(at, from, to, v))
				}
			}
		}
	}
	v := own(leader)
	for _, id := range ids {
		at := end + p.soon(time.Millisecond, 6*time.Millisecond)
		state := ensemble.Following
		if id == leader {
			state = ensemble.Leading
		} else if p.servers[id].observer {
			state = ensemble.Observing
		}
		p.add(at, id, check.Decide, check.Event{Round: p.round, Vote: &v, State: state})
		p.add(at, id, check.RoleChange, check.Event{State: state, Peer: leader})
	}
	p.now = end + 8*time.Millisecond
	p.leader, p.members, p.counter = leader, ids, 0
	for _, s := range p.servers {
		p.epoch = max(p.epoch, s.accepted)
	}
	p.epoch++
	p.discover()
}

func (p *plausible) discover() {
	l, begin := p.leader, p.now
	zero := ensemble.NewZxid(p.epoch, 0)
	settled := begin
	for _, f := range p.followers() {
		p.add(begin, f, check.LinkUp, check.Event{Peer: l})
		if got, ok := p.send(begin+time.Millisecond, f, l, "FOLLOWERINFO %v", ensemble.NewZxid(p.servers[f].accepted, 0)); ok {
			settled = max(settled, got)
		}
	}
	p.add(settled, l, check.EpochProposed, check.Event{Epoch: p.epoch, Voters: p.members})
	p.servers[l].accepted = p.epoch
	p.add(settled+3*time.Millisecond, l, check.EpochsDurable, check.Event{Accepted: p.epoch, Current: p.servers[l].current})
	done := settled
	for _, f := range p.followers() {
		done = max(done, p.synchronize(settled+3*time.Millisecond, f))
	}
	p.servers[l].current = p.epoch
	p.add(done, l, check.EpochsDurable, check.Event{Accepted: p.epoch, Current: p.epoch})
	end := last(p.servers[l].log)
	p.add(done+time.Millisecond, l, check.Established, check.Event{
		Epoch: p.epoch, State: ensemble.Leading, Zxid: end.Zxid, Chain: end.Chain, Voters: p.members,
	})
	for _, f := range p.followers() {
		p.welcome(done+2*time.Millisecond, f)
	}
	_ = zero
	p.now = done + 8*time.Millisecond
}

func (p *plausible) followers() []ensemble.ServerID {
	return slices.DeleteFunc(slices.Clone(p.members), func(id ensemble.ServerID) bool { return id == p.leader })
}

// synchronize gives one follower the epoch and the history.
func (p *plausible) synchronize(at time.Duration, f ensemble.ServerID) time.Duration {
	l, s, own := p.leader, p.servers[f], p.servers[p.leader].log
	at, _ = p.send(at, l, f, "LEADERINFO %v", ensemble.NewZxid(p.epoch, 0))
	s.accepted = p.epoch
	at = p.add(at+p.soon(time.Millisecond, 4*time.Millisecond), f, check.EpochsDurable, check.Event{Accepted: p.epoch, Current: s.current})
	p.add(at, f, check.EpochAck, check.Event{Epoch: p.epoch, Peer: l, Mode: "counted"})
	at, _ = p.send(at, f, l, "ACKEPOCH epoch=%d history=%v", s.current, last(s.log).Zxid)
	have := 0
	for have < len(s.log) && have < len(own) && s.log[have] == own[have] {
		have++
	}
	mode := "DIFF"
	if have < len(s.log) {
		mode = "TRUNC"
	}
	from := last(own[:have]).Zxid
	p.add(at, l, check.SyncPlan, check.Event{Peer: f, Mode: mode, Zxid: from, To: last(own).Zxid})
	at, _ = p.send(at, l, f, "%s %v", mode, from)
	if mode == "TRUNC" {
		p.add(at+2*time.Millisecond, f, check.LogTruncate, check.Event{Zxid: from})
		s.log = s.log[:have]
	}
	if missing := own[have:]; len(missing) > 0 {
		at, _ = p.send(at, l, f, "PROPOSAL %v-%v", missing[0].Zxid, last(missing).Zxid)
		p.add(at, f, check.LogAppend, check.Event{Log: missing})
		at = p.add(at+3*time.Millisecond, f, check.LogDurable, check.Event{Zxid: last(missing).Zxid})
		s.log = append(slices.Clone(s.log), missing...)
	}
	at, _ = p.send(at, l, f, "NEWLEADER %v end=%v", ensemble.NewZxid(p.epoch, 0), last(own).Zxid)
	s.current = p.epoch
	at = p.add(at+p.soon(time.Millisecond, 4*time.Millisecond), f, check.EpochsDurable, check.Event{Accepted: p.epoch, Current: p.epoch})
	p.add(at, f, check.NewLeaderAck, check.Event{Epoch: p.epoch, Peer: l})
	at, _ = p.send(at, f, l, "ACK %v", ensemble.NewZxid(p.epoch, 0))
	return at
}

func (p *plausible) welcome(at time.Duration, f ensemble.ServerID) {
	state := ensemble.Following
	if p.servers[f].observer {
		state = ensemble.Observing
	}
	end := last(p.servers[f].log)
	at, _ = p.send(at, p.leader, f, "UPTODATE %v", end.Zxid)
	p.add(at, f, check.Established, check.Event{Epoch: p.epoch, State: state, Zxid: end.Zxid, Chain: end.Chain})
	if end.Zxid != 0 {
		p.add(at, f, check.Committed, check.Event{Zxid: end.Zxid})
	}
}

// join lets a server follow the leader that is there.
func (p *plausible) join(f ensemble.ServerID) {
	p.round++
	at := p.now
	for _, to := range p.ids() {
		if to != f {
			p.notify(at, f, to, check.Vote{Leader: f, Zxid: last(p.servers[f].log).Zxid, Epoch: p.servers[f].current})
		}
	}
	at += 15 * time.Millisecond
	state := ensemble.Following
	if p.servers[f].observer {
		state = ensemble.Observing
	}
	p.add(at, f, check.RoleChange, check.Event{State: state, Peer: p.leader})
	p.add(at, f, check.LinkUp, check.Event{Peer: p.leader})
	at, _ = p.send(at+time.Millisecond, f, p.leader, "FOLLOWERINFO %v", ensemble.NewZxid(p.servers[f].accepted, 0))
	at = p.synchronize(at, f)
	p.welcome(at, f)
	p.members = append(slices.Clone(p.members), f)
	p.now = at + 5*time.Millisecond
}

func last(log []check.Entry) check.Entry {
	if len(log) == 0 {
		return check.Entry{}
	}
	return log[len(log)-1]
}

// write commits a transaction and returns its zxid and when each server applied
// it.
func (p *plausible) write(at time.Duration) (ensemble.Zxid, map[ensemble.ServerID]time.Duration) {
	l := p.leader
	p.counter++
	entry := check.Entry{Zxid: ensemble.NewZxid(p.epoch, p.counter), Chain: p.rng.Uint64()}
	one := check.Event{Log: []check.Entry{entry}}
	p.add(at, l, check.Proposed, check.Event{Epoch: p.epoch, Log: one.Log})
	var counted []time.Duration
	for _, id := range p.members {
		s := p.servers[id]
		got, ok := at, true
		if id != l {
			got, ok = p.send(at, l, id, "PROPOSAL %v-%v", entry.Zxid, entry.Zxid)
		}
		if !ok {
			continue
		}
		s.log = append(s.log, entry)
		p.add(got, id, check.LogAppend, one)
		done := p.add(got+p.soon(300*time.Microsecond, 3*time.Millisecond), id, check.LogDurable, check.Event{Zxid: entry.Zxid})
		if id != l && !s.observer {
			p.add(done, id, check.AckSend, check.Event{Peer: l, Zxid: entry.Zxid})
			if done, ok = p.send(done, id, l, "ACK %v", entry.Zxid); !ok {
				continue
			}
		}
		if !s.observer {
			p.add(done, l, check.AckCount, check.Event{Peer: id, Zxid: entry.Zxid})
			counted = append(counted, done)
		}
	}
	applied := map[ensemble.ServerID]time.Duration{}
	slices.Sort(counted)
	need := len(p.servers)/2 + 1
	if len(counted) < need {
		return entry.Zxid, applied
	}
	decided := counted[need-1]
	for _, id := range p.members {
		got, ok := decided, true
		if id != l {
			got, ok = p.send(decided, l, id, "COMMIT %v", entry.Zxid)
		}
		if ok {
			p.add(got, id, check.Committed, check.Event{Zxid: entry.Zxid})
			applied[id] = p.add(got+50*time.Microsecond, id, check.Delivered, check.Event{Zxid: entry.Zxid, Chain: entry.Chain})
		}
	}
	p.history.Txns = append(p.history.Txns, check.Txn{Zxid: entry.Zxid, At: decided})
	return entry.Zxid, applied
}

func (p *plausible) heartbeat() {
	for _, f := range p.followers() {
		if got, ok := p.send(p.now, p.leader, f, "PING %v id=%d", last(p.servers[f].log).Zxid, p.rng.IntN(1000)); ok {
			p.send(got, f, p.leader, "PING %v id=%d", last(p.servers[f].log).Zxid, p.rng.IntN(1000))
		}
	}
}

func (p *plausible) fault(node, peer ensemble.ServerID, format string, args ...any) {
	p.list = append(p.list, check.Event{At: p.now, Node: node, Peer: peer, Kind: check.Fault, Text: fmt.Sprintf(format, args...)})
}

func (p *plausible) look(why string, ids ...ensemble.ServerID) {
	for _, id := range ids {
		at := p.now + p.soon(0, 20*time.Millisecond)
		if id != p.leader {
			p.add(at, id, check.LinkDown, check.Event{Peer: p.leader})
		}
		p.add(at, id, check.RoleChange, check.Event{State: ensemble.Looking, Peer: ensemble.NoServer, Text: why})
	}
	p.now += 25 * time.Millisecond
}

// crash ends a server now: what it has not done by now it never does.
func (p *plausible) crash(id ensemble.ServerID, mode string) {
	gone := map[uint64]bool{}
	p.list = slices.DeleteFunc(p.list, func(e check.Event) bool {
		dead := e.Node == id && e.At > p.now
		if dead && e.Kind == check.MessageSend {
			gone[e.Message] = true
		}
		return dead
	})
	p.list = slices.DeleteFunc(p.list, func(e check.Event) bool { return e.Kind == check.MessageRecv && gone[e.Message] })
	p.add(p.now, id, check.Crash, check.Event{Mode: mode})
	p.servers[id].life = 0
	p.members = slices.DeleteFunc(slices.Clone(p.members), func(m ensemble.ServerID) bool { return m == id })
	for _, c := range p.clients {
		c.lose(p, id)
	}
}

// finish puts everything in order and numbers it.
func (p *plausible) finish() ([]check.Event, *check.History) {
	slices.SortStableFunc(p.list, func(a, b check.Event) int { return cmp.Compare(a.At, b.At) })
	for i := range p.list {
		p.list[i].Seq = i + 1
	}
	p.history.End = max(p.now, p.list[len(p.list)-1].At)
	p.number()
	return p.list, &p.history
}
