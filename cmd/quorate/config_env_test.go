package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// envOf returns an environment with directories of the test's own.
func envOf(t *testing.T, more ...string) (environ []string, dataDir string) {
	dir := t.TempDir()
	dataDir = filepath.Join(dir, "data")
	return append([]string{"HOME=/root", "ZOO_CONF_DIR=" + dir, "ZOO_DATA_DIR=" + dataDir,
		"ZOO_DATA_LOG_DIR=" + filepath.Join(dir, "log")}, more...), dataDir
}

func TestEnvConfig_OneServer(t *testing.T) {
	environ, dataDir := envOf(t)
	cfg, err := loadEnvConfig(environ)
	require.NoError(t, err)
	assert.True(t, cfg.Standalone)
	assert.Equal(t, ":2181", cfg.ClientAddr)
	assert.Equal(t, 2*time.Second, cfg.TickTime)
	assert.Equal(t, 5, cfg.InitLimitTicks)
	assert.Equal(t, 2, cfg.SyncLimitTicks)
	assert.Empty(t, cfg.Warnings)
	id, err := os.ReadFile(filepath.Join(dataDir, "myid"))
	require.NoError(t, err)
	assert.Equal(t, "1\n", string(id))
}

func TestEnvConfig_AnEnsemble(t *testing.T) {
	environ, _ := envOf(t, "ZOO_MY_ID=2", "ZOO_TICK_TIME=500", "ZOO_MAX_CLIENT_CNXNS=7",
		"ZOO_SERVERS=server.1=zoo1:2888:3888;2181  server.2=zoo2:2888:3888;2182 server.3=zoo3:2888:3888:observer;2181",
		"ZOO_4LW_COMMANDS_WHITELIST=srvr, mntr", "ZOO_CFG_EXTRA=tickTime=700 localSessionsEnabled=true maxCnxns=9",
		"JVMFLAGS=-Xmx1g -Dzookeeper.maxCnxns=3 -Dreadonlymode.enabled=true -Djava.awt.headless=true -Dzookeeper.log.dir=/x")
	cfg, err := loadEnvConfig(environ)
	require.NoError(t, err)
	assert.EqualValues(t, 2, cfg.ServerID)
	assert.Equal(t, "0.0.0.0:2182", cfg.ClientAddr)
	assert.Len(t, cfg.View.Members(), 3)
	assert.Len(t, cfg.View.Voters(), 2)
	assert.Equal(t, 700*time.Millisecond, cfg.TickTime, "the extra lines go before the variables")
	assert.Equal(t, 7, cfg.MaxClientCnxns)
	assert.Equal(t, []string{"srvr", "mntr"}, cfg.FourLetterWords)
	assert.True(t, cfg.Service.LocalSessions)
	assert.True(t, cfg.Service.ReadOnly)
	assert.Equal(t, 9, cfg.Service.MaxCnxns, "and those before Java's")
}

func TestEnvConfig_ServersWithoutClientPort(t *testing.T) {
	environ, _ := envOf(t, "ZOO_SERVERS=server.1=a:2888:3888 server.2=b:2888:3888")
	cfg, err := loadEnvConfig(environ)
	require.NoError(t, err)
	assert.Equal(t, ":2181", cfg.ClientAddr)
}

func TestEnvConfig_AFileGoesFirst(t *testing.T) {
	environ, dataDir := envOf(t, "ZOO_MY_ID=2", "ZOO_SERVERS=server.1=a:1:2 server.2=b:1:2")
	path := filepath.Join(filepath.Dir(dataDir), "zoo.cfg")
	require.NoError(t, os.WriteFile(path, []byte("dataDir="+dataDir+"\nclientPort=4000\n"), 0o600))
	cfg, err := loadEnvConfig(environ)
	require.NoError(t, err)
	assert.Equal(t, ":4000", cfg.ClientAddr)
	assert.Equal(t, []string{path + " is there, so the variables ZOO_* do not count"}, cfg.Warnings)
}

