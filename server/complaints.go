package server

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// A line of the log about one client says what an operator has to know. A
// thousand a second about clients that do the same wrong thing hide it, and fill
// the disk: so of each kind only the first few are written, and then how many more
// there were.

const (
	complaintsMax   = 10               // lines of one kind in complaintsEvery
	complaintsEvery = 10 * time.Second // from the first of them
)

// complaints writes the lines about clients. Kinds are messages: there are few.
type complaints struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*complaint
}

// complaint is one kind.
type complaint struct {
	until   time.Duration // the end of the time in which lines are counted
	written int           // of them
	omitted int
}

// note writes a line, unless there were enough like it. now is the server's time.
func (c *complaints) note(now time.Duration, level slog.Level, message string, args ...any) {
	c.mu.Lock()
	k := c.kinds[message]
	if k == nil {
		k = &complaint{}
		c.kinds[message] = k
	}
	omitted := 0
	if now >= k.until {
		omitted = k.omitted
		*k = complaint{until: now + complaintsEvery}
	}
	quiet := k.written >= complaintsMax
	if quiet {
		k.omitted++
	} else {
		k.written++
	}
	c.mu.Unlock()
	c.leftOut(message, omitted)
	if !quiet {
		c.log.Log(context.Background(), level, message, args...)
	}
}

// sum writes how many lines were left out, when the time for them is over.
func (c *complaints) sum(now time.Duration) {
	c.mu.Lock()
	over := map[string]int{}
	for message, k := range c.kinds {
		if now >= k.until {
			over[message] = k.omitted
			delete(c.kinds, message)
		}
	}
	c.mu.Unlock()
	for _, message := range slices.Sorted(maps.Keys(over)) {
		c.leftOut(message, over[message])
	}
}

func (c *complaints) leftOut(message string, n int) {
	if n > 0 {
		c.log.Warn("left out more lines like one before", "line", message, "times", n)
	}
}

// complain writes a line about a client.
func (s *Server) complain(level slog.Level, message string, args ...any) {
	s.complaints.note(s.now(), level, message, args...)
}
