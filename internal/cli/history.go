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
	err    error  // why no more lines are written
	lines  []string
	before int // how many of the lines are of earlier shells
}

// openHistory reads the file, if it is there, and shortens it if it has twice as many
// lines as are kept.
func openHistory(file string) *history {
	h := &history{file: file}
	if file == "" {
		return h
	}
	if st, err := os.Stat(file); err != nil || !st.Mode().IsRegular() {
		return h // a device may have no end
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
	long := len(h.lines) > 2*historyMax
	h.lines = h.lines[max(len(h.lines)-historyMax, 0):]
	h.before = len(h.lines)
	if long {
		h.err = h.trim()
	}
	return h
}

// Len is the number of lines.
func (h *history) Len() int { return len(h.lines) }

// At returns a line; 0 is the newest.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

// Add does nothing: whoever executes a line decides whether it is kept.
func (h *history) Add(string) {}

// keep adds a line, and appends it to the file: several shells may share one.
func (h *history) keep(line string) {
	h.lines = append(h.lines, line)
	if h.file != "" && h.err == nil {
		h.err = h.append(line)
	}
}

// append writes a line behind the file. Only its owner may read a new one.
func (h *history) append(line string) error {
	if err := os.MkdirAll(filepath.Dir(h.file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(h.file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// session returns the lines of this shell.
func (h *history) session() []string { return h.lines[h.before:] }

// trim makes a file shorter that has become long.
func (h *history) trim() error {
	f, err := createWhole(h.file, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(h.lines, "\n") + "\n")
	return f.finish(err)
}
