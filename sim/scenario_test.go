package sim

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/sim/check"
)

var (
	chancesFlag = flag.Uint64("sim.chances", 12, "number of seeds under which each scenario is played")
	storyFlag   = flag.Bool("sim.story", false, "print everything that happens in scenarios")
)

// required are the bugs of ZooKeeper that have to have a scene.
var required = []string{
	"261", "569", "582", "1046", "1154", "1208", "1277", "1291", "1419", "1489", "1514", "1549", "1551", "1653", "1675",
	"1732", "1817", "1863", "2164", "2247", "2332", "2355", "2418", "2560", "2623", "2678", "2832", "2845", "2846", "2872",
	"2959", "3023", "3056", "3104", "3109", "3127", "3144", "3145", "3231", "3642", "3701", "3911", "4352", "4394", "4475",
	"4643", "4646", "4685", "4712", "4785", "4882", "4925", "5010", "5094",
}

// scenarios returns all scripts of testdata, by name.
func scenarios(t *testing.T) map[string]*Script {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	scripts := map[string]*Script{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		script, err := ParseScript(strings.NewReader(string(text)))
		require.NoError(t, err, name)
		scripts[strings.TrimSuffix(filepath.Base(name), ".txt")] = script
	}
	return scripts
}

// told is the configuration to play a script under a seed, 0 for its own.
func told(t *testing.T, seed uint64) Config {
	cfg := Config{Seed: seed}
	if *storyFlag {
		cfg.Trace = func(ev *check.Event) { t.Log(Line(ev)) }
	}
	return cfg
}

func play(t *testing.T, script *Script, seed uint64) Report {
	t.Helper()
	report, err := script.Run(told(t, seed))
	require.NoError(t, err)
	return report
}

func TestScenarios_AreGreen(t *testing.T) {
	for name, script := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			if r := play(t, script, 0); r.Violation != nil {
				t.Fatal(r.Violation.Story())
			}
		})
	}
}

// A scene reaches its moment by what it holds back and waits for, and not by the
// luck of one seed.
func TestScenarios_DoNotDependOnChance(t *testing.T) {
	for name, script := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			for seed := uint64(1); seed <= *chancesFlag; seed++ {
				if r := play(t, script, seed); r.Violation != nil {
					t.Error(r.Violation.Story())
				}
			}
		})
	}
}

func TestScenarios_SameSeedSameStory(t *testing.T) {
	for name, script := range scenarios(t) {
		assert.Equal(t, play(t, script, 1).Hash, play(t, script, 1).Hash, name)
	}
}

func TestScenarios_AreThoseThatMustBe(t *testing.T) {
	scripts := scenarios(t)
	shown := map[string]bool{}
	for name, s := range scripts {
		require.NotEmpty(t, s.Title, name)
		require.NotEmpty(t, s.commands, name)
		assert.Equal(t, "finale", s.commands[len(s.commands)-1].words[0], "%s ends with the finale", name)
		assert.Less(t, s.commands[len(s.commands)-1].line, 60, "%s is short", name)
		assert.True(t, slices.ContainsFunc(s.commands, func(c command) bool { return c.words[0] == "expect" || c.words[0] == "await" }),
			"%s looks whether it got to its moment", name)
		for _, number := range regexp.MustCompile(`\d+`).FindAllString(s.Title, -1) {
			shown[number] = true
		}
	}
	for _, bug := range required {
		assert.True(t, shown[bug], "ZOOKEEPER-%s has no scenario", bug)
	}
	for _, name := range []string{
		"election_cold_start", "election_follower_restart", "election_leader_dies", "trace_2845a", "trace_2845b", "trace_2845c", "trace_3911",
	} {
		assert.Contains(t, scripts, name)
	}
}

// docs/scenarios.md has every word of the language, and every script with its
// mutants.
func TestScenarios_AreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "scenarios.md"))
	require.NoError(t, err)
	doc := string(text)
	mentions := func(what, word string) {
		assert.Regexp(t, "`"+regexp.QuoteMeta(word)+"[ `]", doc, "%s %s", what, word)
	}
	for name := range verbs {
		mentions("command", name)
	}
	for name := range conditions {
		mentions("condition", name)
	}
	for _, f := range Families {
		mentions("fault", string(f))
	}
	for _, op := range operations {
		mentions("operation", string(op))
	}
	for _, kind := range kinds {
		mentions("event", string(kind))
	}
	for _, word := range []string{
		"servers", "observers", "recorder", "quotas", "tick", "snapshot-txns", "last-counter", "empty-disks", "seed", "loss", "clients", "rate",
		"begin", "mutant",
	} {
		mentions("header", word)
		known, _ := (&Script{}).header(command{1, []string{word}})
		assert.True(t, known, word)
	}
	for _, word := range []string{"connect 3", "leave", "close", "create", "set", "get", "sync", "watch", "multi", "got", "waits", "notice", "silent"} {
		mentions("request", "client 1 "+word)
	}
	for name, script := range scenarios(t) {
		var mutants []string
		for _, m := range script.Mutants {
			mutants = append(mutants, m.ID)
		}
		assert.Regexp(t, `(?m)^\| .`+name+`. \| .* \| .+ \| `+strings.Join(mutants, ", ")+` \|$`, doc, "the row of %s", name)
	}
	assert.Equal(t, len(scenarios(t)), len(regexp.MustCompile("(?m)^\\| `[a-z_0-9]+` \\| .* \\| .* \\| .*\\|$").FindAllString(doc, -1)), "rows of the table")
}

