package cluster

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Server is one server process, running or not, and its files.
type Server struct {
	ID       int
	Observer bool
	Kind     Kind
	Binary   string
	Dir      string

	JavaFlags []string

	ClientPort, QuorumPort, ElectionPort, GossipPort int

	mu   sync.Mutex
	proc *process // nil while not running
}

// process is one run of a server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended and been waited for
	code int           // valid after done; -1 if a signal ended it
}

// DataDir is where the server keeps its data and myid.
func (s *Server) DataDir() string { return filepath.Join(s.Dir, "data") }

// ConfigPath is the path of the server's zoo.cfg.
func (s *Server) ConfigPath() string { return filepath.Join(s.Dir, "zoo.cfg") }

// LogPath is the file that holds what the server has printed, over all its runs.
func (s *Server) LogPath() string { return filepath.Join(s.Dir, "log") }

// ClientAddr is host:port for clients.
func (s *Server) ClientAddr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.ClientPort))
}

// QuorumAddr is host:port of the quorum port.
func (s *Server) QuorumAddr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.QuorumPort))
}

// ElectionAddr is host:port of the election port.
func (s *Server) ElectionAddr() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.ElectionPort))
}

// WriteConfig writes myid and a zoo.cfg with the defaults of a cluster and
// these lines, which win over defaults of the same key.
func (s *Server) WriteConfig(lines ...string) error {
	defaults := []string{
		"tickTime=500", "initLimit=20", "syncLimit=10",
		"dataDir=" + s.DataDir(),
		"clientPort=" + strconv.Itoa(s.ClientPort), "clientPortAddress=127.0.0.1",
		"maxClientCnxns=0", "4lw.commands.whitelist=*", "admin.enableServer=false",
	}
	keep := append([]string(nil), lines...)
	for _, d := range defaults {
		key, _, _ := strings.Cut(d, "=")
		given := false
		for _, line := range lines {
			given = given || strings.HasPrefix(line, key+"=")
		}
		if !given {
			keep = append(keep, d)
		}
	}
	if err := os.WriteFile(filepath.Join(s.DataDir(), "myid"), []byte(strconv.Itoa(s.ID)+"\n"), 0o644); err != nil {
		return err
	}
	return os.WriteFile(s.ConfigPath(), []byte(strings.Join(keep, "\n")+"\n"), 0o644)
}

// AddLines appends lines to the server's zoo.cfg.
func (s *Server) AddLines(lines ...string) error {
	f, err := os.OpenFile(s.ConfigPath(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
	return errors.Join(err, f.Close())
}

// Wipe deletes the server's data, as a new disk would, and keeps myid.
func (s *Server) Wipe() error {
	entries, err := os.ReadDir(s.DataDir())
	for _, e := range entries {
		if e.Name() != "myid" {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.DataDir(), e.Name())))
		}
	}
	return err
}

func (s *Server) command() *exec.Cmd {
	if s.Kind == ZooKeeper {
		args := append([]string{"-Xmx512m", "-Dzookeeper.snapshot.trust.empty=true"}, s.JavaFlags...)
		return exec.Command("java", append(args,
			"-cp", ZooKeeperClassPath, "org.apache.zookeeper.server.quorum.QuorumPeerMain", s.ConfigPath())...)
	}
	return exec.Command(s.Binary, "server", s.ConfigPath())
}

// Start starts the server's process.
func (s *Server) Start() error {
	if s.Running() {
		return fmt.Errorf("server %d is already running", s.ID)
	}
	log, err := os.OpenFile(s.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.command()
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, log, log
	cmd.SysProcAttr = DieWithParent(true)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start server %d: %w", s.ID, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		p.code = cmd.ProcessState.ExitCode()
		close(p.done)
	}()
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()
	return nil
}

