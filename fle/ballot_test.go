package fle

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

func viewOf(t testing.TB, version int64, ids ...ensemble.ServerID) *ensemble.View {
	t.Helper()
	var members []ensemble.Member
	for _, id := range ids {
		members = append(members, ensemble.Member{ID: id, Weight: 1})
	}
	v, err := ensemble.NewView(version, members)
	require.NoError(t, err)
	return v
}

func looking(leader ensemble.ServerID, round int64) Notification {
	return Notification{Vote: Vote{Leader: leader, Round: round}, State: ensemble.Looking}
}

// reasons collects why notifications were dropped.
type reasons []DropReason

func (r *reasons) trace() *Trace {
	return &Trace{Dropped: func(_ ensemble.ServerID, _ Notification, reason DropReason) { *r = append(*r, reason) }}
}

func TestConfig_ValidateReportsAllFaults(t *testing.T) {
	err := Config{Server: -1, FinalizeWait: -1, IntervalMin: time.Second, IntervalMax: time.Millisecond}.Validate()
	for _, word := range []string{"Server", "View", "FinalizeWait", "IntervalMin 1s is more than"} {
		assert.ErrorContains(t, err, word)
	}
	_, err = NewBallot(Config{})
	require.ErrorContains(t, err, "View is nil")
	require.NoError(t, Config{View: viewOf(t, 0, 1), IntervalMin: time.Minute}.Validate())
}

func TestBallot_WaitsForStart(t *testing.T) {
	var drops reasons
	b, err := NewBallot(Config{Server: 1, View: viewOf(t, 0, 1, 2, 3), Trace: drops.trace()})
	require.NoError(t, err)
	var out Effects
	for _, in := range []Input{
		Tick{Delivered: true}, Receive{From: 2, Notification: looking(2, 1)}, Reachable{Sid: 2, Up: true},
		Settled{Epoch: 3}, SetView{View: viewOf(t, 1, 1, 2, 3)},
	} {
		b.Step(time.Hour, in, &out)
	}
	_, due := b.Deadline()
	assert.False(t, due)
	assert.Equal(t, Effects{}, out)
	assert.Equal(t, reasons{DropNotStarted}, drops)
	assert.EqualValues(t, 0, b.Round())
	assert.EqualValues(t, 1, b.View().Version())
}

func TestBallot_DropsItsOwnSid(t *testing.T) {
	var drops reasons
	b, err := NewBallot(Config{Server: 1, View: viewOf(t, 0, 1, 2, 3), Trace: drops.trace()})
	require.NoError(t, err)
	var out Effects
	b.Step(0, Start{}, &out)
	b.Step(0, Receive{From: 1, Notification: looking(3, 9)}, &out)
	assert.Equal(t, reasons{DropSelf}, drops)
	assert.EqualValues(t, 1, b.Vote().Leader)
}

func TestBallot_DeadlineIsWhenATickMatters(t *testing.T) {
	b, err := NewBallot(Config{Server: 2, View: viewOf(t, 0, 1, 2, 3), FinalizeWait: 50 * time.Millisecond})
	require.NoError(t, err)
	var out Effects
	b.Step(time.Second, Start{}, &out)
	at, due := b.Deadline()
	require.True(t, due)
	assert.Equal(t, 1200*time.Millisecond, at)

	b.Step(1100*time.Millisecond, Receive{From: 1, Notification: looking(2, 1)}, &out)
	at, _ = b.Deadline()
	assert.Equal(t, 1150*time.Millisecond, at)

	b.Step(1149*time.Millisecond, Tick{Delivered: true}, &out)
	require.Nil(t, out.Decide)
	b.Step(1150*time.Millisecond, Tick{Delivered: true}, &out)
	require.NotNil(t, out.Decide)
	assert.Equal(t, Decision{Vote{Leader: 2, Round: 1}, ensemble.Leading, []ensemble.ServerID{1, 2}}, *out.Decide)
	_, due = b.Deadline()
	assert.False(t, due)
}

