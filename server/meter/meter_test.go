package meter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/quorum"
	"github.com/quorate/quorate/server/meter"
	"github.com/quorate/quorate/server/metric"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/zab"
)

// protocol plays events to a meter, by a clock of its own.
type protocol struct {
	t     *metric.Table
	m     *meter.Meter
	clock time.Duration
}

var born = time.UnixMilli(1_700_000_000_000)

func newProtocol() *protocol {
	p := &protocol{t: metric.New()}
	p.m = meter.New(p.t, 1, func() time.Time { return born.Add(p.clock) })
	return p
}

func (p *protocol) step(in zab.Input, effects ...zab.Effect) {
	p.m.Event(quorum.Event{At: p.clock, Input: in, Effects: effects})
}

func (p *protocol) after(d time.Duration) *protocol { p.clock += d; return p }

// values gathers what mntr would show.
func (p *protocol) values() map[string]any {
	m := map[string]any{}
	for _, r := range p.t.Gather(0) {
		r.Lines(func(name string, value any) { m[name] = value })
	}
	return m
}

func (p *protocol) equal(t *testing.T, want map[string]any) {
	t.Helper()
	got := p.values()
	for name, value := range want {
		assert.EqualValues(t, value, got[name], name)
	}
}

// txns makes transactions with zxids of epoch 1, made now.
func (p *protocol) txns(first, n int) []zab.Txn {
	var list []zab.Txn
	for i := range n {
		h := proto.TxnHeader{Zxid: int64(ensemble.NewZxid(1, uint32(first+i))), Time: born.Add(p.clock).UnixMilli(), Type: proto.OpError}
		list = append(list, zab.Txn{Zxid: ensemble.Zxid(h.Zxid), Data: proto.AppendTxn(nil, h, &proto.ErrorTxn{})})
	}
	return list
}

func zxid(n uint32) ensemble.Zxid { return ensemble.NewZxid(1, n) }

func TestMeter_ElectionAndService(t *testing.T) {
	p := newProtocol()
	p.after(200*time.Millisecond).step(zab.Tick{}, quorum.RoleChange{State: ensemble.Following, Leader: 2})
	p.after(50*time.Millisecond).step(zab.Tick{}, zab.Synchronized{Mode: "DIFF"})
	p.after(10*time.Millisecond).step(zab.Tick{}, zab.Established{Epoch: 1})
	p.equal(t, map[string]any{"looking_count": 1, "sum_election_time": 200, "sum_follower_sync_time": 50, "cnt_observer_sync_time": 0,
		"sum_unavailable_time": 260, "cnt_leader_unavailable_time": 0})
	p.after(time.Hour).step(zab.LinkDown{Peer: 2, Err: errors.New("x")}, quorum.RoleChange{State: ensemble.Looking})
	p.after(30*time.Millisecond).step(zab.Tick{}, quorum.RoleChange{State: ensemble.Leading, Leader: 1})
	p.after(5*time.Millisecond).step(zab.Tick{}, zab.Established{Epoch: 2})
	p.equal(t, map[string]any{"looking_count": 2, "cnt_election_time": 2, "min_election_time": 30, "cnt_unavailable_time": 2,
		"sum_leader_unavailable_time": 35})
}

func lead(p *protocol) {
	p.step(zab.Tick{}, quorum.RoleChange{State: ensemble.Leading, Leader: 1})
	p.step(zab.Tick{}, zab.Established{Epoch: 1})
	for _, id := range []ensemble.ServerID{2, 3} { // the end of their synchronization
		p.step(zab.Received{From: id, Packet: zab.Packet{Type: zab.Ack, Zxid: zxid(0)}})
	}
}

func TestMeter_Leader(t *testing.T) {
	p := newProtocol()
	lead(p)
	ack := func(from ensemble.ServerID, at uint32, effects ...zab.Effect) {
		p.step(zab.Received{From: from, Packet: zab.Packet{Type: zab.Ack, Zxid: zxid(at)}}, effects...)
	}
	p.step(zab.Propose{}, zab.Append{Ticket: 1, Txns: p.txns(1, 3)})
	p.after(2*time.Millisecond).step(zab.Propose{}, zab.Append{Ticket: 2, Txns: p.txns(4, 1)})
	p.after(3 * time.Millisecond).step(zab.Durable{Ticket: 2})
	p.after(5 * time.Millisecond)
	ack(2, 3, zab.Commit{UpTo: zxid(3)}) // 10 ms after the first batch
	p.after(2 * time.Millisecond)
	ack(2, 4, zab.Commit{UpTo: zxid(4)}) // 10 ms after the second
	p.after(88 * time.Millisecond)
	ack(3, 4) // 100 and 98 ms
	p.equal(t, map[string]any{
		"proposal_count": 4, "commit_count": 4, "sync_processor_request_queued": 4,
		"cnt_quorum_ack_latency": 2, "sum_quorum_ack_latency": 20,
		"cnt_1_ack_latency": 2, "sum_1_ack_latency": 8, "sum_2_ack_latency": 20, "sum_3_ack_latency": 198,
		"cnt_sync_processor_queue_and_flush_time_ms": 2, "sum_proposal_ack_creation_latency": 8,
		"learner_commit_received_count": 0, "learner_proposal_received_count": 0,
	})
}

