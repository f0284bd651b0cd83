package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/quorate/quorate/internal/zkclient"
	"github.com/quorate/quorate/server/proto"
)

const (
	groupWrite = "Write"
	noNode     = proto.ErrNoNode
	nodeExists = proto.ErrNodeExists
)

var dataOptions = []option{{"b", "", "the data is base64"}, {"f", "file", "the data is that of a file, - is standard input"}}

var writeCommands = []*command{
	{name: "create", group: groupWrite, params: "path [data] [acl]", short: "Create a node",
		options: append([]option{{"s", "", "sequential: the server adds ten digits to the name"}, {"e", "", "ephemeral: it goes with the session"},
			{"c", "", "container: the server deletes it after its last child"}, {"t", "ttl", "the server deletes it that many milliseconds after the last change, if it has no children"},
			{"p", "", "create the nodes above, if they are missing"}}, dataOptions...),
		example:   "create /app 'some data'\ncreate -s /app/job- data world:anyone:r\ncreate -p /a/b/c\ncreate -f logo.png /app/logo",
		paramsMin: 1, paramsMax: 3, paths: 0, run: runCreate},
	{name: "set", group: groupWrite, params: "path [data]", short: "Change the data of a node",
		options:   append([]option{optStat, {"v", "version", "only if the node has this version"}}, dataOptions...),
		example:   "set /app data\nset -v 3 /app data    # fails if somebody was faster\necho '{}' | quorate cli set -f - /app",
		paramsMin: 1, paramsMax: 2, paths: 1, run: runSet},
	{name: "delete", group: groupWrite, params: "path", short: "Delete a node without children",
		options: []option{{"v", "version", "only if the node has this version"}},
		example: "delete /app/old\ndelete -v 3 /app/old", paramsMin: 1, paramsMax: 1, paths: 1, run: runDelete},
	{name: "deleteall", group: groupWrite, params: "path", short: "Delete a node and everything below",
		long:    "The deepest nodes go first. It is no transaction: what others create meanwhile may\nstay, and then it says so.",
		options: []option{{"b", "batch", "how many deletes are under way at a time, 64 by default"}},
		example: "deleteall /app/old", paramsMin: 1, paramsMax: 1, paths: 1, run: runDeleteAll},
}

// payload returns the data that a command is given, in words or in a file. Without
// either it is null, as zkCli has it.
func (s *Shell) payload(a *args, words []string) ([]byte, error) {
	var d []byte
	switch {
	case a.has("f"):
		var err error
		if d, err = s.readFile(a, a.value("f")); err != nil {
			return nil, err
		}
	case len(words) > 0:
		d = []byte(words[0])
	}
	if !a.has("b") || d == nil {
		return d, nil
	}
	plain, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(d)))
	if err != nil {
		return nil, a.wrong("the data is no base64: %v", err)
	}
	return plain, nil
}

// fileBytesMax is more than any server accepts.
const fileBytesMax = 64 << 20

