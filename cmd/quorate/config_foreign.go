package main

import "strings"

// foreignKey is what we do with a key of ZooKeeper's that we do not have yet.
type foreignKey struct {
	// Refuse a configuration with it: silently ignoring it would change what
	// the server does or promises. Otherwise the key is warned about.
	Refuse bool
	// Harmless is a value, ZooKeeper's default, that asks for nothing.
	Harmless string
	Why      string
	// Typo says that nobody knows the keys of this family, so that one of them is
	// most likely a key of ours with a mistake in it.
	Typo bool
}

// foreignKeys are ZooKeeper's keys that have no effect here; a key that ends
// with a dot or an underscore stands for all keys that begin so.
var foreignKeys = map[string]foreignKey{
	"ssl.quorum.": {Refuse: true, Why: "TLS between servers comes later; protect the quorum and election ports by other means"},
	"ssl.allowReverseDnsLookup": {Refuse: true, Harmless: "false",
		Why: "a client's certificate is compared with its address, not with a name"},
	"ssl.handshakeDetectionTimeoutMillis": {Why: "nio.sessionlessCnxnTimeout is for the handshake, too"},
	"ssl.":                                {Refuse: true, Typo: true, Why: "it is none of the keys of TLS that exist here; see docs/operating.md"},
	"fips-mode":                           {Refuse: true, Harmless: "false", Why: "build with GOFIPS140 and set GODEBUG=fips140=on"},
	"sslQuorum":                           {Refuse: true, Harmless: "false", Why: "TLS between servers comes later; protect the quorum and election ports by other means"},
	"sslQuorumReloadCertFiles": {Refuse: true, Harmless: "false",
		Why: "TLS between servers comes later"},
	"portUnification": {Refuse: true, Harmless: "false", Why: "TLS between servers comes later"},

	"quorum.auth.enableSasl":   {Refuse: true, Harmless: "false", Why: "servers cannot authenticate each other by SASL"},
	"quorum.auth.":             {Refuse: true, Why: "servers cannot authenticate each other by SASL"},
	"quorum.cnxn.threads.size": {Why: "there are no such threads"},
	"requireClientAuthScheme":  {Why: "ZooKeeper does not act on it either; sessionRequireClientSASLAuth=true turns clients away that have not authenticated"},
	"sasl.":                    {Why: "it is for Java's clients"},
	"kerberos.":                {Why: "Kerberos is not supported; clients may authenticate by DIGEST-MD5 or certificates"},
	"jaasLoginRenew":           {Why: "Kerberos is not supported"},
	"audit.impl.class":         {Refuse: true, Harmless: "org.apache.zookeeper.audit.Slf4jAuditLogger", Why: "there is one audit log, of JSON lines"},

	"reconfigEnabled":                 {Refuse: true, Harmless: "false", Why: "the ensemble is what the server.N lines say; change them and restart the servers one by one"},
	"skipReconfigCheck":               {Refuse: true, Harmless: "false", Why: "the ensemble is what the server.N lines say"},
	"dynamicConfigFile":               {Refuse: true, Why: "write the server.N lines into this file"},
	"version":                         {Refuse: true, Why: "it belongs into a dynamic configuration file, which we do not read"},
	"multiAddress.enabled":            {Refuse: true, Harmless: "false", Why: "a server has one address"},
	"multiAddress.":                   {Why: "a server has one address"},
	"observerMasterPort":              {Refuse: true, Harmless: "0", Why: "observers connect to the leader"},
	"throttled_op_wait_time":          {Refuse: true, Harmless: "0", Why: "no request is answered unexecuted"},
	"syncEnabled":                     {Harmless: "true", Why: "an observer always keeps its log on disk"},
	"snapshot.trust.empty":            {Refuse: true, Harmless: "false", Why: "a server with doubtful data does not vote until a leader has synchronized it"},
	"snapshot.compression.method":     {Why: "snapshots are not compressed"},
	"connectToLearnerMasterLimit":     {Why: "initLimit holds for it"},
	"observer.reconnectDelayMs":       {Why: "our own delays hold"},
	"observer.election.DelayMs":       {Why: "our own delays hold"},
	"leaderConnectDelayDuringRetryMs": {Why: "our own delays hold"},
	"electionPortBindRetry":           {Why: "a port in use is reported at once"},
	"electionPortBindRetries":         {Why: "a port in use is reported at once"},
	"cnxTimeout":                      {Why: "our own deadlines hold"},
	"fastleader.":                     {Why: "our own back-off holds"},
	"follower.":                       {Why: "our own limits hold"},
	"learner.":                        {Why: "our own limits hold"},
	"tcpKeepAlive":                    {Why: "it is always on between servers"},
	"clientTcpKeepAlive":              {Why: "keepalive of client connections is always on"},
	"clientPortListenBacklog":         {Harmless: "-1", Why: "the system's backlog holds"},
	"serverCnxnFactory":               {Why: "there is one way to serve connections"},
	"metricsProvider.":                {Why: "our exporter has no such thing"},
	"admin.portUnification":           {Refuse: true, Harmless: "false", Why: "the admin server speaks plain HTTP; put a proxy before it"},
	"admin.forceHttps":                {Refuse: true, Harmless: "false", Why: "the admin server speaks plain HTTP; put a proxy before it"},
	"admin.needClientAuth":            {Refuse: true, Harmless: "false", Why: "the admin server asks nobody who he is; let it listen on loopback"},
	"admin.snapshot.enabled":          {Harmless: "false", Why: "the admin server has no command snapshot"},
	"admin.restore.enabled":           {Harmless: "false", Why: "the admin server has no command restore"},
	"admin.":                          {Why: "our admin server has no such thing"},
	"snapSizeLimitInKb":               {Why: "snapCount decides when a snapshot is taken"},
	"txnLogSizeLimitInKb":             {Harmless: "-1", Why: "log segments have a size of their own"},
	"commitLogCount":                  {Why: "followers are synchronized from the log on disk"},
	"snapshotSizeFactor":              {Why: "followers are synchronized from the log on disk"},
	"fsync.warningthresholdms":        {Why: "slow syncs are reported by our own threshold"},
	"flushDelay":                      {Why: "the log is synced as soon as there is something to sync"},
	"maxBatchSize":                    {Why: "batches are as long as what waits"},
	"maxWriteQueuePollTime":           {Why: "the log is synced as soon as there is something to sync"},
	"maxResponseCacheSize":            {Why: "there is no response cache"},
	"maxGetChildrenResponseCacheSize": {Why: "there is no response cache"},
	"watchManagerName":                {Why: "there is one watch manager"},
	"watcherCleanThreadsNum":          {Why: "there is one watch manager"},
	"nio.":                            {Why: "there are no selector threads"},
	"netty.":                          {Why: "there is no netty"},
	"commitProcessor.":                {Why: "there is no such thread pool"},
	"request_throttle_max_requests": {Refuse: true, Harmless: "0",
		Why: "requests are held back by globalOutstandingLimit, which stops reading from clients that have one in work"},
	"request_throttle_":       {Why: "requests are held back by globalOutstandingLimit only"},
	"request_throttler.":      {Why: "requests are held back by globalOutstandingLimit only"},
	"request_stale_":          {Why: "requests are held back by globalOutstandingLimit only, so that none becomes stale"},
	"digest.enabled":          {Why: "the log is always chained, and mntr shows the digest of the tree"},
	"closeSessionTxn.enabled": {Harmless: "true", Why: "it is always on"},
	"serializeLastProcessedZxid.enabled": {Harmless: "true",
		Why: "it is always on"},
	"jute.maxbuffer.extrasize": {Why: "jute.maxbuffer is the only limit"},
	"datadir.autocreate":       {Harmless: "true", Why: "the data directory is created where it is missing"},
}

// foreignRule finds the rule for a key: its own, or that of the longest prefix.
func foreignRule(key string) (foreignKey, bool) { return ruleIn(foreignKeys, key) }

func ruleIn(table map[string]foreignKey, key string) (foreignKey, bool) {
	if r, ok := table[key]; ok {
		return r, true
	}
	best := ""
	for name := range table {
		family := strings.HasSuffix(name, ".") || strings.HasSuffix(name, "_")
		if family && strings.HasPrefix(key, name) && len(name) > len(best) {
			best = name
		}
	}
	return table[best], best != ""
}
