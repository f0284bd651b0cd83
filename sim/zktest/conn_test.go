package zktest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// moment is long enough for what must not happen to happen.
const moment = 30 * time.Millisecond

// pairOf is a connection from server 1 to server 2 of a fabric without servers.
type pairOf struct {
	f      *fabric
	doors  map[int]*door
	procs  map[int]*process
	dialed net.Conn // by server 1
	taken  net.Conn // by server 2
	in     *inlet
}

func newPair(t *testing.T) *pairOf {
	t.Parallel()
	p := &pairOf{f: newFabric(), doors: map[int]*door{}, procs: map[int]*process{}}
	for id := 1; id <= 2; id++ {
		d, err := openDoor()
		require.NoError(t, err)
		p.doors[id] = d
		p.f.ports[d.addr()] = id
		p.procs[id] = &process{id: id, gate: newGate()}
		p.f.change(func() { p.f.running[id] = p.procs[id] })
	}
	p.in = p.doors[2].admit(p.f, p.procs[2], false)
	t.Cleanup(func() {
		p.heal()
		p.kill(1)
		p.kill(2)
		_ = p.in.Close()
		p.doors[1].close()
		p.doors[2].close()
		assert.Empty(t, p.f.conns)
	})
	var err error
	p.dialed, err = p.dial(t.Context())
	require.NoError(t, err)
	p.taken, err = p.in.Accept()
	require.NoError(t, err)
	return p
}

func (p *pairOf) dial(ctx context.Context) (net.Conn, error) {
	return p.f.dial(ctx, p.procs[1], "tcp", p.doors[2].addr())
}

func (p *pairOf) stall(from, to int) {
	p.f.restrict(func() { p.f.stalled[way{from, to}] = true })
}

func (p *pairOf) isolate() { p.f.restrict(func() { p.f.part([]int{1}, []int{2}) }) }

func (p *pairOf) heal() { p.f.change(func() { clear(p.f.stalled) }) }

func (p *pairOf) pause(id int) {
	p.f.restrict(func() { p.procs[id].gate.setShut(true) })
}

func (p *pairOf) resume(id int) { p.f.change(func() { p.procs[id].gate.setShut(false) }) }

func (p *pairOf) kill(id int) { p.f.change(func() { p.procs[id].gate.kill() }) }

// arrival is what a Read, begun now, comes to.
type arrival struct {
	text string
	err  error
}

func reading(t *testing.T, nc net.Conn) <-chan arrival {
	t.Helper()
	out := make(chan arrival, 1)
	go func() {
		b := make([]byte, 100)
		n, err := nc.Read(b)
		out <- arrival{string(b[:n]), err}
	}()
	c := nc.(*conn)
	require.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.in.busy > 0 || c.waiters > 0 || len(out) > 0
	}, 10*time.Second, 100*time.Microsecond)
	return out
}

func nothing(t *testing.T, out <-chan arrival) {
	t.Helper()
	select {
	case a := <-out:
		require.Fail(t, "too early", "%q %v", a.text, a.err)
	case <-time.After(moment):
	}
}

func something(t *testing.T, out <-chan arrival) arrival {
	t.Helper()
	select {
	case a := <-out:
		return a
	case <-time.After(10 * time.Second):
		require.Fail(t, "nothing comes")
		return arrival{}
	}
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	n, err := c.Write([]byte(text))
	require.NoError(t, err)
	require.Len(t, text, n)
}

func TestConn_StalledBytesWaitInOrder(t *testing.T) {
	p := newPair(t)
	here, there := reading(t, p.dialed), reading(t, p.taken)
	p.isolate()
	say(t, p.taken, "one ")
	say(t, p.taken, "two")
	written := make(chan error, 1)
	go func() {
		_, err := p.dialed.Write([]byte("hello"))
		written <- err
	}()
	nothing(t, here)
	nothing(t, there)
	p.heal()
	require.NoError(t, <-written)
	assert.Equal(t, "hello", something(t, there).text)
	all := something(t, here).text
	for all != "one two" && strings.HasPrefix("one two", all) {
		all += something(t, reading(t, p.dialed)).text
	}
	assert.Equal(t, "one two", all)
}

