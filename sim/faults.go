package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// Family is a kind of fault.
type Family string

// The families of faults, with the ids that they have in docs/testing.md.
const (
	Kill       Family = "kill"       // the process ends; what it wrote stays (P1)
	Power      Family = "power"      // the machine loses power: of what was not synced a legal part stays (D1)
	Torn       Family = "torn"       // likewise, and sectors are written in any order (D2)
	Blackout   Family = "blackout"   // all machines lose power at once (P1)
	AtWrite    Family = "at-write"   // power is lost in the middle of an operation of the disk (P2)
	Pause      Family = "pause"      // SIGSTOP, SIGCONT (P3)
	Cut        Family = "cut"        // two servers do not reach each other (N4)
	Isolate    Family = "isolate"    // a server reaches no other one, clients reach it (N1)
	OneWay     Family = "one-way"    // one direction between two servers is silent (N3)
	Port       Family = "port"       // one port of a server is silent (N5)
	Reset      Family = "reset"      // the quorum link of two servers is reset (N10)
	Clients    Family = "clients"    // clients do not reach a server (N2)
	Flap       Family = "flap"       // two servers lose each other again and again (N7)
	Loss       Family = "loss"       // votes are lost (N8)
	Delay      Family = "delay"      // messages take long (N8)
	Bandwidth  Family = "bandwidth"  // links are narrow (N9)
	SlowDisk   Family = "slow-disk"  // a disk takes long (D7)
	StuckDisk  Family = "stuck-disk" // a disk does nothing (D7)
	DiskError  Family = "disk-error" // an operation of a disk fails: EIO (D5)
	DiskFull   Family = "disk-full"  // ENOSPC (D6)
	Wipe       Family = "wipe"       // a machine gets an empty disk (D8)
	Rollback   Family = "rollback"   // a disk goes back to an older copy of itself (D9)
	Damage     Family = "damage"     // a bit of a file changes (D3)
	WallClock  Family = "wall-clock" // the wall clock jumps (T1, T2)
	Drift      Family = "drift"      // the monotonic clock is fast or slow (T3)
	LateTimers Family = "late"       // timers are late (T4)
)

// Families are all families of faults.
var Families = []Family{
	Kill, Power, Torn, Blackout, AtWrite, Pause, Cut, Isolate, OneWay, Port, Reset, Clients, Flap, Loss, Delay, Bandwidth,
	SlowDisk, StuckDisk, DiskError, DiskFull, Wipe, Rollback, Damage, WallClock, Drift, LateTimers,
}

// Faults says what goes wrong in a run.
type Faults struct {
	// Families are what may happen; none means that nothing does.
	Families []Family
	// Interval is the mean time between two faults; 500 ms by default.
	Interval time.Duration
	// Triggered is the share of faults that wait for an event of the protocol and
	// come right behind it, 0 to 1.
	Triggered float64
}

// swarm chooses the faults of a seed: mostly a random subset of the families; one
// family only for every fifth seed, and none for every tenth.
func swarm(rng *rand.Rand) Faults {
	f := Faults{Triggered: 0.5}
	f.Interval = time.Duration(float64(100*time.Millisecond) * math.Exp(rng.Float64()*math.Log(30)))
	switch n := rng.IntN(10); {
	case n == 0:
	case n <= 2:
		f.Families = []Family{Families[rng.IntN(len(Families))]}
	default:
		share := 0.15 + rng.Float64()*0.7
		for _, one := range Families {
			if rng.Float64() < share {
				f.Families = append(f.Families, one)
			}
		}
	}
	return f
}

// Action is a fault with all that it needs to happen in just the same way again.
type Action struct {
	Family Family
	Server ensemble.ServerID
	Peer   ensemble.ServerID // of Cut, OneWay, Reset, Flap
	Port   string            // election, quorum or client, of Port; of Cut "" is all
	For    time.Duration     // how long, or how long the server stays down
	Salt   uint64            // the randomness of what it does inside
}

// String prints the action as a line of a script.
func (a Action) String() string {
	s := string(a.Family)
	if a.Server != 0 {
		s += fmt.Sprintf(" %d", a.Server)
	}
	if a.Peer != 0 {
		s += fmt.Sprintf(" %d", a.Peer)
	}
	if a.Port != "" {
		s += " " + a.Port
	}
	if a.For != 0 {
		s += " for " + a.For.String()
	}
	return s + fmt.Sprintf(" salt %d", a.Salt)
}

// act makes a fault happen now.
func (w *world) act(a Action) {
	rng := rand.New(rand.NewPCG(w.cfg.Seed, a.Salt))
	h := w.host(a.Server)
	if h == nil && a.Family != Blackout && a.Family != Loss && a.Family != Delay && a.Family != Bandwidth {
		return
	}
	w.report.Faults++
	w.faultEvent(a)
	switch a.Family {
	case Kill, Power, Torn, Blackout, AtWrite, Pause:
		w.actProcess(a, h, rng)
	case Cut, Isolate, OneWay, Port, Reset, Clients, Flap, Loss, Delay, Bandwidth:
		w.actNetwork(a, h, rng)
	case SlowDisk, StuckDisk, DiskError, DiskFull, Wipe, Rollback, Damage:
		w.actDisk(a, h, rng)
	case WallClock:
		h.wall += time.Duration((rng.Float64() - 0.5) * float64(2*time.Hour))
		if rng.IntN(4) == 0 {
			h.wall += time.Duration(rng.IntN(20)-10) * 365 * 24 * time.Hour
		}
	case Drift:
		h.setDrift(0.5 + 1.5*rng.Float64())
		w.after(a.For, func() { h.setDrift(1) })
	case LateTimers:
		h.late = time.Duration(rng.IntN(300)) * time.Millisecond
		w.after(a.For, func() { h.late = 0 })
	}
}

