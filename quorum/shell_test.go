package quorum

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/zab"
	"github.com/quorate/quorate/zab/storage"
)

type nothing struct{}

func (nothing) Apply(zab.Txn) any               { return nil }
func (nothing) Snapshot() (zab.Snapshot, error) { return nil, nil }
func (nothing) Restore(io.Reader) error         { return nil }

// shell makes the parts of a node that runs nothing.
func shell(t *testing.T) *Node {
	t.Helper()
	return shellOn(t, storage.NewMemFS())
}

func shellOn(t *testing.T, disk *storage.MemFS) *Node {
	t.Helper()
	st, _, err := storage.Open(storage.Config{Dir: "/d", FS: disk, Initialize: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	n := &Node{store: st, machine: nothing{}, log: slog.New(slog.DiscardHandler), waiting: newWaiting(), inbox: make(chan event, 100)}
	n.ctx, n.cancel = context.WithCancelCause(context.Background())
	t.Cleanup(func() { n.cancel(nil) })
	n.roleCtx, n.role = context.WithCancel(n.ctx)
	t.Cleanup(func() { n.role() })
	n.syncer, n.applier, n.proposer = newSyncer(n), newApplier(n), newProposer(n)
	n.snapshots = &snapshots{node: n, next: 1 << 30}
	n.links = map[ensemble.ServerID]*link{}
	return n
}

func TestProposer_RequestsOfAnEndedTermAreForgotten(t *testing.T) {
	p := shell(t).proposer
	old, now := &term{}, &term{}
	p.open(old)
	p.begin(old, 5)
	require.NoError(t, p.add(old, zab.Origin{Server: 1, Tag: 1}, []byte("queued")))
	p.end()
	require.NoError(t, p.add(old, zab.Origin{Server: 1, Tag: 2}, []byte("late")))
	p.open(now)
	require.NoError(t, p.add(old, zab.Origin{Server: 1, Tag: 3}, []byte("later")))
	require.NoError(t, p.add(now, zab.Origin{Server: 1, Tag: 4}, []byte("new")))
	_, batch := p.take()
	assert.Empty(t, batch, "not established yet")
	p.begin(now, 9)
	epoch, batch := p.take()
	assert.Equal(t, ensemble.Epoch(9), epoch)
	require.Len(t, batch, 1)
	assert.Equal(t, uint64(4), batch[0].entry.Origin.Tag)
}

// talking is a state machine that notes in which order it is asked what.
type talking struct {
	nothing
	order *[]string
}

func (m talking) Prepare(_ ensemble.Zxid, _ zab.Origin, request []byte) []byte {
	*m.order = append(*m.order, string(request))
	return request
}

func (m talking) Answer(_ ensemble.ServerID, question []byte) []byte {
	*m.order = append(*m.order, string(question))
	return nil
}

func (talking) ResetPrepared()                          {}
func (talking) Heartbeat() []byte                       { return nil }
func (talking) HeartbeatFrom(ensemble.ServerID, []byte) {}

// Who moves a session to another server asks the leader, and must not overtake
// what was asked for on the session's former connection: a question is answered
// when all requests before it are prepared, and none behind it.
func TestProposer_QuestionsWaitTheirTurn(t *testing.T) {
	n := shell(t)
	var order []string
	n.machine = talking{order: &order}
	now := &term{}
	l := &link{node: n, peer: 2, term: now, role: n.roleCtx, wake: make(chan struct{}, 1)}
	comes := func(kind zab.PacketType, what string) {
		require.NoError(t, l.fromLearner(n.ctx, zab.Packet{Type: kind, Data: []byte(what)}))
	}
	n.proposer.open(now)
	comes(zab.Request, "create")
	comes(zab.Request, "set")
	comes(zab.Revalidate, "whose is the session?")
	comes(zab.Request, "delete")
	comes(zab.Revalidate, "and now?")
	n.proposer.ask(now, func() { n.cancel(nil) })
	assert.Empty(t, order, "somebody answers before the leadership is established")
	n.proposer.begin(now, 5)
	require.NoError(t, n.proposer.run(n.ctx))
	assert.Equal(t, []string{"create", "set", "whose is the session?", "delete", "and now?"}, order)
	assert.Len(t, l.queue, 2, "answers")
}

func TestProposer_QuestionsOfAnEndedTermAreForgotten(t *testing.T) {
	n := shell(t)
	p, old, now := n.proposer, &term{}, &term{}
	asked := func() { t.Error("somebody answers for a leadership that is over") }
	p.open(old)
	p.ask(old, asked)
	p.end()
	p.ask(old, asked)
	p.open(now)
	p.ask(old, asked)
	p.ask(now, func() { n.cancel(nil) })
	p.begin(now, 9)
	require.NoError(t, p.run(n.ctx))
}

// The applier may come to a role when the loop has left it.
func TestProposer_BeginOfAnEndedTermServesNothing(t *testing.T) {
	n := shell(t)
	old, w := &term{}, newWaiting()
	n.proposer.open(old)
	n.proposer.end()
	w.close()
	require.NoError(t, n.applier.execute(n.ctx, &enterRole{zab.Role{State: ensemble.Leading, Epoch: 5}, w, old}))
	assert.False(t, w.serving)
	now := &term{}
	n.proposer.open(now)
	require.NoError(t, n.proposer.add(now, zab.Origin{Server: 2, Tag: 1}, nil))
	epoch, batch := n.proposer.take()
	assert.Zero(t, epoch)
	assert.Empty(t, batch)
}

func TestProposer_ServersThatIgnoreTheirCreditAreCutOff(t *testing.T) {
	p := shell(t).proposer
	now := &term{}
	p.open(now)
	request := make([]byte, RequestBytesMax)
	var err error
	for range 2 * queueBytesMax / RequestBytesMax {
		if err = p.add(now, zab.Origin{Server: 2}, request); err != nil {
			break
		}
	}
	require.ErrorContains(t, err, "server 2 asks for too much at once")
	require.ErrorIs(t, p.add(now, zab.Origin{Server: 2}, make([]byte, RequestBytesMax+1)), ErrTooLarge)
}

func TestSyncer_SnapshotOfAnEndedRoleIsDropped(t *testing.T) {
	n := shell(t)
	w, err := n.store.CreateSnapshot(zab.Position{Zxid: ensemble.NewZxid(1, 1), Chain: 1})
	require.NoError(t, err)
	role := n.roleCtx
	n.role()
	n.syncer.setIncoming(role, w)
	require.NoError(t, n.syncer.waitRoom(context.Background()), "the next role's links must not wait for it")
	assert.Nil(t, n.syncer.incoming)
}

// Rule 2 of spec section 8: the history is on disk before the epoch that vouches
// for it, also when both come in one batch.
func TestSyncer_HistoryIsSyncedBeforeTheEpochs(t *testing.T) {
	disk := storage.NewMemFS()
	n := shellOn(t, disk)
	var order []string
	disk.SetFault(func(op storage.Op) error {
		switch {
		case op.Kind == storage.OpSync && strings.Contains(op.Name, "log."):
			order = append(order, "log synced")
		case op.Kind == storage.OpRename && strings.Contains(op.Name, "epochs"):
			order = append(order, "epochs renamed")
		}
		return nil
	})
	z := ensemble.NewZxid(1, 1)
	txn := zab.Txn{Zxid: z, Chain: zab.NextChain(0, z, zab.Origin{}, nil)}
	require.NoError(t, n.syncer.write(n.ctx, []zab.Effect{
		zab.Append{Ticket: 1, Txns: []zab.Txn{txn}},
		zab.SaveEpochs{Ticket: 2, Epochs: zab.Epochs{Accepted: 1, Current: 1}},
	}))
	last, renamed := slices.Index(order, "log synced"), slices.Index(order, "epochs renamed")
	require.GreaterOrEqual(t, last, 0, "%v", order)
	require.Greater(t, renamed, last, "%v", order)
	// Creating the segment syncs it too: that of the append must lie between.
	assert.Equal(t, zab.Durable{Ticket: 1}, (<-n.inbox).in)
	assert.Equal(t, zab.Durable{Ticket: 2}, (<-n.inbox).in)
	assert.Equal(t, "log synced", order[renamed-1], "%v", order)
	assert.NotContains(t, order[renamed+1:], "log synced", "the log was synced behind the epochs: %v", order)
}

func TestSyncer_LinksWaitWhileASnapshotIsInstalled(t *testing.T) {
	n := shell(t)
	w, err := n.store.CreateSnapshot(zab.Position{Zxid: ensemble.NewZxid(1, 1), Chain: 1})
	require.NoError(t, err)
	n.syncer.setIncoming(n.roleCtx, w)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, n.syncer.waitRoom(gone), context.Canceled, "what comes behind a snapshot must wait")
	n.syncer.setIncoming(n.ctx, nil)
	require.NoError(t, n.syncer.waitRoom(gone))
}

// A commit that cannot be must not make the applier wait forever.
func TestApplier_RefusesACommitThatTheLogContradicts(t *testing.T) {
	n := shell(t)
	chain, txns := uint64(0), []zab.Txn(nil)
	for _, z := range []ensemble.Zxid{ensemble.NewZxid(1, 1), ensemble.NewZxid(2, 1)} {
		chain = zab.NextChain(chain, z, zab.Origin{}, nil)
		txns = append(txns, zab.Txn{Zxid: z, Chain: chain})
	}
	require.NoError(t, n.store.Append(txns, 0))
	err := n.applier.apply(n.ctx, ensemble.NewZxid(2, 0))
	require.ErrorContains(t, err, "0x200000000 is committed, and the log goes on with 0x200000001")
	assert.Equal(t, ensemble.NewZxid(1, 1), n.applier.at().Zxid)
}

// What comes by a link that is not the current one, or of a role that is over,
// does not reach the peer.
func TestLoop_AdmitsOnlyTheCurrentLinks(t *testing.T) {
	n := shell(t)
	old := &link{node: n, peer: 2, role: n.roleCtx, wake: make(chan struct{}, 1)}
	now := &link{node: n, peer: 2, role: n.roleCtx, wake: make(chan struct{}, 1)}
	n.links[2] = now
	assert.True(t, n.admit(event{nil, zab.Tick{}}))
	assert.True(t, n.admit(event{now, zab.Received{From: 2}}))
	assert.False(t, n.admit(event{old, zab.Received{From: 2}}))
	assert.False(t, n.admit(event{old, zab.LinkDown{Peer: 2}}))
}

// Rule 8 of spec section 8: no vote before the disk has done all that the old
// role asked of it.
func TestPeer_NoVoteBeforeTheDiskIsQuiet(t *testing.T) {
	view, err := ensemble.ParseView("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2")
	require.NoError(t, err)
	ballot, err := fle.NewBallot(fle.Config{Server: 1, View: view})
	require.NoError(t, err)
	p := NewPeer(zab.Config{Self: 1, View: view, TickTime: 1e9, InitLimitTicks: 10, SyncLimitTicks: 5}, zab.NewJournal(zab.Shape{}, zab.Epochs{}, 0), ballot)
	var out zab.Effects
	step := func(in zab.Input) []zab.Effect {
		out.Reset()
		p.Step(0, in, &out)
		return out.List
	}
	vote := func(list []zab.Effect) (found bool) {
		for _, e := range list {
			if _, ok := e.(Notify); ok {
				found = true
			}
		}
		return found
	}
	require.True(t, vote(step(Delivered{})))
	for _, from := range []ensemble.ServerID{2, 3} {
		step(Notified{From: from, Notification: fle.Notification{Vote: fle.Vote{Leader: 3, Round: 1}, State: ensemble.Looking}})
	}
	require.Equal(t, ensemble.Following, p.state)
	step(zab.LinkUp{Peer: 3})
	saved := step(zab.Received{From: 3, Packet: zab.Packet{Type: zab.LeaderInfo, Zxid: ensemble.NewZxid(1, 0)}})
	require.Len(t, saved, 1) // SaveEpochs, which the disk has not done
	lost := step(zab.LinkDown{Peer: 3, Err: io.EOF})
	require.Equal(t, ensemble.Looking, p.state)
	assert.False(t, vote(lost), "votes while the disk is busy")
	assert.False(t, vote(step(Delivered{})))
	assert.Empty(t, step(Notified{From: 2, Notification: fle.Notification{Vote: fle.Vote{Leader: 2, Round: 2}, State: ensemble.Looking}}), "answers while it is nothing")
	assert.True(t, vote(step(zab.Durable{Ticket: 1})))
}
