package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/zkclient"
	"github.com/quorate/quorate/sim/zktest"
)

// person types at a shell that has no terminal, and sees what one would show.
type person struct {
	*rig
	t     *testing.T
	keys  *io.PipeWriter
	ended chan int
}

func sitDown(t *testing.T, servers, historyFile string) *person {
	r, w := io.Pipe()
	p := &person{rig: newRig(servers, ""), t: t, keys: w, ended: make(chan int, 1)}
	p.err = p.out // a terminal shows both
	p.Shell = New(Options{Servers: servers, Timeout: testLimit, HistoryFile: historyFile, Out: p.out, Err: p.out})
	go func() {
		p.ended <- p.RunInteractive(testContext(t), Terminal{ReadWriter: struct {
			io.Reader
			io.Writer
		}{r, p.out}})
	}()
	return p
}

func (p *person) types(keys string) {
	_, err := io.WriteString(p.keys, keys)
	require.NoError(p.t, err)
}

// leaves ends the input, and returns the exit code.
func (p *person) leaves() int {
	require.NoError(p.t, p.keys.Close())
	return <-p.ended
}

func TestRunInteractive_PromptAndCommands(t *testing.T) {
	e := zktest.Start(t, 1)
	p := sitDown(t, e.ConnectString(), "")
	p.out.wait(t, "(CONNECTED) 0] ", 1)
	p.types("create /a 1\r")
	p.out.wait(t, "Created /a", 1)
	p.out.wait(t, "(CONNECTED) 1] ", 1)
	p.types("ls /nope\r")
	p.out.wait(t, "Node does not exist: /nope", 1)
	p.types("close\r")
	p.out.wait(t, "(CLOSED)", 1)
	p.types("quit\r")
	require.Equal(t, exitOK, <-p.ended)
}

func TestRunInteractive_EventsComeAboveTheLineThatIsTyped(t *testing.T) {
	e := zktest.Start(t, 1)
	c := client(t, e)
	p := sitDown(t, e.ConnectString(), "")
	p.out.wait(t, "CONNECTED", 1)
	p.types("addWatch /\r")
	p.out.wait(t, "CONNECTED) 1] ", 1)
	p.types("create /typed")
	p.out.wait(t, "create /typed", 1)
	_, _, err := c.Create(testContext(t), "/other", nil, zkclient.Create{})
	require.NoError(t, err)
	p.out.wait(t, "WATCHER: NodeCreated /other", 1)
	p.out.wait(t, "create /typed", 2) // drawn again below the event
	p.types(" x\r")
	p.out.wait(t, "Created /typed", 1)
	_, err = c.Exists(testContext(t), "/typed", false)
	require.NoError(t, err)
	require.Equal(t, exitOK, p.leaves())
}

func TestRunInteractive_ShowsTheStateOfTheConnection(t *testing.T) {
	e := zktest.Start(t, 1)
	p := sitDown(t, e.ConnectString(), "")
	p.out.wait(t, "connected to "+e.ConnectString(), 1)
	require.NoError(t, e.Kill(1))
	p.out.wait(t, "not connected: ", 1)
	p.out.wait(t, "(CONNECTING)", 1)
	require.NoError(t, e.Restart(1))
	p.out.wait(t, "connected to "+e.ConnectString(), 2)
	p.types("ls /\r")
	p.out.wait(t, "[zookeeper]", 1)
	require.Equal(t, exitOK, p.leaves())
}

func TestRunInteractive_Completion(t *testing.T) {
	e := zktest.Start(t, 1)
	c := client(t, e)
	for _, path := range []string{"/alpha", "/alpha/one", "/alpine"} {
		_, _, err := c.Create(testContext(t), path, []byte("data of "+path), zkclient.Create{})
		require.NoError(t, err)
	}
	p := sitDown(t, e.ConnectString(), "")
	p.out.wait(t, "CONNECTED", 1)
	p.types("getAcl /al\t\tha\t\t\r") // /alp, then the list, then /alpha/, then /alpha/one
	p.out.wait(t, "/alpha  /alpine", 1)
	p.out.wait(t, "world:anyone:cdrwa", 1)
	p.types("get /alpi\t\r")
	p.out.wait(t, "data of /alpine", 1)
	p.types("getAllC\t/\r")
	p.out.wait(t, "getAllChildrenNumber /", 1)
	require.Equal(t, exitOK, p.leaves())
}

func TestRunInteractive_History(t *testing.T) {
	e := zktest.Start(t, 1)
	file := filepath.Join(t.TempDir(), "sub", "history")
	p := sitDown(t, e.ConnectString(), file)
	p.out.wait(t, "CONNECTED", 1)
	p.types("create /h first\raddauth digest u:secret\rget /h\r")
	p.out.wait(t, "first\r\n", 1)
	p.types("ls /nonsense\x03quit\r") // Ctrl-C forgets what was typed
	require.Equal(t, exitOK, <-p.ended)
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "create /h first\nget /h\n", string(kept))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	p = sitDown(t, e.ConnectString(), file)
	p.out.wait(t, "CONNECTED", 1)
	p.types("\x1b[A\r") // the key for the line before
	p.out.wait(t, "first", 1)
	p.types("history\r")
	p.out.wait(t, "0 - get /h", 1)
	require.Equal(t, exitOK, p.leaves())
}

func TestCandidates(t *testing.T) {
	s := New(Options{})
	ctx := testContext(t)
	require.Equal(t, []string{"set", "setAcl", "setquota"}, s.candidates(ctx, "", "set"))
	require.Equal(t, []string{"-R", "-s", "-w"}, s.candidates(ctx, "ls", "-"))
	require.Equal(t, []string{"/"}, s.candidates(ctx, "ls -s", ""))
	require.Equal(t, []string{"listquota", "ls"}, s.candidates(ctx, "help", "l"))
	require.Empty(t, s.candidates(ctx, "nonsense", "x"))
	require.Empty(t, s.candidates(ctx, "ls", "/x"), "there is no session")
	require.Equal(t, "/a", commonPrefix([]string{"/ab", "/ac"}))
	require.Equal(t, "/", commonPrefix([]string{"/\u00e4", "/\u00f6"}), "not half a letter")
}

func TestHistory_KeepsTheNewest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "h")
	h := openHistory(file)
	for range historyMax + 5 {
		h.keep("old")
	}
	h.keep("new")
	require.NoError(t, h.err)
	again := openHistory(file)
	require.Equal(t, historyMax, again.Len())
	require.Equal(t, "new", again.At(0))
	require.Empty(t, again.session())
	for range historyMax {
		again.keep("later")
	}
	require.NoError(t, openHistory(file).err)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("later\n", historyMax), string(b), "it has been shortened")
	require.NoError(t, os.Remove(file))
	one, other := openHistory(file), openHistory(file)
	one.keep("one")
	other.keep("other")
	require.Equal(t, []string{"one", "other"}, openHistory(file).lines, "shells at the same time")
	st, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode())
	require.NoError(t, os.WriteFile(file, []byte("good\nbad\x1b[31m\n"), 0o600))
	require.Equal(t, []string{"good"}, openHistory(file).lines)
	require.Equal(t, 0, strings.Count(safe("\x1b[31m"), "\x1b"))
}
