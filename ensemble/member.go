package ensemble

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Addr is one address of a server: a host name or IP literal with the quorum
// port and the election port.
type Addr struct {
	Host         string
	QuorumPort   int
	ElectionPort int
}

// Quorum returns host:port of the quorum port, IPv6 in brackets.
func (a Addr) Quorum() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.QuorumPort)) }

// Election returns host:port of the election port, IPv6 in brackets.
func (a Addr) Election() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.ElectionPort)) }

// Member is one server of an ensemble: one line server.N=….
type Member struct {
	ID       ServerID
	Addrs    []Addr // at least one; several with multiAddress
	Observer bool
	// Client is host:port for clients as written behind the ';', or empty.
	// A bare port is completed to 0.0.0.0:port, as ZooKeeper prints it.
	Client string
	// Group and Weight belong to the hierarchical quorum system. Group 0 means
	// none; Weight is 1 unless a weight.N line says otherwise.
	Group  int64
	Weight int64
}

// ParseMember parses the value of a server.N= line:
//
//	host:quorumPort:electionPort[|host:q:e…][:participant|:observer][;[clientHost:]clientPort]
//
// IPv6 literals stand in brackets. An error names the part that is wrong.
func ParseMember(id ServerID, value string) (Member, error) {
	m := Member{ID: id, Weight: 1}
	if id < 0 {
		return m, fmt.Errorf("server.%d: the id must not be negative", id)
	}
	fail := func(format string, args ...any) (Member, error) {
		return m, fmt.Errorf("server.%d=%s: %s", id, value, fmt.Sprintf(format, args...))
	}
	peer, client, hasClient := strings.Cut(value, ";")
	for i, part := range strings.Split(strings.TrimSpace(peer), "|") {
		fields, err := splitHostFields(part)
		if err != nil {
			return fail("%v", err)
		}
		if len(fields) == 4 {
			switch strings.ToLower(fields[3]) {
			case "observer":
				m.Observer = true
			case "participant":
			default:
				return fail("role %q: want participant or observer", fields[3])
			}
			fields = fields[:3]
		}
		if len(fields) != 3 {
			return fail("address %d is %q: want host:quorumPort:electionPort", i+1, part)
		}
		a := Addr{Host: fields[0]}
		if a.QuorumPort, err = parsePort(fields[1]); err != nil {
			return fail("quorum port: %v", err)
		}
		if a.ElectionPort, err = parsePort(fields[2]); err != nil {
			return fail("election port: %v", err)
		}
		if a.QuorumPort == a.ElectionPort {
			return fail("quorum port and election port are both %d; they must differ", a.QuorumPort)
		}
		m.Addrs = append(m.Addrs, a)
	}
	if hasClient {
		c, err := parseClient(strings.TrimSpace(client))
		if err != nil {
			return fail("%v", err)
		}
		m.Client = c
	}
	return m, nil
}

func parseClient(s string) (string, error) {
	fields, err := splitHostFields(s)
	if err != nil {
		return "", fmt.Errorf("client address: %w", err)
	}
	if len(fields) == 1 && !strings.HasPrefix(s, "[") {
		fields = []string{"0.0.0.0", fields[0]}
	}
	if len(fields) != 2 {
		return "", fmt.Errorf("client address %q: want [host:]port", s)
	}
	port, err := parsePort(fields[1])
	if err != nil {
		return "", fmt.Errorf("client port: %w", err)
	}
	return net.JoinHostPort(fields[0], strconv.Itoa(port)), nil
}

// splitHostFields splits at colons, keeping a bracketed first field whole.
func splitHostFields(s string) ([]string, error) {
	if !strings.HasPrefix(s, "[") {
		fields := strings.Split(s, ":")
		if fields[0] == "" {
			return nil, fmt.Errorf("%q has an empty host", s)
		}
		return fields, nil
	}
	end := strings.IndexByte(s, ']')
	if end < 0 || net.ParseIP(s[1:end]) == nil {
		return nil, fmt.Errorf("%q: want an IPv6 address between [ and ]", s)
	}
	rest := s[end+1:]
	if rest == "" {
		return []string{s[1:end]}, nil
	}
	if rest[0] != ':' {
		return nil, fmt.Errorf("%q: want ':' behind ']'", s)
	}
	return append([]string{s[1:end]}, strings.Split(rest[1:], ":")...), nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("%q is not a port (1 to 65535)", s)
	}
	return n, nil
}

// String prints the value of the server.N= line as ZooKeeper does, with the
// role always present.
func (m Member) String() string {
	var b strings.Builder
	for i, a := range m.Addrs {
		if i > 0 {
			b.WriteByte('|')
		}
		host := a.Host
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		fmt.Fprintf(&b, "%s:%d:%d", host, a.QuorumPort, a.ElectionPort)
	}
	if m.Observer {
		b.WriteString(":observer")
	} else {
		b.WriteString(":participant")
	}
	if m.Client != "" {
		b.WriteByte(';')
		b.WriteString(m.Client)
	}
	return b.String()
}