func TestConn_StalledOneWayOnly(t *testing.T) {
	p := newPair(t)
	p.stall(1, 2)
	out := reading(t, p.taken)
	say(t, p.taken, "back")
	assert.Equal(t, "back", something(t, reading(t, p.dialed)).text)
	require.NoError(t, p.dialed.SetWriteDeadline(time.Now().Add(moment)))
	n, err := p.dialed.Write([]byte("forth"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.Zero(t, n)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	assert.True(t, timeout.Timeout())
	nothing(t, out)
	p.heal()
	require.NoError(t, p.dialed.SetWriteDeadline(time.Time{}))
	say(t, p.dialed, "forth")
	assert.Equal(t, "forth", something(t, out).text, "and what was not written has not come")
}

func TestConn_DeadlinesCountWhileStalled(t *testing.T) {
	p := newPair(t)
	p.isolate()
	say(t, p.taken, "late")
	require.NoError(t, p.dialed.SetDeadline(time.Now().Add(moment)))
	assert.ErrorIs(t, something(t, reading(t, p.dialed)).err, os.ErrDeadlineExceeded)
	out := reading(t, p.dialed)
	assert.ErrorIs(t, something(t, out).err, os.ErrDeadlineExceeded, "still over")
	require.NoError(t, p.dialed.SetReadDeadline(time.Now().Add(time.Hour)))
	out = reading(t, p.dialed)
	nothing(t, out)
	require.NoError(t, p.dialed.SetReadDeadline(time.Now()))
	assert.ErrorIs(t, something(t, out).err, os.ErrDeadlineExceeded, "a deadline reaches who waits")
	p.heal()
	require.NoError(t, p.dialed.SetDeadline(time.Time{}))
	assert.Equal(t, "late", something(t, reading(t, p.dialed)).text)
}

func TestConn_EndIsNotHeardWhileStalled(t *testing.T) {
	p := newPair(t)
	p.isolate()
	here, there := reading(t, p.dialed), reading(t, p.taken)
	require.NoError(t, p.dialed.Close())
	assert.ErrorIs(t, something(t, here).err, net.ErrClosed, "who closes knows")
	require.ErrorIs(t, p.dialed.Close(), net.ErrClosed)
	nothing(t, there)
	say(t, p.taken, "are you there?")
	p.heal()
	// Bytes that nobody read may turn the end into a reset, as in TCP.
	a := something(t, there)
	assert.True(t, errors.Is(a.err, io.EOF) || errors.Is(a.err, syscall.ECONNRESET), "%v", a.err)
}

func TestConn_DeathIsNotHeardWhileStalled(t *testing.T) {
	for dead, name := range map[int]string{1: "of who dialed", 2: "of who accepted"} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.isolate()
			survivor := map[int]net.Conn{1: p.taken, 2: p.dialed}[dead]
			out := reading(t, survivor)
			p.kill(dead)
			nothing(t, out)
			p.heal()
			assert.ErrorIs(t, something(t, out).err, io.EOF)
		})
	}
}

// The other end's death comes back as a reset, which must not be heard either.
func TestConn_ResetIsNotHeardByWritingWhileDeaf(t *testing.T) {
	p := newPair(t)
	p.stall(2, 1)
	p.kill(2)
	for range 100 {
		say(t, p.dialed, "hello?")
	}
	p.heal()
	assert.Error(t, something(t, reading(t, p.dialed)).err)
}

func TestConn_CutIsAResetAtBothEnds(t *testing.T) {
	p := newPair(t)
	here, there := reading(t, p.dialed), reading(t, p.taken)
	p.taken.(*conn).cut()
	assert.ErrorIs(t, something(t, here).err, syscall.ECONNRESET)
	assert.ErrorIs(t, something(t, there).err, syscall.ECONNRESET)
	_, err := p.taken.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.NoError(t, p.taken.SetDeadline(time.Now().Add(time.Hour)))
	assert.ErrorIs(t, something(t, reading(t, p.taken)).err, syscall.ECONNRESET)
	require.NoError(t, p.taken.Close())
}

