package integration_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
)

// startLocal runs quorate local in a process group of its own and returns it
// with the addresses of its ready line and the time until that.
func startLocal(t *testing.T, args ...string) (*dialogue, []string, time.Duration) {
	t.Helper()
	onlyQuorate(t)
	d := &dialogue{t: t, cmd: exec.Command(quorateBinary, append([]string{"local"}, args...)...), done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d, d
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	d.cmd.Dir = t.TempDir()
	started := time.Now()
	require.NoError(t, d.cmd.Start())
	go func() {
		_ = d.cmd.Wait()
		close(d.done)
	}()
	t.Cleanup(func() {
		children := treeOf(d.cmd.Process.Pid)
		_ = d.cmd.Process.Kill()
		<-d.done
		for _, pid := range children {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if t.Failed() {
			t.Logf("quorate local printed:\n%s", d.text())
		}
	})
	d.expect("ready: ")
	took := time.Since(started)
	d.expect("\n")
	for line := range strings.Lines(d.text()) {
		if list, ok := strings.CutPrefix(line, "ready: "); ok {
			return d, strings.Split(strings.TrimSpace(list), ","), took
		}
	}
	t.Fatalf("no line begins with \"ready: \":\n%s", d.text())
	return nil, nil, 0
}

// interrupt presses Ctrl-C: the terminal sends SIGINT to the whole group. The
// command must end with 0, and leave no process and no listening port.
func interrupt(t *testing.T, d *dialogue) {
	t.Helper()
	pids := treeOf(d.cmd.Process.Pid)
	if len(pids) == 0 {
		t.Skip("skipped: there is no /proc here to look for processes in")
	}
	ports := listening(t, pids)
	assert.NotEmpty(t, ports, "a running quorum listens somewhere")
	pressed := time.Now()
	require.NoError(t, syscall.Kill(-d.cmd.Process.Pid, syscall.SIGINT))
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case <-d.done:
	case <-timer.C:
		t.Fatal("quorate local still runs 10 s after Ctrl-C")
	}
	t.Logf("Ctrl-C: %d processes with %d listening ports ended in %v", len(pids), len(ports), time.Since(pressed).Round(time.Millisecond))
	assert.Equal(t, 0, d.cmd.ProcessState.ExitCode(), "the exit code after Ctrl-C")
	for _, pid := range pids {
		assert.Error(t, syscall.Kill(pid, 0), "process %d is left", pid)
	}
	for _, port := range ports {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
		if err == nil {
			conn.Close()
			t.Errorf("somebody still listens on port %d", port)
		}
	}
}

func localArgs(t *testing.T, servers int, more ...string) []string {
	t.Helper()
	ports, err := cluster.FreePorts(servers)
	require.NoError(t, err)
	return append([]string{"--servers", strconv.Itoa(servers), "--client-port", strconv.Itoa(ports[0]), "--dir", t.TempDir()}, more...)
}

func TestLocal_ReadyServesAndEnds(t *testing.T) {
	d, addrs, took := startLocal(t, localArgs(t, 3)...)
	t.Logf("ready after %v: %v", took.Round(time.Millisecond), addrs)
	assert.Less(t, took, 3*time.Second)
	require.Len(t, addrs, 3)
	tryGoZooKeeper(t, addrs)
	interrupt(t, d)
}

// One line for each server stands before the ready line.
func TestLocal_WithObserverInATemporaryDirectory(t *testing.T) {
	ports, err := cluster.FreePorts(4)
	require.NoError(t, err)
	d, addrs, took := startLocal(t, "--observers", "1", "--client-port", strconv.Itoa(ports[0]))
	t.Logf("ready after %v: %v", took.Round(time.Millisecond), addrs)
	require.Len(t, addrs, 4)
	modes := map[string]int{}
	for _, addr := range addrs {
		s := &cluster.Server{ClientPort: portOf(t, addr)}
		mode, err := s.Mode()
		require.NoError(t, err)
		modes[mode]++
	}
	assert.Equal(t, map[string]int{"leader": 1, "follower": 2, "observer": 1}, modes)
	before, _, _ := strings.Cut(d.text(), "ready: ")
	for _, addr := range addrs {
		assert.Contains(t, before, addr[strings.LastIndexByte(addr, ':'):], "no line for the server at %s", addr)
	}
	interrupt(t, d)
}

func TestLocal_ProcessesAreRealTargets(t *testing.T) {
	args := localArgs(t, 3, "--processes")
	d, addrs, took := startLocal(t, args...)
	t.Logf("ready after %v: %v", took.Round(time.Millisecond), addrs)
	tryGoZooKeeper(t, addrs)
	dir := args[slices.Index(args, "--dir")+1]
	leader := -1
	for i, addr := range addrs {
		pid := pidOf(t, dir, i+1)
		assert.NotEqual(t, d.cmd.Process.Pid, pid, "the server runs in the parent")
		if mode, err := (&cluster.Server{ClientPort: portOf(t, addr)}).Mode(); err == nil && mode == "leader" {
			leader = i
		}
	}
	require.GreaterOrEqual(t, leader, 0, "no server leads")
	killed := time.Now()
	require.NoError(t, syscall.Kill(pidOf(t, dir, leader+1), syscall.SIGKILL))
	rest := addrs[(leader+1)%3]
	eventually(t, servingTimeout, "the others go on", func() error {
		conn, err := wire.Dial(rest, 2*time.Second)
		if err != nil {
			return err
		}
		defer conn.Drop()
		return existing(conn.Create("/after", nil))
	})
	t.Logf("leader's process killed: a new session wrote after %v", time.Since(killed).Round(time.Millisecond))
	interrupt(t, d)
}

// The data outlives the command when --dir is given.
func TestLocal_DirectoryKeepsTheData(t *testing.T) {
	args := localArgs(t, 3)
	d, addrs, _ := startLocal(t, args...)
	require.NoError(t, dial(t, addrs[0]).Create("/kept", []byte("data")))
	interrupt(t, d)
	d, addrs, _ = startLocal(t, args...)
	conn := dial(t, addrs[1])
	require.NoError(t, conn.Sync("/"))
	data, _, err := conn.Get("/kept")
	require.NoError(t, err)
	assert.Equal(t, "data", string(data))
	interrupt(t, d)
}

// A second one must not take, nor change, what belongs to the first.
func TestLocal_LeavesARunningOneAlone(t *testing.T) {
	args := localArgs(t, 3, "--processes")
	d, addrs, _ := startLocal(t, args...)
	dir := args[slices.Index(args, "--dir")+1]
	config, err := os.ReadFile(filepath.Join(dir, "server-1", "zoo.cfg"))
	require.NoError(t, err)
	port := strconv.Itoa(portOf(t, addrs[0]))
	for _, c := range []struct {
		args []string
		want string
	}{
		{args, "another quorate local runs there"},
		{[]string{"--processes", "--client-port", port}, "another --client-port helps"},
		{[]string{"--client-port", port}, "another --client-port helps"},
	} {
		out, err := exec.Command(quorateBinary, append([]string{"local"}, c.args...)...).CombinedOutput()
		require.Error(t, err, "%v is ready on the ports of another:\n%s", c.args, out)
		assert.Contains(t, string(out), c.want)
		assert.NotContains(t, string(out), "ready: ")
	}
	after, err := os.ReadFile(filepath.Join(dir, "server-1", "zoo.cfg"))
	require.NoError(t, err)
	assert.Equal(t, string(config), string(after), "the files of the running ensemble have changed")
	interrupt(t, d)
	out, err := exec.Command(quorateBinary, "local", "--dir", dir, "--servers", "5", "--client-port", port).CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "holds an ensemble of 3 servers")
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return n
}

