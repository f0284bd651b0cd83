package integration_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/integration_test/cluster"
)

// operated is an ensemble, or a server alone, as operators see it.
type operated struct {
	*cluster.Cluster
	admin map[int]int // ports of the admin servers, by id
}

// startOperated starts n servers of a kind, with admin servers and audit logs, and
// one client on the last that has done the same on all: an ephemeral node, watches,
// writes that succeed and fail.
func startOperated(t *testing.T, kind cluster.Kind, n int) *operated {
	t.Helper()
	c, err := cluster.New(cluster.Config{Kind: kind, Binary: quorateBinary, Dir: t.TempDir(), Servers: n,
		Lines: []string{"admin.enableServer=true", "admin.serverAddress=127.0.0.1", "audit.enable=true"}})
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		if t.Failed() {
			t.Log(c.Logs(2000))
		}
	})
	o := &operated{Cluster: c, admin: map[int]int{}}
	for _, s := range c.Servers {
		ports, err := cluster.FreePorts(1)
		require.NoError(t, err)
		o.admin[s.ID] = ports[0]
		require.NoError(t, s.AddLines("admin.serverPort="+strconv.Itoa(ports[0])))
	}
	require.NoError(t, c.Start())
	require.NoError(t, c.WaitServing(servingTimeout))
	return o
}

// busy has a client change and watch this and that. It stays connected.
func busy(t *testing.T, addr string) {
	t.Helper()
	c, _, err := zk.Connect([]string{addr}, 20*time.Second, zk.WithLogger(quietLogger{}))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	acl := zk.WorldACL(zk.PermAll)
	must := func(_ any, err error) {
		t.Helper()
		require.NoError(t, err)
	}
	require.NoError(t, c.AddAuth("digest", []byte("bob:pw")))
	must(c.Create("/a", []byte("x"), 0, acl))
	must(c.Create("/a/e1", nil, zk.FlagEphemeral, acl))
	must(c.Create("/a/e2", nil, zk.FlagEphemeral, acl))
	must(c.Create("/s-", nil, zk.FlagSequence, acl))
	must(c.Set("/a", []byte("yy"), -1))
	must(c.SetACL("/a", acl, -1))
	_, err = c.Set("/none", nil, -1)
	require.ErrorIs(t, err, zk.ErrNoNode)
	require.ErrorIs(t, c.Delete("/none", -1), zk.ErrNoNode)
	must(c.Multi(&zk.CreateRequest{Path: "/m", Acl: acl}, &zk.SetDataRequest{Path: "/a", Data: []byte("q"), Version: -1},
		&zk.CheckVersionRequest{Path: "/a", Version: -1}, &zk.DeleteRequest{Path: "/m", Version: -1}))
	_, err = c.Multi(&zk.CreateRequest{Path: "/m2", Acl: acl}, &zk.DeleteRequest{Path: "/none", Version: -1})
	require.ErrorIs(t, err, zk.ErrNoNode)
	_, _, _, err = c.GetW("/a")
	require.NoError(t, err)
	_, _, _, err = c.ChildrenW("/a")
	require.NoError(t, err)
	_, _, _, err = c.ExistsW("/zzz")
	require.NoError(t, err)
	_, _, _, err = c.ExistsW("/a/e1")
	require.NoError(t, err)
}

type quietLogger struct{}

func (quietLogger) Printf(string, ...any) {}

// masks make what must differ the same: addresses, ids, times, sizes, versions.
var masks = []struct{ pattern, with string }{
	{`127\.0\.0\.1:\d+|0\.0\.0\.0:\d+`, "ADDR"},
	{`\w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}`, "DATE"},
	{`0x[0-9a-f]+`, "0xN"},
	{`(Zookeeper version: |"version" : ")[^"\n]*`, "${1}VERSION"},
	{`=/[^\n]*`, "=DIR"},
	{`: "/tmp[^"\n]*"`, `: "DIR"`},
	{`("zxid" : ")[0-9a-f]+`, "${1}N"},
	{`\b(recved|sent|est|lresp|llat|minlat|avglat|maxlat|to|queued)=\d+`, "${1}=N"},
	{`(Latency min/avg/max|Received|Sent|Proposal sizes last/min/max|Outstanding): [\d./-]+`, "$1: N"},
	{`(\w+(?i:port|size|id|limit)\w*=)-?\d+`, "${1}N"},
	{`((?:server|election)\w*\.\d+=)[^\n]*`, "${1}LINE"},
	{`(datadir_size|logdir_size): \d+`, "$1: N"},
	{`Sets \(\d+\)`, "Sets (N)"},
}

