package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// option is one that a command takes.
type option struct {
	name  string
	value string // what it is called in the help; empty: the option has none
	help  string
}

// args are the words behind a command's name, sorted.
type args struct {
	cmd    *command
	given  map[string][]string // values by option, "" for those without
	params []string
}

// parseArgs sorts words into options and others. Options may stand anywhere, with one
// dash or two; those of one letter without values may share a dash (-sw). Behind --
// there are none. A word that begins with a dash and a digit is no option.
func parseArgs(cmd *command, words []string) (*args, error) {
	a := &args{cmd: cmd, given: map[string][]string{}}
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "--" {
			a.params = append(a.params, words[i+1:]...)
			break
		}
		if len(w) < 2 || w[0] != '-' || w[1] >= '0' && w[1] <= '9' {
			a.params = append(a.params, w)
			continue
		}
		name, value, joined := strings.Cut(strings.TrimPrefix(w[1:], "-"), "=")
		if name == "h" || name == "help" {
			return nil, errHelp
		}
		o := cmd.option(name)
		switch {
		case o == nil && !joined && cmd.flags(name):
			for _, letter := range name {
				a.add(string(letter), "")
			}
			continue
		case o == nil:
			return nil, a.wrong("there is no option %s (flags of quorate cli stand before the command, and data that begins with a dash behind --)", safe(w))
		case o.value == "" && joined:
			return nil, a.wrong("the option -%s has no value", name)
		case o.value != "" && !joined:
			if i++; i == len(words) {
				return nil, a.wrong("the option -%s wants a value: -%s %s", name, name, o.value)
			}
			value = words[i]
		}
		a.add(name, value)
	}
	if len(a.params) < cmd.paramsMin {
		return nil, a.wrong("something is missing")
	}
	if cmd.paramsMax >= 0 && len(a.params) > cmd.paramsMax {
		return nil, a.wrong("%q is too much (words with blanks go in quotes)", safe(a.params[cmd.paramsMax]))
	}
	return a, a.checkPaths()
}

// checkPaths looks at the words that are paths, as zkCli does before it asks a server.
func (a *args) checkPaths() error {
	for i := range min(a.cmd.paths, len(a.params)) {
		if err := checkPath(a.params[i]); err != nil {
			return a.wrong("%v: %q", err, safe(a.params[i]))
		}
	}
	return nil
}

func (a *args) add(name, value string) { a.given[name] = append(a.given[name], value) }

func (a *args) has(name string) bool { return len(a.given[name]) > 0 }

// value returns the last value of an option, or "".
func (a *args) value(name string) string {
	if list := a.given[name]; len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}

// number returns the value of an option that is a number, or otherwise.
func (a *args) number(name string, otherwise int64, bits int) (int64, error) {
	if !a.has(name) {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(a.value(name), 10, bits)
	if err != nil {
		return 0, a.wrong("-%s %q: want a number", name, safe(a.value(name)))
	}
	return n, nil
}

// version returns -v, or -1, which means any.
func (a *args) version() (int32, error) {
	n, err := a.number("v", -1, 32)
	return int32(n), err
}

// exclusive fails if more than one of these options is given.
func (a *args) exclusive(names ...string) error {
	first := ""
	for _, n := range names {
		switch {
		case !a.has(n):
		case first != "":
			return a.wrong("-%s and -%s exclude one another", first, n)
		default:
			first = n
		}
	}
	return nil
}

// wrong is a mistake in the use of the command.
func (a *args) wrong(format string, values ...any) error {
	return usageError{fmt.Sprintf("%s: %s\nusage: %s (help %s explains it)", a.cmd.name, fmt.Sprintf(format, values...), a.cmd.synopsis(), a.cmd.name)}
}
