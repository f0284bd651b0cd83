package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

// shell is a suite of scripts for a client's command line.
type shell struct {
	name, about string
	program     string // its path
	install     string // Debian's package
	text        string // the scripts
	file        string // where they come from, for -rewrite
	args        func(hosts string) []string
	ready       string // what it prints once it has a session
	// normalize changes a line so that two runs print the same; empty drops it.
	normalize func(line string) string
	// event says that a line tells of a watch: it may come before or behind the
	// output of the command that fires it, and is kept behind it.
	event func(line string) bool
	// arrange puts lines that come in any order into one; it may change its argument.
	arrange func(lines []string) []string
	// rewrite takes what the program prints for what it should print.
	rewrite bool
	scripts []script // once they are parsed
}

//go:embed testdata/zkcli.txt
var zkCliScripts string

//go:embed testdata/cli_mt.txt
var cliMTScripts string

func zkCli() *shell {
	return &shell{
		name: "zkCli", program: "/usr/share/zookeeper/bin/zkCli.sh", install: "zookeeper",
		about: "Scripts for `zkCli.sh`, the Java client's command line: every command of its help. " +
			"Each is a session of its own; what it prints must be what it prints with ZooKeeper (`testdata/zkcli.txt`), zxids, times and ports aside.",
		text: zkCliScripts, file: "zkcli.txt", ready: "state:SyncConnected",
		args:      func(hosts string) []string { return []string{"-server", hosts} },
		normalize: normalizeJava, arrange: arrangeJava,
		event: func(line string) bool { return strings.HasPrefix(line, "WatchedEvent ") },
	}
}

func cliMT() *shell {
	return &shell{
		name: "cli_mt", program: "/usr/lib/zookeeper/bin/cli_mt", install: "zookeeper-bin",
		about: "Scripts for `cli_mt`, the C client's command line, in the same manner (`testdata/cli_mt.txt`). " +
			"The C client's own tests are not packaged; they need its source and are not run.",
		text: cliMTScripts, file: "cli_mt.txt", ready: "state = CONNECTED_STATE",
		args:      func(hosts string) []string { return []string{"-h", hosts} },
		normalize: normalizeC, arrange: arrangeC,
		event: func(line string) bool { return strings.HasPrefix(line, "Watcher ") },
	}
}

func (h *shell) Name() string  { return h.name }
func (h *shell) About() string { return h.about }

// Slow are scripts that are more about the command line than about the server.
func (h *shell) Slow(test string) bool {
	return slices.Contains([]string{"history and redo", "usage", "printwatches", "bad paths", "setAcl -R", "ls", "addWatch", "hard quotas",
		"create with data of several kinds", "an auth scheme that nobody knows", "create -s -e", "delete and deleteall"}, test)
}

func (h *shell) Missing() error {
	if _, err := os.Stat(h.program); err != nil {
		return fmt.Errorf("%s is not there (Debian: apt-get install %s)", h.program, h.install)
	}
	return nil
}

func (h *shell) Client() string { return h.install + " " + packageVersion(h.install) }

func (h *shell) Tests(context.Context) ([]string, error) {
	if h.scripts == nil {
		var err error
		if h.scripts, err = parseScripts(h.text); err != nil {
			return nil, fmt.Errorf("%s: %w", h.file, err)
		}
	}
	var names []string
	for _, s := range h.scripts {
		names = append(names, s.name)
	}
	return names, nil
}

