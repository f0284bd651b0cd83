package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

const statusTimeout = 2 * time.Second

// serverStatus is what quorate status knows of one server; a field that nobody
// could tell is -1 or empty.
type serverStatus struct {
	Sid      int64  `json:"sid"`
	Mode     string `json:"mode"` // leader, standalone, follower, observer, looking or down
	Epoch    int64  `json:"epoch"`
	Zxid     string `json:"zxid"`
	Sessions int64  `json:"sessions"`
	Znodes   int64  `json:"znodes"`
	Client   string `json:"client,omitempty"`
}

func (s serverStatus) serving() bool {
	return s.leads() || s.Mode == "follower" || s.Mode == "observer"
}

// leads reports whether the server leads an ensemble, of one perhaps.
func (s serverStatus) leads() bool { return s.Mode == "leader" || s.Mode == "standalone" }

func newStatusCommand() *cobra.Command {
	var servers, output string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how an ensemble is doing",
		Long: `Show a line for each server of an ensemble. Any one server that gossips knows
all others; without gossip, name all of them. The exit code is 0 if there is a
quorum, and 1 if there is none.`,
		Example: `  quorate status
  quorate status -s zk1:2181,zk2:2181 -o json`,
		Args: exactArgs(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usageError{fmt.Errorf("-o %q: want table or json", output)}
			}
			list, err := surveyEnsemble(c.Context(), strings.Split(servers, ","))
			if err != nil {
				if output == "json" {
					_, _ = fmt.Fprintln(c.OutOrStdout(), "[]")
				}
				return err
			}
			if err := printStatus(c.OutOrStdout(), list, output); err != nil {
				return err
			}
			if !hasQuorum(list) {
				return quietError{errors.New("no quorum")}
			}
			return nil
		},
	}
	c.Flags().StringVarP(&servers, "server", "s", "127.0.0.1:2181", "client addresses of one or more servers, host:port,…")
	c.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return c
}

// hasQuorum reports whether there is a leader that serves. It serves only while
// a quorum follows it.
func hasQuorum(list []serverStatus) bool {
	return slices.ContainsFunc(list, serverStatus.leads)
}

// surveyEnsemble asks the given servers whom they know, and then everybody.
func surveyEnsemble(ctx context.Context, addrs []string) ([]serverStatus, error) {
	known := map[int64]serverStatus{}
	var faults []error
	for _, addr := range addrs {
		addr = strings.TrimSpace(addr)
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return nil, usageError{fmt.Errorf("-s %q: want host:port", addr)}
		}
		members, err := askMembers(ctx, addr)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, m := range members {
			if old, ok := known[m.Sid]; !ok || old.Mode == "down" {
				known[m.Sid] = m
			}
		}
	}
	if len(known) == 0 {
		return nil, errors.Join(faults...)
	}
	var list []serverStatus
	for _, s := range known {
		if s.Client != "" {
			if st, err := askServer(ctx, s.Client); err == nil {
				st.Sid, st.Client = s.Sid, s.Client
				s = st
			} else if s.Mode != "down" {
				s.Mode = "unreachable"
			}
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b serverStatus) int { return int(a.Sid - b.Sid) })
	return list, nil
}

// askMembers asks one server for all that it knows.
func askMembers(ctx context.Context, addr string) ([]serverStatus, error) {
	text, err := fourLetterWord(ctx, addr, "memb")
	switch {
	case err == nil && text == "", errors.Is(err, syscall.ECONNRESET):
		return nil, fmt.Errorf("%s closes the connection without an answer: is it a quorate server? ZooKeeper does not know the word memb, which tells of the others; send it srvr or mntr", addr)
	case err != nil:
		return nil, fmt.Errorf("%s does not answer: %w: is a server running there? (-s names others)", addr, err)
	}
	var list []serverStatus
	for line := range strings.Lines(text) {
		var m memberLine
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			return nil, fmt.Errorf("%s answers %q: is it a quorate server, and is memb in its 4lw.commands.whitelist?", addr, strings.TrimSpace(text))
		}
		s := serverStatus{Sid: m.Sid, Epoch: m.Epoch, Zxid: m.Zxid, Sessions: -1, Znodes: -1, Client: m.Client}
		switch m.State {
		case "LEADING":
			s.Mode = "leader"
		case "FOLLOWING":
			s.Mode = "follower"
		case "OBSERVING":
			s.Mode = "observer"
		case "LOOKING":
			s.Mode = "looking"
		default:
			s.Mode = "down"
		}
		list = append(list, s)
	}
	return list, nil
}

// askServer asks one server about itself.
func askServer(ctx context.Context, addr string) (serverStatus, error) {
	text, err := fourLetterWord(ctx, addr, "mntr")
	if err != nil {
		return serverStatus{}, err
	}
	s := serverStatus{Mode: "looking", Sessions: -1, Znodes: -1, Client: addr, Zxid: "0x0"}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "\t")
		n, err := strconv.ParseInt(value, 10, 64)
		switch key {
		case "zk_server_state":
			s.Mode = value
		case "zk_global_sessions":
			s.Sessions = n
		case "zk_znode_count":
			s.Znodes = n
		case "zk_epoch":
			s.Epoch = n
		case "zk_history_zxid":
			s.Zxid, err = value, nil
		default:
			err = nil
		}
		if err != nil && key != "zk_server_state" {
			return s, fmt.Errorf("%s: mntr says %q", addr, line)
		}
	}
	return s, nil
}

// fourLetterWord sends a word and reads the answer.
func fourLetterWord(ctx context.Context, addr, word string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if d, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(d)
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(bufio.NewReader(conn), 1<<20))
	if err != nil && len(b) == 0 {
		return "", err
	}
	return string(b), nil
}

func printStatus(w io.Writer, list []serverStatus, output string) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, "SID\tMODE\tEPOCH\tZXID\tSESSIONS\tZNODES\tCLIENT")
	number := func(n int64) string {
		if n < 0 {
			return "-"
		}
		return strconv.FormatInt(n, 10)
	}
	for _, s := range list {
		_, _ = fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Sid, s.Mode, number(s.Epoch), s.Zxid, number(s.Sessions), number(s.Znodes), s.Client)
	}
	return tw.Flush()
}
