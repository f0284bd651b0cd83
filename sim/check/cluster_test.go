package check

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

var (
	clusterSeed = flag.Uint64("check.cluster-seed", 1, "first seed of the legal runs of servers")
	clusterRuns = flag.Uint64("check.cluster-runs", 1000, "number of legal runs of servers")
)

var owed = Options{VotesAfterHealed: StormVotes - 1, LeaderWithin: time.Hour}

// judge lets a Cluster see a whole run.
func judge(view *ensemble.View, opts Options, events []Event) (*Cluster, *Violation) {
	c := NewCluster(view, opts)
	for i := range events {
		if v := c.Observe(&events[i]); v != nil {
			return c, v
		}
	}
	return c, c.Finish()
}

func TestCluster_LegalRunsRaiseNoAlarm(t *testing.T) {
	events, checked := 0, map[string]int{}
	for seed := *clusterSeed; seed < *clusterSeed+*clusterRuns; seed++ {
		view, run := legalRun(t, seed)
		c, v := judge(view, owed, run)
		if v != nil {
			tellLast(t, run, v.Seq)
			t.Fatalf("legal run of seed %d: %v (event %d)", seed, v, v.Seq)
		}
		events += len(run)
		for id, n := range c.Checked() {
			checked[id] += n
		}
	}
	t.Logf("seeds from %d: %d events; %v", *clusterSeed, events, checked)
	for _, r := range Invariants {
		if r.Where == ByCluster && r.ID != "V7" { // a legal server never halts
			assert.Positive(t, checked[r.ID], "%s was never evaluated", r.ID)
		}
	}
}

// tellLast prints the events that led to one.
func tellLast(t *testing.T, run []Event, seq int) {
	t.Helper()
	for _, ev := range run {
		if ev.Seq <= seq-40 || ev.Seq > seq {
			continue
		}
		ev.Log = nil
		vote := Vote{}
		if ev.Vote != nil {
			vote = *ev.Vote
		}
		t.Logf("%d %v.%d %s %+v %+v", ev.Seq, ev.Node, ev.Life, ev.Kind, ev, vote)
	}
}

// Every lie is told about many runs that have a place for it, and is seen in each
// as what it is.
func TestTamperings_AreFlaggedByTheIntendedInvariant(t *testing.T) {
	const runs, runsMax = 25, 1000
	told := map[string]int{}
	seed := *clusterSeed
	for ; seed < *clusterSeed+runsMax && !toldOften(told, runs); seed++ {
		view, run := legalRun(t, seed)
		pick := rand.New(rand.NewPCG(seed, 5)).IntN
		for _, lie := range Tamperings() {
			if told[lie.Name] == runs {
				continue
			}
			events, ok := lie.Do(pick, run)
			if !ok {
				continue
			}
			told[lie.Name]++
			_, v := judge(view, owed, events)
			if assert.NotNil(t, v, "seed %d: nobody notices that %s", seed, lie.Name) {
				assert.Equal(t, lie.Invariant, v.Invariant, "seed %d: %s: %v", seed, lie.Name, v)
			}
		}
		_, v := judge(view, owed, run)
		require.Nil(t, v, "seed %d: the run itself has been changed", seed)
	}
	for _, lie := range Tamperings() {
		assert.Equal(t, runs, told[lie.Name], "%s (%s) needs more runs", lie.Name, lie.Invariant)
	}
	t.Logf("%d tamperings of %d runs each, seeds %d to %d", len(Tamperings()), runs, *clusterSeed, seed)
}

func toldOften(told map[string]int, runs int) bool {
	for _, lie := range Tamperings() {
		if told[lie.Name] < runs {
			return false
		}
	}
	return true
}

// The table says the truth: a lie has been told about each invariant that is
// checked, and is flagged where the table says.
func TestInvariants_EachIsTriggeredWhereTheTableSays(t *testing.T) {
	where := map[string]string{}
	for _, r := range Invariants {
		assert.NotContains(t, where, r.ID, "twice in the table")
		assert.NotEmpty(t, r.Words, r.ID)
		assert.NotEmpty(t, r.Where, r.ID)
		where[r.ID] = r.Where
	}
	triggered := map[string]bool{"S6": true} // by Overdue, which has a test of its own
	for _, lie := range Tamperings() {
		assert.Equal(t, ByCluster, where[lie.Invariant], lie.Name)
		triggered[lie.Invariant] = true
	}
	for _, lie := range HistoryTamperings() {
		if lie.Invariant != "H3" { // both halves have one
			assert.Equal(t, ByWitness, where[lie.Invariant], lie.Name)
		}
		triggered[lie.Invariant] = true
	}
	for id, w := range where {
		assert.Equal(t, w == ByCluster || w == ByWitness, triggered[id], "%s is said to be checked by %s", id, w)
	}
}
