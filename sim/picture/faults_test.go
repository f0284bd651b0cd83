package picture

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

func fault(at time.Duration, node, peer ensemble.ServerID, family, text string) check.Event {
	return check.Event{At: at, Node: node, Peer: peer, Kind: check.Fault, Mode: family, Text: text}
}

func TestFaults_LastAsLongAsTheySay(t *testing.T) {
	doc := drawn(t, numbered(
		fault(10*ms, 1, 2, "cut", "cut 1 2 for 30ms salt 17"),
		fault(20*ms, 3, 0, "slow-disk", "slow-disk 3 for 1m0s salt 4"),
		fault(25*ms, 3, 0, "wall-clock", "wall-clock 3 salt 5"),
		fault(26*ms, 2, 0, "at-write", "at-write 2 for 5s salt 5"),
		fault(30*ms, 0, 0, "", "something else happens for 5ms"),
		check.Event{At: 100 * ms, Kind: check.Healed},
	), nil, nil)
	require.Len(t, doc.Faults, 6)
	spans := map[string][2]time.Duration{}
	for _, f := range doc.Faults {
		spans[f.Text] = [2]time.Duration{time.Duration(f.From), time.Duration(f.To)}
	}
	assert.Equal(t, map[string][2]time.Duration{
		"servers 1 and 2 do not reach each other for 30 ms":  {10 * ms, 40 * ms},
		"the disk of server 3 is slow for 60.0 s":            {20 * ms, 100 * ms}, // healed before
		"the wall clock of server 3 jumps":                   {25 * ms, 25 * ms},
		"server 2 is to lose power in the middle of a write": {26 * ms, 26 * ms},
		"something else happens for 5ms":                     {30 * ms, 35 * ms},
		"all faults are over":                                {100 * ms, 100 * ms},
	}, spans)
	assert.Equal(t, []string{signCut, signDisk, signClock, signCrash, signAnother, signHealed},
		[]string{doc.Faults[0].Kind, doc.Faults[1].Kind, doc.Faults[2].Kind, doc.Faults[3].Kind, doc.Faults[4].Kind, doc.Faults[5].Kind})
	assert.NotEqual(t, doc.Faults[0].Row, doc.Faults[1].Row, "they overlap")
}

func TestFaults_AreToldOnce(t *testing.T) {
	doc := drawn(t, numbered(
		check.Event{At: 1 * ms, Node: 3, Life: 1, Kind: check.Boot},
		fault(10*ms, 3, 0, "power", "power 3 for 80ms salt 1"),
		check.Event{At: 10 * ms, Node: 3, Life: 1, Kind: check.Crash, Mode: "power"},
		fault(20*ms, 3, 0, "power", "power 3 for 80ms salt 2"),
		check.Event{At: 90 * ms, Node: 3, Life: 2, Kind: check.Boot, Mode: "torn"},
	), nil, nil)
	var texts []string
	for _, f := range doc.Faults {
		texts = append(texts, f.Kind+": "+f.Text)
	}
	assert.Equal(t, []string{"crash: server 3 loses power", "crash: server 3 loses power", "boot: server 3 starts again"}, texts)
	assert.Equal(t, 3, doc.Faults[0].Event, "what the server says, not the nemesis")
	assert.Equal(t, 4, doc.Faults[1].Event, "there it was down already")
	assert.Equal(t, []string{
		"1ms Server 3 starts.", "10ms Server 3 loses power.", "20ms Server 3 loses power.",
		"90ms Server 3 starts again without a history, the torn end of the log cut off.", "90ms The run ends.",
	}, told(doc))
}

func TestFaults_EveryFamilyHasASignAndWords(t *testing.T) {
	for family := range familySign {
		assert.Contains(t, familyText, family)
	}
	assert.Len(t, familyText, len(familySign))
	for _, family := range instant {
		assert.Contains(t, familySign, family)
	}
	for _, port := range []string{"election", "quorum", "client"} {
		e := fault(0, 2, 0, "port", "port 2 "+port+" for 70ms salt 3")
		assert.Equal(t, "the "+port+" port of server 2 is silent for 70 ms", faultText(&e))
	}
}