func TestEnvConfig_Faults(t *testing.T) {
	for name, tt := range map[string]struct {
		more []string
		want string
	}{
		"a number":          {[]string{"ZOO_TICK_TIME=soon"}, "ZOO_TICK_TIME: tickTime=soon"},
		"an id":             {[]string{"ZOO_MY_ID=first"}, "ZOO_MY_ID=first: want this server's id, a number"},
		"an extra key":      {[]string{"ZOO_CFG_EXTRA=maxCnxn=3"}, `ZOO_CFG_EXTRA: unknown key "maxCnxn"; did you mean maxCnxns?`},
		"a server":          {[]string{"ZOO_SERVERS=server.1=a"}, "ZOO_SERVERS: server.1=a"},
		"not in the list":   {[]string{"ZOO_MY_ID=4", "ZOO_SERVERS=server.1=a:1:2 server.2=b:1:2"}, "no server.4 line"},
		"no list":           {[]string{"ZOO_SERVERS=a:1:2"}, `ZOO_SERVERS: unknown key "a:1:2"`},
		"a system property": {[]string{"JVMFLAGS=-Djute.maxbuffer=1"}, "JVMFLAGS: jute.maxbuffer=1"},
	} {
		t.Run(name, func(t *testing.T) {
			environ, _ := envOf(t, tt.more...)
			_, err := loadEnvConfig(environ)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

// Java minds no property that nobody asks for.
func TestEnvConfig_PropertiesThatAreNoKeys(t *testing.T) {
	environ, _ := envOf(t, "JVMFLAGS=-Dzookeeper.console.threshold=INFO -Dzookeeper.log.threshold=INFO -Dzookeeper.jmx.log4j.disable=true "+
		"-Dzookeeper.auditlog.file=a -Dlog4j.configuration=x -Dzookeeper.server.principal=p -Dzookeeper.server.nonsense=1 "+
		"-Dzookeeper.maxCnxnz=7 -Dzookeeper.bitHash=7", "SERVER_JVMFLAGS=-Dzookeeper.jmx.log4j.disable=false")
	cfg, err := loadEnvConfig(environ)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"JVMFLAGS: -Dzookeeper.console.threshold has no effect: the log is lines on standard error",
		"JVMFLAGS: -Dzookeeper.log.threshold has no effect: the log is lines on standard error",
		"SERVER_JVMFLAGS: -Dzookeeper.jmx.log4j.disable has no effect: there is no JMX",
		"JVMFLAGS: -Dzookeeper.auditlog.file has no effect: audit.enable and audit.file say what is audited, and where to",
		"JVMFLAGS: -Dzookeeper.server.principal has no effect: it is for Java's clients",
		"JVMFLAGS: -Dzookeeper.server.nonsense has no effect: it is unknown, neither ZooKeeper's nor ours",
		"JVMFLAGS: -Dzookeeper.maxCnxnz has no effect: it is unknown; did you mean maxCnxns?",
		"JVMFLAGS: -Dzookeeper.bitHash has no effect: it is unknown, neither ZooKeeper's nor ours",
	}, cfg.Warnings)
	assert.Zero(t, cfg.Service.MaxCnxns)

	// A line of zoo.cfg goes before the property of the same name, also as a fault.
	environ, _ = envOf(t, "JVMFLAGS=-Dzookeeper.console.threshold=INFO", "ZOO_CFG_EXTRA=console.threshold=INFO")
	_, err = loadEnvConfig(environ)
	assert.ErrorContains(t, err, `ZOO_CFG_EXTRA: unknown key "console.threshold"`)
	// What ZooKeeper knows and would change what it promises is refused in either place.
	environ, _ = envOf(t, "JVMFLAGS=-Dzookeeper.forceSync=no -Dzookeeper.snapshot.trust.empty=true")
	_, err = loadEnvConfig(environ)
	assert.ErrorContains(t, err, "JVMFLAGS: forceSync=no is refused")
	assert.ErrorContains(t, err, "JVMFLAGS: snapshot.trust.empty is not supported yet")
}

func TestEnvConfig_AnothersData(t *testing.T) {
	environ, dataDir := envOf(t, "ZOO_MY_ID=2", "ZOO_SERVERS=server.1=a:1:2 server.2=b:1:2")
	require.NoError(t, os.MkdirAll(dataDir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dataDir, "myid"), []byte("1\n"), 0o600))
	_, err := loadEnvConfig(environ)
	assert.ErrorContains(t, err, "says that the data is of server 1, and ZOO_MY_ID is 2")
}

func TestEnvConfig_Typos(t *testing.T) {
	environ, _ := envOf(t, "ZOO_TICKTIME=1000", "ZOO_PORT_2181_TCP=tcp://10.0.0.1:2181", "ZOO_LOG4J_PROP=INFO")
	cfg, err := loadEnvConfig(environ)
	require.NoError(t, err)
	assert.Equal(t, []string{"environment: unknown variable ZOO_TICKTIME; did you mean ZOO_TICK_TIME?"}, cfg.Warnings)
}
