package zab

import "github.com/quorate/quorate/ensemble"

// Plan says how to bring a learner's history to the leader's. The leader then
// sends what lies behind From from its log, in every case.
type Plan struct {
	Op   PacketType    // Diff, Trunc or Snap
	From ensemble.Zxid // the last zxid that both have; for Snap, none
}

// PlanSync compares two histories and returns the cheapest way from the
// learner's to the leader's. It relies on one fact of ZAB: a zxid is proposed
// once, by one leader, behind one history; so two logs that both contain a zxid
// agree in everything before it.
//
// The learner keeps all up to the highest zxid that both contain: DIFF if that
// is its end, TRUNC otherwise. If they have none in common, or the leader has
// purged what lies behind it, the learner takes a snapshot; so does one that has
// nothing, because a state is smaller than the history of it. Where ZooKeeper
// gives up (a TRUNC across epochs, a learner at the start of an epoch), shapes
// know better; where it guesses (on-disk gaps, ZOOKEEPER-2846), they have none.
func PlanSync(leader, learner Shape) Plan {
	z, ok := common(leader, learner)
	empty := learner.Last().Zxid == 0 && leader.Last().Zxid != 0
	switch {
	case !ok || empty:
		return Plan{Op: Snap}
	case z == learner.Last().Zxid:
		return Plan{Op: Diff, From: z}
	default:
		return Plan{Op: Trunc, From: z}
	}
}

// runsMax is how many runs a learner tells of its history. There is one for
// each epoch, and logs are purged.
const runsMax = 10_000

// common returns the highest zxid that both shapes contain. It walks both from
// their ends; the bases are stretches of one.
func common(a, b Shape) (ensemble.Zxid, bool) {
	i, j := len(a.Runs)-1, len(b.Runs)-1
	for i >= -1 && j >= -1 {
		x, y := a.stretch(i), b.stretch(j)
		if z := min(x.Last, y.Last); z >= x.First && z >= y.First {
			return z, true
		}
		if x.Last > y.Last {
			i--
		} else {
			j--
		}
	}
	return 0, false
}

// stretch returns run i, or the base for -1.
func (s Shape) stretch(i int) Run {
	if i < 0 {
		return Run{First: s.Base.Zxid, Last: s.Base.Zxid}
	}
	return s.Runs[i]
}
