package picture

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

func kindsOf(doc *document, events []int) map[string]int {
	count := map[string]int{}
	for _, e := range events {
		count[doc.Kinds[doc.Events.Kind[e-1]]]++
	}
	return count
}

// A server acknowledges too soon: the proposal, and who sent it, led to it; what
// others did at the same time did not.
func TestCause_OfAnAcknowledgement(t *testing.T) {
	events, h := story(1)
	v := violationAt(t, events, check.AckSend, 1900*time.Millisecond)
	bad := &events[v.Seq-1]
	doc := drawn(t, events, h, v)
	d := doc.Violation
	require.Equal(t, v.Seq, d.Event)
	assert.Equal(t, bad.Zxid.String(), doc.Zxids[d.Zxid-1])
	kinds := kindsOf(doc, d.Events)
	assert.Positive(t, kinds["propose"])
	assert.Positive(t, kinds["log.append"])
	assert.Positive(t, kinds["msg.recv"])
	assert.NotEmpty(t, d.Messages)
	for _, e := range d.Events {
		assert.LessOrEqual(t, e, d.Event, "a cause comes before")
	}
	assert.LessOrEqual(t, len(d.Events), causesMax)
	assert.Less(t, d.At-d.From, int64(100*ms), "one looks at what has to do with it")
	for _, m := range d.Messages {
		got := doc.Messages.Got[m-1]
		assert.Contains(t, d.Events, got, "a message counts if it arrived before")
	}
}

func TestCause_HappensBeforeOnly(t *testing.T) {
	doc := drawn(t, numbered(
		check.Event{At: 1 * ms, Node: 1, Life: 1, Kind: check.Decide},
		check.Event{At: 2 * ms, Node: 3, Life: 1, Kind: check.Decide},
		packet(3*ms, check.MessageSend, 1, 2, 1, "LEADERINFO 0x100000000"),
		check.Event{At: 4 * ms, Node: 1, Life: 1, Kind: check.Decide},
		packet(5*ms, check.MessageRecv, 2, 1, 1, "LEADERINFO 0x100000000"),
		check.Event{At: 6 * ms, Node: 2, Life: 1, Kind: check.Established, Epoch: 1},
		check.Event{At: 7 * ms, Node: 2, Life: 1, Kind: check.Decide},
	), nil, &check.Violation{Seq: 6, Node: 2, At: 6 * ms})
	assert.Equal(t, []int{1, 5, 6}, doc.Violation.Events)
	assert.Equal(t, []int{1}, doc.Violation.Messages)
}

func TestCause_TheOtherLeaderOfTheEpoch(t *testing.T) {
	doc := drawn(t, numbered(leadsFrom(3, 1, 5), leadsFrom(4, 3, 4), leadsFrom(9, 2, 5)), nil, &check.Violation{Invariant: "E3", Seq: 3, Node: 2})
	assert.Contains(t, doc.Violation.Events, 1, "it did not happen before in Lamport's sense, but it is the other half")
	assert.NotContains(t, doc.Violation.Events, 2)
	assert.EqualValues(t, 9*ms, doc.Violation.At, "from the event, as the violation does not say")
}

func TestCause_OfAnAnswer(t *testing.T) {
	events, h := story(1)
	var bad *check.Op
	for _, o := range h.Ops {
		if o.SentAt > 2900*ms && o.Returned > 0 && !o.Code.Write() {
			bad = o
			break
		}
	}
	require.NotNil(t, bad)
	doc := drawn(t, events, h, &check.Violation{Invariant: "C2", Text: "back in time", At: bad.BackAt, Order: bad.Returned})
	d := doc.Violation
	require.Positive(t, d.Op)
	assert.EqualValues(t, bad.SentAt, doc.Ops.Sent[d.Op-1])
	assert.Positive(t, d.Client)
	assert.Contains(t, d.Ops, d.Op)
	kinds := kindsOf(doc, d.Events)
	assert.Positive(t, kinds["deliver"], "the server applied what it shows")
	assert.Positive(t, kinds["propose"])

	b := openPage(t, doc, "")
	assert.Equal(t, "op", b.text(`app.sel.type`))
	b.sound()
}

func TestCause_OfAWatchEvent(t *testing.T) {
	events, h := story(1)
	n := h.Events[len(h.Events)/2]
	doc := drawn(t, events, h, &check.Violation{Invariant: "W2", Order: n.Order, At: n.At})
	assert.Equal(t, len(h.Events)/2+1, doc.Violation.Notice)
	assert.Equal(t, n.Zxid.String(), doc.Zxids[doc.Violation.Zxid-1])
	assert.NotEmpty(t, doc.Violation.Events)
	b := openPage(t, doc, "")
	assert.Equal(t, "notice", b.text(`app.sel.type`))
	b.sound()
}

// Whatever a violation points at, the picture is drawn.
func TestCause_StrangeViolations(t *testing.T) {
	events, h := brief(1)
	for _, v := range []check.Violation{
		{}, {Seq: -5, Order: -7, At: -ms}, {Seq: 1 << 40, Order: 1 << 40, At: 1 << 60}, {Node: 99, At: 5 * ms}, {Node: ensemble.NoServer},
		{At: h.End, Node: 3}, {Seq: 1}, {Order: 1}, {Seq: len(events)},
	} {
		doc := drawn(t, events, h, &v)
		b := openPage(t, doc, "")
		b.run(`press("v"); press("0")`)
		b.sound()
	}
	b := openPage(t, drawn(t, nil, nil, &check.Violation{Invariant: "V1", Text: "no leader"}), "")
	b.sound()
}
