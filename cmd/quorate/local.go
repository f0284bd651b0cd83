package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/transport/gossip"
	"github.com/quorate/quorate/zab/storage"
)

// localOptions are the flags of quorate local.
type localOptions struct {
	servers, observers int
	dir                string
	clientPort         int
	processes          bool
	verbose            bool
}

const (
	localTickTime   = 500 * time.Millisecond
	localServersMax = 50
)

func newLocalCommand() *cobra.Command {
	var o localOptions
	c := &cobra.Command{
		Use:   "local",
		Short: "Run a quorum on this machine",
		Long: `Run a quorum on this machine, on loopback. It prints a line for each server and
then "ready: " with a connect string for clients. Ctrl-C ends it cleanly.

Client ports count up from --client-port. Without --dir the data is in a
temporary directory that is removed at the end; with it, it is kept and found
again. With --processes each server is a process of its own, whose pid is in
DIR/server-N/pid: a target for a real kill -9; DIR/server-N/zoo.cfg starts it
again with quorate server.`,
		Example: `  quorate local
  quorate local --servers 5 --observers 1 --dir /tmp/q --processes`,
		Args: exactArgs(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return runLocal(c.Context(), o, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.IntVar(&o.servers, "servers", 3, "number of participants")
	f.IntVar(&o.observers, "observers", 0, "number of observers")
	f.StringVar(&o.dir, "dir", "", "where the data is kept (default: a temporary directory)")
	f.IntVar(&o.clientPort, "client-port", 2181, "client port of server 1; the others follow")
	f.BoolVar(&o.processes, "processes", false, "run each server as a process of its own")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log to stderr")
	return c
}

// localServer is one server of the local ensemble.
type localServer struct {
	id      int
	dir     string
	client  string
	config  string // path of its zoo.cfg
	started bool   // its data is there already
}

func runLocal(ctx context.Context, o localOptions, stdout, stderr io.Writer) error {
	n := o.servers + o.observers
	switch {
	case o.servers < 1 || o.observers < 0 || n > localServersMax:
		return usageError{fmt.Errorf("--servers %d --observers %d: want at least one server and at most %d in all", o.servers, o.observers, localServersMax)}
	case o.clientPort < 1 || o.clientPort+n-1 > 65535:
		return usageError{fmt.Errorf("--client-port %d: the ports %d to %d must lie between 1 and 65535", o.clientPort, o.clientPort, o.clientPort+n-1)}
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "quorate-local-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		o.dir = dir
	}
	lock, err := lockLocal(o.dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	servers, err := prepareLocal(o)
	if err != nil {
		return err
	}
	logs := io.Discard
	if o.verbose {
		logs = stderr
	}
	if o.processes {
		return runProcesses(ctx, servers, stdout, logs)
	}
	return runTogether(ctx, servers, stdout, logs)
}

// lockLocal takes a directory for this process.
func lockLocal(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := storage.OS().Lock(filepath.Join(dir, "lock"))
	if errors.Is(err, storage.ErrLocked) {
		return nil, fmt.Errorf("--dir %s: another quorate local runs there", dir)
	}
	return lock, err
}

// checkLocal refuses what would end badly once servers run: client ports that
// somebody uses, and another number of servers than the directory was made for.
func checkLocal(o localOptions) error {
	n := o.servers + o.observers
	for i := range n {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(o.clientPort+i)))
		if err != nil {
			return fmt.Errorf("server %d: listen for clients: %w (another --client-port helps)", i+1, err)
		}
		_ = l.Close()
	}
	there, err := filepath.Glob(filepath.Join(o.dir, "server-*"))
	if err != nil {
		return err
	}
	if len(there) > 0 && len(there) != n {
		return usageError{fmt.Errorf("--dir %s holds an ensemble of %d servers, and this is to be one of %d: say --servers and --observers as before, or take another directory", o.dir, len(there), n)}
	}
	return nil
}

// prepareLocal writes a directory for each server, unless it is there.
func prepareLocal(o localOptions) ([]localServer, error) {
	if err := checkLocal(o); err != nil {
		return nil, err
	}
	n := o.servers + o.observers
	ports, err := freePorts(3*n+1, o.clientPort, o.clientPort+n)
	if err != nil {
		return nil, err
	}
	var lines strings.Builder
	for i := range n {
		role := "participant"
		if i >= o.servers {
			role = "observer"
		}
		fmt.Fprintf(&lines, "server.%d=127.0.0.1:%d:%d:%s;127.0.0.1:%d\n", i+1, ports[2*i], ports[2*i+1], role, o.clientPort+i)
	}
	var servers []localServer
	for i := range n {
		s := localServer{id: i + 1, dir: filepath.Join(o.dir, "server-"+strconv.Itoa(i+1)), client: "127.0.0.1:" + strconv.Itoa(o.clientPort+i)}
		s.config = filepath.Join(s.dir, "zoo.cfg")
		data := filepath.Join(s.dir, "data")
		_, err := os.Stat(data)
		s.started = err == nil
		if err := os.MkdirAll(data, 0o755); err != nil {
			return nil, err
		}
		// The first server listens for gossip where the others find it.
		bind := "127.0.0.1:0"
		if i == 0 {
			bind = fmt.Sprintf("127.0.0.1:%d", ports[2*n])
		}
		cfg := fmt.Sprintf("tickTime=%d\ndataDir=%s\n%sgossip.bind=%s\ngossip.join=127.0.0.1:%d\n4lw.commands.whitelist=*\nmaxClientCnxns=0\nadmin.serverPort=%d\n",
			localTickTime.Milliseconds(), data, lines.String(), bind, ports[2*n], ports[2*n+1+i])
		if err := os.WriteFile(s.config, []byte(cfg), 0o644); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(data, "myid"), []byte(strconv.Itoa(s.id)+"\n"), 0o644); err != nil {
			return nil, err
		}
		if !s.started {
			if err := os.WriteFile(filepath.Join(data, "initialize"), nil, 0o644); err != nil {
				return nil, err
			}
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// Peer ports come from below those that Linux gives to outgoing connections, so
// that a server that is started again finds its own free.
const (
	peerPortMin = 10000
	peerPortMax = 32000
)

// freePorts finds loopback ports that nobody uses at the moment, and that do not
// lie from taken up to, not including, takenEnd.
func freePorts(n, taken, takenEnd int) ([]int, error) {
	var ports []int
	for port := peerPortMin + rand.IntN((peerPortMax-peerPortMin)/2); len(ports) < n; port++ {
		if port > peerPortMax {
			return nil, fmt.Errorf("find %d free ports: too many are in use", n)
		}
		if port >= taken && port < takenEnd {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = l.Close()
		ports = append(ports, port)
	}
	return ports, nil
}

// runTogether runs all servers in this process.
func runTogether(ctx context.Context, servers []localServer, stdout, logs io.Writer) error {
	group, ctx := errgroup.WithContext(ctx)
	var instances []*instance
	for _, s := range servers {
		cfg, err := loadServerConfig(s.config)
		if err != nil {
			return err
		}
		in, err := newInstance(cfg, newLogger(logs))
		if err != nil {
			for _, other := range instances {
				other.closeClients()
			}
			return fmt.Errorf("server %d: %w", s.id, err)
		}
		in.timing = gossip.Local
		instances = append(instances, in)
	}
	for i, in := range instances {
		group.Go(func() error {
			if err := in.run(ctx); err != nil {
				return fmt.Errorf("server %d: %w", servers[i].id, err)
			}
			return nil
		})
	}
	group.Go(func() error {
		for _, in := range instances {
			select {
			case <-in.serving:
			case <-ctx.Done():
				return nil
			}
		}
		for i, in := range instances {
			s := in.node.Status()
			printServer(stdout, servers[i], s.State)
		}
		printReady(stdout, servers)
		return nil
	})
	return group.Wait()
}

func printServer(w io.Writer, s localServer, state ensemble.State) {
	_, _ = fmt.Fprintf(w, "server %d: %s client %s data %s\n", s.id, modeOf(state), s.client, s.dir)
}

func printReady(w io.Writer, servers []localServer) {
	var list []string
	for _, s := range servers {
		list = append(list, s.client)
	}
	_, _ = fmt.Fprintf(w, "ready: %s\n", strings.Join(list, ","))
}

// modeOf is ZooKeeper's word for a state in srvr and mntr.
func modeOf(s ensemble.State) string {
	switch s {
	case ensemble.Leading:
		return "leader"
	case ensemble.Following:
		return "follower"
	case ensemble.Observing:
		return "observer"
	}
	return "looking"
}

// runProcesses runs each server as a child process. One that dies is left dead:
// somebody wants to see what happens then.
func runProcesses(ctx context.Context, servers []localServer, stdout, logs io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// The children live as long as this thread does, see childAttributes.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var children []*child
	defer func() {
		for _, c := range children {
			_ = c.cmd.Process.Signal(syscall.SIGTERM)
		}
		for _, c := range children {
			kill := time.AfterFunc(5*time.Second, func() { _ = c.cmd.Process.Kill() })
			<-c.done
			kill.Stop()
		}
	}()
	for _, s := range servers {
		c := exec.Command(self, "server", s.config)
		c.Stderr = logs
		c.SysProcAttr = childAttributes()
		logfile, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return err
		}
		if logs == io.Discard {
			c.Stderr = logfile
		}
		err = c.Start()
		_ = logfile.Close()
		if err != nil {
			return fmt.Errorf("server %d: %w", s.id, err)
		}
		children = append(children, watchChild(c))
		if err := os.WriteFile(filepath.Join(s.dir, "pid"), []byte(strconv.Itoa(c.Process.Pid)+"\n"), 0o644); err != nil {
			return err
		}
	}
	if err := waitServing(ctx, servers, children); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("%w (see the files log in %s/server-*)", err, filepath.Dir(servers[0].dir))
	}
	for _, s := range servers {
		st, err := askServer(ctx, s.client)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(stdout, "server %d: %s client %s data %s\n", s.id, st.Mode, s.client, s.dir)
	}
	printReady(stdout, servers)
	<-ctx.Done()
	return nil
}

// child is a server's process.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

func watchChild(cmd *exec.Cmd) *child {
	c := &child{cmd, make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(c.done)
	}()
	return c
}

// waitServing waits until all servers answer as members of a quorum.
func waitServing(ctx context.Context, servers []localServer, children []*child) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errors.New("not all servers serve after 30 s"))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < len(servers); {
		if st, err := askServer(ctx, servers[i].client); err == nil && st.serving() {
			i++
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-children[i].done:
			return fmt.Errorf("server %d has ended: %v", servers[i].id, children[i].cmd.ProcessState)
		case <-tick.C:
		}
	}
	return nil
}