func mask(text string) string {
	for _, m := range masks {
		text = regexp.MustCompile(m.pattern).ReplaceAllString(text, m.with)
	}
	return text
}

// sorted makes one of what ZooKeeper keeps in sets: lines in any order.
func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// shuffled makes one of JSON whose keys and elements may come in any order.
func shuffled(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, ",", ""), "\n")
	for i, line := range lines {
		words := strings.Fields(line)
		slices.Sort(words)
		lines[i] = strings.Join(words, " ")
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// keys returns what stands before the equals signs, but for Java's.
func keys(text string) string {
	var list []string
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		if !strings.HasPrefix(key, "java.") && !strings.HasPrefix(key, "go.") && !strings.HasPrefix(key, "jvm.") {
			list = append(list, key)
		}
	}
	return strings.Join(list, "\n")
}

// noEmptySets drops the buckets of ZooKeeper in which nothing is, and when which
// connections are due: it rounds by ten seconds, and we do not.
func noEmptySets(text string) string {
	sessions, conns, _ := strings.Cut(text, "Connections dump:")
	sessions = regexp.MustCompile(`(?m)^0 expire at .*\n`).ReplaceAllString(sessions, "")
	conns = regexp.MustCompile(`(?m)^\d+ expire at .*\n`).ReplaceAllString(conns, "")
	return sorted(sessions + conns)
}

func unchanged(text string) string { return text }

// wordsCompared says how the answers of the two are made comparable beyond mask.
// mntr has a test of its own.
var wordsCompared = map[string]func(string) string{
	"ruok": unchanged, "isro": unchanged, "srvr": unchanged, "stat": sorted, "cons": sorted, "conf": unchanged, "dirs": unchanged,
	"dump": noEmptySets, "envi": keys, "wchs": unchanged, "wchc": sorted, "wchp": sorted, "hash": unchanged, "gtmk": unchanged,
	"crst": unchanged, "srst": unchanged, "stmk\x00\x00\x00\x00\x00\x00\x01\x32": unchanged,
}

// commandsCompared are the admin commands; true says that the order of the lines
// does not count, because ZooKeeper's is not always the same.
var commandsCompared = map[string]bool{
	"configuration": false, "connections": false, "connection_stat_reset": false, "dirs": false, "dump": true, "get_trace_mask": false,
	"set_trace_mask?traceMask=306": false, "set_trace_mask": false, "set_trace_mask?traceMask=x": false, "hash": false, "is_read_only": false, "last_snapshot": false,
	"leader": false, "observers": false, "observer_connection_stat_reset": false, "orst": false, "ruok": false, "server_stats": true, "stats": true,
	"stat_reset": false, "voting_view": false, "watches": true, "watches_by_path": true, "watch_summary": false, "zabstate": false,
	"nosuch": false, "wchs": false, "lead": false, "srvr": true, "": false,
}

// Numbers in JSON, but for those that must agree.
var jsonNumber = regexp.MustCompile(`("(?:num_\w+|node_count|synced_\w+|tracemask|interest_ops|data_?dir_size|zab_epoch|zab_counter)" : )?-?\b\d+(\.\d+)?\b`)

func maskJSON(text string) string {
	text = regexp.MustCompile(`"[^"]*" : \[ \],?\n`).ReplaceAllStringFunc(text, func(line string) string {
		if _, err := strconv.Atoi(strings.Trim(line, "\": [],\n")); err == nil {
			return "" // an empty bucket of sessions
		}
		return line
	})
	text = jsonNumber.ReplaceAllStringFunc(mask(text), func(n string) string {
		if strings.HasPrefix(n, `"`) && !strings.Contains(n, "dir_size") {
			return n
		}
		return regexp.MustCompile(`-?\b\d+(\.\d+)?\b`).ReplaceAllString(n, "N")
	})
	text = regexp.MustCompile(`(?m)^\s*\n`).ReplaceAllString(text, "")
	return strings.NewReplacer(`"client_address" : ""`, `"client_address" : "ADDR"`).Replace(text)
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode, url)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(b)
}

