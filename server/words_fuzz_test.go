package server

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// ask sends a word by a connection of its own and returns the answer.
func (h *hand) askWord(t testing.TB, word string) string {
	t.Helper()
	w := h.dial("10.0.0.9:9")
	require.NotNil(t, w)
	w.send([]byte(word))
	for w.flush && w.output() {
	}
	require.True(t, w.ended)
	return string(w.got)
}

// What is in work shows while it is, and its latency when it is done: of writes
// that wait for a quorum and of reads behind them.
func TestWords_OutstandingAndLatencyUnderLoad(t *testing.T) {
	h := newHand(Config{Whitelist: []string{"*"}})
	w := h.join(t)
	h.askWord(t, "srst")
	h.late = true
	for xid := range int32(3) {
		w.send(request(xid+1, proto.OpCreate, createOf("/n", "", proto.FlagSequential)))
	}
	w.send(request(4, proto.OpGetData, read("/", false)))
	h.settle()
	assert.Contains(t, h.askWord(t, "srvr"), "Outstanding: 4\n")
	assert.Contains(t, h.askWord(t, "cons"), "(queued=4,")
	assert.Contains(t, h.askWord(t, "mntr"), "zk_outstanding_requests\t4\n")
	h.clock += 250 * time.Millisecond
	for len(h.queue) > 0 {
		h.step()
	}
	h.settle()
	srvr := h.askWord(t, "srvr")
	assert.Contains(t, srvr, "Outstanding: 0\n")
	assert.Contains(t, srvr, "Latency min/avg/max: 250/250.0/250\n")
	mntr := h.askWord(t, "mntr")
	for _, line := range []string{"cnt_updatelatency\t3", "cnt_readlatency\t1", "max_readlatency\t250", "op_count_create\t3", "op_count_total\t4",
		"sum_n0000000000_write_per_namespace\t12", "cnt_propagation_latency\t3"} {
		assert.Contains(t, mntr, "zk_"+line+"\n")
	}
}

// Whatever begins like a word, in whatever pieces, is answered once and whole, or
// waits for more; and never anything else comes of it.
func FuzzWords(f *testing.F) {
	for _, n := range slices.Sorted(maps.Keys(words)) {
		f.Add([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, uint8(4))
	}
	f.Add([]byte("stmk\x00\x00\x00\x00\x00\x00\x00\x07ruok"), uint8(3))
	f.Add([]byte("stmk\xff\xf4\xff\xfd"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		if len(b) > 64 {
			return
		}
		h := newHand(Config{Whitelist: []string{"*"}})
		w := h.dial("10.0.0.9:9")
		for rest := b; len(rest) > 0; {
			n := min(int(step)+1, len(rest))
			w.send(rest[:n])
			rest = rest[n:]
			for w.flush && w.output() {
			}
		}
		first := int32(0)
		for _, x := range append(slices.Clone(b), 0, 0, 0, 0)[:4] {
			first = first<<8 | int32(x)
		}
		word, known := words[first]
		if len(b) < wordBytes || !known {
			return
		}
		whole := !word.argue || len(b) >= wordBytes+argumentBytes
		require.Equal(t, whole, w.ended, "%q", b)
		require.LessOrEqual(t, w.ends, 1)
		if word.argue && whole {
			require.Equal(t, h.s.wordGtmk(), string(w.got))
		}
		require.False(t, strings.Contains(string(w.got), "whitelist"))
	})
}
