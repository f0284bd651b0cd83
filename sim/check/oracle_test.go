package check

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

// disks returns a Cluster whose servers have disks at random: behind what is
// committed, at it, beyond it, or beside it.
func disks(t *testing.T, rng *rand.Rand) *Cluster {
	t.Helper()
	voters := 1 + rng.IntN(6)
	groups := rng.IntN(3) == 0
	var members []ensemble.Member
	for i := 1; i <= voters+rng.IntN(2); i++ {
		m := ensemble.Member{ID: ensemble.ServerID(i), Observer: i > voters}
		if groups && i <= voters {
			m.Group, m.Weight = int64(1+rng.IntN(2)), int64(rng.IntN(3))
			if i == 1 {
				m.Weight = 1
			}
		}
		members = append(members, m)
	}
	view, err := ensemble.NewView(0, members)
	require.NoError(t, err)
	c := NewCluster(view, Options{})
	// Two epochs, and a third that was built upon the middle of the second.
	ends := []Entry{{}}
	grow := func(prev Entry, e ensemble.Epoch, n uint32) {
		for k := uint32(1); k <= n; k++ {
			x := Entry{ensemble.NewZxid(e, k), rng.Uint64()}
			require.Equal(t, faultless, c.histories.add(prev, x))
			ends = append(ends, x)
			prev = x
		}
	}
	grow(Entry{}, 1, 3)
	grow(ends[3], 2, 3)
	grow(ends[4], 3, 3)
	c.canon.extend(&c.histories, ends[rng.IntN(len(ends))])
	for _, g := range c.servers {
		end := ends[rng.IntN(len(ends))]
		if rng.IntN(2) == 0 {
			end = c.canon.end()
		}
		g.disk = disk{
			known: rng.IntN(8) > 0, written: end, synced: end,
			current: ensemble.Epoch(rng.IntN(5)), unsure: rng.IntN(5) == 0,
		}
	}
	return c
}

// lossPossible is what foresee answers, by trying every set of voters and every
// server that it might elect.
func lossPossible(c *Cluster) bool {
	sure := func(set uint) func(ensemble.ServerID) bool {
		return func(id ensemble.ServerID) bool {
			for i, u := range c.voters {
				if u.id == id {
					return set>>i&1 == 1 && !u.disk.unsure
				}
			}
			return false
		}
	}
	for set := uint(1); set < 1<<len(c.voters); set++ {
		known, all := true, true
		for i, u := range c.voters {
			known = known && (set>>i&1 == 0 || u.disk.known)
			all = all && (set>>i&1 == 1 || u.weight == 0)
		}
		if !known || !all && !c.view.HasQuorum(sure(set)) {
			continue
		}
		for i, w := range c.voters {
			wins := set>>i&1 == 1 && w.weight > 0
			for j, u := range c.voters {
				wins = wins && (i == j || set>>j&1 == 0 || !better(u.claim(), w.claimAfterRestart()))
			}
			if wins && !c.histories.contains(w.disk.synced, c.canon.end()) {
				return true
			}
		}
	}
	return false
}

// The oracle asks one question of each server; the obvious way is to try all
// quorums.
func TestOracle_AgreesWithTryingAllQuorums(t *testing.T) {
	rng := rand.New(rand.NewPCG(*clusterSeed, 77))
	found := map[bool]int{}
	for range 20_000 {
		c := disks(t, rng)
		want := lossPossible(c)
		got := c.foresee(&Event{}) != nil
		if want != got {
			for _, g := range c.voters {
				t.Logf("%d: weight %d, %+v", g.id, g.weight, g.disk)
			}
			t.Fatalf("the oracle says %t; committed is %v", got, c.canon.end().Zxid)
		}
		found[got]++
	}
	t.Logf("seed %d: %v", *clusterSeed, found)
	assert.Greater(t, found[true], 1000)
	assert.Greater(t, found[false], 1000)
}

// What the oracle says is a loss to come can be read as a plan to bring it about.
func TestOracle_SaysHowToLoseIt(t *testing.T) {
	view, err := ensemble.NewView(0, []ensemble.Member{{ID: 1}, {ID: 2}, {ID: 3}})
	require.NoError(t, err)
	c := NewCluster(view, Options{})
	x := Entry{ensemble.NewZxid(1, 1), 7}
	require.Equal(t, faultless, c.histories.add(Entry{}, x))
	c.canon.extend(&c.histories, x)
	for _, g := range c.servers {
		g.disk = disk{known: true, written: x, synced: x, accepted: 1, current: 1}
	}
	require.Nil(t, c.foresee(&Event{}))

	c.servers[0].disk.synced = Entry{}
	require.Nil(t, c.foresee(&Event{}), "two of three have it")

	c.servers[1].disk.synced = Entry{}
	v := c.foresee(&Event{})
	require.NotNil(t, v)
	assert.Equal(t, "HEO", v.Invariant)
	assert.Contains(t, v.Text, "start 2 with [1]: they elect 2")

	c.servers[1].disk.unsure = true
	assert.Nil(t, c.foresee(&Event{}), "1 and 2 are no quorum without a doubt, and with 3 they elect 3")

	c.opts.NoOracle, c.servers[1].disk.unsure = true, false
	assert.Nil(t, c.foresee(&Event{}))
}

// A run whose servers elect by another order is judged by that order.
func TestOracle_TakesTheOrderOfTheRun(t *testing.T) {
	view, err := ensemble.NewView(0, []ensemble.Member{{ID: 1}, {ID: 2}, {ID: 3}})
	require.NoError(t, err)
	lowest := func(a, b Vote) bool { return a.Leader < b.Leader }
	c := NewCluster(view, Options{Better: lowest})
	x := Entry{ensemble.NewZxid(1, 1), 7}
	require.Equal(t, faultless, c.histories.add(Entry{}, x))
	c.canon.extend(&c.histories, x)
	for i, g := range c.servers {
		g.disk = disk{known: true, accepted: 1, current: 1}
		if i > 0 {
			g.disk.written, g.disk.synced = x, x
		}
	}
	assert.NotNil(t, c.foresee(&Event{}), "1 is preferred, and has nothing")
}
