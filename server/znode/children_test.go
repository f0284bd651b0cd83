package znode

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func names(c *children) []string {
	var out []string
	for _, e := range c.sorted() {
		out = append(out, e.name)
	}
	return out
}

// Children against a map, up and down through all forms, with generations kept
// aside that must not change.
func TestChildren_AgainstAMap(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	var c *children
	model := map[string]*node{}
	type kept struct {
		c    *children
		want []string
	}
	var old []kept
	gen := uint32(0)
	grow := 6
	for step := range 30000 {
		switch step {
		case 12000, 24000:
			grow = 3 // shrink to nothing
		case 18000:
			grow = 7
		}
		if step%1500 == 0 {
			old = append(old, kept{c, names(c)})
			gen++
		}
		name := fmt.Sprint("n", r.Intn(6000))
		if step%6000 > 5900 { // and whatever is there
			for name = range model {
				break
			}
		}
		if r.Intn(10) < grow || model[name] == nil {
			n := &node{}
			c = c.owned(gen)
			c.put(name, n)
			model[name] = n
		} else {
			c = c.owned(gen)
			c.remove(name)
			delete(model, name)
		}
		require.Equal(t, len(model), c.len(), step)
		require.Same(t, model[name], c.get(name))
		require.Nil(t, c.get("absent"))
	}
	for name, n := range model {
		require.Same(t, n, c.get(name))
	}
	for _, k := range old {
		require.Equal(t, k.want, names(k.c))
	}
}

func TestChildren_EmptyManyAndFewAgain(t *testing.T) {
	var none *children
	require.Zero(t, none.len())
	require.Nil(t, none.get("x"))
	none.each(func(string, *node) { t.Fatal("a child of nobody") })

	c := none.owned(1)
	const n = 20 * shardMax
	for i := range n {
		c.put(fmt.Sprint(i), &node{})
	}
	require.NotNil(t, c.dir)
	require.Greater(t, len(c.dir.slots), 16)
	seen := map[*shard]bool{}
	for _, s := range c.dir.slots {
		seen[s] = true
		require.LessOrEqual(t, len(s.nodes), shardMax)
	}
	require.Greater(t, len(seen), 16)
	for i := range n - 3 {
		c.remove(fmt.Sprint(i))
		if i == n-200 {
			require.LessOrEqual(t, len(c.dir.slots), 4, "an emptied directory is small again")
		}
	}
	require.Nil(t, c.dir, "and in the end a list")
	want := []string{fmt.Sprint(n - 3), fmt.Sprint(n - 2), fmt.Sprint(n - 1)}
	slices.Sort(want)
	require.Equal(t, want, names(c))
}
