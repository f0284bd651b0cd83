package picture

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

// moment is something that a client sent or received, which needs its Order.
type moment struct {
	at    time.Duration
	order *int
}

type plausibleClient struct {
	id      int
	conn    *check.Conn
	session int64
	xid     int32
	watches bool
}

// connect opens a connection of a client, to a server that is up.
func (p *plausible) connect(id int, server ensemble.ServerID) *plausibleClient {
	var c *plausibleClient
	for _, known := range p.clients {
		if known.id == id {
			c = known
		}
	}
	asked := int64(0)
	if c == nil {
		c = &plausibleClient{id: id, session: int64(id)<<32 | 0x100}
		p.clients = append(p.clients, c)
	} else {
		asked = c.session
	}
	at := p.now + p.soon(0, 3*time.Millisecond)
	c.conn = &check.Conn{
		Client: id, Conn: len(p.history.Conns) + 1, Server: server, Asked: asked, TimeoutMs: 4000,
		Session: c.session, Given: 4000, OpenedAt: at, AnsweredAt: at + 4*time.Millisecond,
	}
	p.history.Conns = append(p.history.Conns, c.conn)
	p.moments = append(p.moments, moment{at, &c.conn.Opened}, moment{c.conn.AnsweredAt, &c.conn.Answered})
	p.now += 6 * time.Millisecond
	return c
}

// lose ends the connection of a client whose server is gone.
func (c *plausibleClient) lose(p *plausible, server ensemble.ServerID) {
	if c.conn == nil || c.conn.Server != server || c.conn.ClosedAt != 0 {
		return
	}
	c.conn.ClosedAt, c.conn.ClosedByFault = p.now, true
	p.moments = append(p.moments, moment{p.now, &c.conn.Closed})
	for _, o := range p.history.Ops {
		if o.Conn == c.conn.Conn && o.BackAt > p.now {
			o.BackAt, o.Zxid, o.Reply = 0, 0, nil
			p.moments = slices.DeleteFunc(p.moments, func(m moment) bool { return m.order == &o.Returned })
		}
	}
	p.history.Events = slices.DeleteFunc(p.history.Events, func(n *check.Notice) bool {
		late := n.Conn == c.conn.Conn && n.At > p.now
		if late {
			p.moments = slices.DeleteFunc(p.moments, func(m moment) bool { return m.order == &n.Order })
		}
		return late
	})
}

// set writes a node, and tells whoever watches.
func (p *plausible) set(c *plausibleClient, path, value string) {
	c.xid++
	server := c.conn.Server
	at := p.now + p.soon(0, time.Millisecond)
	arrives := at + p.soon(200*time.Microsecond, time.Millisecond)
	if server != p.leader {
		arrives, _ = p.send(arrives, server, p.leader, "REQUEST 0x0 id=%d", c.xid)
	}
	o := &check.Op{
		Client: c.id, Conn: c.conn.Conn, Server: server, Session: c.session, Xid: c.xid, Code: proto.OpSetData,
		Request: &proto.SetDataRequest{Path: path, Data: []byte(value), Version: -1}, SentAt: at,
	}
	p.history.Ops = append(p.history.Ops, o)
	p.moments = append(p.moments, moment{at, &o.Sent})
	zxid, applied := p.write(arrives)
	txn := &p.history.Txns
	if len(*txn) > 0 && (*txn)[len(*txn)-1].Zxid == zxid {
		t := &(*txn)[len(*txn)-1]
		t.Session, t.Cxid, t.Op = c.session, c.xid, proto.OpSetData
	}
	if done, ok := applied[server]; ok {
		o.Zxid, o.Reply = zxid, &proto.StatReply{Stat: proto.Stat{Version: int32(c.xid)}}
		o.BackAt = done + p.soon(200*time.Microsecond, time.Millisecond)
		p.moments = append(p.moments, moment{o.BackAt, &o.Returned})
	}
	for _, w := range p.clients {
		if done, ok := applied[w.conn.Server]; ok && w.watches && w != c && w.conn.ClosedAt == 0 {
			w.watches = false
			n := &check.Notice{
				Client: w.id, Conn: w.conn.Conn, Session: w.session, At: done + p.soon(200*time.Microsecond, time.Millisecond),
				Zxid: zxid, Type: proto.EventNodeDataChanged, Path: path,
			}
			p.history.Events = append(p.history.Events, n)
			p.moments = append(p.moments, moment{n.At, &n.Order})
		}
	}
}

// get reads a node with a watch.
func (p *plausible) get(c *plausibleClient, path string) {
	c.xid++
	c.watches = true
	at := p.now + p.soon(0, time.Millisecond)
	o := &check.Op{
		Client: c.id, Conn: c.conn.Conn, Server: c.conn.Server, Session: c.session, Xid: c.xid, Code: proto.OpGetData,
		Request: &proto.PathWatchRequest{Path: path, Watch: true}, SentAt: at,
		BackAt: at + p.soon(time.Millisecond, 3*time.Millisecond), Zxid: last(p.servers[c.conn.Server].log).Zxid,
	}
	o.Reply = &proto.DataReply{Data: []byte("value"), Stat: proto.Stat{Version: 7}}
	if c.xid%9 == 0 {
		o.Reply, o.Err = nil, proto.ErrNoNode
	}
	p.history.Ops = append(p.history.Ops, o)
	p.moments = append(p.moments, moment{at, &o.Sent}, moment{o.BackAt, &o.Returned})
}

