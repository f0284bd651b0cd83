package check

import (
	"github.com/quorate/quorate/server/proto"
)

var sessionTamperings = []tampering{
	{"two clients get one session", invS1, func(x *tamperer) bool {
		var fresh []*line
		for _, l := range x.lines {
			if l.Asked == 0 && l.Session != 0 && l.Answered != 0 {
				fresh = append(fresh, l)
			}
		}
		if len(fresh) < 2 {
			return false
		}
		k := 1 + x.n(len(fresh)-1)
		fresh[k].Session = fresh[0].Session
		for _, i := range fresh[k].ops {
			x.h.Ops[i].Session = fresh[0].Session
		}
		return true
	}},
	{"a session is made twice", invS1, func(x *tamperer) bool {
		i, ok := x.chooseTxn(func(_ int, t *Txn) bool { return t.Op == proto.OpCreateSession })
		if ok {
			x.appendTxn(x.h.Txns[i], x.h.Txns[i].Zxid.Epoch())
		}
		return ok
	}},
	{"a wrong password is good enough", invS1, func(x *tamperer) bool {
		return chooseConn(x, func(c *Conn) { c.WrongPassword = true })
	}},
	{"a client gets a session that it did not ask for", invS1, func(x *tamperer) bool {
		return chooseConn(x, func(c *Conn) { c.Asked++ })
	}},
	{"a session writes after its end", invS2, func(x *tamperer) bool {
		type pair struct{ write, end int }
		var pairs []pair
		last := map[int64]int{}
		for i := range x.h.Txns {
			t := &x.h.Txns[i]
			if w, ok := last[t.Session]; ok && t.Op == proto.OpCloseSession && t.Zxid.Epoch() == x.h.Txns[w].Zxid.Epoch() {
				pairs = append(pairs, pair{w, i})
			}
			if x.opOf[i] >= 0 && t.Err == proto.OK && t.Op != proto.OpCloseSession && !empty(x.h.Ops[x.opOf[i]]) {
				last[t.Session] = i
			}
		}
		p, ok := choose(x, pairs)
		if ok {
			x.swapTxns(p.write, p.end)
		}
		return ok
	}},
	{"an ephemeral outlives its session", invS3, func(x *tamperer) bool {
		over := func(op *Op) (session int64) {
			for i := range x.h.Txns {
				if t := &x.h.Txns[i]; t.Op == proto.OpCloseSession && t.Zxid <= op.Zxid {
					session = t.Session
				}
			}
			return session
		}
		_, op, ok := x.chooseOp(func(_ int, op *Op) bool {
			_, has := statOf(op.Reply)
			return isRead(op) && has && over(op) != 0
		})
		if ok {
			stat, _ := statOf(op.Reply)
			stat.EphemeralOwner = over(op)
			op.Reply = withStat(op.Reply, stat)
		}
		return ok
	}},
	{"a deleted node is back", invS4, func(x *tamperer) bool { return resurrect(x, false) }},
	{"an ephemeral is back", invS4, func(x *tamperer) bool { return resurrect(x, true) }},
	{"a zombie's write is committed", invS7, zombie},
}

// chooseConn changes a connection on which a client came back to its session.
func chooseConn(x *tamperer, do func(c *Conn)) bool {
	var list []*line
	for _, l := range x.lines {
		if l.Asked != 0 && l.Session != 0 && l.Answered != 0 {
			list = append(list, l)
		}
	}
	l, ok := choose(x, list)
	if ok {
		do(l.Conn)
	}
	return ok
}

// resurrect shows a node, as a read once found it, to a read that finds nothing.
func resurrect(x *tamperer, ephemeral bool) bool {
	type pair struct{ of, by *Op }
	type read struct {
		code proto.OpCode
		path string
	}
	var pairs []pair
	found := map[read][]*Op{}
	for _, op := range x.h.Ops {
		if !isRead(op) || op.Returned == 0 {
			continue
		}
		k := read{op.Code, pathOf(op.Request)}
		if stat, ok := statOf(op.Reply); ok && (stat.EphemeralOwner != 0 || !ephemeral) {
			found[k] = append(found[k], op)
		}
		if op.Err == proto.ErrNoNode {
			for _, o := range found[k] {
				if o.Zxid < op.Zxid {
					pairs = append(pairs, pair{op, o})
				}
			}
		}
	}
	p, ok := choose(x, pairs)
	if ok {
		p.of.Err, p.of.Reply = proto.OK, p.by.Reply
	}
	return ok
}

// zombie commits, at the end of the epoch, a request of a connection from which
// its session has moved.
func zombie(x *tamperer) bool {
	type lost struct {
		op, end int
	}
	var list []lost
	for _, l := range x.lines {
		for _, i := range l.ops {
			op := x.h.Ops[i]
			if !x.writes[i] || x.txnOf[i] >= 0 || op.Code == proto.OpCloseSession || empty(op) || !x.unique(i) {
				continue
			}
			for _, heir := range x.lines {
				epoch := x.epochOf(heir)
				if heir.Session != l.Session || heir.Opened <= l.Opened || heir.Server == l.Server || heir.Answered == 0 || epoch != x.epochOf(l) {
					continue
				}
				for t := range x.h.Txns {
					if o := x.opOf[t]; o >= 0 && x.h.Ops[o].Sent > heir.Answered && x.h.Txns[t].Zxid.Epoch() == epoch {
						list = append(list, lost{i, t})
					}
				}
			}
			break // only the first that was lost can be committed
		}
	}
	z, ok := choose(x, list)
	if ok {
		op := x.h.Ops[z.op]
		x.appendTxn(Txn{Session: x.sessionOf(z.op), Cxid: op.Xid, Op: op.Code, Time: 1}, x.h.Txns[z.end].Zxid.Epoch())
	}
	return ok
}
