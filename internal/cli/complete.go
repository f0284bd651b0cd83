package cli

import (
	"context"
	"slices"
	"strings"
	"time"
)

// completeTime is how long a person waits for candidates.
const completeTime = time.Second

// candidates returns what the word may become, sorted. Before is the line up to it.
func (s *Shell) candidates(ctx context.Context, before, word string) []string {
	var list []string
	switch {
	case before == "":
		list = names()
	case strings.HasPrefix(word, "/"):
		list = s.paths(ctx, word)
	default:
		cmd := find(strings.Fields(before)[0])
		switch {
		case cmd == nil:
		case cmd.name == "help":
			list = names()
		case strings.HasPrefix(word, "-"):
			for _, o := range cmd.options {
				list = append(list, "-"+o.name)
			}
		case cmd.paths > 0 && word == "":
			list = []string{"/"}
		}
	}
	list = slices.DeleteFunc(list, func(c string) bool { return !strings.HasPrefix(c, word) || !printable(c, "") })
	slices.Sort(list)
	return list
}

// paths returns the children of the node that a path stands in, each with / if it has
// children itself.
func (s *Shell) paths(ctx context.Context, word string) []string {
	if s.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	up := word[:strings.LastIndexByte(word, '/')]
	if up == "" {
		up = "/"
	}
	children, _, err := s.client.Children(ctx, up, false)
	if err != nil {
		return nil
	}
	var list []string
	for _, name := range children {
		if p := join(up, name); strings.HasPrefix(p, word) {
			list = append(list, p)
		}
	}
	if len(list) == 1 { // one candidate: can it go on?
		if st, err := s.client.Exists(ctx, list[0], false); err == nil && st.NumChildren > 0 {
			list[0] += "/"
		}
	}
	return list
}

// commonPrefix returns what all begin with.
func commonPrefix(list []string) string {
	first, last := list[0], list[len(list)-1] // they are sorted
	i := 0
	for i < len(first) && i < len(last) && first[i] == last[i] {
		i++
	}
	return strings.ToValidUTF8(first[:i], "")
}
