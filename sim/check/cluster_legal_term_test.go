package check

import (
	"slices"
	"time"

	"github.com/quorate/quorate/ensemble"
)

// This file is one leadership of a legal run, from its election to its end.

// term lets voters elect and serve, and reports whether a leader was established.
// It may end anywhere.
func (w *legal) term(in []*legalServer) bool {
	in = slices.DeleteFunc(slices.Clone(in), func(s *legalServer) bool { return !s.up || s.state != ensemble.Looking })
	if !w.quorum(in) {
		return false
	}
	leader := w.elect(in)
	epoch, promised := w.discover(leader, in)
	if !w.quorum(promised) {
		return false
	}
	w.epochs(leader, epoch, epoch)
	synced := []*legalServer{leader}
	for _, s := range promised[1:] {
		if w.chance(12) {
			break
		}
		if w.synchronize(s, leader, epoch) {
			synced = append(synced, s)
		}
	}
	if !w.view.HasQuorum(func(id ensemble.ServerID) bool {
		return slices.ContainsFunc(synced, func(s *legalServer) bool { return s.id == id })
	}) {
		return false
	}
	if w.chance(8) {
		w.establishLate(leader, epoch, synced)
		return false
	}
	w.establish(leader, epoch, synced)
	var late []*legalServer
	for _, s := range w.servers {
		if s.up && s.state == ensemble.Looking && !w.chance(3) {
			late = append(late, s)
		}
	}
	if !w.chance(5) {
		w.broadcast(leader, epoch, late)
	}
	return true
}

// discover lets a leader find its epoch and collect promises, its own first.
func (w *legal) discover(leader *legalServer, in []*legalServer) (ensemble.Epoch, []*legalServer) {
	told := []*legalServer{leader}
	for _, i := range w.rng.Perm(len(in)) {
		if in[i] != leader && !w.quorum(told) {
			told = append(told, in[i])
		}
	}
	epoch := ensemble.Epoch(0)
	var voters []ensemble.ServerID
	for _, s := range told {
		epoch = max(epoch, s.accepted+1)
		voters = append(voters, s.id)
	}
	slices.Sort(voters)
	w.event(leader, Event{Kind: EpochProposed, Epoch: epoch, Voters: voters})
	if w.chance(15) {
		return epoch, nil
	}
	w.epochs(leader, epoch, leader.current)
	promised := []*legalServer{leader}
	for _, s := range in {
		if s != leader && w.promise(s, leader, epoch) && !w.chance(15) {
			promised = append(promised, s)
		}
	}
	return epoch, promised
}

// promise reports whether a server's promise counts.
func (w *legal) promise(s, leader *legalServer, epoch ensemble.Epoch) bool {
	if s.accepted > epoch {
		return false
	}
	mode := "repeated"
	if s.accepted < epoch {
		mode = ackCounted
		w.epochs(s, epoch, s.current)
	}
	w.event(s, Event{Kind: EpochAck, Epoch: epoch, Peer: leader.id, Mode: mode})
	return mode == ackCounted
}

