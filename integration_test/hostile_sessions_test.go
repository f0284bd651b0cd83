package integration_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/integration_test/wire"
	"github.com/quorate/quorate/server/proto"
)

// More connections of one address than may be are closed at once, and who comes
// from another one does not notice.
func TestHostileClients_MoreThanMaxClientCnxns(t *testing.T) {
	s := besiege(t, false, "maxClientCnxns=30")
	var open atomic.Int32
	var group errgroup.Group
	group.SetLimit(20)
	for range 300 {
		group.Go(func() error {
			c, err := knock(t, "127.0.0.2", s.target.ClientAddr())
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = c.nc.Close() })
			if ok, err := c.enter(proto.ConnectRequest{TimeoutMillis: 6000}); ok && err == nil {
				open.Add(1)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	assert.EqualValues(t, 30, open.Load())
	s.says("too many connections", "maxClientCnxns")
	s.outlast(64)
}

// Sessions are opened and closed, or left, as fast as may be.
func TestHostileClients_ConnectAndCloseStorm(t *testing.T) {
	s := besiege(t, true)
	var opened atomic.Int32
	var group errgroup.Group
	until := time.Now().Add(2 * time.Second)
	for i := range 8 {
		group.Go(func() error {
			for time.Now().Before(until) {
				c, err := knock(t, fmt.Sprintf("127.0.0.%d", 2+i), s.target.ClientAddr())
				if err != nil {
					return err
				}
				switch n := opened.Add(1); n % 4 {
				case 0: // gone before it is answered
					_, _ = c.nc.Write(connectRequest())
				default:
					if ok, err := c.enter(proto.ConnectRequest{TimeoutMillis: 6000}); err != nil || !ok {
						return fmt.Errorf("session %d: %v, %w", n, ok, err)
					}
					if n%4 > 1 { // else it is left to expire
						_, _ = c.nc.Write(asked(1, proto.OpCloseSession, &proto.Empty{}))
						_, _ = c.frame()
					}
				}
				_ = c.nc.Close()
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	t.Logf("%d connections", opened.Load())
	assert.Greater(t, opened.Load(), int32(200))
	eventually(t, 10*time.Second, "all connections are forgotten", func() error {
		m, err := s.target.Monitor()
		if err == nil && m["zk_num_alive_connections"] != "2" { // the witness's and mntr's
			err = fmt.Errorf("there are %s", m["zk_num_alive_connections"])
		}
		return err
	})
	s.outlast(150)
}

// Ids that are guessed, and that of somebody else with a wrong password, give
// nothing, and the owner is not disturbed.
func TestHostileClients_GuessedSessions(t *testing.T) {
	s := besiege(t, true)
	owner := insider(t, s.target.ClientAddr())
	require.Equal(t, proto.OK, owner.do(proto.OpCreate, creating("/mine", proto.FlagEphemeral)))
	random := rand.New(rand.NewPCG(*seedFlag, 2))
	for i := range 400 {
		req := proto.ConnectRequest{TimeoutMillis: 6000, SessionID: owner.session + int64(i%5), Password: make([]byte, []int{0, 1, 16, 16, 17}[i%5])}
		if i%2 == 0 {
			req.SessionID = random.Int64()
		}
		for j := range req.Password {
			req.Password[j] = byte(random.Uint32())
		}
		thief, err := knock(t, "127.0.0.1", s.target.ClientAddr())
		require.NoError(t, err)
		ok, err := thief.enter(req)
		require.NoError(t, err, "it is told, and not only cut off")
		require.False(t, ok)
		require.Zero(t, thief.session)
		require.NoError(t, thief.shut(3*time.Second))
		_ = thief.nc.Close()
	}
	assert.Equal(t, proto.OK, owner.do(proto.OpExists, reading("/mine", false)), "the owner is still connected")
	s.says("wrong password")
	s.outlast(64)
}

// One session is claimed from two sides, with the right password, again and again,
// on two servers. Whoever has it writes; what was acknowledged is there, and the
// session ends only when it is closed.
func TestHostileClients_SessionPulledToAndFro(t *testing.T) {
	s := besiege(t, true)
	other := follower(t, s.c)
	first := insider(t, s.target.ClientAddr())
	require.Equal(t, proto.OK, first.do(proto.OpCreate, creating("/pulled", 0)))
	session, password := first.session, first.password

	var mu sync.Mutex
	acked := map[string]bool{}
	var group errgroup.Group
	for side, server := range []string{s.target.ClientAddr(), other.ClientAddr(), s.target.ClientAddr()} {
		group.Go(func() error {
			for i := range 60 {
				c, err := knock(t, "127.0.0.1", server)
				if err != nil {
					return err
				}
				ok, err := c.enter(proto.ConnectRequest{TimeoutMillis: 20_000, SessionID: session, Password: password})
				if err == nil && !ok {
					return errors.New("the session was said to be over")
				}
				if ok {
					path := fmt.Sprintf("/pulled-%d-%d", side, i)
					_, _ = c.nc.Write(asked(1, proto.OpCreate, creating(path, proto.FlagEphemeral)))
					if frame, err := c.frame(); err == nil {
						var h proto.ReplyHeader
						if _, err := proto.UnmarshalHeader(frame, &h); err != nil || h.Xid != 1 || h.Err != proto.OK {
							return fmt.Errorf("%s: %v %v", path, h, err)
						}
						mu.Lock()
						acked[path] = true
						mu.Unlock()
					}
				}
				_ = c.nc.Close()
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	t.Logf("%d of 180 got to write", len(acked))
	assert.NotEmpty(t, acked)

	last := stranger(t, s.target.ClientAddr())
	ok, err := last.enter(proto.ConnectRequest{TimeoutMillis: 6000, SessionID: session, Password: password})
	require.NoError(t, err)
	require.True(t, ok, "the session lives")
	for path := range acked {
		assert.Equal(t, proto.OK, last.do(proto.OpExists, reading(path, false)), path)
	}
	assert.Equal(t, proto.OK, last.do(proto.OpCloseSession, &proto.Empty{}))
	for path := range acked {
		c := insider(t, s.target.ClientAddr())
		assert.Equal(t, proto.ErrNoNode, c.do(proto.OpExists, reading(path, false)), "ephemerals go with it")
		break
	}
	s.outlast(64)
}

// Clients that say they have seen what has not happened yet are sent away without
// a byte, time and again.
func TestHostileClients_AheadOfTheServer(t *testing.T) {
	s := besiege(t, false)
	for i := range 100 {
		c, err := knock(t, "127.0.0.1", s.target.ClientAddr())
		require.NoError(t, err)
		_, err = c.nc.Write(proto.AppendFrame(nil, &proto.ConnectRequest{TimeoutMillis: 6000, LastZxidSeen: 1<<62 + int64(i), Password: make([]byte, 16)}))
		require.NoError(t, err)
		_, err = c.frame()
		require.Error(t, err, "it must go elsewhere")
		_ = c.nc.Close()
	}
	s.says("seen a later state")
	s.outlast(64)
}

// Thousands of connections watch one node, which changes: all hear of it, once.
func TestHostileClients_ManyWatchersOfOneNode(t *testing.T) {
	s := besiege(t, true)
	mustCreate(t, s.target.ClientAddr(), "/seen", nil)
	n := *crowdFlag
	watchers := make([]*intruder, n)
	var group errgroup.Group
	group.SetLimit(32)
	for i := range watchers {
		group.Go(func() error {
			c, err := knock(t, fmt.Sprintf("127.0.0.%d", 2+i/1000), s.target.ClientAddr())
			if err != nil {
				return err
			}
			t.Cleanup(func() { _ = c.nc.Close() })
			if ok, err := c.enter(proto.ConnectRequest{TimeoutMillis: 30_000}); err != nil || !ok {
				return fmt.Errorf("no session: %w", err)
			}
			if _, err := c.nc.Write(asked(1, proto.OpGetData, reading("/seen", true))); err != nil {
				return err
			}
			watchers[i] = c
			_, err = c.frame()
			return err
		})
	}
	require.NoError(t, group.Wait())
	conn := dial(t, s.target.ClientAddr())
	changed := time.Now()
	require.NoError(t, conn.Set("/seen", nil))
	require.NoError(t, conn.Set("/seen", nil))
	for _, c := range watchers {
		h, body := c.reply()
		var e proto.WatcherEvent
		require.NoError(t, proto.Unmarshal(body, &e))
		require.Equal(t, proto.XidNotification, h.Xid)
		require.Equal(t, proto.WatcherEvent{Type: proto.EventNodeDataChanged, State: proto.StateSyncConnected, Path: "/seen"}, e)
	}
	t.Logf("%d watchers had been told after %v", n, time.Since(changed).Round(time.Millisecond))
	assert.Equal(t, proto.OK, watchers[0].do(proto.OpExists, reading("/seen", false)), "and nothing else")
	s.outlast(64 + n/10)
}

// A hundred thousand watches of one client come back in one setWatches, longer
// than any other request may be. They work, and they go with the connection.
func TestHostileClients_SetWatchesLongerThanMaxBuffer(t *testing.T) {
	s := besiege(t, true)
	const n = 100_000
	req := &proto.SetWatchesRequest{RelativeZxid: 1 << 40}
	for i := range n {
		req.Exist = append(req.Exist, fmt.Sprintf("/not-there-yet-%06d", i))
	}
	b := asked(1, proto.OpSetWatches, req)
	require.Greater(t, len(b), 2*juteMaxBuffer)
	var last *intruder
	for range 4 { // it comes back, again and again
		last = insider(t, s.target.ClientAddr())
		_, err := last.nc.Write(b)
		require.NoError(t, err)
		h, _ := last.reply()
		require.EqualValues(t, 1, h.Xid)
		require.Equal(t, proto.OK, h.Err)
		if m, err := s.target.Monitor(); assert.NoError(t, err) {
			assert.Equal(t, fmt.Sprint(n), m["zk_watch_count"])
		}
		mustCreate(t, s.target.ClientAddr(), req.Exist[n-1], nil)
		h, _ = last.reply()
		require.Equal(t, proto.XidNotification, h.Xid)
		conn := dial(t, s.target.ClientAddr())
		require.NoError(t, conn.Delete(req.Exist[n-1]))
		_ = last.nc.Close()
		eventually(t, 5*time.Second, "its watches go with the connection", func() error {
			m, err := s.target.Monitor()
			if err == nil && m["zk_watch_count"] != "0" {
				err = fmt.Errorf("there are %s", m["zk_watch_count"])
			}
			return err
		})
	}
	s.outlast(200)
}

// A session with tens of thousands of ephemeral nodes, whose list is longer than
// a request may be, is closed: all are gone at once, on every server.
func TestHostileClients_CloseWithManyEphemerals(t *testing.T) {
	s := besiege(t, true)
	mustCreate(t, s.target.ClientAddr(), "/many", nil)
	c := insider(t, s.target.ClientAddr())
	n := *ephemeralsFlag
	for from := 0; from < n; from += 1000 {
		multi := &proto.MultiRequest{}
		for i := from; i < min(from+1000, n); i++ {
			multi.Ops = append(multi.Ops, proto.MultiOp{Op: proto.OpCreate,
				Request: creating(fmt.Sprintf("/many/an-ephemeral-node-%08d", i), proto.FlagEphemeral)})
		}
		require.Equal(t, proto.OK, c.do(proto.OpMulti, multi))
	}
	c.xid++
	_, err := c.nc.Write(asked(c.xid, proto.OpGetChildren2, reading("/many", false)))
	require.NoError(t, err)
	_, body := c.reply()
	assert.Greater(t, len(body), juteMaxBuffer, "a list may be longer than a request")
	assert.Equal(t, proto.OK, c.do(proto.OpCloseSession, &proto.Empty{}))
	for _, server := range s.c.Servers {
		conn, err := wire.Dial(server.ClientAddr(), 10*time.Second)
		require.NoError(t, err)
		require.NoError(t, conn.Sync("/"))
		names, err := conn.Children("/many")
		require.NoError(t, err)
		assert.Empty(t, names)
		conn.Close()
	}
	s.outlast(600)
}
