package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/zkclient"
)

const (
	groupQuota = "Quota"
	systemRoot = "/zookeeper"
	quotaRoot  = systemRoot + "/quota"
	limitNode  = "zookeeper_limits"
	statNode   = "zookeeper_stats"
)

var quotaCommands = []*command{
	{name: "setquota", group: groupQuota, params: "path", short: "Limit a subtree",
		long:    "Beyond a soft limit the server only logs. Hard limits hold if it has enforceQuota.",
		options: []option{{"n", "count", "soft limit of nodes"}, {"b", "bytes", "soft limit of bytes of data"}, {"N", "count", "hard limit of nodes"}, {"B", "bytes", "hard limit of bytes"}},
		example: "setquota -n 1000 /app\nsetquota -N 2000 -B 1000000 /app", paramsMin: 1, paramsMax: 1, paths: 1, run: runSetQuota},
	{name: "listquota", group: groupQuota, params: "path", short: "Print the limits of a subtree, and what it has",
		example: "listquota /app", paramsMin: 1, paramsMax: 1, paths: 1, run: runListQuota},
	{name: "delquota", group: groupQuota, params: "path", short: "Take limits away, all or those named",
		options: []option{{"n", "", "soft limit of nodes"}, {"b", "", "soft limit of bytes"}, {"N", "", "hard limit of nodes"}, {"B", "", "hard limit of bytes"}},
		example: "delquota /app\ndelquota -n /app", paramsMin: 1, paramsMax: 1, paths: 1, run: runDelQuota},
}

// quota has limits or what is used, -1 where there is none (spec client-protocol 2.7).
type quota struct {
	Count     int64 `json:"count"`
	Bytes     int64 `json:"bytes"`
	CountHard int64 `json:"countHardLimit"`
	BytesHard int64 `json:"byteHardLimit"`
}

// encode writes a quota as ZooKeeper since 3.7 does; the odd = is for older readers.
func (q quota) encode() []byte {
	return fmt.Appendf(nil, "count=%d,bytes=%d=;byteHardLimit=%d;countHardLimit=%d", q.Count, q.Bytes, q.BytesHard, q.CountHard)
}

func parseQuota(d []byte) quota {
	q := quota{-1, -1, -1, -1}
	for field := range strings.FieldsFuncSeq(string(d), func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(field, "=")
		n, err := strconv.ParseInt(strings.TrimSuffix(value, "="), 10, 64)
		if err != nil {
			continue
		}
		if at := q.field(name); at != nil {
			*at = n
		}
	}
	return q
}

func (q *quota) field(name string) *int64 {
	switch name {
	case "count", "n":
		return &q.Count
	case "bytes", "b":
		return &q.Bytes
	case "countHardLimit", "N":
		return &q.CountHard
	case "byteHardLimit", "B":
		return &q.BytesHard
	}
	return nil
}

// quotaPath returns the node of a path's quota. Quotas are the ensemble's own, so that
// a chroot hides them.
func (s *Shell) quotaPath(a *args) (string, error) {
	if _, chroot, _ := zkclient.ParseConnectString(s.opt.Servers); chroot != "" {
		return "", usageError{fmt.Sprintf("%s: quotas are outside of the chroot %s: connect without one", a.cmd.name, safe(chroot))}
	}
	switch p := a.params[0]; {
	case p == "/":
		return "", a.wrong("the root has no quota")
	case below(quotaRoot, p):
		return "", a.wrong("cannot set a quota under the path %s", quotaRoot)
	default:
		return quotaRoot + p, nil
	}
}

func runSetQuota(ctx context.Context, s *Shell, a *args) (result, error) {
	at, err := s.quotaPath(a)
	if err != nil {
		return nil, err
	}
	if below(systemRoot, a.params[0]) { // delquota takes away what others have set there
		return nil, a.wrong("the servers' own nodes, %s and those below, have no quota", systemRoot)
	}
	change := quota{-1, -1, -1, -1}
	some := false
	for _, name := range []string{"n", "b", "N", "B"} {
		if !a.has(name) {
			continue
		}
		n, err := a.number(name, -1, 64)
		if err == nil && n < 0 {
			err = a.wrong("-%s %d: a limit is not negative (delquota takes one away)", name, n)
		}
		if err != nil {
			return nil, err
		}
		*change.field(name), some = n, true
	}
	if !some {
		return nil, a.wrong("name at least one limit with -n, -b, -N or -B")
	}
	path := a.params[0]
	if _, err := s.client.Exists(ctx, path, false); err != nil {
		return nil, err
	}
	if err := s.noOtherQuota(ctx, path); err != nil {
		return nil, err
	}
	return s.storeQuota(ctx, path, at, change)
}

