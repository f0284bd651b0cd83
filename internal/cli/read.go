package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/quorate/quorate/internal/zkclient"
)

const groupRead = "Read"

var optStat = option{"s", "", "print the stat, too"}

var readCommands = []*command{
	{name: "ls", group: groupRead, params: "path", short: "List the children of a node",
		long: "With -R the paths of the whole subtree, a level at a time, as one server has them.",
		options: []option{optStat, {"w", "", "arm a watch: tell when children come or go"},
			{"R", "", "the whole subtree, a path on each line"}},
		example:   "ls /           # [app, zookeeper]\nls -R /app     # every path below\nls -s /app     # with stat",
		paramsMin: 1, paramsMax: 1, paths: 1, run: runLs},
	{name: "get", group: groupRead, params: "path", short: "Print the data of a node",
		long: "Data that is no printable UTF-8 is shown as a hex dump. With -f nothing is changed:\nthe bytes go into the file, or with -f - to standard output.",
		options: []option{optStat, {"w", "", "arm a watch: tell when the data changes"}, {"b", "", "print base64"},
			{"x", "", "print a hex dump"}, {"f", "file", "write the bytes into a file, - is standard output"}},
		example:   "get /app            # the data\nget -s /app         # and its stat\nget -w /app         # outside of the shell: ends when it has changed\nget -f - /app | jq .",
		paramsMin: 1, paramsMax: 1, paths: 1, run: runGet},
	{name: "stat", group: groupRead, params: "path", short: "Print the stat of a node",
		options:   []option{{"w", "", "arm a watch: tell when it is created, changed or deleted"}},
		example:   "stat /app\nstat -w /later    # outside of the shell: ends when somebody creates it",
		paramsMin: 1, paramsMax: 1, paths: 1, run: runStat},
	{name: "getAllChildrenNumber", group: groupRead, params: "path", short: "Count the nodes below a node",
		example: "getAllChildrenNumber /app", paramsMin: 1, paramsMax: 1, paths: 1, run: runCount},
	{name: "getEphemerals", group: groupRead, params: "[path]", short: "List the ephemeral nodes of this session",
		long:    "Those whose path begins with the given one, in letters: /a is the beginning of /ab.",
		example: "getEphemerals\ngetEphemerals /app", paramsMax: 1, paths: 1, run: runEphemerals},
}

// listing is the result of ls.
type listing struct {
	Path     string   `json:"path"`
	Children []string `json:"children"`
	Stat     *stat    `json:"stat,omitempty"`
}

func (l listing) text(w io.Writer) {
	_, _ = fmt.Fprintln(w, bracketed(l.Children))
	l.Stat.text(w)
}

func runLs(ctx context.Context, s *Shell, a *args) (result, error) {
	if err := a.exclusive("R", "w"); err != nil {
		return nil, err
	}
	path := a.params[0]
	if a.has("R") {
		return nil, s.listAll(ctx, path, a.has("s"))
	}
	children, st, err := s.client.Children(ctx, path, a.has("w"))
	if err != nil {
		return nil, err
	}
	s.armed = a.has("w")
	slices.Sort(children)
	l := listing{Path: path, Children: children}
	if a.has("s") {
		l.Stat = newStat(st)
	}
	return l, nil
}

// pathLine is a line of ls -R.
type pathLine struct {
	Path string `json:"path"`
	Stat *stat  `json:"stat,omitempty"`
}

func (p pathLine) text(w io.Writer) {
	_, _ = fmt.Fprintln(w, safe(p.Path))
	p.Stat.text(w)
}

func (s *Shell) listAll(ctx context.Context, root string, stats bool) error {
	return s.walkReadable(ctx, root, -1, func(level []node) error {
		return s.out.print(func(w io.Writer) error {
			for _, n := range level {
				line := pathLine{Path: n.path}
				if stats && !n.denied {
					line.Stat = newStat(n.stat)
				}
				if err := printResult(w, line, s.opt.JSON); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// content is the result of get.
type content struct {
	Path   string `json:"path"`
	Data   data   `json:"data"`
	Stat   *stat  `json:"stat,omitempty"`
	format format
}

func (c content) text(w io.Writer) {
	printData(w, c.Data, c.format)
	c.Stat.text(w)
}

func runGet(ctx context.Context, s *Shell, a *args) (result, error) {
	if err := a.exclusive("b", "x", "f"); err != nil {
		return nil, err
	}
	path := a.params[0]
	bytes, st, err := s.client.Get(ctx, path, a.has("w"))
	if err != nil {
		return nil, err
	}
	s.armed = a.has("w")
	if a.has("f") {
		return s.writeFile(a.value("f"), bytes, path, a.has("s"), newStat(st))
	}
	c := content{Path: path, Data: bytes}
	switch {
	case a.has("b"):
		c.format = formatBase64
	case a.has("x"):
		c.format = formatHex
	}
	if a.has("s") {
		c.Stat = newStat(st)
	}
	return c, nil
}

// writeFile writes a node's bytes as they are.
func (s *Shell) writeFile(name string, bytes []byte, path string, show bool, st *stat) (result, error) {
	if name == "-" {
		return nil, s.out.print(func(w io.Writer) error { _, err := w.Write(bytes); return err })
	}
	if err := os.WriteFile(name, bytes, 0o666); err != nil {
		return nil, err
	}
	return done{path, st, show}, nil
}

func runStat(ctx context.Context, s *Shell, a *args) (result, error) {
	st, err := s.client.Exists(ctx, a.params[0], a.has("w"))
	if a.has("w") && (err == nil || zkclient.Code(err) == noNode) {
		s.armed = true
		if err != nil && !s.live && s.stdin {
			s.out.warn("%s: waiting for it", describe(err))
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return done{a.params[0], newStat(st), true}, nil
}

// number is a result that is one.
type number struct {
	Path   string `json:"path"`
	Number int    `json:"number"`
}

func (n number) text(w io.Writer) { _, _ = fmt.Fprintln(w, n.Number) }

func runCount(ctx context.Context, s *Shell, a *args) (result, error) {
	n, err := s.client.AllChildrenNumber(ctx, a.params[0])
	if err != nil {
		return nil, err
	}
	return number{a.params[0], n}, nil
}

// pathList is a result that is a list of paths.
type pathList struct {
	Paths []string `json:"paths"`
}

func (l pathList) text(w io.Writer) { _, _ = fmt.Fprintln(w, bracketed(l.Paths)) }

func runEphemerals(ctx context.Context, s *Shell, a *args) (result, error) {
	prefix := "/"
	if len(a.params) > 0 {
		prefix = a.params[0]
	}
	list, err := s.client.Ephemerals(ctx, prefix)
	if err != nil {
		return nil, err
	}
	slices.Sort(list)
	return pathList{list}, nil
}
