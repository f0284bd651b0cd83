package server

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

func TestLimits_ConnectionsOfOneAddress(t *testing.T) {
	var refused atomic.Int32
	e := newEnsemble(t, 1, Config{MaxClientCnxns: 2, Trace: &Trace{Accepted: func(_ netip.AddrPort, no bool) {
		if no {
			refused.Add(1)
		}
	}}})
	a, b := open(t, e.members[0].addr), open(t, e.members[0].addr)
	_, ok := dialRaw(t, e.members[0].addr).connect(proto.ConnectRequest{})
	assert.False(t, ok)
	assert.EqualValues(t, 1, refused.Load())
	require.NoError(t, a.nc.Close())
	require.Eventually(t, func() bool { return len(e.members[0].s.connections()) == 1 }, waitFor, tickFor)
	open(t, e.members[0].addr).create(1, "/x", "", 0)
	b.create(1, "/y", "", 0)
}

func TestLimits_FrameLength(t *testing.T) {
	e := newEnsemble(t, 1, Config{JuteMaxBuffer: 1000})
	c := open(t, e.members[0].addr)
	fits := createOf("/n", string(make([]byte, 1000-8-8-4-4-len("/n")-31-4)), 0)
	for len(request(1, proto.OpCreate, fits)) < 1004 {
		fits.Data = append(fits.Data, 0)
	}
	for len(request(1, proto.OpCreate, fits)) > 1004 {
		fits.Data = fits.Data[1:]
	}
	c.mustDo(1, proto.OpCreate, fits, &proto.PathReply{})
	fits.Path += "2"
	_, err := c.nc.Write(request(2, proto.OpCreate, fits))
	require.NoError(t, err)
	_, err = c.frame()
	assert.Error(t, err)
}

func TestLimits_HostileLengths(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	witness := open(t, e.members[0].addr)
	for _, n := range []uint32{0, 1, 4, 5000, 0xfffff + 1, 0x7fffffff, 0x80000000, 0xffffffff} {
		for _, connected := range []bool{false, true} {
			if connected && n == 5000 { // legal there
				continue
			}
			dial := dialRaw
			if connected {
				dial = open
			}
			c := dial(t, e.members[0].addr)
			_, _ = c.nc.Write(append(binary.BigEndian.AppendUint32(nil, n), make([]byte, 64)...))
			_, err := c.frame()
			assert.Error(t, err, "length %d, connected %v", n, connected)
		}
	}
	witness.create(1, "/w", "", 0)
}

func TestLimits_RandomBytes(t *testing.T) {
	const seed = 7
	e := newEnsemble(t, 1, Config{MaxClientCnxns: -1})
	witness := open(t, e.members[0].addr)
	rng := rand.New(rand.NewSource(seed))
	for i := range 200 {
		dial := dialRaw
		if i%2 == 0 {
			dial = open
		}
		c := dial(t, e.members[0].addr)
		frame := make([]byte, rng.Intn(200))
		_, _ = rng.Read(frame)
		if len(frame) > 8 && i%4 == 0 { // a known op, so that its decoder is reached
			binary.BigEndian.PutUint32(frame[4:], uint32(rng.Intn(23)))
		}
		cut := len(frame)
		if cut > 0 && i%3 == 0 {
			cut = rng.Intn(cut)
		}
		_, _ = c.nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame[:cut]...))
		require.NoError(t, c.nc.Close())
	}
	witness.create(1, "/w", "", 0)
	require.Eventually(t, func() bool { return len(e.members[0].s.connections()) == 1 }, waitFor, tickFor)
	require.Eventually(t, func() bool { return e.members[0].s.inflight.Load() == 0 }, waitFor, tickFor, "every request is accounted for")
}

