package differential

// requestKinds are the requests that a batch may hold, as often as the seed has
// it.
func (g *generator) requestKinds(swarm func() int) []weighted[func() Request] {
	list := []weighted[func() Request]{
		{10, g.create}, {5, g.delete}, {5, g.setData}, {swarm(), g.setACL}, {swarm(), g.sequence}, {swarm(), g.ephemeral},
		{swarm(), g.container}, {swarm(), g.multi}, {swarm(), g.multiRead},
		{5, func() Request { return g.read(opExists) }}, {5, func() Request { return g.read(opGetData) }},
		{5, func() Request { return g.read(opGetChildren) }}, {swarm(), func() Request { return g.read(opGetChildren2) }},
		{swarm(), func() Request { return g.onPath(opGetACL) }}, {1, func() Request { return g.onPath(opSync) }},
		{swarm(), func() Request { return g.onPath(opGetAllChildren) }}, {swarm(), func() Request { return g.onPath(opGetEphemerals) }},
		{swarm(), g.addWatch}, {swarm(), g.removeWatches}, {swarm(), g.setWatches},
		{1, func() Request { return Request{Op: opPing} }}, {1, func() Request { return Request{Op: opWhoAmI} }},
		{swarm() / 5, g.reconfig}, {swarm() / 2, g.ttl},
	}
	return list
}

// version chooses the version that a request expects.
func (g *generator) version() Token {
	if g.r.IntN(2) == 0 {
		return i32(-1)
	}
	return i32(pick[int32](g.r, 0, 0, 0, 1, 1, 2, 3, 4, -2, 1<<31-1, -1<<31))
}

func (g *generator) createBody(path string, flags int32) []Token {
	return append(append([]Token{str(path), g.data()}, g.acl()...), i32(flags))
}

func (g *generator) create() Request {
	flags := int32(0)
	if g.r.IntN(40) == 0 {
		flags = pick[int32](g.r, 1, 2, 3, 4, 5, 6, 7, -1, 1<<31-1)
	}
	return Request{Op: pick[int32](g.r, opCreate, opCreate2), Body: g.createBody(g.path(), flags)}
}

func (g *generator) sequence() Request {
	return Request{Op: pick[int32](g.r, opCreate, opCreate2), Body: g.createBody(g.sequentialPath(), pick[int32](g.r, 2, 2, 3))}
}

func (g *generator) ephemeral() Request {
	return Request{Op: pick[int32](g.r, opCreate, opCreate2), Body: g.createBody(g.path(), 1)}
}

func (g *generator) container() Request {
	flags := int32(4)
	if g.r.IntN(10) == 0 {
		flags = pick[int32](g.r, 0, 2, 5, 6, 7) // see "container-ephemeral-flags"
	}
	return Request{Op: opCreateContainer, Body: g.createBody(g.path(), flags)}
}

func (g *generator) ttl() Request {
	flags := pick[int32](g.r, 5, 5, 6)
	if g.r.IntN(5) == 0 {
		flags = pick[int32](g.r, 0, 1, 2, 3, 4, 7)
	}
	path := g.path()
	if flags == 6 {
		path = g.sequentialPath()
	}
	ttl := pick[int64](g.r, 1000000, 3600000, 1<<40-1)
	// A negative time in a request without a TTL mode ends ZooKeeper's process.
	if g.r.IntN(4) == 0 && flags >= 5 {
		ttl = pick[int64](g.r, 0, -1, 1<<40, 1<<62, -1<<63)
	}
	return Request{Op: opCreateTTL, Body: append(g.createBody(path, flags), i64(ttl))}
}

func (g *generator) delete() Request {
	return Request{Op: opDelete, Body: []Token{str(g.path()), g.version()}}
}

func (g *generator) setData() Request {
	return Request{Op: opSetData, Body: []Token{str(g.path()), g.data(), g.version()}}
}

func (g *generator) setACL() Request {
	return Request{Op: opSetACL, Body: append(append([]Token{str(g.path())}, g.acl()...), g.version())}
}

func (g *generator) read(op int32) Request {
	return Request{Op: op, Body: []Token{str(g.path()), boolean(g.r.IntN(2) == 0)}}
}

func (g *generator) onPath(op int32) Request {
	return Request{Op: op, Body: []Token{str(g.path())}}
}

func (g *generator) addWatch() Request {
	mode := pick[int32](g.r, 0, 0, 0, 1, 1, 1, 2, -1)
	return Request{Op: opAddWatch, Body: []Token{str(g.path()), i32(mode)}}
}

func (g *generator) removeWatches() Request {
	kind := pick[int32](g.r, 1, 1, 2, 2, 3, 3, 0, 4, 5, 6, -1)
	return Request{Op: pick[int32](g.r, opCheckWatches, opRemoveWatches), Body: []Token{str(g.path()), i32(kind)}}
}

func (g *generator) setWatches() Request {
	q := Request{Op: opSetWatches, Body: []Token{zxid(int64(g.r.IntN(g.script.Requests() + 2)))}}
	vectors := 3
	if g.r.IntN(2) == 0 {
		q.Op, vectors = opSetWatches2, 5
	}
	for range vectors {
		n := pick(g.r, 0, 0, 1, 1, 2, 3)
		if n == 0 && g.r.IntN(400) == 0 { // seldom: the rest says nothing, see "setwatches-null"
			q.Body = append(q.Body, null())
			continue
		}
		q.Body = append(q.Body, i32(int32(n)))
		for range n {
			q.Body = append(q.Body, str(g.path()))
		}
	}
	return q
}

