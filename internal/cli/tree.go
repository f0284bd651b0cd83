package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

const groupTree = "Trees"

var treeCommands = []*command{
	{name: "tree", group: groupTree, params: "[path]", short: "Draw a subtree",
		options: []option{{"d", "depth", "only so many levels below the path"}},
		example: "tree /app\ntree -d 1", paramsMax: 1, paths: 1, run: runTree},
	{name: "diff", group: groupTree, params: "a b", short: "Compare two subtrees, of one ensemble or of two",
		long: `Each is a path here, or host:port,host:port/path of another ensemble. Prints - for what
only a has, + for what only b has, ~ for what differs: data, and with -a access
control lists. Ephemeral nodes and /zookeeper are left out. The exit code is 0 if
there is no difference and 1 if there is one.`,
		options: []option{{"a", "", "compare access control lists, too"}, {"e", "", "compare ephemeral nodes, too"}},
		example: "diff /app /app.old\ndiff / zk9:2181/", paramsMin: 2, paramsMax: 2, streams: true, run: runDiff},
	{name: "export", group: groupTree, params: "path", short: "Write a subtree into a file",
		long: `A line of JSON for each node, parents first:
  {"path":"/name","data":"base64","acl":["world:anyone:cdrwa"]}
with paths relative to the exported one, data null where it is null, a first line that
says where it is from, and a last one that counts, without which the file is not whole.
Ephemeral nodes are left out. Containers and nodes with a TTL become ordinary nodes:
the protocol does not tell clients which they are. Nodes that change meanwhile are
taken before or after the change; it is no snapshot.`,
		options: []option{{"f", "file", "write here, not to standard output"}, {"e", "", "take ephemeral nodes, too, as ordinary ones"}},
		example: "export /app -f app.jsonl\nexport /app | gzip > app.jsonl.gz", paramsMin: 1, paramsMax: 1, paths: 1, streams: true, run: runExport},
	{name: "import", group: groupTree, params: "file path", short: "Read a subtree from a file that export has written",
		long: `Nodes that are missing are created, and so are those above the path. Nodes that are
there and the same are passed over, so that an import which was interrupted is simply
started again. One that is there and differs is a conflict: it stays, it is reported,
and the exit code is 1, unless -skip or -update says otherwise. Nothing is deleted.
A node in the file may say "container":true or "ttl":milliseconds. Numbers of sequential
nodes begin anew under a parent that is created.`,
		options: []option{{"skip", "", "leave nodes that differ, without a word"}, {"update", "", "make nodes that differ like those of the file"}, {"n", "", "change nothing, only say what would be done"}},
		example: "import app.jsonl /app\nimport -update app.jsonl /copy\nzcat app.jsonl.gz | quorate cli import - /app", paramsMin: 2, paramsMax: 2, streams: true, run: runImport},
}

// branch is a node of the result of tree.
type branch struct {
	Name       string    `json:"name"`
	Path       string    `json:"path"`
	DataLength int32     `json:"dataLength"`
	Ephemeral  bool      `json:"ephemeral,omitempty"`
	Hidden     int       `json:"hiddenChildren,omitempty"` // below the depth
	Denied     bool      `json:"denied,omitempty"`         // it may not be read
	Children   []*branch `json:"children,omitempty"`
}

func (b *branch) text(w io.Writer) {
	_, _ = fmt.Fprintln(w, b.label(b.Path))
	b.draw(w, "")
}

func (b *branch) label(name string) string {
	var notes []string
	if b.DataLength > 0 {
		notes = append(notes, counted(int(b.DataLength), "byte", "bytes"))
	}
	if b.Ephemeral {
		notes = append(notes, "ephemeral")
	}
	if b.Hidden > 0 {
		notes = append(notes, counted(b.Hidden, "child", "children"))
	}
	if b.Denied {
		notes = append(notes, "may not be read")
	}
	if len(notes) == 0 {
		return safe(name)
	}
	return safe(name) + "  (" + strings.Join(notes, ", ") + ")"
}

func (b *branch) draw(w io.Writer, indent string) {
	for i, c := range b.Children {
		knee, next := "├── ", "│   "
		if i == len(b.Children)-1 {
			knee, next = "└── ", "    "
		}
		_, _ = fmt.Fprintln(w, indent+knee+c.label(c.Name))
		c.draw(w, indent+next)
	}
}

func runTree(ctx context.Context, s *Shell, a *args) (result, error) {
	root := "/"
	if len(a.params) > 0 {
		root = a.params[0]
	}
	depth, err := a.number("d", -1, 32)
	if err == nil && a.has("d") && depth < 0 {
		err = a.wrong("-d %d: want a number of levels", depth)
	}
	if err != nil {
		return nil, err
	}
	report := s.newProgress("tree")
	defer report.stop()
	byPath := map[string]*branch{}
	level := 0
	err = s.walkReadable(ctx, root, int(depth), func(nodes []node) error {
		for _, n := range nodes {
			b := &branch{Name: base(n.path), Path: n.path, DataLength: n.stat.DataLength, Ephemeral: n.stat.EphemeralOwner != 0, Denied: n.denied}
			if level == int(depth) {
				b.Hidden = len(n.children)
			}
			byPath[n.path] = b
			if up := byPath[parent(n.path)]; up != nil && n.path != root {
				up.Children = append(up.Children, b)
			}
		}
		level++
		report.add(len(nodes))
		return nil
	})
	if errors.Is(err, errSilent) {
		if perr := s.out.print(func(w io.Writer) error { return printResult(w, byPath[root], s.opt.JSON) }); perr != nil {
			err = perr
		}
	}
	if err != nil {
		return nil, err
	}
	return byPath[root], nil
}
