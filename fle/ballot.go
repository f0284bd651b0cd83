package fle

import (
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// Defaults of Config.
const (
	DefaultFinalizeWait = 200 * time.Millisecond
	DefaultIntervalMin  = 200 * time.Millisecond
	DefaultIntervalMax  = time.Second
)

// Config describes a ballot.
type Config struct {
	// Server is this server. It need not be in the view; then it looks for a
	// leader as an observer does.
	Server ensemble.ServerID
	// View is the committed view.
	View *ensemble.View
	// FinalizeWait is how long the ballot waits for better news once a quorum
	// agrees, if it has not heard everybody before. 0 means 200 ms.
	FinalizeWait time.Duration
	// IntervalMin is the time after which a ballot without a decision repeats
	// its notification; the time doubles up to IntervalMax and begins anew when
	// something changes. 0 means 200 ms and 1 s. ZooKeeper's maximum is 60 s, so
	// a healed network may go unnoticed for a minute; a notification is a few
	// hundred bytes, and one a second to each server costs nothing.
	IntervalMin, IntervalMax time.Duration
	// Better says whether the challenger is to be preferred to the incumbent, for
	// experiments; nil means ZooKeeper's order: by epoch, then zxid, then sid. It
	// must be a strict order of all votes, the same on every server. Broadcast is
	// safe only if what it prefers holds all that a quorum may have committed.
	Better func(challenger, incumbent Vote) bool
	// Trace may be nil.
	Trace *Trace
}

// Validate reports all faults of the configuration, joined.
func (c Config) Validate() error {
	var faults []error
	if c.Server < 0 {
		faults = append(faults, fmt.Errorf("fle: Server is %d; want an id of 0 or more", c.Server))
	}
	if c.View == nil {
		faults = append(faults, errors.New("fle: View is nil; a ballot needs to know the voters"))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"FinalizeWait", c.FinalizeWait}, {"IntervalMin", c.IntervalMin}, {"IntervalMax", c.IntervalMax}} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("fle: %s is %v; want 0 (the default) or more", d.name, d.value))
		}
	}
	if c = c.withDefaults(); c.IntervalMin > c.IntervalMax {
		faults = append(faults, fmt.Errorf("fle: IntervalMin %v is more than IntervalMax %v", c.IntervalMin, c.IntervalMax))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.FinalizeWait == 0 {
		c.FinalizeWait = DefaultFinalizeWait
	}
	if c.IntervalMin == 0 {
		c.IntervalMin = DefaultIntervalMin
	}
	if c.IntervalMax == 0 {
		c.IntervalMax = max(DefaultIntervalMax, c.IntervalMin)
	}
	return c
}

// Ballot is one server's part in fast leader election, as a pure state machine:
// the same inputs at the same times give the same effects. It may be used by
// one goroutine at a time.
type Ballot struct {
	cfg    Config
	self   ensemble.ServerID
	view   *ensemble.View
	config string // text of the view

	started bool
	state   ensemble.State
	unsure  bool
	mute    bool  // asks for the leader, and neither votes nor counts votes
	round   int64 // never decreases
	vote    Vote  // LOOKING: the best vote so far; else the outcome

	initial     Vote  // this server's vote for itself
	votes       tally // of this round, this server's own among them (recvset)
	established tally // of servers that follow or lead, of any round (outofelection)
	down        map[ensemble.ServerID]bool

	finalizing bool
	finalizeAt time.Duration
	interval   time.Duration
	resendAt   time.Duration
}

// NewBallot returns a ballot that waits for Start.
func NewBallot(cfg Config) (*Ballot, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := &Ballot{
		cfg: cfg.withDefaults(), self: cfg.Server,
		vote: nobody(0), initial: nobody(0),
		votes: tally{}, established: tally{}, down: map[ensemble.ServerID]bool{},
	}
	b.useView(cfg.View)
	return b, nil
}

// beats reports whether the challenger is to be preferred to the incumbent.
func (b *Ballot) beats(challenger, incumbent Vote) bool {
	if b.cfg.Better != nil {
		return b.cfg.Better(challenger, incumbent)
	}
	return beats(b.view, challenger, incumbent)
}

// State returns what the server is doing; Looking before the first Start.
func (b *Ballot) State() ensemble.State { return b.state }

// Vote returns the best vote so far while LOOKING, and else the outcome.
func (b *Ballot) Vote() Vote { return b.vote }

// Round returns the current round, or the last one; 0 before the first Start.
func (b *Ballot) Round() int64 { return b.round }

// Unsure reports whether this server's votes vouch for nothing.
func (b *Ballot) Unsure() bool { return b.unsure }

// View returns the committed view.
func (b *Ballot) View() *ensemble.View { return b.view }

// Deadline returns when the next Tick is due, and false if none is.
func (b *Ballot) Deadline() (time.Duration, bool) {
	if !b.started || b.state != ensemble.Looking {
		return 0, false
	}
	if b.finalizing {
		return min(b.finalizeAt, b.resendAt), true
	}
	return b.resendAt, true
}

// Step takes one input and adds what is to be done to out. The time counts from
// any fixed moment and must not go backwards.
func (b *Ballot) Step(now time.Duration, in Input, out *Effects) {
	switch in := in.(type) {
	case Start:
		b.start(now, in, out)
	case Receive:
		b.receive(now, in.From, in.Notification, out)
	case Tick:
		b.tick(now, in.Delivered, out)
	case Reachable:
		b.reachable(now, in, out)
	case Settled:
		if b.started && b.state != ensemble.Looking {
			b.vote.PeerEpoch = in.Epoch
			b.unsure = false
		}
	case SetView:
		b.useView(in.View)
		if b.started && b.state == ensemble.Looking {
			b.mute = !b.votesHere()
			clear(b.established)
			b.beginRound(now, b.round+1)
			b.broadcast(out)
			b.conclude(now, out)
		}
	}
}

