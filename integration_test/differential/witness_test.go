package differential

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// witness is a script that shows a difference that random histories keep away
// from, or that ends a server, and what the two say there. The script's paths
// begin with /w.
type witness struct {
	id, script         string
	zookeeper, quorate string // empty if ZooKeeper ends
}

const (
	openTwo = "open 1 timeout=60000 seen=0L ro=-1\nopen 2 timeout=60000 seen=0L ro=-1\n"
	anyone  = `1 31 "world" "anyone"` // an ACL
)

// pipelined are so many creates that the first are not applied yet when the last
// are judged.
func pipelined() string {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "%d create \"/w/n%d\" \"\" %s 0\n", i+2, i, anyone)
	}
	return b.String()
}

var witnesses = []witness{
	{
		"check-alone", `send 1
			1 check "/" -1`,
		"nothing, and the connection is silent", "err=-6",
	},
	{
		"internal-ops", `send 1
			1 deleteContainer "/w"`,
		"xid=1 zxid=+3 err=-8", "err=-6",
	},
	{
		"multi-container-flags", `send 1
			1 multi 19 b0 -1 "/w" "" ` + anyone + ` 1 -1 b1 -1
			2 exists "/w" b0`,
		"owner=s1", "owner=0",
	},
	{
		"container-ephemeral-flags", `send 1
			1 create "/w" "" ` + anyone + ` 0
			` + pipelined() + `
			50 createContainer "/w/c" "" ` + anyone + ` 1
			51 closeSession
		send 2
			1 exists "/w/c" b0`,
		"err=-101", "err=0",
	},
	{
		"long-setwatches", `send 1
			-8 setWatches 0L 1 fill1100000 0 0`,
		"nothing, and the connection is closed", "event",
	},
	{
		"out-of-turn", `send 1
			1 create "/w" "" ` + anyone + ` 0
			` + pipelined() + `
			-4 auth 0 "digest" "ann:1"`,
		"  ZooKeeper  xid=-4", "err=0 path=",
	},
	{
		"strange-utf8", `send 1
			1 sync "/w\xff"`,
		`\ufffd"`, `\xff"`,
	},
	{
		"strange-utf8", `send 1
			1 delete "/w\xff" 0`,
		"err=-101", "err=-8",
	},
	{
		"ip6-acl", `send 1
			1 create "/w" "" 1 31 "ip" "::1" 0`,
		"err=-114", "err=0",
	},
	{
		"ip6-acl", `send 1
			1 create "/w" "" 1 31 "ip" "::1/64" 0`,
		"err=-114", "err=0",
	},
	{
		"null-watch", `send 1
			1 addWatch null 0
			2 closeSession`,
		"silent", "closed",
	},
	{
		"crash-ttl", `send 1
			1 createTTL "/w" "" ` + anyone + ` 0 -1L`,
		"", "",
	},
	{
		"crash-quota-root", `send 1
			1 create "/zookeeper/quota/zookeeper_limits" "" ` + anyone + ` 0`,
		"", "",
	},
	{
		"crash-quota", `send 1
			1 create "/w" "" ` + anyone + ` 0
			2 create "/zookeeper/quota/w" "" ` + anyone + ` 0
			3 create "/zookeeper/quota/w/zookeeper_limits" "count=9" ` + anyone + ` 0
			4 create "/zookeeper/quota/w/zookeeper_stats" "" ` + anyone + ` 0
			5 setData "/zookeeper/quota/w/zookeeper_stats" null -1
			6 create "/w/a" "" ` + anyone + ` 0`,
		"", "",
	},
}

// What random histories cannot meet is shown one by one.
func TestDifferential_Witnesses(t *testing.T) { showAll(t, newBench(t, 1), openTwo, witnesses) }

// One of an ensemble's, whose leader is the server with the highest id.
func TestDifferential_WitnessesInAnEnsemble(t *testing.T) {
	openOne := "open 1 timeout=60000 seen=0L ro=-1 server=2\n"
	showAll(t, newBench(t, 3), openOne, []witness{{
		"reconfig-undecodable", `send 1
			1 reconfig`,
		"nothing, and the connection is silent", "err=-5",
	}})
}

func showAll(t *testing.T, b *bench, open string, witnesses []witness) {
	t.Helper()
	for i, w := range witnesses {
		s, err := ParseScript(open + strings.ReplaceAll(w.script, "/w", fmt.Sprintf("/w%d", i)))
		require.NoError(t, err)
		s.Roots = []string{fmt.Sprintf("/w%d", i)}
		o := b.play(s)
		if w.zookeeper == "" {
			assert.Equal(t, w.id, o.Ended)
			continue
		}
		if !assert.NotNil(t, o.Case, "%s: nothing differs", w.id) {
			continue
		}
		text := strings.Split(strings.TrimSpace(o.Case.String()), "\n")
		assert.Contains(t, text[len(text)-2], w.zookeeper, w.id)
		assert.Contains(t, text[len(text)-1], w.quorate, w.id)
		if strings.HasSuffix(o.Case.RealEnd, "silent") {
			b.end()
		}
	}
}

func TestDifferences_WhatHistoriesCannotMeetHasAWitness(t *testing.T) {
	shown := map[string]bool{lostWakeup: true, leaderSync: true, "reconfig-undecodable": true}
	for _, w := range witnesses {
		shown[w.id] = true
	}
	for _, d := range Differences {
		assert.Equal(t, d.Explains == nil, shown[d.ID], d.ID)
	}
}