// TestOperators_SeeWhatTheySeeOfZooKeeper asks a server of each kind, that have had
// the same clients, everything that operators ask, and compares the answers line
// by line.
func TestOperators_SeeWhatTheySeeOfZooKeeper(t *testing.T) {
	onlyQuorate(t)
	if err := cluster.ZooKeeperInstalled(); err != nil {
		t.Skipf("skipped: %v", err)
	}
	if _, err := os.Stat("/usr/share/java/servlet-api.jar"); err != nil {
		t.Skip("skipped: ZooKeeper's admin server cannot run (Debian: apt-get install libservlet-api-java)")
	}
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d servers", n), func(t *testing.T) {
			ours, theirs := startOperated(t, cluster.Quorate, n), startOperated(t, cluster.ZooKeeper, n)
			for _, leads := range []bool{true, false}[:min(n, 2)] {
				a, b := ours.pick(t, leads), theirs.pick(t, leads)
				if leads {
					busy(t, a.ClientAddr())
					busy(t, b.ClientAddr())
				}
				t.Run("words of "+modeName(n, leads), func(t *testing.T) { compareWords(t, a, b) })
				t.Run("commands of "+modeName(n, leads), func(t *testing.T) {
					compareCommands(t, ours.admin[a.ID], theirs.admin[b.ID])
				})
				t.Run("metrics of "+modeName(n, leads), func(t *testing.T) { compareMonitor(t, ours.admin[a.ID], a, b) })
			}
			if n == 1 {
				compareAudit(t, ours.Server(1), theirs.Server(1))
			}
		})
	}
}

// A server alone has a quorum, and says so.
func TestOperators_StatusOfAServerAlone(t *testing.T) {
	onlyQuorate(t)
	c := startCluster(t, cluster.Config{Servers: 1})
	out, code := status(t, "-s", c.Server(1).ClientAddr())
	assert.Zero(t, code, out)
	assert.Regexp(t, `(?m)^1 +standalone +1 +0x[0-9a-f]+ +0 +5 +`+c.Server(1).ClientAddr()+`$`, out)
}

func modeName(n int, leads bool) string {
	switch {
	case n == 1:
		return "a server alone"
	case leads:
		return "the leader"
	}
	return "a follower"
}

// pick returns the leader, or a follower.
func (o *operated) pick(t *testing.T, leads bool) *cluster.Server {
	t.Helper()
	for _, s := range o.Servers {
		mode, err := s.Mode()
		require.NoError(t, err)
		if (mode != "follower") == leads {
			return s
		}
	}
	require.FailNow(t, "no such server")
	return nil
}

func compareWords(t *testing.T, a, b *cluster.Server) {
	for word, same := range wordsCompared {
		ours, err := a.FourLetter(word)
		require.NoError(t, err, word)
		theirs, err := b.FourLetter(word)
		require.NoError(t, err, word)
		assert.Equal(t, same(mask(theirs)), same(mask(ours)), "%q: expected is ZooKeeper's", word)
	}
}

func compareCommands(t *testing.T, a, b int) {
	for command, anyOrder := range commandsCompared {
		ours := maskJSON(fetch(t, fmt.Sprintf("http://127.0.0.1:%d/commands/%s", a, command)))
		theirs := maskJSON(fetch(t, fmt.Sprintf("http://127.0.0.1:%d/commands/%s", b, command)))
		if anyOrder {
			ours, theirs = shuffled(ours), shuffled(theirs)
		}
		assert.Equal(t, theirs, ours, "%q: expected is ZooKeeper's", command)
	}
}

