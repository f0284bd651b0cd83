package integration_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/quorate/quorate/integration_test/cluster"
)

// The checkers must not be blind themselves.

func TestLoad_LongestGap(t *testing.T) {
	s := time.Second
	l := &load{acks: []time.Duration{1 * s, 2 * s, 5 * s, 6 * s}}
	assert.Equal(t, 3*s, l.LongestGap(0, 7*s))
	assert.Equal(t, 4*s, l.LongestGap(0, 10*s), "the end counts")
	assert.Equal(t, 2*s, l.LongestGap(3*s, 6*s), "from the moment on, not from the write before it")
	assert.Equal(t, 10*s, l.LongestGap(20*s, 30*s), "no write at all")
}

func TestSyncedPattern_ReadsBothLogFormats(t *testing.T) {
	for line, want := range map[string]string{
		`time=t level=INFO msg=synchronized sid=1 mode=TRUNC+DIFF peer=3`:                "TRUNC+DIFF",
		`{"time":"t","level":"INFO","msg":"synchronized","sid":1,"mode":"SNAP"}`:         "SNAP",
		`time=t level=INFO msg=elected sid=1 state=FOLLOWING leader=3 mode=synchronized`: "",
	} {
		got := ""
		if m := syncedPattern.FindStringSubmatch(line); m != nil {
			got = m[1]
		}
		assert.Equal(t, want, got, line)
	}
}

func TestStatusSids(t *testing.T) {
	assert.Equal(t, []int{1, 9}, statusSids("SID  MODE\n9    observer\n1    leader  4\n\n"))
}

// Ports below the ephemeral range, and none twice.
func TestFreePorts(t *testing.T) {
	seen := map[int]bool{}
	for range 50 {
		ports, err := cluster.FreePorts(4)
		assert.NoError(t, err)
		for i, port := range ports {
			assert.Equal(t, ports[0]+i, port)
			assert.Less(t, port, 32768)
			assert.False(t, seen[port], "port %d was given out twice", port)
			seen[port] = true
		}
	}
}
