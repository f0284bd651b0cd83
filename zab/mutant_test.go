//go:build mutants

package zab

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/internal/mutant"
)

// TestMutant_Roles shows of each mutant of the roles a scene in which it does
// something else than it should.
func TestMutant_Roles(t *testing.T) {
	for _, c := range []struct {
		id    mutant.ID
		does  string
		scene func(t *testing.T) bool
	}{
		{mutant.M01, "acknowledges and commits what is on no disk", func(t *testing.T) bool {
			b, l, f := pair(t)
			l.slow, f.slow = true, true
			l.propose("a")
			b.settle()
			return said(f, "ACK 0x100000001") && said(l, "commit 0x100000001")
		}},
		{mutant.M02, "acknowledges NEWLEADER with the history not on disk", func(t *testing.T) bool {
			f := behind(t)
			return said(f, "ACK 0x200000000") && len(f.disk) == 2
		}},
		{mutant.M03, "saves currentEpoch before the history", func(t *testing.T) bool {
			f := behind(t)
			f.finishOne()
			return f.epochs.Current == 2 && f.journal.DurableZxid() == z(1, 1)
		}},
		{mutant.M05, "commits alone", func(t *testing.T) bool {
			b, l, f := pair(t)
			f.slow = true
			l.propose("a")
			b.settle()
			return said(l, "commit 0x100000001")
		}},
		{mutant.M06, "commits with two packets of one of five", func(t *testing.T) bool {
			b := newBench(t, 5, 0)
			l := b.lead(1)
			b.follow(2, 1)
			b.follow(3, 1).slow = true
			for range 2 { // acceptedEpoch, currentEpoch
				b.settle()
				b.servers[3].finish()
			}
			b.settle()
			require.Equal(t, ensemble.Epoch(1), l.established)
			l.propose("a")
			l.propose("b")
			b.settle()
			return said(l, "commit 0x100000001")
		}},
		{mutant.M09, "sends DIFF where TRUNC is due", func(t *testing.T) bool {
			b := newBench(t, 3, 0)
			b.history(1, Epochs{Accepted: 2, Current: 2}, z(1, 1), z(2, 1))
			b.history(2, Epochs{Accepted: 3, Current: 3}, z(1, 1), z(3, 1))
			b.history(3, Epochs{Accepted: 3, Current: 3}, z(1, 1), z(3, 1))
			l := b.lead(2)
			b.follow(3, 2)
			b.follow(1, 2)
			b.settle()
			return said(l, "->1 DIFF 0x200000001")
		}},
		{mutant.M11, "leaves a hole in a log", func(t *testing.T) bool {
			b := newBench(t, 3, 0)
			b.history(1, Epochs{Accepted: 1, Current: 1}, z(1, 1), z(1, 2), z(1, 3))
			b.history(2, Epochs{Accepted: 1, Current: 1}, z(1, 1))
			b.lead(1)
			f := b.follow(2, 1)
			b.settle()
			require.Equal(t, ensemble.Epoch(2), f.established)
			return !slices.ContainsFunc(f.log, func(x Txn) bool { return x.Zxid == z(1, 2) })
		}},
		{mutant.M13, "proposes an epoch that was accepted before", func(t *testing.T) bool {
			b := newBench(t, 3, 0)
			b.history(2, Epochs{Accepted: 7})
			l := b.lead(1)
			b.follow(2, 1)
			b.settle()
			return l.leader.Epoch() == 7
		}},
		{mutant.M14, "promises an epoch twice", func(t *testing.T) bool {
			b := newBench(t, 3, 0)
			b.history(2, Epochs{Accepted: 5, Current: 4}, z(4, 1))
			f := b.follow(2, 1)
			f.input(Received{From: 1, Packet: Packet{Type: LeaderInfo, Zxid: z(5, 0)}})
			return said(f, "ACKEPOCH epoch=4")
		}},
		{mutant.M17, "keeps a proposal from who is being synchronized", func(t *testing.T) bool {
			b, l, _ := pair(t)
			b.follow(3, 1)
			b.deliver(3, 1, -1) // FOLLOWERINFO
			b.deliver(1, 3, -1) // LEADERINFO
			b.deliver(3, 1, -1) // ACKEPOCH; the way to our history is queued
			l.propose("a")
			b.settle()
			return !said(l, "->3 PROPOSAL 0x100000001-0x100000001")
		}},
		{mutant.M18, "lets a learner commit what it was sent", func(t *testing.T) bool {
			b := newBench(t, 5, 0)
			l := b.lead(1)
			b.follow(2, 1)
			b.follow(3, 1)
			b.settle()
			b.servers[2].slow, b.servers[3].slow = true, true
			l.propose("a")
			f := b.follow(4, 1)
			b.settle()
			require.Zero(t, l.journal.Committed())
			return f.journal.Committed() == z(1, 1)
		}},
		{mutant.M31, "answers a sync that nobody confirmed", func(t *testing.T) bool {
			_, l, _ := pair(t)
			l.input(SyncRequest{From: 1, ID: 9})
			return len(l.points) == 1
		}},
		{mutant.M35, "goes on behind the last zxid of its epoch", func(t *testing.T) bool {
			_, l, _ := pair(t)
			l.journal.shape = Shape{Base: Position{Zxid: z(1, ensemble.MaxCounter)}}
			l.propose("a")
			return l.journal.Last().Zxid == z(2, 0)
		}},
		{mutant.M37, "waits for ever to be synchronized", func(t *testing.T) bool {
			b := newBench(t, 3, 0)
			f := b.follow(2, 1)
			b.pass(time.Minute)
			return f.ended == ""
		}},
		{mutant.M38, "leads on without anybody", func(t *testing.T) bool {
			b, l, _ := pair(t)
			l.input(LinkDown{Peer: 2})
			b.pass(time.Minute)
			return l.ended == ""
		}},
	} {
		t.Run(c.id.String(), func(t *testing.T) {
			mutant.Show(t, c.id, "server", c.does, func() bool { return c.scene(t) })
		})
	}
}

