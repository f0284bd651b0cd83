package fle

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
)

type parcel struct {
	sid     ensemble.ServerID
	payload []byte
}

// pipe is a Transport in memory. Send waits while the test does not look, so
// that the queue fills.
type pipe struct {
	sent     chan parcel
	incoming chan parcel
	fails    chan error
}

func newPipe() *pipe {
	return &pipe{sent: make(chan parcel), incoming: make(chan parcel), fails: make(chan error, 1)}
}

func (p *pipe) Send(to ensemble.ServerID, payload []byte) {
	select {
	case p.sent <- parcel{to, payload}:
	case <-time.After(time.Minute):
	}
}

func (p *pipe) Receive(ctx context.Context) (ensemble.ServerID, []byte, error) {
	select {
	case in := <-p.incoming:
		return in.sid, in.payload, nil
	case err := <-p.fails:
		return 0, nil, err
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

func (p *pipe) HaveDelivered() bool { return true }
func (p *pipe) ConnectAll()         {}

func voteFor(s ensemble.ServerID) Notification {
	return Notification{Vote: Vote{Leader: s, Round: 1}}
}

func TestMessenger_NewestWinsPerDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		var replaced []Outgoing
		m, err := NewMessenger(MessengerConfig{
			Transport: p, Handle: func(ensemble.ServerID, Notification) {},
			Trace: &Trace{Replaced: func(to ensemble.ServerID, n Notification) { replaced = append(replaced, Outgoing{to, n}) }},
		})
		require.NoError(t, err)
		m.Queue([]Outgoing{{1, voteFor(1)}, {2, voteFor(1)}})
		m.Queue([]Outgoing{{1, voteFor(2)}, {3, voteFor(2)}})
		m.Queue(nil)
		assert.Equal(t, []Outgoing{{1, voteFor(1)}}, replaced)

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		for _, want := range []Outgoing{{1, voteFor(2)}, {2, voteFor(1)}, {3, voteFor(2)}} {
			got := <-p.sent
			n, err := DecodeNotification(got.payload)
			require.NoError(t, err)
			assert.Equal(t, want, Outgoing{got.sid, n})
		}
		synctest.Wait()
		m.Queue([]Outgoing{{4, voteFor(4)}}) // wakes a sleeping sender
		assert.EqualValues(t, 4, (<-p.sent).sid)
		synctest.Wait()
		cancel()
		require.NoError(t, <-done)
		assert.Equal(t, Stats{Sent: 4, Replaced: 1}, m.Stats())

		// What is queued while nothing runs is sent by the next Run.
		m.Queue([]Outgoing{{5, voteFor(5)}})
		ctx, cancel = context.WithCancel(t.Context())
		go func() { done <- m.Run(ctx) }()
		assert.EqualValues(t, 5, (<-p.sent).sid)
		cancel()
		require.NoError(t, <-done)
	})
}

func TestMessenger_QueueIsBounded(t *testing.T) {
	m, err := NewMessenger(MessengerConfig{Transport: newPipe(), Handle: func(ensemble.ServerID, Notification) {}})
	require.NoError(t, err)
	for i := range ensemble.ServerID(DestinationsMax + 10) {
		m.Queue([]Outgoing{{i, voteFor(1)}})
	}
	m.Queue([]Outgoing{{0, voteFor(2)}}) // who waits already may still be told news
	assert.Equal(t, Stats{Refused: 10, Replaced: 1}, m.Stats())
	assert.Len(t, m.order, DestinationsMax)
}

func TestMessenger_SurvivesMalformedInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		var log bytes.Buffer
		var got []Outgoing
		var malformed int
		m, err := NewMessenger(MessengerConfig{
			Transport: p,
			Handle:    func(from ensemble.ServerID, n Notification) { got = append(got, Outgoing{from, n}) },
			Logger:    slog.New(slog.NewTextHandler(&log, nil)),
			Trace:     &Trace{Malformed: func(_ ensemble.ServerID, err error) { malformed++; assert.ErrorIs(t, err, ErrMalformed) }},
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		for range 500 {
			p.incoming <- parcel{7, []byte("rubbish")}
		}
		time.Sleep(complainEvery)
		p.incoming <- parcel{7, nil}
		payload, err := EncodeNotification(voteFor(2))
		require.NoError(t, err)
		p.incoming <- parcel{2, payload}
		synctest.Wait()
		assert.Equal(t, []Outgoing{{2, voteFor(2)}}, got)
		assert.Equal(t, Stats{Received: 1, Malformed: 501}, m.Stats())
		assert.Equal(t, 501, malformed)
		assert.Equal(t, 2, strings.Count(log.String(), "\n"), "the log is not flooded: %s", log.String())
		cancel()
		require.NoError(t, <-done)
	})
}

func TestMessenger_CountsWhatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		m, err := NewMessenger(MessengerConfig{Transport: p, Handle: func(ensemble.ServerID, Notification) {}, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		m.Queue([]Outgoing{{1, Notification{State: 9}}, {2, voteFor(2)}})
		assert.EqualValues(t, 2, (<-p.sent).sid)
		cancel()
		require.NoError(t, <-done)
		assert.EqualValues(t, 1, m.Stats().Unsendable)
	})
}

func TestMessenger_RunReturnsTheTransportsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		m, err := NewMessenger(MessengerConfig{Transport: p, Handle: func(ensemble.ServerID, Notification) {}})
		require.NoError(t, err)
		closed := errors.New("closed")
		p.fails <- closed
		require.ErrorIs(t, m.Run(t.Context()), closed)
	})
}

func TestMessenger_NeedsItsParts(t *testing.T) {
	_, err := NewMessenger(MessengerConfig{})
	require.ErrorContains(t, err, "Transport is nil")
	require.ErrorContains(t, err, "Handle is nil")
}
