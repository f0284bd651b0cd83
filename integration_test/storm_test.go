package integration_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
	"github.com/quorate/quorate/integration_test/wire"
	"github.com/quorate/quorate/server/proto"
)

// stormClient has a session, or wants one, whatever happens to the servers.
type stormClient struct {
	addrs    []string
	rng      *rand.Rand
	nc       net.Conn
	session  int64
	password [16]byte
}

// connect tries servers until one gives it its session back, or a first one. It
// fails when it is told that its session is over.
func (c *stormClient) connect(deadline time.Time) error {
	for {
		err := c.tryOnce()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if _, over := err.(sessionOver); over {
			return err
		}
		time.Sleep(time.Duration(20+c.rng.IntN(100)) * time.Millisecond)
	}
}

type sessionOver struct{ id int64 }

func (e sessionOver) Error() string { return fmt.Sprintf("told that session 0x%x is over", e.id) }

func (c *stormClient) tryOnce() error {
	nc, err := net.DialTimeout("tcp", c.addrs[c.rng.IntN(len(c.addrs))], time.Second)
	if err != nil {
		return err
	}
	fail := func(err error) error {
		_ = nc.Close()
		return err
	}
	if err := nc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return fail(err)
	}
	hello := proto.ConnectRequest{TimeoutMillis: 30_000, SessionID: c.session, Password: c.password[:], HasReadOnly: true}
	if _, err := nc.Write(proto.AppendFrame(nil, &hello)); err != nil {
		return fail(err)
	}
	var resp proto.ConnectResponse
	frame, err := readFrame(nc)
	if err == nil {
		err = proto.Unmarshal(frame, &resp)
	}
	switch {
	case err != nil:
		return fail(err)
	case resp.SessionID == 0 || c.session != 0 && resp.SessionID != c.session:
		return fail(sessionOver{c.session})
	}
	c.nc, c.session, c.password = nc, resp.SessionID, resp.Password
	return nil
}

func readFrame(r io.Reader) ([]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, min(binary.BigEndian.Uint32(n[:]), 1<<20))
	_, err := io.ReadFull(r, frame)
	return frame, err
}

// ephemeral makes a node that lives as long as the session.
func (c *stormClient) ephemeral(path string) error {
	req := proto.Append(proto.Marshal(&proto.RequestHeader{Xid: 1, Op: proto.OpCreate}),
		&proto.CreateRequest{Path: path, ACL: proto.OpenACL, Flags: proto.FlagEphemeral})
	if _, err := c.nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(req))), req...)); err != nil {
		return err
	}
	frame, err := readFrame(c.nc)
	if err != nil {
		return err
	}
	var h proto.ReplyHeader
	if _, err := proto.UnmarshalHeader(frame, &h); err != nil {
		return err
	}
	if h.Err != proto.OK {
		return h.Err
	}
	return nil
}

// each runs f for all clients at once and returns what went wrong.
func each(clients []*stormClient, f func(i int, c *stormClient) error) error {
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() { errs[i] = f(i, c) })
	}
	wg.Wait()
	failed := slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d clients failed, one of them: %w", len(failed), len(clients), failed[0])
}

// When the leader dies, thousands of clients come to the servers that are left, all
// at once, and others want their first session: none of the old sessions is lost,
// and none of the new ones keeps them waiting.
func TestStorm_ThousandsComeBackAfterTheLeader(t *testing.T) {
	const old, fresh = 1500, 500
	c := startCluster(t, cluster.Config{Servers: 3, Lines: []string{"maxClientCnxns=0"}})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	crowd := func(n int) []*stormClient {
		var list []*stormClient
		for i := range n {
			list = append(list, &stormClient{addrs: c.ClientAddrs(), rng: rand.New(rand.NewPCG(seed, uint64(i)))})
		}
		return list
	}
	clients, newcomers := crowd(old), crowd(fresh)
	t.Cleanup(func() {
		for _, c := range append(clients, newcomers...) {
			if c.nc != nil {
				_ = c.nc.Close()
			}
		}
	})
	require.NoError(t, dial(t, c.Server(1).ClientAddr()).Create("/storm", nil))
	require.NoError(t, each(clients, func(i int, c *stormClient) error {
		if err := c.connect(time.Now().Add(20 * time.Second)); err != nil {
			return err
		}
		return c.ephemeral(fmt.Sprintf("/storm/%d", i))
	}))

	leader, err := c.Leader(servingTimeout)
	require.NoError(t, err)
	start := time.Now()
	leader.Kill()
	come := make(chan error, 1)
	go func() {
		come <- each(newcomers, func(_ int, c *stormClient) error { return c.connect(start.Add(25 * time.Second)) })
	}()
	require.NoError(t, each(clients, func(_ int, c *stormClient) error {
		_, _ = io.Copy(io.Discard, c.nc) // until the server closes it
		_ = c.nc.Close()
		return c.connect(start.Add(25 * time.Second))
	}))
	t.Logf("all %d are back %v after the leader was killed", old, time.Since(start).Round(time.Millisecond))
	require.NoError(t, <-come)
	t.Logf("and %d new ones after %v", fresh, time.Since(start).Round(time.Millisecond))
	conn := dial(t, c.ClientAddrs()[leader.ID%3])
	require.NoError(t, conn.Sync("/storm"))
	children, err := conn.Children("/storm")
	require.NoError(t, err)
	assert.Len(t, children, old, "every session lives, and so does its node")
}

// Clients that come in crowds while others write as much as goes through: both get
// on. (What is being created waits in the same line as the writes, and must not be
// asked for by whoever has to make room in it.)
func TestStorm_CrowdsAndHeavyWriters(t *testing.T) {
	const writers, crowd = 6, 800
	c := startCluster(t, cluster.Config{Servers: 1, Lines: []string{"maxClientCnxns=0"}})
	addr := c.Server(1).ClientAddr()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	t.Cleanup(func() { close(stop); wg.Wait() })
	value := make([]byte, 900_000)
	for i := range writers {
		conn := dial(t, addr)
		path := fmt.Sprintf("/heavy%d", i)
		require.NoError(t, conn.Create(path, nil))
		w := wire.NewWindow(conn, 32)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					_, _ = w.Wait()
					return
				default:
					w.Set(wire.SetRequest(path, value), nil)
				}
			}
		})
	}
	clients := make([]*stormClient, crowd)
	for i := range clients {
		clients[i] = &stormClient{addrs: []string{addr}, rng: rand.New(rand.NewPCG(1, uint64(i)))}
	}
	t.Cleanup(func() {
		for _, c := range clients {
			if c.nc != nil {
				_ = c.nc.Close()
			}
		}
	})
	start := time.Now()
	require.NoError(t, each(clients, func(_ int, c *stormClient) error { return c.connect(start.Add(60 * time.Second)) }))
	t.Logf("all %d have sessions after %v", crowd, time.Since(start).Round(time.Millisecond))
}
