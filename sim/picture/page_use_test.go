package picture

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/sim/check"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestPage_Keys(t *testing.T) {
	events, h := brief(*seed)
	b := openPage(t, drawn(t, events, h, nil), "#t=0.3&w=0.1")
	span := func() float64 { return b.number(`app.t1 - app.t0`) }
	middle := func() float64 { return b.number(`(app.t0 + app.t1) / 2`) }
	b.run(`press("+")`)
	assert.InDelta(t, 0.0625e9, span(), 1)
	assert.InDelta(t, 0.3e9, middle(), 1, "it stays where it is")
	b.run(`press("-")`)
	assert.InDelta(t, 0.1e9, span(), 1)
	b.run(`press("ArrowRight")`)
	assert.InDelta(t, 0.315e9, middle(), 1)
	b.run(`press("ArrowLeft", { shiftKey: true })`)
	assert.InDelta(t, 0.225e9, middle(), 1)
	b.run(`press("0")`)
	assert.Less(t, b.number(`app.t0`), 0.0)
	assert.Greater(t, b.number(`app.t1`), float64(h.End))

	b.run(`press("f")`)
	first := b.text(`kindOf(m, app.sel.i)`)
	at := b.number(`selectedMoment(app)`)
	b.run(`press("f")`)
	assert.Greater(t, b.number(`selectedMoment(app)`), at)
	b.run(`press("F")`)
	assert.Equal(t, at, b.number(`selectedMoment(app)`))
	assert.NotEmpty(t, first)
	b.run(`press("Escape"); showWindow(app, 0, 1); press("e")`)
	assert.Equal(t, "established", b.text(`kindOf(m, app.sel.i)`))
	b.run(`press("]")`)
	assert.Equal(t, b.number(`m.node[app.sel.i]`), b.number(`m.node[m.doc.reigns[0].event - 1]`), "it stays on its lane")
	b.run(`press("?")`)
	assert.True(t, b.run(`app.help.open`).(bool))
	b.run(`press("Escape")`)
	assert.False(t, b.run(`app.help.open`).(bool))
	assert.NotNil(t, b.run(`app.sel`), "the first Escape closes the help")
	b.run(`press("Escape")`)
	assert.Nil(t, b.run(`app.sel`))
	b.sound()
}

func TestPage_ZoomStaysInsideTheRun(t *testing.T) {
	events, h := brief(*seed)
	b := openPage(t, drawn(t, events, h, nil), "")
	b.run(`point("wheel", 700, 300, { deltaY: -200 }, 200)`)
	assert.InDelta(t, 2000, b.number(`app.t1 - app.t0`), 1, "two microseconds are the least")
	b.run(`point("wheel", 700, 300, { deltaY: 200, shiftKey: true }, 50)`)
	b.run(`point("wheel", 300, 300, { deltaY: 200 }, 300)`)
	end := float64(h.End)
	assert.InDelta(t, 1.03*end, b.number(`app.t1 - app.t0`), 0.01*end)
	b.run(`press("ArrowLeft", { shiftKey: true }, 50)`)
	assert.GreaterOrEqual(t, b.number(`app.t0`), -0.02*end)
	b.sound()
}

func TestPage_ClickOnAMessageTellsAboutIt(t *testing.T) {
	events, h := brief(*seed)
	b := openPage(t, drawn(t, events, h, nil), "")
	b.run(`const one = m.doc.messages.class.findIndex((c, i) => m.classes[c].name === "proposal" && m.doc.messages.got[i] > 0 && m.doc.messages.from[i] === 3 && m.doc.messages.to[i] === 2);
		const arrow = m.arrowOfMessage[one], mid = (m.arrows.t0[arrow] + m.arrows.t1[arrow]) / 2;
		showWindow(app, mid - 1e6, mid + 1e6); rest();
		const ends = arrowEnds(app, arrow);
		click((ends[0] + ends[2]) / 2, (ends[1] + ends[3]) / 2)`)
	assert.Equal(t, "message", b.text(`app.sel.type`))
	assert.Equal(t, b.number(`one`), b.number(`app.sel.i`))
	words := b.text(`byId("details").words()`)
	assert.Contains(t, words, "from server 3 to server 2")
	assert.Contains(t, words, "the way of transaction 0x1000000")
	assert.Contains(t, words, "Server 3 role LEADING, serving")
	assert.Contains(t, words, "Everybody at")
	b.run(`click(700, 5)`)
	assert.Nil(t, b.run(`app.sel`), "a click on nothing lets go")
}