// A client that sends and does not read is not read from any more, and costs a
// bounded amount of memory; when it reads at last, everything comes.
func TestLimits_ClientThatDoesNotRead(t *testing.T) {
	e := newEnsemble(t, 1, Config{TickTime: time.Second})
	c := open(t, e.members[0].addr)
	c.create(1, "/big", string(make([]byte, 500_000)), 0)
	const n = 60
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range int32(n) {
			_, _ = c.nc.Write(request(10+i, proto.OpGetData, read("/big", false)))
		}
	})
	s := e.members[0].s
	held := func() (bytes int, paused bool) {
		for _, c := range s.connections() {
			c.mu.Lock()
			bytes, paused = len(c.out), c.outHeld
			c.mu.Unlock()
		}
		return bytes, paused
	}
	require.Eventually(t, func() bool { _, paused := held(); return paused }, waitFor, tickFor)
	bytes, _ := held()
	assert.Less(t, bytes, 3<<20)
	for i := range int32(n) {
		c.expect(10+i, nil)
	}
	wg.Wait()
}

func TestLimits_OutputOverflowCloses(t *testing.T) {
	reasons := make(chan string, 10)
	e := newEnsemble(t, 1, Config{OutputBytesMax: 100_000, Trace: &Trace{
		Closed: func(_ netip.AddrPort, _ int64, reason string) { reasons <- reason }}})
	c := open(t, e.members[0].addr)
	c.create(1, "/big", string(make([]byte, 200_000)), 0)
	c.write(request(2, proto.OpGetData, read("/big", false)))
	c.closed()
	require.NoError(t, c.nc.Close())
	assert.Equal(t, "the client does not read", <-reasons)
}

func TestLimits_OutstandingRequestsStopReading(t *testing.T) {
	e := newEnsemble(t, 1, Config{GlobalOutstandingLimit: 10})
	c, other := open(t, e.members[0].addr), open(t, e.members[0].addr)
	c.create(1, "/n", "", 0)
	release := e.hold()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range int32(5000) {
			_, _ = c.nc.Write(request(2+i, proto.OpSetData, setOf("/n", string(make([]byte, 1000)))))
		}
	})
	s := e.members[0].s
	require.Eventually(t, func() bool { return s.inflight.Load() > 10 }, waitFor, tickFor)
	other.write(request(1, proto.OpExists, read("/n", false)))
	other.expect(1, &proto.StatReply{}) // has none under way, so it is read from
	assert.Less(t, s.inflight.Load(), int64(200), "no more than one chunk of frames")
	release()
	for i := range int32(5000) {
		c.expect(2+i, &proto.StatReply{})
	}
	wg.Wait()
	assert.Zero(t, s.inflight.Load())
}

func TestLimits_IdleConnectionIsClosed(t *testing.T) {
	e := newEnsemble(t, 1, Config{TickTime: 50 * time.Millisecond})
	c := dialRaw(t, e.members[0].addr)
	_, ok := c.connect(proto.ConnectRequest{TimeoutMillis: 100})
	require.True(t, ok)
	defer e.hold()() // so the end of its session cannot be what closes it
	_, err := c.frame()
	assert.ErrorIs(t, err, io.EOF)
}

func TestServer_RunEndsWithItsContext(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	c, held := open(t, e.members[0].addr), open(t, e.members[0].addr)
	release := e.hold()
	held.write(request(1, proto.OpCreate, createOf("/n", "", 0)))
	require.Eventually(t, func() bool { return e.members[0].s.inflight.Load() == 1 }, waitFor, tickFor)
	stopped := make(chan struct{})
	go func() { e.members[0].stop(); close(stopped) }()
	c.closed()
	held.closed()
	_ = c.nc.Close()
	_ = held.nc.Close()
	<-stopped
	release()
	e.wait()
	_, err := net.Dial("tcp", e.members[0].addr)
	assert.Error(t, err, "the port is free")
	assert.Zero(t, e.members[0].s.inflight.Load(), "an answer that comes too late harms nobody")
}

