package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/zab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errRoleLost = errors.New("role lost")

// ensembleFake is a quorum of servers in one process: one goroutine prepares
// each request on the leader and applies it on every server.
type ensembleFake struct {
	t       testing.TB
	members []*memberFake
	done    chan struct{}
	over    sync.WaitGroup

	mu     sync.Mutex
	wake   *sync.Cond
	queue  []func()
	held   bool
	closed bool

	// Of the goroutine that runs the queue:
	leader ensemble.ServerID
	zxid   ensemble.Zxid
	chain  uint64
	tag    uint64
}

// memberFake is one server's Quorum.
type memberFake struct {
	e    *ensembleFake
	id   ensemble.ServerID
	s    *Server
	addr string
	stop func()
}

// newEnsemble starts n servers, the last of which leads. The first one also listens
// on more.
func newEnsemble(t testing.TB, n int, cfg Config, more ...net.Listener) *ensembleFake {
	t.Helper()
	e := &ensembleFake{t: t, done: make(chan struct{})}
	e.wake = sync.NewCond(&e.mu)
	cfg.Logger = slog.New(slog.DiscardHandler)
	if cfg.TickTime == 0 {
		cfg.TickTime = 200 * time.Millisecond
	}
	for i := range n {
		cfg.Self = ensemble.ServerID(i + 1)
		m := &memberFake{e: e, id: cfg.Self, s: New(cfg)}
		m.s.Attach(m)
		e.members = append(e.members, m)
	}
	for _, m := range e.members {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		m.addr = ln.Addr().String()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		listeners := append([]net.Listener{ln}, more...)
		more = nil
		go func() { ended <- m.s.Run(ctx, listeners...) }()
		m.stop = sync.OnceFunc(func() { cancel(); require.NoError(t, <-ended) })
	}
	e.over.Go(e.run)
	e.over.Go(e.heartbeats)
	t.Cleanup(e.close)
	e.elect(e.members[n-1].id)
	return e
}

func (e *ensembleFake) close() {
	for _, m := range e.members {
		m.stop()
	}
	e.mu.Lock()
	e.closed = true
	e.wake.Broadcast()
	e.mu.Unlock()
	close(e.done)
	e.over.Wait()
}

func (e *ensembleFake) push(f func()) {
	e.mu.Lock()
	e.queue = append(e.queue, f)
	e.wake.Signal()
	e.mu.Unlock()
}

// wait returns when everything queued until now has been done.
func (e *ensembleFake) wait() {
	done := make(chan struct{})
	e.push(func() { close(done) })
	<-done
}

// hold stops all commits until the returned function is called.
func (e *ensembleFake) hold() (release func()) {
	e.mu.Lock()
	e.held = true
	e.mu.Unlock()
	return sync.OnceFunc(func() {
		e.mu.Lock()
		e.held = false
		e.wake.Broadcast()
		e.mu.Unlock()
	})
}

func (e *ensembleFake) run() {
	for {
		e.mu.Lock()
		for !e.closed && (e.held || len(e.queue) == 0) {
			e.wake.Wait()
		}
		if e.closed {
			e.mu.Unlock()
			return
		}
		f := e.queue[0]
		e.queue = e.queue[1:]
		e.mu.Unlock()
		f()
	}
}

func (e *ensembleFake) heartbeats() {
	for {
		select {
		case <-e.done:
			return
		case <-time.After(50 * time.Millisecond):
		}
		for _, m := range e.members {
			if payload := m.s.Heartbeat(); m.id != e.leaderID() && payload != nil {
				e.member(e.leaderID()).s.HeartbeatFrom(m.id, payload)
			}
		}
	}
}

func (e *ensembleFake) leaderID() ensemble.ServerID {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leader
}

func (e *ensembleFake) member(id ensemble.ServerID) *memberFake { return e.members[id-1] }

// elect makes all servers look for a leader and find this one, in a new epoch.
func (e *ensembleFake) elect(leader ensemble.ServerID) {
	e.push(func() {
		e.zxid = ensemble.NewZxid(e.zxid.Epoch()+1, 0)
		e.mu.Lock()
		e.leader = leader
		e.mu.Unlock()
		for _, m := range e.members {
			m.s.RoleChanged(zab.Role{State: ensemble.Looking, Leader: ensemble.NoServer})
		}
		e.member(leader).s.ResetPrepared()
		for _, m := range e.members {
			state := ensemble.Following
			if m.id == leader {
				state = ensemble.Leading
			}
			m.s.RoleChanged(zab.Role{State: state, Epoch: e.zxid.Epoch(), Leader: leader})
		}
	})
	e.wait()
}