// wrong are scripts whose last line cannot be done, with what is said about it.
func wrong() map[string]string {
	up := "servers 3\nrecorder\nstart 1 2 3\nawait serving 1 2 3\nawait leader 3\n"
	clients := "servers 1\nstart 1\nawait serving 1\n"
	return map[string]string{
		up + "start 1":                                    "server 1 is up already",
		up + "crash 1\ncrash 1":                           "server 1 is down already",
		up + "crash 1 power 2":                            `"power" is no server`,
		up + "empty 1":                                    "server 1 is up",
		up + "spoil 1 log":                                "server 1 is up",
		up + "crash 1\nspoil 1 snapshot":                  "no snapshot among its files",
		up + "crash 1\nlose 1 everything":                 "no everything among its files",
		up + "crash 1\ndisk 1 dies sync":                  "server 1 is down",
		up + "disk 1 explodes":                            "want: disk N",
		up + "disk 1 fails":                               "want an operation",
		up + "disk 1 fails think":                         "want an operation",
		up + "disk 1 fails sync log nth two":              "invalid syntax",
		up + "disk 1 dies kept":                           "want an operation",
		up + "disk 9 ok":                                  `"9" is no server`,
		up + "part election":                              "want two servers",
		up + "part 1":                                     "want A>B",
		up + "part 1 2 3":                                 "want two servers",
		up + "part 1 7":                                   `"7" is no server`,
		up + "hold 1>2 PROPOSITION":                       "no packet",
		up + "hold 12 ACK":                                "want A>B",
		up + "deliver 1>2 -1":                             "0 are held",
		up + "propose many":                               "invalid syntax",
		up + "propose 1 @x":                               "invalid syntax",
		up + "propose 1 @-5":                              "want at most",
		up + "propose 1 to 2":                             "want: propose",
		up + "propose 1000000":                            "want at most",
		up + "crash 1\npropose 1 at 1":                    "nobody is there",
		up + "crash 1 2 3\npropose 1":                     "nobody is there",
		up + "part 3 1\npart 3 2\nrun 2s\npropose 1 at 3": "server 3 does not serve yet",
		up + "on boot 1 do start 1\nfinale":               "on boot 1: that did not happen",
		up + "clock 1 noon":                               "invalid duration",
		up + "speed fast":                                 "invalid syntax",
		up + "speed -1":                                   "must not be negative",
		up + "expect not leader 3":                        "that is the case",
		up + "expect saw boot 1 2":                        "1 times",
		up + "expect round 1 7":                           "its round is 1",
		up + "expect voting 1 2":                          "it votes for 3",
		up + "expect linked 1 2":                          "it has none",
		up + "expect snapshot 1 1:1":                      "a snapshot at 0:0",
		up + "expect synced 1 SNAP":                       `"DIFF"`,
		up + "await leader 2 within 100ms":                "after 100ms",
		up + "client 1 connect 1\nclient 1 get /":         "it got no session",
		clients + "propose 1":                             "recorder",
		clients + "client 0 connect 1":                    "want the number of a client",
		clients + "client 1 connect 2":                    `"2" is no server`,
		clients + "client 1 connect 1 sometimes":          "want: connect",
		clients + "client 1 connect 1 within soon":        "invalid duration",
		clients + "client 1 connect 1 fails":              "it got session",
		clients + "client 1 got ok":                       "behind a request",
		clients + "client 1 waits":                        "it does not wait",
		clients + "client 1 leave":                        "it is not connected",
		clients + "client 1 dance /":                      `"dance": want connect`,
		clients + "client 1 ~":                            `"": want connect`,
		clients + "client 1 notice NodeCreated":           "want: notice",
		clients + "client 1 connect 1\nclient 1 create /a\nclient 1 got /b":                  `it got "/a"`,
		clients + "client 1 connect 1\nclient 1 get / watch\nclient 1 notice NodeCreated /a": "it got nothing",
	}
}

// Whatever a script says that cannot be done is the violation of an expectation,
// and no panic.
func TestScript_WhatCannotBeDoneIsAViolation(t *testing.T) {
	for text, want := range wrong() {
		s, err := ParseScript(strings.NewReader(text))
		require.NoError(t, err, text)
		r, err := s.Run(Config{})
		require.NoError(t, err, text)
		require.NotNil(t, r.Violation, text)
		assert.Equal(t, "expect", r.Violation.Invariant, text)
		assert.Contains(t, r.Violation.Text, want, text)
	}
}

// With a mutation an unmet expectation does not end the script: it is what is
// left to say when the checkers have nothing.
func TestScript_MutantsGoOn(t *testing.T) {
	s, err := ParseScript(strings.NewReader("servers 3\nrecorder\nstart 1 2 3\nexpect leader 1\nmutate\nawait leader 3\nexpect leader 2\nfinale"))
	require.NoError(t, err)
	on := 0
	r, err := s.RunMutant(Config{}, func() { on++ })
	require.NoError(t, err)
	require.NotNil(t, r.Violation)
	assert.Contains(t, r.Violation.Text, "line 4: expect leader 1")
	assert.Equal(t, 1, on)
	assert.Positive(t, r.Committed, "the finale was played")
}
