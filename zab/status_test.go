package zab

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/quorate/quorate/ensemble"
)

// What a leader tells operators of those that follow it.
func TestDescribe_ObserversAndSyncsThatWait(t *testing.T) {
	b := newBench(t, 3, 2)
	l := b.lead(1)
	f := b.follow(2, 1)
	b.follow(5, 1)
	b.follow(4, 1)
	b.settle()
	var s Status
	l.leader.Describe(&s)
	assert.Equal(t, []ensemble.ServerID{4, 5}, s.Observers)
	assert.Equal(t, []int{2, 1, 0}, []int{s.SyncedObservers, s.SyncedFollowers, s.PendingSyncs})

	f.slow = true
	l.propose("a")
	b.settle()
	l.input(SyncRequest{From: 1, ID: 7})
	b.settle()
	s = Status{}
	l.leader.Describe(&s)
	assert.Equal(t, 1, s.PendingSyncs, "it waits for what was proposed before")
	f.finish()
	b.settle()
}