func TestPage_ClickOnABandTellsTheState(t *testing.T) {
	events, h := brief(*seed)
	b := openPage(t, drawn(t, events, h, nil), "#t=0.5&w=0.001")
	b.run(`click(xOf(app, 0.5e9), app.layout.lanes[2].center)`)
	assert.Equal(t, "server", b.text(`app.sel.type`))
	assert.Contains(t, b.text(`byId("details").words()`), "Server 3 role Down")
	assert.Contains(t, b.text(`location.hash`), "sel=s3%400.5")
}

func TestPage_FiltersHideAndShow(t *testing.T) {
	events, h := brief(*seed)
	b := openPage(t, drawn(t, events, h, nil), "#t=0.48&w=0.04")
	seen := func(class string) int {
		return int(b.number(`app.visible.filter((i) => m.classes[m.arrows.cls[i]].name === "` + class + `").length`))
	}
	assert.Positive(t, seen("vote"))
	assert.Zero(t, seen("ping"), "off at first")
	b.run(`press("1")`)
	assert.Zero(t, seen("vote"))
	assert.Contains(t, b.text(`location.hash`), "off=vote,ping")
	b.run(`press("1")`)
	assert.Positive(t, seen("vote"))
	assert.NotContains(t, b.text(`location.hash`), "off=", "as it is at first")
	b.run(`onlyClass(app, 0); rest()`)
	assert.Equal(t, int(b.number(`app.visible.length`)), seen("vote"))
	b.run(`onlyClass(app, 0); rest()`)
	assert.Greater(t, int(b.number(`app.visible.length`)), seen("vote"))
}

func TestPage_AddressLeadsBack(t *testing.T) {
	events, h := brief(*seed)
	doc := drawn(t, events, h, nil)
	b := openPage(t, doc, "#t=0.2&w=0.05&sel=e400&off=vote,ack&theme=dark&find=0x100000003")
	hash := b.text(`writeLink(app); location.hash`)
	again := openPage(t, doc, hash)
	assert.Equal(t, hash, again.text(`writeLink(app); location.hash`))
	for _, code := range []string{`app.t0`, `app.t1`, `app.off.size`, `app.found.length`} {
		assert.InDelta(t, b.number(code), again.number(code), 1, code)
	}
	assert.Equal(t, b.text(`formatSelection(m, app.sel)`), again.text(`formatSelection(m, app.sel)`))
	assert.Equal(t, "dark", again.text(`document.documentElement.dataset.theme`))
}

func TestPage_StrangeAddressesAreHarmless(t *testing.T) {
	events, _ := brief(*seed)
	doc := drawn(t, events[:200], nil, nil)
	for _, hash := range []string{
		"#", "#t=", "#t=abc&w=-1", "#t=1e99&w=1e-99", "#sel=e0", "#sel=e99999999", "#sel=o0", "#sel=s77@1", "#sel=s1@.", "#sel=x",
		"#off=", "#off=nothing", "#w=%ZZ", "#find=%ff", "#&&==&t", "#t=Infinity&w=NaN",
	} {
		b := openPage(t, doc, hash)
		b.sound()
		assert.False(t, b.run(`Number.isNaN(app.t0 + app.t1)`).(bool), hash)
	}
}

func TestPage_FindsByZxidKindPathAndText(t *testing.T) {
	events, h := brief(*seed)
	b := openPage(t, drawn(t, events, h, nil), "")
	found := func(text string) int { return int(b.number(`search(m, ` + strconv.Quote(text) + `, 1000).length`)) }
	assert.Greater(t, found("0x100000003"), 15)
	assert.Greater(t, found("1:3"), 8)
	assert.Positive(t, found("disk.err"))
	assert.Positive(t, found("input/output"))
	assert.Positive(t, found("CUT 1 2"))
	assert.Positive(t, found("/config"))
	assert.Zero(t, found("no such thing"))
	assert.Zero(t, found("   "))
	b.run(`app.find.value = "disk.err"; app.find.listeners.keydown({ key: "Enter" }); rest()`)
	assert.Equal(t, "disk.err", b.text(`kindOf(m, app.sel.i)`))
	assert.Contains(t, b.text(`byId("found").words()`), "1 found")
}

