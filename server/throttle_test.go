package server

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

func admitted(t *throttle, kind sessionKind, now time.Duration, n int) (yes int) {
	for range n {
		if t.admit(kind, now) {
			yes++
		}
	}
	return yes
}

func newTestThrottle(cfg ConnectionThrottle) *throttle {
	cfg.setDefaults()
	return newThrottle(cfg, 0, 1)
}

func TestThrottle_Tokens(t *testing.T) {
	th := newTestThrottle(ConnectionThrottle{Tokens: 10, FillTime: 100 * time.Millisecond, FillCount: 2})
	assert.Equal(t, 10, admitted(th, sessionGlobal, 0, 50))
	assert.Equal(t, 0, admitted(th, sessionGlobal, 99*time.Millisecond, 50))
	assert.Equal(t, 2, admitted(th, sessionGlobal, 100*time.Millisecond, 50))
	assert.Equal(t, 4, admitted(th, sessionGlobal, 350*time.Millisecond, 50), "the odd 50 ms are kept")
	assert.Equal(t, 2, admitted(th, sessionGlobal, 400*time.Millisecond, 50))
	assert.Equal(t, 10, admitted(th, sessionGlobal, time.Hour, 50), "the bucket does not overflow")
	_, deficit := th.state()
	assert.Equal(t, 10, deficit)
}

func TestThrottle_Weights(t *testing.T) {
	th := newTestThrottle(ConnectionThrottle{Tokens: 6, FillTime: time.Hour, Weighted: true})
	assert.Equal(t, 1, admitted(th, sessionGlobal, 0, 1))
	assert.Equal(t, 1, admitted(th, sessionRenewed, 0, 5))
	assert.Equal(t, 1, admitted(th, sessionLocal, 0, 5))
}

func TestThrottle_ProbabilityRisesAndFalls(t *testing.T) {
	th := newTestThrottle(ConnectionThrottle{Tokens: 1, FillTime: 24 * time.Hour, FreezeTime: time.Millisecond,
		DropIncrease: 0.25, DropDecrease: 0.1, DecreaseRatio: 0.5})
	require.True(t, th.admit(sessionGlobal, 0))
	for i, want := range []float64{0.25, 0.5, 0.75, 1, 1} {
		assert.False(t, th.admit(sessionGlobal, time.Duration(i+1)*2*time.Millisecond))
		drop, _ := th.state()
		assert.InDelta(t, want, drop, 1e-9)
	}
	assert.Equal(t, 0, admitted(th, sessionGlobal, 24*time.Hour, 1), "with tokens there again, but not sure yet")
	drop, _ := th.state()
	assert.InDelta(t, 0.9, drop, 1e-9)
}

func TestThrottle_SendsClientsAway(t *testing.T) {
	h := newHand(Config{ConnectionThrottle: ConnectionThrottle{Tokens: 2, FillTime: time.Second}})
	h.join(t)
	h.join(t)
	w, resp := h.connect(t, proto.ConnectRequest{TimeoutMillis: 4000})
	assert.Nil(t, resp)
	assert.True(t, w.closed)
	assert.Empty(t, w.got)
	h.clock += time.Second
	h.join(t)
}

func TestThrottle_Validate(t *testing.T) {
	for _, cfg := range []ConnectionThrottle{
		{Tokens: -1}, {DropIncrease: 2}, {DropDecrease: -0.1}, {FillTime: -1}, {Tokens: 2, Weighted: true}, {GlobalWeight: -3},
	} {
		assert.ErrorContains(t, Config{ConnectionThrottle: cfg}.Validate(), "ConnectionThrottle", "%+v", cfg)
	}
	assert.NoError(t, Config{ConnectionThrottle: ConnectionThrottle{Tokens: 3, Weighted: true}}.Validate())
}

func TestLimits_ConnectionsOfAll(t *testing.T) {
	h := newHand(Config{MaxCnxns: 2})
	a := h.dial("10.0.0.1:1")
	require.NotNil(t, h.dial("10.0.0.2:1"))
	assert.Nil(t, h.dial("10.0.0.3:1"))
	a.c.Abort("test")
	assert.NotNil(t, h.dial("10.0.0.3:1"))
}

// Large requests of all clients together are bounded, those not yet whole too.
func TestLimits_LargeRequests(t *testing.T) {
	h := newHand(Config{LargeRequestThreshold: 1000, LargeRequestMaxBytes: 5000})
	a, b, c := h.join(t), h.join(t), h.join(t)
	large := request(1, proto.OpCreate, createOf("/a", string(make([]byte, 3000)), 0))
	a.send(large[:100])
	assert.Positive(t, h.s.largeBytes.Load(), "it counts from its length on")
	b.send(large)
	assert.EqualValues(t, len(large)-4, h.s.largeBytes.Load(), "and there is no room for another")
	h.settle()
	assert.True(t, b.closed || b.ended)
	a.send(large[100:])
	h.settle()
	assert.Equal(t, proto.OK, a.reply(t, &proto.PathReply{}).Err)
	assert.Zero(t, h.s.largeBytes.Load())
	c.send(large[:100])
	c.c.Abort("the client went away")
	assert.Zero(t, h.s.largeBytes.Load(), "what never came is not counted for ever")
	d := h.join(t)
	d.send(binary.BigEndian.AppendUint32(nil, 5001))
	h.settle()
	assert.True(t, d.closed || d.ended, "more than all may have together")
	assert.EqualValues(t, 2, h.s.metrics.LargeRejected.Value())
}