// synchronize brings a learner to its leader's history.
func (w *legal) synchronize(s, leader *legalServer, epoch ensemble.Epoch) bool {
	end := len(leader.log)
	if !s.voter {
		end = w.canon
	}
	same := 0
	for same < len(s.log) && same < end && s.log[same] == leader.log[same] {
		same++
	}
	plan := Event{Kind: SyncPlan, Peer: s.id, Mode: "DIFF", Zxid: zxidOf(s.log, same), To: zxidOf(leader.log, end)}
	switch {
	case len(s.log) == 0 && leader.delivered > 0 || same < len(s.log) && same < leader.delivered && w.chance(2):
		plan.Mode, plan.Zxid = "SNAP", 0
	case same < len(s.log):
		plan.Mode = "TRUNC"
	}
	w.event(leader, plan)
	switch {
	case w.chance(20):
		return false
	case w.chance(20): // the process ends when the disk has done it, and has not said so
		switch plan.Mode {
		case "SNAP":
			same = min(leader.delivered, end)
			s.log, s.snap, s.synced = slices.Clone(leader.log[:same]), same, same
		case "TRUNC":
			s.log, s.synced = s.log[:same:same], same
		}
		w.crash(s)
		return false
	case plan.Mode == "SNAP":
		same = min(leader.delivered, end)
		s.log, s.snap, s.delivered, s.committed = slices.Clone(leader.log[:same]), same, same, max(s.committed, same)
		s.synced = same
		w.event(s, Event{Kind: SnapInstall, Zxid: s.log[same-1].Zxid, Chain: s.log[same-1].Chain})
	case plan.Mode == "TRUNC":
		s.log, s.synced = s.log[:same:same], same
		w.event(s, Event{Kind: LogTruncate, Zxid: zxidOf(s.log, same)})
	}
	for len(s.log) < end {
		w.append(s, leader.log[len(s.log):len(s.log)+1+w.rng.IntN(end-len(s.log))])
	}
	w.sync(s)
	if w.chance(20) {
		return false
	}
	if w.chance(20) { // as above, with the epochs
		s.accepted, s.current, s.unsure = epoch, epoch, false
		w.crash(s)
		return false
	}
	if s.current < epoch || s.unsure {
		w.epochs(s, epoch, epoch)
	}
	w.event(s, Event{Kind: NewLeaderAck, Epoch: epoch, Peer: leader.id})
	s.acked, s.sent = len(s.log), len(s.log)
	return true
}

func (w *legal) append(s *legalServer, entries []Entry) {
	s.log = append(s.log, entries...)
	w.event(s, Event{Kind: LogAppend, Log: slices.Clone(entries)})
}

func (w *legal) sync(s *legalServer) {
	if s.synced < len(s.log) {
		s.synced = len(s.log)
		w.event(s, Event{Kind: LogDurable, Zxid: zxidOf(s.log, s.synced)})
	}
}

// commit tells a server the commit point and lets it deliver.
func (w *legal) commit(s *legalServer, n int) {
	if n > s.committed {
		s.committed = n
		w.event(s, Event{Kind: Committed, Zxid: zxidOf(w.history, n)})
	}
	w.deliver(s, s.committed)
}

func (w *legal) establish(leader *legalServer, epoch ensemble.Epoch, synced []*legalServer) {
	n := len(leader.log)
	w.history, w.canon = slices.Clone(leader.log), max(w.canon, n)
	w.commit(leader, n)
	end := Entry{}
	if n > 0 {
		end = leader.log[n-1]
	}
	var voters []ensemble.ServerID
	for _, s := range synced {
		voters = append(voters, s.id)
	}
	leader.serving, leader.acked = true, n
	w.event(leader, Event{Kind: Established, State: ensemble.Leading, Epoch: epoch, Zxid: end.Zxid, Chain: end.Chain, Voters: voters})
	for _, s := range synced[1:] {
		w.serve(s, epoch)
	}
}

// establishLate lets a leader learn of the last acknowledgement that it needs
// when its followers have left it, and others perhaps been established.
func (w *legal) establishLate(leader *legalServer, epoch ensemble.Epoch, synced []*legalServer) {
	leader.up = false // nobody reaches it
	w.endRoles()
	var others []*legalServer
	for _, s := range w.servers {
		if s.up && s.voter {
			others = append(others, s)
		}
	}
	w.term(others)
	leader.up = true
	if len(w.history) < len(leader.log) {
		w.history, w.canon = slices.Clone(leader.log), len(leader.log)
	}
	w.commit(leader, len(leader.log))
	end := Entry{}
	if n := len(leader.log); n > 0 {
		end = leader.log[n-1]
	}
	w.event(leader, Event{Kind: Established, State: ensemble.Leading, Epoch: epoch, Zxid: end.Zxid, Chain: end.Chain})
	w.endRoles()
}

