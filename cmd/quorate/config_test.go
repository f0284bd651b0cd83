package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
)

const threeServers = "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888:observer\n"

// testWorld is a world with one myid (none if empty) and ports 5001, 5002, ….
func testWorld(myid string) configWorld {
	port := 5000
	return configWorld{
		ReadMyID: func(path string) ([]byte, error) {
			if myid == "" {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
			}
			return []byte(myid), nil
		},
		FreePort: func() (int, error) { port++; return port, nil },
	}
}

func parseText(text, myid string) (*serverConfig, error) {
	return parseServerConfig("zoo.cfg", []byte(text), testWorld(myid))
}

func requireConfig(t *testing.T, text, myid string) *serverConfig {
	t.Helper()
	cfg, err := parseText(text, myid)
	require.NoError(t, err)
	return cfg
}

func TestConfig_DefaultsOfALoneServer(t *testing.T) {
	cfg := requireConfig(t, "dataDir=/d\nclientPort=2181\n", "")
	assert.True(t, cfg.Standalone)
	assert.Equal(t, ensemble.ServerID(1), cfg.ServerID)
	assert.Equal(t, 3*time.Second, cfg.TickTime)
	assert.Equal(t, 6*time.Second, cfg.MinSessionTimeout)
	assert.Equal(t, time.Minute, cfg.MaxSessionTimeout)
	assert.Equal(t, 10, cfg.InitLimitTicks)
	assert.Equal(t, 5, cfg.SyncLimitTicks)
	assert.Equal(t, "/d", cfg.DataLogDir)
	assert.Equal(t, ":2181", cfg.ClientAddr)
	assert.Equal(t, 60, cfg.MaxClientCnxns)
	assert.Equal(t, 1000, cfg.OutstandingMax)
	assert.Equal(t, 1048575, cfg.FrameBytesMax)
	assert.Equal(t, int64(64<<20), cfg.PreAllocBytes)
	assert.Equal(t, 100000, cfg.SnapCount)
	assert.Equal(t, 3, cfg.SnapRetainCount)
	assert.True(t, cfg.LeaderServes)
	assert.Nil(t, cfg.FourLetterWords)
	assert.Empty(t, cfg.Gossip.Bind)
	assert.Empty(t, cfg.Warnings)
	require.Len(t, cfg.View.Members(), 1)
	assert.Equal(t, "127.0.0.1:5001:5002:participant", cfg.View.Members()[0].String())

	assert.Equal(t, ensemble.ServerID(4), requireConfig(t, "dataDir=/d\n", "4\n").ServerID)
}

