package main

import (
	"fmt"
	"slices"
	"strings"
)

// script is a test as text: commands for a client's shell, and what it should
// print, normalized.
//
//	== the name of the test
//	> create /a hello
//	Created /a
//
// Lines that begin with # are comments. The outputs are those of the original
// ZooKeeper: -rewrite renews them.
type script struct {
	name  string
	steps []step
}

// step is a command with its output, or a comment, which has only text.
type step struct {
	comment string
	command string
	want    []string
}

// parseScripts reads a file of scripts.
func parseScripts(text string) ([]script, error) {
	var all []script
	for n, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		name, isName := strings.CutPrefix(line, "== ")
		command, isCommand := strings.CutPrefix(line, "> ")
		switch {
		case strings.TrimSpace(line) == "":
			continue
		case isName:
			if slices.ContainsFunc(all, func(s script) bool { return s.name == name }) {
				return nil, fmt.Errorf("line %d: there are two scripts %q", n+1, name)
			}
			all = append(all, script{name: name})
			continue
		case len(all) == 0:
			return nil, fmt.Errorf("line %d: want a line such as \"== name\" first", n+1)
		}
		s := &all[len(all)-1]
		switch {
		case isCommand:
			s.steps = append(s.steps, step{command: command})
		case strings.HasPrefix(line, "#"):
			s.steps = append(s.steps, step{comment: line})
		case len(s.steps) == 0 || s.steps[len(s.steps)-1].command == "":
			return nil, fmt.Errorf("line %d: an output without a command", n+1)
		default:
			last := &s.steps[len(s.steps)-1]
			last.want = append(last.want, line)
		}
	}
	return all, nil
}

// format is the inverse of parseScripts.
func format(all []script) string {
	var b strings.Builder
	for i, s := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "== %s\n", s.name)
		for _, st := range s.steps {
			if st.comment != "" {
				fmt.Fprintln(&b, st.comment)
				continue
			}
			fmt.Fprintf(&b, "> %s\n", st.command)
			for _, line := range st.want {
				fmt.Fprintln(&b, line)
			}
		}
	}
	return b.String()
}

// difference tells where two outputs part; empty if nowhere.
func difference(want, got []string) string {
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("want %q, got nothing more", want[i])
		case i >= len(want):
			return fmt.Sprintf("got %q, want nothing more", got[i])
		case want[i] != got[i]:
			return fmt.Sprintf("want %q, got %q", want[i], got[i])
		}
	}
	return ""
}
