package picture

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/sim/check"
)

var (
	seed = flag.Uint64("picture.seed", 1, "seed of the plausible runs")
	keep = flag.String("picture.keep", "", "a directory for the pages that the tests make, to look at them in a browser")
)

// written draws a run, and keeps the page if that is asked for.
func written(t *testing.T, title string, events []check.Event, h *check.History, v *check.Violation) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, title, events, h, v))
	if *keep != "" {
		require.NoError(t, os.WriteFile(filepath.Join(*keep, t.Name()+".html"), b.Bytes(), 0o644))
	}
	return b.String()
}

var dataElement = regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`)

func dataOf(t *testing.T, html string) map[string]any {
	t.Helper()
	m := dataElement.FindStringSubmatch(html)
	require.NotNil(t, m, "the page has no data")
	var data map[string]any
	require.NoError(t, json.Unmarshal([]byte(m[1]), &data))
	return data
}

func TestWrite_NeedsNothingElse(t *testing.T) {
	events, h := story(*seed)
	html := written(t, "A leader loses power, the next is cut off", events, h, nil)
	assert.NotContains(t, html, "{{", "a part of the frame was not filled in")
	assert.NotContains(t, html, "http:")
	assert.NotContains(t, html, "https:")
	assert.NotContains(t, html, "@import")
	assert.NotContains(t, html, "url(")
	assert.NotRegexp(t, `<(script|img|iframe|object|embed)[^>]*\ssrc`, html)
	for _, link := range regexp.MustCompile(`<link[^>]*>`).FindAllString(html, -1) {
		assert.Contains(t, link, `href="data:,"`)
	}
	assert.Contains(t, html, "<title>A leader loses power, the next is cut off</title>")
}

func TestWrite_PolicyAllowsJustItsOwnStyleAndProgram(t *testing.T) {
	html := written(t, "policy", nil, nil, nil)
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(html)
	program := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindStringSubmatch(html)
	require.NotNil(t, style)
	require.NotNil(t, program)
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(html)
	require.NotNil(t, policy)
	assert.Equal(t, "default-src 'none'; img-src data:; style-src 'sha256-"+digest(style[1])+"'; script-src 'sha256-"+digest(program[1])+"'", policy[1])
	assert.NotRegexp(t, `<[a-z]+[^>]* (style|on[a-z]+)=`, html[:strings.Index(html, "<script")], "the policy forbids it")
}

func TestWrite_NoStringEndsItsElement(t *testing.T) {
	const evil = "</script><script>alert(1)</script><!--\u2028\"'&\\"
	events := []check.Event{
		{Seq: 1, At: 1, Node: 1, Life: 1, Kind: check.Boot, Mode: evil},
		{Seq: 2, At: 2, Kind: check.Fault, Text: evil},
		{At: 3, Node: 1, Peer: 2, Kind: check.MessageSend, Message: 7, Text: evil},
		{Seq: 4, At: 4, Node: 1, Kind: check.Kind(evil), Text: "broken \xff\xfe"},
	}
	h := &check.History{Ops: []*check.Op{{
		Client: 1, Conn: 1, Server: 1, Code: proto.OpCreate, Request: &proto.CreateRequest{Path: evil, Data: []byte(evil)}, Sent: 1, SentAt: 1,
	}}}
	html := written(t, evil, events, h, &check.Violation{Invariant: evil, Rule: evil, Text: evil, At: 2, Seq: 2})
	assert.Equal(t, 2, strings.Count(html, "<script"))
	assert.Equal(t, 2, strings.Count(html, "</script"))
	assert.NotContains(t, html, "<!--", "a comment would swallow the rest")
	assert.NotRegexp(t, "[<>&\u2028\u2029]", dataElement.FindStringSubmatch(html)[1])
	data := dataOf(t, html)
	assert.Equal(t, evil, data["title"])
	assert.Contains(t, data["kinds"], evil)
	assert.Contains(t, data["texts"], evil)
	assert.Contains(t, html, "<title>&lt;/script&gt;&lt;script&gt;alert(1)")

	b := openPage(t, drawn(t, events, h, &check.Violation{Invariant: evil, Rule: evil, Text: evil, At: 2, Seq: 2}), "")
	assert.Contains(t, b.text(`byId("story").words()`), evil, "it is shown as it is")
	b.sound()
}

func TestWrite_LongRunIsSmall(t *testing.T) {
	events, h := long(*seed, 20*time.Second)
	require.Greater(t, len(events), 25_000)
	html := written(t, "A minute", events, h, nil)
	assert.Less(t, len(html)/len(events), 60, "bytes for each event, all in all")
	t.Logf("%d events, %d bytes", len(events), len(html))
}

func TestWrite_NothingHappened(t *testing.T) {
	html := written(t, "", nil, nil, nil)
	assert.NotContains(t, dataElement.FindString(html), "null")
	b := openPage(t, drawn(t, nil, nil, nil), "#t=1&w=2&sel=e1")
	b.sound()
	assert.Equal(t, "no violation", b.text(`byId("verdict").textContent`))
}

func TestWrite_OrderOfEventsDoesNotMatter(t *testing.T) {
	events, h := story(*seed)
	for i := 1; i < len(events); i++ { // only events with moments of their own can be put back
		events[i].At = max(events[i].At, events[i-1].At+1)
	}
	straight := written(t, "order", events, h, nil)
	turned := slices.Clone(events)
	slices.Reverse(turned)
	again := slices.Clone(turned)
	assert.True(t, straight == written(t, "order", turned, h, nil), "another page")
	assert.Equal(t, again, turned, "it changes what it is given")
}

func TestWrite_TimeBeforeTheBeginningIsRefused(t *testing.T) {
	err := Write(&bytes.Buffer{}, "", []check.Event{{Seq: 9, At: -time.Second, Kind: check.Boot}}, nil, nil)
	assert.EqualError(t, err, "picture: event 9 is at -1s; a run begins at 0")
}

type fullDisk struct{ room int }

func (f *fullDisk) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

func TestWrite_TellsWhyItCouldNotBeWritten(t *testing.T) {
	events, h := story(*seed)
	for _, room := range []int{0, 5000, 200_000} {
		err := Write(&fullDisk{room}, "", events, h, nil)
		assert.ErrorContains(t, err, "picture: write the page: no space left")
	}
}