// storeQuota writes limits into a new node, or those that change into the present one.
func (s *Shell) storeQuota(ctx context.Context, path, at string, change quota) (result, error) {
	limits := join(at, limitNode)
	if err := makeParents(ctx, s.client, limits); err != nil {
		return nil, err
	}
	_, _, err := s.client.Create(ctx, limits, change.encode(), zkclient.Create{})
	if err == nil {
		_, _, err = s.client.Create(ctx, join(at, statNode), []byte("count=0,bytes=0"), zkclient.Create{})
		return done{Path: path}, err
	}
	if zkclient.Code(err) != nodeExists {
		return nil, err
	}
	old, st, err := s.client.Get(ctx, limits, false)
	if err != nil {
		return nil, err
	}
	q := parseQuota(old)
	for _, name := range []string{"n", "b", "N", "B"} {
		if n := *change.field(name); n >= 0 {
			*q.field(name) = n
		}
	}
	_, err = s.client.Set(ctx, limits, q.encode(), st.Version)
	return done{Path: path}, err
}

// noOtherQuota fails if a node above or below has limits of its own: the server counts
// for one of them only.
func (s *Shell) noOtherQuota(ctx context.Context, path string) error {
	for up := parent(path); up != "/"; up = parent(up) {
		_, err := s.client.Exists(ctx, join(quotaRoot+up, limitNode), false)
		if err == nil {
			return failure(fmt.Sprintf("%s has a parent %s which has a quota", safe(path), safe(up)))
		}
		if zkclient.Code(err) != noNode {
			return err
		}
	}
	err := walk(ctx, s.client, quotaRoot+path, -1, func(level []node) error {
		for _, n := range level {
			if base(n.path) == limitNode && parent(n.path) != quotaRoot+path {
				return failure(fmt.Sprintf("%s has a child %s which has a quota", safe(path), safe(parent(n.path)[len(quotaRoot):])))
			}
		}
		return nil
	})
	if zkclient.Code(err) == noNode {
		return nil
	}
	return err
}

// quotaReport is the result of listquota.
type quotaReport struct {
	Path   string `json:"path"`
	Limits quota  `json:"limits"`
	Used   quota  `json:"used"`
}

func (r quotaReport) text(w io.Writer) {
	limit := func(n int64) string {
		if n < 0 {
			return "none"
		}
		return strconv.FormatInt(n, 10)
	}
	_, _ = fmt.Fprintf(w, "%s\n  nodes: %d, soft limit %s, hard limit %s\n  bytes: %d, soft limit %s, hard limit %s\n", safe(r.Path),
		r.Used.Count, limit(r.Limits.Count), limit(r.Limits.CountHard), r.Used.Bytes, limit(r.Limits.Bytes), limit(r.Limits.BytesHard))
}

func runListQuota(ctx context.Context, s *Shell, a *args) (result, error) {
	at, err := s.quotaPath(a)
	if err != nil {
		return nil, err
	}
	limits, _, err := s.client.Get(ctx, join(at, limitNode), false)
	if zkclient.Code(err) == noNode {
		return nil, failure("quota for " + safe(a.params[0]) + " does not exist.")
	}
	if err != nil {
		return nil, err
	}
	used, _, err := s.client.Get(ctx, join(at, statNode), false)
	if err != nil && zkclient.Code(err) != noNode {
		return nil, err
	}
	return quotaReport{a.params[0], parseQuota(limits), parseQuota(used)}, nil
}

func runDelQuota(ctx context.Context, s *Shell, a *args) (result, error) {
	at, err := s.quotaPath(a)
	if err != nil {
		return nil, err
	}
	limits, st, err := s.client.Get(ctx, join(at, limitNode), false)
	if zkclient.Code(err) == noNode {
		return nil, failure("quota for " + safe(a.params[0]) + " does not exist.")
	}
	if err != nil {
		return nil, err
	}
	if len(a.given) > 0 {
		q := parseQuota(limits)
		for name := range a.given {
			*q.field(name) = -1
		}
		_, err = s.client.Set(ctx, join(at, limitNode), q.encode(), st.Version)
		return done{Path: a.params[0]}, err
	}
	for _, name := range []string{limitNode, statNode} {
		if err := s.client.Delete(ctx, join(at, name), -1); err != nil && zkclient.Code(err) != noNode {
			return nil, err
		}
	}
	for ; at != quotaRoot; at = parent(at) { // what setquota made on the way there
		if err := s.client.Delete(ctx, at, -1); err != nil {
			break
		}
	}
	return done{Path: a.params[0]}, nil
}
