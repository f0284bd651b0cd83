package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// reaped returns the paths whose deletion was submitted since the last call.
func (h *hand) reaped(t *testing.T) (paths []string) {
	for _, line := range h.lines {
		var raw []byte
		if _, hex, ok := strings.Cut(line, " submit "); ok {
			_, err := fmt.Sscanf(hex, "%x", &raw)
			require.NoError(t, err)
			var req proto.Request
			require.NoError(t, proto.Unmarshal(raw, &req))
			if req.Op == proto.OpDeleteContainer {
				var p proto.PathRequest
				require.NoError(t, proto.Unmarshal(req.Body, &p))
				paths = append(paths, p.Path)
			}
		}
	}
	h.lines = nil
	return paths
}

// turn lets time pass and the server keep house.
func (h *hand) turn(d time.Duration) {
	h.clock += d
	h.s.Housekeep()
}

// usedContainers makes containers that have had a child.
func usedContainers(h *hand, w *handWire, n int) (paths []string) {
	for i := range n {
		path := fmt.Sprintf("/c%03d", i)
		w.do(proto.OpCreateContainer, createOf(path, "", proto.FlagContainer))
		w.do(proto.OpCreate, createOf(path+"/x", "", 0))
		w.do(proto.OpDelete, &proto.PathVersionRequest{Path: path + "/x", Version: -1})
		paths = append(paths, path)
	}
	h.lines = nil
	return paths
}

func ttlOf(path string, ttl int64) *proto.CreateTTLRequest {
	return &proto.CreateTTLRequest{CreateRequest: *createOf(path, "", proto.FlagTTL), TTLMillis: ttl}
}

func TestReaper_DeletesWhatNobodyNeeds(t *testing.T) {
	h := newHand(Config{ExtendedTypes: true, ContainerCheckInterval: 10 * time.Second, MaxSessionTimeout: time.Hour})
	w := h.join(t)
	usedContainers(h, w, 1)
	w.do(proto.OpCreateContainer, createOf("/fresh", "", proto.FlagContainer))
	w.do(proto.OpCreateTTL, ttlOf("/short", 9000))
	w.do(proto.OpCreateTTL, ttlOf("/long", 15000))
	w.do(proto.OpCreate, createOf("/plain", "", 0))
	for range 9 {
		h.turn(time.Second)
	}
	assert.Empty(t, h.reaped(t), "the first check comes after an interval")
	for range 10 {
		h.turn(time.Second)
	}
	assert.ElementsMatch(t, []string{"/c000", "/short"}, h.reaped(t))
	for range 11 {
		h.turn(time.Second)
	}
	assert.Equal(t, []string{"/long"}, h.reaped(t))
	node, _ := h.s.tree.Node("/")
	assert.Equal(t, []string{"fresh", "plain", "zookeeper"}, node.Children())
}

func TestReaper_NeverUsedContainers(t *testing.T) {
	h := newHand(Config{ContainerCheckInterval: time.Second, ContainerNeverUsedMax: 3 * time.Second})
	w := h.join(t)
	w.do(proto.OpCreateContainer, createOf("/fresh", "", proto.FlagContainer))
	for range 3 {
		h.turn(time.Second)
	}
	assert.Empty(t, h.reaped(t))
	h.turn(time.Second)
	h.turn(time.Second)
	assert.Equal(t, []string{"/fresh"}, h.reaped(t))
}

func TestReaper_KeepsToItsRate(t *testing.T) {
	h := newHand(Config{ContainerCheckInterval: time.Second, ContainersPerMinuteMax: 120, TickTime: time.Hour})
	w := h.join(t)
	want := usedContainers(h, w, 10)
	h.turn(time.Hour)
	first := h.reaped(t)
	assert.Len(t, first, 1, "no burst, however long nothing was to be done")
	all := first
	for range 100 {
		h.turn(100 * time.Millisecond)
		got := h.reaped(t)
		assert.LessOrEqual(t, len(got), 1)
		all = append(all, got...)
	}
	assert.ElementsMatch(t, want, all)
	assert.Len(t, all, 10)
}

func TestReaper_ProposesNothingTwice(t *testing.T) {
	h := newHand(Config{ContainerCheckInterval: time.Second})
	w := h.join(t)
	want := usedContainers(h, w, 3)
	h.late = true
	var got []string
	for range 20 {
		h.turn(time.Second)
		got = append(got, h.reaped(t)...)
	}
	slices.Sort(got)
	assert.Equal(t, want, got)

	h.look() // nobody knows what becomes of them
	h.late = false
	h.lead()
	h.turn(time.Second)
	h.turn(time.Second)
	got = h.reaped(t)
	slices.Sort(got)
	assert.Equal(t, want, got, "the next leadership begins anew")
	assert.Zero(t, h.s.tree.MortalCount())
}

func TestReaper_LooksAgainBeforeItProposes(t *testing.T) {
	h := newHand(Config{ContainerCheckInterval: time.Second, ContainersPerMinuteMax: 60})
	w := h.join(t)
	usedContainers(h, w, 2)
	h.turn(time.Second)
	require.Len(t, h.reaped(t), 1)
	left, _ := h.s.tree.Node("/")
	w.do(proto.OpCreate, createOf("/"+left.Children()[0]+"/x", "", 0))
	for range 5 {
		h.turn(time.Second)
	}
	assert.Empty(t, h.reaped(t))
}

func TestReaper_OnlyOnTheLeader(t *testing.T) {
	h := newHand(Config{ContainerCheckInterval: time.Second})
	w := h.join(t)
	usedContainers(h, w, 3)
	h.look()
	for range 10 {
		h.turn(time.Second)
	}
	assert.Empty(t, h.reaped(t))
}

// A check of very many goes on over several turns, so that nothing else waits
// for it.
func TestReaper_LooksInPortions(t *testing.T) {
	h := newHand(Config{ContainerCheckInterval: time.Second, ContainersPerMinuteMax: 1 << 30})
	w := h.join(t)
	const n = reapLookMax + 10
	for at := 0; at < n; at += 1000 {
		m := &proto.MultiRequest{}
		for i := at; i < min(n, at+1000); i++ {
			m.Ops = append(m.Ops, proto.MultiOp{Op: proto.OpCreateContainer, Request: createOf(fmt.Sprintf("/%d", i), "", proto.FlagContainer)})
		}
		w.do(proto.OpMulti, m)
	}
	require.Equal(t, n, h.s.tree.MortalCount())
	w.do(proto.OpCreate, createOf("/0/x", "", 0))
	w.do(proto.OpDelete, &proto.PathVersionRequest{Path: "/0/x", Version: -1})
	h.turn(time.Second)
	assert.Empty(t, h.reaped(t), "the first is looked at last")
	h.turn(time.Millisecond)
	assert.Equal(t, []string{"/0"}, h.reaped(t))
}
