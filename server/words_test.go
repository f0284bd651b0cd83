package server

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server/proto"
	"github.com/quorate/quorate/server/session"
)

func TestWords_Formats(t *testing.T) {
	setup := Setup{ClientPort: 2181, DataDir: t.TempDir(), InitLimitTicks: 10, SyncLimitTicks: 5, ElectionPort: 3888, QuorumPort: 2888}
	require.NoError(t, os.WriteFile(filepath.Join(setup.DataDir, "x"), []byte("12345"), 0o600))
	e := newEnsemble(t, 3, Config{Whitelist: []string{"*"}, Setup: setup, Members: func() string { return "{}\n" }})
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
		"stat": `^Zookeeper version: .*\nClients:\n /127.0.0.1:\d+\[1\]\(queued=0,recved=3,sent=3\)\n /127.0.0.1:\d+\[0\]\(queued=0,recved=1,sent=0\)\n\nLatency`,
		"cons": `^ /127.0.0.1:\d+\[1\]\(queued=0,recved=3,sent=3,sid=` + sid + `,lop=GETD,est=\d+,to=4000,lcxid=0x2,lzxid=0x100000002,` +
			`lresp=\d+,llat=\d+,minlat=\d+,avglat=\d+,maxlat=\d+\)\n /127.*\n\n$`,
		"conf": `^clientPort=2181\nsecureClientPort=-1\ndataDir=/.*\ndataDirSize=5\ndataLogDir=\ndataLogSize=0\ntickTime=200\nmaxClientCnxns=60\n` +
			`minSessionTimeout=400\nmaxSessionTimeout=4000\nclientPortListenBacklog=-1\nserverId=3\n` +
			`initLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=3888\nquorumPort=2888\npeerType=0\n` +
			`membership: \nserver.1=127.0.0.1:10000:20000:participant\n(.*\n)*version=0$`,
		"envi": `^Environment:\nzookeeper\.version=\d+\.\d+\.\d+`,
		"dump": `^SessionTracker dump:\nSession Sets \(1\)/\(1\):\n1 expire at ` + javaDatePattern + `:\n\t` + sid + `\nephemeral nodes dump:\n` +
			`Sessions with Ephemerals \(1\):\n` + sid + `:\n\t/e\nConnections dump:\nConnections Sets \([12]\)/\(2\):\n(\d expire at ` + javaDatePattern +
			`:\n(\tip: /127\.0\.0\.1:\d+ sessionId: 0x[0-9a-f]+\n)+)+$`,
		"memb": `^\{\}\n$`,
		"dgst": `^history_zxid\t0x100000002\nhistory_chain\t[0-9a-f]{16}\ntree_zxid\t0x100000002\ntree_digest\t[0-9a-f]{16}\n$`,
		"wchs": `^1 connections watching 1 paths\nTotal watches:1\n$`,
		"wchc": `^` + sid + `\n\t/e\n\n$`,
		"wchp": `^/e\n\t` + sid + `\n\n$`,
		"dirs": `^datadir_size: 5\nlogdir_size: 0\n$`,
		"hash": `^$`,
		"gtmk": `^306$`,
	} {
		require.Eventually(t, func() bool { return len(e.members[2].s.connections()) == 1 }, waitFor, tickFor)
		assert.Regexp(t, pattern, word4(t, addr, name), name)
	}
	assert.Contains(t, word4(t, e.members[0].addr, "srvr"), "Mode: follower\n")
	assert.Regexp(t, `^SessionTracker dump:\nGlobal Sessions\(1\):\n`+sid+`\t4000ms\nephemeral`, word4(t, e.members[0].addr, "dump"))
	assert.Equal(t, "Connection stats reset.\n", word4(t, addr, "crst"))
	assert.Equal(t, "Server stats reset.\n", word4(t, addr, "srst"))
	assert.Contains(t, word4(t, addr, "srvr"), "Received: 1\nSent: 0\n", "the word itself counts")
}

const javaDatePattern = `\w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}`

// wchs, wchc and wchp tell of the data table only.
func TestWords_WatchesOfTheDataTable(t *testing.T) {
	e := newEnsemble(t, 1, Config{Whitelist: []string{"*"}})
	c := open(t, e.members[0].addr)
	c.mustDo(1, proto.OpGetChildren, read("/", true), &proto.StringsReply{})
	assert.Equal(t, "0 connections watching 0 paths\nTotal watches:0\n", word4(t, e.members[0].addr, "wchs"))
	assert.Equal(t, "\n", word4(t, e.members[0].addr, "wchc"))
	assert.Equal(t, "\n", word4(t, e.members[0].addr, "wchp"))
	assert.Contains(t, word4(t, e.members[0].addr, "mntr"), "zk_watch_count\t1\n")
}

// The mask follows the word in eight bytes, which may come when they like.
func TestWords_SetTraceMask(t *testing.T) {
	e := newEnsemble(t, 1, Config{Whitelist: []string{"*"}})
	addr := e.members[0].addr
	c := dialRaw(t, addr)
	c.write([]byte("stmk\x00\x00\x00"))
	for e.members[0].s.stats.received.Load() == 0 && len(e.members[0].s.connections()) == 0 {
		runtime.Gosched() // until the first bytes have been looked at
	}
	c.write([]byte("\x00\x00\x00\x01\x02"))
	b, err := io.ReadAll(c.nc)
	require.NoError(t, err)
	assert.Equal(t, "258", string(b))
	assert.Equal(t, "258", word4(t, addr, "gtmk"))
	assert.Equal(t, "-1", word4(t, addr, "stmk\xff\xff\xff\xff\xff\xff\xff\xff"))

	e = newEnsemble(t, 1, Config{Whitelist: []string{"ruok"}})
	assert.Contains(t, word4(t, e.members[0].addr, "stmk"), "not in the whitelist", "without waiting for the mask")
}

func TestWords_HashRemembersEvery128thZxid(t *testing.T) {
	h := newHand(Config{})
	for n := range 128*(digestsMax+2) + 1 {
		h.s.digests.add(Digest{Zxid: ensemble.Zxid(1<<32 + n), Chain: uint64(n)})
	}
	list := h.s.Digests()
	require.Len(t, list, digestsMax)
	assert.Equal(t, Digest{Zxid: 1<<32 + 128*3, Chain: 128 * 3}, list[0])
	assert.Equal(t, Digest{Zxid: 1<<32 + 128*(digestsMax+2), Chain: 128 * (digestsMax + 2)}, list[digestsMax-1])
	assert.True(t, strings.HasPrefix(h.s.wordHash(), "100000180: 384\n100000200: 512\n"), h.s.wordHash()[:40])
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
	e := newEnsemble(t, 1, Config{Whitelist: []string{"*"}})
	e.members[0].look()
	for name, want := range map[string]string{"ruok": "imok", "isro": "null", "srvr": NotServing + "\n", "mntr": NotServing + "\n", "hash": NotServing, "gtmk": "306"} {
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
