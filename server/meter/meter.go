package meter

import (
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/server/metric"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/zab"
)

// Meter follows the protocol of one server. Make one with New, and hand Hooks to
// its quorum.
type Meter struct {
	t    *metric.Table
	self ensemble.ServerID
	wall func() time.Time

	// Of the goroutine that steps the protocol:
	state     ensemble.State
	serving   bool
	looking   time.Duration // since when there is no role
	elected   time.Duration // when the role began
	committed ensemble.Zxid
	batches   []batch                   // logged in this role and still of interest, by zxid
	dropped   int                       // batches before them; the counts below are of all
	commits   int                       // batches committed
	synced    int                       // batches on our disk
	acked     map[ensemble.ServerID]int // batches that each learner has acknowledged
	syncing   map[ensemble.ServerID]zab.PacketType

	disk disk
}

// batch is what was appended to the log at once.
type batch struct {
	last   ensemble.Zxid
	ticket uint64
	at     time.Duration // when it was appended
	made   int64         // when its first transaction was made, by the leader's clock; ms
}

// batchesMax bounds what is remembered for the sake of learners that are behind.
const batchesMax = 4096

// tidyEvery is how many batches may lie around before somebody looks.
const tidyEvery = 256

// New returns a meter that records in t. wall tells the time of day; nil means
// time.Now.
func New(t *metric.Table, self ensemble.ServerID, wall func() time.Time) *Meter {
	if wall == nil {
		wall = time.Now
	}
	m := &Meter{t: t, self: self, wall: wall, acked: map[ensemble.ServerID]int{}, syncing: map[ensemble.ServerID]zab.PacketType{}}
	m.disk.t = t
	t.Lookings.Inc() // a server begins without a role
	return m
}

// Hooks returns what the quorum is to be told.
func (m *Meter) Hooks() quorum.Hooks {
	return quorum.Hooks{Event: m.Event, Loaded: m.disk.loaded, Snapshot: m.disk.snapshot, Storage: m.disk.trace()}
}

// Event takes in one protocol event. Calls must come one at a time, in order.
func (m *Meter) Event(e quorum.Event) {
	switch in := e.Input.(type) {
	case zab.Received:
		m.received(e.At, in)
	case zab.Durable:
		m.durable(e.At, in.Ticket)
	case zab.LinkDown:
		delete(m.syncing, in.Peer)
		delete(m.acked, in.Peer)
	}
	for _, effect := range e.Effects {
		switch f := effect.(type) {
		case quorum.RoleChange:
			m.role(e.At, f.State)
		case zab.Established:
			m.established(e.At)
		case zab.Synchronized:
			m.synchronized(e.At)
		case zab.Append:
			m.appended(e.At, f)
		case zab.Commit:
			m.commit(e.At, f.UpTo)
		case zab.Send:
			m.sent(f)
		case zab.SendSnapshot:
			m.synchronize(f.To, zab.Snap)
		}
	}
}

func (m *Meter) role(at time.Duration, state ensemble.State) {
	if state == ensemble.Looking {
		m.t.Lookings.Inc()
		m.looking = at
	} else {
		m.t.ElectionTime.Took(at - m.looking)
		m.elected = at
	}
	m.state, m.serving = state, false
	m.batches, m.dropped, m.commits, m.synced = nil, 0, 0, 0
	clear(m.acked)
	clear(m.syncing)
}

func (m *Meter) established(at time.Duration) {
	m.serving = true
	m.t.UnavailableTime.Took(at - m.looking)
	if m.state == ensemble.Leading {
		m.t.LeaderUnavailableTime.Took(at - m.looking)
	}
}

func (m *Meter) synchronized(at time.Duration) {
	if m.state == ensemble.Observing {
		m.t.ObserverSyncTime.Took(at - m.elected)
	} else {
		m.t.FollowerSyncTime.Took(at - m.elected)
	}
}

// appended notes a batch that goes into the log. On a leader that serves it is a
// proposal of its own.
func (m *Meter) appended(at time.Duration, a zab.Append) {
	m.t.Logged.Add(len(a.Txns))
	if len(a.Txns) == 0 {
		return
	}
	if m.state == ensemble.Leading && m.serving {
		m.t.Proposals.Add(len(a.Txns))
	}
	if len(m.batches) == batchesMax {
		m.forget(m.dropped + batchesMax/2)
	}
	m.batches = append(m.batches, batch{
		last: a.Txns[len(a.Txns)-1].Zxid, ticket: a.Ticket, at: at, made: proto.TxnTime(a.Txns[0].Data),
	})
}

