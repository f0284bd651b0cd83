package zkclient

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// defaultPort is where clients find a server that is named without a port.
const defaultPort = 2181

// ParseConnectString takes ZooKeeper's host:port,host:port/chroot apart. A port that
// is not given is 2181; an IPv6 address with a port stands in brackets. The chroot
// is empty or an absolute path other than "/".
func ParseConnectString(s string) (servers []string, chroot string, err error) {
	list := s
	if i := strings.IndexByte(s, '/'); i >= 0 {
		list, chroot = s[:i], s[i:]
	}
	if chroot == "/" {
		chroot = ""
	}
	if err := checkChroot(chroot); err != nil {
		return nil, "", fmt.Errorf("connect string %q: %w", s, err)
	}
	for _, part := range strings.Split(list, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			return nil, "", fmt.Errorf("connect string %q: a server's address is empty: want host:port,host:port/chroot", s)
		}
		addr, err := parseServer(part)
		if err != nil {
			return nil, "", fmt.Errorf("connect string %q: %w", s, err)
		}
		servers = append(servers, addr)
	}
	return servers, chroot, nil
}

func checkChroot(chroot string) error {
	if chroot == "" {
		return nil
	}
	for _, name := range strings.Split(chroot[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return fmt.Errorf("the chroot %q is no path: want /name/name", chroot)
		}
	}
	return nil
}

// parseServer makes host:port of one server's name.
func parseServer(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		// Without a port: a name, an IPv4 address, or an IPv6 address with or without brackets.
		bare := s
		if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
			bare = s[1 : len(s)-1]
		}
		if strings.Contains(bare, ":") && net.ParseIP(bare) == nil || strings.ContainsAny(bare, "[]") {
			return "", fmt.Errorf("%q: want host:port, or [address]:port for IPv6", s)
		}
		return net.JoinHostPort(bare, strconv.Itoa(defaultPort)), nil
	}
	if host == "" {
		return "", fmt.Errorf("%q has no host: want host:port", s)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("%q: the port must be a number from 1 to 65535", s)
	}
	return net.JoinHostPort(host, port), nil
}

var errRelativePath = errors.New("a path must begin with /")

// full returns the server's name for a path of the caller's.
func (c *Client) full(path string) (string, error) {
	switch {
	case !strings.HasPrefix(path, "/"):
		return "", errRelativePath
	case c.chroot == "":
		return path, nil
	case path == "/":
		return c.chroot, nil
	}
	return c.chroot + path, nil
}

// strip returns the caller's name for a path of the server's. One outside of the
// chroot stays as it is.
func (c *Client) strip(path string) string {
	if path == "" {
		return ""
	}
	rest, ok := strings.CutPrefix(path, c.chroot)
	switch {
	case ok && rest == "":
		return "/"
	case ok && rest[0] == '/':
		return rest
	}
	return path
}
