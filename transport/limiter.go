package transport

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	complaintInterval = time.Minute
	complaintsMax     = 256 // different complaints remembered at once
)

// complaints logs each complaint once per interval, so that a peer which repeats
// itself cannot fill the log.
type complaints struct {
	log *slog.Logger
	mu  sync.Mutex
	at  map[string]*complaint
}

type complaint struct {
	since  time.Time
	muffed int // not logged since then
}

// warn logs message unless the same key has been logged within the interval.
func (c *complaints) warn(key, message string, args ...any) {
	muffed, ok := c.allow(key, time.Now())
	if !ok {
		return
	}
	if muffed > 0 {
		args = append(args, "repeated", muffed)
	}
	c.log.Warn(message, args...)
}

// quiet is warn for what is to be expected, at level Info.
func (c *complaints) quiet(key, message string, args ...any) {
	if muffed, ok := c.allow(key, time.Now()); ok {
		if muffed > 0 {
			args = append(args, "repeated", muffed)
		}
		c.log.Info(message, args...)
	}
}

func (c *complaints) allow(key string, now time.Time) (muffed int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil {
		c.at = map[string]*complaint{}
	}
	seen := c.at[key]
	if seen == nil && len(c.at) >= complaintsMax {
		for k, v := range c.at {
			if now.Sub(v.since) >= complaintInterval {
				delete(c.at, k)
			}
		}
		if len(c.at) >= complaintsMax {
			key = "" // all the others share one
			seen = c.at[key]
		}
	}
	if seen == nil {
		c.at[key] = &complaint{since: now}
		return 0, true
	}
	if now.Sub(seen.since) < complaintInterval {
		seen.muffed++
		return 0, false
	}
	muffed = seen.muffed
	*seen = complaint{since: now}
	return muffed, true
}

// stranger logs a connection that came to nothing: quietly if it said nothing
// (a port scan, a health check), once per host and kind of fault otherwise.
func (c *complaints) stranger(kind Kind, remote string, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) {
		c.log.Debug("connection without a handshake", "port", kind, "peer", remote, "err", err)
		return
	}
	host, _, splitErr := net.SplitHostPort(remote)
	if splitErr != nil {
		host = remote
	}
	key := host + " " + kind.String() + " "
	var fault *FrameError
	if !errors.As(err, &fault) {
		key += strings.ReplaceAll(err.Error(), remote, "") // its port differs each time
	}
	c.warn(key, "connection refused", "port", kind, "peer", remote, "err", err)
}
