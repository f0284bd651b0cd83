package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	resultsPath  = "results.json"
	documentPath = "../../docs/compatibility.md"
)

// The document is what the results say, and names every test that there is.
func TestDocument_IsMadeFromTheResults(t *testing.T) {
	r, err := loadResults(resultsPath)
	require.NoError(t, err)
	require.NotEmpty(t, r)
	have, err := os.ReadFile(documentPath)
	require.NoError(t, err)
	assert.Equal(t, string(renderDocument(r)), string(have), "go run ./integration_test/compat -render")
}

func TestDocument_NamesEveryTestOfEverySuite(t *testing.T) {
	r, err := loadResults(resultsPath)
	require.NoError(t, err)
	for _, s := range suites() {
		t.Run(s.Name(), func(t *testing.T) {
			if err := s.Missing(); err != nil {
				t.Skipf("skipped: %v", err)
			}
			want, err := s.Tests(context.Background())
			require.NoError(t, err)
			require.NotEmpty(t, want)
			res := r[s.Name()]
			require.NotNil(t, res, "the suite has never been run")
			if was := res.Runs[Ours].Client; was != s.Client() {
				t.Skipf("skipped: the document is about %s, and here is %s", was, s.Client())
			}
			for _, col := range columns {
				var have []string
				for name, of := range res.Tests {
					if _, ran := of[col]; ran {
						have = append(have, name)
					}
				}
				assert.ElementsMatch(t, want, have, "make compat: column %s is of other tests", col)
			}
		})
	}
}

func TestKnown_IsStaleWhenItPasses(t *testing.T) {
	r := Results{}
	name := "TestIntegration_Reconfig"
	require.Contains(t, known["go-zookeeper"], name)
	r.put("go-zookeeper", Ours, RunInfo{}, map[string]Verdict{name: {Outcome: Fail}})
	assert.Empty(t, r.staleKnown())
	r.put("go-zookeeper", Ours, RunInfo{}, map[string]Verdict{name: {Outcome: Pass}})
	assert.Equal(t, []string{"go-zookeeper " + name}, r.staleKnown())
}

func TestResults_PutReplacesOneRunAndForgetsOldTests(t *testing.T) {
	r := Results{}
	r.put("s", Real, RunInfo{}, map[string]Verdict{"a": {Outcome: Pass}, "b": {Outcome: Pass}, "old": {Outcome: Pass}})
	r.put("s", Ours, RunInfo{}, map[string]Verdict{"a": {Outcome: Pass}, "b": {Outcome: Fail, Tries: 2, Reason: "why"}})
	r.put("s", Real, RunInfo{}, map[string]Verdict{"a": {Outcome: Pass}, "b": {Outcome: Pass}})
	assert.Equal(t, []string{"a", "b"}, r["s"].names())
	assert.Equal(t, []regression{{"s", "b", Ours, Verdict{Outcome: Fail, Tries: 2, Reason: "why"}}}, r.regressions())
	assert.Contains(t, strings.Join(note("b", r["s"].Tests["b"]), "\n"), "fails on Quorate only: `why`")

	path := filepath.Join(t.TempDir(), "r.json")
	require.NoError(t, r.save(path))
	again, err := loadResults(path)
	require.NoError(t, err)
	assert.Equal(t, r, again)
}

func TestNote_SaysThatItFailsOnZooKeeperToo(t *testing.T) {
	of := map[Column]Verdict{Real: {Outcome: Fail, Reason: "broken"}, Ours: {Outcome: Fail, Reason: "broken here"}}
	assert.Equal(t, []string{"`x`: fails on ZooKeeper too: `broken`"}, note("x", of))
}

func TestScripts_FormatIsTheInverseOfParse(t *testing.T) {
	for _, text := range []string{zkCliScripts, cliMTScripts} {
		all, err := parseScripts(text)
		require.NoError(t, err)
		require.NotEmpty(t, all)
		assert.Equal(t, text, format(all))
		for _, s := range all {
			for _, st := range s.steps {
				for _, line := range st.want {
					assert.NotContains(t, line, "ConnectionLoss", "%s: > %s", s.name, st.command)
				}
			}
		}
	}
	for bad, why := range map[string]string{
		"> ls /\n":              "first",
		"== a\nout\n":           "without a command",
		"== a\n> x\n== a\n> y":  "two scripts",
		"# a comment\n== a\n> ": "first",
	} {
		_, err := parseScripts(bad)
		assert.ErrorContains(t, err, why, bad)
	}
}

func TestDifference_NamesTheFirst(t *testing.T) {
	assert.Empty(t, difference([]string{"a"}, []string{"a"}))
	assert.Equal(t, `want "a", got "b"`, difference([]string{"a", "c"}, []string{"b"}))
	assert.Equal(t, `want "a", got nothing more`, difference([]string{"a"}, nil))
	assert.Equal(t, `got "a", want nothing more`, difference(nil, []string{"a"}))
}

