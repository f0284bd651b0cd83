package main

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfig_Admin(t *testing.T) {
	base := "dataDir=/d\nclientPort=1\n"
	cfg := requireConfig(t, base, "").Admin
	assert.Equal(t, "127.0.0.1:8080", cfg.addr(), "nobody but this machine")
	assert.True(t, cfg.Enabled && cfg.Metrics && !cfg.PortAsked)
	assert.Equal(t, -1, cfg.ExporterPort)

	cfg = requireConfig(t, base+"admin.serverAddress=[::]\nadmin.serverPort=9\nadmin.commandURL=/c\nadmin.idleTimeout=5000\n"+
		"admin.portUnification=false\nmetricsProvider.className="+prometheusProvider+"\nmetricsProvider.exportJvmInfo=false\n"+
		"gossip.key=a very long secret\ngossip.bind=127.0.0.1:1\n", "").Admin
	assert.Equal(t, "[::]:9", cfg.addr())
	assert.Equal(t, "0.0.0.0:7000", cfg.exporterAddr(), "ZooKeeper's")
	assert.Equal(t, "/c", cfg.CommandURL)
	assert.Equal(t, 5*time.Second, cfg.IdleTimeout)
	assert.True(t, cfg.PortAsked && !cfg.ProcessMetrics)
	assert.Contains(t, cfg.Text, "dataDir=/d\nclientPort=1\nadmin.serverAddress=[::]\n")
	assert.Contains(t, cfg.Text, "gossip.key=***\n")
	assert.NotContains(t, cfg.Text, "secret")

	cfg = requireConfig(t, base+"metricsProvider.httpHost=127.0.0.1\nmetricsProvider.httpPort=7001\nmetricsProvider.className="+prometheusProvider+"\n", "").Admin
	assert.Equal(t, "127.0.0.1:7001", cfg.exporterAddr())
	assert.False(t, requireConfig(t, base+"metricsProvider.className="+nullProvider+"\n", "").Admin.Metrics)
	assert.Equal(t, auditConfig{true, "/var/log/a"}, requireConfig(t, base+"audit.enable=true\naudit.file=/var/log/a\n"+
		"audit.impl.class=org.apache.zookeeper.audit.Slf4jAuditLogger\n", "").Audit)
	assert.Contains(t, requireConfig(t, base+"audit.file=/a\n", "").Warnings[0], "audit.enable=true")
	assert.False(t, requireConfig(t, base+"admin.enableServer=no\n", "").Admin.Enabled)
}

func TestConfig_AdminRefusals(t *testing.T) {
	for line, want := range map[string]string{
		"admin.commandURL=commands":         "want a path such as /commands",
		"admin.commandURL=/a/../b":          "want a path such as /commands",
		"admin.serverAddress=a b":           "want a host name",
		"audit.impl.class=x.Y":              "JSON lines",
		"admin.forceHttps=true":             "plain HTTP",
		"admin.needClientAuth=true":         "listen on loopback",
		"metricsProvider.className=x.Y":     "PrometheusMetricsProvider",
		"metricsProvider.httpPort=70000":    "from 0 to 65535",
		"metricsProvider.exportJvmInfo=you": "true or false",
	} {
		_, err := parseText("dataDir=/d\nclientPort=1\n"+line+"\n", "")
		require.ErrorContains(t, err, want, line)
	}
}

// A default port that somebody else has is done without; one that was asked for
// is a fault.
func TestInstance_AdminPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	cfg := requireConfig(t, "dataDir="+t.TempDir()+"\n", "")
	cfg.Admin.Port = ln.Addr().(*net.TCPAddr).Port
	in, err := newInstance(cfg, newLogger(t.Output()))
	require.NoError(t, err)
	assert.Nil(t, in.admin.commands)
	cfg.Admin.PortAsked = true
	_, err = newInstance(cfg, newLogger(t.Output()))
	require.ErrorContains(t, err, "admin.serverPort")
	cfg.Admin.Enabled, cfg.Admin.ExporterHost, cfg.Admin.ExporterPort = false, "127.0.0.1", cfg.Admin.Port
	_, err = newInstance(cfg, newLogger(t.Output()))
	require.ErrorContains(t, err, "metricsProvider.httpPort")
}
