package znode

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
)

// Sizes of the two forms that a set of children has.
const (
	listMax       = 8   // children in a list; more make a directory
	shardMax      = 800 // children in a shard; more split it
	shardBitsMax  = 24  // a directory has at most 2^24 slots
	shardMeanLow  = 64  // mean of children per slot below which a directory is rebuilt
	listReturnMax = listMax / 2
)

// hashSeed decides in which shard a name lies, and nothing that can be seen
// from outside: whoever needs an order sorts by name.
var hashSeed = maphash.MakeSeed()

type entry struct {
	name string
	node *node
}

// children are the children of one node: a short list, or an extendible hash
// directory of shards, so that changing one child of many after a snapshot
// copies one shard and not all. gen is the generation that may write to it in
// place; a nil *children is an empty one.
type children struct {
	gen   uint32
	count int32
	list  []entry // when dir is nil
	dir   *directory
}

// directory has 2^bits slots. Slot i holds the shard of all names whose hash
// ends in the lowest shard.bits bits of i, so a shard with fewer bits than the
// directory stands in several slots.
type directory struct {
	bits  uint8
	slots []*shard
}

type shard struct {
	gen   uint32
	bits  uint8
	nodes map[string]*node
}

func hashOf(name string) uint64 { return maphash.String(hashSeed, name) }

func (d *directory) index(hash uint64) uint64 { return hash & (1<<d.bits - 1) }

func (c *children) len() int {
	if c == nil {
		return 0
	}
	return int(c.count)
}

func (c *children) get(name string) *node {
	if c == nil {
		return nil
	}
	if c.dir != nil {
		return c.dir.slots[c.dir.index(hashOf(name))].nodes[name]
	}
	for i := range c.list {
		if c.list[i].name == name {
			return c.list[i].node
		}
	}
	return nil
}

// each calls f for every child, in no order.
func (c *children) each(f func(name string, n *node)) {
	switch {
	case c == nil:
	case c.dir == nil:
		for _, e := range c.list {
			f(e.name, e.node)
		}
	default:
		for i, s := range c.dir.slots {
			if i >= 1<<s.bits {
				continue // an alias of slot i mod 2^bits
			}
			for name, n := range s.nodes {
				f(name, n)
			}
		}
	}
}

// sorted returns the children ascending by name.
func (c *children) sorted() []entry {
	out := make([]entry, 0, c.len())
	c.each(func(name string, n *node) { out = append(out, entry{name, n}) })
	slices.SortFunc(out, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return out
}

// owned returns c, or a copy of it that generation gen may write to. Shards are
// still shared.
func (c *children) owned(gen uint32) *children {
	if c == nil {
		return &children{gen: gen}
	}
	if c.gen == gen {
		return c
	}
	out := &children{gen: gen, count: c.count}
	if c.dir != nil {
		out.dir = &directory{bits: c.dir.bits, slots: slices.Clone(c.dir.slots)}
	} else {
		out.list = slices.Clone(c.list)
	}
	return out
}

// put adds a child or replaces it. The receiver must be owned.
func (c *children) put(name string, n *node) {
	if c.dir == nil {
		for i := range c.list {
			if c.list[i].name == name {
				c.list[i].node = n
				return
			}
		}
		c.count++
		if len(c.list) < listMax {
			c.list = append(c.list, entry{name, n})
			return
		}
		c.toDirectory()
		c.dir.own(hashOf(name), c.gen).nodes[name] = n
		return
	}
	hash := hashOf(name)
	s := c.dir.own(hash, c.gen)
	before := len(s.nodes)
	s.nodes[name] = n
	if len(s.nodes) == before {
		return
	}
	c.count++
	for len(s.nodes) > shardMax && s.bits < shardBitsMax {
		c.dir.split(hash)
		s = c.dir.slots[c.dir.index(hash)]
	}
}

// remove takes away a child that is there. The receiver must be owned.
func (c *children) remove(name string) {
	c.count--
	if c.dir == nil {
		at := slices.IndexFunc(c.list, func(e entry) bool { return e.name == name })
		c.list = slices.Delete(c.list, at, at+1)
		return
	}
	delete(c.dir.own(hashOf(name), c.gen).nodes, name)
	switch {
	case c.count <= listReturnMax:
		list := make([]entry, 0, listMax)
		c.each(func(name string, n *node) { list = append(list, entry{name, n}) })
		c.list, c.dir = list, nil
	case len(c.dir.slots) > 1 && int(c.count) < len(c.dir.slots)*shardMeanLow:
		small := children{gen: c.gen}
		c.each(small.put)
		*c = small
	}
}

func (c *children) toDirectory() {
	s := &shard{gen: c.gen, nodes: make(map[string]*node, 2*listMax)}
	for _, e := range c.list {
		s.nodes[e.name] = e.node
	}
	c.list, c.dir = nil, &directory{slots: []*shard{s}}
}

// own returns the shard of hash for writing by generation gen, copied if it
// belongs to an older one.
func (d *directory) own(hash uint64, gen uint32) *shard {
	s := d.slots[d.index(hash)]
	if s.gen == gen {
		return s
	}
	s = &shard{gen: gen, bits: s.bits, nodes: maps.Clone(s.nodes)}
	d.place(s, hash)
	return s
}

// place puts s into every slot that hash has with s.bits bits.
func (d *directory) place(s *shard, hash uint64) {
	step := uint64(1) << s.bits
	for i := hash & (step - 1); i < uint64(len(d.slots)); i += step {
		d.slots[i] = s
	}
}

// split divides the shard of hash, which must be owned, in two.
func (d *directory) split(hash uint64) {
	old := d.slots[d.index(hash)]
	if old.bits == d.bits {
		d.slots = append(d.slots, d.slots...)
		d.bits++
	}
	bit := uint64(1) << old.bits
	var halves [2]*shard
	for i := range halves {
		halves[i] = &shard{gen: old.gen, bits: old.bits + 1, nodes: make(map[string]*node, len(old.nodes)/2)}
	}
	for name, n := range old.nodes {
		if hashOf(name)&bit == 0 {
			halves[0].nodes[name] = n
		} else {
			halves[1].nodes[name] = n
		}
	}
	d.place(halves[0], hash&(bit-1))
	d.place(halves[1], hash&(bit-1)|bit)
}
