package integration_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
	"github.com/quorate/quorate/server/proto"
)

// siege is three servers, one of which hostile clients are let loose on, and a
// well-behaved client of that one.
type siege struct {
	t       *testing.T
	c       *cluster.Cluster
	target  *cluster.Server
	witness *witness
	logged  int // bytes of the target's log before
	began   time.Time
	before  int // MiB resident
}

// messagePattern finds the message of a line of a server's log.
var messagePattern = regexp.MustCompile(`msg=("[^"]*"|\S+)`)

// linesLeftOut is the message that stands for those that a server did not write.
const linesLeftOut = `msg="left out more lines like one before"`

// What the witness's requests may take while others misbehave, on a machine that
// does other things too: less than would make a client look for another server.
func witnessPatience() time.Duration {
	if *raceFlag { // which makes servers slow
		return 15 * time.Second
	}
	return 3 * time.Second
}

// besiege starts the servers. The target is the leader, or else a follower.
func besiege(t *testing.T, leader bool, lines ...string) *siege {
	t.Helper()
	onlyQuorate(t)
	s := &siege{t: t, c: startCluster(t, cluster.Config{Servers: 3, Lines: lines}), began: time.Now()}
	s.target = follower(t, s.c)
	if leader {
		var err error
		s.target, err = s.c.Leader(servingTimeout)
		require.NoError(t, err)
	}
	s.witness = startWitness(t, s.target.ClientAddr())
	s.logged, s.before = len(s.target.Log()), residentMiB(s.target)
	return s
}

// outlast is the end: nothing that happened may have disturbed the witness, and
// the server has neither grown by more than so many MiB, at any time, nor filled
// its log, nor fallen over.
func (s *siege) outlast(growthMiB int) {
	s.t.Helper()
	n, worst, median := s.witness.end(s.t)
	grown := peakMiB(s.target) - s.before
	log := logSince(s.target, s.logged)
	lines := strings.Count(log, "\n")
	s.t.Logf("the witness made %d requests, median %v, longest %v; at most %d MiB more memory; %d lines logged",
		n, median.Round(10*time.Microsecond), worst.Round(time.Millisecond), grown, lines)
	assert.Less(s.t, worst, witnessPatience(), "others are held up")
	if !*raceFlag { // which makes servers large
		assert.Less(s.t, grown, growthMiB, "MiB of memory")
	}
	// In ten seconds there may be twenty lines, and for each kind of them one more that
	// says how many were left out.
	spans, kinds := 1+int(time.Since(s.began)/(10*time.Second)), map[string]int{}
	for _, kind := range messagePattern.FindAllString(log, -1) {
		kinds[kind]++
	}
	omitted := kinds[linesLeftOut]
	delete(kinds, linesLeftOut)
	assert.LessOrEqual(s.t, lines-omitted, 20*spans, "the log is flooded:\n%.3000s", log)
	assert.LessOrEqual(s.t, omitted, len(kinds)*spans, "the log is flooded with sums of lines:\n%.3000s", log)
	assert.NotContains(s.t, log, "goroutine ", "a panic was logged")
	sameHistory(s.t, s.c.Servers...)
}

// says waits for a line of the target's log.
func (s *siege) says(words ...string) {
	s.t.Helper()
	eventually(s.t, 15*time.Second, fmt.Sprintf("the log says %q", words), func() error {
		for line := range strings.Lines(logSince(s.target, s.logged)) {
			if hasAll(line, words) {
				return nil
			}
		}
		return errors.New("it does not")
	})
}

// peakMiB is the most memory that a process has had, from /proc; 0 where there is
// none.
func peakMiB(s *cluster.Server) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Pid()))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kib, _ := strconv.Atoi(fields[1])
			return kib >> 10
		}
	}
	return 0
}

// witness is a client that keeps to the rules: it writes and reads a node of its
// own, one request after another.
type witness struct {
	stop, done chan struct{}
	once       sync.Once
	took       []time.Duration // of the goroutine until done
	err        error
}

func startWitness(t *testing.T, addr string) *witness {
	t.Helper()
	conn := dial(t, addr)
	require.NoError(t, existing(conn.Create("/witness", nil)))
	w := &witness{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; w.err == nil; i++ {
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
			data := strconv.Itoa(i)
			start := time.Now()
			if w.err = conn.Set("/witness", []byte(data)); w.err != nil {
				return
			}
			w.took = append(w.took, time.Since(start))
			start = time.Now()
			got, _, err := conn.Get("/witness")
			w.took = append(w.took, time.Since(start))
			if w.err = err; err == nil && string(got) != data {
				w.err = fmt.Errorf("wrote %q and read %q", data, got)
			}
		}
	}()
	t.Cleanup(w.halt)
	return w
}

