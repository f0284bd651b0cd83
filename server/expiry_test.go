package server

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

// A follower may have applied a session, given it to its client and lost it,
// before the leader has applied it: another server that asks then must not be
// told that there is no such session. And its time begins when it is applied, not
// when it was proposed, which may be long before.
func TestSession_LivesFromItsProposalAndExpiresFromItsCommit(t *testing.T) {
	var expired []int64
	h := newHand(Config{TickTime: 100 * time.Millisecond, Trace: &Trace{Expired: func(id int64) { expired = append(expired, id) }}})
	const id, timeout = 77, 500 * time.Millisecond
	create := appendRequest(id, 0, proto.OpCreateSession, false, encodeIDs(nil), proto.Marshal(&proto.CreateSessionTxn{TimeoutMillis: int32(timeout.Milliseconds())}))
	ask := func() bool {
		valid, known := readRevalidated(h.s.Answer(3, askRevalidate(id, timeout)))
		require.True(t, known)
		return valid
	}
	assert.False(t, ask(), "nobody has asked for that session")
	h.zxid++
	txn := zabTxn(h.zxid, h.s.Prepare(h.zxid, zabOrigin(2), create))
	assert.True(t, ask(), "it is proposed, and some server may have applied it")

	for range 5 {
		h.clock += timeout
		h.s.Housekeep()
	}
	assert.Empty(t, expired, "it does not exist yet")
	h.s.Apply(txn)
	h.clock += timeout - 50*time.Millisecond
	h.s.Housekeep()
	assert.Empty(t, expired, "it was applied less than its timeout ago")
	h.clock += 300 * time.Millisecond
	h.s.Housekeep()
	assert.Equal(t, []int64{id}, expired)
}
