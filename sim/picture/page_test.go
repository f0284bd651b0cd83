package picture

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim/check"
)

// browser runs the page's own program on a document, in testdata/browser.js.
type browser struct {
	t  *testing.T
	vm *goja.Runtime
}

// openPage starts the page as a browser would, with an address.
func openPage(t *testing.T, doc *document, hash string) *browser {
	t.Helper()
	b := &browser{t, goja.New()}
	stage, err := os.ReadFile("testdata/browser.js")
	require.NoError(t, err)
	_, err = b.vm.RunScript("browser.js", string(stage))
	require.NoError(t, err)
	for _, name := range scripts {
		part, err := page.ReadFile("page/" + name)
		require.NoError(t, err)
		_, err = b.vm.RunScript(name, "\"use strict\";\n"+string(part))
		require.NoError(t, err, name)
	}
	data, err := json.Marshal(doc)
	require.NoError(t, err)
	require.NoError(t, b.vm.Set("text", string(data)))
	require.NoError(t, b.vm.Set("hash", hash))
	b.run(`byId("data").textContent = text; location.hash = hash; var app = start(); var m = app.m; rest();`)
	return b
}

// run evaluates an expression in the page.
func (b *browser) run(code string) any {
	b.t.Helper()
	v, err := b.vm.RunString(code)
	require.NoError(b.t, err, code)
	return v.Export()
}

func (b *browser) text(code string) string {
	b.t.Helper()
	s, ok := b.run(code).(string)
	require.True(b.t, ok, "%s is no text", code)
	return s
}

func (b *browser) number(code string) float64 {
	b.t.Helper()
	switch n := b.run(code).(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	}
	require.Fail(b.t, code+" is no number")
	return 0
}

// sound asks that nothing was drawn at a place that is no number.
func (b *browser) sound() {
	b.t.Helper()
	require.Empty(b.t, b.text(`drawn.bad.slice(0, 5).join("; ")`))
	require.Positive(b.t, b.number(`drawn.calls`))
}

func drawn(t *testing.T, events []check.Event, h *check.History, v *check.Violation) *document {
	t.Helper()
	doc, err := build(strings.TrimPrefix(t.Name(), "Test"), events, h, v)
	require.NoError(t, err)
	return doc
}
