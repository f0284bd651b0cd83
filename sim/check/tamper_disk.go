package check

import (
	"slices"

	"github.com/quorate/quorate/ensemble"
)

var diskLies = []Tampering{
	{"a log is cut below what is committed", "B9", cutTooFar},
	{"a snapshot replaces newer committed data", "B9", oldSnapshot},
	{"a log has a hole", "B10", changing(LogAppend,
		func(t tape, i int) bool { return len(t[i].Log) > 1 },
		func(ev *Event) { ev.Log = ev.Log[1:] })},
	{"a log lacks what was said to be durable", "B10", lostAppend},
	{"a log has a hole after a restart", "B10", changing(Boot,
		func(t tape, i int) bool { return len(t[i].Log) > 2 },
		func(ev *Event) { ev.Log = slices.Delete(ev.Log, len(ev.Log)/2, len(ev.Log)/2+1) })},
	{"a crash loses what was durable", "D1", changing(Boot, endsDurable,
		func(ev *Event) { ev.Log = ev.Log[:len(ev.Log)-1] })},
	{"a kill loses what was written", "D1", changing(Boot, endsWritten,
		func(ev *Event) { ev.Log = ev.Log[:len(ev.Log)-1] })},
	{"a wiped server is sure of itself", "D1", changing(Boot,
		func(t tape, i int) bool { return t[i].Unsure && t.fate(i, Wipe, Boot) == Wipe },
		func(ev *Event) { ev.Unsure = false })},
	{"a server whose log ends in doubt is sure of itself", "D1", changing(Boot,
		func(t tape, i int) bool { return t[i].Mode == bootDoubtful && t.fate(i, Rollback, Boot) != Rollback },
		func(ev *Event) { ev.Unsure = false })},
	{"the disks of a quorum go back at once", "HEO", quorumGoesBack},
	{"a restored snapshot gives another state", "T2", changing(SnapSave, always, func(ev *Event) { ev.Digest2 ^= 1 })},
	{"a snapshot is labelled with another zxid", "T2", changing(SnapSave, always, func(ev *Event) { ev.To = ev.Zxid + 1 })},
	{"a snapshot is installed that is not committed", "T2", changing(SnapInstall, always, func(ev *Event) { ev.Chain ^= 1 })},
}

// fate returns the kind of the last event before i of the same server, of
// whatever life, that is of one of those kinds.
func (t tape) fate(i int, kinds ...Kind) Kind {
	for j := i - 1; j >= 0; j-- {
		if t[j].Node == t[i].Node && slices.Contains(kinds, t[j].Kind) {
			return t[j].Kind
		}
	}
	return ""
}

// logged finds a delivery of a transaction that is in the server's log, and not
// the first of its epoch.
func (t tape) logged(pick func(int) int) (int, bool) {
	return t.find(pick, func(i int) bool {
		return t[i].Kind == Delivered && t[i].Zxid.Counter() > 1 && t.before(i, func(ev *Event) bool {
			n := len(ev.Log)
			return ev.Kind == LogAppend && n > 0 && ev.Log[n-1].Zxid >= t[i].Zxid && ev.Log[0].Zxid <= t[i].Zxid
		}) >= 0
	})
}

func cutTooFar(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.logged(pick)
	if !ok {
		return nil, false
	}
	return t.insert(i+1, Event{Kind: LogTruncate, Node: t[i].Node, Life: t[i].Life, Zxid: t[i].Zxid - 1}), true
}

func oldSnapshot(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.logged(pick)
	if !ok {
		return nil, false
	}
	for j := range t[:i] {
		if t[j].Kind == Delivered && t[j].Zxid == t[i].Zxid-1 {
			return t.insert(i+1, Event{Kind: SnapInstall, Node: t[i].Node, Life: t[i].Life, Zxid: t[j].Zxid, Chain: t[j].Chain}), true
		}
	}
	return nil, false
}

// lostAppend takes away an append that is said to be durable next.
func lostAppend(pick func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	i, ok := t.find(pick, func(i int) bool {
		if t[i].Kind != LogAppend || len(t[i].Log) == 0 {
			return false
		}
		j := t.next(i)
		return j >= 0 && t[j].Kind == LogDurable && t[j].Zxid >= t[i].Log[0].Zxid
	})
	if !ok {
		return nil, false
	}
	return t.without(func(j int) bool { return j == i }), true
}

// lastLife summarizes what a life did to its disk that ended before the boot i.
type lastLife struct {
	crash   int // the event that ended it; -1: it has not ended so
	durable ensemble.Zxid
	written ensemble.Zxid
	failed  bool
}

// lifeBefore looks at the life before the boot i. ok is false where more or less
// than its appends decided what is on the disk now.
func (t tape) lifeBefore(i int) (l lastLife, ok bool) {
	l.crash = -1
	replaced := false
	for j := i - 1; j >= 0; j-- {
		ev := &t[j]
		if ev.Kind == SyncPlan && ev.Peer == t[i].Node && l.written == 0 {
			return l, false // it may have been carried out
		}
		if ev.Node != t[i].Node {
			continue
		}
		switch ev.Kind {
		case Boot:
			return l, l.crash >= 0
		case Crash:
			l.crash = j
		case Wipe, Rollback, Damage:
			return l, false
		case DiskError:
			l.failed = true
		case LogTruncate, SnapInstall:
			replaced = true
		case LogDurable:
			if !replaced {
				l.durable = max(l.durable, ev.Zxid)
			}
		case LogAppend:
			if n := len(ev.Log); n > 0 && !replaced {
				l.written = max(l.written, ev.Log[n-1].Zxid)
			}
		}
	}
	return l, false
}

// endsDurable reports whether the log found at boot i ends with what was durable.
func endsDurable(t tape, i int) bool {
	n := len(t[i].Log)
	if t[i].Kind != Boot || n == 0 || t[i].Snap >= t[i].Log[n-1].Zxid {
		return false
	}
	l, ok := t.lifeBefore(i)
	return ok && l.durable == t[i].Log[n-1].Zxid
}

// endsWritten reports whether it ends with what was written only, by a process
// that was killed.
func endsWritten(t tape, i int) bool {
	n := len(t[i].Log)
	if t[i].Kind != Boot || n == 0 || t[i].Snap >= t[i].Log[n-1].Zxid {
		return false
	}
	l, ok := t.lifeBefore(i)
	return ok && !l.failed && t[l.crash].Mode == crashKill && l.written == t[i].Log[n-1].Zxid && l.durable < l.written
}

// quorumGoesBack lets all voters crash at the end and start from empty disks,
// without a word of it.
func quorumGoesBack(_ func(int) int, events []Event) ([]Event, bool) {
	t := tape(events)
	if len(t) == 0 || t.committedBefore(len(t), ensemble.MaxEpoch) == 0 {
		return nil, false
	}
	var end []Event
	for _, id := range t.voters() {
		life := 0
		for i := range t {
			if t[i].Node == id {
				life = max(life, t[i].Life)
			}
		}
		end = append(end,
			Event{Kind: Crash, Node: id, Mode: crashPower}, Event{Kind: Rollback, Node: id},
			Event{Kind: Boot, Node: id, Life: life + 1, Mode: "clean"})
	}
	return t.insert(len(t), end...), true
}