func TestMeter_Learner(t *testing.T) {
	p := newProtocol()
	p.step(zab.Tick{}, quorum.RoleChange{State: ensemble.Following, Leader: 2})
	p.step(zab.Received{From: 2, Packet: zab.Packet{Type: zab.Proposal, Txns: p.txns(1, 5)}},
		zab.Append{Ticket: 1, Txns: p.txns(1, 5)}) // synchronization
	p.step(zab.Tick{}, zab.Established{Epoch: 1}, zab.Commit{UpTo: zxid(5)})
	p.equal(t, map[string]any{"learner_proposal_received_count": 0})
	txns := p.txns(6, 2)
	p.after(4*time.Millisecond).step(zab.Received{From: 2, Packet: zab.Packet{Type: zab.Proposal, Txns: txns}}, zab.Append{Ticket: 2, Txns: txns})
	p.after(2 * time.Millisecond).step(zab.Durable{Ticket: 2})
	p.after(time.Millisecond).step(zab.Received{From: 2, Packet: zab.Packet{Type: zab.CommitUpTo}}, zab.Commit{UpTo: zxid(7)})
	p.equal(t, map[string]any{
		"learner_proposal_received_count": 2, "sum_proposal_latency": 4, "cnt_proposal_latency": 1,
		"proposal_count": 0, "commit_count": 0, "cnt_quorum_ack_latency": 0, "max_commit_propagation_latency": 7,
		"max_proposal_ack_creation_latency": 6,
	})
}

func TestMeter_Synchronizing(t *testing.T) {
	p := newProtocol()
	lead(p)
	p.step(zab.Tick{}, zab.Send{To: []ensemble.ServerID{4}, Packet: zab.Packet{Type: zab.Diff}})
	p.step(zab.Tick{}, zab.Send{To: []ensemble.ServerID{5}, Packet: zab.Packet{Type: zab.Trunc}})
	p.step(zab.Tick{}, zab.SendSnapshot{To: 6})
	p.step(zab.LinkDown{Peer: 4})
	p.step(zab.Received{From: 5, Packet: zab.Packet{Type: zab.Ack, Zxid: zxid(0)}})
	p.step(zab.Tick{}, zab.Send{To: []ensemble.ServerID{4}, Packet: zab.Packet{Type: zab.Diff}})
	p.equal(t, map[string]any{"diff_count": 3, "snap_count": 1, "max_inflight_diff_count": 2, "sum_inflight_diff_count": 4, "sum_inflight_snap_count": 1})
}

// A learner that stays behind does not make the leader remember for ever, and what
// it acknowledges in the end is measured as far as it is remembered.
func TestMeter_RemembersSoMuch(t *testing.T) {
	p := newProtocol()
	lead(p)
	const n = 20_000
	for i := range n {
		p.step(zab.Propose{}, zab.Append{Ticket: uint64(i + 1), Txns: p.txns(i+1, 1)})
		p.step(zab.Durable{Ticket: uint64(i + 1)})
		p.step(zab.Received{From: 2, Packet: zab.Packet{Type: zab.Ack, Zxid: zxid(uint32(i + 1))}}, zab.Commit{UpTo: zxid(uint32(i + 1))})
	}
	p.step(zab.Received{From: 3, Packet: zab.Packet{Type: zab.Ack, Zxid: zxid(n)}})
	p.equal(t, map[string]any{"cnt_2_ack_latency": n, "cnt_quorum_ack_latency": n, "commit_count": n})
	late := p.values()["cnt_3_ack_latency"].(int64)
	assert.Greater(t, late, int64(1000))
	assert.LessOrEqual(t, late, int64(4096))
}

func TestMeter_Disk(t *testing.T) {
	p := newProtocol()
	h := p.m.Hooks()
	at := func(n uint32) zab.Position { return zab.Position{Zxid: zxid(n)} }
	h.Storage.Append(zab.Position{}, at(2), 100)
	h.Storage.Append(at(2), at(5), 100)
	h.Storage.Sync(at(5), 3*time.Millisecond, nil)
	h.Storage.Sync(at(5), 2*time.Second, nil)
	h.Storage.Sync(at(5), time.Hour, errors.New("broken"))
	h.Snapshot(at(5), 70*time.Millisecond)
	h.Loaded(quorum.Loaded{Snapshot: at(1), Took: 20 * time.Millisecond, Txns: 9, TxnsTook: 5 * time.Millisecond})
	p.equal(t, map[string]any{"cnt_fsynctime": 2, "sum_fsynctime": 2003, "cnt_sync_processor_batch_size": 1, "sum_sync_processor_batch_size": 5,
		"sum_snapshottime": 70, "sum_dbinittime": 25, "sum_startup_snap_load_time": 20, "sum_startup_txns_loaded": 9, "sum_startup_txns_load_time": 5})
	require.EqualValues(t, 1, p.t.SlowFsyncs.Value())
}
