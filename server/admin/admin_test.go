package admin

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
	"github.com/quorate/quorate/zab"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quorumFake is a place in an ensemble where nothing happens.
type quorumFake struct {
	view   *ensemble.View
	status zab.Status
}

func (q *quorumFake) Submit([]byte, func(any, error)) {}
func (q *quorumFake) Sync(func(error))                {}
func (q *quorumFake) Ask([]byte, func([]byte, error)) {}
func (q *quorumFake) Status() zab.Status              { return q.status }
func (q *quorumFake) View() *ensemble.View            { return q.view }

type wireFake struct{}

func (wireFake) Ready() {}
func (wireFake) Flush() {}
func (wireFake) Room()  {}
func (wireFake) Close() {}

// newAdmin makes the admin server of a server that leads an ensemble of n.
func newAdmin(t testing.TB, n int, cfg Config) (*Admin, *server.Server) {
	t.Helper()
	var lines ensemble.Lines
	for i := range n {
		_, err := lines.Add("server."+string(rune('1'+i)), "10.0.0."+string(rune('1'+i))+":2888:3888")
		require.NoError(t, err)
	}
	view, err := lines.View(0)
	require.NoError(t, err)
	q := &quorumFake{view: view, status: zab.Status{Server: 1, State: ensemble.Leading, Leader: 1, Epoch: 1, Phase: "broadcast", SyncedFollowers: n - 1}}
	s := server.New(server.Config{Self: 1, Logger: slog.New(slog.DiscardHandler), Version: "3.9.9-x"})
	s.Attach(q)
	s.RoleChanged(zab.Role{State: ensemble.Leading, Epoch: 1, Leader: 1})
	cfg.Logger = slog.New(slog.DiscardHandler)
	return New(cfg, s), s
}

