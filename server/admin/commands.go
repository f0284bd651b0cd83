package admin

import (
	"cmp"
	"fmt"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
)

// command is one of ZooKeeper's admin commands.
type command struct {
	names  []string // the primary one first
	always bool     // answered even when not serving
	// run returns the keys of the answer. An error is told beside them.
	run func(a *Admin, query url.Values) (object, error)
}

// commands are all that are known.
var commands = []command{
	{names: []string{"configuration", "conf", "config"}, run: plain((*Admin).configuration)},
	{names: []string{"connections", "cons"}, run: plain((*Admin).connections)},
	{names: []string{"connection_stat_reset", "crst"}, run: plain(func(a *Admin) object { a.s.ResetConnStats(); return nil })},
	{names: []string{"dirs"}, run: plain((*Admin).dirs)},
	{names: []string{"dump"}, run: plain((*Admin).dump)},
	{names: []string{"environment", "env", "envi"}, always: true, run: plain((*Admin).environment)},
	{names: []string{"get_trace_mask", "gtmk"}, always: true, run: plain((*Admin).traceMask)},
	{names: []string{"hash"}, run: plain((*Admin).hash)},
	{names: []string{"initial_configuration", "icfg"}, run: plain((*Admin).initialConfiguration)},
	{names: []string{"is_read_only", "isro"}, run: plain((*Admin).isReadOnly)},
	{names: []string{"last_snapshot", "lsnp"}, run: plain((*Admin).lastSnapshot)},
	{names: []string{"leader", "lead"}, run: (*Admin).leader},
	{names: []string{"monitor", "mntr"}, run: plain((*Admin).monitor)},
	{names: []string{"observer_connection_stat_reset", "orst"}, run: plain(func(*Admin) object { return nil })},
	{names: []string{"observers", "obsr"}, run: plain((*Admin).observers)},
	{names: []string{"ruok"}, run: plain(func(*Admin) object { return nil })},
	{names: []string{"server_stats", "srvr"}, run: plain((*Admin).serverStats)},
	{names: []string{"set_trace_mask", "stmk"}, always: true, run: (*Admin).setTraceMask},
	{names: []string{"stat_reset", "srst"}, run: plain(func(a *Admin) object { a.s.ResetStats(); return nil })},
	{names: []string{"stats", "stat"}, run: plain((*Admin).stats)},
	{names: []string{"system_properties", "sysp"}, always: true, run: plain((*Admin).systemProperties)},
	{names: []string{"voting_view"}, run: plain((*Admin).votingView)},
	{names: []string{"watch_summary", "wchs"}, run: plain((*Admin).watchSummary)},
	{names: []string{"watches", "wchc"}, run: plain((*Admin).watches)},
	{names: []string{"watches_by_path", "wchp"}, run: plain((*Admin).watchesByPath)},
	{names: []string{"zabstate"}, run: plain((*Admin).zabState)},
}

// byName finds commands by all their names.
var byName = func() map[string]command {
	m := map[string]command{}
	for _, c := range commands {
		for _, name := range c.names {
			m[name] = c
		}
	}
	return m
}()

func plain(f func(*Admin) object) func(*Admin, url.Values) (object, error) {
	return func(a *Admin, _ url.Values) (object, error) { return f(a), nil }
}

// execute runs a command by one of its names. Where the command itself says what
// went wrong, ZooKeeper puts the error before the name.
func (a *Admin) execute(name string, query url.Values) object {
	c, known := byName[name]
	if !known {
		return object{{"command", name}, {"error", "Unknown command: " + name}}
	}
	name = c.names[0]
	if !c.always && !a.s.Serving() {
		return object{{"command", name}, {"error", server.NotServing}}
	}
	body, err := c.run(a, query)
	if err != nil {
		return append(body, object{{"error", err.Error()}, {"command", name}}...)
	}
	return append(body, object{{"command", name}, {"error", nil}}...)
}

func (a *Admin) configuration() object {
	c := a.s.Config()
	port := c.Setup.ClientPort
	if port == 0 {
		port = -1
	}
	return object{
		{"client_port", port},
		{"data_dir", c.Setup.DataDir},
		{"data_log_dir", c.Setup.LogDir},
		{"tick_time", c.TickTime.Milliseconds()},
		{"max_client_cnxns", max(c.MaxClientCnxns, 0)},
		{"min_session_timeout", c.MinSessionTimeout.Milliseconds()},
		{"max_session_timeout", c.MaxSessionTimeout.Milliseconds()},
		{"server_id", int64(a.s.ShownID())},
		{"client_port_listen_backlog", -1},
	}
}

func (a *Admin) connections() object {
	return connections(a.s.ConnReports(), true)
}

