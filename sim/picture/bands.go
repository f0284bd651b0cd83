package picture

import (
	"time"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

// The roles of a band that are no State.
const (
	roleUnknown = "unknown" // the trace has not said
	roleAbsent  = "absent"  // not started yet
	roleDown    = "down"
	roleHalted  = "halted"
)

// drawBands finds what every server is when, and who reigns when.
func (b *builder) drawBands() {
	current := make([]band, len(b.doc.Servers))
	for i := range current {
		current[i].Role = roleUnknown
	}
	ruling := map[int]int{} // server -> its reign, from 1
	for i := range b.events {
		e := &b.events[i]
		n := b.servers[e.Node]
		if n == 0 {
			continue
		}
		was := &current[n-1]
		if e.Kind == check.Boot && was.Role == roleUnknown && e.Life <= 1 {
			was.Role = roleAbsent
		}
		next, changes := b.after(*was, e)
		if !changes {
			*was = next
			continue
		}
		next.From, next.Event, next.Life = int64(e.At), i+1, e.Life
		b.close(n, was, e.At)
		*was = next
		if r := ruling[n]; r > 0 {
			b.doc.Reigns[r-1].To = int64(e.At)
			delete(ruling, n)
		}
		if next.Serving && next.Role == ensemble.Leading.String() {
			b.doc.Reigns = append(b.doc.Reigns, reign{From: int64(e.At), To: int64(b.end), Leader: n, Epoch: next.Epoch, Event: i + 1})
			ruling[n] = len(b.doc.Reigns)
		}
	}
	for i := range current {
		b.close(i+1, &current[i], b.end)
	}
	b.stackReigns()
}

func (b *builder) close(n int, was *band, at time.Duration) {
	was.To = int64(at)
	if was.To > was.From || int64(at) == was.From && at == b.end {
		b.doc.Servers[n-1].Bands = append(b.doc.Servers[n-1].Bands, *was)
	}
}

// after returns the band that is there once e has happened, and whether it is
// another one.
func (b *builder) after(was band, e *check.Event) (band, bool) {
	switch e.Kind {
	case check.Boot:
		return band{Role: ensemble.Looking.String()}, true
	case check.Crash:
		return band{Role: roleDown, Why: e.Mode}, true
	case check.Halted:
		return band{Role: roleHalted, Why: e.Text}, true
	case check.RoleChange:
		return b.role(was, e)
	case check.EpochProposed, check.EpochAck:
		if !was.Serving {
			was.Epoch = int64(e.Epoch)
		}
	case check.Established:
		if was.Serving && was.Epoch == int64(e.Epoch) {
			return was, false
		}
		next := was
		next.Serving, next.Epoch, next.Role, next.Why = true, int64(e.Epoch), e.State.String(), ""
		if e.State == ensemble.Leading {
			next.Leader = b.servers[e.Node]
		}
		return next, true
	}
	return was, false
}

func (b *builder) role(was band, e *check.Event) (band, bool) {
	leader := b.servers[e.Peer]
	switch e.State {
	case ensemble.Leading:
		leader = b.servers[e.Node]
	case ensemble.Looking:
		leader = 0
	}
	if was.Role == e.State.String() && was.Leader == leader {
		return was, false
	}
	return band{Role: e.State.String(), Leader: leader, Why: e.Text}, true
}

// stackReigns gives reigns that overlap two rows: a leader that is cut off does
// not know yet that there is another.
func (b *builder) stackReigns() {
	list := b.doc.Reigns
	for i := range list {
		for j := range i {
			if list[j].To > list[i].From && list[j].Row == list[i].Row {
				list[i].Row = 1 - list[j].Row
			}
		}
	}
}
