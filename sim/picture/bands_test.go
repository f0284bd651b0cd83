package picture

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

func TestBands_LifeOfAServer(t *testing.T) {
	doc := drawn(t, numbered(
		check.Event{At: 1 * ms, Node: 1, Life: 1, Kind: check.Boot},
		check.Event{At: 1 * ms, Node: 1, Life: 1, Kind: check.RoleChange, State: ensemble.Looking, Peer: ensemble.NoServer},
		check.Event{At: 2 * ms, Node: 1, Life: 1, Kind: check.RoleChange, State: ensemble.Following, Peer: 2},
		check.Event{At: 3 * ms, Node: 1, Life: 1, Kind: check.EpochAck, Epoch: 4, Peer: 2},
		check.Event{At: 5 * ms, Node: 1, Life: 1, Kind: check.Established, State: ensemble.Following, Epoch: 4},
		check.Event{At: 7 * ms, Node: 1, Life: 1, Kind: check.Crash, Mode: "power"},
		check.Event{At: 9 * ms, Node: 1, Life: 2, Kind: check.Boot},
		check.Event{At: 10 * ms, Node: 1, Life: 2, Kind: check.Halted, Text: "another history"},
		check.Event{At: 12 * ms, Kind: check.Healed},
	), nil, nil)
	require.Len(t, doc.Servers, 2, "one of them only known as a peer")
	type stretch struct {
		from, to int64
		role     string
		leader   int
		epoch    int64
		serving  bool
	}
	var got []stretch
	for _, b := range doc.Servers[0].Bands {
		got = append(got, stretch{b.From / 1e6, b.To / 1e6, b.Role, b.Leader, b.Epoch, b.Serving})
	}
	assert.Equal(t, []stretch{
		{0, 1, roleAbsent, 0, 0, false},
		{1, 2, "LOOKING", 0, 0, false},
		{2, 5, "FOLLOWING", 2, 4, false},
		{5, 7, "FOLLOWING", 2, 4, true},
		{7, 9, roleDown, 0, 0, false},
		{9, 10, "LOOKING", 0, 0, false},
		{10, 12, roleHalted, 0, 0, false},
	}, got)
	assert.Equal(t, "power", doc.Servers[0].Bands[4].Why)
	assert.Equal(t, 2, doc.Servers[0].Bands[5].Life)
	assert.Equal(t, "another history", doc.Servers[0].Bands[6].Why)
	assert.Equal(t, roleUnknown, doc.Servers[1].Bands[0].Role)
}

func role(at int, node ensemble.ServerID, state ensemble.State, peer ensemble.ServerID) check.Event {
	return check.Event{At: ms * time.Duration(at), Node: node, Life: 1, Kind: check.RoleChange, State: state, Peer: peer}
}

func leadsFrom(at int, node ensemble.ServerID, epoch ensemble.Epoch) check.Event {
	return check.Event{At: ms * time.Duration(at), Node: node, Life: 1, Kind: check.Established, State: ensemble.Leading, Epoch: epoch, Voters: []ensemble.ServerID{node}}
}

func TestBands_ReignsOverlapWhenALeaderDoesNotKnow(t *testing.T) {
	doc := drawn(t, numbered(
		role(1, 1, ensemble.Leading, 1), leadsFrom(2, 1, 1),
		role(8, 2, ensemble.Leading, 2), leadsFrom(9, 2, 2),
		role(12, 1, ensemble.Looking, ensemble.NoServer),
		role(20, 2, ensemble.Looking, ensemble.NoServer),
		role(25, 1, ensemble.Leading, 1), leadsFrom(26, 1, 3),
		check.Event{At: 30 * ms, Kind: check.Healed},
	), nil, nil)
	type stretch struct {
		from, to, epoch int64
		leader, row     int
	}
	var got []stretch
	for _, r := range doc.Reigns {
		got = append(got, stretch{r.From / 1e6, r.To / 1e6, r.Epoch, r.Leader, r.Row})
	}
	assert.Equal(t, []stretch{{2, 12, 1, 1, 0}, {9, 20, 2, 2, 1}, {26, 30, 3, 1, 0}}, got)
}

func TestBands_RepeatedWordsChangeNothing(t *testing.T) {
	doc := drawn(t, numbered(
		role(1, 1, ensemble.Leading, 1), leadsFrom(2, 1, 1), leadsFrom(3, 1, 1), role(4, 1, ensemble.Leading, 1),
		check.Event{At: 9 * ms, Kind: check.Healed},
	), nil, nil)
	assert.Len(t, doc.Reigns, 1)
	assert.EqualValues(t, 9*ms, doc.Reigns[0].To)
	assert.Len(t, doc.Servers[0].Bands, 3)
}
