package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
)

const groupEnsemble = "Ensemble"

var ensembleCommands = []*command{
	{name: "config", group: groupEnsemble, short: "Print who the servers are",
		options: []option{{"c", "", "only the version and the addresses for clients"}, {"w", "", "arm a watch: tell when it changes"}, optStat},
		example: "config\nconfig -c", run: runConfig},
	{name: "reconfig", group: groupEnsemble, short: "Change who the servers are",
		long:    "Either change the present configuration with -add and -remove, or give a whole new one\nwith -members or -file. The server must have reconfigEnabled=true, and you the right to\nwrite /zookeeper/config.",
		options: []option{optStat, {"v", "version", "only if the configuration has this version (hexadecimal, see config)"}, {"add", "server,…", "serverId=host:port1:port2[:role];[addr:]port"}, {"remove", "id,…", "numbers of servers"}, {"members", "server,…", "all servers"}, {"file", "path", "a file with all servers"}},
		example: "reconfig -add 'server.4=zk4:2888:3888;2181'\nreconfig -remove 3,4", run: runReconfig},
}

// ensembleConfig is the result of config and reconfig.
type ensembleConfig struct {
	Config   string   `json:"config"`
	Version  string   `json:"version"`
	Clients  []string `json:"clients"`
	Stat     *stat    `json:"stat,omitempty"`
	heading  string
	addrOnly bool
}

func newEnsembleConfig(d []byte) ensembleConfig {
	c := ensembleConfig{Config: string(d), Clients: []string{}}
	for line := range strings.Lines(c.Config) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case key == "version":
			c.Version = value
		case strings.HasPrefix(key, "server."):
			if addr := clientAddress(value); addr != "" {
				c.Clients = append(c.Clients, addr)
			}
		}
	}
	return c
}

// clientAddress takes the client address out of host:port:port:role;[addr:]port.
// Without an address of its own, or with that of all interfaces, it is the host's.
func clientAddress(server string) string {
	peer, client, ok := strings.Cut(server, ";")
	client, _, _ = strings.Cut(client, ";")
	if !ok || client == "" {
		return ""
	}
	host, port := "", client
	if i := strings.LastIndexByte(client, ':'); i >= 0 {
		host, port = strings.Trim(client[:i], "[]"), client[i+1:]
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if end := strings.IndexByte(peer, ']'); strings.HasPrefix(peer, "[") && end > 0 {
			host = peer[1:end]
		} else {
			host, _, _ = strings.Cut(peer, ":")
		}
	}
	return net.JoinHostPort(host, port)
}

func (c ensembleConfig) text(w io.Writer) {
	if c.addrOnly {
		_, _ = fmt.Fprintln(w, strings.TrimSpace(safe(c.Version)+" "+safe(strings.Join(c.Clients, ","))))
	} else {
		if c.heading != "" {
			_, _ = fmt.Fprintln(w, c.heading)
		}
		printData(w, []byte(c.Config), formatAuto)
	}
	c.Stat.text(w)
}

func runConfig(ctx context.Context, s *Shell, a *args) (result, error) {
	d, st, err := s.client.EnsembleConfig(ctx, a.has("w"))
	if err != nil {
		return nil, err
	}
	s.armed = a.has("w")
	c := newEnsembleConfig(d)
	c.addrOnly = a.has("c")
	if a.has("s") {
		c.Stat = newStat(st)
	}
	return c, nil
}

func runReconfig(ctx context.Context, s *Shell, a *args) (result, error) {
	joining, leaving := strings.Join(a.given["add"], ","), strings.Join(a.given["remove"], ",")
	members := strings.Join(a.given["members"], ",")
	if err := a.exclusive("members", "file"); err != nil {
		return nil, err
	}
	whole, change := a.has("members") || a.has("file"), a.has("add") || a.has("remove")
	switch {
	case whole && change:
		return nil, a.wrong("-members and -file give a whole configuration, -add and -remove change the present one: take one kind")
	case !whole && !change:
		return nil, a.wrong("say what to change")
	}
	version := int64(-1)
	if a.has("v") {
		n, err := strconv.ParseInt(strings.TrimPrefix(a.value("v"), "0x"), 16, 64)
		if err != nil {
			return nil, a.wrong("-v %q: want a hexadecimal number, as config prints it", safe(a.value("v")))
		}
		version = n
	}
	if a.has("file") {
		var err error
		if members, err = readMembers(a); err != nil {
			return nil, err
		}
	}
	d, st, err := s.client.Reconfig(ctx, joining, leaving, members, version)
	if err != nil {
		return nil, err
	}
	c := newEnsembleConfig(d)
	c.heading = "Committed new configuration:"
	if a.has("s") {
		c.Stat = newStat(st)
	}
	return c, nil
}

// readMembers takes the server.N lines of a configuration file.
func readMembers(a *args) (string, error) {
	name := a.value("file")
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	var list []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "server.") {
			list = append(list, strings.Join(strings.Fields(line), ""))
		}
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if len(list) == 0 {
		return "", a.wrong("the file %s has no line server.N=host:port:port;port", safe(name))
	}
	return strings.Join(list, ","), nil
}