func get(t testing.TB, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

func TestHandler_Formats(t *testing.T) {
	a, s := newAdmin(t, 3, Config{InitialConfiguration: "a=\"b\"\n", ClientAddr: "0.0.0.0:2181"})
	_, ok := s.Open(netip.MustParseAddrPort("[::1]:77"), wireFake{})
	require.True(t, ok)
	for name, want := range map[string]string{
		"ruok":             "{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}",
		"nosuch/x":         "{\n  \"command\" : \"nosuch/x\",\n  \"error\" : \"Unknown command: nosuch/x\"\n}",
		"wchs":             "{\n  \"num_connections\" : 0,\n  \"num_paths\" : 0,\n  \"num_total_watches\" : 0,\n  \"command\" : \"watch_summary\",\n  \"error\" : null\n}",
		"dump":             "{\n  \"expiry_time_to_session_ids\" : { },\n  \"session_id_to_ephemeral_paths\" : { },\n  \"command\" : \"dump\",\n  \"error\" : null\n}",
		"set_trace_mask":   "{\n  \"error\" : \"setTraceMask requires long traceMask argument\",\n  \"command\" : \"set_trace_mask\"\n}",
		"stmk?traceMask=7": "{\n  \"tracemask\" : 7,\n  \"command\" : \"set_trace_mask\",\n  \"error\" : null\n}",
		"icfg":             "{\n  \"initial_configuration\" : \"a=\\\"b\\\"\\n\",\n  \"command\" : \"initial_configuration\",\n  \"error\" : null\n}",
		"lsnp":             "{\n  \"zxid\" : \"ffffffffffffffff\",\n  \"timestamp\" : -1,\n  \"command\" : \"last_snapshot\",\n  \"error\" : null\n}",
		"lead":             "{\n  \"is_leader\" : true,\n  \"leader_id\" : 1,\n  \"leader_ip\" : \"10.0.0.1\",\n  \"command\" : \"leader\",\n  \"error\" : null\n}",
		"hash":             "{\n  \"digests\" : [ ],\n  \"command\" : \"hash\",\n  \"error\" : null\n}",
		"stat":             "", "cons": "", "zabstate": "", "voting_view": "",
	} {
		w := get(t, a.Handler(), "/commands/"+name)
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
		assert.True(t, json.Valid(w.Body.Bytes()), name)
		if want != "" {
			assert.Equal(t, want, w.Body.String(), name)
		}
	}
	assert.Contains(t, get(t, a.Handler(), "/commands/cons").Body.String(), "{\n  \"connections\" : [ {\n    \"remote_socket_address\" : \"[::1]:77\",\n")
	assert.Contains(t, get(t, a.Handler(), "/commands/voting_view").Body.String(),
		"    \"1\" : {\n      \"server_addresses\" : [ \"10.0.0.1:2888\" ],\n      \"election_addresses\" : [ \"10.0.0.1:3888\" ],\n"+
			"      \"client_address\" : \"0.0.0.0:2181\",\n      \"learner_type\" : \"participant\"\n    },\n")
}

func TestHandler_EveryCommandByEveryName(t *testing.T) {
	for _, n := range []int{1, 3} {
		a, s := newAdmin(t, n, Config{})
		for name, c := range byName {
			var got map[string]any
			require.NoError(t, json.Unmarshal(get(t, a.Handler(), "/commands/"+name+"?traceMask=1").Body.Bytes(), &got), name)
			assert.Equal(t, c.names[0], got["command"])
			if name == "lead" || name == "leader" {
				assert.Equal(t, n == 1, got["error"] == "server is not initialized")
				continue
			}
			assert.Nil(t, got["error"], name)
		}
		s.RoleChanged(zab.Role{State: ensemble.Looking, Leader: ensemble.NoServer})
		for name, c := range byName {
			var got map[string]any
			require.NoError(t, json.Unmarshal(get(t, a.Handler(), "/commands/"+name+"?traceMask=1").Body.Bytes(), &got), name)
			assert.Equal(t, !c.always, got["error"] == server.NotServing, "%s: %v", name, got["error"])
		}
	}
}

func TestHandler_MethodsAndPaths(t *testing.T) {
	a, _ := newAdmin(t, 1, Config{CommandURL: "/ops/"})
	for _, c := range []struct {
		method, target string
		code           int
	}{
		{"GET", "/ops", 200}, {"GET", "/ops/", 200}, {"HEAD", "/ops/ruok", 200}, {"GET", "/", 404}, {"GET", "/commands/ruok", 404},
		{"POST", "/ops/ruok", 405}, {"DELETE", "/metrics", 405}, {"TRACE", "/ops/ruok", 403}, {"GET", "/metrics", 200},
		{"GET", "/ops/" + strings.Repeat("x", 1000), 414},
		// As ZooKeeper 3.8.0, which resolves dots and nothing else.
		{"GET", "/ops/../etc", 404}, {"GET", "/ops/..", 404}, {"GET", "/..", 404}, {"GET", "//ops", 404}, {"GET", "/ops/..//ops/ruok", 404},
		{"GET", "/ops/./ruok", 200}, {"GET", "/x/../ops/ruok", 200}, {"GET", "/ops/ruok/..", 200}, {"GET", "/ops//ruok", 200},
	} {
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequest(c.method, c.target, nil))
		assert.Equal(t, c.code, w.Code, "%s %s", c.method, c.target)
	}
	list := get(t, a.Handler(), "/ops").Body.String()
	assert.Equal(t, len(commands), strings.Count(list, "<a href="))
	assert.True(t, strings.HasPrefix(list, "<a href=\"/ops/configuration\">configuration</a>\n<br/>\n<a href=\"/ops/connection_stat_reset\">"))
	quiet, _ := newAdmin(t, 1, Config{NoMetrics: true})
	assert.Equal(t, 404, get(t, quiet.Handler(), "/metrics").Code)
	only, _ := newAdmin(t, 1, Config{NoCommands: true})
	assert.Equal(t, 404, get(t, only.Handler(), "/commands").Code)
}