func TestBallot_RoundsDoNotOverflow(t *testing.T) {
	b, err := NewBallot(Config{Server: 1, View: viewOf(t, 0, 1, 2, 3)})
	require.NoError(t, err)
	var out Effects
	b.Step(0, Start{}, &out)
	b.Step(0, Receive{From: 2, Notification: looking(2, RoundMax)}, &out)
	b.Step(0, Start{}, &out)
	assert.Equal(t, RoundMax, b.Round())
}

func TestBallot_RoundNeverDecreases(t *testing.T) {
	b, err := NewBallot(Config{Server: 1, View: viewOf(t, 0, 1, 2, 3)})
	require.NoError(t, err)
	var out Effects
	for range 5 {
		b.Step(0, Start{}, &out)
	}
	leader := Vote{Leader: 3, Zxid: 7, Round: 2, PeerEpoch: 1}
	b.Step(0, Receive{From: 3, Notification: Notification{Vote: leader, State: ensemble.Leading}}, &out)
	b.Step(0, Receive{From: 2, Notification: Notification{Vote: leader, State: ensemble.Following}}, &out)
	require.Equal(t, ensemble.Following, b.State())
	assert.EqualValues(t, 5, b.Round())
	assert.EqualValues(t, 2, b.Vote().Round, "joiners are told the leader's round")
}

func TestBallot_SettledIsForTheLeadershipDecided(t *testing.T) {
	b, err := NewBallot(Config{Server: 1, View: viewOf(t, 0, 1)})
	require.NoError(t, err)
	var out Effects
	b.Step(0, Start{Epoch: 4, Unsure: true}, &out)
	require.Equal(t, ensemble.Leading, b.State())
	require.True(t, b.Unsure())
	b.Step(0, Settled{Epoch: 5}, &out)
	assert.EqualValues(t, 5, b.Vote().PeerEpoch)
	assert.False(t, b.Unsure())

	two, err := NewBallot(Config{Server: 1, View: viewOf(t, 0, 1, 2)})
	require.NoError(t, err)
	two.Step(0, Start{Epoch: 4, Unsure: true}, &out)
	two.Step(0, Settled{Epoch: 5}, &out) // of a role that is over
	assert.True(t, two.Unsure())
	assert.EqualValues(t, 0, two.Vote().PeerEpoch, "an unsure server vouches for the epoch of its last transaction")
}

func TestBallot_SetViewBeginsANewRound(t *testing.T) {
	var drops reasons
	b, err := NewBallot(Config{Server: 3, View: viewOf(t, 0, 1, 2, 3), Trace: drops.trace()})
	require.NoError(t, err)
	var out Effects
	b.Step(0, Start{}, &out)
	b.Step(0, Receive{From: 2, Notification: looking(3, 1)}, &out)
	b.Step(0, Reachable{Sid: 1, Up: false}, &out)
	require.Equal(t, ensemble.Leading, b.State())

	b.Step(0, Start{}, &out)
	out.Reset()
	b.Step(0, SetView{View: viewOf(t, 0x70, 3, 4)}, &out)
	assert.EqualValues(t, 3, b.Round())
	require.Len(t, out.Notify, 1)
	assert.EqualValues(t, 4, out.Notify[0].To)
	assert.EqualValues(t, 0x70, out.Notify[0].Notification.ViewVersion)
	assert.Contains(t, out.Notify[0].Notification.Config, "version=70")

	// 1 is an outsider now, whose view is older: it learns of the new one.
	out.Reset()
	b.Step(0, Receive{From: 1, Notification: looking(1, 9)}, &out)
	assert.Equal(t, DropOutsider, drops[len(drops)-1])
	require.Len(t, out.Notify, 1)
	// An outsider whose view is not older learns nothing, and gets no answer.
	out.Reset()
	same := looking(1, 9)
	same.ViewVersion = 0x70
	b.Step(0, Receive{From: 1, Notification: same}, &out)
	assert.Empty(t, out.Notify)

	// A view without this server: it only looks for a leader now.
	out.Reset()
	b.Step(0, SetView{View: viewOf(t, 0x71, 4, 5)}, &out)
	require.Len(t, out.Notify, 2)
	assert.Equal(t, ensemble.NoServer, out.Notify[0].Notification.Leader)
	leader := Vote{Leader: 4, Round: 4, PeerEpoch: 8}
	b.Step(0, Receive{From: 4, Notification: Notification{Vote: leader, State: ensemble.Leading}}, &out)
	b.Step(0, Receive{From: 5, Notification: Notification{Vote: leader, State: ensemble.Following}}, &out)
	require.NotNil(t, out.Decide)
	assert.Equal(t, ensemble.Observing, out.Decide.State)
}