func TestConfig_EveryKeySetsItsField(t *testing.T) {
	cfg := requireConfig(t, threeServers+`
tickTime=2000
initLimit=20
syncLimit=7
dataDir=/d
dataLogDir=/log
clientPort=2182
clientPortAddress=::1
minSessionTimeout=100
maxSessionTimeout=90000
maxClientCnxns=0
autopurge.snapRetainCount=5
autopurge.purgeInterval=1
snapCount=10
preAllocSize=128
globalOutstandingLimit=77
jute.maxbuffer=4194304
4lw.commands.whitelist=stat, ruok, memb
electionAlg=3
peerType=observer
standaloneEnabled=false
quorumListenOnAllIPs=true
forceSync=yes
leaderServes=no
skipACL=yes
enableEagerACLCheck=true
extendedTypesEnabled=true
emulate353TTLNodes=true
enforceQuota=true
znode.container.checkIntervalMs=500
zookeeper.znode.container.maxPerMinute=60
znode.container.maxNeverUsedIntervalMs=1000
DigestAuthenticationProvider.enabled=false
DigestAuthenticationProvider.digestAlg=sha-256
DigestAuthenticationProvider.superDigest=super:gG7s8t3oDEtIqF6DM9LlI/R+9Ss=
gossip.bind=10.0.0.1:7946
gossip.join=h1:7946,h2:7946
gossip.key=AAECAwQFBgcICQoLDA0ODw==
ensemble.name=orders
`, "3\n")
	view, clone := cfg.View, *cfg
	clone.View = nil
	clone.Admin.Text = ""
	assert.Equal(t, serverConfig{
		Admin: adminDefault,
		Path:  "zoo.cfg", ServerID: 3, Observer: true,
		TickTime: 2 * time.Second, InitLimitTicks: 20, SyncLimitTicks: 7,
		DataDir: "/d", DataLogDir: "/log", ClientAddr: "[::1]:2182",
		MinSessionTimeout: 100 * time.Millisecond, MaxSessionTimeout: 90 * time.Second,
		OutstandingMax: 77, FrameBytesMax: 4194304, FourLetterWords: []string{"stat", "ruok", "memb"},
		Service: server.Config{Policy: server.Policy{SuperDigest: "super:gG7s8t3oDEtIqF6DM9LlI/R+9Ss=", SkipACL: true,
			NoDigest: true, DigestAlgorithm: "sha-256"},
			EagerACLCheck: true, ExtendedTypes: true, Emulate353TTLNodes: true, EnforceQuota: true,
			ContainerCheckInterval: 500 * time.Millisecond, ContainersPerMinuteMax: 60, ContainerNeverUsedMax: time.Second},
		SnapCount: 10, SnapRetainCount: 5, PreAllocBytes: 128 << 10, ListenOnAllIPs: true, EnsembleName: "orders",
		Gossip: gossipConfig{Bind: "10.0.0.1:7946", Join: []string{"h1:7946", "h2:7946"},
			Key: "AAECAwQFBgcICQoLDA0ODw=="},
	}, clone)
	assert.Equal(t, []ensemble.ServerID{1, 2}, view.Voters())
}

func TestConfig_PropertiesSyntax(t *testing.T) {
	cfg := requireConfig(t, "\ufeff# comment\r\n  ! another = 1\r\n\r\n dataDir = C:\\\\zoo \r\nclientPort : 2181\ntickTime 400\n"+
		"gossip.join=h1:1,\\\n   h2:2\ngossip.bind=\\u0031:7\nensemble.name=a\\=b", "1")
	assert.Equal(t, `C:\zoo`, cfg.DataDir)
	assert.Equal(t, ":2181", cfg.ClientAddr)
	assert.Equal(t, 400*time.Millisecond, cfg.TickTime)
	assert.Equal(t, []string{"h1:1", "h2:2"}, cfg.Gossip.Join)
	assert.Equal(t, "1:7", cfg.Gossip.Bind)
	assert.Equal(t, "a=b", cfg.EnsembleName)
}

func TestConfig_ExtendedTypesNeedSmallIDs(t *testing.T) {
	assert.True(t, requireConfig(t, "dataDir=/d\nextendedTypesEnabled=true\n", "254").Service.ExtendedTypes)
	assert.EqualValues(t, 255, requireConfig(t, "dataDir=/d\n", "255").ServerID)
	_, err := parseText("dataDir=/d\nextendedTypesEnabled=true\n", "255")
	assert.ErrorContains(t, err, "zoo.cfg:2: extendedTypesEnabled needs server ids of at most 254, and this is server 255")
}

func TestConfig_JuteMaxBufferHasAHighest(t *testing.T) {
	cfg := requireConfig(t, "dataDir=/d\njute.maxbuffer=50000000\nclientPort=2181\n", "")
	assert.Equal(t, 7<<20, cfg.FrameBytesMax)
	require.Len(t, cfg.Warnings, 1)
	assert.Contains(t, cfg.Warnings[0], "zoo.cfg:2: jute.maxbuffer=50000000: requests of more than 7340032 bytes are refused")
}

func TestConfig_DigestAlgorithmMustExist(t *testing.T) {
	_, err := parseText("dataDir=/d\nDigestAuthenticationProvider.digestAlg=SHA-3\n", "")
	assert.ErrorContains(t, err, "zoo.cfg:2: DigestAuthenticationProvider.digestAlg=SHA-3: no such hash")
}

