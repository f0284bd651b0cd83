//go:build mutants

package quorum

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/fle"
	"github.com/quorate/quorate/internal/mutant"
	"github.com/quorate/quorate/zab"
)

// M22: a vote while the disk has not done what the last role asked of it.
func TestMutant_VotesWhileTheDiskIsBusy(t *testing.T) {
	view, err := ensemble.ParseView("server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2")
	require.NoError(t, err)
	without, with := mutant.Contrast(mutant.M22, func() bool {
		ballot, err := fle.NewBallot(fle.Config{Server: 1, View: view})
		require.NoError(t, err)
		p := NewPeer(zab.Config{Self: 1, View: view, TickTime: 1e9, InitLimitTicks: 10, SyncLimitTicks: 5}, zab.NewJournal(zab.Shape{}, zab.Epochs{}, 0), ballot)
		var out zab.Effects
		p.Step(0, Delivered{}, &out)
		for _, from := range []ensemble.ServerID{2, 3} {
			p.Step(0, Notified{From: from, Notification: fle.Notification{Vote: fle.Vote{Leader: 3, Round: 1}, State: ensemble.Looking}}, &out)
		}
		p.Step(0, zab.LinkUp{Peer: 3}, &out)
		p.Step(0, zab.Received{From: 3, Packet: zab.Packet{Type: zab.LeaderInfo, Zxid: ensemble.NewZxid(1, 0)}}, &out)
		require.IsType(t, zab.SaveEpochs{}, out.List[len(out.List)-1])
		out.Reset()
		p.Step(0, zab.LinkDown{Peer: 3, Err: io.EOF}, &out)
		require.Equal(t, ensemble.Looking, p.state)
		for _, e := range out.List {
			if _, vote := e.(Notify); vote {
				return true
			}
		}
		return false
	})
	assert.False(t, without)
	assert.True(t, with)
}
