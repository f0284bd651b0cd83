package check

var ackLies = []Tampering{
	{"a transaction is acknowledged before it is on disk", "B7", ackedEarly},
	{"a transaction is acknowledged twice", "B7", repeating(AckSend,
		func(t tape, i int) bool { return t[i].Zxid.Counter() > 0 }, asItIs)},
	{"an acknowledgement is counted that nobody sent", "B7", changing(AckCount,
		func(t tape, i int) bool { return t[i].Zxid.Counter() > 0 }, func(ev *Event) { ev.Zxid += 1 << 20 })},
	{"NEWLEADER is acknowledged before its history is on disk", "B7", historyLate},
	{"an epoch is promised before it is on disk", "D2", promiseLate},
	{"NEWLEADER is acknowledged before its epoch is on disk", "D2", epochLate},
	{"an epoch is adopted before its history is on disk", "B8", adoptedEarly},
	{"a follower keeps what its leader told it to cut", "B8", uncut},
}

// ackedEarly moves an acknowledgement before the first sync that covers it.
func ackedEarly(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	to := -1
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != AckSend || t[i].Zxid.Counter() == 0 {
			return false
		}
		to = -1
		for j := t.kind(i, LogDurable, NewLeaderAck); j >= 0 && t[j].Kind == LogDurable && t[j].Zxid >= t[i].Zxid; j = t.kind(j, LogDurable, NewLeaderAck) {
			to = j
		}
		return to >= 0 && t.kind(i, AckSend) < to
	})
	if !ok {
		return nil, false
	}
	return t.earlier(i, to), true
}

// synced finds a NewLeaderAck and the events of the synchronization before it:
// the promise, the way that the leader decided, and the epochs record that adopts.
type synced struct{ ack, promise, plan, adopt int }

func (t tape) synced(i int) (s synced, ok bool) {
	if t[i].Kind != NewLeaderAck {
		return s, false
	}
	s = synced{ack: i, promise: t.kind(i, EpochAck, RoleChange), plan: -1, adopt: t.kind(i, EpochsDurable)}
	if s.promise < 0 || t[s.promise].Kind != EpochAck || s.adopt < s.promise || t[s.adopt].Current != t[i].Epoch {
		return s, false
	}
	for j := s.promise; j < i; j++ {
		if t[j].Kind == SyncPlan && t[j].Node == t[i].Peer && t[j].Peer == t[i].Node {
			s.plan = j
		}
	}
	return s, s.plan >= 0
}

// only returns the index of the one event of a kind between two others of the
// same server, or -1 if there is none or another.
func (t tape) only(kind Kind, from, to int) int {
	j := t.kind(to, kind)
	if j <= from || t.kind(j, kind) > from {
		return -1
	}
	return j
}

func historyLate(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	to := -1
	i, ok := t.find(pick, func(i int) bool {
		s, ok := t.synced(i)
		if !ok {
			return false
		}
		to = t.only(LogDurable, s.promise, i)
		written := t.only(LogAppend, s.promise, i)
		return to >= 0 && written >= 0 && written < to && t[written].Log[0].Zxid <= t[s.plan].To && t[to].Zxid >= t[s.plan].To
	})
	if !ok {
		return nil, false
	}
	return t.earlier(i, to), true
}

// promiseLate moves a promise before the record that makes it durable.
func promiseLate(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	to := -1
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != EpochAck || t[i].Mode != ackCounted {
			return false
		}
		to = t.kind(i, EpochsDurable, RoleChange)
		return to >= 0 && t[to].Kind == EpochsDurable && t[to].Accepted == t[i].Epoch
	})
	if !ok {
		return nil, false
	}
	return t.earlier(i, to), true
}

func epochLate(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	to := -1
	i, ok := t.find(pick, func(i int) bool {
		s, ok := t.synced(i)
		to = s.adopt
		return ok && t.raisesCurrent(to)
	})
	if !ok {
		return nil, false
	}
	return t.earlier(i, to), true
}

// raisesCurrent reports whether an epochs record has a higher current epoch than
// the one before it.
func (t tape) raisesCurrent(i int) bool {
	j := t.kind(i, EpochsDurable, Boot)
	return j >= 0 && t[j].Current < t[i].Current
}

// adoptedEarly moves the record that adopts an epoch before all of the history
// that it vouches for.
func adoptedEarly(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	var s synced
	_, ok := t.find(pick, func(i int) bool {
		var ok bool
		if s, ok = t.synced(i); !ok || !t.raisesCurrent(s.adopt) {
			return false
		}
		for j := range t[:s.plan] {
			if t.leads(j) && t[j].Epoch == t[i].Epoch {
				return false // then the way may end behind the history that counts
			}
		}
		first := t.kind(s.adopt, LogAppend)
		for j := first; j > s.promise; j = t.kind(j, LogAppend) {
			first = j
		}
		return first > s.promise && t[first].Log[0].Zxid <= t[s.plan].To
	})
	if !ok {
		return nil, false
	}
	return t.earlier(s.adopt, s.promise+1), true
}

// uncut takes away a LogTruncate behind which nothing is appended before
// NEWLEADER is acknowledged.
func uncut(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	cut := -1
	_, ok := t.find(pick, func(i int) bool {
		s, ok := t.synced(i)
		if !ok {
			return false
		}
		cut = t.only(LogTruncate, s.promise, i)
		if cut < 0 || t.kind(i, LogAppend) > cut {
			return false
		}
		for j := cut; j < i; j++ {
			if t[j].Kind == Committed {
				return false
			}
		}
		return true
	})
	if !ok {
		return nil, false
	}
	return t.without(func(j int) bool { return j == cut }), true
}
