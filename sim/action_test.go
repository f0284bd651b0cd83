package sim

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever the nemesis does can be written down and read again.
func TestAction_PrintsWhatItParses(t *testing.T) {
	w, err := newWorld(Config{Seed: 5, Servers: 5, Faults: &Faults{Families: Families}}.withDefaults())
	require.NoError(t, err)
	w.begin()
	w.run(2 * time.Second)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 400 {
		w.nemesis.act(Families[rng.IntN(len(Families))], w.hosts[rng.IntN(5)].id)
		w.run(w.now + 20*time.Millisecond)
	}
	require.NotEmpty(t, w.nemesis.done)
	for _, a := range w.nemesis.done {
		back, err := parseAction(strings.Fields(a.String()))
		require.NoError(t, err, "%v", a.Action)
		assert.Equal(t, a.Action, back)
	}
}

func TestAction_SaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"explode 1":           `unknown fault "explode"`,
		"kill":                "which server?",
		"kill 1 2":            "takes one server",
		"cut 1":               "want two servers",
		"cut 1 2 3":           "at most two servers",
		"blackout 1":          "concerns all",
		"port 1":              "a port",
		"kill 1 for ever":     "invalid duration",
		"kill 1 for":          "want: fault",
		"kill 1 for -1s":      "must not be negative",
		"kill 1 salt x":       "invalid syntax",
		"kill 1 twice please": "want: for or salt",
	} {
		_, err := parseAction(strings.Fields(text))
		assert.ErrorContains(t, err, want, text)
	}
}

func TestScript_SaysWhichLineIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"servers three":                   "line 1: servers three",
		"servers 3\nexplode 1":            `line 2: explode 1: unknown command "explode"`,
		"start 1\nservers 3":              "line 2: servers 3: it describes the world",
		"start":                           "want: start N",
		"mutant M02":                      "want: mutant",
		"servers 99":                      "99 servers",
		"on boot 1 start 1":               "want: on EVENT",
		"on boot 1 do explode 1":          "unknown command",
		"disk 1":                          "want: disk N",
		"kill 1 for ever":                 "invalid duration",
		"at 1s":                           "want: at 12.5s FAULT",
		"servers 3\nrecorder\nfinale now": "want: finale",
	} {
		_, err := ParseScript(strings.NewReader(text))
		assert.ErrorContains(t, err, want, text)
	}
}

// A script whose expectation does not come true is red, at the line that says so.
func TestScript_UnmetExpectationsAreViolations(t *testing.T) {
	for text, want := range map[string]string{
		"servers 3\nrecorder\nstart 1\nexpect leader 1":            "line 4: expect leader 1: no server leads",
		"recorder\nstart 1 2 3\nawait leader 1 within 2s":          "line 3: await leader 1 within 2s: server 3 leads, after 2s",
		"recorder\nstart 1 2 3 4":                                  `"4" is no server of this world`,
		"recorder\nstart 1 2 3\nawait leader any\nexpect logged 1": "want two words",
		"recorder\nexpect sunshine":                                "no such condition; they are",
		"recorder\nrun soon":                                       "invalid duration",
		"recorder\nuntil 2s\nuntil 1s":                             "it is 2s already",
		"recorder\ndeliver 1>2 7":                                  "0 are held",
		"servers 1\nstart 1\nawait leader 1\nclient 1 get /":       "it has no session",
		"servers 1\nstart 1\nawait leader 1\nclient 1 connect 1\nclient 1 set /no x\nclient 1 got ok": `it got "no node"`,
	} {
		s, err := ParseScript(strings.NewReader(text))
		require.NoError(t, err, text)
		r, err := s.Run(Config{})
		require.NoError(t, err, text)
		require.NotNil(t, r.Violation, text)
		assert.Equal(t, "expect", r.Violation.Invariant)
		assert.Contains(t, r.Violation.Text, want)
	}
}

func FuzzParseScript(f *testing.F) {
	f.Add("servers 3\nrecorder\nstart 1 2 3\nawait leader any\npropose 3\nfinale\n")
	f.Add("# a\nmutant M02 violates B7\non boot 1 nth 2 do crash 1 power\nat 1.5s cut 1 2 quorum for 3s salt 9")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseScript(strings.NewReader(text)); err == nil && s == nil {
			t.Fatal("neither a script nor an error")
		}
	})
}