func TestBallot_OutsidersNeverAnswerAnswers(t *testing.T) {
	a, err := NewBallot(Config{Server: 1, View: viewOf(t, 1, 1)})
	require.NoError(t, err)
	b, err := NewBallot(Config{Server: 2, View: viewOf(t, 2, 2)})
	require.NoError(t, err)
	var out Effects
	a.Step(0, Start{}, &out)
	b.Step(0, Start{}, &out)
	out.Reset()
	a.Step(0, Receive{From: 2, Notification: looking(2, 1)}, &out)
	require.Len(t, out.Notify, 1, "a question is answered")
	answer := out.Notify[0].Notification
	out.Reset()
	b.Step(0, Receive{From: 1, Notification: answer}, &out)
	assert.Empty(t, out.Notify)
}

func TestBallot_LeavesOutAConfigThatIsTooLong(t *testing.T) {
	m := ensemble.Member{ID: 1, Weight: 1, Client: strings.Repeat("x", ConfigBytesMax)}
	v, err := ensemble.NewView(0, []ensemble.Member{m, {ID: 2, Weight: 1}})
	require.NoError(t, err)
	b, err := NewBallot(Config{Server: 1, View: v})
	require.NoError(t, err)
	var out Effects
	b.Step(0, Start{}, &out)
	require.Len(t, out.Notify, 1)
	_, err = EncodeNotification(out.Notify[0].Notification)
	assert.NoError(t, err)
}

// FuzzBallot feeds a ballot whatever can be decoded, in any state: it must not
// panic, and lead only by a quorum.
func FuzzBallot(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	f.Add(bytes.Repeat([]byte{0x41, 3, 0}, 20))
	f.Fuzz(func(t *testing.T, script []byte) {
		b, err := NewBallot(Config{Server: 3, View: viewOf(t, 0, 1, 2, 3, 4, 5)})
		require.NoError(t, err)
		var out Effects
		b.Step(0, Start{}, &out)
		for ; len(script) >= 3; script = script[3:] {
			x, y, z := script[0], script[1], script[2]
			n := Notification{State: ensemble.State(x % 4), Unsure: x&4 != 0, Vote: Vote{
				Leader: ensemble.ServerID(y%7) - 1, Zxid: ensemble.Zxid(y>>4%4) - 1, Round: int64(z % 4), PeerEpoch: ensemble.Epoch(z>>2%4) - 1,
			}}
			out.Reset()
			var in Input = Receive{From: ensemble.ServerID(x >> 5), Notification: n}
			switch x >> 3 % 4 {
			case 1:
				in = Reachable{Sid: ensemble.ServerID(y % 7), Up: z%2 == 0}
			case 2:
				in = Tick{Delivered: true}
			case 3:
				if z%8 == 0 {
					in = Start{Zxid: ensemble.Zxid(y%4) - 1, Unsure: z&8 != 0}
				}
			}
			b.Step(0, in, &out)
			if out.Decide != nil {
				require.GreaterOrEqual(t, len(out.Decide.Supporters), 3)
				require.Equal(t, out.Decide.State == ensemble.Leading, out.Decide.Vote.Leader == 3)
			}
			require.LessOrEqual(t, len(b.votes), 5)
			require.LessOrEqual(t, len(b.established), 5)
		}
	})
}