func (w *legal) serve(s *legalServer, epoch ensemble.Epoch) {
	w.commit(s, min(w.canon, len(s.log)))
	s.serving = true
	w.event(s, Event{Kind: Established, State: s.state, Epoch: epoch})
}

// broadcast lets a leader propose, its followers acknowledge at their own pace,
// and latecomers join.
func (w *legal) broadcast(leader *legalServer, epoch ensemble.Epoch, late []*legalServer) {
	if len(late) > 0 && w.chance(2) {
		w.admit(late[0], leader, epoch)
		late = late[1:]
	}
	next := uint32(1)
	for range 1 + w.rng.IntN(12) {
		var batch []Entry
		for range 1 + w.rng.IntN(4) {
			batch = append(batch, Entry{ensemble.NewZxid(epoch, next), w.rng.Uint64()})
			next++
		}
		w.event(leader, Event{Kind: Proposed, Epoch: epoch, Log: batch})
		w.append(leader, batch)
		for _, i := range w.rng.Perm(len(w.servers)) {
			w.pace(w.servers[i], leader, epoch)
		}
		w.sessions(leader)
		if len(late) > 0 && w.chance(2) {
			w.admit(late[0], leader, epoch)
			late = late[1:]
		}
		if s := w.servers[w.rng.IntN(len(w.servers))]; s.serving && s != leader && w.chance(6) {
			w.crash(s)
		}
	}
}

// pace lets one server get on with what it has to do, or not.
func (w *legal) pace(s, leader *legalServer, epoch ensemble.Epoch) {
	if !s.serving || s.leader != leader || w.chance(4) {
		return
	}
	if upTo := len(leader.log); s != leader && s.sent < upTo {
		if !s.voter {
			upTo = w.canon
		}
		if n := s.sent + w.rng.IntN(upTo-s.sent+1); n > s.sent {
			w.append(s, leader.log[s.sent:n])
			s.sent = n
		}
	}
	if !w.chance(3) {
		w.sync(s)
	}
	if s.voter && s.acked < s.synced && zxidOf(s.log, s.synced).Epoch() == epoch {
		s.acked = s.synced
		if s != leader {
			w.event(s, Event{Kind: AckSend, Peer: leader.id, Zxid: zxidOf(s.log, s.acked)})
			w.event(leader, Event{Kind: AckCount, Peer: s.id, Zxid: zxidOf(s.log, s.acked)})
		}
	}
	w.decide(leader)
	w.commit(s, min(w.canon, len(s.log)))
	if w.chance(6) && s.delivered > s.snap {
		w.sync(s)
		s.snap = s.delivered
		x := w.history[s.snap-1]
		w.event(s, Event{Kind: SnapSave, Zxid: x.Zxid, Chain: x.Chain, Digest: digestOf(x), To: x.Zxid, Digest2: digestOf(x)})
	}
}

// decide commits what a quorum has acknowledged.
func (w *legal) decide(leader *legalServer) {
	for n := len(leader.log); n > w.canon; n-- {
		if w.view.HasQuorum(func(id ensemble.ServerID) bool {
			s := w.servers[id-1]
			return s.serving && s.leader == leader && s.acked >= n
		}) {
			w.history, w.canon = slices.Clone(leader.log), n
			w.commit(leader, n)
			return
		}
	}
}

// sessions lets a leader hear of sessions, and expire one that it did not.
func (w *legal) sessions(leader *legalServer) {
	id, timeout := int64(1+w.rng.IntN(3)), 30*time.Millisecond
	if w.chance(4) {
		w.now += timeout
		w.event(leader, Event{Kind: SessionEvent, Session: id, Mode: "expire", Timeout: timeout})
		return
	}
	w.event(leader, Event{Kind: SessionEvent, Session: id, Mode: []string{"create", "touch", "move", "close"}[w.rng.IntN(4)], Timeout: timeout, Peer: leader.id})
}
