package wire

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Node is one node of a dumped tree.
type Node struct {
	Path string
	Data string
	Stat Stat
}

// dumpWindow is how many reads are in flight during a dump.
const dumpWindow = 256

// Dump reads the tree below root as this server has it, after a sync, sorted by
// path. Nodes that vanish meanwhile are left out. The node /zookeeper, which
// is the server's own, is never part of it.
func (c *Conn) Dump(root string) ([]Node, error) {
	if err := c.Sync(root); err != nil {
		return nil, fmt.Errorf("sync: %w", err)
	}
	var nodes []Node
	level := []string{root}
	for len(level) > 0 {
		got, err := c.getAll(level)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, got...)
		level = nil
		for _, n := range got {
			if n.Stat.NumChildren == 0 {
				continue
			}
			names, err := c.Children(n.Path)
			if err != nil && !errors.Is(err, ErrNoNode) {
				return nil, fmt.Errorf("children of %s: %w", n.Path, err)
			}
			for _, name := range names {
				if p := path.Join(n.Path, name); p != "/zookeeper" {
					level = append(level, p)
				}
			}
		}
	}
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.Path, b.Path) })
	return nodes, nil
}

// getAll reads many nodes, pipelined.
func (c *Conn) getAll(paths []string) ([]Node, error) {
	nodes := make([]Node, len(paths))
	errs := make([]error, len(paths))
	window := NewWindow(c, dumpWindow)
	for i, p := range paths {
		window.Get(p, func(r Reply) {
			nodes[i].Path, errs[i] = p, r.Err
			if r.Err == nil {
				var data []byte
				data, nodes[i].Stat, errs[i] = decodeGet(r.Body)
				nodes[i].Data = string(data)
			}
		})
	}
	_, _ = window.Wait() // looked at below, one by one
	kept := nodes[:0]
	for i := range nodes {
		switch {
		case errs[i] == nil:
			kept = append(kept, nodes[i])
		case !errors.Is(errs[i], ErrNoNode):
			return nil, fmt.Errorf("get %s: %w", paths[i], errs[i])
		}
	}
	return kept, nil
}

// Difference returns a sentence on the first difference between two dumps, or "".
func Difference(a, b []Node) string {
	for i := range min(len(a), len(b)) {
		if a[i].Path != b[i].Path {
			return fmt.Sprintf("one has %s where the other has %s", a[i].Path, b[i].Path)
		}
		if a[i] != b[i] {
			return fmt.Sprintf("%s differs: %.80q %+v and %.80q %+v", a[i].Path, a[i].Data, a[i].Stat, b[i].Data, b[i].Stat)
		}
	}
	if len(a) != len(b) {
		return fmt.Sprintf("one has %d nodes, the other %d", len(a), len(b))
	}
	return ""
}