// connections lists connections as cons does, or as stat does, which is shorter.
func connections(list []server.ConnReport, full bool) object {
	open, secure := array{}, array{}
	for _, c := range list {
		o := object{
			{"remote_socket_address", c.Remote.String()},
			{"interest_ops", c.Interest},
			{"outstanding_requests", c.Outstanding},
			{"packets_received", c.Received},
			{"packets_sent", c.Sent},
		}
		if full {
			o = append(o, object{
				{"session_id", c.Session},
				{"last_operation", c.Op},
				{"established", c.Established.UnixMilli()},
				{"session_timeout", c.Timeout.Milliseconds()},
				{"last_cxid", int64(c.Cxid)},
				{"last_zxid", c.Zxid},
				{"last_response_time", c.Replied.UnixMilli()},
				{"last_latency", c.LastLatency.Milliseconds()},
				{"min_latency", c.LowLatency.Milliseconds()},
				{"avg_latency", c.AvgLatency.Milliseconds()},
				{"max_latency", c.HighLatency.Milliseconds()},
			}...)
		}
		if c.Secure {
			secure = append(secure, o)
		} else {
			open = append(open, o)
		}
	}
	return object{{"connections", open}, {"secure_connections", secure}}
}

func (a *Admin) dirs() object {
	data, log := a.s.DirBytes()
	return object{{"datadir_size", data}, {"logdir_size", log}}
}

func (a *Admin) dump() object {
	expiries, owners := object{}, object{}
	sets, _, _ := a.s.Expiries()
	for _, set := range sets {
		expiries.put(strconv.FormatInt(set.At.Milliseconds(), 10), numbers(set.Sessions))
	}
	_, ephemerals := a.s.Sessions()
	for _, e := range ephemerals {
		owners.put(decimal(e.ID), texts(e.Paths))
	}
	return object{{"expiry_time_to_session_ids", expiries}, {"session_id_to_ephemeral_paths", owners}}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func (a *Admin) environment() object {
	var o object
	for _, kv := range a.s.Environment() {
		o.put(kv[0], kv[1])
	}
	return o
}

func (a *Admin) traceMask() object { return object{{"tracemask", a.s.TraceMask()}} }

func (a *Admin) setTraceMask(query url.Values) (object, error) {
	text := query.Get("traceMask")
	if !query.Has("traceMask") {
		return nil, fmt.Errorf("setTraceMask requires long traceMask argument")
	}
	mask, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("setTraceMask requires long traceMask argument, got %s", text)
	}
	a.s.SetTraceMask(mask)
	return a.traceMask(), nil
}

// digestVersion says by what the digests are made; ours are chained hashes of the
// history, so it is none of ZooKeeper's versions.
const digestVersion = 100

func (a *Admin) hash() object {
	list := array{}
	for _, d := range a.s.Digests() {
		list = append(list, object{{"zxid", int64(d.Zxid)}, {"digest", int64(d.Chain)}, {"digest_version", digestVersion}})
	}
	return object{{"digests", list}}
}

func (a *Admin) initialConfiguration() object {
	return object{{"initial_configuration", a.cfg.InitialConfiguration}}
}

func (a *Admin) isReadOnly() object { return object{{"read_only", a.s.Mode() == "read-only"}} }

func (a *Admin) lastSnapshot() object {
	zxid, timestamp := int64(-1), int64(-1)
	if a.cfg.LastSnapshot != nil {
		if at, taken, ok := a.cfg.LastSnapshot(); ok {
			zxid, timestamp = int64(at), taken.Unix()
		}
	}
	return object{{"zxid", strconv.FormatUint(uint64(zxid), 16)}, {"timestamp", timestamp}}
}

func (a *Admin) monitor() object {
	var o object
	a.s.Monitor(func(name string, value any) { o.put(name, value) })
	return o
}

func (a *Admin) watchSummary() object {
	w := a.s.WatchSummary()
	return object{{"num_connections", w.Watchers}, {"num_paths", w.Paths}, {"num_total_watches", w.Watches}}
}

func (a *Admin) watches() object {
	o := object{}
	for _, w := range a.s.WatchesBySession() {
		o.put(decimal(w.Key), texts(w.Paths))
	}
	return object{{"session_id_to_watched_paths", o}}
}

func (a *Admin) watchesByPath() object {
	o := object{}
	for _, at := range a.s.WatchesByPath() {
		o.put(at.Path, numbers(at.Keys))
	}
	return object{{"path_to_session_ids", o}}
}

// systemProperties tells of Go what ZooKeeper tells of Java.
func (a *Admin) systemProperties() object {
	o := a.environment()
	if info, ok := debug.ReadBuildInfo(); ok {
		o.put("go.main.path", info.Main.Path)
		o.put("go.main.version", info.Main.Version)
		for _, s := range info.Settings {
			o.put("go.build."+s.Key, s.Value)
		}
	}
	slices.SortFunc(o, func(x, y field) int { return cmp.Compare(x.Key, y.Key) })
	return o
}

// member returns this server's line of the view, if it has one.
func (a *Admin) member(id ensemble.ServerID) (ensemble.Member, bool) {
	return a.s.Quorum().View().Member(id)
}
