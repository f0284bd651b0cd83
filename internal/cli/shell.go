package cli

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/zkclient"
)

// Options say whom a Shell talks to, and where it reads and writes.
type Options struct {
	// Servers is the connect string, host:port,host:port/chroot.
	Servers string
	// Timeout is the session timeout, and how long a command waits for a server.
	Timeout time.Duration
	// ReadOnly accepts a server without a quorum.
	ReadOnly bool
	// Auth are identities to begin with.
	Auth []zkclient.Auth
	// SASL, if not nil, is who the shell is to servers that ask for a password.
	SASL *zkclient.SASL
	// TLS, if not nil, is the configuration of connections.
	TLS *tls.Config

	// JSON prints each result as one line of JSON.
	JSON bool
	// FailFast ends a script at the first line that fails.
	FailFast bool
	// HistoryFile keeps the lines of interactive shells; empty: none does.
	HistoryFile string
	// Version is the program's, for the command version.
	Version string

	In       io.Reader
	Out, Err io.Writer
}

// Shell executes commands. Its methods are for one goroutine.
type Shell struct {
	opt     Options
	client  *zkclient.Client // nil: closed
	out     *screen
	inbox   *inbox
	stdin   bool // commands may read In: it has no commands
	live    bool // a person types
	history *history
	// watches says that the events of watches are printed.
	watches bool
	// armed says that the last command has armed a watch, and once that it is one-shot:
	// whoever runs a single command waits for its event.
	armed, once bool
}

// New returns a Shell without a session; the first command that needs one opens it.
// The caller closes it.
func New(opt Options) *Shell {
	s := &Shell{opt: opt, out: &screen{out: opt.Out, err: opt.Err}, watches: true, history: &history{}}
	s.inbox = newInbox(s)
	return s
}

// Close ends the session.
func (s *Shell) Close() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
	s.inbox.drain()
}

// RunOnce executes one command and returns the exit code. If it arms a one-shot watch
// it goes on until the watch fires; behind addWatch it prints events until ctx ends.
func (s *Shell) RunOnce(ctx context.Context, words []string) int {
	s.stdin = true
	defer s.Close()
	err := s.execute(ctx, words)
	if err == nil && s.armed {
		err = s.inbox.wait(ctx, s.once)
	}
	return exitCode(err)
}

// execute runs one command and prints its result or what is wrong with it.
func (s *Shell) execute(ctx context.Context, words []string) error {
	cmd, res, err := s.evaluate(ctx, words)
	s.inbox.drain() // what was seen before the reply stands before the result
	if err == nil && res != nil {
		err = s.out.print(func(w io.Writer) error { return printResult(w, res, s.opt.JSON) })
	}
	switch {
	case err == nil, errors.Is(err, errQuit), errors.Is(err, errSilent):
	case errors.Is(err, errHelp):
		err = s.out.print(func(w io.Writer) error { cmd.printHelp(w); return nil })
	default:
		var usage usageError
		text := describe(err)
		if errors.As(err, &usage) {
			text = usage.text
		}
		s.out.warn("%s", text)
	}
	return err
}

func (s *Shell) evaluate(ctx context.Context, words []string) (*command, result, error) {
	s.armed, s.once = false, true
	s.inbox.begin()
	cmd := find(words[0])
	if cmd == nil {
		return nil, nil, unknown(words[0])
	}
	a, err := parseArgs(cmd, words[1:])
	if err != nil {
		return cmd, nil, err
	}
	if !cmd.offline && s.client == nil {
		if err := s.connect(ctx, s.opt.Servers); err != nil {
			return cmd, nil, err
		}
	}
	res, err := cmd.run(ctx, s, a)
	return cmd, res, err
}

// config is that of a client of these servers.
func (s *Shell) config(servers string) zkclient.Config {
	return zkclient.Config{Servers: servers, SessionTimeout: s.opt.Timeout, ConnectWait: s.opt.Timeout,
		ReadOnly: s.opt.ReadOnly, Auth: s.opt.Auth, SASL: s.opt.SASL, TLS: s.opt.TLS}
}

// connect opens a session in place of the present one, and does not wait for it.
func (s *Shell) connect(_ context.Context, servers string) error {
	if _, _, err := zkclient.ParseConnectString(servers); err != nil {
		return usageError{safe(err.Error())}
	}
	s.Close()
	cfg := s.config(servers)
	cfg.OnEvent = s.inbox.add
	client, err := zkclient.Open(cfg)
	if err != nil {
		return err
	}
	s.client, s.opt.Servers = client, servers
	return nil
}

// note tells a person something about a result.
func (s *Shell) note(format string, values ...any) { s.out.warn("note: "+format, values...) }

// screen is what is printed on: standard output and standard error, or above the line
// that is being typed.
type screen struct {
	mu       sync.Mutex
	out, err io.Writer
	above    io.Writer // while a line is being typed
}

// print calls f with standard output, and nobody else prints meanwhile.
func (c *screen) print(f func(io.Writer) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := bufio.NewWriter(c.out)
	if c.above != nil {
		w.Reset(c.above)
	}
	if err := f(w); err != nil {
		return err
	}
	return w.Flush() // has the error of any write
}

// warn prints a line on standard error. Values must be safe to print.
func (c *screen) warn(format string, values ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.err
	if c.above != nil {
		w = c.above
	}
	_, _ = fmt.Fprintf(w, format+"\n", values...)
}

// set makes w what is printed on, or with nil the outputs again.
func (c *screen) set(above io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.above = above
}
