package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/integration_test/cluster"
)

// shimCommand makes this program stand for zkServer.sh or java, which a
// client's tests call to start a server:
//
//	compat as zkServer.sh start-foreground zoo.cfg
//	compat as java -cp … -Dzookeeper.x=y org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg
//
// It starts the server that the variables name, passes signals on, and ends as
// the server ends. When the post says so, it kills the server and starts it
// again after restartPause.
const shimCommand = "as"

// The variables that a stage sets for its shims.
const (
	envPost    = "COMPAT_POST"
	envJava    = "COMPAT_JAVA"
	envQuorate = "COMPAT_QUORATE"  // empty: run the original
	envLeftOut = "COMPAT_LEFT_OUT" // keys to leave out of zoo.cfg, by commas
)

// debianServer is the script that Debian's package zookeeper has.
const debianServer = "/usr/share/zookeeper/bin/zkServer.sh"

// heap keeps three JVMs from filling a small machine.
const heap = "-Xmx256m"

// shim runs the shim and returns its exit code.
func shim(args []string) int {
	code, err := runShim(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compat shim:", err)
		return 1
	}
	return code
}

func runShim(args []string) (int, error) {
	// The kernel kills a child when the thread that started it ends.
	runtime.LockOSThread()
	config, command, err := shimmed(args)
	if err != nil {
		return 0, err
	}
	port, err := clientPort(config)
	if err != nil {
		return 0, err
	}
	conn, err := net.Dial("unix", os.Getenv(envPost))
	if err != nil {
		return 0, fmt.Errorf("report to %s: %w", os.Getenv(envPost), err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "127.0.0.1:%s\n", port); err != nil {
		return 0, err
	}
	return supervise(conn, command)
}

// supervise runs the server until it ends by itself or by a signal, or until
// whoever started all this has gone.
func supervise(conn net.Conn, command []string) (int, error) {
	kills, gone := make(chan struct{}), make(chan struct{})
	go func() {
		for r := bufio.NewScanner(conn); r.Scan(); {
			kills <- struct{}{}
		}
		close(gone)
	}()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	for {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.SysProcAttr = cluster.DieWithParent(false)
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		done := make(chan struct{})
		go func() {
			_ = cmd.Wait()
			close(done)
		}()
		killed := false
		for running := true; running; {
			select {
			case <-done:
				running = false
			case sig := <-signals:
				_ = cmd.Process.Signal(sig)
			case <-kills:
				killed = true
				_ = cmd.Process.Kill()
			case <-gone:
				_ = cmd.Process.Kill()
				<-done
				return 1, errors.New("the program that compares has gone")
			}
		}
		if !killed {
			return exitCode(cmd.ProcessState), nil
		}
		select {
		case <-time.After(restartPause):
		case <-signals:
			return 128 + int(syscall.SIGTERM), nil
		}
	}
}

// exitCode is the code of a process, as a shell has it for one that a signal ended.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// shimmed translates a command line that starts a ZooKeeper server: the
// configuration file and the command to run.
func shimmed(args []string) (config string, command []string, err error) {
	if len(args) < 2 {
		return "", nil, errors.New("too few arguments to start a server")
	}
	name, args := args[0], args[1:]
	config = args[len(args)-1]
	var properties []string
	switch name {
	case "zkServer.sh":
		if len(args) != 2 || args[0] != "start-foreground" {
			return "", nil, fmt.Errorf("zkServer.sh %s: only start-foreground FILE is known", strings.Join(args, " "))
		}
		properties = strings.Fields(os.Getenv("SERVER_JVMFLAGS"))
		command = []string{"/usr/bin/env", "JVMFLAGS=" + heap + " -Dzookeeper.log.dir=" + filepath.Dir(config),
			debianServer, "start-foreground", config}
	case "java":
		if !strings.HasSuffix(args[len(args)-2], ".QuorumPeerMain") {
			return "", nil, fmt.Errorf("java %s: only a ZooKeeper server can be started", strings.Join(args, " "))
		}
		properties = args
		command = append([]string{os.Getenv(envJava), heap}, args...)
	}
	quorate := os.Getenv(envQuorate)
	if quorate == "" {
		return config, command, nil
	}
	ours, err := translateConfig(config, properties, strings.Split(os.Getenv(envLeftOut), ","))
	if err != nil {
		return "", nil, err
	}
	return config, []string{quorate, "server", ours}, nil
}

// translateConfig writes the configuration of a server of ours beside one of
// ZooKeeper's: the same lines, those that are left out excepted, and behind them
// the Java properties that are settings: ZooKeeper itself takes -Dzookeeper.key
// and a line key= for the same.
func translateConfig(path string, properties, leftOut []string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	lines := strings.Split(string(data), "\n")
	for _, p := range properties {
		key, value, _ := strings.Cut(strings.TrimPrefix(p, "-D"), "=")
		short, ours := strings.CutPrefix(key, "zookeeper.")
		switch {
		case ours && (strings.HasPrefix(short, "log.") || strings.HasPrefix(short, "root.")): // the JVM's logging
		case ours, key == "readonlymode.enabled":
			lines = append(lines, short+"="+value)
		case key == "java.security.auth.login.config" && hasContent(value):
			lines = append(lines, key+"="+value)
		}
	}
	var kept []string
	for _, line := range lines {
		key, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "" || !slices.Contains(leftOut, strings.TrimSpace(key)) {
			kept = append(kept, line)
		}
	}
	ours := path + ".quorate"
	return ours, os.WriteFile(ours, []byte(strings.Join(kept, "\n")+"\n"), 0o644)
}

// hasContent says whether a file is there and not empty: kazoo's tests always
// name a file of users, and leave it empty for most of them.
func hasContent(path string) bool {
	data, err := os.ReadFile(path)
	return err == nil && strings.TrimSpace(string(data)) != ""
}

// clientPort finds the port in a configuration.
func clientPort(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if port, ok := strings.CutPrefix(strings.TrimSpace(line), "clientPort="); ok {
			return port, nil
		}
	}
	return "", fmt.Errorf("%s has no clientPort", path)
}
