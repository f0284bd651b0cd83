package check

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

// The caller may reuse an event and all that it points to.
func TestCluster_KeepsNothingOfAnEvent(t *testing.T) {
	for seed := *clusterSeed; seed < *clusterSeed+30; seed++ {
		view, run := legalRun(t, seed)
		c := NewCluster(view, owed)
		var ev Event
		var vote Vote
		var log []Entry
		for i := range run {
			ev = run[i]
			log = append(log[:0], run[i].Log...)
			ev.Log = log
			if run[i].Vote != nil {
				vote = *run[i].Vote
				ev.Vote = &vote
			}
			require.Nil(t, c.Observe(&ev), "seed %d, event %d", seed, i+1)
			clear(log)
			vote = Vote{99, 99, 99}
		}
		require.Nil(t, c.Finish())
	}
}

func TestCluster_TheFirstViolationStays(t *testing.T) {
	view, run := legalRun(t, *clusterSeed)
	c := NewCluster(view, owed)
	first := c.Observe(&Event{Seq: 2})
	require.NotNil(t, first)
	assert.Equal(t, "H1", first.Invariant)
	assert.Same(t, first, c.Observe(&run[0]))
	assert.Same(t, first, c.Finish())
	assert.Contains(t, first.Error(), "event 2 comes behind event 0")
}

func TestCluster_CommittedCounts(t *testing.T) {
	view, run := legalRun(t, *clusterSeed)
	c, v := judge(view, owed, run)
	require.Nil(t, v)
	n, last := c.Committed()
	var want ensemble.Zxid
	for _, ev := range run {
		if ev.Kind == Committed {
			want = max(want, ev.Zxid)
		}
	}
	assert.Equal(t, want, last)
	assert.Positive(t, n)
}

// Nothing that a trace says makes the checker panic.
func FuzzCluster(f *testing.F) {
	f.Add(uint64(1), uint64(7), uint8(3))
	f.Fuzz(func(t *testing.T, seed, noise uint64, times uint8) {
		view, run := legalRun(t, seed%50)
		rng := rand.New(rand.NewPCG(noise, seed))
		for range times {
			garble(rng, run)
		}
		c := NewCluster(view, Options{VotesAfterHealed: 10, LeaderWithin: time.Second})
		for i := range run {
			run[i].Seq, run[i].At = c.seq+1, time.Duration(i)
			if v := c.Observe(&run[i]); v != nil {
				assert.NotEmpty(t, v.Text)
				assert.NotEmpty(t, v.Rule)
			}
			c.verdict = nil // on with it
		}
		c.Finish()
	})
}

// garble puts nonsense into a trace: fields of one event into another, events
// out of place, numbers at their ends.
func garble(rng *rand.Rand, run []Event) {
	i, j := rng.IntN(len(run)), rng.IntN(len(run))
	a, b := &run[i], &run[j]
	odd := []int64{0, -1, 1, 1 << 32, 1<<63 - 1, -1 << 63}
	z := ensemble.Zxid(odd[rng.IntN(len(odd))])
	switch rng.IntN(12) {
	case 0:
		*a, *b = *b, *a
	case 1:
		a.Kind = b.Kind
	case 2:
		a.Node, a.Life = b.Node, b.Life
	case 3:
		a.Zxid, a.Chain, a.To, a.Snap = b.Zxid, b.Chain, b.To, b.Snap
	case 4:
		a.Zxid, a.To = z, z
	case 5:
		a.Epoch, a.Accepted, a.Current = b.Epoch, b.Accepted, ensemble.Epoch(z)
	case 6:
		a.Log = b.Log
	case 7:
		a.Log = append(slices.Clone(a.Log), Entry{z, 1})
	case 8:
		a.Vote, a.Round = b.Vote, b.Round
	case 9:
		a.Vote = &Vote{ensemble.ServerID(z), z, ensemble.Epoch(z)}
	case 10:
		a.Peer, a.State, a.Mode = b.Peer, ensemble.State(rng.IntN(6)), b.Mode
	case 11:
		a.Voters, a.Life = b.Voters, int(z)
	}
}

func BenchmarkCluster(b *testing.B) {
	view, run := legalRun(b, 3)
	b.ReportAllocs()
	for b.Loop() {
		if _, v := judge(view, owed, run); v != nil {
			b.Fatal(v)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(run)), "ns/event")
}

// Millions of events a minute go through: none may cost memory of its own.
func TestCluster_AllocatesPerLeadershipAndNotPerEvent(t *testing.T) {
	view, run := legalRun(t, 3)
	leaders := 0
	for _, ev := range run {
		if ev.Kind == EpochProposed {
			leaders++
		}
	}
	allocs := testing.AllocsPerRun(5, func() { _, _ = judge(view, owed, run) })
	setUp := testing.AllocsPerRun(5, func() { NewCluster(view, owed) })
	t.Logf("%.0f allocations, %.0f of them before the first of %d events, %d leaders", allocs, setUp, len(run), leaders)
	assert.Less(t, allocs-setUp, float64(20*leaders+60))
}
