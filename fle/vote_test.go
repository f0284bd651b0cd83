package fle

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/ensemble"
)

// TestVote_TotalOrderAgreesWithTheObvious compares beats with a number that
// grows with the rank of a candidate.
func TestVote_TotalOrderAgreesWithTheObvious(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := make([]ensemble.Member, 4)
		for i := range members {
			members[i] = ensemble.Member{ID: ensemble.ServerID(i), Group: 1, Weight: rapid.Int64Range(0, 2).Draw(t, "weight")}
		}
		members[0].Weight = 1
		view, err := ensemble.NewView(0, members)
		require.NoError(t, err)
		draw := func(name string) (Vote, int64) {
			v := Vote{
				Leader:    ensemble.ServerID(rapid.Int64Range(-1, 4).Draw(t, name+" leader")),
				Zxid:      ensemble.Zxid(rapid.Int64Range(-1, 3).Draw(t, name+" zxid")),
				PeerEpoch: ensemble.Epoch(rapid.Int64Range(-1, 3).Draw(t, name+" epoch")),
				Round:     rapid.Int64Range(0, 9).Draw(t, name+" round"),
			}
			if v.Leader < 0 || v.Leader > 3 || members[v.Leader].Weight == 0 {
				return v, 0
			}
			return v, 1000 + 100*int64(v.PeerEpoch) + 10*int64(v.Zxid) + int64(v.Leader)
		}
		a, rankA := draw("a")
		b, rankB := draw("b")
		if got := beats(view, a, b); got != (rankA > rankB) {
			t.Fatalf("beats(%v, %v) = %v", a, b, got)
		}
	})
}

func TestVote_AgreementOfEstablishedServers(t *testing.T) {
	v := Vote{Leader: 3, Zxid: 7, Round: 2, PeerEpoch: 5}
	other := Vote{Leader: 3, Zxid: 9, Round: 4, PeerEpoch: 5}
	following := cast{Vote: other, state: ensemble.Following}
	assert.True(t, following.agrees(v, ensemble.Leading), "leader and epoch suffice")
	assert.False(t, following.agrees(v, ensemble.Looking), "a LOOKING server wants the very same vote")
	assert.False(t, cast{Vote: other}.agrees(v, ensemble.Leading))
	assert.True(t, cast{Vote: v}.agrees(v, ensemble.Leading))
	other.PeerEpoch = 4
	assert.False(t, cast{Vote: other, state: ensemble.Following}.agrees(v, ensemble.Leading))
}

func TestTally_UnsureVotesDecideOnlyAllTogether(t *testing.T) {
	view := viewOf(t, 0, 1, 2, 3)
	v := Vote{Leader: 3, Round: 1}
	votes := tally{1: {Vote: v, unsure: true}, 2: {Vote: v, unsure: true}}
	assert.False(t, votes.enough(view, v, ensemble.Looking))
	votes[3] = cast{Vote: v, unsure: true}
	assert.True(t, votes.enough(view, v, ensemble.Looking))
	votes[3] = cast{Vote: Vote{Leader: 2, Round: 1}, unsure: true}
	assert.False(t, votes.enough(view, v, ensemble.Looking))
	votes[1] = cast{Vote: v}
	assert.False(t, votes.enough(view, v, ensemble.Looking))
	votes[2] = cast{Vote: v}
	assert.True(t, votes.enough(view, v, ensemble.Looking))
	assert.Equal(t, []ensemble.ServerID{1, 2}, votes.supporters(view, v, ensemble.Looking))
}

func TestVote_String(t *testing.T) {
	v := Vote{Leader: 2, Zxid: ensemble.NewZxid(5, 12), Round: 3, PeerEpoch: 5}
	assert.Equal(t, "FOLLOWING 2 e5 0x50000000c r3 unsure", Notification{Vote: v, State: ensemble.Following, Unsure: true}.String())
	assert.Equal(t, "nobody r4", nobody(4).String())
}
