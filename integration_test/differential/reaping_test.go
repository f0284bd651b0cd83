package differential

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
)

// reapingScript has nodes that the servers delete by themselves, and others that
// look like them. Every watch has its own connection: in which order the nodes go
// has no meaning.
const reapingScript = `
	root "/w"
	open 1 timeout=60000 seen=0L ro=-1
	open 2 timeout=60000 seen=0L ro=-1
	open 3 timeout=60000 seen=0L ro=-1
	open 4 timeout=60000 seen=0L ro=-1
	open 5 timeout=60000 seen=0L ro=-1
	send 1
		1 create "/w" "" 1 31 "world" "anyone" 0
		2 createContainer "/w/never-used" "" 1 31 "world" "anyone" 4
		3 createContainer "/w/container" "" 1 31 "world" "anyone" 4
		4 create "/w/container/x" "" 1 31 "world" "anyone" 0
		5 createContainer "/w/full" "" 1 31 "world" "anyone" 4
		6 create "/w/full/x" "" 1 31 "world" "anyone" 0
		7 createTTL "/w/ttl" "" 1 31 "world" "anyone" 5 1L
		8 createTTL "/w/ttl-" "" 1 31 "world" "anyone" 6 1L
		9 createTTL "/w/long" "" 1 31 "world" "anyone" 5 3600000L
		10 createTTL "/w/parent" "" 1 31 "world" "anyone" 5 1L
		11 create "/w/parent/x" "" 1 31 "world" "anyone" 1
		12 multi 21 b0 -1 "/w/part" "" 1 31 "world" "anyone" 5 1L -1 b1 -1
		13 create "/w/plain" "" 1 31 "world" "anyone" 0
	send 2
		1 exists "/w/container" b1
	send 3
		1 getData "/w/ttl" b1
	send 4
		1 getChildren "/w/parent" b1
	send 5
		1 addWatch "/w/part" 0
	send 1
		20 delete "/w/container/x" -1
	wait 2s
	send 2
		2 getChildren "/w/full" b0
	send 3
		2 exists "/w/ttl" b0
	send 4
		2 getChildren2 "/w/parent" b0
	send 5
		2 checkWatches "/w/part" 3
	send 1
		21 getChildren2 "/w" b0
		22 delete "/w/full/x" -1
		23 delete "/w/parent/x" -1
	wait 2s
	send 4
		3 exists "/w/parent" b0
	send 1
		24 getChildren2 "/w" b0
`

func TestDifferential_Reaping(t *testing.T) {
	if err := cluster.ZooKeeperInstalled(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	pair, err := StartPair(PairConfig{
		Dir: filepath.Join(files(t), "pair"), Binary: quorateBinary(t), Servers: 1, TTL: true, Reaping: 200 * time.Millisecond,
	})
	require.NoError(t, err)
	defer pair.Close()
	s, err := ParseScript(reapingScript)
	require.NoError(t, err)
	o, err := pair.Play(s)
	require.NoError(t, err)
	assert.Nil(t, o.Case, "%v", o.Case)
	assert.Empty(t, o.Ended)
	assert.Equal(t, len(s.Steps), o.Steps)
	var left []string
	for _, seen := range o.Ours {
		for _, f := range seen.Frames {
			if f.Request != nil && f.Request.Xid == 24 {
				left = f.Cells
			}
		}
	}
	assert.Contains(t, left, `names=["long" "never-used" "plain"]`)
}
