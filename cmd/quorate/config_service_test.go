package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/quorate/quorate/server"
)

func TestConfig_KeysOfTheService(t *testing.T) {
	const lone = "dataDir=/d\nclientPort=2181\n"
	assert.Zero(t, requireConfig(t, lone, "").Service)
	got := requireConfig(t, lone+`
localSessionsEnabled=true
localSessionsUpgradingEnabled=true
zookeeper.readonlymode.enabled=true
maxCnxns=7
nio.sessionlessCnxnTimeout=1500
largeRequestThreshold=1000
largeRequestMaxBytes=5000
events.zxid=false
session.secret=a secret of all servers
connection_throttle_tokens=100
connection_throttle_fill_time=3
connection_throttle_fill_count=4
connection_throttle_freeze_time=50
connection_throttle_drop_increase=0.03
connection_throttle_drop_decrease=0.003
connection_throttle_decrease_ratio=0.5
connection_throttle_weight_enabled=true
connection_throttle_global_session_weight=6
connection_throttle_renew_session_weight=5
connection_throttle_local_session_weight=4
`, "")
	assert.Equal(t, server.Config{
		LocalSessions: true, LocalSessionsUpgrading: true, ReadOnly: true, OldEvents: true, Secret: []byte("a secret of all servers"),
		MaxCnxns: 7, HandshakeTimeout: 1500 * time.Millisecond, LargeRequestThreshold: 1000, LargeRequestMaxBytes: 5000,
		ConnectionThrottle: server.ConnectionThrottle{
			Tokens: 100, FillTime: 3 * time.Millisecond, FillCount: 4, FreezeTime: 50 * time.Millisecond,
			DropIncrease: 0.03, DropDecrease: 0.003, DecreaseRatio: 0.5,
			Weighted: true, GlobalWeight: 6, RenewWeight: 5, LocalWeight: 4,
		},
	}, got.Service)
	assert.Empty(t, got.Warnings)
	off := requireConfig(t, lone+"largeRequestThreshold=-1\nconnection_throttle_freeze_time=-1\n", "")
	assert.Zero(t, off.Service)
}

func TestConfig_FaultsOfTheService(t *testing.T) {
	for text, want := range map[string]string{
		"connection_throttle_drop_increase=2":                                   "zoo.cfg:3: connection_throttle_drop_increase=2: want a number from 1e-09 to 1",
		"connection_throttle_tokens=-1":                                         "zoo.cfg:3: connection_throttle_tokens=-1",
		"connection_throttle_tokens=2\nconnection_throttle_weight_enabled=true": "nobody could connect",
		"session.secret=short":                                                  "zoo.cfg:3: session.secret: want a pass phrase of 12 characters or more",
		"localSessionEnabled=true":                                              "did you mean localSessionsEnabled?",
		"maxCnxns=many":                                                         "zoo.cfg:3: maxCnxns=many",
	} {
		_, err := parseText("dataDir=/d\nclientPort=2181\n"+text+"\n", "")
		assert.ErrorContains(t, err, want)
	}
}
