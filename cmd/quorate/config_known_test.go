package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// zooKeeperKeys are the keys of spec client-protocol 7.7: those of zoo.cfg that
// concern clients, and those that all servers have.
const zooKeeperKeys = `
dataDir dataLogDir clientPort clientPortAddress secureClientPort secureClientPortAddress tickTime
minSessionTimeout maxSessionTimeout maxClientCnxns clientPortListenBacklog initLimit syncLimit
connectToLearnerMasterLimit electionAlg peerType standaloneEnabled reconfigEnabled
localSessionsEnabled localSessionsUpgradingEnabled syncEnabled autopurge.snapRetainCount autopurge.purgeInterval
quorumListenOnAllIPs dynamicConfigFile metricsProvider.className metricsProvider.httpHost metricsProvider.httpPort
metricsProvider.exportJvmInfo sslQuorum portUnification quorum.auth.enableSasl multiAddress.enabled observerMasterPort
server.1 group.1 weight.1 version globalOutstandingLimit snapCount snapSizeLimitInKb commitLogCount preAllocSize
txnLogSizeLimitInKb forceSync fsync.warningthresholdms flushDelay maxBatchSize maxWriteQueuePollTime leaderServes
maxCnxns 4lw.commands.whitelist admin.enableServer admin.serverAddress admin.serverPort admin.commandURL
admin.idleTimeout admin.portUnification admin.forceHttps admin.needClientAuth admin.snapshot.enabled
admin.restore.enabled admin.rateLimiterIntervalInMS extendedTypesEnabled emulate353TTLNodes enforceQuota skipACL
enableEagerACLCheck DigestAuthenticationProvider.superDigest DigestAuthenticationProvider.enabled
DigestAuthenticationProvider.digestAlg X509AuthenticationProvider.superUser superUser letAnySaslUserDoX
authProvider.1 ensembleAuthName sessionRequireClientSASLAuth enforce.auth.enabled enforce.auth.schemes
allowSaslFailedClients ssl.keyStore.location ssl.keyStore.password ssl.keyStore.type ssl.trustStore.location
ssl.trustStore.password ssl.trustStore.type ssl.clientAuth ssl.protocol ssl.enabledProtocols ssl.ciphersuites
ssl.crl ssl.ocsp client.portUnification client.certReload audit.enable digest.enabled closeSessionTxn.enabled
serializeLastProcessedZxid.enabled maxResponseCacheSize maxGetChildrenResponseCacheSize watchManagerName
nio.sessionlessCnxnTimeout nio.numSelectorThreads nio.numWorkerThreads nio.directBufferBytes
commitProcessor.numWorkerThreads commitProcessor.maxReadBatchSize commitProcessor.maxCommitBatchSize
commitProcessor.shutdownTimeout request_throttle_max_requests request_throttle_stall_time
request_throttle_drop_stale throttled_op_wait_time largeRequestThreshold largeRequestMaxBytes
connection_throttle_tokens connection_throttle_fill_time connection_throttle_fill_count
connection_throttle_freeze_time connection_throttle_drop_increase connection_throttle_drop_decrease
connection_throttle_decrease_ratio connection_throttle_weight_enabled connection_throttle_global_session_weight
connection_throttle_renew_session_weight connection_throttle_local_session_weight clientTcpKeepAlive
jute.maxbuffer jute.maxbuffer.extrasize readonlymode.enabled znode.container.checkIntervalMs
znode.container.maxPerMinute znode.container.maxNeverUsedIntervalMs`

// Every key works, is refused with a sentence, or is accepted with a sentence that
// says why it has no effect.
func TestConfig_NoKeyOfZooKeepersIsUnknown(t *testing.T) {
	for key := range strings.FieldsSeq(zooKeeperKeys) {
		_, ours := configRules[key]
		if !ours {
			_, ours = familyRule(key)
		}
		kind, _ := memberKind(key)
		foreign, known := foreignRule(key)
		assert.True(t, ours || kind != "" || known && foreign.Why != "", key)
		assert.False(t, ours && known && foreignKeys[key].Why != "", "%s both works and is said not to", key)
	}
}

func TestConfig_WhatWouldChangePromisesIsRefused(t *testing.T) {
	for _, line := range []string{"request_throttle_max_requests=10", "throttled_op_wait_time=5", "forceSync=no"} {
		_, err := parseText("dataDir=/d\nclientPort=2181\n"+line+"\n", "")
		key, _, _ := strings.Cut(line, "=")
		assert.ErrorContains(t, err, "zoo.cfg:3: "+key)
	}
	requireConfig(t, "dataDir=/d\nclientPort=2181\nrequest_throttle_max_requests=0\nrequest_throttle_stall_time=100\n", "")
}