func (b *Ballot) useView(view *ensemble.View) {
	b.view = view
	b.config = view.String()
	if len(b.config) > ConfigBytesMax {
		b.config = ""
	}
	for s := range b.down {
		if !view.IsVoter(s) {
			delete(b.down, s)
		}
	}
}

func (b *Ballot) start(now time.Duration, in Start, out *Effects) {
	b.started = true
	b.state = ensemble.Looking
	b.unsure = in.Unsure
	b.initial = Vote{Leader: b.self, Zxid: in.Zxid, PeerEpoch: in.Epoch}
	if in.Unsure {
		// An epoch vouches for the history before it. Who is unsure can only
		// vouch for the epoch of the last transaction that it still has.
		b.initial.PeerEpoch = min(in.Epoch, in.Zxid.Epoch())
	}
	b.mute = !b.votesHere()
	clear(b.established)
	b.beginRound(now, b.round+1)
	b.broadcast(out)
	b.conclude(now, out)
}

func (b *Ballot) votesHere() bool {
	return b.view.IsVoter(b.self) && b.initial.Zxid >= 0
}

// beginRound enters a round with nothing but this server's own vote for itself.
func (b *Ballot) beginRound(now time.Duration, round int64) {
	b.round = min(round, RoundMax)
	b.initial.Round = b.round
	clear(b.votes)
	own := b.initial
	if b.mute {
		own = nobody(b.round)
	}
	b.cfg.Trace.roundStarted(b.round, own)
	b.setVote(now, own)
}

// setVote makes v this server's vote and counts it. The caller broadcasts.
func (b *Ballot) setVote(now time.Duration, v Vote) {
	b.vote = v
	if !b.mute {
		b.votes[b.self] = cast{Vote: v, state: ensemble.Looking, unsure: b.unsure}
	}
	b.finalizing = false
	b.resetBackOff(now)
}

func (b *Ballot) resetBackOff(now time.Duration) {
	b.interval = b.cfg.IntervalMin
	b.resendAt = now + b.interval
}

func (b *Ballot) tick(now time.Duration, delivered bool, out *Effects) {
	if !b.started || b.state != ensemble.Looking {
		return
	}
	if b.conclude(now, out) || now < b.resendAt {
		return
	}
	if delivered {
		b.broadcast(out)
	} else {
		out.Connect = true
	}
	b.interval = min(2*b.interval, b.cfg.IntervalMax)
	if mutant.On(mutant.M36) {
		b.interval = 0
	}
	b.resendAt = now + b.interval
}

func (b *Ballot) reachable(now time.Duration, in Reachable, out *Effects) {
	if in.Sid == b.self || !b.view.IsVoter(in.Sid) {
		return
	}
	b.down[in.Sid] = !in.Up
	if !in.Up {
		// A vote stays a vote, but that it leads or follows may be over.
		delete(b.established, in.Sid)
		if c, ok := b.votes[in.Sid]; ok && c.state != ensemble.Looking {
			delete(b.votes, in.Sid)
		}
	}
	if !b.started || b.state != ensemble.Looking {
		return
	}
	if in.Up {
		b.notify(in.Sid, out)
		b.resetBackOff(now)
	}
	b.conclude(now, out)
}

// conclude ends the round if the votes for this server's own vote allow it, and
// reports whether it did.
func (b *Ballot) conclude(now time.Duration, out *Effects) bool {
	if b.mute || !b.votes.enough(b.view, b.vote, ensemble.Looking) {
		b.finalizing = false
		return false
	}
	if !b.finalizing {
		b.finalizing = true
		b.finalizeAt = now + b.cfg.FinalizeWait
		b.cfg.Trace.quorumSeen(b.vote)
	}
	if now < b.finalizeAt && !b.heardEverybody() {
		return false
	}
	b.decide(b.vote, b.votes.supporters(b.view, b.vote, ensemble.Looking), out)
	return true
}

// heardEverybody reports whether no voter is left that could bring better news:
// each has voted in this round or cannot be reached.
func (b *Ballot) heardEverybody() bool {
	for _, s := range b.view.Voters() {
		if _, voted := b.votes[s]; !voted && !b.down[s] && b.view.Weight(s) > 0 {
			return false
		}
	}
	return true
}

func (b *Ballot) decide(v Vote, supporters []ensemble.ServerID, out *Effects) {
	switch {
	case v.Leader == b.self:
		b.state = ensemble.Leading
	case b.view.IsVoter(b.self):
		b.state = ensemble.Following
	default:
		b.state = ensemble.Observing
	}
	b.vote = v
	b.round = max(b.round, v.Round)
	b.finalizing = false
	clear(b.votes)
	clear(b.established)
	d := Decision{Vote: v, State: b.state, Supporters: supporters}
	b.cfg.Trace.decided(d)
	out.Decide = &d
}

// broadcast sends the current notification to all other voters, ascending.
func (b *Ballot) broadcast(out *Effects) {
	for _, s := range b.view.Voters() {
		if s != b.self {
			b.notify(s, out)
		}
	}
}

func (b *Ballot) notify(to ensemble.ServerID, out *Effects) {
	n := Notification{
		Vote: b.vote, State: b.state, Unsure: b.unsure,
		ViewVersion: b.view.Version(), Config: b.config,
	}
	b.cfg.Trace.sent(to, n)
	out.Notify = append(out.Notify, Outgoing{To: to, Notification: n})
}