// forget drops the batches before the n-th.
func (m *Meter) forget(n int) {
	if n <= m.dropped {
		return
	}
	m.batches = append(m.batches[:0], m.batches[n-m.dropped:]...)
	m.dropped = n
}

// tidy forgets what everybody who counts has, from time to time.
func (m *Meter) tidy() {
	if len(m.batches) < tidyEvery {
		return
	}
	n := min(m.commits, m.synced)
	for _, acked := range m.acked {
		n = min(n, acked)
	}
	m.forget(n)
}

// after visits the batches behind the n-th for as long as it wants, and returns
// up to where it went.
func (m *Meter) after(n int, visit func(b batch) bool) int {
	n = max(n, m.dropped)
	for n-m.dropped < len(m.batches) && visit(m.batches[n-m.dropped]) {
		n++
	}
	return n
}

// commit notes that everything up to a zxid is committed.
func (m *Meter) commit(at time.Duration, upTo ensemble.Zxid) {
	n := count(m.committed, upTo)
	leads := m.state == ensemble.Leading
	m.committed = max(m.committed, upTo)
	if !m.serving {
		return // history of before
	}
	if leads {
		m.t.Commits.Add(n)
	} else {
		m.t.LearnerCommits.Add(n)
	}
	m.commits = m.after(m.commits, func(b batch) bool {
		if b.last > upTo {
			return false
		}
		if leads {
			m.t.QuorumAckLatency.Took(at - b.at)
		} else {
			m.since(m.t.CommitPropagation, b.made)
		}
		return true
	})
	m.tidy()
}

// count returns how many zxids lie behind a up to b, of the epoch of b.
func count(a, b ensemble.Zxid) int {
	switch {
	case b <= a:
		return 0
	case a.Epoch() == b.Epoch():
		return int(b - a)
	}
	return int(b.Counter())
}

// since records the time from a moment by the leader's clock. Before it is
// nothing: two clocks that differ.
func (m *Meter) since(s *metric.Summary, made int64) {
	if d := m.wall().UnixMilli() - made; made > 0 && d >= 0 {
		s.Took(time.Duration(d) * time.Millisecond)
	}
}

// durable notes that the disk has everything up to a ticket: this server's own
// acknowledgement.
func (m *Meter) durable(at time.Duration, ticket uint64) {
	m.synced = m.after(m.synced, func(b batch) bool {
		if b.ticket > ticket {
			return false
		}
		m.t.QueueAndFlushTime.Took(at - b.at)
		m.since(m.t.ProposalAckLatency, b.made)
		if m.state == ensemble.Leading && m.serving {
			m.t.AckLatency.Get(m.self.String()).Took(at - b.at)
		}
		return true
	})
}

func (m *Meter) received(at time.Duration, in zab.Received) {
	p := &in.Packet
	switch p.Type {
	case zab.Proposal:
		if m.serving && len(p.Txns) > 0 {
			m.t.LearnerProposals.Add(len(p.Txns))
			m.since(m.t.ProposalLatency, proto.TxnTime(p.Txns[0].Data))
		}
	case zab.Ack:
		delete(m.syncing, in.From)
		m.ack(at, in.From, p.Zxid)
	}
}

// ack notes that a learner has everything up to a zxid. Its first one ends its
// synchronization and is not measured.
func (m *Meter) ack(at time.Duration, from ensemble.ServerID, zxid ensemble.Zxid) {
	n, known := m.acked[from]
	m.acked[from] = m.after(n, func(b batch) bool {
		if b.last > zxid {
			return false
		}
		if known {
			m.t.AckLatency.Get(from.String()).Took(at - b.at)
		}
		return true
	})
}

func (m *Meter) sent(s zab.Send) {
	if s.Packet.Type == zab.Diff || s.Packet.Type == zab.Trunc {
		for _, to := range s.To {
			m.synchronize(to, zab.Diff)
		}
	}
}

// synchronize notes that a learner begins to be synchronized.
func (m *Meter) synchronize(to ensemble.ServerID, how zab.PacketType) {
	m.syncing[to] = how
	n := int64(0)
	for _, other := range m.syncing {
		if other == how {
			n++
		}
	}
	if how == zab.Snap {
		m.t.Snaps.Inc()
		m.t.InflightSnaps.Observe(n)
	} else {
		m.t.Diffs.Inc()
		m.t.InflightDiffs.Observe(n)
	}
}
