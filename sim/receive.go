package sim

import (
	"github.com/quorate/quorate/sim/check"
	"github.com/quorate/quorate/zab"
)

// receive takes a packet from the stream, as the goroutine that reads a link.
func (e *end) receive(packet zab.Packet, id uint64) {
	p := e.p
	if p.links[e.peer] != e || p.role != e.role || e.deaf {
		return
	}
	p.w.messageReceived(p, e.peer, &packet, id)
	switch {
	case e.learner:
		e.fromLearner(packet)
	case packet.Type == zab.Revalidate:
		p.waiting.answer(packet.ID, packet.Data)
	case packet.Type == zab.Snap || packet.Type == zab.SnapData || packet.Type == zab.SnapEnd:
		e.receiveSnapshot(packet)
	default:
		p.step(zab.Received{From: e.peer, Packet: packet})
	}
}

func (e *end) fromLearner(packet zab.Packet) {
	p := e.p
	talk, _ := p.machine.(zab.Conversation)
	switch packet.Type {
	case zab.Request:
		p.request(zab.Entry{Origin: zab.Origin{Server: e.peer, Tag: packet.ID}, Data: packet.Data})
		return
	case zab.Revalidate:
		if talk != nil {
			p.question(func() {
				answer := zab.Packet{Type: zab.Revalidate, ID: packet.ID, Data: talk.Answer(e.peer, packet.Data)}
				if p.links[e.peer] == e {
					p.send(e.peer, item{packet: &answer})
				}
			})
		}
		return
	case zab.Ping:
		if talk != nil && len(packet.Data) > 0 {
			talk.HeartbeatFrom(e.peer, packet.Data)
		}
		packet.Data = nil
	}
	p.step(zab.Received{From: e.peer, Packet: packet})
}

// receiveSnapshot writes the pieces of a snapshot to the disk.
func (e *end) receiveSnapshot(packet zab.Packet) {
	p := e.p
	var err error
	switch {
	case packet.Type == zab.Snap && e.incoming == nil:
		e.at = packet.At
		e.incoming, err = p.store.CreateSnapshot(packet.At)
	case packet.Type == zab.SnapData && e.incoming != nil:
		if _, err = e.incoming.Write(packet.Data); err == nil {
			p.step(zab.Progress{Peer: e.peer})
			return
		}
	case packet.Type == zab.SnapEnd && e.incoming != nil && packet.At == e.at:
		p.disk.incoming, e.incoming = e.incoming, nil
		p.step(zab.Received{From: e.peer, Packet: zab.Packet{Type: zab.Snap, At: e.at}})
		return
	default:
		e.fail()
		return
	}
	if err != nil {
		p.snapshotRefused(e, err)
	}
}

// snapshotRefused is a disk that cannot take the snapshot: the link ends, and
// the process too if the store has failed.
func (p *proc) snapshotRefused(e *end, err error) {
	ev := p.event(check.DiskError)
	ev.Text = "receive snapshot: " + err.Error()
	p.w.emit(ev)
	switch {
	case p.h.cutPower(p):
	case p.store.Err() != nil:
		p.end()
	default:
		e.fail()
	}
}
