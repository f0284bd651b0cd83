package picture

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim"
	"github.com/quorate/quorate/sim/check"
)

// simulated runs the simulator and returns what a picture is made of.
func simulated(t *testing.T, seed uint64, faults *sim.Faults) ([]check.Event, *check.History, *check.Violation) {
	t.Helper()
	var events []check.Event
	var history *check.History
	report, err := sim.Run(sim.Varied(sim.Config{
		Time: 3 * time.Second, Faults: faults,
		Trace:   func(e *check.Event) { events = append(events, *e) },
		History: func(h *check.History) { history = h },
	}, seed))
	require.NoError(t, err)
	if report.Violation != nil {
		return events, history, &report.Violation.Violation
	}
	return events, history, nil
}

func TestReal_EveryFamilyOfFaultsIsKnown(t *testing.T) {
	for _, family := range sim.Families {
		assert.Contains(t, familySign, string(family))
		a := sim.Action{Family: family, Server: 1, Peer: 2, Port: "quorum", For: 70 * time.Millisecond, Salt: 12}
		e := check.Event{Node: 1, Peer: 2, Kind: check.Fault, Mode: string(family), Text: a.String()}
		text := faultText(&e)
		assert.NotContains(t, text, "12", "the salt tells people nothing")
		assert.NotContains(t, text, "N")
		if d := faultSpan(&e); d > 0 {
			assert.Equal(t, a.For, d)
		}
	}
	assert.Len(t, familySign, len(sim.Families))
}

// A run of the real code without faults: every message arrives, somebody leads
// until the end, clients are answered, and the page draws it.
func TestReal_CalmRun(t *testing.T) {
	events, history, violation := simulated(t, *seed, &sim.Faults{})
	require.Nil(t, violation)
	doc := drawn(t, events, history, nil)
	m := doc.Messages
	gone := 0
	for i, fate := range m.Fate {
		if fate != arrived && fate != underway && m.Class[i] != votes {
			gone++
		}
	}
	assert.Less(t, gone, len(m.Fate)/20+20, "only what was on its way when all were restarted at the end")
	assert.NotEmpty(t, doc.Reigns)
	known := 0
	for i, reach := range doc.Ops.Reach {
		if reach > 0 {
			known++
			assert.LessOrEqual(t, doc.Ops.Sent[i], reach)
			if back := doc.Ops.Back[i]; back > 0 {
				assert.LessOrEqual(t, reach, back)
			}
		}
	}
	assert.Greater(t, known, len(doc.Ops.Reach)/2, "the trace tells when requests came")
	for _, c := range []int{discovery, synchronization, proposals, acks, commits, requests, replies} {
		assert.Positive(t, doc.Classes[c].Count, doc.Classes[c].Title)
	}
	assert.Zero(t, doc.Classes[others].Count, "all packets are known")
	b := openPage(t, doc, "")
	b.run(`press("e"); press("Enter")`)
	b.sound()
}

// With faults: the trace can be written, read and drawn.
func TestReal_RoughRun(t *testing.T) {
	events, history, violation := simulated(t, *seed+1, &sim.Faults{Families: sim.Families, Interval: 200 * time.Millisecond, Triggered: 0.5})
	back, err := ReadTrace(bytes.NewReader(jsonl(t, events)))
	require.NoError(t, err)
	require.Len(t, back, len(events))
	assert.True(t, written(t, "rough", events, history, violation) == written(t, "rough", back, history, violation), "another page")
	doc := drawn(t, events, history, violation)
	assert.NotEmpty(t, doc.Faults)
	b := openPage(t, doc, "")
	b.run(`for (let i = 0; i < 10; i++) { press("f"); press("Enter"); }`)
	b.sound()
}