func TestConfig_Validate(t *testing.T) {
	require.NoError(t, Config{}.Validate())
	for _, url := range []string{"commands", "/", "/a/../b", "/a b", "/{x}", "/metrics", "//"} {
		assert.Error(t, Config{CommandURL: url}.Validate(), url)
	}
}

// Types, labels and quantiles as ZooKeeper's exporter has them: spec
// client-protocol 7.6.
func TestMetrics_Exposition(t *testing.T) {
	a, s := newAdmin(t, 3, Config{})
	s.Metrics().FsyncTime.Took(1500 * time.Microsecond)
	s.Metrics().ReadLatency.Took(2 * time.Millisecond)
	s.Metrics().AckLatency.Get("2").Took(time.Millisecond)
	s.Metrics().WrittenBytes.Get("a \"b\"").Observe(10)
	s.Metrics().Proposals.Add(5)
	text := get(t, a.Handler(), "/metrics").Body.String()
	for _, want := range []string{
		"# TYPE proposal_count counter\nproposal_count 5\n",
		"# TYPE znode_count gauge\nznode_count 5\n",
		"# TYPE quorum_size gauge\nquorum_size 3\n",
		"# TYPE fsynctime summary\nfsynctime{quantile=\"0.5\"} 1.5\nfsynctime_sum 1.5\nfsynctime_count 1\n",
		"# TYPE readlatency summary\nreadlatency{quantile=\"0.5\"} 2\nreadlatency{quantile=\"0.9\"} 2\nreadlatency{quantile=\"0.95\"} 2\nreadlatency{quantile=\"0.99\"} 2\nreadlatency_sum 2\nreadlatency_count 1\n",
		"ack_latency{key=\"2\",quantile=\"0.5\"} 1\n", "ack_latency_count{key=\"2\"} 1\n",
		"write_per_namespace_sum{key=\"a \\\"b\\\"\"} 10\n",
		"updatelatency{quantile=\"0.5\"} NaN\n",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "go_goroutines")
	assert.Regexp(t, regexp.MustCompile(`(?m)^uptime \d+$`), text)
	a, _ = newAdmin(t, 1, Config{ProcessMetrics: true})
	text = get(t, a.Handler(), "/metrics").Body.String()
	assert.Contains(t, text, "go_goroutines ")
	assert.Contains(t, text, "process_cpu_seconds_total ")
	assert.NotContains(t, text, "quorum_size", "not of a lone server")
}

func TestRun_ServesAndEnds(t *testing.T) {
	a, _ := newAdmin(t, 1, Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, ln) }()
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Get("http://" + ln.Addr().String() + "/commands/ruok")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Contains(t, string(body), "\"command\" : \"ruok\"")

	// A header that goes on and on is not read for ever.
	nc, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer nc.Close()
	require.NoError(t, nc.SetDeadline(time.Now().Add(20*time.Second)))
	_, _ = io.WriteString(nc, "GET /commands HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("y", 4*headerBytesMax)+"\r\n\r\n")
	answer, _ := io.ReadAll(nc)
	assert.Contains(t, string(answer), "431")

	client.CloseIdleConnections()
	cancel()
	require.NoError(t, <-ended)
	_, err = net.Dial("tcp", ln.Addr().String())
	require.Error(t, err, "the port is free again")
}

// Whatever is asked, the answer is JSON and says which command it answers, or an
// HTTP error.
func FuzzHandler(f *testing.F) {
	a, _ := newAdmin(f, 3, Config{})
	for name := range byName {
		f.Add("/"+name, "")
	}
	f.Add("/stmk", "traceMask=99999999999999999999")
	f.Add("/%zz/../..//\x00\xff\"<script>", "a=b;c&traceMask=\xff")
	h := a.Handler()
	f.Fuzz(func(t *testing.T, path, query string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path, r.URL.RawQuery = "/commands"+path, query
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
			return
		}
		var got struct{ Command string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got), "%q", w.Body)
		require.NotEmpty(t, got.Command)
	})
}
