package sim_test

import (
	"flag"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/sim"
	"github.com/quorate/quorate/sim/check"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 1, "first seed")
	seedsFlag = flag.Int("sim.seeds", 40, "number of seeds")
)

// Random faults of all families, with every invariant checked at every step; then
// all is healed and the ensemble must make progress.
func TestRun_SafeThenAlive(t *testing.T) {
	var sum sim.Report
	for seed := *seedFlag; seed < *seedFlag+uint64(*seedsFlag); seed++ {
		r, err := sim.Run(sim.Varied(sim.Config{Time: 10 * time.Second}, seed))
		require.NoError(t, err)
		if r.Violation != nil {
			t.Fatal(r.Violation.Story())
		}
		sum.Add(r)
	}
	t.Logf("seeds %d to %d: %+v", *seedFlag, *seedFlag+uint64(*seedsFlag)-1, sum)
	for what, n := range map[string]int{
		"transactions": sum.Committed, "crashes": sum.Crashes, "recoveries": sum.Recoveries, "wipes": sum.Wipes,
		"requests": sum.Requests, "unknown outcomes": sum.Unanswered, "watch events": sum.Notices, "snapshots": sum.Snapshots,
	} {
		assert.Positive(t, n, "no %s: the world is too kind", what)
	}
}

// The same seed gives the same run, whatever else the machine does.
func TestRun_SameSeedSameRun(t *testing.T) {
	for seed := *seedFlag; seed < *seedFlag+6; seed++ {
		tell := func(procs int) (story []string, hash uint64) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			r, err := sim.Run(sim.Varied(sim.Config{Time: 4 * time.Second, Trace: func(ev *check.Event) {
				story = append(story, sim.Line(ev))
			}}, seed))
			require.NoError(t, err)
			return story, r.Hash
		}
		a, ha := tell(1)
		b, hb := tell(4)
		require.Equal(t, a, b, "seed %d", seed)
		assert.Equal(t, ha, hb)
		assert.NotEmpty(t, a)
		silent, err := sim.Run(sim.Varied(sim.Config{Time: 4 * time.Second}, seed))
		require.NoError(t, err)
		assert.Equal(t, ha, silent.Hash, "who looks must not change anything")
	}
}

// What the random world must reach now and then, or it searches in the wrong
// place.
func TestRun_ReachesWhatMatters(t *testing.T) {
	seen := map[string]int{}
	for seed := *seedFlag; seed < *seedFlag+60; seed++ {
		cfg := sim.Varied(sim.Config{Time: 15 * time.Second}, seed)
		cfg.Trace = func(ev *check.Event) {
			switch ev.Kind {
			case check.Fault, check.SyncPlan, check.SessionEvent, check.Crash:
				seen[string(ev.Kind)+" "+ev.Mode]++
			case check.Boot:
				seen["boot "+ev.Mode]++
			default:
				seen[string(ev.Kind)]++
			}
		}
		r, err := sim.Run(cfg)
		require.NoError(t, err)
		if r.Violation != nil {
			t.Fatal(r.Violation.Error())
		}
	}
	want := []string{
		"sync.plan DIFF", "sync.plan TRUNC", "sync.plan SNAP", "boot clean", "boot torn", "boot doubtful", "boot empty",
		"sess touch", "sess expire", "snap.save", "snap.install", "log.trunc", "disk.err", "crash kill", "crash power", "healed",
	}
	for _, f := range sim.Families {
		want = append(want, "fault "+string(f))
	}
	for _, w := range want {
		assert.Positive(t, seen[w], "%s: never happened in 60 seeds", w)
	}
}

func TestConfig_ValidateNamesEveryFault(t *testing.T) {
	_, err := sim.Run(sim.Config{Servers: 60, Time: -1, Loss: 2, Rate: -1, Clients: 999, TickTime: -1, SnapshotTxns: -1})
	for _, want := range []string{"60 servers", "Time", "Loss", "Rate", "999 clients", "TickTime", "SnapshotTxns"} {
		assert.ErrorContains(t, err, want)
	}
}

// A red run is cut down to a script that is red by itself.
func TestShrink_CutsARedRunDown(t *testing.T) {
	worst := func(challenger, incumbent fle.Vote) bool { return challenger.Leader > incumbent.Leader }
	for seed := uint64(1); ; seed++ {
		require.Less(t, seed, uint64(30), "no seed notices an election that ignores histories")
		cfg := sim.Varied(sim.Config{Time: 10 * time.Second, Better: worst}, seed)
		r, err := sim.Run(cfg)
		require.NoError(t, err)
		if r.Violation == nil {
			continue
		}
		tries := 0
		small, err := sim.Shrink(cfg, func() bool { tries++; return tries > 150 }, nil)
		require.NoError(t, err)
		assert.Equal(t, r.Violation.Invariant, small.Violation.Invariant)
		assert.LessOrEqual(t, small.Faults, small.Before)
		assert.Contains(t, small.Script, "finale")
		t.Logf("seed %d: %d faults cut down to %d in %d runs\n%s", seed, small.Before, small.Faults, small.Runs, small.Script)
		return
	}
}

func TestShrink_RefusesAGreenRun(t *testing.T) {
	_, err := sim.Shrink(sim.Config{Seed: 1, Time: time.Second}, func() bool { return false }, nil)
	assert.ErrorIs(t, err, sim.ErrGreen)
}

// Another order of votes that prefers the same histories is as good.
func TestRun_AHarmlessOrderOfVotesIsGreen(t *testing.T) {
	lowest := func(challenger, incumbent fle.Vote) bool {
		if challenger.PeerEpoch != incumbent.PeerEpoch {
			return challenger.PeerEpoch > incumbent.PeerEpoch
		}
		if challenger.Zxid != incumbent.Zxid {
			return challenger.Zxid > incumbent.Zxid
		}
		return challenger.Leader >= 0 && (incumbent.Leader < 0 || challenger.Leader < incumbent.Leader)
	}
	for seed := *seedFlag; seed < *seedFlag+6; seed++ {
		r, err := sim.Run(sim.Varied(sim.Config{Time: 6 * time.Second, Better: lowest}, seed))
		require.NoError(t, err)
		if r.Violation != nil {
			t.Fatal(r.Violation.Story())
		}
	}
}
