package zab

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/ensemble"
)

// shapeOf makes a shape whose base is the first zxid and whose log are the others.
func shapeOf(base ensemble.Zxid, log ...ensemble.Zxid) Shape {
	s := Shape{Base: Position{Zxid: base}}
	for _, z := range log {
		s = s.Append(Txn{Zxid: z})
	}
	return s
}

func z(e ensemble.Epoch, c uint32) ensemble.Zxid { return ensemble.NewZxid(e, c) }

// The unit vectors of ZooKeeper's LearnerHandlerTest (spec 4.6). There a log
// may have gaps and a server's history is only its last zxid; here the learner's
// is what it would have logged to get there. A leader's oldest log entry, whose
// predecessor is unknown, is its base.
func TestPlanSync_VectorsOfLearnerHandlerTest(t *testing.T) {
	for _, c := range []struct {
		name    string
		leader  Shape
		learner Shape
		want    Plan
	}{
		{"empty log, learner ahead", shapeOf(1), shapeOf(0, 1, 2, 3), Plan{Trunc, 1}},
		{"empty log, same", shapeOf(1), shapeOf(0, 1), Plan{Diff, 1}},
		{"empty log, new learner", shapeOf(1), shapeOf(0), Plan{Op: Snap}},
		{"unknown txn in the middle", shapeOf(2, 3, 5), shapeOf(0, 1, 2, 3, 4), Plan{Trunc, 3}},
		{"behind", shapeOf(2, 3, 5), shapeOf(0, 1, 2), Plan{Diff, 2}},
		{"behind the log", shapeOf(2, 3, 5), shapeOf(0, 1), Plan{Op: Snap}},
		{"disk, unknown txn", shapeOf(2, 3, 5, 6, 7, 8, 9), shapeOf(0, 1, 2, 3, 4), Plan{Trunc, 3}},
		{"disk, behind", shapeOf(2, 3, 5, 6, 7, 8, 9), shapeOf(0, 1, 2, 3), Plan{Diff, 3}},
		{"older epoch before the log", shapeOf(z(0, 1), z(1, 1), z(1, 2)), shapeOf(0), Plan{Op: Snap}},
		// ZooKeeper knows such a learner as Z(1,0): it has followed epoch 1 and logged nothing in it.
		{"start of an epoch", shapeOf(z(0, 1), z(1, 1), z(1, 2)), shapeOf(0, z(0, 1)), Plan{Diff, z(0, 1)}},
		{"same, leader in a later epoch", shapeOf(z(0, 1), z(1, 1), z(1, 2)), shapeOf(0, z(0, 1), z(1, 1), z(1, 2)), Plan{Diff, z(1, 2)}},
		// ZooKeeper sends a snapshot here: it cannot truncate across epochs. A shape can.
		{"across epochs", shapeOf(z(1, 1), z(2, 1), z(2, 2), z(4, 1)), shapeOf(0, z(1, 1), z(3, 1)), Plan{Trunc, z(1, 1)}},
		{"gap between snapshot and learner", shapeOf(7, 8), shapeOf(0, 1, 2, 3), Plan{Op: Snap}},
		{"no common zxid although the numbers overlap", shapeOf(z(2, 5), z(2, 6)), shapeOf(0, z(1, 1), z(1, 2)), Plan{Op: Snap}},
	} {
		assert.Equal(t, c.want, PlanSync(c.leader, c.learner), c.name)
	}
}

// A dumb second opinion: histories as sets of zxids.
func TestPlanSync_AgreesWithSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := func(name string) []ensemble.Zxid {
			var all []ensemble.Zxid
			for e := ensemble.Epoch(0); e < 4; e++ {
				n := rapid.IntRange(0, 4).Draw(t, name)
				for c := 1; c <= n; c++ {
					all = append(all, z(e, uint32(c)))
				}
			}
			return all
		}
		build := func(all []ensemble.Zxid, cut int) Shape {
			if cut == 0 {
				return shapeOf(0, all...)
			}
			return shapeOf(all[cut-1], all[cut:]...)
		}
		a, b := history("leader"), history("learner")
		ca, cb := rapid.IntRange(0, len(a)).Draw(t, "leader's base"), rapid.IntRange(0, len(b)).Draw(t, "learner's base")
		plan := PlanSync(build(a, ca), build(b, cb))

		mark := func(all []ensemble.Zxid, cut int) map[ensemble.Zxid]bool {
			m := map[ensemble.Zxid]bool{}
			if cut == 0 {
				m[0] = true
			}
			for i, z := range all {
				if i >= cut-1 {
					m[z] = true
				}
			}
			return m
		}
		ma, mb := mark(a, ca), mark(b, cb)
		best, found := ensemble.Zxid(-1), false
		for z := range ma {
			if mb[z] && z > best {
				best, found = z, true
			}
		}
		switch {
		case !found || len(b) == 0 && len(a) > 0:
			assert.Equal(t, Snap, plan.Op)
		case best == build(b, cb).Last().Zxid:
			assert.Equal(t, Plan{Diff, best}, plan)
		default:
			assert.Equal(t, Plan{Trunc, best}, plan)
		}
	})
}

func TestShape_TruncateKeepsWhatIsBefore(t *testing.T) {
	s := shapeOf(z(1, 3), z(1, 4), z(2, 1), z(2, 2), z(3, 1))
	assert.Equal(t, shapeOf(z(1, 3), z(1, 4), z(2, 1)), s.Truncate(Position{Zxid: z(2, 1)}))
	assert.Equal(t, "0x100000003 | 0x100000004-0x100000004, 0x200000001-0x200000002, 0x300000001-0x300000001", s.String())
}