func (w *witness) halt() {
	w.once.Do(func() { close(w.stop) })
	<-w.done
}

// end returns the number of requests and how long they took.
func (w *witness) end(t *testing.T) (n int, worst, median time.Duration) {
	t.Helper()
	w.halt()
	require.NoError(t, w.err, "the witness")
	require.NotEmpty(t, w.took)
	slices.Sort(w.took)
	return len(w.took), w.took[len(w.took)-1], w.took[len(w.took)/2]
}

// intruder is one connection of a client that does not keep to the rules.
type intruder struct {
	t        *testing.T
	nc       net.Conn
	in       *bufio.Reader
	session  int64
	password []byte
	xid      int32
}

// knock connects from an address of loopback, without a word.
func knock(t *testing.T, from, addr string) (*intruder, error) {
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_ = nc.SetDeadline(time.Now().Add(30 * time.Second))
	return &intruder{t: t, nc: nc, in: bufio.NewReader(nc)}, nil
}

// stranger is knock that must succeed, closed by the test's end.
func stranger(t *testing.T, addr string) *intruder {
	t.Helper()
	c, err := knock(t, "127.0.0.1", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.nc.Close() })
	return c
}

// insider is a stranger that gets a session.
func insider(t *testing.T, addr string) *intruder {
	t.Helper()
	c := stranger(t, addr)
	ok, err := c.enter(proto.ConnectRequest{TimeoutMillis: 6000})
	require.NoError(t, err)
	require.True(t, ok, "there is no session to be had")
	return c
}

// enter does the handshake and reports whether there is a session.
func (c *intruder) enter(req proto.ConnectRequest) (bool, error) {
	if req.Password == nil {
		req.Password = make([]byte, 16)
	}
	if _, err := c.nc.Write(proto.AppendFrame(nil, &req)); err != nil {
		return false, err
	}
	frame, err := c.frame()
	if err != nil {
		return false, err
	}
	var resp proto.ConnectResponse
	if err := proto.Unmarshal(frame, &resp); err != nil {
		return false, err
	}
	c.session, c.password = resp.SessionID, resp.Password[:]
	return resp.TimeoutMillis > 0 && resp.SessionID != 0, nil
}

// framed puts the length in front.
func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// asked is a request as a frame.
func asked(xid int32, op proto.OpCode, rec proto.Record) []byte {
	return framed(proto.Append(proto.Marshal(&proto.RequestHeader{Xid: xid, Op: op}), rec))
}

func (c *intruder) frame() ([]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(c.in, n[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(n[:]))
	_, err := io.ReadFull(c.in, frame)
	return frame, err
}

// reply reads the next frame and its header.
func (c *intruder) reply() (proto.ReplyHeader, []byte) {
	c.t.Helper()
	frame, err := c.frame()
	require.NoError(c.t, err)
	var h proto.ReplyHeader
	body, err := proto.UnmarshalHeader(frame, &h)
	require.NoError(c.t, err)
	return h, body
}

// do sends one request and returns the code of its reply, which comes next.
func (c *intruder) do(op proto.OpCode, rec proto.Record) proto.ErrCode {
	c.t.Helper()
	return c.raw(op, proto.Marshal(rec))
}

// raw is do with any bytes for the record.
func (c *intruder) raw(op proto.OpCode, body []byte) proto.ErrCode {
	c.t.Helper()
	c.xid++
	_, err := c.nc.Write(framed(append(proto.Marshal(&proto.RequestHeader{Xid: c.xid, Op: op}), body...)))
	require.NoError(c.t, err)
	h, rest := c.reply()
	require.Equal(c.t, c.xid, h.Xid)
	if h.Err != proto.OK {
		require.Empty(c.t, rest, "an error is answered by the header alone")
	}
	return h.Err
}

// shut waits for the server to close the connection, and returns how long that
// took. What comes before is thrown away.
func (c *intruder) shut(within time.Duration) error {
	_ = c.nc.SetReadDeadline(time.Now().Add(within))
	_, err := io.Copy(io.Discard, c.in)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("the server has not closed the connection after %v", within)
	}
	return nil // a FIN, or a reset because the server did not read all
}

func creating(path string, flags int32) *proto.CreateRequest {
	return &proto.CreateRequest{Path: path, ACL: proto.OpenACL, Flags: flags}
}

func reading(path string, watch bool) *proto.PathWatchRequest {
	return &proto.PathWatchRequest{Path: path, Watch: watch}
}

// mustCreate creates nodes with a session that is dropped again.
func mustCreate(t *testing.T, addr, path string, data []byte) {
	t.Helper()
	conn, err := wire.Dial(addr, 10*time.Second)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, existing(conn.Create(path, data)))
}
