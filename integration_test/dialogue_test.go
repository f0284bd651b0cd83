package integration_test

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
)

// dialogue is a program that is told lines and answers on stdout or stderr.
type dialogue struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when it has ended

	mu   sync.Mutex
	out  strings.Builder
	seen int // how much expect has consumed
}

// Write implements io.Writer for the program's output.
func (d *dialogue) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.Write(p)
}

// converse starts a program. The test's end kills it.
func converse(t *testing.T, name string, args ...string) *dialogue {
	t.Helper()
	d := &dialogue{t: t, cmd: exec.Command(name, args...), done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d, d
	d.cmd.Dir = t.TempDir()
	// A client may be a script that starts another program: both are ended.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	d.cmd.WaitDelay = 5 * time.Second
	var err error
	d.stdin, err = d.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, d.cmd.Start())
	go func() {
		_ = d.cmd.Wait()
		close(d.done)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
		<-d.done
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, d.text())
		}
	})
	return d
}

func (d *dialogue) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out.String()
}

// expect waits for these texts, in this order, behind what was seen before.
func (d *dialogue) expect(texts ...string) {
	d.t.Helper()
	for _, text := range texts {
		eventually(d.t, 20*time.Second, fmt.Sprintf("wait for %q", text), func() error {
			out := d.text()
			if i := strings.Index(out[d.seen:], text); i >= 0 {
				d.seen += i + len(text)
				return nil
			}
			return errors.New("it has not been printed")
		})
	}
}

// say tells a line and expects the answer.
func (d *dialogue) say(line string, texts ...string) {
	d.t.Helper()
	_, err := io.WriteString(d.stdin, line+"\n")
	require.NoError(d.t, err)
	d.expect(texts...)
}

// sayAll tells a line and expects these texts behind it, in any order: a client's
// threads print when they please.
func (d *dialogue) sayAll(line string, texts ...string) {
	d.t.Helper()
	from := d.seen
	_, err := io.WriteString(d.stdin, line+"\n")
	require.NoError(d.t, err)
	end := from
	for _, text := range texts {
		d.seen = from
		d.expect(text)
		end = max(end, d.seen)
	}
	d.seen = end
}

// sayList tells a line whose answer ends with end and contains these texts in
// any order.
func (d *dialogue) sayList(line, end string, texts ...string) {
	d.t.Helper()
	from := d.seen
	d.say(line, end)
	for _, text := range texts {
		require.Contains(d.t, d.text()[from:d.seen], text)
	}
}

// quit tells the last line and waits for the end.
func (d *dialogue) quit(line string) {
	d.t.Helper()
	d.say(line)
	eventually(d.t, 20*time.Second, "the client ends", func() error {
		select {
		case <-d.done:
			return nil
		default:
			return errors.New("it is still running")
		}
	})
}

// program skips the test where one of these files, or commands, is missing.
func program(t *testing.T, pkg string, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("skipped: %s is not installed (Debian: apt-get install %s)", name, pkg)
		}
	}
}

// runToOK runs a script that prints ok at its end.
func runToOK(t *testing.T, name string, args ...string) {
	t.Helper()
	d := converse(t, name, args...)
	eventually(t, time.Minute, "the script ends", func() error {
		select {
		case <-d.done:
			return nil
		default:
			return errors.New("it is still running")
		}
	})
	require.True(t, strings.HasSuffix(strings.TrimSpace(d.text()), "ok"), "the script failed:\n%s", d.text())
}

// hostsOf is a client's connect string for all servers of a cluster.
func hostsOf(c *cluster.Cluster) string { return strings.Join(c.ClientAddrs(), ",") }
