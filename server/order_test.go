package server

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
)

func TestOrder_PipelinedWritesAndReads(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	for _, m := range e.members {
		t.Run(fmt.Sprint(m.id), func(t *testing.T) {
			c := open(t, m.addr)
			path := fmt.Sprintf("/n%d", m.id)
			const n = 300
			b := request(1, proto.OpCreate, createOf(path, "", 0))
			for i := range int32(n) {
				b = append(b, request(10+2*i, proto.OpSetData, setOf(path, fmt.Sprint(i)))...)
				b = append(b, request(11+2*i, proto.OpGetData, read(path, false))...)
			}
			c.write(b)
			c.expect(1, &proto.PathReply{})
			for i := range int32(n) {
				var st proto.StatReply
				w := c.expect(10+2*i, &st)
				assert.Equal(t, st.Stat.Mzxid, w.Zxid)
				var d proto.DataReply
				r := c.expect(11+2*i, &d)
				require.Equal(t, fmt.Sprint(i), string(d.Data), "a read sees the session's earlier writes and no later ones")
				assert.Equal(t, d.Stat.Mzxid, r.Zxid, "nobody else writes: the read is of that very state")
			}
		})
	}
}

func TestOrder_WritesArePipelined(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	c.create(1, "/n", "", 0)
	release := e.hold()
	var b []byte
	for i := range int32(20) {
		b = append(b, request(2+i, proto.OpSetData, setOf("/n", "x"))...)
	}
	b = append(b, request(100, proto.OpExists, read("/n", false))...)
	b = append(b, request(101, proto.OpSetData, setOf("/n", "behind the read"))...)
	c.write(b)
	require.Eventually(t, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.queue) == 20
	}, waitFor, tickFor, "all writes up to the read are under way at once")
	release()
	for i := range int32(20) {
		c.expect(2+i, &proto.StatReply{})
	}
	var st proto.StatReply
	c.expect(100, &st)
	assert.EqualValues(t, 20, st.Stat.Version)
	c.expect(101, &proto.StatReply{})
}

func TestOrder_PingWaitsBehindAWriteThatCannotCommit(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	release := e.hold()
	c.write(request(1, proto.OpCreate, createOf("/n", "", 0)))
	c.write(request(-2, proto.OpPing, &proto.Empty{}))
	require.Eventually(t, func() bool { return e.members[0].s.inflight.Load() == 2 }, waitFor, tickFor)
	release()
	w := c.expect(1, &proto.PathReply{})
	p := c.expect(-2, nil)
	assert.Equal(t, w.Zxid, p.Zxid)
}

func TestOrder_EventBeforeAnyLaterReply(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	watcher, writer := open(t, e.members[0].addr), open(t, e.members[0].addr)
	writer.create(1, "/n", "0", 0)
	for i := range int32(100) {
		var d proto.DataReply
		watcher.mustDo(2*i+1, proto.OpGetData, read("/n", true), &d)
		// The write and a read that may see it race on two connections.
		writer.write(request(i+2, proto.OpSetData, setOf("/n", fmt.Sprint(i+1))))
		watcher.write(request(2*i+2, proto.OpGetData, read("/n", false)))
		told := false
		for replied := false; !replied || !told; {
			h, body := watcher.reply()
			if h.Xid == proto.XidNotification {
				told = true
				continue
			}
			replied = true
			var now proto.DataReply
			require.NoError(t, proto.Unmarshal(body, &now))
			if string(now.Data) != string(d.Data) {
				require.True(t, told, "the reply knew of the change before the event told")
			}
			require.GreaterOrEqual(t, h.Zxid, now.Stat.Mzxid)
		}
		writer.expect(i+2, &proto.StatReply{})
	}
}

func TestOrder_OwnEventBeforeOwnReply(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	c.create(1, "/n", "", 0)
	c.mustDo(2, proto.OpGetData, read("/n", true), &proto.DataReply{})
	c.write(request(3, proto.OpSetData, setOf("/n", "x")))
	at, ev := c.event()
	assert.Equal(t, proto.WatcherEvent{Type: proto.EventNodeDataChanged, State: 3, Path: "/n"}, ev)
	assert.Equal(t, c.expect(3, &proto.StatReply{}).Zxid, at, "events carry the zxid of the change")
}

// Readers arm watches as fast as they can while a writer writes: whoever armed a
// watch on one value must be told exactly once before or with the next, and
// never before its own reply.
func TestOrder_NoWakeUpIsLost(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	writer := open(t, e.members[0].addr)
	writer.create(1, "/n", "0", 0)
	const writes = 200
	var wg sync.WaitGroup
	for range 3 {
		c := open(t, e.members[0].addr)
		wg.Go(func() {
			for xid := int32(1); ; xid++ {
				c.write(request(xid, proto.OpGetData, read("/n", true)))
				h, body := c.reply()
				if !assert.Equal(t, xid, h.Xid, "an event before the reply that armed the watch") {
					return
				}
				var d proto.DataReply
				if !assert.NoError(t, proto.Unmarshal(body, &d)) || string(d.Data) == "end" {
					return
				}
				at, _ := c.event()
				if !assert.Greater(t, at, d.Stat.Mzxid) {
					return
				}
			}
		})
	}
	for i := range int32(writes) {
		writer.mustDo(2+i, proto.OpSetData, setOf("/n", fmt.Sprint(i)), &proto.StatReply{})
	}
	writer.mustDo(1000, proto.OpSetData, setOf("/n", "end"), &proto.StatReply{})
	wg.Wait()
}

func TestOrder_AuthKeepsItsPlace(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := open(t, e.members[0].addr)
	release := e.hold()
	b := request(1, proto.OpCreate, createOf("/n", "", 0))
	b = append(b, request(-4, proto.OpAuth, &proto.AuthRequest{Scheme: "digest", Auth: []byte("u:p")})...)
	b = append(b, request(2, proto.OpExists, read("/n", false))...)
	c.write(b)
	release()
	c.expect(1, &proto.PathReply{})
	assert.Zero(t, c.expect(-4, nil).Zxid)
	c.expect(2, &proto.StatReply{})
}

func TestOrder_SyncSeesEverythingBefore(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	a, b := open(t, e.members[0].addr), open(t, e.members[1].addr)
	for i := range int32(20) {
		w := a.mustDo(2*i+1, proto.OpCreate, createOf(fmt.Sprintf("/s%d", i), "", 0), &proto.PathReply{})
		b.write(append(request(2*i+1, proto.OpSync, &proto.PathRequest{Path: "any where"}),
			request(2*i+2, proto.OpExists, read(fmt.Sprintf("/s%d", i), false))...))
		var p proto.PathReply
		s := b.expect(2*i+1, &p)
		assert.Equal(t, "any where", p.Path, "echoed as it came")
		assert.GreaterOrEqual(t, s.Zxid, w.Zxid)
		require.Equal(t, proto.OK, b.expect(2*i+2, &proto.StatReply{}).Err)
	}
}
