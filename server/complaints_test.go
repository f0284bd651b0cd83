package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestComplaints_FewOfAKindAndThenTheirNumber(t *testing.T) {
	var out bytes.Buffer
	lines := func() int { defer out.Reset(); return strings.Count(out.String(), "\n") }
	c := complaints{log: slog.New(slog.NewTextHandler(&out, nil)), kinds: map[string]*complaint{}}
	for range 1000 {
		c.note(time.Second, slog.LevelWarn, "it knocks", "remote", "a")
	}
	assert.Equal(t, complaintsMax, lines())
	c.note(time.Second, slog.LevelInfo, "it sleeps")
	assert.Contains(t, out.String(), "level=INFO")
	assert.Equal(t, 1, lines(), "another kind is not meant")
	c.sum(complaintsEvery)
	assert.Zero(t, lines(), "the time is not over")
	c.sum(time.Second + complaintsEvery)
	assert.Contains(t, out.String(), "times=990")
	assert.Contains(t, out.String(), `line="it knocks"`)
	assert.Equal(t, 1, lines())
	c.sum(time.Hour)
	assert.Zero(t, lines())

	for range complaintsMax + 5 {
		c.note(2*time.Hour, slog.LevelWarn, "it knocks")
	}
	lines()
	c.note(3*time.Hour, slog.LevelWarn, "it knocks")
	assert.Contains(t, out.String(), "times=5", "if nobody asked for the sum the next one tells")
	assert.Equal(t, 2, lines())
}
