package picture

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

// builder turns a run into a document. Its tables give everything that occurs
// more than once a number; all begin with 1, because 0 means nothing.
type builder struct {
	doc     document
	events  []check.Event
	history *check.History
	end     time.Duration

	servers map[ensemble.ServerID]int
	clients map[int]int
	zxids   map[ensemble.Zxid]int
	texts   map[string]int
	facts   map[string]int
	kinds   map[check.Kind]int // from 0

	messages []message
	byEvent  []int                       // event -> message, both from 1
	reach    map[sending][]time.Duration // when requests of clients came to servers
	conns    map[int]*check.Conn
}

// build makes the document of a run. The events need not be in order of time.
func build(title string, events []check.Event, h *check.History, v *check.Violation) (*document, error) {
	if h == nil {
		h = &check.History{}
	}
	byTime := func(a, b check.Event) int { return cmp.Compare(a.At, b.At) }
	if !slices.IsSortedFunc(events, byTime) {
		events = slices.Clone(events)
		slices.SortStableFunc(events, byTime)
	}
	if len(events) > 0 && events[0].At < 0 {
		return nil, fmt.Errorf("picture: event %d is at %v; a run begins at 0", events[0].Seq, events[0].At)
	}
	b := &builder{
		events: events, history: h,
		texts: map[string]int{}, facts: map[string]int{}, kinds: map[check.Kind]int{}, conns: map[int]*check.Conn{}, reach: map[sending][]time.Duration{},
	}
	b.doc.Title = title
	b.nameAll()
	b.joinMessages()
	if err := b.fillEvents(); err != nil {
		return nil, err
	}
	b.fillMessages()
	b.drawBands()
	b.markFaults()
	b.fillClients()
	b.explain(v)
	b.tell()
	noNulls(reflect.ValueOf(&b.doc).Elem())
	return &b.doc, nil
}

// noNulls makes empty lists of those that nothing was added to: the page knows no
// null.
func noNulls(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Slice:
			if f.IsNil() {
				f.Set(reflect.MakeSlice(f.Type(), 0, 0))
			}
		case reflect.Struct:
			noNulls(f)
		}
	}
}

// nameAll finds out who and what occurs, and when the run ends.
func (b *builder) nameAll() {
	servers, clients, zxids := map[ensemble.ServerID]bool{}, map[int]bool{}, map[ensemble.Zxid]bool{}
	see := func(list ...ensemble.Zxid) {
		for _, z := range list {
			zxids[z] = true
		}
	}
	b.end = b.history.End
	for i := range b.events {
		e := &b.events[i]
		b.end = max(b.end, e.At)
		servers[e.Node], servers[e.Peer] = true, true
		see(e.Zxid, e.To, e.Snap)
		see(mentioned(e.Text)...)
		if n := len(e.Log); n > 0 {
			see(e.Log[0].Zxid, e.Log[n-1].Zxid)
		}
		if e.Vote != nil {
			see(e.Vote.Zxid)
			servers[e.Vote.Leader] = true
		}
	}
	for _, t := range b.history.Txns {
		see(t.Zxid)
	}
	for _, c := range b.history.Conns {
		b.conns[c.Conn] = c
		clients[c.Client], servers[c.Server] = true, true
		b.end = max(b.end, c.OpenedAt, c.AnsweredAt, c.ClosedAt)
	}
	for _, o := range b.history.Ops {
		clients[o.Client], servers[o.Server] = true, true
		see(o.Zxid)
		b.end = max(b.end, o.SentAt, o.BackAt)
	}
	for _, n := range b.history.Events {
		clients[n.Client] = true
		see(n.Zxid)
		b.end = max(b.end, n.At)
	}
	delete(servers, 0)
	delete(servers, ensemble.NoServer)
	delete(zxids, 0)
	b.doc.End = int64(b.end)
	b.servers = number(servers)
	b.clients = number(clients)
	b.zxids = number(zxids)
	for _, id := range slices.Sorted(maps.Keys(b.servers)) {
		b.doc.Servers = append(b.doc.Servers, server{Name: id.String(), Bands: []band{}})
	}
	for _, id := range slices.Sorted(maps.Keys(b.clients)) {
		b.doc.Clients = append(b.doc.Clients, client{Name: strconv.Itoa(id), Conns: []conn{}})
	}
	for _, z := range slices.Sorted(maps.Keys(b.zxids)) {
		b.doc.Zxids = append(b.doc.Zxids, z.String())
	}
}

// number gives the keys of a set the numbers from 1, ascending.
func number[K cmp.Ordered](set map[K]bool) map[K]int {
	numbers := make(map[K]int, len(set))
	for i, k := range slices.Sorted(maps.Keys(set)) {
		numbers[k] = i + 1
	}
	return numbers
}

func (b *builder) text(s string) int {
	if s == "" {
		return 0
	}
	n, known := b.texts[s]
	if !known {
		b.doc.Texts = append(b.doc.Texts, s)
		n = len(b.doc.Texts)
		b.texts[s] = n
	}
	return n
}

func (b *builder) kind(k check.Kind) int {
	n, known := b.kinds[k]
	if !known {
		n = len(b.doc.Kinds)
		b.doc.Kinds = append(b.doc.Kinds, string(k))
		b.kinds[k] = n
	}
	return n
}

func (b *builder) fillEvents() error {
	c := &b.doc.Events
	before := time.Duration(0)
	for i := range b.events {
		e := &b.events[i]
		told := 0
		if b.byEvent[i] == 0 || e.Kind == check.VoteSend || e.Kind == check.VoteRecv {
			var err error
			if told, err = b.fact(e); err != nil {
				return err
			}
		}
		c.At = append(c.At, int64(e.At-before))
		before = e.At
		c.Seq = append(c.Seq, e.Seq)
		node := b.servers[e.Node]
		if e.Kind == check.MessageSend && fromClient(e) {
			node = 0 // the server has nothing of it yet
		}
		c.Node = append(c.Node, node)
		c.Life = append(c.Life, e.Life)
		c.Kind = append(c.Kind, b.kind(e.Kind))
		c.Peer = append(c.Peer, b.servers[e.Peer])
		c.Zxid = append(c.Zxid, b.zxids[e.Zxid])
		c.Message = append(c.Message, b.byEvent[i])
		c.Fact = append(c.Fact, told)
	}
	return nil
}
