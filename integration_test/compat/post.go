package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// post is where shims report. A shim connects for as long as it lives and says
// on which port its server listens; it is told when to kill it.
//
// A client's suite starts and stops its servers as it likes, so the connections
// are the only list of servers that is never out of date.
type post struct {
	path string
	ln   net.Listener

	mu    sync.Mutex
	shims map[net.Conn]string // client addresses of their servers
	wg    sync.WaitGroup
}

// newPost listens on a socket of the file system.
func newPost(path string) (*post, error) {
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	p := &post{path: path, ln: ln, shims: map[net.Conn]string{}}
	p.wg.Go(p.accept)
	return p, nil
}

func (p *post) accept() {
	for {
		conn, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(conn) })
	}
}

// serve keeps a shim in the list until it goes.
func (p *post) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(io.LimitReader(conn, 1<<10))
	addr, err := r.ReadString('\n')
	if err != nil {
		return
	}
	p.mu.Lock()
	p.shims[conn] = strings.TrimSpace(addr)
	p.mu.Unlock()
	_, _ = r.ReadString('\n') // never comes
	p.mu.Lock()
	delete(p.shims, conn)
	p.mu.Unlock()
}

func (p *post) close() {
	_ = p.ln.Close()
	p.mu.Lock()
	for conn := range p.shims {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// killLeader has the shim of a leader kill its server and start it again, and
// says whether there was one.
func (p *post) killLeader(context.Context) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn, addr := range p.shims {
		if leads(addr) {
			_, err := fmt.Fprintln(conn, "kill")
			return err == nil
		}
	}
	return false
}

// leads asks a server for its mode.
func leads(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return false
	}
	reply, _ := io.ReadAll(io.LimitReader(conn, 1<<16))
	return strings.Contains(string(reply), "Mode: leader")
}