// pair returns an established leader, 1, of three with one follower, 2.
func pair(t *testing.T) (*bench, *server, *server) {
	b := newBench(t, 3, 0)
	l := b.lead(1)
	f := b.follow(2, 1)
	b.settle()
	require.Equal(t, ensemble.Epoch(1), l.established)
	return b, l, f
}

// behind returns a follower that has been sent what it lacks, and NEWLEADER, and
// whose disk has done nothing for that yet.
func behind(t *testing.T) *server {
	b := newBench(t, 3, 0)
	b.history(1, Epochs{Accepted: 1, Current: 1}, z(1, 1), z(1, 2))
	b.history(2, Epochs{Accepted: 1, Current: 1}, z(1, 1))
	b.lead(1)
	f := b.follow(2, 1)
	f.slow = true
	b.settle()
	f.finish() // acceptedEpoch
	b.settle()
	require.True(t, said(b.servers[1], "NEWLEADER"))
	return f
}

// M04 as in the trace that ZOOKEEPER-2845 tells of: what a follower logged alone
// is not truncated, because it has forgotten it, and then stands on its disk under
// another history.
func TestMutant_MemoryIsKeptWhenTheQuorumIsLeft(t *testing.T) {
	type outcome struct {
		said ensemble.Zxid
		mode string
		log  []ensemble.Zxid
	}
	without, with := mutant.Contrast(mutant.M04, func() outcome {
		b, l, f := pair(t)
		l.propose("a")
		b.settle()
		l.propose("b")
		b.deliver(1, 2, -1)
		f.input(LinkDown{Peer: 1})
		o := outcome{said: f.journal.Last().Zxid}

		b = newBench(t, 3, 0)
		b.history(1, Epochs{Accepted: 2, Current: 2}, z(1, 1))
		f.b, f.learner, b.servers[2] = b, nil, f
		b.servers[1].log = f.log[:1]
		b.servers[1].journal = NewJournal(Shape{}.Append(f.log[0]), Epochs{Accepted: 2, Current: 2}, z(1, 1))
		b.lead(1)
		b.follow(2, 1)
		b.settle()
		o.mode = f.synced.Mode
		for _, txn := range f.log {
			o.log = append(o.log, txn.Zxid)
		}
		return o
	})
	assert.Equal(t, outcome{z(1, 2), "TRUNC", []ensemble.Zxid{z(1, 1)}}, without)
	assert.Equal(t, outcome{z(1, 1), "DIFF", []ensemble.Zxid{z(1, 1), z(1, 2)}}, with)
}
