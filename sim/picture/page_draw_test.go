package picture

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim/check"
)

// The same data, as Go wrote it and as the page reads it.
func TestPage_ReadsWhatGoWrites(t *testing.T) {
	events, h := story(*seed)
	doc := drawn(t, events, h, nil)
	b := openPage(t, doc, "")
	assert.EqualValues(t, len(events), b.number(`m.n`))
	assert.EqualValues(t, events[len(events)-1].At, b.number(`m.t[m.n - 1]`), "times are added up")
	assert.EqualValues(t, len(doc.Messages.From)+2*len(h.Ops)-unansweredOf(h)+len(h.Events), b.number(`m.arrows.n`))
	assert.EqualValues(t, len(h.Events), b.number(`m.classes.find((c) => c.name === "watch").count`))
	for i, e := range events {
		if i%97 != 0 {
			continue
		}
		require.Equal(t, string(e.Kind), b.text(`kindOf(m, `+itoa(i)+`)`))
		require.EqualValues(t, e.At, b.number(`m.t[`+itoa(i)+`]`))
		if e.Node > 0 {
			require.Equal(t, e.Node.String(), b.text(`m.servers[m.node[`+itoa(i)+`]].name`))
		}
		if e.Zxid > 0 {
			require.Equal(t, e.Zxid.String(), b.text(`zxidAt(m, m.zxid[`+itoa(i)+`])`))
		}
	}
	assert.True(t, b.run(`m.doc.events.at.length === m.n && m.doc.zxids.every((z, i) => i === 0 || z.length > m.doc.zxids[i-1].length || z > m.doc.zxids[i-1])`).(bool))
}

func unansweredOf(h *check.History) int {
	n := 0
	for _, o := range h.Ops {
		if o.Returned == 0 {
			n++
		}
	}
	return n
}

// Every window from the whole run down to microseconds draws, with everything that
// can be selected.
func TestPage_DrawsAtEveryScale(t *testing.T) {
	events, h := brief(*seed)
	v := violationAt(t, events, check.AckSend, 300*time.Millisecond)
	b := openPage(t, drawn(t, events, h, v), "")
	for _, w := range []string{"10", "1", "0.2", "0.03", "0.001", "0.00001"} {
		for _, at := range []string{"0", "0.45", "0.49", "99"} {
			b.run(`location.hash = "#t=` + at + `&w=` + w + `"; document.documentElement.listeners.hashchange(); rest()`)
			b.sound()
		}
	}
	b.run(`for (let i = 0; i < m.n; i += 41) { select(app, { type: "event", i }); zoomToSelection(app); draw(app); }`)
	b.run(`for (let i = 0; i < m.doc.messages.from.length; i += 41) { select(app, { type: "message", i }); zoomToSelection(app); draw(app); }`)
	b.run(`for (let i = 0; i < m.doc.ops.sent.length; i += 7) { select(app, { type: "op", i }); zoomToSelection(app); draw(app); }`)
	b.run(`for (let i = 0; i < m.doc.notices.at.length; i += 3) { select(app, { type: "notice", i }); zoomToSelection(app); draw(app); }`)
	b.sound()
}

func violationAt(t *testing.T, events []check.Event, kind check.Kind, after time.Duration) *check.Violation {
	t.Helper()
	for _, e := range events {
		if e.Kind == kind && e.At > after {
			return &check.Violation{Invariant: "B7", Rule: "never before the disk has it", Text: "it has not", At: e.At, Node: e.Node, Seq: e.Seq}
		}
	}
	require.Fail(t, "there is no such event")
	return nil
}

func TestPage_FarAwayASkylineNearArrows(t *testing.T) {
	events, h := long(*seed, 10*time.Second)
	b := openPage(t, drawn(t, events, h, nil), "")
	assert.True(t, b.run(`app.dense`).(bool))
	b.run(`drawn.calls = 0; draw(app)`)
	assert.Less(t, b.number(`drawn.calls`), 20_000.0, "what is drawn depends on the pixels, not on the events")
	assert.Less(t, b.number(`app.visible.length`), 1000.0)
	b.run(`const vote = m.arrows.t0[m.arrows.cls.lastIndexOf(0)];
		showWindow(app, vote - 40e6, vote + 10e6); rest(); drawn.texts = []; draw(app)`)
	assert.False(t, b.run(`app.dense`).(bool))
	assert.Contains(t, b.text(`drawn.texts.join("|")`), "vote ")
	b.sound()
}

func TestPage_NarrowWindow(t *testing.T) {
	events, h := brief(*seed)
	b := openPage(t, drawn(t, events, h, nil), "")
	b.run(`const box = byId("canvas").parentElement; box.clientWidth = 300; box.clientHeight = 260; resized(app); rest()`)
	b.sound()
	assert.Positive(t, b.number(`app.layout.scrollMax`))
	b.run(`press("ArrowDown")`)
	assert.EqualValues(t, 60, b.number(`app.scroll`))
	b.run(`press("ArrowDown", {}, 100)`)
	assert.Equal(t, b.number(`app.layout.scrollMax`), b.number(`app.scroll`))
	b.sound()
}

func TestPage_StartsAtTheViolation(t *testing.T) {
	events, h := story(*seed)
	v := violationAt(t, events, check.AckSend, 1900*time.Millisecond)
	b := openPage(t, drawn(t, events, h, v), "")
	assert.Less(t, b.number(`app.t0`), float64(v.At))
	assert.Greater(t, b.number(`app.t1`), float64(v.At))
	assert.Less(t, b.number(`app.t1 - app.t0`), 3e9)
	assert.Equal(t, "B7 violated", b.text(`byId("verdict").textContent`))
	assert.Contains(t, b.text(`byId("details").words()`), "never before the disk has it")
	assert.Contains(t, b.text(`drawn.texts.join("|")`), "B7 violated")
	b = openPage(t, drawn(t, events, h, v), "#t=0.5&w=0.1")
	assert.InDelta(t, 0.5e9, b.number(`(app.t0 + app.t1) / 2`), 1, "an address goes first")
}
