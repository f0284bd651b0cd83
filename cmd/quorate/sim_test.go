package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func runCommand(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestSim_RunsSeedsAndReplaysThem(t *testing.T) {
	code, out, errs := runCommand("sim", "run", "--seeds", "1-6", "--time", "2s", "--parallel", "2", "--twice")
	assert.Equal(t, exitOK, code, errs)
	assert.Regexp(t, `^summary: 6 seeds, .* 0 violations, hash of all [0-9a-f]{16}\n$`, out)
	_, first, _ := runCommand("sim", "replay", "--seed", "5", "--time", "2s")
	code, second, _ := runCommand("sim", "replay", "--seed", "5", "--time", "2s", "--story")
	assert.Equal(t, exitOK, code)
	assert.Regexp(t, `^seed 5: 3 servers, 1 observers, hash [0-9a-f]{16}, `, first)
	assert.Contains(t, second, first, "the same seed, another run")
	assert.Contains(t, second, " state=LEADING")
	_, hash, _ := runCommand("sim", "replay", "--seed", "5", "--time", "2s", "--hash")
	assert.Contains(t, first, "hash "+strings.TrimSpace(hash)+",")
}

// A run can be written down as a trace, a picture, and a script that plays it.
func TestSim_ReplayWritesFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	code, _, errs := runCommand("sim", "replay", "--seed", "4", "--time", "2s", "--trace", file("t.jsonl"), "--html", file("p.html"), "--script", file("s.txt"))
	require.Equal(t, exitOK, code, errs)
	trace, err := os.ReadFile(file("t.jsonl"))
	require.NoError(t, err)
	assert.Regexp(t, `^\{"t":\d+,"node":\d,.*"ev":"`, string(trace[:200]))
	html, err := os.ReadFile(file("p.html"))
	require.NoError(t, err)
	assert.Contains(t, string(html), "</html>")
	code, out, errs := runCommand("sim", "script", file("s.txt"), "--html", file("again.html"))
	assert.Equal(t, exitOK, code, errs)
	assert.Contains(t, out, "s.txt: green, ")
	assert.FileExists(t, file("again.html"))
}

// The exit codes tell what happened: scripts find it out for themselves.
func TestSim_ExitCodes(t *testing.T) {
	script := filepath.Join(t.TempDir(), "s.txt")
	require.NoError(t, os.WriteFile(script, []byte("recorder\nstart 1 2 3\nawait leader 3\nexpect leader 1\n"), 0o600))
	code, out, _ := runCommand("sim", "script", script)
	assert.Equal(t, exitUnsafe, code)
	assert.Contains(t, out, "line 4: expect leader 1: server 3 leads")
	code, out, _ = runCommand("sim", "run", "--seeds", "1", "--time", "1ms", "--clients", "-1")
	assert.Equal(t, exitInconclusive, code, "nothing is committed without clients")
	assert.Contains(t, out, "inconclusive")
}

// Ctrl-C ends a run that is under way, and not only the next one.
func TestSim_EndsPromptlyWhenInterrupted(t *testing.T) {
	script := filepath.Join(t.TempDir(), "s.txt")
	require.NoError(t, os.WriteFile(script, []byte("servers 3\nclients 3\nbegin\nrun 100000s\nfinale\n"), 0o600))
	for _, args := range [][]string{
		{"sim", "run", "--seeds", "1", "--time", "100h"},
		{"sim", "replay", "--time", "100h"},
		{"sim", "shrink", "--time", "100h"},
		{"sim", "script", script},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan string, 1)
		go func() {
			var out, errs bytes.Buffer
			done <- fmt.Sprint(run(ctx, args, &out, &errs), ": ", errs.String())
		}()
		time.AfterFunc(50*time.Millisecond, cancel)
		select {
		case end := <-done:
			assert.Equal(t, fmt.Sprint(exitInconclusive, ": quorate: interrupted\n"), end, "%v", args)
		case <-time.After(30 * time.Second): // 100 hours take half an hour or more
			t.Fatalf("%v goes on", args)
		}
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestSim_SaysThatItsOutputIsNotWhole(t *testing.T) {
	script := filepath.Join(t.TempDir(), "s.txt")
	require.NoError(t, os.WriteFile(script, []byte("recorder\nstart 1\nexpect leader 1\n"), 0o600))
	for _, args := range [][]string{
		{"sim", "run", "--seeds", "1", "--time", "1s"},
		{"sim", "replay", "--time", "1s", "--hash"},
		{"sim", "replay", "--time", "1s", "--story"},
		{"sim", "script", script},
	} {
		var errs bytes.Buffer
		assert.Equal(t, exitNotOK, run(t.Context(), args, full{}, &errs), "%v", args)
		assert.Contains(t, errs.String(), "the output is not whole: no space left on device", "%v", args)
	}
}

func TestSim_WrongUsage(t *testing.T) {
	script := filepath.Join(t.TempDir(), "s.txt")
	require.NoError(t, os.WriteFile(script, []byte("servers 3\nexplode 1\n"), 0o600))
	for want, args := range map[string][]string{
		"want A-B":                  {"sim", "run", "--seeds", "9-1"},
		`--seeds "x"`:               {"sim", "run", "--seeds", "x"},
		"--parallel 0":              {"sim", "run", "--parallel", "0"},
		"99 servers":                {"sim", "run", "--servers", "99"},
		"wants no arguments":        {"sim", "run", "extra"},
		"invalid argument":          {"sim", "replay", "--seed", "-1"},
		"no such file":              {"sim", "script", "/nowhere/at/all"},
		"line 2: explode 1":         {"sim", "script", script},
		"wants the name":            {"sim", "script"},
		"is green":                  {"sim", "shrink", "--seed", "2", "--time", "1s"},
		"no such file or directory": {"sim", "replay", "--seed", "1", "--time", "1s", "--html", "/nowhere/at/all"},
		"has no mutants":            {"sim", "run", "--mutant", "M01"},
		"build it with -tags":       {"sim", "mutants"},
	} {
		code, _, errs := runCommand(args...)
		assert.Equal(t, exitUsage, code, "%v: %s", args, errs)
		assert.Contains(t, errs, want, "%v", args)
	}
}
