package sim

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
)

const second = time.Second

// Liveness is the name of the invariants that are not about safety: once all
// faults have ended, everybody must work again within a bound.
const Liveness = "V1"

// Config says what happens in a run. The same Config gives the same run.
type Config struct {
	Seed      uint64
	Servers   int // participants; 3 by default
	Observers int
	// Time is how long faults go on; 60 s of the simulated world by default.
	Time time.Duration
	// TickTime is that of the servers; 200 ms by default.
	TickTime time.Duration
	// EmptyDisks lets all servers begin with disks that nobody has declared to
	// be new, see zab.Epochs.Unsure.
	EmptyDisks bool
	// Loss is the share of election messages that are lost, 0 to 1.
	Loss float64
	// LastCounter is where an epoch ends because its zxids are used up; 0 means
	// after 2^32-1 transactions, which no run gets to.
	LastCounter uint32
	// SnapshotTxns is about how many transactions lie between two snapshots of a
	// server; 400 by default.
	SnapshotTxns int
	// Clients is how many clients there are, and Rate how many requests a second
	// each makes; 3 and 15 by default. Negative Clients are none.
	Clients int
	Rate    float64
	// Faults says what goes wrong; nil means that the seed chooses, and an empty
	// one that nothing does.
	Faults *Faults

	// Machine makes the replicated state machine of each process that starts; one
	// that is a Digester is compared with the others. Nil
	// means ZooKeeper's tree with its sessions and watches, served to simulated
	// clients by package server. With another machine there are no clients:
	// Request makes requests instead, Rate of them a second for each of Clients,
	// submitted at any server.
	Machine func(ensemble.ServerID) zab.StateMachine
	Request func(choose func(n int) int) []byte
	// View makes the ensemble's membership and quorum system of the members; nil
	// means the majority of the participants.
	View func([]ensemble.Member) (*ensemble.View, error)
	// Better says which of two votes is to be preferred, in place of the order of
	// epoch, zxid and sid; nil means that order. The checkers take it for the order
	// that is meant: it is red when it loses something, not because it is another.
	Better func(challenger, incumbent fle.Vote) bool

	// Stop, if not nil, is asked now and then whether the run is to end at once,
	// with ErrStopped: because somebody has lost interest. A run that goes on is the
	// same as without it.
	Stop func() bool
	// Trace, if not nil, gets every event, which it may keep. It has no influence
	// on the run.
	Trace func(*check.Event)
	// History, if not nil, gets what the clients saw, at the end.
	History func(*check.History)
}

// ErrStopped says that a run was ended by Config.Stop. Its report tells how far it
// came.
var ErrStopped = errors.New("sim: the run was stopped")

// stopEvents is how many events lie between two questions to Config.Stop: some
// milliseconds.
const stopEvents = 1024

// Report says what happened.
type Report struct {
	Seed       uint64
	Simulated  time.Duration
	Events     int // of the world
	Leaders    int // leaderships that were established
	Crashes    int
	Recoveries int // of servers that served again after a crash
	Wipes      int
	Faults     int // of all kinds
	Snapshots  int
	Committed  int            // transactions
	Connects   int            // of clients: sessions given or renewed
	Requests   int            // of clients, answered
	Unanswered int            // requests of clients whose outcome nobody knows
	Notices    int            // watch events
	Checked    map[string]int // how often each invariant was evaluated
	Hash       uint64         // of the whole story: equal for equal runs
	Violation  *Violation
}

// Add adds what happened in another run. The hash of both does not depend on
// their order.
func (r *Report) Add(other Report) {
	r.Simulated += other.Simulated
	r.Events += other.Events
	r.Leaders += other.Leaders
	r.Crashes += other.Crashes
	r.Recoveries += other.Recoveries
	r.Wipes += other.Wipes
	r.Faults += other.Faults
	r.Snapshots += other.Snapshots
	r.Committed += other.Committed
	r.Connects += other.Connects
	r.Requests += other.Requests
	r.Unanswered += other.Unanswered
	r.Notices += other.Notices
	r.Hash ^= other.Hash
	if r.Checked == nil {
		r.Checked = map[string]int{}
	}
	for name, n := range other.Checked {
		r.Checked[name] += n
	}
}

// Violation is an invariant that did not hold.
type Violation struct {
	check.Violation
	Seed uint64
	Last []check.Event // what happened before
}

// Error says what was violated.
func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d violates %s at %v: %s", v.Seed, v.Invariant, v.At, v.Violation.Error())
}

// Story returns the violation with what happened before it.
func (v *Violation) Story() string {
	var b strings.Builder
	for i := range v.Last {
		b.WriteString(Line(&v.Last[i]))
		b.WriteByte('\n')
	}
	b.WriteString(v.Error())
	return b.String()
}

