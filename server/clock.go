package server

import (
	"crypto/rand"
	"time"
)

// setClocks gives a config that has none the real clocks and the real randomness.
// Beside the sockets, which have timers, it is the only place of the package that
// knows them.
func (c *Config) setClocks() {
	if c.Time == nil {
		c.Time = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Clock == nil {
		start := time.Now()
		c.Clock = func() time.Duration { return time.Since(start) }
	}
}