func TestConfig_JavaPropertyPrefixMeansTheSameKey(t *testing.T) {
	assert.Equal(t, 7, requireConfig(t, "dataDir=/d\nzookeeper.snapCount=7\n", "").SnapCount)
	_, err := parseText("dataDir=/d\nsnapCount=7\nzookeeper.snapCount=8\n", "")
	assert.ErrorContains(t, err, "zoo.cfg:3: snapCount is set here and in line 2")
}

func TestConfig_ObserverWithNothingButGossip(t *testing.T) {
	cfg := requireConfig(t, "dataDir=/d\nclientPort=2181\ngossip.join=127.0.0.1:7946,localhost:7947\n", "9")
	assert.Nil(t, cfg.View)
	assert.True(t, cfg.Observer)
	assert.False(t, cfg.Standalone)
	assert.Equal(t, ensemble.ServerID(9), cfg.ServerID)
	assert.Equal(t, "127.0.0.1:0", cfg.Gossip.Bind)
	cfg = requireConfig(t, "dataDir=/d\ngossip.join=db1:7946\n", "9")
	assert.Equal(t, "0.0.0.0:0", cfg.Gossip.Bind)
	require.Len(t, cfg.Warnings, 1)
	assert.Contains(t, cfg.Warnings[0], "no clients are served")
}

func TestConfig_ClientAddressOfTheServerLine(t *testing.T) {
	line := "dataDir=/d\nserver.1=a:2888:3888;2181\n"
	assert.Equal(t, "0.0.0.0:2181", requireConfig(t, line, "1").ClientAddr)
	assert.Equal(t, "0.0.0.0:2181", requireConfig(t, line+"clientPort=2181\n", "1").ClientAddr)
	_, err := parseText(line+"clientPort=2182\n", "1")
	assert.ErrorContains(t, err, "zoo.cfg:3: clients are to use :2182, but server.1 says 0.0.0.0:2181")
	assert.True(t, requireConfig(t, line, "1").Standalone)
	assert.False(t, requireConfig(t, line+"standaloneEnabled=no\n", "1").Standalone)
}

func TestConfig_HierarchicalQuorum(t *testing.T) {
	cfg := requireConfig(t, "dataDir=/d\nweight.2=3\ngroup.1=1:2\nserver.1=a:1:2\nserver.2=b:1:2\n", "2")
	assert.Equal(t, int64(3), cfg.View.Weight(2))
	_, err := parseText("dataDir=/d\ngroup.1=1:7\nserver.1=a:1:2\n", "1")
	assert.ErrorContains(t, err, "zoo.cfg:2: group.1 names server 7")
}

