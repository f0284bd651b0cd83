package sim

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
)

// This file has what only people see: messages are traced and not checked.

// tell gives the trace an event that the checkers do not get; its Seq is 0.
func (w *world) tell(ev check.Event) {
	ev.At = w.now
	w.cfg.Trace(&ev)
}

func (w *world) messageSent(p *proc, to ensemble.ServerID, packet *zab.Packet) uint64 {
	if w.cfg.Trace == nil {
		return 0
	}
	w.message++
	w.tell(check.Event{Node: p.h.id, Life: p.life, Kind: check.MessageSend, Peer: to, Message: w.message, Text: packet.String()})
	return w.message
}

func (w *world) messageReceived(p *proc, from ensemble.ServerID, packet *zab.Packet, id uint64) {
	if w.cfg.Trace != nil {
		w.tell(check.Event{Node: p.h.id, Life: p.life, Kind: check.MessageRecv, Peer: from, Message: id, Text: packet.String()})
	}
}

// Of what passes between clients and servers, Node is the server, Mode names the
// client and says whether it is the one that sends.
func (w *world) bytesSent(cc *clientConn, what string) uint64 {
	if w.cfg.Trace == nil {
		return 0
	}
	w.message++
	w.tell(check.Event{Node: cc.record.Server, Kind: check.MessageSend, Message: w.message, Text: what, Mode: fmt.Sprintf("client %d", cc.client.id)})
	return w.message
}

func (w *world) bytesReceived(cc *clientConn, what string, id uint64) {
	if w.cfg.Trace != nil {
		w.tell(check.Event{Node: cc.record.Server, Kind: check.MessageRecv, Message: id, Text: what, Mode: fmt.Sprintf("client %d", cc.client.id)})
	}
}

// faultEvent tells of an action of the nemesis.
func (w *world) faultEvent(a Action) {
	w.emit(&check.Event{Node: a.Server, Peer: a.Peer, Kind: check.Fault, Mode: string(a.Family), Text: a.String()})
}

// Line prints an event as a line of a story.
func Line(ev *check.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%10.6f ", ev.At.Seconds())
	if ev.Node != 0 {
		fmt.Fprintf(&b, "server %d ", ev.Node)
	}
	fmt.Fprintf(&b, "%s", ev.Kind)
	field := func(name string, present bool, value any) {
		if present {
			fmt.Fprintf(&b, " %s=%v", name, value)
		}
	}
	field("peer", ev.Peer > 0, ev.Peer)
	switch ev.Kind {
	case check.RoleChange, check.Decide, check.Established, check.Committed:
		field("state", true, ev.State)
	}
	field("epoch", ev.Epoch != 0, ev.Epoch)
	field("accepted", ev.Accepted != 0, ev.Accepted)
	field("current", ev.Current != 0, ev.Current)
	field("unsure", ev.Unsure, ev.Unsure)
	field("zxid", ev.Zxid != 0, ev.Zxid)
	field("to", ev.To != 0, ev.To)
	if n := len(ev.Log); n > 0 {
		field("log", true, fmt.Sprintf("%v-%v", ev.Log[0].Zxid, ev.Log[n-1].Zxid))
	}
	if ev.Vote != nil {
		field("vote", true, fmt.Sprintf("%d/%d/%v", ev.Vote.Leader, ev.Vote.Epoch, ev.Vote.Zxid))
		field("round", true, ev.Round)
	}
	field("voters", len(ev.Voters) > 0, ev.Voters)
	field("session", ev.Session != 0, fmt.Sprintf("0x%x", uint64(ev.Session)))
	field("timeout", ev.Timeout != 0, ev.Timeout)
	if ev.Mode != "" {
		b.WriteString(" " + ev.Mode)
	}
	if ev.Text != "" {
		b.WriteString(": " + ev.Text)
	}
	return b.String()
}
