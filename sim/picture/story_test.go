package picture

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

func told(doc *document) []string {
	var lines []string
	for _, c := range doc.Story {
		lines = append(lines, fmt.Sprintf("%v %s", time.Duration(c.At).Round(time.Millisecond), c.Text))
	}
	return lines
}

func TestStory_OfTheRunWithTwoLeaders(t *testing.T) {
	events, h := story(1)
	doc := drawn(t, events, h, nil)
	lines := told(doc)
	for _, want := range []string{
		"Servers 1, 2, 3, 4 and 5 start.",
		"Server 5 leads epoch 1, with 1, 2, 3 and 4.",
		"Servers 1, 2, 3 and 4 follow in epoch 1, synchronized by DIFF.",
		"Server 5, the leader of epoch 1, loses power.",
		"Servers 1, 2, 3 and 4 have lost the leader and look for one.",
		"Server 5 starts again with a history up to 0x10000002b.",
		"Partition: [3 4] | [1 2 5].",
		"Server 4 no longer leads epoch 2: no quorum has answered for 5 ticks.",
		"Disk error of server 2: fsync of log.300000001: input/output error.",
		"Server 2 is stopped.",
		"Server 3 drops what its log has behind 0x20000003f.",
		"All faults are over.",
		"The run ends.",
	} {
		assert.Contains(t, fmt.Sprint(lines), " "+want)
	}
	for i := 1; i < len(doc.Story); i++ {
		assert.LessOrEqual(t, doc.Story[i-1].At, doc.Story[i].At)
	}
	assert.Equal(t, "The run ends.", doc.Story[len(doc.Story)-1].Text)
}

func TestStory_TheSameOfSeveralIsOneLine(t *testing.T) {
	end := check.Entry{Zxid: 0x100000002}
	doc := drawn(t, numbered(
		check.Event{At: 1 * ms, Node: 1, Life: 1, Kind: check.Boot},
		check.Event{At: 2 * ms, Node: 2, Life: 1, Kind: check.Boot},
		check.Event{At: 900 * ms, Node: 3, Life: 1, Kind: check.Boot},
		role(1000, 2, ensemble.Leading, 2), leadsFrom(1001, 2, 1),
		check.Event{At: 2000 * ms, Node: 1, Life: 1, Kind: check.Crash, Mode: "kill"},
		check.Event{At: 2000 * ms, Node: 2, Life: 1, Kind: check.Crash, Mode: "kill"},
		check.Event{At: 2000 * ms, Node: 3, Life: 1, Kind: check.Crash, Mode: "kill"},
		check.Event{At: 2100 * ms, Node: 3, Life: 2, Kind: check.Boot, Mode: "clean", Log: []check.Entry{end}},
		check.Event{At: 2200 * ms, Node: 1, Life: 2, Kind: check.Boot, Mode: "clean", Log: []check.Entry{end}},
		check.Event{At: 2300 * ms, Node: 2, Life: 2, Kind: check.Boot, Mode: "doubtful", Unsure: true},
	), nil, nil)
	assert.Equal(t, []string{
		"1ms Servers 1 and 2 start.",
		"900ms Server 3 starts.",
		"1.001s Server 2 leads epoch 1.",
		"2s Servers 1 and 3 are killed.",
		"2s Server 2, the leader of epoch 1, is killed.",
		"2.1s Servers 1 and 3 start again with a history up to 0x100000002.",
		"2.3s Server 2 starts again without a history, in doubt about the log, not to vote yet.",
		"2.3s The run ends.",
	}, told(doc))
}

func TestStory_LeadersAfterOneAnother(t *testing.T) {
	elected := role(1, 3, ensemble.Leading, 3)
	givesUp := role(5, 3, ensemble.Looking, ensemble.NoServer)
	givesUp.Text = "nobody follows"
	doc := drawn(t, numbered(
		elected, givesUp,
		role(6, 3, ensemble.Leading, 3), leadsFrom(10, 3, 7),
		role(20, 4, ensemble.Leading, 4), leadsFrom(21, 4, 8),
		role(30, 3, ensemble.Looking, ensemble.NoServer),
		role(40, 4, ensemble.Looking, ensemble.NoServer),
		role(55, 3, ensemble.Leading, 3), leadsFrom(63, 3, 9),
		check.Event{At: 80 * ms, Node: 9, Kind: check.SessionEvent, Session: 255, Mode: "expire"},
	), nil, &check.Violation{Invariant: "E3", Text: "two leaders", At: 21 * ms})
	assert.Equal(t, []string{
		"5ms Server 3 was elected and gives up before it leads: nobody follows.",
		"10ms Server 3 leads epoch 7.",
		"21ms Server 4 leads epoch 8, while another server still thinks that it leads.",
		"21ms E3 is violated: two leaders",
		"30ms Server 3 no longer leads epoch 7.",
		"40ms Server 4 no longer leads epoch 8.",
		"63ms Server 3 leads epoch 9, 23 ms after the last leader.",
		"80ms Session 0xff expires.",
		"80ms The run ends.",
	}, told(doc))
}

func TestStory_Totals(t *testing.T) {
	events, h := story(1)
	totals := map[string]string{}
	for _, x := range drawn(t, events, h, nil).Totals {
		totals[x.Name] = x.Value
	}
	assert.Equal(t, "5", totals["servers"])
	assert.Equal(t, "3", totals["clients"])
	assert.Equal(t, "3", totals["leaders"])
	assert.Equal(t, "2", totals["crashes"])
	assert.Equal(t, fmt.Sprint(len(events)), totals["events"])
	doc := drawn(t, numbered(role(5, 1, ensemble.Leading, 1), leadsFrom(40, 1, 1), role(60, 1, ensemble.Looking, 0),
		check.Event{At: 95 * ms, Kind: check.Healed}), nil, nil)
	assert.Equal(t, total{"longest without a leader", "40 ms"}, doc.Totals[4])
}

func TestStory_Spans(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 µs": 0, "45 µs": 45 * time.Microsecond, "3.2 ms": 3249 * time.Microsecond, "99 ms": 99 * ms, "0.31 s": 314 * ms, "12.0 s": 12 * time.Second,
	} {
		assert.Equal(t, want, millis(d))
	}
}
