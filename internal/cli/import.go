package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/quorate/quorate/internal/zkclient"
)

// importLineMax is more than a line for the largest node there is.
const importLineMax = 64 << 20

// importer makes a subtree of the lines of an export.
type importer struct {
	s            *Shell
	a            *args
	name, root   string
	skip, update bool
	dry          bool
	report       *progress

	mu    sync.Mutex
	count importReport
}

// importReport is the result of import.
type importReport struct {
	Path      string `json:"path"`
	Created   int    `json:"created"`
	Updated   int    `json:"updated"`
	Same      int    `json:"same"`
	Skipped   int    `json:"skipped"`
	Conflicts int    `json:"conflicts"`
	DryRun    bool   `json:"dryRun,omitempty"`
}

func (r importReport) text(w io.Writer) {
	would := ""
	if r.DryRun {
		would = " (nothing was changed: -n)"
	}
	_, _ = fmt.Fprintf(w, "%s: %d created, %d updated, %d the same, %d skipped, %s%s\n",
		safe(r.Path), r.Created, r.Updated, r.Same, r.Skipped, counted(r.Conflicts, "conflict", "conflicts"), would)
}

func runImport(ctx context.Context, s *Shell, a *args) (result, error) {
	if err := a.exclusive("skip", "update"); err != nil {
		return nil, err
	}
	m := &importer{s: s, a: a, name: a.params[0], root: a.params[1], skip: a.has("skip"), update: a.has("update"), dry: a.has("n")}
	m.count = importReport{Path: m.root, DryRun: m.dry}
	if err := checkPath(m.root); err != nil {
		return nil, a.wrong("%v: %q", err, safe(m.root))
	}
	in := s.opt.In
	if m.name != "-" {
		f, err := os.Open(m.name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	} else if !s.stdin {
		return nil, a.wrong("- is standard input, where the commands come from")
	}
	m.report = s.newProgress("import")
	err := m.load(ctx, in)
	m.report.stop()
	if err == nil && m.count.Conflicts > 0 {
		_ = s.out.print(func(w io.Writer) error { return printResult(w, m.count, s.opt.JSON) })
		s.out.warn("what differs from the file was left: -update changes it, -skip says that this is fine")
		return nil, errSilent
	}
	if err != nil {
		if m.report.nodes.Load() > 0 {
			s.note("it stopped half-way: start it again when the reason is gone, what is there is passed over")
		}
		return nil, err
	}
	return m.count, nil
}

// load reads lines and carries out those of one depth at a time: children come behind
// their parents.
func (m *importer) load(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), importLineMax)
	number, nodes, header, trailer := 0, 0, false, false
	var batch []importNode
	depth := 0
	flush := func() error {
		defer func() { batch = batch[:0] }()
		return each(ctx, workers, len(batch), func(ctx context.Context, i int) error { return m.put(ctx, batch[i]) })
	}
	for lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		switch {
		case len(line) == 0:
			continue
		case !header:
			var h struct {
				Export int `json:"quorateExport"`
			}
			if err := json.Unmarshal(line, &h); err != nil || h.Export != exportVersion {
				return m.bad(number, "this is no export of version %d", exportVersion)
			}
			header = true
			if !m.dry {
				if err := makeParents(ctx, m.s.client, m.root); err != nil {
					return err
				}
			}
			continue
		case trailer:
			return m.bad(number, "there is something behind the last line")
		case bytes.HasPrefix(line, []byte(`{"nodes":`)):
			var t exportTrailer
			if err := json.Unmarshal(line, &t); err != nil {
				return m.bad(number, "%v", err)
			}
			if t.Nodes != nodes {
				return m.bad(number, "the last line speaks of %s, and before it there are %d: the file has been cut or changed; nothing of the last %d was imported", counted(t.Nodes, "node", "nodes"), nodes, len(batch))
			}
			trailer = true
			continue
		}
		n, err := m.parse(number, line)
		if err != nil {
			return err
		}
		if d := strings.Count(n.path, "/"); d != depth || len(batch) == levelMax {
			if err := flush(); err != nil {
				return err
			}
			depth = d
		}
		batch = append(batch, n)
		nodes++
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return m.bad(number+1, "a line is longer than %d MiB: this is no export", importLineMax>>20)
	case err != nil:
		return m.bad(number+1, "%v", err)
	case !header:
		return failure(safe(m.name) + " is empty, and so no export")
	}
	if err := flush(); err != nil {
		return err
	}
	if !trailer {
		return m.bad(number, "the file is not whole: its last line, with the number of nodes, is missing; what it had is imported")
	}
	return nil
}