func TestNormalize_LeavesWhatTwoRunsShare(t *testing.T) {
	for line, want := range map[string]string{
		"SLF4J: Failed to load class":                                "",
		"WatchedEvent state:SyncConnected type:None path:null":       "",
		"WatchedEvent state:SyncConnected type:NodeDeleted path:/a ": "WatchedEvent state:SyncConnected type:NodeDeleted path:/a",
		"ctime = Sun Nov 22 13:10:39 UTC 2026":                       "ctime = DATE",
		"ephemeralOwner = 0x1000a3c5b7d0001":                         "ephemeralOwner = 0xN",
		"ephemeralOwner = 0x0":                                       "ephemeralOwner = 0x0",
		"[b, c, a]":                                                  "[a, b, c]",
		"server.1=127.0.0.1:12345:12346:participant":                 "server.1=127.0.0.1:PORT:PORT:participant",
	} {
		assert.Equal(t, want, normalizeJava(line), line)
	}
	for line, want := range map[string]string{
		"2026-11-22 13:10:39,123:42:ZOO_INFO@log_env@1: Client": "",
		"Watcher SESSION_EVENT state = CONNECTED_STATE":         "",
		"/a: rc = 0": "/a: rc = 0",
	} {
		assert.Equal(t, want, normalizeC(line), line)
	}
}

func TestTranslateConfig_TakesJavaPropertiesForLines(t *testing.T) {
	dir := t.TempDir()
	path, users := filepath.Join(dir, "zoo.cfg"), filepath.Join(dir, "jaas.conf")
	require.NoError(t, os.WriteFile(path, []byte("clientPort=2181\nreconfigEnabled=true\n"), 0o644))
	require.NoError(t, os.WriteFile(users, nil, 0o644))
	properties := []string{"-cp", "x.jar", "-Dzookeeper.extendedTypesEnabled=true", "-Dreadonlymode.enabled=true",
		"-Dzookeeper.log.dir=/tmp", "-Djava.awt.headless=true", "-Djava.security.auth.login.config=" + users}
	read := func() []string {
		ours, err := translateConfig(path, properties, []string{"reconfigEnabled"})
		require.NoError(t, err)
		data, err := os.ReadFile(ours)
		require.NoError(t, err)
		return strings.Fields(string(data))
	}
	want := []string{"clientPort=2181", "extendedTypesEnabled=true", "readonlymode.enabled=true"}
	assert.Equal(t, want, read(), "a file without users is not named")
	require.NoError(t, os.WriteFile(users, []byte("Server {};\n"), 0o644))
	assert.Equal(t, append(want, "java.security.auth.login.config="+users), read())

	port, err := clientPort(path)
	require.NoError(t, err)
	assert.Equal(t, "2181", port)
}

// A shim starts its server again when it was told to kill it, and ends when the
// server ends by itself.
func TestSupervise_StartsAgainWhatItKills(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ended := make(chan int, 1)
	go func() {
		code, err := supervise(ours, []string{"/bin/sh", "-c", `echo run >>"$0"; [ $(wc -l <"$0") = 2 ] && exit 7; exec sleep 60`, runs})
		assert.NoError(t, err)
		ended <- code
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(runs); return err == nil }, 10*time.Second, 10*time.Millisecond)
	_, err := theirs.Write([]byte("kill\n"))
	require.NoError(t, err)
	select {
	case code := <-ended:
		assert.Equal(t, 7, code)
	case <-time.After(30 * time.Second):
		t.Fatal("it has not ended")
	}
}

// Nobody else ends a server whose test was killed together with all else.
func TestSupervise_EndsWithWhoStartedIt(t *testing.T) {
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := supervise(ours, []string{"/bin/sleep", "60"})
		ended <- err
	}()
	require.NoError(t, theirs.Close())
	select {
	case err := <-ended:
		assert.Error(t, err)
	case <-time.After(30 * time.Second):
		t.Fatal("it has not ended")
	}
}

func TestPost_KillsALeaderOnly(t *testing.T) {
	p, err := newPost(filepath.Join(t.TempDir(), "post"))
	require.NoError(t, err)
	defer p.close()
	follower, leader := fakeServer(t, "Mode: follower\n"), fakeServer(t, "Mode: leader\n")
	report := func(addr string) net.Conn {
		conn, err := net.Dial("unix", p.path)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = conn.Write([]byte(addr + "\n"))
		require.NoError(t, err)
		return conn
	}
	report(follower)
	require.Eventually(t, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.shims) == 1 }, 10*time.Second, time.Millisecond)
	assert.False(t, p.killLeader(context.Background()))
	conn := report(leader)
	require.Eventually(t, func() bool { return p.killLeader(context.Background()) }, 10*time.Second, 10*time.Millisecond)
	told := make([]byte, 5)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Read(told)
	require.NoError(t, err)
	assert.Equal(t, "kill\n", string(told))
}

// fakeServer answers every question alike.
func fakeServer(t *testing.T, answer string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4))
			_, _ = conn.Write([]byte(answer))
			conn.Close()
		}
	}()
	return ln.Addr().String()
}