// Varied returns the configuration of a seed in a series: every fourth runs five
// servers, every second an observer, every third begins with empty disks, and in
// every seventh epochs end after 100 transactions. Fields of base that are set
// stay.
func Varied(base Config, seed uint64) Config {
	base.Seed = seed
	if base.Servers == 0 {
		base.Servers = 3
		if seed%4 == 0 {
			base.Servers = 5
		}
		base.Observers = int(seed % 2)
	}
	base.EmptyDisks = base.EmptyDisks || seed%3 == 0
	if seed%7 == 0 && base.LastCounter == 0 {
		base.LastCounter = 100
	}
	return base
}

// Validate returns all faults of the configuration, joined.
func (c Config) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("sim: "+format, args...))
		}
	}
	fault(c.Servers < 0 || c.Observers < 0 || c.Servers+c.Observers > 50,
		"%d servers and %d observers: want at least one server and at most 50 in all", c.Servers, c.Observers)
	fault(c.Time < 0, "Time is %v: it must not be negative", c.Time)
	fault(c.TickTime < 0, "TickTime is %v: it must not be negative", c.TickTime)
	fault(c.Loss < 0 || c.Loss > 1, "Loss is %v: want 0 to 1", c.Loss)
	fault(c.SnapshotTxns < 0, "SnapshotTxns is %d: it must not be negative", c.SnapshotTxns)
	fault(!(c.Rate == 0 || c.Rate >= 0.01 && c.Rate <= 10_000), "Rate is %v requests a second: want 0.01 to 10,000, or 0 for the default", c.Rate)
	fault(c.Clients > 250, "%d clients: want at most 250", c.Clients)
	fault(c.Machine != nil && c.Request == nil && c.Clients >= 0,
		"a Machine of your own needs Request, which makes requests for it; or set Clients to -1")
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.Servers == 0 {
		c.Servers = 3
	}
	if c.Time == 0 {
		c.Time = time.Minute
	}
	if c.TickTime == 0 {
		c.TickTime = 200 * time.Millisecond
	}
	if c.SnapshotTxns == 0 {
		c.SnapshotTxns = 400
	}
	if c.Clients == 0 {
		c.Clients = 3
	}
	c.Clients = max(c.Clients, 0)
	if c.Rate == 0 {
		c.Rate = 15
	}
	return c
}

func (c Config) view() (*ensemble.View, error) {
	var members []ensemble.Member
	for i := 1; i <= c.Servers+c.Observers; i++ {
		members = append(members, ensemble.Member{ID: ensemble.ServerID(i), Observer: i > c.Servers})
	}
	if c.View != nil {
		v, err := c.View(members)
		if v == nil && err == nil {
			err = errors.New("sim: View returned nothing")
		}
		return v, err
	}
	return ensemble.NewView(0, members)
}

// Run runs a world: faults for Config.Time, then all is healed, and everybody
// must get to the same history. Whatever invariant is violated first ends the
// run and stands in the report.
func Run(cfg Config) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	w, err := newWorld(cfg.withDefaults())
	if err != nil {
		return Report{}, err
	}
	return w.playSeed()
}

// playSeed plays what the seed chooses.
func (w *world) playSeed() (Report, error) {
	return w.play(func() {
		w.chaos()
		w.finale()
	})
}

// play runs a story to its end, to the first violation, or until it is stopped.
func (w *world) play(story func()) (report Report, err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *Violation:
			w.report.Violation = v
		case error:
			if errors.Is(v, ErrStopped) {
				err = ErrStopped
				break
			}
			w.report.Violation = w.panicked(v)
		default:
			w.report.Violation = w.panicked(v)
		}
		report = w.finish()
	}()
	story()
	return
}

// panicked makes a violation of a panic: the process of a server would have
// ended by it, and that must not happen.
func (w *world) panicked(v any) *Violation {
	found := &Violation{Seed: w.cfg.Seed}
	found.Violation = check.Violation{Invariant: "V7", Rule: "no server panics", At: w.now, Text: fmt.Sprintf("panic: %v\n%s", v, debug.Stack())}
	return w.withContext(found)
}

// finish sums the run up.
func (w *world) finish() Report {
	r := w.report
	r.Simulated, r.Leaders, r.Committed, r.Hash = w.now, len(w.leaders), len(w.canon), w.hash.Sum64()
	if r.Checked == nil {
		r.Checked = map[string]int{}
	}
	for name, n := range w.cluster.Checked() {
		r.Checked[name] += n
	}
	w.history.End = w.now
	if w.cfg.History != nil {
		w.cfg.History(&w.history)
	}
	return r
}
