package cli

import (
	"context"
	"slices"
	"strings"

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
	denied   bool     // it may not be read: there is no more than the path
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
	return descend(ctx, c, root, depth, false, visit)
}

// walkReadable is walk for those who only look: of what may not be read below the root
// it knows the paths.
func (s *Shell) walkReadable(ctx context.Context, root string, depth int, visit func([]node) error) error {
	var denied []string
	err := descend(ctx, s.client, root, depth, true, func(level []node) error {
		for _, n := range level {
			if n.denied {
				denied = append(denied, n.path)
			}
		}
		return visit(level)
	})
	if err != nil || len(denied) == 0 {
		return err
	}
	s.out.warn("%s may not be read, and what is below is missing: %s", counted(len(denied), "node", "nodes"), someOf(denied))
	return errSilent
}

// someOf names a few of the paths.
func someOf(paths []string) string {
	const most = 5
	text := safe(strings.Join(paths[:min(len(paths), most)], ", "))
	if len(paths) > most {
		text += ", …"
	}
	return text
}

func descend(ctx context.Context, c *zkclient.Client, root string, depth int, tolerant bool, visit func([]node) error) error {
	level := []string{root}
	for ; len(level) > 0; depth-- {
		nodes := make([]node, len(level))
		err := each(ctx, workers, len(level), func(ctx context.Context, i int) error {
			children, st, err := c.Children(ctx, level[i], false)
			if zkclient.Code(err) == noNode && level[i] != root {
				return nil
			}
			if zkclient.Code(err) == proto.ErrNoAuth && tolerant && level[i] != root {
				nodes[i] = node{path: level[i], denied: true}
				return nil
			}
			slices.Sort(children)
			nodes[i] = node{path: level[i], stat: st, children: children}
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
