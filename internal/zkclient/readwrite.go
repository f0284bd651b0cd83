package zkclient

import (
	"context"
	"io"
	"time"
)

// How often a client of a read-only server looks for a better one.
const (
	seekMin = 100 * time.Millisecond
	seekMax = time.Minute
)

// seekReadWrite asks the other servers, while the client is connected to one without
// a quorum, whether they have one, and moves to the first that has (spec
// client-protocol 4.7).
func (c *Client) seekReadWrite(ctx context.Context, l *link) {
	for wait := seekMin; ; wait = min(wait*2, seekMax) {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		c.mu.Lock()
		servers := append([]string(nil), c.servers...)
		c.mu.Unlock()
		for i, addr := range servers {
			if addr == l.addr || !c.isReadWrite(ctx, addr) {
				continue
			}
			c.mu.Lock()
			c.next = i
			c.mu.Unlock()
			_ = l.conn.Close()
			return
		}
	}
}

// isReadWrite asks one server with the four-letter word isro.
func (c *Client) isReadWrite(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, connectTimeMin)
	defer cancel()
	conn, err := c.dial(ctx, addr)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if _, err := io.WriteString(conn, "isro"); err != nil {
		return false
	}
	answer := make([]byte, 2)
	_, err = io.ReadFull(conn, answer)
	return err == nil && string(answer) == "rw"
}