// compareMonitor checks that every name of ZooKeeper's mntr is one of ours, or in
// the list of those that have no meaning here; and that the same is in monitor and,
// but for words, in /metrics.
func compareMonitor(t *testing.T, admin int, a, b *cluster.Server) {
	ours, err := a.Monitor()
	require.NoError(t, err)
	theirs, err := b.Monitor()
	require.NoError(t, err)
	without := withoutMeaning(t)
	for name, value := range theirs {
		stem := regexp.MustCompile(`^zk_((avg|min|max|cnt|sum|p50|p95|p99|p999)_)?(\d+_)?`).ReplaceAllString(name, "")
		stem = regexp.MustCompile(`^.*_(read|write)_per_namespace$`).ReplaceAllString(stem, "${1}_per_namespace")
		got, have := ours[name]
		switch {
		case slices.Contains(without, stem) || slices.Contains(without, strings.TrimPrefix(name, "zk_")):
			assert.False(t, have, "%s is shown, and docs/operating.md says that it is not", name)
		case strings.Contains(name, "per_namespace") || strings.HasPrefix(name, "zk_version"):
		case !have:
			assert.Fail(t, "a metric of ZooKeeper is neither shown nor explained in docs/operating.md", name)
		default:
			_, err1 := strconv.ParseFloat(value, 64)
			_, err2 := strconv.ParseFloat(got, 64)
			assert.Equal(t, err1 == nil, err2 == nil, "%s: %s and %s", name, value, got)
			if _, err := strconv.ParseInt(value, 10, 64); err == nil {
				_, err = strconv.ParseInt(got, 10, 64)
				assert.NoError(t, err, "%s is an integer", name)
			}
		}
	}
	for _, name := range []string{"znode_count", "ephemerals_count", "watch_count", "global_sessions", "server_state", "num_alive_connections"} {
		assert.Equal(t, theirs["zk_"+name], ours["zk_"+name], name)
	}
	var monitor map[string]any
	require.NoError(t, json.Unmarshal([]byte(fetch(t, fmt.Sprintf("http://127.0.0.1:%d/commands/monitor", admin))), &monitor))
	families := scrape(t, fmt.Sprintf("http://127.0.0.1:%d/metrics", admin))
	for name, value := range ours {
		name = strings.TrimPrefix(name, "zk_")
		assert.Contains(t, monitor, name)
		if _, err := strconv.ParseFloat(value, 64); err != nil || strings.HasPrefix(name, "tree_") || strings.HasPrefix(name, "history_") {
			continue
		}
		shown := slices.ContainsFunc(families, func(family string) bool { return name == family || strings.HasSuffix(name, "_"+family) })
		assert.True(t, shown, "%s is not in /metrics", name)
	}
}

// scrape reads metrics with Prometheus's own parser and returns their names.
func scrape(t *testing.T, url string) []string {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(fetch(t, url)))
	require.NoError(t, err)
	require.Equal(t, dto.MetricType_SUMMARY, families["fsynctime"].GetType())
	require.Equal(t, dto.MetricType_COUNTER, families["proposal_count"].GetType())
	require.Equal(t, dto.MetricType_GAUGE, families["znode_count"].GetType())
	return slices.Collect(maps.Keys(families))
}

// withoutMeaning reads the names that docs/operating.md explains away.
func withoutMeaning(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../docs/operating.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(b), "### Names that are not here")
	require.True(t, found)
	text, _, _ = strings.Cut(text, "\n#")
	var names []string
	for line := range strings.Lines(text) {
		columns := strings.Split(line, "|")
		if len(columns) < 3 {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z0-9_]+)`").FindAllStringSubmatch(columns[1], -1) {
			names = append(names, m[1])
		}
	}
	require.NotEmpty(t, names)
	return names
}

// compareAudit compares what the two have logged of the same writes. The users of
// a connection are a set in ZooKeeper.
func compareAudit(t *testing.T, a, b *cluster.Server) {
	users := func(e map[string]string) map[string]string {
		list := strings.Split(e["user"], ",")
		slices.Sort(list)
		e["user"] = strings.Join(list, ",")
		delete(e, "session")
		delete(e, "time")
		return e
	}
	var ours, theirs []map[string]string
	for line := range strings.Lines(a.Log()) {
		var e map[string]string
		if json.Unmarshal([]byte(line), &e) == nil {
			ours = append(ours, users(e))
		}
	}
	for line := range strings.Lines(b.Log()) {
		_, text, ok := strings.Cut(strings.TrimSpace(line), "Slf4jAuditLogger - ")
		if !ok {
			continue
		}
		e := map[string]string{}
		for field := range strings.SplitSeq(text, "\t") {
			key, value, _ := strings.Cut(field, "=")
			e[key] = value
		}
		theirs = append(theirs, users(e))
	}
	require.NotEmpty(t, theirs, "ZooKeeper has written no audit log")
	assert.Equal(t, theirs, ours, "expected is ZooKeeper's")
}
