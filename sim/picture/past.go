package picture

import (
	"container/heap"
	"slices"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

// How far back the causal past of a violation goes.
const (
	visitedMax  = 50_000 // events looked at
	causesMax   = 32     // events shown
	broadcasts  = 10     // of these: proposals, acknowledgements and commits of other zxids
	electionMax = 12     // of these: notifications

	latestCauses = 8 // that are seen at first, whatever they are
)

// past is a walk back through what happened before. Events and messages are
// counted from 1.
type past struct {
	*builder
	subject         map[ensemble.Zxid]bool
	node            ensemble.ServerID // who broke the rule
	found, messages map[int]bool
	close           map[int]bool // found, and about the subject
	broadcasts      int
	election        int
}

func (p *past) about(e *check.Event) {
	if z := lastZxid(e); z != 0 {
		p.subject[z] = true
	}
}

// latest is a heap of events, the latest first.
type latest []int

func (h latest) Len() int           { return len(h) }
func (h latest) Less(i, j int) bool { return h[i] > h[j] }
func (h latest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *latest) Push(x any)        { *h = append(*h, x.(int)) }
func (h *latest) Pop() any {
	old := *h
	n := old[len(old)-1]
	*h = old[:len(old)-1]
	return n
}

// walk goes from each event to the one before it on the same server and, if it
// receives a message, to the sending.
func (p *past) walk(starts []int) {
	before := p.predecessors()
	seen := map[int]bool{}
	queue := &latest{}
	for _, s := range starts {
		heap.Push(queue, s)
	}
	for queue.Len() > 0 && len(seen) < visitedMax && len(p.found) < causesMax {
		i := heap.Pop(queue).(int)
		if seen[i] {
			continue
		}
		seen[i] = true
		if p.tells(i) || slices.Contains(starts, i) {
			p.found[i+1] = true
		}
		if before[i] >= 0 {
			heap.Push(queue, before[i])
		}
		n := p.byEvent[i]
		if n == 0 || p.joined(n).got != i+1 || p.joined(n).sent == 0 {
			continue
		}
		heap.Push(queue, p.joined(n).sent-1)
		if p.found[i+1] {
			p.messages[n] = true
		}
	}
}

func (p *past) joined(n int) *message { return &p.builder.messages[n-1] }

// predecessors returns for each event the one before it on its server, -1 if
// there is none.
func (p *past) predecessors() []int {
	before := make([]int, len(p.events))
	last := map[ensemble.ServerID]int{}
	for i := range p.events {
		before[i] = -1
		node := p.events[i].Node
		if n, any := last[node]; any && node > 0 {
			before[i] = n
		}
		last[node] = i
	}
	return before
}

// milestones are always worth showing; steps only if no transaction is the
// subject, or on the server that broke the rule.
var (
	milestones = []check.Kind{
		check.Boot, check.Crash, check.Wipe, check.Rollback, check.Damage, check.Decide,
		check.LogTruncate, check.SnapInstall, check.Established, check.Halted, check.DiskError,
	}
	steps = []check.Kind{
		check.RoleChange, check.EpochProposed, check.EpochAck, check.EpochsDurable, check.SyncPlan,
		check.NewLeaderAck, check.Fault, check.LinkDown,
	}
)

// tells reports whether an event of the past is worth showing.
func (p *past) tells(i int) bool {
	e := &p.events[i]
	near := len(p.subject) == 0 || e.Node == p.node
	switch {
	case slices.Contains(milestones, e.Kind):
		return true
	case slices.Contains(steps, e.Kind):
		return near
	}
	switch e.Kind {
	case check.VoteRecv:
		p.election++
		return near && p.election <= electionMax
	case check.LogAppend, check.LogDurable, check.Proposed, check.AckSend, check.AckCount, check.Committed, check.Delivered:
		return p.concerns(i, e.Log, e.Zxid) || p.room()
	case check.MessageRecv:
		return p.byEvent[i] > 0 && p.messageTells(i, near)
	}
	return false
}

func (p *past) messageTells(i int, near bool) bool {
	m := p.joined(p.byEvent[i])
	switch m.class {
	case pings, forwarded, others:
		return false
	case discovery, synchronization:
		return near
	}
	z := mentioned(m.text)
	if len(z) == 0 {
		return false
	}
	low, high := z[0], z[len(z)-1]
	for s := range p.subject {
		if low <= s && s <= high {
			p.close[i+1] = true
			return true
		}
	}
	return p.room()
}

// concerns reports whether event i, which speaks of a log or a zxid, is about the
// subject.
func (p *past) concerns(i int, log []check.Entry, zxid ensemble.Zxid) bool {
	about := p.subject[zxid] || slices.ContainsFunc(log, func(e check.Entry) bool { return p.subject[e.Zxid] })
	if about {
		p.close[i+1] = true
	}
	return about
}

// room lets a few events in that have nothing to do with the subject, so that
// one sees what goes on around it.
func (p *past) room() bool {
	p.broadcasts++
	return p.broadcasts <= broadcasts
}

// rivals adds what did not happen before the violation and contradicts it: the
// other leader of the same epoch, other servers' commits of the same zxid.
func (p *past) rivals(starts []int) {
	for _, s := range starts {
		e := &p.events[s]
		for i := range p.events {
			o := &p.events[i]
			if i == s || o.Node == e.Node || o.At > e.At {
				continue
			}
			rival := e.Kind == check.Established && o.Kind == check.Established && o.Epoch == e.Epoch && o.State == ensemble.Leading ||
				e.Kind == check.Delivered && o.Kind == check.Delivered && o.Zxid == e.Zxid && o.Chain != e.Chain
			if rival {
				p.found[i+1] = true
			}
		}
	}
}

func lastZxid(e *check.Event) ensemble.Zxid {
	if n := len(e.Log); n > 0 {
		return e.Log[n-1].Zxid
	}
	return max(e.Zxid, 0)
}
