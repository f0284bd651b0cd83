package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/quorate/quorate/internal/zkclient"
)

// difference is a line of diff.
type difference struct {
	Only string   `json:"only,omitempty"` // a or b, which alone has the node and all below
	Path string   `json:"path"`           // relative to both
	What []string `json:"differs,omitempty"`
}

func (d difference) text(w io.Writer) {
	path := d.Path
	if path == "" {
		path = "."
	}
	switch d.Only {
	case "a":
		_, _ = fmt.Fprintf(w, "- %s\n", safe(path))
	case "b":
		_, _ = fmt.Fprintf(w, "+ %s\n", safe(path))
	default:
		_, _ = fmt.Fprintf(w, "~ %s: %s\n", safe(path), strings.Join(d.What, ", "))
	}
}

// side is one of two subtrees that are compared.
type side struct {
	client *zkclient.Client
	root   string
}

// differ compares two subtrees.
type differ struct {
	s               *Shell
	a, b            side
	acls, ephemeral bool
	found           int
	report          *progress
}

func runDiff(ctx context.Context, s *Shell, a *args) (result, error) {
	d := &differ{s: s, acls: a.has("a"), ephemeral: a.has("e")}
	for i, into := range []*side{&d.a, &d.b} {
		var err error
		if *into, err = s.side(ctx, a, a.params[i]); err != nil {
			return nil, err
		}
		if into.client != s.client {
			defer into.client.Close()
		}
		if err := catchUp(ctx, into.client, into.root); err != nil {
			return nil, err
		}
	}
	d.report = s.newProgress("diff")
	defer d.report.stop()
	if err := d.compare(ctx); err != nil {
		return nil, err
	}
	if d.found > 0 {
		return nil, errSilent
	}
	return nil, nil
}

// side opens what a word of the command names.
func (s *Shell) side(ctx context.Context, a *args, word string) (side, error) {
	i := strings.IndexByte(word, '/')
	if i < 0 {
		return side{}, a.wrong("%q: want a path, or host:port/path", safe(word))
	}
	if err := checkPath(word[i:]); err != nil {
		return side{}, a.wrong("%v: %q", err, safe(word[i:]))
	}
	if i == 0 {
		return side{s.client, word}, nil
	}
	if _, _, err := zkclient.ParseConnectString(word[:i]); err != nil {
		return side{}, a.wrong("%v", safe(err.Error()))
	}
	wait, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	c, err := zkclient.Dial(wait, s.config(word[:i]))
	return side{c, word[i:]}, err
}

// compare goes down both trees at the same time, along what both have.
func (d *differ) compare(ctx context.Context) error {
	level := []string{""}
	for len(level) > 0 {
		var next []string
		for part := range slices.Chunk(level, levelMax) {
			below, err := d.comparePart(ctx, part)
			if err != nil {
				return err
			}
			next = append(next, below...)
		}
		level = next
	}
	return nil
}

// comparePart compares nodes that both are thought to have, and returns the children
// that both have.
func (d *differ) comparePart(ctx context.Context, rels []string) ([]string, error) {
	as, bs := make([]full, len(rels)), make([]full, len(rels))
	err := each(ctx, workers, 2*len(rels), func(ctx context.Context, i int) (err error) {
		if i%2 == 0 {
			as[i/2], err = read(ctx, d.a.client, absolute(d.a.root, rels[i/2]), d.acls)
		} else {
			bs[i/2], err = read(ctx, d.b.client, absolute(d.b.root, rels[i/2]), d.acls)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	d.report.add(len(rels))
	var next []string
	for i, rel := range rels {
		a, b := as[i], bs[i]
		if rel == "" && a.gone && b.gone {
			return nil, &zkclient.Error{Path: d.a.root, Err: noNode}
		}
		more, err := d.compareNode(rel, a, b)
		if err != nil {
			return nil, err
		}
		next = append(next, more...)
	}
	return next, nil
}

func (d *differ) compareNode(rel string, a, b full) ([]string, error) {
	hide := func(f full) bool { return !d.ephemeral && f.stat.EphemeralOwner != 0 }
	aHas, bHas := !a.gone && !hide(a), !b.gone && !hide(b)
	switch {
	case !aHas && !bHas:
		return nil, nil
	case !bHas:
		return nil, d.tell(difference{Only: "a", Path: rel})
	case !aHas:
		return nil, d.tell(difference{Only: "b", Path: rel})
	}
	var what []string
	if !sameData(a.data, b.data) {
		what = append(what, fmt.Sprintf("data (%s, %s)", sizeOf(a.data), sizeOf(b.data)))
	}
	if d.acls && !sameACL(a.acl, b.acl) {
		what = append(what, "acl")
	}
	if len(what) > 0 {
		if err := d.tell(difference{Path: rel, What: what}); err != nil {
			return nil, err
		}
	}
	names := slices.Concat(a.children, b.children)
	slices.Sort(names)
	var next []string
	for _, name := range slices.Compact(names) {
		// The server's own node is none of the tree's, where a root is compared.
		if rel == "" && name == "zookeeper" && (d.a.root == "/" || d.b.root == "/") {
			continue
		}
		next = append(next, rel+"/"+name)
	}
	return next, nil
}

func sizeOf(d []byte) string {
	if d == nil {
		return "null"
	}
	return counted(len(d), "byte", "bytes")
}

func (d *differ) tell(line difference) error {
	d.found++
	return d.s.out.print(func(w io.Writer) error { return printResult(w, line, d.s.opt.JSON) })
}