// pidOf reads DIR/server-N/pid.
func pidOf(t *testing.T, dir string, n int) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("server-%d", n), "pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	require.NoError(t, err)
	return pid
}

// treeOf lists a process and its living descendants, from /proc.
func treeOf(root int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	children := map[int][]int{}
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		line := string(data)
		fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:]) // state ppid …
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || len(fields) < 2 || fields[0] == "Z" {
			continue
		}
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], pid)
		if pid == root {
			children[0] = append(children[0], pid)
		}
	}
	var pids []int
	for queue := slices.DeleteFunc(children[0], func(pid int) bool { return pid != root }); len(queue) > 0; queue = queue[1:] {
		pids = append(pids, queue[0])
		queue = append(queue, children[queue[0]]...)
	}
	return pids
}

// listening lists the TCP ports that these processes listen on, from /proc.
func listening(t *testing.T, pids []int) []int {
	t.Helper()
	inodes := map[string]bool{}
	for _, pid := range pids {
		fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		require.NoError(t, err)
		for _, fd := range fds {
			if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, "socket:[") {
				inodes[strings.Trim(target, "socket:[]")] = true
			}
		}
	}
	var ports []int
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text()) // sl local remote state … inode
			if len(fields) < 10 || fields[3] != "0A" || !inodes[fields[9]] {
				continue
			}
			port, err := strconv.ParseInt(fields[1][strings.LastIndexByte(fields[1], ':')+1:], 16, 32)
			require.NoError(t, err)
			ports = append(ports, int(port))
		}
		f.Close()
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}
