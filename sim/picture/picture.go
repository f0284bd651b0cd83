package picture

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/quorate/quorate/sim/check"
)

//go:embed page
var page embed.FS

// scripts are the parts of the page's program, in the order in which they need
// one another. Those before paint.js know no browser.
var scripts = []string{
	"data.js", "state.js", "scale.js", "link.js", "words.js", "relate.js", "layout.js",
	"paint.js", "signs.js", "lanes.js", "traffic.js", "marks.js", "clients.js", "overview.js",
	"pick.js", "panel.js", "filter.js", "input.js", "main.js",
}

// Write draws a run as one HTML file that needs nothing else, not even a network.
// The events may come in any order; h and v may be nil. Nothing is kept or
// changed. The errors are those of w, and events before the beginning of time.
func Write(w io.Writer, title string, events []check.Event, h *check.History, v *check.Violation) error {
	doc, err := build(title, events, h, v)
	if err != nil {
		return err
	}
	// Escaped as encoding/json does it by itself, no string of the run can end
	// the element that it stands in.
	data, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("picture: encode the run: %w", err)
	}
	frame, err := page.ReadFile("page/index.html")
	if err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	style, err := page.ReadFile("page/style.css")
	if err != nil {
		return fmt.Errorf("picture: %w", err)
	}
	program, err := program(scripts)
	if err != nil {
		return err
	}
	parts := map[string]string{
		"title": html.EscapeString(strings.ToValidUTF8(title, "\uFFFD")),
		"policy": "default-src 'none'; img-src data:; style-src 'sha256-" + digest(string(style)) +
			"'; script-src 'sha256-" + digest(program) + "'",
		"style": string(style), "data": string(data), "program": program,
	}
	out := bufio.NewWriter(w)
	if err := fill(out, string(frame), parts); err != nil {
		return fmt.Errorf("picture: write the page: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("picture: write the page: %w", err)
	}
	return nil
}

// program joins parts of the page's program into one function, so that it leaves
// no names behind.
func program(names []string) (string, error) {
	var b strings.Builder
	b.WriteString("(() => {\n\"use strict\";\n")
	for _, name := range names {
		part, err := page.ReadFile("page/" + name)
		if err != nil {
			return "", fmt.Errorf("picture: %w", err)
		}
		b.Write(part)
	}
	b.WriteString("start();\n})();\n")
	return b.String(), nil
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// fill writes the frame with {{name}} replaced. What is put in is not looked at
// again.
func fill(w io.Writer, frame string, parts map[string]string) error {
	for {
		before, rest, found := strings.Cut(frame, "{{")
		if _, err := io.WriteString(w, before); err != nil || !found {
			return err
		}
		name, after, closed := strings.Cut(rest, "}}")
		part, known := parts[name]
		if !closed || !known {
			return fmt.Errorf("the frame has no end or no meaning of {{%.20s", rest)
		}
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
		frame = after
	}
}