func (g *generator) reconfig() Request {
	text := func() Token {
		return pick(g.r, null(), str(""), str("server.9=127.0.0.1:1:2"), str("1"), str("x"))
	}
	return Request{Op: opReconfig, Body: []Token{text(), text(), text(), i64(pick[int64](g.r, -1, 0, 1))}}
}

// part puts a request into a multi.
func part(q Request) []Token {
	return append([]Token{i32(q.Op), boolean(false), i32(-1)}, q.Body...)
}

func multiEnd() []Token { return []Token{i32(-1), boolean(true), i32(-1)} }

func (g *generator) multi() Request {
	q := Request{Op: opMulti}
	for range g.r.IntN(6) {
		var p Request
		switch g.r.IntN(12) {
		case 0, 1, 2:
			p = g.create()
		case 3, 4:
			p = g.setData()
		case 5, 6:
			p = g.delete()
		case 7, 8:
			p = Request{Op: opCheck, Body: []Token{str(g.path()), g.version()}}
		case 9:
			p = g.sequence()
		case 10:
			p = g.ephemeral()
		case 11:
			p = g.container()
			if flags := &p.Body[len(p.Body)-1]; flags.N > 0 && flags.N < 4 {
				flags.N = 4 // see "multi-container-flags"
			}
			if g.r.IntN(3) == 0 {
				p = g.ttl()
			}
		}
		if g.r.IntN(60) == 0 {
			p = pick(g.r, g.read(opGetData), g.setACL(), Request{Op: opPing}, g.read(opExists))
		}
		q.Body = append(q.Body, part(p)...)
	}
	q.Body = append(q.Body, multiEnd()...)
	return q
}

func (g *generator) multiRead() Request {
	q := Request{Op: opMultiRead}
	for range g.r.IntN(5) {
		p := g.read(pick[int32](g.r, opGetData, opGetChildren))
		if g.r.IntN(40) == 0 {
			p = pick(g.r, g.create(), g.read(opExists), g.read(opGetChildren2))
		}
		q.Body = append(q.Body, part(p)...)
	}
	q.Body = append(q.Body, multiEnd()...)
	return q
}

// mangle makes a request wrong in its bytes.
func (g *generator) mangle(q *Request) {
	switch g.r.IntN(5) {
	case 0:
		q.Trim = 1 + g.r.IntN(12)
	case 1:
		q.Body = append(q.Body, rawBytes("trailing"))
	case 2:
		q.Body = q.Body[:g.r.IntN(len(q.Body)+1)]
	case 3:
		switch q.Op {
		case opAddWatch, opSetWatches, opSetWatches2: // see "null-watch"
			return
		}
		if len(q.Body) > 0 {
			q.Body[g.r.IntN(len(q.Body))] = null()
		}
	case 4:
		if len(q.Body) > 0 {
			q.Body[g.r.IntN(len(q.Body))] = i32(pick[int32](g.r, -2, 1<<20, 1<<31-1, 0, 7))
		}
	}
}

// closing is a batch whose last request has the server close the connection,
// most likely.
func (g *generator) closing() {
	g.batch()
	steps := g.script.Steps
	last := &steps[len(steps)-1]
	if last.Requests[0].closing() {
		return
	}
	g.xids[last.Conn]++
	q := g.fatal()
	q.Xid = g.xids[last.Conn]
	if _, known := opNames[q.Op]; q.Op == opAuth || q.Op == opSASL || !known || q.Raw {
		// These are answered out of turn by ZooKeeper, or have it forget what it
		// was about to answer: they stand alone.
		last.Requests = nil
	}
	last.Requests = append(last.Requests, q)
	g.forget(last.Conn)
}

func (g *generator) fatal() Request {
	switch g.r.IntN(8) {
	case 0, 1:
		return Request{Op: pick[int32](g.r, 0, -1, 10, 23, 99, 108, 500, 1<<31-1, -1<<31, -12), Body: []Token{str("/")}}
	case 2:
		return Request{Raw: true, Body: []Token{rawBytes(pick(g.r, "\x00\x10\x00\x00", "\x7f\xff\xff\xff",
			"\xff\xff\xff\xff", "\x00\x00\x00\x00", "\x00\x00\x00\x04", "ruok", "srvr")), i32(7), i32(opGetData)}}
	case 3:
		return Request{Op: opSASL, Body: []Token{pick(g.r, str(""), str("token"), null())}}
	case 4, 5:
		return Request{Op: opAuth, Body: []Token{i32(0), pick(g.r, str("foo"), str(""), str("world"), str("auth"), str("super"), str("x509"),
			str("sasl"), str("ip"), null(), str("DIGEST")), pick(g.r, str("x"), str("ann:1"), null(), str(""))}}
	case 6:
		return Request{Op: opAuth, Body: []Token{i32(0), str("digest"), pick(g.r, null(), str(""), str("x"), str(":"), str("a:b:c"), str("\xff\x00:x"))}}
	}
	return Request{Op: opAuth, Body: []Token{i32(0), str("digest")}, Trim: g.r.IntN(6)}
}
