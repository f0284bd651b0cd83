package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/integration_test/cluster"
)

// lineBytesMax is the longest line of a program that is kept; the rest of it is dropped.
const lineBytesMax = 64 << 10

// program is a client's test program and all that it starts, in one process group.
type program struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan string   // what it prints on stdout and stderr; closed at its end
	done  chan struct{} // closed when it has been waited for
}

// start runs a program in dir with the variables of env added to ours. The
// caller reads lines until they end, and calls end.
func start(dir string, env []string, name string, args ...string) (*program, error) {
	p := &program{cmd: exec.Command(name, args...), lines: make(chan string, 1024), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(p.cmd.Environ(), env...)
	p.cmd.SysProcAttr = cluster.DieWithParent(true)
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, in
	p.cmd.WaitDelay = 5 * time.Second
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		_ = in.Close()
		close(p.done)
	}()
	go func() {
		defer close(p.lines)
		r := bufio.NewReader(out)
		for {
			line, err := readLine(r)
			if line != "" || err == nil {
				p.lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	return p, nil
}

// readLine reads a line of any length and returns its beginning, without its end.
func readLine(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		part, err := r.ReadSlice('\n')
		if room := lineBytesMax - b.Len(); room > 0 {
			b.Write(part[:min(len(part), room)])
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimRight(b.String(), "\r\n"), err
		}
	}
}

// end kills what is left of the program, and waits for it.
func (p *program) end() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	for range p.lines { // its reader must not wait for us
	}
	<-p.done
}

// terminate lets the program end by itself, so that it stops what it started,
// and kills what is left after a while.
func (p *program) terminate(patience time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.await(patience)
}

// await waits for the program to end by itself, and kills what is left after a while.
func (p *program) await(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case _, open := <-p.lines:
			if open {
				continue
			}
		case <-timer.C:
		}
		p.end()
		return
	}
}

// errSilent is why next gave up.
var errSilent = errors.New("no more output in time")

// next returns the next line, io.EOF behind the last one, or errSilent when the
// deadline passes before.
func (p *program) next(ctx context.Context, deadline time.Time) (string, error) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case line, open := <-p.lines:
		if !open {
			return "", io.EOF
		}
		return line, nil
	case <-timer.C:
		return "", errSilent
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