func (h *shell) Run(ctx context.Context, s *stage, tests []string, rec *recorder) error {
	c, stop, err := s.startCluster(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for i := range h.scripts {
		sc := &h.scripts[i]
		if !slices.Contains(tests, sc.name) {
			continue
		}
		if err := clean(ctx, c.ClientAddrs()); err != nil {
			return err
		}
		rec.begin(sc.name)
		reason, err := h.play(ctx, s, sc, strings.Join(c.ClientAddrs(), ","))
		switch {
		case err != nil:
			return err
		case reason != "":
			rec.end(sc.name, Fail, reason)
		default:
			rec.end(sc.name, Pass, "")
		}
	}
	if h.rewrite {
		return os.WriteFile(filepath.Join("integration_test/compat/testdata", h.file), []byte(format(h.scripts)), 0o644)
	}
	return nil
}

// The times of a dialogue.
const (
	shellStart   = time.Minute
	shellAnswer  = 15 * time.Second
	shellQuiet   = 200 * time.Millisecond // silence that ends an answer that is right
	shellRewrite = 600 * time.Millisecond
)

// play runs one script and returns what is wrong with it.
func (h *shell) play(ctx context.Context, s *stage, sc *script, hosts string) (string, error) {
	env := []string{"CLIENT_JVMFLAGS=" + heap + " -Dzookeeper.log.dir=" + s.dir}
	p, err := start(s.dir, env, h.program, h.args(hosts)...)
	if err != nil {
		return "", err
	}
	defer p.end()
	for deadline := time.Now().Add(shellStart); ; {
		line, err := p.next(ctx, deadline)
		if errors.Is(err, io.EOF) || errors.Is(err, errSilent) {
			return "it gets no session", nil
		}
		if err != nil {
			return "", err
		}
		if strings.Contains(line, h.ready) {
			break
		}
	}
	if _, err := h.answer(ctx, p, nil); err != nil { // what else it prints at its start
		return "", err
	}
	for i := range sc.steps {
		st := &sc.steps[i]
		if st.command == "" {
			continue
		}
		if _, err := io.WriteString(p.stdin, strings.ReplaceAll(st.command, "$HOSTS", hosts)+"\n"); err != nil {
			return fmt.Sprintf("> %s: %v", st.command, err), nil
		}
		got, err := h.answer(ctx, p, st.want)
		if err != nil {
			return "", err
		}
		if h.rewrite {
			st.want = got
		} else if d := difference(st.want, got); d != "" {
			return fmt.Sprintf("> %s: %s", st.command, d), nil
		}
	}
	return "", nil
}

// answer reads until the output is what it should be and nothing follows, or
// until there has been time enough.
func (h *shell) answer(ctx context.Context, p *program, want []string) ([]string, error) {
	var lines, events []string
	deadline := time.Now().Add(shellAnswer)
	quiet := shellQuiet
	if h.rewrite {
		quiet = shellRewrite
	}
	for {
		line, err := p.next(ctx, time.Now().Add(quiet))
		got := append(h.arrange(slices.Clone(lines)), events...)
		switch {
		case errors.Is(err, io.EOF):
			return got, nil
		case errors.Is(err, errSilent):
			if h.rewrite || difference(want, got) == "" || time.Now().After(deadline) {
				return got, nil
			}
			continue
		case err != nil:
			return nil, err
		}
		line = h.normalize(line)
		switch {
		case line == "":
		case h.event(line):
			events = append(events, line)
		default:
			lines = append(lines, line)
		}
	}
}

// clean deletes all that a script may have left.
func clean(ctx context.Context, addrs []string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("nodes of an earlier script cannot be deleted"))
	defer cancel()
	conn, _, err := zk.Connect(addrs, 10*time.Second, zk.WithLogInfo(false), zk.WithLogger(silent{}))
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		err := conn.AddAuth("digest", []byte("super:test"))
		if err == nil {
			if _, err = conn.Sync("/"); err == nil {
				err = errors.Join(empty(conn, "/"), empty(conn, "/zookeeper/quota"))
			}
		}
		if err == nil {
			return nil
		}
		if sleep(ctx, 100*time.Millisecond); ctx.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// empty deletes the children of a node, but never /zookeeper.
func empty(conn *zk.Conn, parent string) error {
	names, _, err := conn.Children(parent)
	if err != nil {
		return err
	}
	for _, name := range names {
		child := path.Join(parent, name)
		if child == "/zookeeper" {
			continue
		}
		if err := empty(conn, child); err != nil && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		if err := conn.Delete(child, -1); err != nil && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
	}
	return nil
}

var (
	javaNoise     = regexp.MustCompile(`^(SLF4J: |Connecting to |Welcome to |JLine |WATCHER::$|WatchedEvent state:\w+ type:None )`)
	javaDate      = regexp.MustCompile(`\b[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d [A-Z]+ \d{4}\b`)
	longHex       = regexp.MustCompile(`\b0x[0-9a-f]{5,}\b`)
	port          = regexp.MustCompile(`:\d{4,5}\b`)
	javaList      = regexp.MustCompile(`^\[[^\[\]]*, [^\[\]]*\]$`)
	configVersion = regexp.MustCompile(`^version=[0-9a-f]{9,}$`)
	cliVersion    = regexp.MustCompile(`^ZooKeeper CLI version: .*`)
)

func normalizeJava(line string) string {
	line = strings.TrimRight(line, " \t")
	if javaNoise.MatchString(line) {
		return ""
	}
	line = javaDate.ReplaceAllString(line, "DATE")
	line = longHex.ReplaceAllString(line, "0xN")
	line = normalizeMember(line)
	line = cliVersion.ReplaceAllString(line, "ZooKeeper CLI version: V")
	if javaList.MatchString(line) { // a set in any order
		names := strings.Split(line[1:len(line)-1], ", ")
		slices.Sort(names)
		line = "[" + strings.Join(names, ", ") + "]"
	}
	return line
}

// arrangeJava sorts the identities that whoami prints.
func arrangeJava(lines []string) []string {
	if len(lines) > 0 && lines[0] == "Auth scheme: User" {
		slices.Sort(lines[1:])
	}
	return lines
}

// normalizeMember takes the ports out of a line of the configuration, and the
// version if it is not that of a new ensemble.
func normalizeMember(line string) string {
	line = port.ReplaceAllString(line, ":PORT")
	if strings.HasPrefix(line, "version=") && line != "version=100000000" {
		line = configVersion.ReplaceAllString(line, "version=N")
	}
	return line
}

var (
	cNoise = regexp.MustCompile(`ZOO_(ERROR|WARN|INFO|DEBUG)@|^Watcher SESSION_EVENT|^Got a new session id|^time = \d+ msec|^\[zk: |^Completion for .* time = `)
	cTime  = regexp.MustCompile(`\b(ctime|mtime) ?= ?.*`)
	cHex   = regexp.MustCompile(`\b(czxid|mzxid|pzxid|ephemeralOwner) ?= ?([1-9a-f][0-9a-f]{4,}|0x[0-9a-f]{5,})\b`)
)

func normalizeC(line string) string {
	line = strings.TrimRight(line, " \t")
	if cNoise.MatchString(line) {
		return ""
	}
	line = normalizeMember(line)
	line = cTime.ReplaceAllString(line, "$1=TIME")
	return cHex.ReplaceAllString(line, "$1=N")
}

var cChild = regexp.MustCompile(`^\t[^=\s]+$`)

// arrangeC sorts the children that ls prints, each on a line.
func arrangeC(lines []string) []string {
	for i := 0; i < len(lines); {
		n := i
		for n < len(lines) && cChild.MatchString(lines[n]) {
			n++
		}
		slices.Sort(lines[i:n])
		i = max(n, i+1)
	}
	return lines
}
