package admin

import (
	"errors"
	"net"
	"net/url"
	"strconv"

	"github.com/quorate/quorate/ensemble"
	"github.com/quorate/quorate/server"
)

// What commands tell of the server's place in its ensemble.

// alone reports whether this is ZooKeeper's standalone mode.
func (a *Admin) alone() bool { return len(a.s.Quorum().View().Members()) <= 1 }

func (a *Admin) leader(url.Values) (object, error) {
	if a.alone() {
		return nil, errors.New("server is not initialized")
	}
	st := a.s.Quorum().Status()
	host := ""
	if m, ok := a.member(st.Leader); ok {
		host = m.Addrs[0].Host
	}
	return object{{"is_leader", st.State == ensemble.Leading}, {"leader_id", int64(st.Leader)}, {"leader_ip", host}}, nil
}

func (a *Admin) observers() object {
	st := a.s.Quorum().Status()
	list := array{}
	for _, id := range st.Observers {
		list = append(list, object{{"sid", int64(id)}})
	}
	return object{{"synced_observers", st.SyncedObservers}, {"observers", list}}
}

func (a *Admin) serverStats() object {
	c, r := a.s.Config(), a.s.Report()
	data, log := a.s.DirBytes()
	o := object{
		{"version", c.Version},
		{"read_only", r.Mode == "read-only"},
		{"server_stats", object{
			{"packets_sent", r.Sent},
			{"packets_received", r.Received},
			{"fsync_threshold_exceed_count", a.s.Metrics().SlowFsyncs.Value()},
			{"client_response_stats", replyBytes(r)},
			{"data_dir_size", data},
			{"log_dir_size", log},
			{"provider_null", false},
			{"server_state", r.Mode},
			{"last_processed_zxid", int64(r.Zxid)},
			{"outstanding_requests", r.Outstanding},
			{"avg_latency", r.LatencyAvg},
			{"max_latency", r.LatencyHigh},
			{"min_latency", r.LatencyLow},
			{"num_alive_client_connections", r.Connections},
			{"uptime", r.Uptime.Milliseconds()},
			{"auth_failed_count", r.AuthFailed},
			{"non_mtlsremote_conn_count", r.PlainRemote},
			{"non_mtlslocal_conn_count", r.PlainLocal},
		}},
		{"client_response", replyBytes(r)},
	}
	if p := r.ProposalBytes; p != nil && !a.alone() {
		o.put("proposal_stats", object{{"last_buffer_size", p.Last}, {"min_buffer_size", p.Min}, {"max_buffer_size", p.Max}})
	}
	o.put("node_count", r.Nodes)
	return o
}

func replyBytes(r server.Report) object {
	return object{{"last_buffer_size", r.LastReplyBytes}, {"min_buffer_size", r.LowReplyBytes}, {"max_buffer_size", r.HighReplyBytes}}
}

func (a *Admin) stats() object {
	return append(a.serverStats(), connections(a.s.ConnReports(), false)...)
}

func (a *Admin) votingView() object {
	o := object{}
	if !a.alone() {
		for _, m := range a.s.Quorum().View().Members() {
			if m.Observer {
				continue
			}
			quorum, election := array{}, array{}
			for _, addr := range m.Addrs {
				quorum = append(quorum, addr.Quorum())
				election = append(election, addr.Election())
			}
			o.put(m.ID.String(), object{
				{"server_addresses", quorum},
				{"election_addresses", election},
				{"client_address", a.clientAddr(m)},
				{"learner_type", "participant"},
			})
		}
	}
	return object{{"current_config", o}}
}

// clientAddr returns where a member serves clients, as far as this server knows.
func (a *Admin) clientAddr(m ensemble.Member) string {
	if m.Client == "" && m.ID == a.s.Config().Self {
		return a.cfg.ClientAddr
	}
	return m.Client
}

func (a *Admin) zabState() object {
	st, view := a.s.Quorum().Status(), a.s.Quorum().View()
	if a.alone() {
		return object{{"voting", false}, {"zabstate", ""}}
	}
	self := a.s.Config().Self
	zxid := a.s.Report().Zxid
	o := object{{"myid", int64(self)}, {"is_leader", st.State == ensemble.Leading}}
	if m, ok := a.member(self); ok {
		o.put("quorum_address", addresses(m, ensemble.Addr.Quorum, func(a ensemble.Addr) int { return a.QuorumPort }))
		o.put("election_address", addresses(m, ensemble.Addr.Election, func(a ensemble.Addr) int { return a.ElectionPort }))
		o.put("client_address", a.clientAddr(m))
	}
	return append(o, object{
		{"voting", view.IsVoter(self)},
		{"last_zxid", zxid.String()},
		{"zab_epoch", int64(zxid.Epoch())},
		{"zab_counter", int64(zxid.Counter())},
		{"zabstate", st.Phase},
	}...)
}

// addresses spells a server's addresses out as ZooKeeper's object that holds
// them does. We do not try whether they can be reached: all count as such.
func addresses(m ensemble.Member, full func(ensemble.Addr) string, port func(ensemble.Addr) int) object {
	var all, any, ports, hosts array
	for _, addr := range m.Addrs {
		all = append(all, full(addr))
		any = append(any, net.JoinHostPort("0.0.0.0", strconv.Itoa(port(addr))))
		ports = append(ports, port(addr))
		hosts = append(hosts, addr.Host)
	}
	return object{
		{"empty", len(all) == 0},
		{"all_addresses", all},
		{"all_reachable_addresses", all},
		{"one", all[0]},
		{"reachable_address", all[0]},
		{"wildcard_addresses", any},
		{"all_ports", ports},
		{"all_host_strings", hosts},
		{"all_reachable_addresses_or_all", all},
		{"reachable_or_one", all[0]},
	}
}
