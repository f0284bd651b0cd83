package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// command is one that a shell knows.
type command struct {
	name    string
	group   string // its heading in the list of all
	params  string // words of the help: "path data"
	short   string
	long    string
	options []option
	example string // lines, each with a remark

	paramsMin, paramsMax int  // paramsMax -1: any number
	paths                int  // how many of the first words are paths
	offline              bool // needs no session
	streams              bool // prints results itself, as they come

	run func(ctx context.Context, s *Shell, a *args) (result, error)
}

// commands are all, in the order of the list of help.
func commands() []*command {
	return slices.Concat(readCommands, writeCommands, aclCommands, watchCommands, treeCommands,
		quotaCommands, ensembleCommands, sessionCommands, shellCommands())
}

// find returns a command by its name; letters may be of either case.
func find(name string) *command {
	for _, c := range commands() {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	switch name {
	case "exit":
		return find("quit")
	case "?", "-h", "--help":
		return find("help")
	}
	return nil
}

// unknown says that there is no such command, and what is similar.
func unknown(name string) error {
	best, distance := "", 3
	for _, c := range commands() {
		if d := editDistance(strings.ToLower(name), strings.ToLower(c.name)); d < distance && d < len(c.name) {
			best, distance = c.name, d
		}
	}
	hint := "help lists all"
	if best != "" {
		hint = "did you mean " + best + "?"
	}
	return usageError{fmt.Sprintf("Command not found: %s: %s", safe(name), hint)}
}

// editDistance is how many letters must change to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func (c *command) option(name string) *option {
	for i := range c.options {
		if c.options[i].name == name {
			return &c.options[i]
		}
	}
	return nil
}

// flags says that each letter is an option without a value.
func (c *command) flags(letters string) bool {
	for _, l := range letters {
		if o := c.option(string(l)); o == nil || o.value != "" {
			return false
		}
	}
	return true
}

// synopsis is the command in one line.
func (c *command) synopsis() string {
	words := []string{c.name}
	for _, o := range c.options {
		if o.value == "" {
			words = append(words, "[-"+o.name+"]")
		} else {
			words = append(words, "[-"+o.name+" "+o.value+"]")
		}
	}
	if c.params != "" {
		words = append(words, c.params)
	}
	return strings.Join(words, " ")
}

// printHelp prints all there is to know of a command.
func (c *command) printHelp(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%s\n\n%s\n", c.synopsis(), c.short)
	if c.long != "" {
		_, _ = fmt.Fprintf(w, "\n%s\n", c.long)
	}
	if len(c.options) > 0 {
		_, _ = fmt.Fprintln(w)
	}
	for _, o := range c.options {
		_, _ = fmt.Fprintf(w, "  %-14s %s\n", strings.TrimSpace("-"+o.name+" "+o.value), o.help)
	}
	if c.example != "" {
		_, _ = fmt.Fprintf(w, "\nExamples:\n")
		for line := range strings.Lines(strings.TrimSpace(c.example)) {
			_, _ = fmt.Fprintf(w, "  %s", line)
		}
		_, _ = fmt.Fprintln(w)
	}
}

// names returns the names of all commands.
func names() []string {
	var list []string
	for _, c := range commands() {
		list = append(list, c.name)
	}
	return list
}

// Names returns the names of all commands, for completion by a shell of the system.
func Names() []string { return names() }

// Overview returns the list of all commands, for the help of "quorate cli".
func Overview() string {
	var b strings.Builder
	group := ""
	for _, c := range commands() {
		if c.group != group {
			group = c.group
			fmt.Fprintf(&b, "%s\n", group)
		}
		fmt.Fprintf(&b, "  %-21s %s\n", c.name, c.short)
	}
	return b.String()
}
