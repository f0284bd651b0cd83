package lf

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type handlerFunc func() bool

func (f handlerFunc) Serve() bool { return f() }

// start runs a pool until the returned function is called, which returns
// Run's error.
func start(p *Pool) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return func() error { cancel(); return <-done }
}

func TestSession_NeverInTwoWorkers(t *testing.T) {
	p := New(Config{Sets: 2, Workers: 8})
	stop := start(p)
	type victim struct {
		s      *Session
		inside atomic.Int32
		told   atomic.Int64 // Ready was called so often
		seen   atomic.Int64 // told, as seen at the start of the last Serve
	}
	victims := make([]*victim, 5)
	var twice atomic.Bool
	for i := range victims {
		v := &victim{}
		v.s = p.Join(handlerFunc(func() bool {
			if v.inside.Add(1) != 1 {
				twice.Store(true)
			}
			v.seen.Store(v.told.Load())
			v.inside.Add(-1)
			return false
		}))
		victims[i] = v
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 5000 {
				v := victims[i%len(victims)]
				v.told.Add(1)
				v.s.Ready()
			}
		})
	}
	wg.Wait()
	for _, v := range victims {
		require.Eventually(t, func() bool { return v.seen.Load() == v.told.Load() }, 5*time.Second, time.Millisecond,
			"a Ready was lost")
	}
	require.NoError(t, stop())
	assert.False(t, twice.Load(), "a session was in two workers")
}

func TestSession_ReadyWhileServedIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Workers: 4})
		stop := start(p)
		gate, served := make(chan struct{}), 0
		s := p.Join(handlerFunc(func() bool { served++; <-gate; return false }))
		s.Ready()
		synctest.Wait()
		s.Ready()
		s.Ready()
		synctest.Wait()
		require.Equal(t, 1, served, "one session, one worker")
		gate <- struct{}{}
		synctest.Wait()
		require.Equal(t, 2, served, "two calls of Ready while it was served are one more turn")
		gate <- struct{}{}
		synctest.Wait()
		require.Equal(t, 2, served)
		require.NoError(t, stop())
	})
}

func TestPool_BatonIsPassedBeforeServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Workers: 3})
		stop := start(p)
		gate := make(chan struct{})
		var inside atomic.Int32
		for range 5 {
			p.Join(handlerFunc(func() bool { inside.Add(1); <-gate; return false })).Ready()
		}
		synctest.Wait()
		assert.EqualValues(t, 3, inside.Load(), "slow sessions occupy all workers, not only the holder")
		assert.Equal(t, 2, p.sources[0].(*Queue).Len())
		close(gate)
		synctest.Wait()
		assert.EqualValues(t, 5, inside.Load())
		require.NoError(t, stop())
	})
}

func TestPool_BusySessionLetsOthersHaveATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Workers: 2})
		var order []string
		var mu sync.Mutex
		note := func(s string) { mu.Lock(); order = append(order, s); mu.Unlock() }
		turns := 0
		busy := p.Join(handlerFunc(func() bool { note("busy"); turns++; return turns < 50 }))
		busy.Ready()
		for i := range 3 {
			p.Join(handlerFunc(func() bool { note(fmt.Sprint(i)); return false })).Ready()
		}
		stop := start(p)
		synctest.Wait()
		require.NoError(t, stop())
		require.Len(t, order, 53)
		last := 0
		for i, s := range order {
			if s != "busy" {
				last = i
			}
		}
		assert.Less(t, last, 10, "the others were served within their turn: %v", order[:10])
	})
}

func TestPool_SetsDoNotShareWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(Config{Sets: 2, Workers: 4})
		stop := start(p)
		gate := make(chan struct{})
		var served atomic.Int32
		for i := range 20 { // even ones into set 0, odd ones into set 1
			p.Join(handlerFunc(func() bool {
				if i%2 == 0 {
					<-gate
				}
				served.Add(1)
				return false
			})).Ready()
		}
		synctest.Wait()
		assert.EqualValues(t, 10, served.Load(), "a set whose workers are all held does not hold up the other")
		close(gate)
		synctest.Wait()
		assert.EqualValues(t, 20, served.Load())
		require.NoError(t, stop())
	})
}

func TestPool_RunEndsAndMayRunAgain(t *testing.T) {
	p := New(Config{})
	for range 3 {
		stop := start(p)
		served := make(chan struct{})
		p.Join(handlerFunc(func() bool { close(served); return false })).Ready()
		<-served
		require.NoError(t, stop())
	}
}

type brokenSource struct{ err error }

func (b brokenSource) Next(context.Context) (*Session, error) { return nil, b.err }
func (b brokenSource) Ready(*Session)                         {}

func TestPool_SourceErrorEndsRun(t *testing.T) {
	broken := errors.New("epoll is gone")
	p := New(Config{Source: func(int) Source { return brokenSource{broken} }})
	require.ErrorIs(t, p.Run(context.Background()), broken)
}

func TestPool_Trace(t *testing.T) {
	var taken, served atomic.Int32
	p := New(Config{Trace: &Trace{
		Taken:  func(set, worker int) { taken.Add(1) },
		Served: func(set, worker int) { served.Add(1) },
	}})
	stop := start(p)
	p.Join(handlerFunc(func() bool { return false })).Ready()
	require.Eventually(t, func() bool { return served.Load() == 1 }, 5*time.Second, time.Millisecond)
	require.NoError(t, stop())
	assert.EqualValues(t, 1, taken.Load())
}

func TestQueue_FirstReadyFirstServed(t *testing.T) {
	q := NewQueue()
	all := make([]*Session, 100)
	for i := range all {
		all[i] = &Session{}
	}
	next := 0
	for i, s := range all { // grows, wraps around
		q.Ready(s)
		if i%3 == 2 {
			got, err := q.Next(context.Background())
			require.NoError(t, err)
			require.Same(t, all[next], got)
			next++
		}
	}
	for ; next < len(all); next++ {
		got, err := q.Next(context.Background())
		require.NoError(t, err)
		require.Same(t, all[next], got)
	}
	require.Zero(t, q.Len())
}

func BenchmarkPool_Ready(b *testing.B) {
	p := New(Config{})
	stop := start(p)
	turn := make(chan struct{}, 1)
	s := p.Join(handlerFunc(func() bool { turn <- struct{}{}; return false }))
	for b.Loop() {
		s.Ready()
		<-turn
	}
	if err := stop(); err != nil {
		b.Fatal(err)
	}
}

func ExamplePool() {
	p := New(Config{Workers: 2})
	ctx, cancel := context.WithCancel(context.Background())
	s := p.Join(handlerFunc(func() bool {
		fmt.Println("served")
		cancel()
		return false
	}))
	s.Ready()
	_ = p.Run(ctx)
	// Output: served
}