func TestConn_PausedSeesNoTimePass(t *testing.T) {
	p := newPair(t)
	out := reading(t, p.taken)
	p.pause(2)
	require.NoError(t, p.taken.SetDeadline(time.Now().Add(moment)))
	say(t, p.dialed, "hello")
	nothing(t, out)
	nothing(t, out)
	written := make(chan error, 1)
	go func() {
		_, err := p.taken.Write([]byte("x"))
		written <- err
	}()
	p.resume(2)
	assert.ErrorIs(t, something(t, out).err, os.ErrDeadlineExceeded, "now it does")
	require.ErrorIs(t, <-written, os.ErrDeadlineExceeded)
	require.NoError(t, p.taken.SetDeadline(time.Time{}))
	assert.Equal(t, "hello", something(t, reading(t, p.taken)).text)
}

func TestConn_PausedKeepsConnectionsOpen(t *testing.T) {
	p := newPair(t)
	p.pause(2)
	require.NoError(t, p.taken.Close(), "a goroutine of its own that is late")
	out := reading(t, p.dialed)
	nothing(t, out)
	second, err := p.dial(t.Context())
	require.NoError(t, err, "the kernel answers for it")
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := p.in.Accept()
		if assert.NoError(t, err) {
			accepted <- c
		}
	}()
	other := reading(t, second)
	nothing(t, other)
	assert.Empty(t, accepted)
	p.resume(2)
	assert.ErrorIs(t, something(t, out).err, io.EOF)
	say(t, <-accepted, "welcome")
	assert.Equal(t, "welcome", something(t, other).text)
}

func TestConn_PauseEndsAWriteInTheMiddle(t *testing.T) {
	p := newPair(t)
	long := strings.Repeat("0123456789", 1<<20)
	written := make(chan error, 1)
	go func() {
		n, err := p.dialed.Write([]byte(long))
		assert.Equal(t, len(long), n)
		written <- err
	}()
	var got strings.Builder
	b := make([]byte, 1<<20)
	n, err := p.taken.Read(b)
	require.NoError(t, err)
	got.Write(b[:n])
	p.pause(1)
	for {
		require.NoError(t, p.taken.SetReadDeadline(time.Now().Add(moment)))
		n, err := p.taken.Read(b)
		got.Write(b[:n])
		if err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			break
		}
	}
	assert.Less(t, got.Len(), len(long))
	p.resume(1)
	require.NoError(t, p.taken.SetReadDeadline(time.Time{}))
	for got.Len() < len(long) {
		n, err := p.taken.Read(b)
		require.NoError(t, err)
		got.Write(b[:n])
	}
	require.NoError(t, <-written)
	assert.Equal(t, long, got.String())
}

func TestConn_WritesOfTwoDoNotMix(t *testing.T) {
	p := newPair(t)
	const size = 16 << 20 // more than the kernel takes
	written := make(chan error, 2)
	write := func(letter string) {
		_, err := p.dialed.Write([]byte(strings.Repeat(letter, size)))
		written <- err
	}
	go write("a")
	all := make([]byte, 2*size)
	_, err := io.ReadFull(p.taken, all[:size/8])
	require.NoError(t, err)
	p.isolate() // in the middle
	go write("b")
	<-time.After(moment)
	c := p.dialed.(*conn)
	c.mu.Lock()
	assert.Equal(t, 1, c.waiters, "the second Write has its turn when the first is done")
	c.mu.Unlock()
	p.heal()
	_, err = io.ReadFull(p.taken, all[size/8:])
	require.NoError(t, err)
	require.NoError(t, <-written)
	require.NoError(t, <-written)
	assert.Equal(t, size, strings.LastIndex(string(all), "a")+1)
}
