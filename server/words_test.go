package server

import (
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
)

func TestWords_Formats(t *testing.T) {
	e := newEnsemble(t, 3, Config{Whitelist: []string{"*"}, Conf: []string{"clientPort=2181"}, Members: func() string { return "{}\n" }})
	addr := e.members[2].addr
	c := open(t, addr)
	c.create(1, "/e", "", proto.FlagEphemeral)
	c.mustDo(2, proto.OpGetData, read("/e", true), &proto.DataReply{})
	sid := session.Format(c.session)
	for name, pattern := range map[string]string{
		"ruok": `^imok$`,
		"isro": `^rw$`,
		"srvr": `^Zookeeper version: [\w.-]+, built on \d\d/\d\d/\d{4} \d\d:\d\d UTC\nLatency min/avg/max: \d+/\d+\.\d+/\d+\nReceived: \d+\nSent: \d+\n` +
			`Connections: 2\nOutstanding: 0\nZxid: 0x100000002\nMode: leader\nNode count: 6\nProposal sizes last/min/max: -1/-1/-1\n$`,
		"stat": `^Zookeeper version: .*\nClients:\n /127.0.0.1:\d+\[1\]\(queued=0,recved=3,sent=3\)\n /127.0.0.1:\d+\[1\]\(queued=0,recved=0,sent=0\)\n\nLatency`,
		"cons": `^ /127.0.0.1:\d+\[1\]\(queued=0,recved=3,sent=3,sid=` + sid + `,lop=GETD,est=\d+,to=4000,lcxid=0x2,lzxid=0x100000002,` +
			`lresp=\d+,llat=\d+,minlat=\d+,avglat=\d+,maxlat=\d+\)\n /127.*\n\n$`,
		"conf": `^clientPort=2181\ntickTime=200\nmaxClientCnxns=60\nminSessionTimeout=400\nmaxSessionTimeout=4000\nserverId=3\npeerType=0\n` +
			`membership: \nserver.1=127.0.0.1:10000:20000:participant\n(.*\n)*version=0$`,
		"envi": `^Environment:\nzookeeper\.version=\d+\.\d+\.\d+`,
		"dump": `^SessionTracker dump:\nGlobal Sessions\(1\):\n` + sid + `\t4000ms\nephemeral nodes dump:\nSessions with Ephemerals \(1\):\n` +
			sid + `:\n\t/e\nConnections dump:\n`,
		"memb": `^\{\}\n$`,
		"dgst": `^history_zxid\t0x100000002\nhistory_chain\t[0-9a-f]{16}\ntree_zxid\t0x100000002\ntree_digest\t[0-9a-f]{16}\n$`,
		"wchs": `^1 connections watching 1 paths\nTotal watches:1\n$`,
	} {
		require.Eventually(t, func() bool { return len(e.members[2].s.connections()) == 1 }, waitFor, tickFor)
		assert.Regexp(t, pattern, word4(t, addr, name), name)
	}
	assert.Contains(t, word4(t, e.members[0].addr, "srvr"), "Mode: follower\n")
	assert.Equal(t, "Connection stats reset.\n", word4(t, addr, "crst"))
	assert.Equal(t, "Server stats reset.\n", word4(t, addr, "srst"))
	assert.Contains(t, word4(t, addr, "srvr"), "Received: 0\nSent: 0\n")
}

func TestWords_Mntr(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	open(t, e.members[0].addr).create(1, "/n", "12345", proto.FlagEphemeral)
	e.wait()
	got := make([]map[string]string, 3)
	for i, m := range e.members {
		got[i] = map[string]string{}
		for _, line := range strings.Split(strings.TrimSuffix(word4(t, m.addr, "mntr"), "\n"), "\n") {
			name, value, ok := strings.Cut(line, "\t")
			require.True(t, ok && strings.HasPrefix(name, "zk_"), line)
			got[i][name] = value
		}
	}
	assert.Equal(t, "follower", got[0]["zk_server_state"])
	assert.Equal(t, "leading - broadcast", got[2]["zk_peer_state"])
	assert.Equal(t, "0x100000002", got[0]["zk_history_zxid"])
	for _, key := range []string{"zk_tree_digest", "zk_tree_digest_zxid", "zk_history_zxid", "zk_history_chain", "zk_znode_count"} {
		require.NotEmpty(t, got[0][key], key)
		assert.Equal(t, got[0][key], got[1][key], key)
		assert.Equal(t, got[0][key], got[2][key], key)
	}
	for key, want := range map[string]string{"zk_ephemerals_count": "1", "zk_global_sessions": "1", "zk_watch_count": "0",
		"zk_znode_count": "6", "zk_num_alive_connections": "2", "zk_outstanding_requests": "0", "zk_quorum_size": "3"} {
		assert.Equal(t, want, got[0][key], key)
	}
	assert.NotContains(t, got[0], "zk_learners")
	assert.Contains(t, got[2], "zk_learners")
}

func TestWords_NotServing(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	e.members[0].look()
	for name, want := range map[string]string{"ruok": "imok", "isro": "null", "srvr": notServing, "mntr": notServing} {
		assert.Equal(t, want, word4(t, e.members[0].addr, name))
	}
}

func TestWords_Whitelist(t *testing.T) {
	e := newEnsemble(t, 1, Config{Whitelist: []string{"srvr"}})
	assert.Equal(t, "ruok is not executed because it is not in the whitelist.\n", word4(t, e.members[0].addr, "ruok"))
	assert.Contains(t, word4(t, e.members[0].addr, "srvr"), "Mode: standalone\n")
	assert.Empty(t, word4(t, e.members[0].addr, "\xff\xf4\xff\xfd"))
}

func TestWords_SlowlyTypedAndHalfClosed(t *testing.T) {
	e := newEnsemble(t, 1, Config{})
	c := dialRaw(t, e.members[0].addr)
	for _, b := range []byte("ruok") {
		c.write([]byte{b}) // a segment each
	}
	require.NoError(t, c.nc.(interface{ CloseWrite() error }).CloseWrite())
	b, err := io.ReadAll(c.nc)
	require.NoError(t, err)
	assert.Equal(t, "imok", string(b))
}

func TestWords_GoZookeeperUnderstands(t *testing.T) {
	e := newEnsemble(t, 3, Config{})
	addrs := []string{e.members[0].addr, e.members[2].addr}
	c := open(t, addrs[0])
	c.create(1, "/n", "", 0)
	stats, ok := zk.FLWSrvr(addrs, time.Second)
	if assert.True(t, ok, "%v", stats) {
		assert.Equal(t, zk.ModeFollower, stats[0].Mode)
		assert.Equal(t, zk.ModeLeader, stats[1].Mode)
		assert.EqualValues(t, 1, stats[0].Epoch)
	}
	assert.Equal(t, []bool{true, true}, zk.FLWRuok(addrs, time.Second))
	// It does not understand a connection without a session, its own, whoever
	// the server is.
	cons, _ := zk.FLWCons(addrs[:1], time.Second)
	found := false
	for _, client := range cons[0].Clients {
		found = found || client.SessionID == c.session
	}
	assert.True(t, found)
}

func TestWords_VersionFitsParsers(t *testing.T) {
	assert.Regexp(t, regexp.MustCompile(`^([A-Za-z0-9.\-]+), built on (\d\d/\d\d/\d\d\d\d \d\d:\d\d [A-Za-z0-9:+\-]+)$`), DefaultVersion)
}
