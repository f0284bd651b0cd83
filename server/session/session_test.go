package session

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func free(int64) bool { return false }

func TestGenerator_Layout(t *testing.T) {
	g := NewGenerator(3, 0x123456789abc)
	first := g.Next(free)
	assert.EqualValues(t, 3, first>>56, "byte 7 is the server id")
	assert.EqualValues(t, 0x3456789abc, first>>16&0xffffffffff, "then 40 bits of milliseconds")
	assert.EqualValues(t, 0, first&0xffff)
	assert.Equal(t, first+1, g.Next(free))
}

func TestGenerator_NegativeForHighServers(t *testing.T) {
	g := NewGenerator(200, 1)
	assert.Negative(t, g.Next(free))
}

func TestGenerator_SkipsTakenAndReserved(t *testing.T) {
	g := NewGenerator(0, 0)
	assert.EqualValues(t, 1, g.Next(free), "0 means no session")
	assert.EqualValues(t, 4, g.Next(func(id int64) bool { return id < 4 }))
	g = NewGenerator(128, 0)
	assert.NotEqual(t, int64(math.MinInt64), g.Next(free), "the owner of container nodes")
}

func TestPassword_VerifiesOnlyItsOwn(t *testing.T) {
	secret := []byte("of the ensemble")
	p := Password(secret, 7)
	assert.True(t, Verify(secret, 7, p[:]))
	assert.False(t, Verify(secret, 8, p[:]))
	assert.False(t, Verify([]byte("another"), 7, p[:]))
	assert.False(t, Verify(secret, 7, nil))
	assert.False(t, Verify(secret, 7, make([]byte, PasswordBytes)))
	assert.False(t, Verify(secret, 7, append(p[:], 0)))
	assert.Equal(t, "e35487ea98e74f462a384f323cf1ece6", fmt.Sprintf("%x", p[:]), "as openssl dgst -hmac computes it")
}

func TestFormat_LikeZooKeeper(t *testing.T) {
	assert.Equal(t, "0x10000b5d0ee0001", Format(0x10000b5d0ee0001))
	assert.Equal(t, "0xffffffffffffffff", Format(-1))
}

func TestBuckets_BetweenTimeoutAndOneTickMore(t *testing.T) {
	const tick = 100 * time.Millisecond
	for now := time.Duration(0); now < 2*tick; now += 7 * time.Millisecond {
		b := NewBuckets(tick)
		b.Touch(1, now, 250*time.Millisecond)
		at, known := b.Due(1)
		require.True(t, known)
		assert.Greater(t, at, now+250*time.Millisecond)
		assert.LessOrEqual(t, at, now+250*time.Millisecond+tick)
		assert.Empty(t, b.Expire(at-1))
		assert.Equal(t, []int64{1}, b.Expire(at))
		assert.Empty(t, b.Expire(at+time.Hour))
		assert.Zero(t, b.Len())
	}
}

// plain is the obvious implementation: a due time for each session.
type plain struct {
	tick time.Duration
	due  map[int64]time.Duration
}

func (p plain) touch(id int64, now, timeout time.Duration) {
	p.due[id] = ((now+timeout)/p.tick + 1) * p.tick
}

func (p plain) expire(now time.Duration) (out []int64) {
	for _, id := range slices.Sorted(maps.Keys(p.due)) {
		if p.due[id] <= now {
			out = append(out, id)
			delete(p.due, id)
		}
	}
	return out
}