// Each fault is one line that says where it is, what is wrong and what to do.
func TestConfig_FaultsAreSentences(t *testing.T) {
	ensembleText := "dataDir=/d\n" + threeServers
	tests := []struct{ text, myid, want string }{
		{"dataDri=/d", "", `zoo.cfg:1: unknown key "dataDri"; did you mean dataDir?`},
		{"dataDir=/d\nclientport=2181", "", `zoo.cfg:2: unknown key "clientport"; did you mean clientPort?`},
		{"dataDir=/d\nautopurge.snapRetaincount=3", "", "did you mean autopurge.snapRetainCount?"},
		{"dataDir=/d\nsever.1=a:1:2", "", "zoo.cfg:2: unknown key \"sever.1\"; did you mean server.1?"},
		{"dataDir=/d\ngossip.jion=a:1", "", "did you mean gossip.join?"},
		{"dataDir=/d\nfrobnicate=1", "", `zoo.cfg:2: unknown key "frobnicate"; it is neither ZooKeeper's nor ours`},
		{"dataDir=/d\nx=1", "", `unknown key "x"; it is neither`},
		{"", "", "zoo.cfg: dataDir is missing"},
		{"dataDir=", "", "zoo.cfg:1: dataDir is empty"},
		{"dataDir=/d\ndataDir=/e", "", "zoo.cfg:2: dataDir is set here and in line 1"},
		{"dataDir=/d\n=3", "", `zoo.cfg:2: "3" has no key`},
		{"dataDir=/d\ntickTime=0", "", "zoo.cfg:2: tickTime=0: want a number from 1"},
		{"dataDir=/d\ntickTime=2s", "", "zoo.cfg:2: tickTime=2s: want a number"},
		{"dataDir=/d\nclientPort=70000", "", "clientPort=70000: want a number from 0 to 65535"},
		{"dataDir=/d\nclientPortAddress=127.0.0.1", "", "clientPortAddress is set but clientPort is not"},
		{"dataDir=/d\nminSessionTimeout=90000", "", "zoo.cfg:2: minSessionTimeout (90000 ms) is more than maxSessionTimeout (60000 ms)"},
		{"dataDir=/d\nforceSync=no", "", "forceSync=no is refused: an acknowledged write must be on disk"},
		{"dataDir=/d\nelectionAlg=1", "", "electionAlg=1: only 3"},
		{"dataDir=/d\nleaderServes=maybe", "", "leaderServes=maybe: want true or false"},
		{"dataDir=/d\npeerType=leader", "", "peerType=leader: want participant or observer"},
		{"dataDir=/d\npeerType=observer", "", "an observer needs an ensemble to observe"},
		{"dataDir=/d\n4lw.commands.whitelist=ruok,stst", "", `unknown command "stst"`},
		{"dataDir=/d\nDigestAuthenticationProvider.superDigest=x", "", "want user:digest"},
		{"dataDir=/d\nsslQuorum=true", "", "sslQuorum is not supported yet: TLS"},
		{"dataDir=/d\nreconfigEnabled=true", "", "reconfigEnabled is not supported yet"},
		{"dataDir=/d\nquorum.auth.learnerRequireSasl=true", "", "is not supported yet"},
		{"dataDir=/d\ngossip.key=secret", "", "gossip.key: want a pass phrase of 12 characters or more"},
		{"dataDir=/d\ngossip.key=AAECAwQFBgcICQoLDA0ODw==", "", "gossip is off, so there is nothing to encrypt"},
		{"dataDir=/d\ngossip.bind=host", "", `gossip.bind: "host" is not host:port`},
		{"dataDir=/d\ngossip.join=", "1", "gossip.join is empty"},
		{"dataDir=/d\ngossip.join=h", "1", `gossip.join: "h" is not host:port`},
		{"dataDir=/d\ngossip.join=h:1", "", "/d/myid: there is no such file"},
		{"dataDir=/d\ngossip.join=h:1\npeerType=participant", "1", "zoo.cfg:3: a server without server.N lines is an observer"},
		{ensembleText, "", "/d/myid: there is no such file; it must hold this server's id, one of 1, 2, 3 (for example: echo 1 > /d/myid)"},
		{ensembleText, "one", `/d/myid:1: "one" is not a server id; it must hold this server's id, one of 1, 2, 3`},
		{ensembleText, "-1", `/d/myid:1: "-1" is not a server id`},
		{ensembleText, "7\n", "/d/myid:1: this server is 7, but zoo.cfg has no server.7 line; it lists 1, 2, 3"},
		{"dataDir=/d\nserver.1=a:2888", "1", `zoo.cfg:2: server.1=a:2888: address 1 is "a:2888": want host:quorumPort:electionPort`},
		{"dataDir=/d\nserver.x=a:1:2", "1", `zoo.cfg:2: server.x=a:1:2: "x" is not a number`},
		{"dataDir=/d\nserver.1=a:1:2\nserver.2=a:1:2", "1", "server.1 and server.2 both use a:1"},
		{"dataDir=/d\nserver.1=a:1:2:observer", "1", "the ensemble has no participant"},
	}
	for _, test := range tests {
		_, err := parseText(test.text, test.myid)
		if assert.Error(t, err, test.text) {
			assert.Contains(t, err.Error(), test.want)
			assert.NotContains(t, err.Error(), "c2VjcmV0", "keys must not be repeated")
		}
	}
}

