package differential

import "strings"

// Memory is what the comparison remembers of a script, for those differences
// that show only later: how the two arm watches, and which nodes not everybody
// may read.
type Memory struct {
	closings    map[string]bool // zxids of closeSessions that were answered, as named
	watched     map[int]map[string]armed
	alias       bool // the root has been watched by its empty name
	undecodable bool // a multi or reconfig was answered with -5
	// undecodableIn is the last step in which that was so of a multi, or -1.
	undecodableIn int
	restricted    map[string]bool // paths that had an ACL other than world:anyone:31
	prefixes      []string        // the same of sequential nodes
}

// armed is a set of ways in which a connection watches, or watched, a path.
type armed byte

const (
	standard   armed = 1 << iota
	persistent       // by addWatch or setWatches2
	recursive        // likewise
	removed          // removeWatches was asked for
)

func newMemory() *Memory {
	return &Memory{undecodableIn: -1, closings: map[string]bool{}, watched: map[int]map[string]armed{}, restricted: map[string]bool{}}
}

// begin is called before each step on each connection: it takes note of what the
// step may bring about.
func (m *Memory) begin(s *Script, step, conn int) {
	if step >= len(s.Steps) || s.Steps[step].Conn != conn {
		return
	}
	for i := range s.Steps[step].Requests {
		r := &s.Steps[step].Requests[i]
		m.watches(conn, r)
		m.acls(r)
	}
}

func (m *Memory) arm(conn int, path string, how armed) {
	if path == "" {
		path = "/"
		m.alias = true
	}
	if m.watched[conn] == nil {
		m.watched[conn] = map[string]armed{}
	}
	m.watched[conn][path] |= how
}

func (m *Memory) watches(conn int, r *Request) {
	if len(r.Body) < 2 {
		return
	}
	switch r.Op {
	case opExists, opGetData, opGetChildren, opGetChildren2:
		m.arm(conn, r.path(), standard)
	case opAddWatch:
		m.arm(conn, r.path(), map[int64]armed{0: persistent, 1: recursive}[r.Body[1].N])
	case opRemoveWatches:
		if r.Body[1].N != 3 {
			m.arm(conn, r.path(), removed)
		}
	case opSetWatches, opSetWatches2:
		m.setWatches(conn, r)
	}
}

// setWatches reads the request as a server does, for a mangled one may say
// something, too.
func (m *Memory) setWatches(conn int, q *Request) {
	r := reader{buf: q.frame(0)[requestHeaderBytes:]}
	r.long()
	for _, how := range []armed{standard, standard, standard, persistent, recursive} {
		for n := r.int(); n > 0 && !r.short; n-- {
			if path := r.take(int(max(r.int(), 0))); !r.short {
				m.arm(conn, string(path), how)
			}
		}
	}
}

// mixed reports whether the connection has watched the path, or for events one
// above it, in ways that 3.8.0 does not keep apart.
func (m *Memory) mixed(conn int, path string, above bool) bool {
	for {
		if path == "" {
			path = "/"
		}
		how := m.watched[conn][path]
		if how&(persistent|recursive) != 0 && how&(how-1) != 0 {
			return true
		}
		if !above || path == "/" {
			return false
		}
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
}

// anybody reports whether any connection has watched the path.
func (m *Memory) anybody(path string) bool {
	for _, paths := range m.watched {
		if paths[path]&(standard|persistent|recursive) != 0 {
			return true
		}
	}
	return false
}

// below reports whether the connection watches the path, or one above it, and all
// below.
func (m *Memory) below(conn int, path string) bool {
	for {
		if path == "" {
			path = "/"
		}
		if m.watched[conn][path]&recursive != 0 {
			return true
		}
		if path == "/" {
			return false
		}
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
}

// acls notes the paths of a request that sets an ACL, also in a multi.
func (m *Memory) acls(r *Request) {
	path := ""
	for i := 0; i+2 < len(r.Body); i++ {
		if t := r.Body[i]; t.Kind == kindString && strings.HasPrefix(t.S, "/") {
			path = t.S
		}
		// perms, scheme, id
		entry := r.Body[i].Kind == kindInt && r.Body[i+1].Kind == kindString && r.Body[i+2].Kind == kindString
		if entry && !strings.HasPrefix(r.Body[i+1].S, "/") && (r.Body[i].N != 31 || r.Body[i+1].S != "world") {
			m.restricted[path] = true
			m.prefixes = append(m.prefixes, path)
		}
	}
}

// hidden reports whether there are clients who may not read the node.
func (m *Memory) hidden(path string) bool {
	if m.restricted[path] {
		return true
	}
	for _, p := range m.prefixes {
		if len(path) == len(p)+10 && strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// replied takes note of a reply of ours.
func (m *Memory) replied(step int, f *Frame) {
	if f.Request == nil {
		return
	}
	switch f.Request.Op {
	case opCloseSession:
		m.closings[f.cell("zxid")] = true
	case opMulti, opReconfig:
		if f.code() != errMarshalling {
			return
		}
		m.undecodable = true
		if f.Request.Op == opMulti {
			m.undecodableIn = step
		}
	}
}