// One client does not end its side, and another does not even read.
func TestServer_RunDoesNotWaitForClients(t *testing.T) {
	t.Parallel()
	e := newEnsemble(t, 1, Config{})
	open(t, e.members[0].addr)
	c := open(t, e.members[0].addr)
	c.create(1, "/big", string(make([]byte, 900_000)), 0)
	for i := range int32(20) {
		c.write(request(2+i, proto.OpGetData, read("/big", false)))
	}
	s := e.members[0].s
	require.Eventually(t, func() bool { return s.inflight.Load() > 0 }, waitFor, tickFor, "some are held back")
	start := time.Now()
	e.members[0].stop()
	took := time.Since(start)
	assert.GreaterOrEqual(t, took, drainTimeout)
	assert.Less(t, took, 2*drainTimeout)
	assert.Zero(t, s.inflight.Load())
	assert.Empty(t, s.connections())
}

func TestServer_ListenerThatFailsEndsRun(t *testing.T) {
	s := New(Config{Self: 1, Logger: slog.New(slog.DiscardHandler)})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	assert.ErrorIs(t, s.Run(context.Background(), ln), ErrNoQuorum)
	s.Attach(&memberFake{})
	assert.ErrorIs(t, s.Run(context.Background(), ln), net.ErrClosed)
}

func TestConfig_Validate(t *testing.T) {
	assert.NoError(t, Config{}.Validate())
	err := Config{TickTime: -1, Workers: -2, JuteMaxBuffer: -3}.Validate()
	assert.ErrorContains(t, err, "TickTime")
	assert.ErrorContains(t, err, "Workers")
	assert.ErrorContains(t, err, "JuteMaxBuffer")
	assert.ErrorContains(t, Config{MinSessionTimeout: time.Hour}.Validate(), "minSessionTimeout 1h0m0s is more than maxSessionTimeout")
	err = Config{ExtendedTypes: true, Self: 255, JuteMaxBuffer: 8 << 20, Policy: Policy{DigestAlgorithm: "CRC"}, ContainersPerMinuteMax: -1}.Validate()
	assert.ErrorContains(t, err, "ExtendedTypes and an id of 255 do not go together; want at most 254")
	assert.ErrorContains(t, err, "JuteMaxBuffer is 8388608; want at most 7340032")
	assert.ErrorContains(t, err, `Policy: DigestAlgorithm is "CRC"`)
	assert.ErrorContains(t, err, "ContainersPerMinuteMax")
	assert.Panics(t, func() { New(Config{Sets: -1}) })
}

func TestFrames_CutsWhateverTheReadsAre(t *testing.T) {
	const seed = 3
	rng := rand.New(rand.NewSource(seed))
	var stream []byte
	var want [][]byte
	for range 200 {
		n := rng.Intn(100)
		if rng.Intn(20) == 0 {
			n = rng.Intn(50_000)
		}
		frame := make([]byte, n)
		_, _ = rng.Read(frame)
		want = append(want, frame)
		stream = append(binary.BigEndian.AppendUint32(stream, uint32(n)), frame...)
	}
	for _, most := range []int{1 << 30, 7000, 13} {
		var f frames
		r := &choppy{b: stream, most: most, rng: rng}
		var got [][]byte
		for len(got) < len(want) {
			n, err := r.Read(f.space())
			require.NoError(t, err)
			f.took(n)
			for {
				n, ok := f.peekInt(0)
				if f.need = lengthBytes; !ok {
					break
				}
				frame, ok := f.cut(int(n))
				if f.need += int(n); !ok {
					break
				}
				got = append(got, frame)
			}
		}
		assert.Equal(t, len(want), len(got))
		for i := range want {
			require.Equal(t, want[i], append([]byte{}, got[i]...), "frames stay as they are")
		}
	}
}

// choppy returns a stream in pieces of random length.
type choppy struct {
	b    []byte
	most int
	rng  *rand.Rand
}

func (c *choppy) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), 1+c.rng.Intn(c.most))], c.b)
	c.b = c.b[n:]
	return n, nil
}