func (s *Shell) readFile(a *args, name string) ([]byte, error) {
	in := s.opt.In
	if name == "-" {
		if !s.stdin {
			return nil, a.wrong("-f - reads standard input, where the commands come from")
		}
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	d, err := io.ReadAll(io.LimitReader(in, fileBytesMax+1))
	if err == nil && len(d) > fileBytesMax {
		err = fmt.Errorf("%s is longer than %d bytes, which no server accepts", name, fileBytesMax)
	}
	return d, err
}

func runCreate(ctx context.Context, s *Shell, a *args) (result, error) {
	if err := errors.Join(a.exclusive("e", "c", "t"), a.exclusive("s", "c")); err != nil {
		return nil, err
	}
	path, o := a.params[0], zkclient.Create{Sequential: a.has("s"), Ephemeral: a.has("e"), Container: a.has("c")}
	if !(o.Sequential && strings.HasSuffix(path, "/") && path != "/") { // /lock/ becomes /lock/0000000000
		if err := checkPath(path); err != nil {
			return nil, a.wrong("%v: %q", err, safe(path))
		}
	}
	var err error
	if o.TTLMillis, err = a.number("t", 0, 64); err != nil {
		return nil, err
	}
	if a.has("t") && o.TTLMillis < 1 {
		return nil, a.wrong("-t %d: want a positive number of milliseconds", o.TTLMillis)
	}
	words := a.params[1:]
	d, err := s.payload(a, words)
	if !a.has("f") && len(words) > 0 { // with -f what follows the path is the ACL
		words = words[1:]
	}
	if len(words) > 1 {
		return nil, a.wrong("the data comes from -f or from the line, not from both")
	}
	if err == nil && len(words) > 0 {
		o.ACL, err = parseACL(a, words[0])
	}
	if err == nil && a.has("p") {
		err = makeParents(ctx, s.client, path)
	}
	if err != nil {
		return nil, err
	}
	made, st, err := s.client.Create(ctx, path, d, o)
	if err != nil {
		return nil, err
	}
	if o.Ephemeral && s.stdin {
		s.note("%s is gone when this command ends, with its session", safe(made))
	}
	return created{made, newStat(st)}, nil
}

// makeParents creates the nodes above a path that are missing.
func makeParents(ctx context.Context, c *zkclient.Client, path string) error {
	up := parent(strings.TrimSuffix(path, "/"))
	if up == "/" || path == "/" {
		return nil
	}
	_, err := c.Exists(ctx, up, false)
	if zkclient.Code(err) != noNode {
		return err
	}
	if err := makeParents(ctx, c, up); err != nil {
		return err
	}
	if _, _, err = c.Create(ctx, up, nil, zkclient.Create{}); zkclient.Code(err) == nodeExists {
		return nil
	}
	return err
}

// created is the result of create.
type created struct {
	Path string `json:"path"`
	Stat *stat  `json:"stat"`
}

func (c created) text(w io.Writer) { _, _ = fmt.Fprintln(w, "Created "+safe(c.Path)) }

func runSet(ctx context.Context, s *Shell, a *args) (result, error) {
	version, err := a.version()
	if err != nil {
		return nil, err
	}
	if given := len(a.params) > 1; given == a.has("f") {
		return nil, a.wrong("the data comes from the line or from -f, one of both")
	}
	d, err := s.payload(a, a.params[1:])
	if err != nil {
		return nil, err
	}
	st, err := s.client.Set(ctx, a.params[0], d, version)
	if err != nil {
		return nil, err
	}
	return done{a.params[0], newStat(st), a.has("s")}, nil
}

func runDelete(ctx context.Context, s *Shell, a *args) (result, error) {
	version, err := a.version()
	if err != nil {
		return nil, err
	}
	return done{Path: a.params[0]}, s.client.Delete(ctx, a.params[0], version)
}

// deleted is the result of deleteall.
type deleted struct {
	Path    string `json:"path"`
	Deleted int    `json:"deleted"`
}

func (d deleted) text(io.Writer) {}

func runDeleteAll(ctx context.Context, s *Shell, a *args) (result, error) {
	batch, err := a.number("b", workers, 32)
	switch {
	case err != nil:
		return nil, err
	case batch < 1:
		return nil, a.wrong("-b %d: want a positive number", batch)
	case a.params[0] == "/":
		return nil, a.wrong("the root cannot be deleted: name its children")
	}
	report := s.newProgress("deleteall")
	defer report.stop()
	var levels [][]string
	err = walk(ctx, s.client, a.params[0], -1, func(level []node) error {
		paths := make([]string, len(level))
		for i, n := range level {
			paths[i] = n.path
		}
		levels = append(levels, paths)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := len(levels) - 1; i >= 0; i-- {
		err := each(ctx, int(batch), len(levels[i]), func(ctx context.Context, k int) error {
			err := s.client.Delete(ctx, levels[i][k], -1)
			if zkclient.Code(err) == noNode {
				return nil // somebody else was faster
			}
			if err == nil {
				report.add(1)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return deleted{a.params[0], int(report.nodes.Load())}, nil
}
