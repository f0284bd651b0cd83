package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/quorate/quorate/server/proto"
)

const groupACL = "Access"

var aclCommands = []*command{
	{name: "getAcl", group: groupACL, params: "path", short: "Print who may do what with a node",
		long:    "One scheme:id:permissions on a line, as setAcl takes them. Permissions are c(reate)\nand d(elete) children, r(ead), w(rite), a(dminister: setAcl).",
		options: []option{optStat}, example: "getAcl /app    # world:anyone:cdrwa", paramsMin: 1, paramsMax: 1, paths: 1, run: runGetACL},
	{name: "setAcl", group: groupACL, params: "path acl", short: "Change who may do what with a node",
		long:    "The acl is scheme:id:permissions, with commas between several.",
		options: []option{optStat, {"v", "version", "only if the ACL has this version (aclVersion of stat)"}, {"R", "", "the whole subtree"}},
		example: "setAcl /app world:anyone:r,auth::cdrwa   # all may read, I may do all\nsetAcl -R /app ip:10.0.0.0/8:cdrw", paramsMin: 2, paramsMax: 2, paths: 1, run: runSetACL},
	{name: "addauth", group: groupACL, params: "scheme [auth]", short: "Say who you are",
		long:    "The history does not keep it.",
		example: "addauth digest user:password", paramsMin: 1, paramsMax: 2, run: runAddAuth},
	{name: "whoami", group: groupACL, short: "Print the identities of the connection", example: "whoami", run: runWhoAmI},
}

// permissionLetters are in zkCli's order.
var permissionLetters = []struct {
	letter byte
	perm   int32
}{{'c', proto.PermCreate}, {'d', proto.PermDelete}, {'r', proto.PermRead}, {'w', proto.PermWrite}, {'a', proto.PermAdmin}}

func formatPermissions(perms int32) string {
	var b []byte
	for _, p := range permissionLetters {
		if perms&p.perm != 0 {
			b = append(b, p.letter)
		}
	}
	return string(b)
}

func parsePermissions(s string) (perms int32, ok bool) {
	for i := range len(s) {
		known := false
		for _, p := range permissionLetters {
			if s[i] == p.letter {
				perms, known = perms|p.perm, true
			}
		}
		if !known {
			return 0, false
		}
	}
	return perms, true
}

// parseACL takes scheme:id:perms,scheme:id:perms apart. An id may have colons (IPv6)
// and commas (x509 names): a comma ends an entry only behind permissions.
func parseACL(a *args, s string) ([]proto.ACL, error) {
	var list []proto.ACL
	entry := ""
	for piece := range strings.SplitSeq(s, ",") {
		if entry != "" {
			entry += ","
		}
		entry += piece
		if e, ok := parseACLEntry(entry); ok {
			list = append(list, e)
			entry = ""
		}
	}
	if entry != "" || len(list) == 0 {
		return nil, a.wrong("%q does not have the form scheme:id:perm, with perm of the letters cdrwa", safe(entry))
	}
	return list, nil
}

// parseACLEntry takes scheme:id:perms apart. The id may have colons.
func parseACLEntry(s string) (proto.ACL, bool) {
	first, last := strings.IndexByte(s, ':'), strings.LastIndexByte(s, ':')
	if first == last {
		return proto.ACL{}, false
	}
	perms, ok := parsePermissions(s[last+1:])
	return proto.ACL{Perms: perms, ID: proto.ID{Scheme: s[:first], ID: s[first+1 : last]}}, ok
}

// aclEntry is an ACL entry in JSON.
type aclEntry struct {
	Scheme string `json:"scheme"`
	ID     string `json:"id"`
	Perms  string `json:"perms"`
}

func newACL(list []proto.ACL) []aclEntry {
	entries := make([]aclEntry, len(list))
	for i, e := range list {
		entries[i] = aclEntry{e.ID.Scheme, e.ID.ID, formatPermissions(e.Perms)}
	}
	return entries
}

// accessList is the result of getAcl.
type accessList struct {
	Path string     `json:"path"`
	ACL  []aclEntry `json:"acl"`
	Stat *stat      `json:"stat,omitempty"`
}

func (l accessList) text(w io.Writer) {
	for _, e := range l.ACL {
		_, _ = fmt.Fprintf(w, "%s:%s:%s\n", safe(e.Scheme), safe(e.ID), e.Perms)
	}
	l.Stat.text(w)
}

func runGetACL(ctx context.Context, s *Shell, a *args) (result, error) {
	acl, st, err := s.client.ACL(ctx, a.params[0])
	if err != nil {
		return nil, err
	}
	l := accessList{Path: a.params[0], ACL: newACL(acl)}
	if a.has("s") {
		l.Stat = newStat(st)
	}
	return l, nil
}

func runSetACL(ctx context.Context, s *Shell, a *args) (result, error) {
	version, err := a.version()
	if err != nil {
		return nil, err
	}
	acl, err := parseACL(a, a.params[1])
	if err != nil {
		return nil, err
	}
	if !a.has("R") {
		st, err := s.client.SetACL(ctx, a.params[0], acl, version)
		if err != nil {
			return nil, err
		}
		return done{a.params[0], newStat(st), a.has("s")}, nil
	}
	return nil, s.setAllACLs(ctx, a, acl, version)
}

// setAllACLs reads the whole subtree first: the new list may forbid it.
func (s *Shell) setAllACLs(ctx context.Context, a *args, acl []proto.ACL, version int32) error {
	var paths []string
	err := walk(ctx, s.client, a.params[0], -1, func(level []node) error {
		for _, n := range level {
			paths = append(paths, n.path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	report := s.newProgress("setAcl")
	defer report.stop()
	stats := make([]*stat, len(paths))
	err = each(ctx, workers, len(paths), func(ctx context.Context, i int) error {
		st, err := s.client.SetACL(ctx, paths[i], acl, version)
		report.add(1)
		stats[i] = newStat(st)
		return err
	})
	if err != nil || !a.has("s") && !s.opt.JSON {
		return err
	}
	return s.out.print(func(w io.Writer) error {
		for i, p := range paths {
			if err := printResult(w, pathLine{p, stats[i]}, s.opt.JSON); err != nil {
				return err
			}
		}
		return nil
	})
}

func runAddAuth(ctx context.Context, s *Shell, a *args) (result, error) {
	auth := ""
	if len(a.params) > 1 {
		auth = a.params[1]
	}
	return done{}, s.client.AddAuth(ctx, a.params[0], []byte(auth))
}

// identities is the result of whoami.
type identities struct {
	Identities []identity `json:"identities"`
}

type identity struct {
	Scheme string `json:"scheme"`
	User   string `json:"user"`
}

func (l identities) text(w io.Writer) {
	_, _ = fmt.Fprintln(w, "Auth scheme: User")
	for _, i := range l.Identities {
		_, _ = fmt.Fprintf(w, "%s: %s\n", safe(i.Scheme), safe(i.User))
	}
}

func runWhoAmI(ctx context.Context, s *Shell, _ *args) (result, error) {
	list, err := s.client.WhoAmI(ctx)
	if err != nil {
		return nil, err
	}
	r := identities{Identities: []identity{}}
	for _, c := range list {
		r.Identities = append(r.Identities, identity{c.Scheme, c.User})
	}
	return r, nil
}
