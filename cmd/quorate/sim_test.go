package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
)

func runCommand(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestSim_RunsSeedsAndReplaysThem(t *testing.T) {
	code, out, errs := runCommand("sim", "run", "--seeds", "1-6", "--time", "2s", "--parallel", "2", "--twice")
	assert.Equal(t, exitOK, code, errs)
	assert.Regexp(t, `^summary: 6 seeds, .* 0 violations\n$`, out)
	_, first, _ := runCommand("sim", "replay", "--seed", "5", "--time", "2s")
	code, second, _ := runCommand("sim", "replay", "--seed", "5", "--time", "2s", "--story")
	assert.Equal(t, exitOK, code)
	assert.Regexp(t, `^seed 5: 3 servers, 1 observers, hash [0-9a-f]{16}, `, first)
	assert.Contains(t, second, first, "the same seed, another run")
	assert.Contains(t, second, " LEADING of ")
}

func TestSim_WrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"sim", "run", "--seeds", "9-1"}, {"sim", "run", "--seeds", "x"}, {"sim", "run", "--parallel", "0"},
		{"sim", "run", "--servers", "99"}, {"sim", "run", "extra"}, {"sim", "replay", "--seed", "-1"},
	} {
		code, _, errs := runCommand(args...)
		assert.Equal(t, exitUsage, code, "%v: %s", args, errs)
		assert.NotEmpty(t, errs)
	}
}
