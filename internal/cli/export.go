package cli

import (
	"bufio"
	"context"
	"io"
	"slices"
	"time"

	"github.com/quorate/quorate/server/proto"
)

// exportVersion is the version of the format.
const exportVersion = 1

// The lines of an export: one header, the nodes with parents first, one trailer.
type (
	exportHeader struct {
		Export  int       `json:"quorateExport"` // exportVersion
		Root    string    `json:"root"`
		Servers string    `json:"servers"`
		Zxid    zxid      `json:"zxid"` // before the first node was read
		Time    time.Time `json:"time"`
	}
	exportNode struct {
		Path      string   `json:"path"` // relative: "" is the exported node itself
		Data      *[]byte  `json:"data"` // base64; null if it is null
		ACL       []string `json:"acl"`
		Container bool     `json:"container,omitempty"`
		TTLMillis int64    `json:"ttl,omitempty"`
	}
	exportTrailer struct {
		Nodes      int `json:"nodes"`
		Ephemerals int `json:"ephemeralsLeftOut"`
	}
)

// exporter writes a subtree.
type exporter struct {
	s         *Shell
	root      string
	ephemeral bool
	out       io.Writer
	count     exportTrailer
	masked    int
	report    *progress
}

func runExport(ctx context.Context, s *Shell, a *args) (res result, err error) {
	name := a.value("f")
	w, file := s.opt.Out, (*wholeFile)(nil)
	if name != "" && name != "-" {
		if file, err = createWhole(name, 0o644); err != nil {
			return nil, err
		}
		w = file
	}
	buf := bufio.NewWriter(w)
	e := &exporter{s: s, root: a.params[0], ephemeral: a.has("e"), out: buf, report: s.newProgress("export")}
	err = e.export(ctx)
	e.report.stop()
	if err == nil {
		err = buf.Flush()
	}
	if file != nil {
		err = file.finish(err)
	}
	if err != nil {
		return nil, err
	}
	s.out.warn("exported %s of %s", counted(e.count.Nodes, "node", "nodes"), safe(e.root))
	if n := e.count.Ephemerals; n > 0 {
		s.note("%s left out (-e takes them, as ordinary ones)", counted(n, "ephemeral node is", "ephemeral nodes are"))
	}
	if e.masked > 0 {
		s.note("the server masks the digests in the access control lists of %s, which you may not administer: import will refuse them, unless you export again with --auth", counted(e.masked, "node", "nodes"))
	}
	return nil, nil
}

func (e *exporter) export(ctx context.Context) error {
	c := e.s.client
	if err := catchUp(ctx, c, e.root); err != nil {
		return err
	}
	if _, err := c.Exists(ctx, e.root, false); err != nil {
		return err
	}
	header := exportHeader{exportVersion, e.root, e.s.opt.Servers, zxid(c.LastZxid()), time.Now().UTC().Truncate(time.Millisecond)}
	if err := writeJSON(e.out, header); err != nil {
		return err
	}
	level := []string{e.root}
	for len(level) > 0 {
		var next []string
		for part := range slices.Chunk(level, levelMax) {
			below, err := e.exportPart(ctx, part)
			if err != nil {
				return err
			}
			next = append(next, below...)
		}
		level = next
	}
	return writeJSON(e.out, e.count)
}

// exportPart writes some nodes and returns the paths of their children.
func (e *exporter) exportPart(ctx context.Context, paths []string) ([]string, error) {
	nodes := make([]full, len(paths))
	err := each(ctx, workers, len(paths), func(ctx context.Context, i int) (err error) {
		nodes[i], err = read(ctx, e.s.client, paths[i], true)
		return err
	})
	if err != nil {
		return nil, err
	}
	var next []string
	for _, n := range nodes {
		switch {
		case n.gone:
			continue
		case n.stat.EphemeralOwner != 0 && !e.ephemeral:
			e.count.Ephemerals++
			continue
		}
		line := exportNode{Path: relative(e.root, n.path), ACL: aclWords(n.acl)}
		if n.data != nil {
			line.Data = &n.data
		}
		if masked(n.acl) {
			e.masked++
		}
		if err := writeJSON(e.out, line); err != nil {
			return nil, err
		}
		e.count.Nodes++
		e.report.add(1)
		for _, name := range n.children {
			if e.root == "/" && n.path == "/" && name == "zookeeper" {
				continue // the server's own
			}
			next = append(next, join(n.path, name))
		}
	}
	return next, nil
}

func aclWords(acl []proto.ACL) []string {
	words := make([]string, len(acl))
	for i, e := range acl {
		words[i] = e.ID.Scheme + ":" + e.ID.ID + ":" + formatPermissions(e.Perms)
	}
	return words
}