func TestConfig_AllFaultsAtOnce(t *testing.T) {
	_, err := parseText("tickTime=x\nserver.1=a\nserver.2=b:1:1\nfrob=1\nforceSync=no\nsslQuorum=1\n", "1")
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 7, "%v", err)
	for i := range 6 {
		assert.True(t, strings.HasPrefix(lines[i], fmt.Sprintf("zoo.cfg:%d: ", i+1)), lines[i])
	}
	assert.Contains(t, lines[6], "dataDir is missing")
}

func TestConfig_WarnsOfWhatHasNoEffect(t *testing.T) {
	cfg := requireConfig(t, "dataDir=/d\nclientPort=1\nadmin.rateLimiterIntervalInMS=8080\nmetricsProvider.httpPort=7000\nreconfigEnabled=false\n"+
		"autopurge.purgeInterval=0\nautopurge.snapRetainCount=1\nclientPortListenBacklog=50\n", "")
	require.Len(t, cfg.Warnings, 5)
	for i, want := range []string{"zoo.cfg:3: admin.rateLimiterIntervalInMS has no effect", "zoo.cfg:6: autopurge.purgeInterval=0 does not turn purging off", "zoo.cfg:7: autopurge.snapRetainCount=1 is less than 3",
		"zoo.cfg:8: clientPortListenBacklog has no effect", "zoo.cfg:4: metricsProvider.httpPort has no effect without"} {
		assert.Contains(t, cfg.Warnings[i], want)
	}
	assert.Equal(t, 3, cfg.SnapRetainCount)

	cfg = requireConfig(t, "dataDir=/d\nclientPort=1\npeerType=observer\n"+threeServers, "1")
	require.Len(t, cfg.Warnings, 1)
	assert.Contains(t, cfg.Warnings[0], "zoo.cfg:3: peerType=observer is overruled by server.1=a:2888:3888:participant")
	assert.False(t, cfg.Observer)
}

// Every key of ZooKeeper's that the specification lists (client protocol, 7.7)
// is known: accepted, warned about or refused by name, never "unknown".
func TestConfig_KnowsEveryKeyOfZooKeeper(t *testing.T) {
	keys := `dataDir dataLogDir clientPort clientPortAddress secureClientPort secureClientPortAddress tickTime minSessionTimeout
maxSessionTimeout maxClientCnxns clientPortListenBacklog initLimit syncLimit connectToLearnerMasterLimit electionAlg peerType
standaloneEnabled reconfigEnabled localSessionsEnabled localSessionsUpgradingEnabled syncEnabled autopurge.snapRetainCount
autopurge.purgeInterval quorumListenOnAllIPs dynamicConfigFile metricsProvider.className metricsProvider.httpPort sslQuorum
portUnification quorum.auth.enableSasl multiAddress.enabled observerMasterPort server.1 group.1 weight.1 version
globalOutstandingLimit snapCount snapSizeLimitInKb commitLogCount preAllocSize txnLogSizeLimitInKb forceSync
fsync.warningthresholdms flushDelay maxBatchSize maxWriteQueuePollTime leaderServes maxCnxns 4lw.commands.whitelist
admin.enableServer admin.serverAddress admin.rateLimiterIntervalInMS extendedTypesEnabled emulate353TTLNodes enforceQuota skipACL
enableEagerACLCheck DigestAuthenticationProvider.superDigest DigestAuthenticationProvider.enabled DigestAuthenticationProvider.digestAlg
X509AuthenticationProvider.superUser superUser letAnySaslUserDoX authProvider.1 ensembleAuthName sessionRequireClientSASLAuth
enforce.auth.enabled enforce.auth.schemes allowSaslFailedClients ssl.keyStore.location ssl.trustStore.type ssl.clientAuth ssl.crl
client.portUnification client.certReload audit.enable digest.enabled closeSessionTxn.enabled serializeLastProcessedZxid.enabled
maxResponseCacheSize maxGetChildrenResponseCacheSize watchManagerName nio.sessionlessCnxnTimeout nio.numSelectorThreads
commitProcessor.numWorkerThreads request_throttle_max_requests throttled_op_wait_time largeRequestMaxBytes largeRequestThreshold
connection_throttle_tokens clientTcpKeepAlive jute.maxbuffer jute.maxbuffer.extrasize readonlymode.enabled znode.container.checkIntervalMs`
	for key := range strings.FieldsSeq(keys) {
		_, err := parseText(key+"=?\ntickTime=0", "1") // never without a fault
		assert.NotContains(t, err.Error(), "unknown key", key)
	}
}

