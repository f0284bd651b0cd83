//go:build mutants

package fle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// TestMutant_Ballot shows of each mutant of the election a scene in which it does
// something else than it should.
func TestMutant_Ballot(t *testing.T) {
	for _, c := range []struct {
		id    mutant.ID
		does  string
		scene func(b *Ballot, out *Effects) bool
	}{
		{mutant.M15, "votes for the higher zxid in the lower epoch", func(b *Ballot, out *Effects) bool {
			b.Step(0, Start{Epoch: 2, Zxid: ensemble.NewZxid(1, 1)}, out)
			n := looking(2, 1)
			n.PeerEpoch, n.Zxid = 1, ensemble.NewZxid(1, 2)
			b.Step(0, Receive{From: 2, Notification: n}, out)
			return b.Vote().Leader == 2
		}},
		{mutant.M16, "is elected by a vote of the round before", func(b *Ballot, out *Effects) bool {
			b.Step(0, Start{}, out)
			b.Step(0, Start{}, out)
			b.Step(0, Receive{From: 2, Notification: looking(1, 1)}, out)
			b.Step(time.Second, Tick{Delivered: true}, out)
			return out.Decide != nil && out.Decide.State == ensemble.Leading
		}},
		{mutant.M36, "repeats itself at each of ten ticks", func(b *Ballot, out *Effects) bool {
			b.Step(0, Start{}, out)
			b.Step(time.Second, Tick{Delivered: true}, out)
			out.Reset()
			for i := range 10 {
				b.Step(time.Second+time.Duration(i)*time.Millisecond, Tick{Delivered: true}, out)
			}
			return len(out.Notify) == 20
		}},
	} {
		t.Run(c.id.String(), func(t *testing.T) {
			mutant.Show(t, c.id, "ballot", c.does, func() bool {
				b, err := NewBallot(Config{Server: 1, View: viewOf(t, 0, 1, 2, 3)})
				require.NoError(t, err)
				return c.scene(b, &Effects{})
			})
		})
	}
}
