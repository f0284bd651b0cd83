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

// What a script awaits or expects is looked at before anything happens.
func TestScript_ConditionsAreReadWithTheScript(t *testing.T) {
	for condition, want := range map[string]string{
		"sunshine":       "no such condition; they are",
		"not":            "no such condition; they are",
		"not sunshine":   "no such condition; they are",
		"leader":         "want: leader N|any|none",
		"leader 1 2":     "want: leader N|any|none",
		"leader 4":       `"4" is no server of this world`,
		"serving 1 2 9":  `"9" is no server of this world`,
		"state 1 LEADER": `"LEADER" is no state (want: state N LOOKING`,
		"logged 1":       "want: logged N EPOCH:COUNTER",
		"durable 1 nine": `"nine": want EPOCH:COUNTER`,
		"committed 1":    `"1": want EPOCH:COUNTER`,
		"epochs 1 1":     "want: epochs N ACCEPTED CURRENT",
		"epochs 1 1 x":   "invalid syntax",
		"sure 0":         `"0" is no server`,
		"synced 1 DIF":   `"DIF" is no way`,
		"leaders many":   "invalid syntax",
		"same thing":     "want: same",
		"held 1-2 3":     `"1-2": want A>B`,
		"held 1>2 x":     "invalid syntax",
		"saw sunrise 1":  `"sunrise" is no event`,
		"saw boot 1 x":   "invalid syntax",
		"round 1 x":      "invalid syntax",
		"voting 7 1":     `"7" is no server`,
		"linked 1 7":     `"7" is no server`,
		"snapshot 1 1.1": "want EPOCH:COUNTER",
	} {
		for _, line := range []string{"expect " + condition, "await " + condition + " within 1s", "on boot 1 do await " + condition} {
			_, err := ParseScript(strings.NewReader("recorder\n" + line))
			assert.ErrorContains(t, err, "line 2: "+line, line)
			assert.ErrorContains(t, err, want, line)
		}
	}
	for line, want := range map[string]string{
		"await leader 2 within soon":       "invalid duration",
		"on sunrise 1 do start 1":          `"sunrise" is no event`,
		"on boot 9 do start 1":             `"9" is no server`,
		"on boot 1 nth x do start 1":       "invalid syntax",
		"on boot 1 do on boot 9 do run 1s": `"9" is no server`,
	} {
		_, err := ParseScript(strings.NewReader("recorder\n" + line))
		assert.ErrorContains(t, err, want, line)
	}
}

// A script whose expectation does not come true is red, at the line that says so.
func TestScript_UnmetExpectationsAreViolations(t *testing.T) {
	for text, want := range map[string]string{
		"servers 3\nrecorder\nstart 1\nexpect leader 1":      "line 4: expect leader 1: no server leads",
		"recorder\nstart 1 2 3\nawait leader 1 within 2s":    "line 3: await leader 1 within 2s: server 3 leads, after 2s",
		"recorder\nstart 1 2 3 4":                            `"4" is no server of this world`,
		"recorder\nrun soon":                                 "invalid duration",
		"recorder\nuntil 2s\nuntil 1s":                       "it is 2s already",
		"recorder\ndeliver 1>2 7":                            "0 are held",
		"servers 1\nstart 1\nawait leader 1\nclient 1 get /": "it has no session",
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
