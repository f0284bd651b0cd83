package zktest

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFabric_DialHangsWhileStalledAndIsRefusedByTheDead(t *testing.T) {
	p := newPair(t)
	for _, w := range []way{{1, 2}, {2, 1}} {
		p.stall(w.from, w.to)
		ctx, cancel := context.WithTimeout(t.Context(), moment)
		_, err := p.dial(ctx)
		cancel()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		p.heal()
	}
	p.isolate()
	dialed := make(chan error, 1)
	go func() {
		_, err := p.dial(t.Context())
		dialed <- err
	}()
	select {
	case err := <-dialed:
		require.Fail(t, "a dial has come through", "%v", err)
	case <-time.After(moment):
	}
	p.heal()
	require.NoError(t, <-dialed)
	p.kill(2)
	_, err := p.dial(t.Context())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.ErrorContains(t, err, "dial tcp "+p.doors[2].addr())
	_, err = p.f.dial(t.Context(), p.procs[1], "tcp", "127.0.0.1:1")
	require.ErrorIs(t, err, errStranger)
	p.kill(1)
	_, err = p.dial(t.Context())
	require.ErrorIs(t, err, errKilled)
}

func TestDoor_NobodyAtHomeIsAReset(t *testing.T) {
	p := newPair(t)
	knock := func() error {
		c, err := net.Dial("tcp", p.doors[2].addr())
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_, err = c.Read(make([]byte, 1))
		return err
	}
	waits := make(chan error, 1)
	go func() { waits <- knock() }()
	require.Eventually(t, func() bool { return len(p.in.queue) == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, p.in.Close())
	require.ErrorIs(t, <-waits, syscall.ECONNRESET, "who waited for Accept")
	require.ErrorIs(t, knock(), syscall.ECONNRESET)
	_, err := p.in.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestGate_QuietIsTheEndOfWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	g := newGate()
	require.NoError(t, g.enter())
	g.setShut(true)
	quiet, late := make(chan struct{}), make(chan error, 1)
	go func() {
		g.quiet()
		close(quiet)
	}()
	go func() { late <- g.pass() }()
	select {
	case <-quiet:
		require.Fail(t, "an operation is under way")
	case <-late:
		require.Fail(t, "the gate is shut")
	case <-time.After(moment):
	}
	g.leave()
	<-quiet
	assert.Empty(t, late)
	g.kill()
	require.ErrorIs(t, <-late, errKilled)
}

func TestFabric_PauseWaitsForWhatIsUnderWay(t *testing.T) {
	p := newPair(t)
	require.NoError(t, p.procs[1].gate.enter()) // an operation of the disk
	paused := make(chan struct{})
	go func() {
		p.pause(1)
		close(paused)
	}()
	select {
	case <-paused:
		require.Fail(t, "the disk still does something")
	case <-time.After(moment):
	}
	p.procs[1].gate.leave()
	<-paused
}
