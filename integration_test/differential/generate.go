package differential

import (
	"fmt"
	"math/rand/v2"
)

// GenerateConfig says what scripts to make.
type GenerateConfig struct {
	Requests int  // about so many
	Servers  int  // of each kind
	Whole    bool // the servers are new and thrown away: touch the root and /zookeeper, too
}

// generator makes a script. What it believes of connections and sessions is a
// guess: requests that fail are as good as others.
type generator struct {
	r      *rand.Rand
	cfg    GenerateConfig
	script *Script
	root   string
	whole  bool

	// The character of the seed: how often, in 1,000 or 100.
	oddPaths, quotaPaths, sequences int // of 1,000 paths
	acls                            int // of 100 creates
	mangled, oddXids                int // of 1,000 requests
	names                           int // of the pool
	sessionsMax, batchMax           int
	ops                             []weighted[func() Request]
	steps                           []weighted[func()]

	conns    []int       // that should be open
	sessions []int       // that should exist
	owner    map[int]int // connection → session
	server   map[int]int // connection → server
	last     int         // connection
	xids     map[int]int32
	current  int // connection of the batch being made
}

// Generate makes the script of a seed, always the same.
func Generate(seed uint64, cfg GenerateConfig) *Script {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	g := &generator{r: r, cfg: cfg, whole: cfg.Whole, owner: map[int]int{}, server: map[int]int{}, xids: map[int]int32{}}
	g.root = fmt.Sprintf("/s%d", seed)
	g.script = &Script{Name: fmt.Sprintf("seed %d", seed), Roots: []string{g.root, "/zookeeper/quota" + g.root}}
	if g.whole && r.IntN(2) == 0 {
		g.root, g.script.Roots = "", nil
	}
	g.character()
	g.begin()
	for g.script.Requests() < cfg.Requests {
		if len(g.conns) == 0 {
			g.openNew()
			continue
		}
		pickWeighted(r, g.steps)()
	}
	g.finish()
	return g.script
}

// character draws what this seed does often, seldom and not at all.
func (g *generator) character() {
	r := g.r
	swarm := func() int { return pick(r, 0, 1, 2, 5, 10, 20) }
	g.oddPaths, g.sequences = pick(r, 0, 10, 50, 200), pick(r, 0, 20, 100)
	g.quotaPaths = pick(r, 0, 0, 0, 20, 100)
	g.acls, g.mangled, g.oddXids = pick(r, 0, 0, 10, 40), pick(r, 0, 0, 5, 30), pick(r, 0, 5, 50)
	if g.cfg.Servers > 1 {
		// ZooKeeper's followers tell the writes of a session apart by their xids,
		// and hang when two have the same, or a transaction the zxid of another.
		g.mangled, g.oddXids = 0, 0
	}
	g.names, g.sessionsMax, g.batchMax = 3+r.IntN(len(names)-2), 1+r.IntN(5), pick(r, 1, 3, 8, 20)
	g.ops = g.requestKinds(swarm)
	g.steps = []weighted[func()]{
		{100, g.batch}, {pick(r, 0, 3, 10), g.openNew}, {pick(r, 0, 2, 8), g.reopen},
		{pick(r, 0, 1, 4), g.cut}, {pick(r, 0, 1, 3), g.closeSession}, {pick(r, 0, 1, 3), g.closing}, {pick(r, 0, 1, 8), g.auth},
	}
}

// begin makes a first connection and the roots.
func (g *generator) begin() {
	for len(g.conns) == 0 {
		g.openNew()
	}
	if g.root == "" {
		return
	}
	g.add(g.conns[0], Request{Op: opCreate, Body: append(append([]Token{str(g.root), str("")}, open()...), i32(0))})
	if g.quotaPaths > 0 {
		g.add(g.conns[0], Request{Op: opCreate, Body: append(append([]Token{str("/zookeeper/quota" + g.root), str("")}, open()...), i32(0))})
	}
}

// add makes a batch of the requests, with xids.
func (g *generator) add(conn int, requests ...Request) {
	for i := range requests {
		g.xids[conn]++
		requests[i].Xid = g.xids[conn]
		if g.r.IntN(1000) < g.oddXids {
			requests[i].Xid = pick[int32](g.r, 0, -2, -3, -4, -8, 1<<31-1, -1<<31, 1)
		}
	}
	g.script.Steps = append(g.script.Steps, Step{Kind: Send, Conn: conn, Requests: requests})
}

