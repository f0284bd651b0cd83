package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/zkclient"
	"github.com/quorate/quorate/sim/zktest"
)

// output is a buffer that a test reads while others write.
type output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 1)} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// wait returns when the text has been written n times.
func (o *output) wait(t *testing.T, text string, n int) {
	t.Helper()
	for ctx := testContext(t); strings.Count(o.String(), text) < n; {
		select {
		case <-o.more:
		case <-ctx.Done():
			require.FailNow(t, "not printed", "%q in %q", text, o.String())
		}
	}
}

// rig is a shell with outputs that a test reads.
type rig struct {
	*Shell
	out, err *output
}

func newRig(servers string, in string) *rig {
	r := &rig{out: newOutput(), err: newOutput()}
	r.Shell = New(Options{Servers: servers, Timeout: testLimit, In: strings.NewReader(in), Out: r.out, Err: r.err})
	return r
}

// client is a session beside the shell's.
func client(t *testing.T, e *zktest.Ensemble) *zkclient.Client {
	c, err := zkclient.Dial(testContext(t), zkclient.Config{Servers: e.ConnectString()})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestRunOnce_ExitCodes(t *testing.T) {
	e := zktest.Start(t, 1)
	for line, code := range map[string]int{"ls /": 0, "ls /nope": 1, "ls": 2, "nonsense": 2, "help": 0, "quit": 0, "diff / /zookeeper": 1, "diff / /": 0} {
		r := newRig(e.ConnectString(), "")
		require.Equal(t, code, r.RunOnce(testContext(t), strings.Fields(line)), "%s: %s", line, r.err)
	}
}

func TestRunOnce_ReadsStandardInput(t *testing.T) {
	e := zktest.Start(t, 1)
	require.Equal(t, exitOK, newRig(e.ConnectString(), "from stdin").RunOnce(testContext(t), []string{"create", "-f", "-", "/x", "world:anyone:r"}))
	r := newRig(e.ConnectString(), "")
	require.Equal(t, exitOK, r.RunOnce(testContext(t), []string{"get", "-f", "-", "/x"}))
	require.Equal(t, "from stdin", r.out.String(), "byte for byte")
}

func TestRunOnce_SaysThatAnEphemeralNodeIsGone(t *testing.T) {
	e := zktest.Start(t, 1)
	r := newRig(e.ConnectString(), "")
	require.Equal(t, exitOK, r.RunOnce(testContext(t), []string{"create", "-e", "/x"}))
	require.Contains(t, r.err.String(), "gone when this command ends")
	require.Equal(t, exitNotOK, newRig(e.ConnectString(), "").RunOnce(testContext(t), []string{"stat", "/x"}))
}

func TestRunOnce_WaitsForItsWatch(t *testing.T) {
	e := zktest.Start(t, 1)
	c := client(t, e)
	ctx := testContext(t)
	_, _, err := c.Create(ctx, "/x", []byte("old"), zkclient.Create{})
	require.NoError(t, err)

	r := newRig(e.ConnectString(), "")
	ended := make(chan int, 1)
	go func() { ended <- r.RunOnce(ctx, []string{"get", "-w", "/x"}) }()
	r.out.wait(t, "old", 1)
	_, err = c.Set(ctx, "/x", []byte("new"), -1)
	require.NoError(t, err)
	require.Equal(t, exitOK, <-ended)
	require.Contains(t, r.out.String(), "WATCHER: NodeDataChanged /x")

	r = newRig(e.ConnectString(), "")
	go func() { ended <- r.RunOnce(ctx, []string{"stat", "-w", "/later"}) }()
	r.err.wait(t, "waiting for it", 1)
	_, _, err = c.Create(ctx, "/later", nil, zkclient.Create{})
	require.NoError(t, err)
	require.Equal(t, exitOK, <-ended)

	// addWatch goes on until it is interrupted.
	stopped, stop := context.WithCancel(ctx)
	r = newRig(e.ConnectString(), "")
	r.opt.JSON = true
	go func() { ended <- r.RunOnce(stopped, []string{"addWatch", "/x"}) }()
	r.out.wait(t, `{"path":"/x"}`, 1)
	for i := range 3 {
		_, err = c.Set(ctx, "/x", fmt.Appendf(nil, "%d", i), -1)
		require.NoError(t, err)
	}
	r.out.wait(t, "NodeDataChanged", 3)
	stop()
	require.Equal(t, exitOK, <-ended)
}

func TestRunOnce_WatchThatFiresAtOnce(t *testing.T) {
	e := zktest.Start(t, 1)
	s := newRig(e.ConnectString(), "").Shell
	defer s.Close()
	require.NoError(t, s.execute(testContext(t), []string{"stat", "-w", "/"}))
	s.inbox.add(zkclient.Event{Type: 3, Path: "/"})
	require.True(t, s.inbox.drain()) // by whoever prints between the reply and the waiting
	require.NoError(t, s.inbox.wait(testContext(t), true))
	require.NoError(t, s.execute(testContext(t), []string{"stat", "-w", "/"}))
	require.False(t, s.inbox.drain(), "that was the one before")
}

func TestRunOnce_NoServer(t *testing.T) {
	r := newRig("127.0.0.1:1", "")
	r.opt.Timeout = 50 * time.Millisecond
	require.Equal(t, exitNotOK, r.RunOnce(testContext(t), []string{"ls", "/"}))
	require.Contains(t, r.err.String(), "there is no connection to a server")
	require.Contains(t, r.err.String(), "refused")
}

func TestRunScript(t *testing.T) {
	e := zktest.Start(t, 1)
	r := newRig(e.ConnectString(), "# a comment\n\ncreate /s 1\nls /nope\nfoo\nget /s\nhistory\nquit\nget /s\n")
	require.Equal(t, exitNotOK, r.RunScript(testContext(t)), "the first failure decides")
	require.Equal(t, "Created /s\n1\n0 - create /s 1\n1 - ls /nope\n2 - foo\n3 - get /s\n", r.out.String())
	require.Equal(t, "Node does not exist: /nope\nCommand not found: foo: help lists all\n", r.err.String())

	r = newRig(e.ConnectString(), "get /s\nls\nget /s\n")
	r.opt.FailFast = true
	require.Equal(t, exitUsage, r.RunScript(testContext(t)))
	require.Equal(t, "1\n", r.out.String())
	require.Contains(t, r.err.String(), "line 2 has failed")

	r = newRig(e.ConnectString(), "get /s\nget -s /nope\n")
	r.opt.JSON = true
	require.Equal(t, exitNotOK, r.RunScript(testContext(t)))
	require.Equal(t, `{"path":"/s","data":"1"}`+"\n", r.out.String())
}

func TestRunScript_ChrootAndAuth(t *testing.T) {
	e := zktest.Start(t, 1)
	r := newRig(e.ConnectString(), "create /app\nconnect "+e.ConnectString()+"/app\ncreate -e /x\ngetEphemerals\nwhoami\nsetquota -n 1 /x\n")
	r.opt.Auth = []zkclient.Auth{{Scheme: "digest", Data: []byte("u:p")}}
	require.Equal(t, exitUsage, r.RunScript(testContext(t)))
	require.Contains(t, r.out.String(), "Created /x\n[/x]\nAuth scheme: User\nip: 127.0.0.1\ndigest: u\n")
	require.Contains(t, r.err.String(), "outside of the chroot /app")
}

func TestWatch_FollowsThroughTheDeathOfAServer(t *testing.T) {
	e := zktest.Start(t, 3)
	c := client(t, e)
	ctx, stop := context.WithCancel(testContext(t))
	defer stop()
	r := newRig(e.ConnectString(), "")
	ended := make(chan int, 1)
	go func() { ended <- r.RunOnce(ctx, []string{"watch", "-f", "/app"}) }()
	r.err.wait(t, "watching /app", 1)
	for _, path := range []string{"/app", "/app/deep", "/other"} {
		_, _, err := c.Create(ctx, path, nil, zkclient.Create{})
		require.NoError(t, err)
	}
	r.out.wait(t, "NodeCreated /app/deep\n", 1)
	require.NotContains(t, r.out.String(), "/other")

	require.NoError(t, e.CutClients(1, 2, 3))
	r.err.wait(t, "connected to", 1)
	// A server may have cut the new connection, too: then one change is missed, and said to be.
	for !strings.Contains(r.out.String(), "NodeDataChanged /app\n") {
		require.NoError(t, ctx.Err(), "%s %s", r.out, r.err)
		if _, err := c.Set(ctx, "/app", []byte("x"), -1); err != nil {
			require.ErrorIs(t, err, zkclient.ErrConnectionLoss)
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	require.Equal(t, exitOK, <-ended)
	require.Contains(t, r.err.String(), "not connected: ")
}

func TestWatch_SaysWhatMayHaveBeenMissed(t *testing.T) {
	e := zktest.Start(t, 1)
	ctx, stop := context.WithCancel(testContext(t))
	defer stop()
	r := newRig(e.ConnectString(), "")
	ended := make(chan int, 1)
	go func() { ended <- r.RunOnce(ctx, []string{"watch", "-f", "/"}) }()
	r.err.wait(t, "watching /", 1)
	require.NoError(t, e.Kill(1))
	require.NoError(t, e.Restart(1)) // an epoch begins: something has happened
	r.out.wait(t, "may have been missed", 1)
	require.Regexp(t, `# events with zxids above 0x1\w+ and up to 0x2\w+ may have been missed`, r.out.String())
	stop()
	require.Equal(t, exitOK, <-ended)
}

func TestWatch_TakesANewSessionWhenTheOldOneHasExpired(t *testing.T) {
	e := zktest.StartConfig(t, zktest.Config{Servers: 1, TickTime: 50 * time.Millisecond})
	c := client(t, e)
	ctx := testContext(t)
	r := newRig(e.ConnectString(), "")
	r.opt.Timeout = 100 * time.Millisecond
	ended := make(chan int, 1)
	go func() { ended <- r.RunOnce(ctx, []string{"watch", "-n", "1", "/"}) }()
	r.err.wait(t, "watching /", 1)
	require.NoError(t, e.Kill(1))
	r.err.wait(t, "not connected", 1)
	time.Sleep(200 * time.Millisecond) // outlives its own requests' patience
	require.NoError(t, e.Restart(1))
	// Whether the session has expired or not: some time the watch is armed again.
	for i := 0; ; i++ {
		_, _, err := c.Create(ctx, fmt.Sprintf("/x%d", i), nil, zkclient.Create{})
		if err != nil {
			require.ErrorIs(t, err, zkclient.ErrConnectionLoss)
		}
		select {
		case code := <-ended:
			require.Equal(t, exitOK, code, r.err)
			require.Contains(t, r.out.String(), "NodeCreated /x")
			return
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			require.FailNow(t, "no event", "%s %s", r.out, r.err)
		}
	}
}

func TestTree_ManyNodes(t *testing.T) {
	e := zktest.Start(t, 1)
	c := client(t, e)
	ctx := testContext(t)
	require.NoError(t, each(ctx, workers, 1, func(context.Context, int) error {
		_, _, err := c.Create(ctx, "/big", nil, zkclient.Create{})
		return err
	}))
	require.NoError(t, each(ctx, workers, 300, func(ctx context.Context, i int) error {
		_, _, err := c.Create(ctx, fmt.Sprintf("/big/n%04d", i), fmt.Appendf(nil, "data %d", i), zkclient.Create{})
		return err
	}))
	file := filepath.Join(t.TempDir(), "big.jsonl")
	r := newRig(e.ConnectString(), fmt.Sprintf("export /big -f %s\nimport %s /copy\ndiff -a /big /copy\nimport %s /copy\ndeleteall /big\nls /\n", file, file, file))
	require.Equal(t, exitOK, r.RunScript(ctx), r.err)
	require.Equal(t, "/copy: 301 created, 0 updated, 0 the same, 0 skipped, 0 conflicts\n/copy: 0 created, 0 updated, 301 the same, 0 skipped, 0 conflicts\n[copy, zookeeper]\n", r.out.String())
}

func TestImport_FilesThatAreNot(t *testing.T) {
	e := zktest.Start(t, 1)
	header := `{"quorateExport":1,"root":"/a"}` + "\n"
	for text, want := range map[string]string{
		"":                                  "- is empty, and so no export",
		"hello\n":                           "line 1: this is no export of version 1",
		`{"quorateExport":2}` + "\n":        "line 1: this is no export of version 1",
		header:                              "line 1: the file is not whole",
		header + "{\n":                      "line 2: ",
		header + `{"path":"x"}`:             `does not begin with /`,
		header + `{"path":"/../x"}`:         "must not have . or ..",
		header + `{"path":"/x","a":1}`:      "unknown field",
		header + `{"path":"/x","data":"?"}`: "illegal base64",
		header + `{"path":"/x","acl":["world:anyone"]}`:                    "is not scheme:id:perm",
		header + `{"path":"/x","ttl":1,"container":true}`:                  "not both",
		header + `{"path":"/x/y","data":null,"acl":[]}` + "\n":             "the parent of /i/x/y is missing",
		header + `{"path":"","data":null}` + "\n" + `{"nodes":1}{}`:        "line 3: ",
		header + `{"path":"","data":null}` + "\n" + `{"nodes":1}`:          "",
		header + `{"path":"","data":null}` + "\n" + `{"nodes":2}`:          "line 3: the last line speaks of 2 nodes, and before it there are 1",
		strings.Repeat(" ", importLineMax+1):                               "a line is longer than 64 MiB",
		header + `{"path":"","data":null}` + "\n" + `{"nodes":1}` + "\n{}": "something behind the last line",
	} {
		r := newRig(e.ConnectString(), text)
		code := r.RunOnce(testContext(t), []string{"import", "-", "/i"})
		if want == "" {
			require.Equal(t, exitOK, code, "%q: %s", text, r.err)
			continue
		}
		require.Equal(t, exitNotOK, code, text)
		require.Contains(t, r.err.String(), want, text)
	}
}

func TestImport_ContainersAndTTL(t *testing.T) {
	e := zktest.Start(t, 1)
	in := `{"quorateExport":1}` + "\n" + `{"path":"","data":null,"container":true}` + "\n" + `{"nodes":1}` + "\n"
	r := newRig(e.ConnectString(), in)
	require.Equal(t, exitOK, r.RunOnce(testContext(t), []string{"import", "-", "/c"}), r.err)
	in = strings.Replace(in, `"container":true`, `"ttl":5000`, 1)
	r = newRig(e.ConnectString(), in)
	// A TTL is asked for: this ensemble does not enable it.
	require.Equal(t, exitNotOK, r.RunOnce(testContext(t), []string{"import", "-", "/t"}))
	require.Contains(t, r.err.String(), "not enabled")
}

func TestExport_LeavesNoFileThatIsNotWhole(t *testing.T) {
	e := zktest.Start(t, 1)
	file := filepath.Join(t.TempDir(), "x")
	require.Equal(t, exitNotOK, newRig(e.ConnectString(), "").RunOnce(testContext(t), []string{"export", "/nope", "-f", file}))
	left, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Empty(t, left)
}

// What no server takes is tried a few times, and then said.
func TestImport_NodeThatIsTooLong(t *testing.T) {
	e := zktest.Start(t, 1)
	long := base64.StdEncoding.EncodeToString(make([]byte, 1<<20))
	in := `{"quorateExport":1}` + "\n" + `{"path":"","data":"` + long + `"}` + "\n" + `{"nodes":1}` + "\n"
	r := newRig(e.ConnectString(), in)
	require.Equal(t, exitNotOK, r.RunOnce(testContext(t), []string{"import", "-", "/i"}))
	require.Contains(t, r.err.String(), "create2 /i: ")
	require.Contains(t, r.err.String(), "more than its jute.maxbuffer")
}

func TestWalk_GoesOnBesideWhatMayNotBeRead(t *testing.T) {
	e := zktest.Start(t, 1)
	script := "create /a\ncreate /a/p x digest:foo:bar:cdrwa\ncreate /a/z\ncreate /a/z/y\n"
	require.Equal(t, exitOK, newRig(e.ConnectString(), script).RunScript(testContext(t)))
	for command, want := range map[string]string{
		"ls -R /a":    "/a\n/a/p\n/a/z\n/a/z/y\n",
		"ls -R -s /a": "/a/p\n/a/z\n",
		"tree /a":     "/a\n├── p  (may not be read)\n└── z\n    └── y\n",
	} {
		r := newRig(e.ConnectString(), "")
		require.Equal(t, exitNotOK, r.RunOnce(testContext(t), strings.Fields(command)), command)
		require.Contains(t, r.out.String(), want, command)
		require.Contains(t, r.err.String(), "1 node may not be read, and what is below is missing: /a/p", command)
	}
	r := newRig(e.ConnectString(), "")
	require.Equal(t, exitNotOK, r.RunOnce(testContext(t), []string{"deleteall", "/a"}))
	require.Equal(t, exitNotOK, newRig(e.ConnectString(), "").RunOnce(testContext(t), []string{"ls", "-R", "/a/p"}))
}

// fullDisk takes no bytes.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, os.ErrInvalid }

func TestRunOnce_OutputThatCannotBeWritten(t *testing.T) {
	e := zktest.Start(t, 1)
	_, err := client(t, e).Set(testContext(t), "/", []byte("x"), -1)
	require.NoError(t, err)
	for _, line := range []string{"ls /", "ls -R /", "tree", "export /", "get -f - /", "help"} {
		r := newRig(e.ConnectString(), "")
		r.Shell = New(Options{Servers: e.ConnectString(), Timeout: testLimit, In: strings.NewReader(""), Out: fullDisk{}, Err: r.err})
		require.Equal(t, exitNotOK, r.RunOnce(testContext(t), strings.Fields(line)), line)
	}
}

func TestWatch_EndsWhenNobodyReadsIt(t *testing.T) {
	e := zktest.Start(t, 1)
	c := client(t, e)
	errs := newOutput()
	s := New(Options{Servers: e.ConnectString(), Timeout: testLimit, In: strings.NewReader(""), Out: fullDisk{}, Err: errs})
	ended := make(chan int, 1)
	go func() { ended <- s.RunOnce(testContext(t), []string{"watch", "/"}) }()
	errs.wait(t, "watching /", 1)
	_, _, err := c.Create(testContext(t), "/x", nil, zkclient.Create{})
	require.NoError(t, err)
	require.Equal(t, exitNotOK, <-ended)
}