func TestBuckets_AgreeWithObviousImplementation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tick := time.Duration(rapid.IntRange(1, 50).Draw(t, "tick"))
		b, p, now := NewBuckets(tick), plain{tick, map[int64]time.Duration{}}, time.Duration(0)
		id := rapid.Int64Range(1, 6)
		t.Repeat(map[string]func(*rapid.T){
			"touch": func(t *rapid.T) {
				i, d := id.Draw(t, "id"), time.Duration(rapid.IntRange(0, 300).Draw(t, "timeout"))
				b.Touch(i, now, d)
				p.touch(i, now, d)
			},
			"remove": func(t *rapid.T) {
				i := id.Draw(t, "id")
				b.Remove(i)
				delete(p.due, i)
			},
			"expire": func(t *rapid.T) {
				now += time.Duration(rapid.IntRange(0, 200).Draw(t, "later"))
				require.Equal(t, p.expire(now), b.Expire(now))
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(p.due), b.Len())
				for i, at := range p.due {
					got, known := b.Due(i)
					require.True(t, known)
					require.Equal(t, at, got)
				}
				distinct := map[time.Duration]bool{}
				for _, at := range p.due {
					distinct[at] = true
				}
				require.Equal(t, len(distinct), b.Sets(), "empty buckets are dropped")
				listed, last := 0, time.Duration(-1)
				for _, set := range b.List() {
					require.Greater(t, set.At, last, "what is due first comes first")
					require.IsIncreasing(t, append([]int64{-1}, set.Sessions...))
					for _, i := range set.Sessions {
						require.Equal(t, p.due[i], set.At)
					}
					last, listed = set.At, listed+len(set.Sessions)
				}
				require.Equal(t, len(p.due), listed)
			},
		})
	})
}

const tick, timeout = time.Second, 4 * time.Second

func TestTracker_TouchKeepsAlive(t *testing.T) {
	tr := NewTracker(tick)
	tr.Add(1, timeout, 0)
	for now := time.Duration(0); now < 20*time.Second; now += time.Second {
		require.True(t, tr.Touch(1, timeout, now))
		require.Empty(t, tr.Expire(now))
	}
	assert.Equal(t, []int64{1}, tr.Expire(30*time.Second))
	assert.False(t, tr.Touch(9, timeout, 0), "unknown")
}

// ZOOKEEPER-1496: a late touch or revalidation must not revive a session that
// is being closed; it stays known until its closeSession has been applied.
func TestTracker_NothingRevivesAClosingSession(t *testing.T) {
	tr := NewTracker(tick)
	tr.Add(1, timeout, 0)
	require.Equal(t, []int64{1}, tr.Expire(time.Minute))
	assert.False(t, tr.Touch(1, timeout, time.Minute))
	tr.Add(1, timeout, time.Minute)
	assert.False(t, tr.Touch(1, timeout, time.Minute))
	assert.Empty(t, tr.Expire(time.Hour), "it expires once")
	assert.Equal(t, 1, tr.Len())
	tr.Remove(1)
	assert.Zero(t, tr.Len())
}

func TestTracker_RemovedDoesNotExpire(t *testing.T) {
	tr := NewTracker(tick)
	tr.Add(1, timeout, 0)
	tr.Remove(1)
	tr.Remove(1)
	assert.Empty(t, tr.Expire(time.Hour))
}

func TestTracker_TimeoutIsTheLastConnections(t *testing.T) {
	tr := NewTracker(tick)
	tr.Add(1, timeout, 0)
	require.True(t, tr.Touch(1, 2*timeout, 0))
	at, ok := tr.Due(1)
	require.True(t, ok)
	assert.Greater(t, at, 2*timeout)
	require.True(t, tr.Touch(1, timeout, 0))
	at, _ = tr.Due(1)
	assert.LessOrEqual(t, at, timeout+tick)
}

func ExampleTracker() {
	t := NewTracker(2 * time.Second)
	t.Add(0x100, 4*time.Second, 0)
	t.Touch(0x100, 4*time.Second, 3*time.Second)
	fmt.Println(t.Expire(7*time.Second), t.Expire(8*time.Second))
	// Output: [] [256]
}

// A session lives from its proposal on, and its time begins when it is applied.
func TestTracker_AnnouncedSessionsDoNotExpire(t *testing.T) {
	tr := NewTracker(100 * time.Millisecond)
	tr.Announce(7)
	assert.True(t, tr.Touch(7, time.Second, 0))
	assert.Empty(t, tr.Expire(time.Hour))
	tr.Add(7, time.Second, time.Hour)
	assert.Empty(t, tr.Expire(time.Hour+900*time.Millisecond))
	assert.Equal(t, []int64{7}, tr.Expire(time.Hour+1200*time.Millisecond))
	tr.Announce(7)
	assert.False(t, tr.Touch(7, time.Second, 2*time.Hour), "it is being closed")
	tr.Announce(8)
	tr.Remove(8)
	assert.False(t, tr.Touch(8, time.Second, 2*time.Hour))
}
