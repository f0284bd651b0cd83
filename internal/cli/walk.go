package cli

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/internal/zkclient"
	"github.com/quorate/quorate/server/proto"
)

// workers is how many requests of one command are under way at a time. They share a
// connection, so this is the depth of its pipeline.
const workers = 64

// node is one of a subtree.
type node struct {
	path     string
	stat     proto.Stat
	children []string // sorted names
}

// each calls f for 0 to n-1, at most limit at a time, until one fails.
func each(ctx context.Context, limit, n int, f func(ctx context.Context, i int) error) error {
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	for i := range n {
		if all.Err() != nil {
			break
		}
		g.Go(func() error { return f(all, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// walk visits a subtree a level at a time, each level in the order of its paths' parents
// and names, down to depth levels below the root (-1: all). Nodes that vanish meanwhile
// are left out; the root must be there. A level is in memory, not the tree.
func walk(ctx context.Context, c *zkclient.Client, root string, depth int, visit func([]node) error) error {
	level := []string{root}
	for ; len(level) > 0; depth-- {
		nodes := make([]node, len(level))
		err := each(ctx, workers, len(level), func(ctx context.Context, i int) error {
			children, st, err := c.Children(ctx, level[i], false)
			if zkclient.Code(err) == noNode && level[i] != root {
				return nil
			}
			slices.Sort(children)
			nodes[i] = node{level[i], st, children}
			return err
		})
		if err != nil {
			return err
		}
		nodes = slices.DeleteFunc(nodes, func(n node) bool { return n.path == "" })
		if err := visit(nodes); err != nil || depth == 0 {
			return err
		}
		level = nil
		for _, n := range nodes {
			for _, name := range n.children {
				level = append(level, join(n.path, name))
			}
		}
	}
	return nil
}