func TestConfig_ZooKeepersSampleFile(t *testing.T) {
	cfg := requireConfig(t, `# The number of milliseconds of each tick
tickTime=2000
initLimit=10
syncLimit=5
dataDir=/tmp/zookeeper
clientPort=2181
#maxClientCnxns=60
#autopurge.snapRetainCount=3
`, "")
	assert.True(t, cfg.Standalone)
	assert.Empty(t, cfg.Warnings)
}

func TestConfig_LoadReadsFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "zoo.cfg")
	_, err := loadServerConfig(path)
	assert.EqualError(t, err, path+": the configuration file does not exist")
	_, err = loadServerConfig(dir)
	assert.ErrorContains(t, err, dir+": cannot read the configuration file: is a directory")

	require.NoError(t, os.WriteFile(path, []byte("dataDir="+dir+"\nclientPort=2181\n"+threeServers), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "myid"), []byte("2\n"), 0o600))
	cfg, err := loadServerConfig(path)
	require.NoError(t, err)
	assert.Equal(t, ensemble.ServerID(2), cfg.ServerID)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "myid"), make([]byte, 65), 0o600))
	_, err = loadServerConfig(path)
	assert.ErrorContains(t, err, "myid: cannot read the file with this server's id: longer than 64 bytes")

	require.NoError(t, os.WriteFile(path, []byte("dataDir="+t.TempDir()+"\nclientPort=2181\n"), 0o600))
	cfg, err = loadServerConfig(path)
	require.NoError(t, err)
	ports := cfg.View.Members()[0].Addrs[0]
	assert.NotEqual(t, ports.QuorumPort, ports.ElectionPort)
}

func TestConfig_NoForeignKeyIsAlsoOurs(t *testing.T) {
	for key := range configRules {
		_, foreign := foreignKeys[key]
		assert.False(t, foreign, key)
	}
}

func FuzzServerConfig(f *testing.F) {
	for _, seed := range []string{"", "dataDir=/d\nclientPort=2181\n" + threeServers, "a\\\n=b", "=\n:\n\\", "server.1=[::1]:1:2;3\ngroup.1=1",
		"dataDir=/d\ngossip.join=a:1,\\\n b:2", "dataDir=\\u00", "weight.1=1\nserver.9=",
		"dataDir=/d\nsecureClientPort=1\nssl.keyStore.location=/k.pem\nssl.clientAuth=none\nssl.enabledProtocols=TLSv1.3,TLSv1.2\nssl.ciphersuites=TLS_AES_128_GCM_SHA256",
		"dataDir=/d\nsasl.jaas=/j\nsuperUser.1=a\nenforce.auth.enabled=true\nenforce.auth.schemes=sasl,,ip\nauthProvider.=x", "4lw.commands.whitelist=*,,"} {
		f.Add([]byte(seed), []byte("1\n"))
	}
	f.Fuzz(func(t *testing.T, data, myid []byte) {
		cfg, err := parseServerConfig("zoo.cfg", data, testWorld(string(myid)))
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if line == "" {
					t.Fatalf("an empty line in %q", err)
				}
			}
			return
		}
		if cfg.DataDir == "" || cfg.View == nil && len(cfg.Gossip.Join) == 0 || cfg.MinSessionTimeout > cfg.MaxSessionTimeout {
			t.Fatalf("accepted an unusable configuration: %+v", cfg)
		}
		if cfg.View != nil && !slices.ContainsFunc(cfg.View.Members(), func(m ensemble.Member) bool { return m.ID == cfg.ServerID }) {
			t.Fatalf("this server, %d, is not in %s", cfg.ServerID, cfg.View)
		}
	})
}