func (w *world) actProcess(a Action, h *host, rng *rand.Rand) {
	choose := func(n int) int { return rng.IntN(n + 1) }
	switch a.Family {
	case Kill:
		h.crash(kill, nil)
		w.after(a.For, h.startUnlessKept)
	case Power:
		h.crash(power, boosted(rng))
		w.after(a.For, h.startUnlessKept)
	case Torn:
		h.crash(torn, choose)
		w.after(a.For, h.startUnlessKept)
	case Blackout:
		for _, h := range w.hosts {
			h.crash(power, boosted(rng))
			w.after(a.For+time.Duration(rng.IntN(300))*time.Millisecond, h.startUnlessKept)
		}
	case AtWrite:
		h.loseWithin(1+rng.IntN(30), boosted(rng), a.For)
	case Pause:
		h.pause()
		w.after(a.For, h.resume)
	}
}

// boosted is what survives a crash: often nothing or everything of a thing.
func boosted(rng *rand.Rand) func(int) int {
	return func(n int) int {
		switch rng.IntN(4) {
		case 0:
			return 0
		case 1:
			return n
		}
		return rng.IntN(n + 1)
	}
}

func (w *world) actNetwork(a Action, h *host, rng *rand.Rand) {
	n := w.net
	both := func(ch channel, x, y ensemble.ServerID) []direction {
		return []direction{{ch, x, y}, {ch, y, x}}
	}
	var ways []direction
	switch a.Family {
	case Cut, Flap:
		ways = append(both(electionPort, a.Server, a.Peer), both(quorumPort, a.Server, a.Peer)...)
	case OneWay:
		ways = []direction{{electionPort, a.Server, a.Peer}, {quorumPort, a.Server, a.Peer}}
	case Isolate:
		for _, id := range w.ids() {
			ways = append(append(ways, both(electionPort, a.Server, id)...), both(quorumPort, a.Server, id)...)
		}
	case Port:
		for _, id := range w.ids() {
			if i := slices.Index(channelNames[:], a.Port); i >= 0 {
				ways = append(ways, both(channel(i), a.Server, id)...)
			}
		}
	case Clients:
		ways = both(clientPort, a.Server, anybody)
	case Reset:
		if p := h.proc; p != nil && p.links[a.Peer] != nil {
			p.links[a.Peer].fail()
		}
		return
	case Loss:
		n.loss = 0.05 + rng.Float64()*0.5
		w.after(a.For, func() { n.loss = w.cfg.Loss })
		return
	case Delay:
		n.delay = time.Duration(5+rng.IntN(150)) * time.Millisecond
		w.after(a.For, func() { n.delay = normalDelay })
		return
	case Bandwidth:
		n.bandwidth = 4_000 << rng.IntN(6)
		w.after(a.For, func() { n.bandwidth = 0 })
		return
	}
	times, span := 1, a.For
	if a.Family == Flap {
		times, span = 2+rng.IntN(5), a.For/4
	}
	// The connections wait, or break; then both ends hear of it, or only the other
	// servers do, or some do: a connection may die half.
	breaks, hearing := rng.IntN(2) == 0, rng.IntN(3)
	hears := func(id ensemble.ServerID) bool {
		return hearing == 0 || hearing == 1 && id != a.Server || hearing == 2 && rng.IntN(4) > 0
	}
	for i := range times {
		w.after(2*time.Duration(i)*span, func() {
			if w.healed {
				return
			}
			for _, d := range ways {
				n.block(d)
				if breaks {
					w.breakLink(d, hears)
				}
			}
		})
		w.after(2*time.Duration(i)*span+span, func() {
			for _, d := range ways {
				n.open(d)
			}
		})
	}
}

// breakLink breaks the quorum link in a direction. Who hears of it is told by
// the network; the others find out by themselves.
func (w *world) breakLink(d direction, hears func(ensemble.ServerID) bool) {
	h := w.host(d.from)
	if d.ch != quorumPort || h == nil || h.proc == nil {
		return
	}
	if e := h.proc.links[d.to]; e != nil && e.stream.open {
		e.stream.open, e.stream.lost = false, true
		for _, one := range []*end{e, e.other} {
			if hears(one.p.h.id) {
				one.p.after(w.net.some()*5, one.hangUp)
			}
		}
	}
}

func (w *world) actDisk(a Action, h *host, rng *rand.Rand) {
	switch a.Family {
	case SlowDisk:
		h.slow = time.Duration(10+rng.IntN(150)) * time.Millisecond
		w.after(a.For, func() { h.slow = 0 })
	case StuckDisk:
		h.stuck = true
		w.after(a.For, func() { h.stuck = false })
	case DiskError:
		h.failWithin(1+rng.IntN(20), syscall.EIO)
	case DiskFull:
		h.fill(int64(rng.IntN(8 << 10)))
		w.after(a.For, h.makeRoom)
	case Wipe, Damage, Rollback:
		if w.doubtful() {
			return // two disks at once may be more than an ensemble can lose
		}
		switch a.Family {
		case Wipe:
			h.crash(kill, nil)
			h.wipe()
		case Damage:
			h.crash(kill, nil)
			h.damage(rng)
		case Rollback:
			if !h.rollback() {
				return
			}
		}
		w.after(a.For, h.startUnlessKept)
	}
}

// doubtful reports whether some disk may have lost what was durable, and its
// server has not been synchronized since.
func (w *world) doubtful() bool {
	return slices.ContainsFunc(w.hosts, func(h *host) bool { return h.doubt })
}