func (s *Server) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Running reports whether the server's process exists, frozen or not.
func (s *Server) Running() bool {
	p := s.current()
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Pid returns the process id, or 0 if the server has never been started.
func (s *Server) Pid() int {
	if p := s.current(); p != nil {
		return p.cmd.Process.Pid
	}
	return 0
}

// Kill ends the process with SIGKILL and waits for its end; without one it does
// nothing.
func (s *Server) Kill() {
	if p := s.current(); p != nil {
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// Terminate asks the process to end, as a service manager would, and returns
// its exit code. It kills it after the timeout and returns an error.
func (s *Server) Terminate(timeout time.Duration) (int, error) {
	if err := s.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	code, err := s.WaitExit(timeout)
	if err != nil {
		s.Kill()
	}
	return code, err
}

// Freeze stops the process with SIGSTOP, and returns once none of its threads
// runs: it keeps its sockets and does nothing.
func (s *Server) Freeze() error {
	if err := s.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return Poll(5*time.Second, func() error { return allStopped(s.Pid()) })
}

// allStopped looks into /proc; where there is none, it trusts the signal.
func allStopped(pid int) error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return err
	}
	for _, path := range threads {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // that thread has ended
		}
		line := string(data)
		if state := strings.Fields(line[strings.LastIndexByte(line, ')')+1:]); len(state) > 0 && state[0] != "T" {
			return fmt.Errorf("process %d still has a thread in state %s", pid, state[0])
		}
	}
	return nil
}

// Thaw lets a frozen process go on.
func (s *Server) Thaw() error { return s.Signal(syscall.SIGCONT) }

// Signal sends a signal to the process.
func (s *Server) Signal(sig os.Signal) error {
	p := s.current()
	if p == nil {
		return fmt.Errorf("server %d has not been started", s.ID)
	}
	return p.cmd.Process.Signal(sig)
}

// WaitExit waits for the process to end by itself and returns its exit code.
func (s *Server) WaitExit(timeout time.Duration) (int, error) {
	p := s.current()
	if p == nil {
		return 0, fmt.Errorf("server %d has not been started", s.ID)
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.code, nil
	case <-timer.C:
		return 0, fmt.Errorf("server %d is still running after %v", s.ID, timeout)
	}
}

// Log returns what the server has printed so far, over all its runs.
func (s *Server) Log() string {
	data, err := os.ReadFile(s.LogPath())
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// FourLetter asks a four-letter word.
func (s *Server) FourLetter(word string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.ClientAddr(), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	reply, err := io.ReadAll(io.LimitReader(conn, 1<<20))
	if len(reply) > 0 {
		err = nil // a reset behind a whole answer does not matter
	}
	return string(reply), err
}

// Mode is the Mode: line of srvr: leader, follower, observer or standalone. It
// is an error while the server does not serve.
func (s *Server) Mode() (string, error) {
	reply, err := s.FourLetter("srvr")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(reply) {
		if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(mode), nil
		}
	}
	return "", fmt.Errorf("server %d does not serve: %q", s.ID, reply)
}

// Zxid is the Zxid: line of srvr.
func (s *Server) Zxid() (int64, error) {
	reply, err := s.FourLetter("srvr")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(reply) {
		if hex, ok := strings.CutPrefix(line, "Zxid: 0x"); ok {
			return strconv.ParseInt(strings.TrimSpace(hex), 16, 64)
		}
	}
	return 0, fmt.Errorf("server %d does not serve: %q", s.ID, reply)
}

// Monitor is the answer to mntr by key.
func (s *Server) Monitor() (map[string]string, error) {
	reply, err := s.FourLetter("mntr")
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for line := range strings.Lines(reply) {
		if key, value, ok := strings.Cut(line, "\t"); ok {
			m[key] = strings.TrimSpace(value)
		}
	}
	if len(m) == 0 {
		return nil, fmt.Errorf("server %d does not serve: %q", s.ID, reply)
	}
	return m, nil
}

// WaitServing waits until the server serves clients. It gives up at once when
// the process has ended.
func (s *Server) WaitServing(timeout time.Duration) error {
	var gone error
	err := Poll(timeout, func() error {
		if !s.Running() {
			gone = fmt.Errorf("server %d is not running", s.ID)
			return nil
		}
		_, err := s.Mode()
		return err
	})
	if gone != nil {
		return gone
	}
	if err != nil {
		return fmt.Errorf("server %d does not serve: %w", s.ID, err)
	}
	return nil
}
