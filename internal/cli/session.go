package cli

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/zkclient"
)

const (
	groupSession = "Session"
	groupShell   = "Shell"
)

var sessionCommands = []*command{
	{name: "sync", group: groupSession, params: "[path]", short: "Wait until the server has caught up with its leader",
		example: "sync /", paramsMax: 1, paths: 1, run: runSync},
	{name: "connect", group: groupSession, params: "[host:port,…]", short: "Open another session, here or elsewhere",
		example: "connect zk1:2181,zk2:2181\nconnect zk1:2181/app    # paths begin at /app", paramsMax: 1, offline: true, run: runConnect},
	{name: "close", group: groupSession, short: "End the session", example: "close", offline: true, run: runClose},
}

// shellCommands is a function because help lists the table that it is in.
func shellCommands() []*command {
	return []*command{
		{name: "history", group: groupShell, short: "Print the last commands, with numbers", example: "history", offline: true, run: runHistory},
		{name: "redo", group: groupShell, params: "number", short: "Execute a command of the history again", example: "redo 3", paramsMin: 1, paramsMax: 1, offline: true, run: runRedo},
		{name: "version", group: groupShell, short: "Print the version of this program", example: "version", offline: true, run: runVersion},
		{name: "help", group: groupShell, params: "[command]", short: "List the commands, or explain one", example: "help\nhelp ls", paramsMax: 1, offline: true, run: runHelp},
		{name: "quit", group: groupShell, short: "End the shell and its session", example: "quit", offline: true, run: runQuit},
	}
}

func runSync(ctx context.Context, s *Shell, a *args) (result, error) {
	path := "/"
	if len(a.params) > 0 {
		path = a.params[0]
	}
	if err := s.client.Sync(ctx, path); err != nil {
		return nil, err
	}
	return message{"Sync is OK"}, nil
}

// connection is the result of connect.
type connection struct {
	Server  string `json:"server"`
	Session string `json:"session"`
	Timeout int64  `json:"timeoutMillis"`
}

func (c connection) text(w io.Writer) {
	_, _ = fmt.Fprintf(w, "Connected to %s, session %s, timeout %d ms\n", c.Server, c.Session, c.Timeout)
}

func runConnect(ctx context.Context, s *Shell, a *args) (result, error) {
	servers := s.opt.Servers
	if len(a.params) > 0 {
		servers = a.params[0]
	}
	if err := s.connect(ctx, servers); err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeoutCause(ctx, s.opt.Timeout, zkclient.ErrNoConnection)
	defer cancel()
	if err := s.client.WaitConnected(wait); err != nil {
		return nil, failure(fmt.Sprintf("connect to %s: %s", safe(servers), safe(err.Error())))
	}
	_, server := s.client.State()
	return connection{server, zxid(s.client.SessionID()).String(), s.client.SessionTimeout().Milliseconds()}, nil
}

func runClose(_ context.Context, s *Shell, _ *args) (result, error) {
	if s.client != nil {
		s.client.Close()
	}
	return done{}, nil
}

// recent is the result of history.
type recent struct {
	Commands []numbered `json:"commands"`
}

type numbered struct {
	Number  int    `json:"number"`
	Command string `json:"command"`
}

func (r recent) text(w io.Writer) {
	for _, c := range r.Commands {
		_, _ = fmt.Fprintf(w, "%d - %s\n", c.Number, safe(c.Command))
	}
}

// historyShown is how many commands history prints, as zkCli does.
const historyShown = 11

func runHistory(_ context.Context, s *Shell, _ *args) (result, error) {
	r := recent{Commands: []numbered{}}
	list := s.history.session()
	for i := max(len(list)-historyShown, 0); i < len(list); i++ {
		r.Commands = append(r.Commands, numbered{i, list[i]})
	}
	return r, nil
}

func runRedo(ctx context.Context, s *Shell, a *args) (result, error) {
	list := s.history.session()
	n, err := strconv.Atoi(a.params[0])
	if err != nil || n < 0 || n >= len(list) {
		return nil, a.wrong("%q is no number of the history", safe(a.params[0]))
	}
	words, err := splitLine(list[n])
	if err != nil || len(words) == 0 || find(words[0]) == a.cmd || strings.EqualFold(words[0], "redo") {
		return nil, a.wrong("%q cannot be done again", safe(list[n]))
	}
	_, res, err := s.evaluate(ctx, words)
	return res, err
}

// versionInfo is the result of version.
type versionInfo struct {
	Version string `json:"version"`
	Go      string `json:"go"`
}

func (v versionInfo) text(w io.Writer) {
	_, _ = fmt.Fprintf(w, "quorate cli %s (%s)\n", v.Version, v.Go)
}

func runVersion(_ context.Context, s *Shell, _ *args) (result, error) {
	return versionInfo{s.opt.Version, runtime.Version()}, nil
}

// helpText is the result of help.
type helpText struct {
	Help string `json:"help"`
}

func (h helpText) text(w io.Writer) { _, _ = io.WriteString(w, h.Help) }

func runHelp(_ context.Context, _ *Shell, a *args) (result, error) {
	if len(a.params) == 0 {
		return helpText{Overview() + "\nhelp COMMAND explains one. Words with blanks go in quotes.\n"}, nil
	}
	c := find(a.params[0])
	if c == nil {
		return nil, unknown(a.params[0])
	}
	var b strings.Builder
	c.printHelp(&b)
	return helpText{b.String()}, nil
}

func runQuit(context.Context, *Shell, *args) (result, error) { return nil, errQuit }

// secret says that a line is not to be kept.
func secret(words []string) bool {
	return len(words) > 0 && slices.ContainsFunc([]string{"addauth"}, func(s string) bool { return strings.EqualFold(s, words[0]) })
}
