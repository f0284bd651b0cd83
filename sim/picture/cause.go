package picture

import (
	"maps"
	"slices"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

// explain finds the place of the violation, and what led to it: the events that
// happened before it in Lamport's sense, the latest first, as far as they tell
// something.
func (b *builder) explain(v *check.Violation) {
	if v == nil {
		return
	}
	d := &violation{
		Invariant: v.Invariant, Rule: v.Rule, Text: v.Text, At: int64(v.At), Node: b.servers[v.Node],
		From: int64(v.At), Events: []int{}, Messages: []int{}, Ops: []int{},
	}
	b.doc.Violation = d
	p := past{builder: b, subject: map[ensemble.Zxid]bool{}, found: map[int]bool{}, close: map[int]bool{}, messages: map[int]bool{}, node: v.Node}
	starts := b.place(v, d, &p)
	d.From = d.At
	p.walk(starts)
	p.rivals(starts)
	d.Events = append(d.Events, slices.Sorted(maps.Keys(p.found))...)
	d.Messages = append(d.Messages, slices.Sorted(maps.Keys(p.messages))...)
	// One looks at what has to do with the subject, or at the last of all.
	for i, n := range d.Events {
		if p.close[n] || i >= len(d.Events)-latestCauses {
			d.From = min(d.From, int64(b.events[n-1].At))
		}
	}
	if d.Event > 0 && d.At == 0 {
		d.At = int64(b.events[d.Event-1].At)
	}
}

// place finds what the violation points at, and the events to go back from.
func (b *builder) place(v *check.Violation, d *violation, p *past) []int {
	var starts []int
	if v.Seq > 0 {
		if n := slices.IndexFunc(b.events, func(e check.Event) bool { return e.Seq == v.Seq }); n >= 0 {
			d.Event = n + 1
			starts = append(starts, n)
			p.about(&b.events[n])
			d.Zxid = b.zxids[lastZxid(&b.events[n])]
		}
	}
	if v.Order > 0 {
		starts = append(starts, b.placeOrder(v.Order, d, p)...)
	}
	if len(starts) > 0 {
		return starts
	}
	for i := len(b.events) - 1; i >= 0; i-- {
		e := &b.events[i]
		if e.At <= v.At && (v.Node == 0 || e.Node == v.Node) {
			p.about(e)
			return []int{i}
		}
	}
	return nil
}

// placeOrder finds the operation, watch event or transaction with an Order number,
// and what the servers did for it. Its moment is that of the violation: histories
// are judged at the end of a run.
func (b *builder) placeOrder(order int, d *violation, p *past) []int {
	zxid, from := ensemble.Zxid(0), ensemble.ServerID(0)
	ops := slices.Clone(b.history.Ops)
	slices.SortStableFunc(ops, func(x, y *check.Op) int { return int(x.SentAt - y.SentAt) })
	for i, o := range ops {
		if o.Sent == order || o.Returned == order {
			d.Op, d.Client, zxid, from = i+1, b.clients[o.Client], o.Zxid, o.Server
			d.Ops = append(d.Ops, i+1)
			d.At = int64(max(o.SentAt, o.BackAt))
		}
	}
	for i, n := range b.history.Events {
		if n.Order == order {
			d.Notice, d.Client, zxid = i+1, b.clients[n.Client], n.Zxid
			d.At = int64(n.At)
			if k := b.conns[n.Conn]; k != nil {
				from = k.Server
			}
		}
	}
	for _, t := range b.history.Txns {
		if t.Order == order {
			zxid, d.At = t.Zxid, int64(t.At)
		}
	}
	if zxid <= 0 {
		return nil
	}
	d.Zxid = b.zxids[zxid]
	p.subject[zxid] = true
	const opsMax = 8
	for i, z := range b.doc.Ops.Zxid {
		if z == d.Zxid && !slices.Contains(d.Ops, i+1) && len(d.Ops) < opsMax {
			d.Ops = append(d.Ops, i+1)
		}
	}
	for i := range b.events {
		e := &b.events[i]
		if (e.Kind == check.Delivered || e.Kind == check.Committed) && e.Zxid == zxid && (from == 0 || e.Node == from) {
			if d.Op == 0 && d.Notice == 0 {
				d.Event = i + 1
			}
			return []int{i}
		}
	}
	return nil
}