func (p *plausible) number() {
	slices.SortStableFunc(p.moments, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	for i, m := range p.moments {
		*m.order = i + 1
	}
}

// work lets all clients write and read for a while.
func (p *plausible) work(span, pace time.Duration) {
	end := p.now + span
	beat := p.now
	for p.now < end {
		if p.now >= beat {
			p.heartbeat()
			beat = p.now + 200*time.Millisecond
		}
		for _, c := range p.clients {
			if c.conn.ClosedAt != 0 || !p.up(c.conn.Server) || !slices.Contains(p.members, c.conn.Server) {
				continue
			}
			if p.rng.IntN(3) == 0 {
				p.get(c, "/config")
			} else {
				p.set(c, fmt.Sprintf("/app/%d", c.id), "v"+fmt.Sprint(c.xid))
			}
		}
		p.now += p.soon(pace/2, pace*3/2)
	}
}

// story is the run that the tests and the example look at: five servers and three
// clients; the leader loses power in the middle of its work, the next one is cut
// off with a minority, goes on for a while, and comes back.
func story(seed uint64) ([]check.Event, *check.History) {
	p := newPlausible(seed, 5)
	p.servers[5].observer = false
	p.boot(1, 2, 3, 4, 5)
	p.elect(5, 1, 2, 3, 4, 5)
	p.connect(1, 1)
	p.connect(2, 3)
	p.connect(3, 5)
	p.work(900*time.Millisecond, 30*time.Millisecond)

	p.crash(5, "power")
	p.look("the link to the leader is down", 1, 2, 3, 4)
	p.now += 40 * time.Millisecond
	p.elect(4, 1, 2, 3, 4)
	p.connect(3, 2)
	p.work(600*time.Millisecond, 30*time.Millisecond)
	p.boot(5)
	p.join(5)
	p.work(500*time.Millisecond, 30*time.Millisecond)

	p.partition([]ensemble.ServerID{3, 4}, []ensemble.ServerID{1, 2, 5})
	old := p.members
	p.members = []ensemble.ServerID{3, 4, 1}
	p.work(120*time.Millisecond, 50*time.Millisecond)
	p.members = old
	p.look("no word from the leader for 5 ticks", 1, 2, 5)
	p.elect(5, 1, 2, 5)
	p.now -= 60 * time.Millisecond
	p.add(p.now, 4, check.RoleChange, check.Event{State: ensemble.Looking, Peer: ensemble.NoServer, Text: "no quorum has answered for 5 ticks"})
	p.add(p.now+9*time.Millisecond, 3, check.RoleChange, check.Event{State: ensemble.Looking, Peer: ensemble.NoServer, Text: "the leader is gone"})
	p.now += 80 * time.Millisecond
	p.work(400*time.Millisecond, 30*time.Millisecond)
	p.add(p.now, 2, check.DiskError, check.Event{Text: "fsync of log.300000001: input/output error"})
	p.crash(2, "stop")
	p.connect(3, 1)
	p.now += 20 * time.Millisecond
	p.cuts = map[[2]ensemble.ServerID]bool{}
	p.fault(0, 0, "heal: all servers reach one another")
	p.join(3)
	p.join(4)
	p.boot(2)
	p.join(2)
	p.work(300*time.Millisecond, 30*time.Millisecond)
	p.add(p.now, 0, check.Healed, check.Event{})
	p.work(300*time.Millisecond, 30*time.Millisecond)
	return p.finish()
}

// brief is a short run, for tests of the page: three servers and two clients; the
// leader loses power after 0.4 s, another follows it, and a disk fails.
func brief(seed uint64) ([]check.Event, *check.History) {
	p := newPlausible(seed, 3)
	p.boot(1, 2, 3)
	p.elect(3, 1, 2, 3)
	p.connect(1, 1)
	p.connect(2, 2)
	p.work(400*time.Millisecond-p.now, 30*time.Millisecond)
	p.now = 400 * time.Millisecond
	p.crash(3, "power")
	p.look("the link to the leader is down", 1, 2)
	p.now += 40 * time.Millisecond
	p.elect(2, 1, 2)
	p.work(150*time.Millisecond, 30*time.Millisecond)
	p.fault(1, 2, "cut 1 2 for 20ms salt 3")
	p.now += 30 * time.Millisecond
	p.add(p.now, 1, check.DiskError, check.Event{Text: "fsync of log.200000001: input/output error"})
	return p.finish()
}

func (p *plausible) partition(a, b []ensemble.ServerID) {
	for _, x := range a {
		for _, y := range b {
			p.cuts[[2]ensemble.ServerID{x, y}], p.cuts[[2]ensemble.ServerID{y, x}] = true, true
		}
	}
	p.fault(0, 0, "partition: %v | %v", a, b)
}

// long is a run with 1,500 events a second.
func long(seed uint64, span time.Duration) ([]check.Event, *check.History) {
	p := newPlausible(seed, 5)
	p.boot(1, 2, 3, 4, 5)
	p.elect(5, 1, 2, 3, 4, 5)
	p.connect(1, 1)
	p.connect(2, 2)
	for leader := ensemble.ServerID(5); p.now < span; {
		p.work(5*time.Second, 50*time.Millisecond)
		if p.now >= span {
			break
		}
		p.crash(leader, "kill")
		rest := slices.DeleteFunc(p.ids(), func(id ensemble.ServerID) bool { return id == leader })
		p.look("the link to the leader is down", rest...)
		p.now += p.soon(20*time.Millisecond, 400*time.Millisecond)
		next := ensemble.ServerID(9 - leader)
		p.elect(next, rest...)
		p.work(time.Second, 50*time.Millisecond)
		p.boot(leader)
		p.join(leader)
		leader = next
	}
	return p.finish()
}
