package picture

import (
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// sending is when somebody has sent something to a server.
type sending struct {
	server ensemble.ServerID
	at     time.Duration
}

// reached notes when a client's bytes came, if the trace has both ends of their
// way.
func (b *builder) reached(m message) {
	if m.sent == 0 || m.got == 0 || m.from > 0 || m.to <= 0 {
		return
	}
	k := sending{m.to, b.events[m.sent-1].At}
	b.reach[k] = append(b.reach[k], b.events[m.got-1].At)
}

// arrival is when what was sent to a server at a moment arrived. Of several things
// sent at once the first arrived first.
func (b *builder) arrival(server ensemble.ServerID, at time.Duration) (time.Duration, bool) {
	k := sending{server, at}
	list := b.reach[k]
	if len(list) == 0 {
		return 0, false
	}
	b.reach[k] = list[1:]
	return list[0], true
}

// clientBuilder adds what clients did to a document.
type clientBuilder struct {
	*builder
	delivered map[applied]time.Duration
	txns      map[request]check.Txn
	rows      map[int][]time.Duration // client -> until when its rows are taken
}

// applied is what a server has applied.
type applied struct {
	server ensemble.ServerID
	zxid   ensemble.Zxid
}

// request is what joins a transaction with what a client asked for.
type request struct {
	session int64
	cxid    int32
}

// guess is how long a request or an answer is drawn to take, at most, when the
// trace does not tell.
const guess = 2 * time.Millisecond

func (b *builder) fillClients() {
	c := &clientBuilder{b, map[applied]time.Duration{}, map[request]check.Txn{}, map[int][]time.Duration{}}
	for i := range b.events {
		if e := &b.events[i]; e.Kind == check.Delivered {
			c.delivered[applied{e.Node, e.Zxid}] = e.At
		}
	}
	for _, t := range b.history.Txns {
		if t.Session != 0 {
			c.txns[request{t.Session, t.Cxid}] = t
		}
	}
	c.connections()
	ops := slices.Clone(b.history.Ops)
	slices.SortStableFunc(ops, func(x, y *check.Op) int { return int(x.SentAt - y.SentAt) })
	for _, o := range ops {
		c.operation(o)
	}
	for _, n := range b.history.Events {
		c.notice(n)
	}
	for i := range b.doc.Clients {
		b.doc.Clients[i].Rows = max(1, len(c.rows[i+1]))
	}
}

func (c *clientBuilder) connections() {
	for _, k := range c.history.Conns {
		to := c.end
		if k.Closed > 0 {
			to = k.ClosedAt
		}
		lane := &c.doc.Clients[c.clients[k.Client]-1]
		lane.Conns = append(lane.Conns, conn{
			From: int64(k.OpenedAt), To: int64(to), Server: c.servers[k.Server],
			Session: hex(uint64(k.Session)), Text: connText(k), Fault: k.Closed > 0 && k.ClosedByFault,
		})
	}
}

// operation adds a request. Where the servers' part of its way is not in the
// trace, the answer of a write is taken to leave when the server applies it.
func (c *clientBuilder) operation(o *check.Op) {
	col := &c.doc.Ops
	answered := o.Returned > 0
	zxid, outcome := o.Zxid, succeeded
	switch {
	case !answered:
		outcome, zxid = unanswered, 0
		if t, known := c.txns[request{o.Session, o.Xid}]; known && t.At >= o.SentAt {
			zxid = t.Zxid
		}
	case o.Err != proto.OK:
		outcome = failed
	}
	reach, leave := c.way(o, answered)
	col.Client = append(col.Client, c.clients[o.Client])
	col.Conn = append(col.Conn, o.Conn)
	col.Server = append(col.Server, c.servers[o.Server])
	col.Sent = append(col.Sent, int64(o.SentAt))
	col.Back = append(col.Back, int64(o.BackAt))
	col.Reach = append(col.Reach, int64(reach))
	col.Leave = append(col.Leave, int64(leave))
	col.Text = append(col.Text, c.text(requestText(o.Code, o.Request)))
	col.Reply = append(col.Reply, c.text(replyText(o)))
	col.Zxid = append(col.Zxid, c.zxids[zxid])
	col.Outcome = append(col.Outcome, outcome)
	write := 0
	if o.Code.Write() {
		write = 1
	}
	col.Write = append(col.Write, write)
	col.Row = append(col.Row, c.row(o, answered))
	if o.Code == proto.OpPing {
		c.doc.Classes[pings].Count++
	} else {
		c.doc.Classes[requests].Count++
		if answered {
			c.doc.Classes[replies].Count++
		}
	}
}

// way is when a request reached its server and when the answer left it; negative
// where it is a guess.
func (c *clientBuilder) way(o *check.Op, answered bool) (reach, leave time.Duration) {
	reach, known := c.arrival(o.Server, o.SentAt)
	if !answered {
		if !known {
			reach = -min(o.SentAt+guess, c.end)
		}
		return reach, 0
	}
	third := (o.BackAt - o.SentAt) / 3
	if !known {
		reach = -(o.SentAt + min(guess, third))
	}
	leave = -(o.BackAt - min(guess, third))
	if at, did := c.delivered[applied{o.Server, o.Zxid}]; did && o.Code.Write() && at >= o.SentAt && at <= o.BackAt {
		leave = -at
	}
	return reach, leave
}

// row finds room for an operation beside those of its client that are still
// under way.
func (c *clientBuilder) row(o *check.Op, answered bool) int {
	const rows = 4
	until := o.BackAt
	if !answered {
		until = c.end
		if k := c.conns[o.Conn]; k != nil && k.Closed > 0 {
			until = k.ClosedAt
		}
	}
	taken := c.rows[c.clients[o.Client]]
	for i, t := range taken {
		if t <= o.SentAt {
			taken[i] = until
			return i
		}
	}
	if len(taken) < rows {
		c.rows[c.clients[o.Client]] = append(taken, until)
		return len(taken)
	}
	return o.Sent % rows
}

func (c *clientBuilder) notice(n *check.Notice) {
	col := &c.doc.Notices
	from := ensemble.ServerID(0)
	if k := c.conns[n.Conn]; k != nil {
		from = k.Server
	}
	leave := -max(0, n.At-guess/4)
	if at, did := c.delivered[applied{from, n.Zxid}]; did && at <= n.At {
		leave = -at
	}
	col.Client = append(col.Client, c.clients[n.Client])
	col.Server = append(col.Server, c.servers[from])
	col.Leave = append(col.Leave, int64(leave))
	col.At = append(col.At, int64(n.At))
	col.Text = append(col.Text, c.text(n.Type.String()+" "+n.Path))
	col.Zxid = append(col.Zxid, c.zxids[n.Zxid])
	c.doc.Classes[watchEvents].Count++
}