// look makes one server leave the quorum.
func (m *memberFake) look() {
	m.e.push(func() { m.s.RoleChanged(zab.Role{State: ensemble.Looking, Leader: ensemble.NoServer}) })
	m.e.wait()
}

func (e *ensembleFake) commit(from ensemble.ServerID, request []byte, done func(any, error)) {
	e.zxid++
	e.tag++
	txn := zab.Txn{Zxid: e.zxid, Origin: zab.Origin{Server: from, Tag: e.tag}}
	txn.Data = e.member(e.leader).s.Prepare(txn.Zxid, txn.Origin, request)
	txn.Chain = zab.NextChain(e.chain, txn.Zxid, txn.Origin, txn.Data)
	e.mu.Lock()
	e.chain = txn.Chain
	e.mu.Unlock()
	for _, m := range e.members {
		res := m.s.Apply(txn)
		if m.id == from {
			done(res, nil)
		}
	}
}

func (m *memberFake) Submit(request []byte, done func(any, error)) {
	request = bytes.Clone(request)
	epoch := m.s.role.Load().Epoch
	m.e.push(func() {
		if role := m.s.role.Load(); role.State == ensemble.Looking || role.Epoch != epoch {
			done(nil, errRoleLost)
			return
		}
		m.e.commit(m.id, request, done)
	})
}

func (m *memberFake) Sync(done func(error)) { m.e.push(func() { done(nil) }) }

func (m *memberFake) Ask(question []byte, done func([]byte, error)) {
	m.e.push(func() {
		if m.s.role.Load().State == ensemble.Looking {
			done(nil, errRoleLost)
			return
		}
		done(m.e.member(m.e.leader).s.Answer(m.id, question), nil)
	})
}

func (m *memberFake) Status() zab.Status {
	role := m.s.role.Load()
	m.e.mu.Lock()
	defer m.e.mu.Unlock()
	st := zab.Status{Server: m.id, State: role.State, Phase: "broadcast", Leader: role.Leader, Epoch: role.Epoch}
	st.Applied = zab.Position{Zxid: ensemble.Zxid(m.s.zxid.Load()), Chain: m.e.chain}
	st.ProposalBytes.Last, st.ProposalBytes.Min, st.ProposalBytes.Max = -1, -1, -1
	return st
}

func (m *memberFake) View() *ensemble.View {
	var members []ensemble.Member
	for i := range m.e.members {
		members = append(members, ensemble.Member{ID: ensemble.ServerID(i + 1), Weight: 1,
			Addrs: []ensemble.Addr{{Host: "127.0.0.1", QuorumPort: 10000 + i, ElectionPort: 20000 + i}}})
	}
	v, err := ensemble.NewView(0, members)
	if err != nil {
		panic(err)
	}
	return v
}

var zabLooking = zab.Role{State: ensemble.Looking, Leader: ensemble.NoServer}

func zabLeading(epoch ensemble.Epoch) zab.Role {
	return zab.Role{State: ensemble.Leading, Epoch: epoch, Leader: 1}
}

func zabOrigin(id ensemble.ServerID) zab.Origin { return zab.Origin{Server: id, Tag: 1} }

func zabTxn(z ensemble.Zxid, data []byte) zab.Txn {
	return zab.Txn{Zxid: z, Origin: zabOrigin(1), Data: data}
}

// sameTrees checks that all servers have the same state at the same zxid.
func (e *ensembleFake) sameTrees() {
	e.t.Helper()
	type at struct {
		zxid   ensemble.Zxid
		digest uint64
	}
	var all []at
	done := make(chan struct{})
	e.push(func() {
		for _, m := range e.members {
			z, d := m.s.TreeDigest()
			all = append(all, at{z, d})
		}
		close(done)
	})
	<-done
	for _, a := range all {
		require.Equal(e.t, all[0], a)
	}
}
