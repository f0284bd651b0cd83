package cli

import (
	"os"
	"path/filepath"
	"strings"
)

// historyMax is how many lines are kept.
const historyMax = 1000

// history has the lines that were typed: those of earlier shells, from a file, and
// those of this one. It is the History of a term.Terminal, to which the newest is 0.
type history struct {
	file   string // empty: none
	lines  []string
	before int // how many of the lines are of earlier shells
}

// openHistory reads the file, if it is there.
func openHistory(file string) *history {
	h := &history{file: file}
	if file == "" {
		return h
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return h
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimRight(line, "\n"); line != "" && printable(line, "\t") {
			h.lines = append(h.lines, line)
		}
	}
	if len(h.lines) > historyMax {
		h.lines = h.lines[len(h.lines)-historyMax:]
	}
	h.before = len(h.lines)
	return h
}

// Len is the number of lines.
func (h *history) Len() int { return len(h.lines) }

// At returns a line; 0 is the newest.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

// Add does nothing: whoever executes a line decides whether it is kept.
func (h *history) Add(string) {}

// keep adds a line.
func (h *history) keep(line string) { h.lines = append(h.lines, line) }

// session returns the lines of this shell.
func (h *history) session() []string { return h.lines[h.before:] }

// save writes the file. Only its owner may read it.
func (h *history) save() error {
	if h.file == "" || len(h.session()) == 0 {
		return nil
	}
	lines := h.lines[max(len(h.lines)-historyMax, 0):]
	if err := os.MkdirAll(filepath.Dir(h.file), 0o700); err != nil {
		return err
	}
	tmp := h.file + ".new"
	if err := os.WriteFile(tmp, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, h.file)
}
