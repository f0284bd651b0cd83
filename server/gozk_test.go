package server

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// goZK connects go-zookeeper, which chooses among addrs.
func goZK(t *testing.T, timeout time.Duration, addrs ...string) (*zk.Conn, <-chan zk.Event) {
	t.Helper()
	c, events, err := zk.Connect(addrs, timeout, zk.WithLogger(quiet{}))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	for ev := range events {
		if ev.State == zk.StateHasSession {
			break
		}
	}
	return c, events
}

func TestGoZookeeper_Everything(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	c, _ := goZK(t, 4*time.Second, e.members[0].addr)
	acl := zk.WorldACL(zk.PermAll)
	path, err := c.Create("/app", []byte("v0"), 0, acl)
	require.NoError(t, err)
	assert.Equal(t, "/app", path)
	_, err = c.Create("/app", nil, 0, acl)
	assert.Equal(t, zk.ErrNodeExists, err)
	for i := range 3 {
		path, err = c.CreateProtectedEphemeralSequential("/app/lock-", nil, acl)
		require.NoError(t, err)
		assert.Contains(t, path, fmt.Sprintf("-lock-%010d", i))
	}
	data, st, ch, err := c.GetW("/app")
	require.NoError(t, err)
	assert.Equal(t, "v0", string(data))
	assert.EqualValues(t, 3, st.NumChildren)
	st, err = c.Set("/app", []byte("v1"), st.Version)
	require.NoError(t, err)
	assert.Equal(t, zk.EventNodeDataChanged, (<-ch).Type)
	_, err = c.Set("/app", nil, st.Version+1)
	assert.Equal(t, zk.ErrBadVersion, err)
	kids, _, ch, err := c.ChildrenW("/app")
	require.NoError(t, err)
	assert.Len(t, kids, 3)
	require.NoError(t, c.Delete("/app/"+kids[0], -1))
	assert.Equal(t, zk.EventNodeChildrenChanged, (<-ch).Type)
	there, _, ch, err := c.ExistsW("/none")
	require.NoError(t, err)
	assert.False(t, there)
	results, err := c.Multi(&zk.CreateRequest{Path: "/none", Acl: acl}, &zk.SetDataRequest{Path: "/none", Version: 0},
		&zk.CheckVersionRequest{Path: "/app", Version: 1})
	require.NoError(t, err)
	assert.Equal(t, "/none", results[0].String)
	assert.Equal(t, zk.EventNodeCreated, (<-ch).Type)
	_, err = c.Multi(&zk.DeleteRequest{Path: "/none", Version: 1}, &zk.CheckVersionRequest{Path: "/app", Version: 7})
	assert.Equal(t, zk.ErrBadVersion, err)
	_, err = c.Sync("/app")
	require.NoError(t, err)
	_, err = c.CreateContainer("/box", nil, 4, acl)
	require.NoError(t, err)
	_, err = c.SetACL("/none", zk.DigestACL(zk.PermAll, "u", "p"), -1)
	require.NoError(t, err)
	_, _, err = c.Get("/none")
	assert.Equal(t, zk.ErrNoAuth, err)
	require.NoError(t, c.AddAuth("digest", []byte("u:p")))
	_, _, err = c.Get("/none")
	require.NoError(t, err)
}

func TestGoZookeeper_MovesWithItsSessionAndWatches(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	a, b := e.members[0], e.members[1]
	c, events := goZK(t, 4*time.Second, a.addr, b.addr)
	_, err := c.Create("/e", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	require.NoError(t, err)
	_, _, ch, err := c.GetW("/e")
	require.NoError(t, err)
	session := c.SessionID()
	if c.Server() == b.addr {
		a, b = b, a
	}
	a.look() // and out of the quorum: it closes all connections
	other := open(t, e.members[2].addr)
	other.mustDo(1, proto.OpSetData, setOf("/e", "while away"), &proto.StatReply{})
	for ev := range events {
		if ev.State == zk.StateHasSession && ev.Server == b.addr {
			break
		}
	}
	assert.Equal(t, session, c.SessionID())
	assert.Equal(t, zk.EventNodeDataChanged, (<-ch).Type, "setWatches brings what was missed")
	_, st, err := c.Get("/e")
	require.NoError(t, err)
	assert.Equal(t, session, st.EphemeralOwner)
	c.Close()
	require.Eventually(t, func() bool {
		return other.do(2, proto.OpExists, read("/e", false), &proto.StatReply{}).Err == proto.ErrNoNode
	}, waitFor, tickFor, "closed, not expired")
}

func TestGoZookeeper_IsToldOfExpiry(t *testing.T) {
	e := newEnsemble(t, 3, Config{TickTime: 100 * time.Millisecond})
	c, events := goZK(t, time.Second, e.members[1].addr)
	e.members[2].s.closeSession(c.SessionID())
	for ev := range events {
		if ev.State == zk.StateExpired {
			return
		}
	}
}

func BenchmarkServer_SetPipelined(b *testing.B) {
	benchmark(b, proto.OpSetData, setOf("/n", string(make([]byte, 100))), &proto.StatReply{})
}

func BenchmarkServer_GetPipelined(b *testing.B) {
	benchmark(b, proto.OpGetData, read("/n", false), &proto.DataReply{Data: make([]byte, 100)})
}

// benchmark sends a request again and again, from 8 connections that have 64
// outstanding each.
func benchmark(b *testing.B, op proto.OpCode, rec, answer proto.Record) {
	const conns, outstanding = 8, 64
	e := newEnsemble(b, 1, Config{})
	clients := make([]*rawClient, conns)
	for i := range clients {
		clients[i] = open(b, e.members[0].addr)
	}
	clients[0].create(1, "/n", string(make([]byte, 100)), 0)
	var batch []byte
	for i := range int32(outstanding) {
		batch = append(batch, request(i, op, rec)...)
	}
	replies := outstanding * len(proto.AppendReply(nil, proto.ReplyHeader{}, answer))
	b.ResetTimer()
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			buf := make([]byte, replies)
			for n := 0; n < b.N/conns; n += outstanding {
				c.write(batch)
				_, err := io.ReadFull(c.nc, buf)
				assert.NoError(b, err)
			}
		})
	}
	wg.Wait()
}
