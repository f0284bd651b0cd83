package differential

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGenerate_SameSeedSameScript(t *testing.T) {
	for seed := range uint64(200) {
		cfg := GenerateConfig{Requests: 200, Servers: 1 + int(seed%3), Whole: seed%5 == 0}
		s := Generate(seed, cfg)
		require.Equal(t, s.String(), Generate(seed, cfg).String())
		require.GreaterOrEqual(t, s.Requests(), cfg.Requests)
	}
}

// What stands behind a request that may end the connection would be a race.
func TestGenerate_NothingStandsBehindARequestThatEndsTheConnection(t *testing.T) {
	for seed := range uint64(500) {
		for _, step := range Generate(seed, GenerateConfig{Requests: 200, Servers: 1}).Steps {
			for i := range step.Requests {
				last := i == len(step.Requests)-1
				require.True(t, last || !step.Requests[i].closing(), "seed %d:\n%s", seed, &step)
			}
		}
	}
}

func TestScript_TextIsTheScript(t *testing.T) {
	for seed := range uint64(200) {
		s := Generate(seed, GenerateConfig{Requests: 200, Servers: 1 + int(seed%3), Whole: seed%5 == 0})
		again, err := ParseScript(s.String())
		require.NoError(t, err)
		require.Equal(t, s.String(), again.String())
		for i := range s.Steps {
			for j := range s.Steps[i].Requests {
				require.Equal(t, s.Steps[i].Requests[j].frame(77), again.Steps[i].Requests[j].frame(77))
			}
		}
	}
	reaping, err := ParseScript(reapingScript)
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(reaping.String(), "wait 2s"))
	for _, bad := range []string{"nonsense", "open x", "open 1 word=2", "send 1\n 1 nothing", "send 1\n x create", "send 1\n 1 getData \"/a",
		"1 getData \"/a\" b1", "send 1\n 1 setData \"/a\" fill99999999 0", "open 1 session=1 password=good", "wait", "wait 3h", "wait -1s"} {
		_, err := ParseScript(bad)
		assert.Error(t, err, bad)
	}
}

func TestRequest_FrameIsAsOnTheWire(t *testing.T) {
	s, err := ParseScript("send 1\n7 setWatches z3 1 \"/a\" null b1 9L fill2 xff trim=1")
	require.NoError(t, err)
	want := "\x00\x00\x00\x2f" + "\x00\x00\x00\x07\x00\x00\x00\x65" + "\x00\x00\x00\x00\x00\x00\x00\x08" + "\x00\x00\x00\x01" +
		"\x00\x00\x00\x02/a" + "\xff\xff\xff\xff" + "\x01" + "\x00\x00\x00\x00\x00\x00\x00\x09" + "\x00\x00\x00\x02ff"
	got := s.Steps[0].Requests[0].frame(5)
	assert.Equal(t, len(want)-4, int(binary.BigEndian.Uint32(got)))
	assert.Equal(t, want[4:], string(got[4:]))
}

// The shrinker finds what a failure needs, here a create behind an open, and
// nothing more.
func TestShrink_KeepsWhatFails(t *testing.T) {
	s := Generate(3, GenerateConfig{Requests: 300, Servers: 1})
	fails := func(s *Script) bool {
		opened := false
		for _, step := range s.Steps {
			opened = opened || step.Kind == Open
			for _, r := range step.Requests {
				if opened && r.Op == opCreate && strings.HasPrefix(r.path(), "/") {
					return true
				}
			}
		}
		return false
	}
	require.True(t, fails(s))
	small := Shrink(s, fails)
	require.True(t, fails(small))
	assert.Len(t, small.Steps, 2)
	assert.Equal(t, 2, small.Requests())
	untouched := Generate(3, GenerateConfig{Requests: 300, Servers: 1})
	assert.Equal(t, untouched.String(), s.String(), "the script given stays as it was")
}