// The state that the page tells is the one that the events say, computed here in
// another way: the last event of a kind wins.
func TestPage_StateAtAMoment(t *testing.T) {
	events, h := story(*seed)
	b := openPage(t, drawn(t, events, h, nil), "#t=1&w=0.01")
	for i := range events {
		if i%997 != 50 && events[i].Kind != check.LogTruncate && events[i].Kind != check.Crash {
			continue
		}
		for node := ensemble.ServerID(1); node <= 5; node++ {
			want := lastWords(events[:i+1], node)
			b.run(`var s = stateAfter(m, ` + itoa(int(node)-1) + `, ` + itoa(i) + `)`)
			assert.Equal(t, want.role, b.text(`s.role`), "server %d after event %d", node, i)
			assert.Equal(t, want.synced, b.text(`s.synced === null ? "" : zxidAt(m, s.synced)`), "server %d after event %d", node, i)
			assert.Equal(t, want.committed, b.text(`s.committed === null ? "" : zxidAt(m, s.committed)`), "server %d after event %d", node, i)
			assert.EqualValues(t, want.current, b.number(`s.current === null ? -1 : s.current`), "server %d after event %d", node, i)
		}
	}
}

// What is looked up for a window is what a look at all of them finds.
func TestPage_ArrowsOfAWindow(t *testing.T) {
	events, h := brief(*seed)
	slow := events[len(events)/3] // arrives long after it was sent
	slow.Kind, slow.Message, slow.Node, slow.Peer = check.MessageSend, 1<<40, 1, 2
	late := slow
	late.Kind, late.Node, late.Peer, late.At = check.MessageRecv, 2, 1, slow.At+200*ms
	b := openPage(t, drawn(t, append(events, slow, late), h, nil), "")
	b.run(`var wrong = 0, seen = 0;
		for (let t0 = 0; t0 < m.end; t0 += 7e6) for (const w of [1e3, 1e6, 3e7]) {
			const [low, high] = arrowRange(m, t0, t0 + w);
			for (let i = 0; i < m.arrows.n; i++) {
				const touches = m.arrows.t0[i] < t0 + w && m.arrows.t1[i] >= t0;
				if (touches) seen++;
				if (touches && (i < low || i >= high)) wrong++;
			}
		}`)
	assert.Zero(t, b.number(`wrong`))
	assert.Greater(t, b.number(`seen`), 500.0)
	assert.True(t, b.run(`m.arrows.until.every((x, i) => x >= m.arrows.t1[i] && (i === 0 || x >= m.arrows.until[i - 1]))`).(bool))
}

type lastState struct {
	role, synced, committed string
	current                 int
}

func lastWords(events []check.Event, node ensemble.ServerID) lastState {
	w := lastState{role: "unknown", current: -1}
	for _, e := range events {
		if e.Node != node {
			continue
		}
		switch e.Kind {
		case check.Boot:
			w = lastState{role: "LOOKING", synced: "0x0", current: int(e.Current)}
			if n := len(e.Log); n > 0 {
				w.synced = e.Log[n-1].Zxid.String()
			}
		case check.Crash:
			w.role, w.committed = "down", ""
		case check.RoleChange:
			w.role = e.State.String()
		case check.LogDurable, check.LogTruncate:
			w.synced = e.Zxid.String()
		case check.Committed:
			w.committed = e.Zxid.String()
		case check.EpochsDurable:
			w.current = int(e.Current)
		}
	}
	return w
}

func TestPage_WayOfATransaction(t *testing.T) {
	events, h := brief(*seed)
	b := openPage(t, drawn(t, events, h, nil), "")
	b.run(`var way = wayOf(m, m.doc.zxids.indexOf("0x100000003") + 1)`)
	count := func(kind string) int {
		return int(b.number(`[...way.events].filter((i) => kindOf(m, i) === "` + kind + `").length`))
	}
	assert.Equal(t, 1, count("propose"))
	assert.Equal(t, 3, count("log.append"))
	assert.Equal(t, 3, count("log.durable"))
	assert.Equal(t, 2, count("ack.send"))
	assert.Equal(t, 3, count("commit"))
	assert.Equal(t, 3, count("deliver"))
	assert.EqualValues(t, 2, b.number(`[...way.arrows].filter((a) => m.classes[m.arrows.cls[a]].name === "proposal").length`))
	assert.EqualValues(t, 1, b.number(`way.ops.size`))
	assert.Less(t, b.number(`way.to - way.from`), 50e6)
	assert.EqualValues(t, 0, b.number(`wayOf(m, 0).arrows.size`))
}