func (m *importer) bad(line int, format string, values ...any) error {
	return failure(fmt.Sprintf("%s line %d: %s", safe(m.name), line, fmt.Sprintf(format, values...)))
}

// importNode is a line that has been understood.
type importNode struct {
	path string
	data []byte
	zkclient.Create
}

func (m *importer) parse(number int, line []byte) (importNode, error) {
	var e exportNode
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return importNode{}, m.bad(number, "%v", err)
	}
	n := importNode{path: absolute(m.root, e.Path), Create: zkclient.Create{Container: e.Container, TTLMillis: e.TTLMillis}}
	if e.Path != "" && e.Path[0] != '/' {
		return n, m.bad(number, "the path %q is not empty and does not begin with /", safe(e.Path))
	}
	if err := checkPath(n.path); err != nil {
		return n, m.bad(number, "%v: %q", err, safe(e.Path))
	}
	if e.Data != nil {
		n.data = *e.Data
		if n.data == nil {
			n.data = []byte{}
		}
	}
	for _, word := range e.ACL {
		entry, ok := parseACLEntry(word)
		if !ok {
			return n, m.bad(number, "the acl %q is not scheme:id:perm", safe(word))
		}
		n.ACL = append(n.ACL, entry)
	}
	if masked(n.ACL) {
		return n, m.bad(number, "the acl %s was masked when it was exported, nobody could use it: export again as one who may administer %s (--auth), or write another acl into the file", safe(strings.Join(e.ACL, ",")), safe(e.Path))
	}
	if e.Container && e.TTLMillis != 0 || e.TTLMillis < 0 {
		return n, m.bad(number, "a node is a container or has a positive ttl, not both")
	}
	return n, nil
}

// putsMax is how often a node is created of which nobody knows what became of it, or
// which others delete.
const putsMax = 3

// put makes one node.
func (m *importer) put(ctx context.Context, n importNode) error {
	m.report.add(1)
	for tries := 1; ; tries++ {
		gone, err := m.try(ctx, n)
		if !gone || tries == putsMax {
			return err
		}
	}
}

// try makes one node, or says that it is not there although it should be, and why.
func (m *importer) try(ctx context.Context, n importNode) (gone bool, err error) {
	c := m.s.client
	err = &zkclient.Error{Path: n.path, Err: nodeExists}
	switch {
	case n.path == "/": // is always there
	case m.dry:
		if _, err = c.Exists(ctx, n.path, false); zkclient.Code(err) == noNode {
			m.tally(&m.count.Created)
			return false, nil
		} else if err == nil {
			err = nodeExists
		}
	default:
		if _, _, err = c.Create(ctx, n.path, n.data, n.Create); err == nil {
			m.tally(&m.count.Created)
			return false, nil
		}
	}
	switch code := zkclient.Code(err); {
	case errors.Is(err, zkclient.ErrConnectionLoss): // it may have been created
	case code == noNode:
		return false, failure("the parent of " + safe(n.path) + " is missing, or was deleted meanwhile")
	case code != nodeExists:
		return false, err
	}
	old, rerr := read(ctx, c, n.path, len(n.ACL) > 0)
	if rerr != nil {
		return false, rerr
	}
	if old.gone {
		return true, err
	}
	return false, m.meet(ctx, n, old)
}

// meet decides what becomes of a node that is there already.
func (m *importer) meet(ctx context.Context, n importNode, old full) error {
	var what []string
	if !sameData(old.data, n.data) {
		what = append(what, fmt.Sprintf("data (%s here, %s in the file)", sizeOf(old.data), sizeOf(n.data)))
	}
	if len(n.ACL) > 0 && !sameACL(old.acl, n.ACL) {
		what = append(what, "acl")
	}
	switch {
	case len(what) == 0:
		m.tally(&m.count.Same)
		return nil
	case m.skip:
		m.tally(&m.count.Skipped)
		return nil
	case !m.update:
		m.tally(&m.count.Conflicts)
		m.s.out.warn("conflict: %s: %s", safe(n.path), strings.Join(what, ", "))
		return nil
	}
	return m.change(ctx, n, old)
}

// change makes a node like that of the file, unless somebody changes it meanwhile.
func (m *importer) change(ctx context.Context, n importNode, old full) error {
	m.tally(&m.count.Updated)
	if m.dry {
		return nil
	}
	if !sameData(old.data, n.data) {
		if _, err := m.s.client.Set(ctx, n.path, n.data, old.stat.Version); err != nil {
			return err
		}
	}
	if len(n.ACL) > 0 && !sameACL(old.acl, n.ACL) {
		_, err := m.s.client.SetACL(ctx, n.path, n.ACL, old.stat.AVersion)
		return err
	}
	return nil
}

func (m *importer) tally(n *int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*n++
}