// batch is several requests of one connection, none of which closes it.
func (g *generator) batch() {
	g.current = pick(g.r, g.conns...)
	n := 1 + g.r.IntN(g.batchMax)
	var list []Request
	for len(list) < n {
		q := pickWeighted(g.r, g.ops)()
		if q.closing() {
			list = []Request{q} // what stands before it might not be answered
			g.add(g.current, list...)
			g.forget(g.current)
			return
		}
		if g.r.IntN(1000) < g.mangled {
			g.mangle(&q)
		}
		list = append(list, q)
	}
	g.add(g.current, list...)
}

// finish closes most sessions.
func (g *generator) finish() {
	for len(g.conns) > 0 {
		g.current = g.conns[0]
		if g.r.IntN(4) == 0 {
			g.forget(g.current)
			continue
		}
		g.add(g.current, Request{Op: opCloseSession})
		g.forget(g.current)
	}
}

// forget takes a connection for closed.
func (g *generator) forget(conn int) {
	for i, c := range g.conns {
		if c == conn {
			g.conns = append(g.conns[:i], g.conns[i+1:]...)
			return
		}
	}
}

func (g *generator) openNew() {
	if len(g.conns) >= g.sessionsMax {
		return
	}
	g.last++
	g.script.Steps = append(g.script.Steps, Step{Kind: Open, Conn: g.last, Open: g.openRequest()})
	step := &g.script.Steps[len(g.script.Steps)-1].Open
	g.owner[g.last], g.server[g.last] = g.last, step.Server
	if step.Seen.N <= 1 {
		g.conns = append(g.conns, g.last)
		g.sessions = append(g.sessions, g.last)
	}
}

func (g *generator) openRequest() OpenRequest {
	r := g.r
	o := OpenRequest{Server: 1 + r.IntN(g.cfg.Servers), Timeout: timeoutMin, Seen: i64(0), ReadOnly: pick(r, -1, 0, 1)}
	if r.IntN(4) == 0 {
		o.Timeout = pick[int32](r, 0, -1, 1, 59999, 60001, 90000, 120000, 120001, 1<<31-1, -1<<31)
	}
	switch r.IntN(20) {
	case 0:
		o.Seen = zxid(pick[int64](r, -1, 0, 1))
	case 1:
		o.Seen = pick(r, zxid(100000), i64(-1), i64(1<<62))
	}
	return o
}

// reopen asks for a session that there is, was, or never was.
func (g *generator) reopen() {
	r := g.r
	session := pick(r, g.sessions...)
	g.last++
	o := g.openRequest()
	o.Session = session
	live := 0
	for _, c := range g.conns {
		if g.owner[c] == session {
			live = c
		}
	}
	switch {
	case r.IntN(15) == 0:
		o.Session, o.Password = -1, pick(r, RightPassword, WrongPassword, ZeroPassword)
	case live == 0 && r.IntN(4) == 0:
		o.Password = pick(r, WrongPassword, ZeroPassword, EmptyPassword, NullPassword)
	case live != 0:
		o.Server = g.server[live]
	}
	g.script.Steps = append(g.script.Steps, Step{Kind: Open, Conn: g.last, Open: o})
	if o.Session > 0 && o.Password == RightPassword && o.Seen.N <= 1 {
		g.forget(live)
		g.conns = append(g.conns, g.last)
		g.owner[g.last], g.server[g.last] = session, o.Server
	}
}

func (g *generator) cut() {
	conn := pick(g.r, g.conns...)
	g.script.Steps = append(g.script.Steps, Step{Kind: Cut, Conn: conn})
	g.forget(conn)
}

// closeSession ends a session, perhaps behind other requests.
func (g *generator) closeSession() {
	g.batch()
	steps := g.script.Steps
	last := &steps[len(steps)-1]
	if last.Requests[0].closing() {
		return
	}
	g.xids[last.Conn]++
	last.Requests = append(last.Requests, Request{Xid: g.xids[last.Conn], Op: opCloseSession})
	g.forget(last.Conn)
}

// auth adds an identity, mostly.
func (g *generator) auth() {
	g.current = pick(g.r, g.conns...)
	who := pick(g.r, users...)
	if g.r.IntN(10) == 0 {
		who = superUser
	}
	g.add(g.current, Request{Op: opAuth, Body: []Token{i32(pick[int32](g.r, 0, 0, 0, 100, -1)), str("digest"), str(who)}})
}
