package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/term"
)

// Terminal is what a person sits at.
type Terminal struct {
	io.ReadWriter
	// Raw switches to single keys, and returns what switches back. Nil: it is always so.
	Raw func() (back func(), err error)
	// Size returns columns and lines. Nil: 80 and 24.
	Size func() (width, height int)
}

// SystemTerminal is the terminal of the process.
func SystemTerminal(in, out *os.File) Terminal {
	return Terminal{
		ReadWriter: struct {
			io.Reader
			io.Writer
		}{in, out},
		Raw: func() (func(), error) {
			old, err := term.MakeRaw(int(in.Fd()))
			return func() { _ = term.Restore(int(in.Fd()), old) }, err
		},
		Size: func() (int, int) {
			w, h, err := term.GetSize(int(out.Fd()))
			if err != nil || w < 1 || h < 1 {
				return 80, 24
			}
			return w, h
		},
	}
}

// The keys that the terminal's library would take for the end.
const (
	keyCtrlC     = 3
	keyCtrlE     = 5  // to the end of the line
	keyCtrlU     = 21 // delete to its beginning
	keyTab       = '\t'
	completeMost = 100 // candidates that are shown
)

// keys makes Ctrl-C, while a line is typed, begin a new one.
type keys struct{ io.Reader }

func (k keys) Read(b []byte) (int, error) {
	if len(b) < 2 {
		return k.Reader.Read(b)
	}
	n, err := k.Reader.Read(b[:len(b)/2])
	out := make([]byte, 0, 2*n)
	for _, c := range b[:n] {
		if c == keyCtrlC {
			out = append(out, keyCtrlE, keyCtrlU)
		} else {
			out = append(out, c)
		}
	}
	return copy(b, out), err
}

// RunInteractive executes what a person types until quit or the end of the input. A
// Ctrl-C while a command runs ends the command.
func (s *Shell) RunInteractive(ctx context.Context, t Terminal) int {
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	s.live = true
	s.history = openHistory(s.opt.HistoryFile)
	defer s.Close()
	terminal := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys{t}, t}, "")
	terminal.History = s.history
	terminal.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != keyTab {
			return "", 0, false
		}
		return s.complete(ctx, terminal, line, pos)
	}
	if err := s.connect(ctx, s.opt.Servers); err != nil {
		s.out.warn("%v", err)
		return exitCode(err)
	}
	for {
		line, err := s.readLine(ctx, t, terminal)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				s.out.warn("%v", err)
				return exitNotOK
			}
			_, _ = fmt.Fprintln(s.opt.Out)
			break
		}
		command, stop := signal.NotifyContext(ctx, os.Interrupt)
		err = s.runLine(command, line)
		if command.Err() != nil {
			_, _ = fmt.Fprintln(s.opt.Out) // behind the ^C that the terminal shows
		}
		stop()
		if errors.Is(err, errQuit) || ctx.Err() != nil {
			break
		}
	}
	if err := s.history.err; err != nil {
		s.out.warn("keep the history: %v", err)
	}
	return exitOK
}

// readLine reads a line, and prints events above it while it is typed.
func (s *Shell) readLine(ctx context.Context, t Terminal, terminal *term.Terminal) (string, error) {
	if t.Raw != nil {
		back, err := t.Raw()
		if err != nil {
			return "", err
		}
		defer back()
	}
	if t.Size != nil {
		_ = terminal.SetSize(t.Size())
	}
	prompt := func() { terminal.SetPrompt(s.prompt()) }
	prompt()
	s.out.set(terminal)
	defer s.out.set(nil)
	typed, cancel := context.WithCancel(ctx)
	var printer sync.WaitGroup
	printer.Go(func() {
		for {
			select {
			case <-s.inbox.more:
				prompt() // with the state as it is now
				s.inbox.drain()
				_, _ = terminal.Write(nil)
			case <-typed.Done():
				return
			}
		}
	})
	defer func() { cancel(); printer.Wait() }()
	type answer struct {
		line string
		err  error
	}
	// Nothing ends the reading of a terminal: at the end of ctx it is left behind.
	read := make(chan answer, 1)
	go func() {
		line, err := terminal.ReadLine()
		if errors.Is(err, term.ErrPasteIndicator) {
			err = nil
		}
		read <- answer{line, err}
	}()
	select {
	case a := <-read:
		return a.line, a.err
	case <-ctx.Done():
		return "", io.EOF
	}
}

// prompt is zkCli's: whom the shell talks to, whether it can, and a number for redo.
func (s *Shell) prompt() string {
	state := "CLOSED"
	if s.client != nil {
		st, _ := s.client.State()
		state = st.String()
	}
	return fmt.Sprintf("[zk: %s(%s) %d] ", safe(s.opt.Servers), state, len(s.history.session()))
}

// complete finishes the word before the cursor: commands, options, then paths.
func (s *Shell) complete(ctx context.Context, w io.Writer, line string, pos int) (string, int, bool) {
	head, tail := line[:pos], line[pos:]
	start := strings.LastIndexAny(head, " '\"") + 1
	word := head[start:]
	list := s.candidates(ctx, strings.TrimSpace(head[:start]), word)
	if len(list) == 0 {
		return line, pos, true
	}
	grown := commonPrefix(list)
	if len(list) == 1 && !strings.HasSuffix(grown, "/") {
		grown += " "
	}
	if grown == word {
		shown := list[:min(len(list), completeMost)]
		_, _ = fmt.Fprintln(w, safe(strings.Join(shown, "  ")))
		if more := len(list) - len(shown); more > 0 {
			_, _ = fmt.Fprintf(w, "and %d more\n", more)
		}
	}
	head = head[:start] + grown
	return head + tail, len(head), true
}
