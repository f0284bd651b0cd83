package check

import (
	"crypto/sha1"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/server/proto"
)

// digestID is who somebody is that has shown "user:password" (spec
// client-protocol 5).
func digestID(auth []byte) proto.ID {
	user, _, _ := strings.Cut(string(auth), ":")
	sum := sha1.Sum(auth)
	return proto.ID{Scheme: "digest", ID: user + ":" + base64.StdEncoding.EncodeToString(sum[:])}
}

// permitted reports whether an ACL lets somebody with these identities do any of
// what the bits say.
func permitted(acl []proto.ACL, perm int32, ids []proto.ID) bool {
	if len(acl) == 0 {
		return true
	}
	for _, a := range acl {
		if a.Perms&perm == 0 {
			continue
		}
		switch a.ID.Scheme {
		case "world":
			if a.ID.ID == "anyone" {
				return true
			}
		case "digest":
			if slices.Contains(ids, a.ID) {
				return true
			}
		case "ip":
			if slices.ContainsFunc(ids, func(id proto.ID) bool { return id.Scheme == "ip" && near(id.ID, a.ID.ID) }) {
				return true
			}
		}
	}
	return false
}

// near reports whether an address lies in what an ACL of scheme ip names: one
// address, or all that begin with the same bits.
func near(address, pattern string) bool {
	if !strings.Contains(pattern, "/") {
		return address == pattern
	}
	prefix, err := netip.ParsePrefix(pattern)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(address)
	return err == nil && prefix.Contains(addr)
}

// validAddress reports whether an ACL of scheme ip may have an id. (Both what an
// address is and what a prefix is, package netip knows better than we.)
func validAddress(id string) bool {
	if strings.Contains(id, "/") {
		_, err := netip.ParsePrefix(id)
		return err == nil
	}
	_, err := netip.ParseAddr(id)
	return err == nil
}

// proven returns the identities that somebody has shown. An address is none.
func proven(ids []proto.ID) []proto.ID {
	if len(ids) > 0 && ids[0].Scheme == "ip" {
		return ids[1:]
	}
	return ids
}

// fixedACL returns what is stored of the ACL that a client wrote: scheme auth
// becomes the client's own identities, duplicates go. ok is false for one that
// is not valid.
func fixedACL(acl []proto.ACL, ids []proto.ID) (fixed []proto.ACL, ok bool) {
	add := func(perms int32, id proto.ID) {
		if a := (proto.ACL{Perms: perms, ID: id}); !slices.Contains(fixed, a) {
			fixed = append(fixed, a)
		}
	}
	for _, a := range acl {
		switch {
		case a.Malformed:
			return nil, false
		case a.ID.Scheme == "auth":
			if len(proven(ids)) == 0 {
				return nil, false
			}
			for _, id := range proven(ids) {
				add(a.Perms, id)
			}
		case a.ID == proto.ID{Scheme: "world", ID: "anyone"}, a.ID.Scheme == "ip" && validAddress(a.ID.ID), a.ID.Scheme == "digest" && userAndHash(a.ID.ID):
			add(a.Perms, a.ID)
		default:
			return nil, false
		}
	}
	return fixed, len(fixed) > 0
}

// userAndHash reports whether an id of scheme digest has exactly two parts, empty
// ones at the end not counted.
func userAndHash(id string) bool {
	return strings.Count(strings.TrimRight(id, ":"), ":") == 1
}

// masked is the ACL as getACL shows it to who may not administer the node.
func masked(acl []proto.ACL) []proto.ACL {
	out := slices.Clone(acl)
	for i, a := range out {
		if a.ID.Scheme == "digest" {
			user, _, _ := strings.Cut(a.ID.ID, ":")
			out[i].ID.ID = user + ":x"
		}
	}
	return out
}
