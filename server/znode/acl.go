package znode

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/server/proto"
)

// The schemes that are known (spec client-protocol 5).
const (
	SchemeWorld  = "world"
	SchemeAuth   = "auth" // in ACLs only: every authenticated identity of the connection
	SchemeIP     = "ip"
	SchemeDigest = "digest"
	SchemeSuper  = "super" // of connections only: may do everything
)

// anyone is the only id of scheme world.
const anyone = "anyone"

// DigestID returns the identity that the digest scheme gives to a user:
// user:base64(SHA1("user:password")).
func DigestID(user, password string) proto.ID {
	return digestID([]byte(user + ":" + password))
}

func digestID(auth []byte) proto.ID {
	user, _, _ := bytes.Cut(auth, []byte(":"))
	sum := sha1.Sum(auth)
	return proto.ID{Scheme: SchemeDigest, ID: string(user) + ":" + base64.StdEncoding.EncodeToString(sum[:])}
}

// IPID returns the identity of a connection from the address.
func IPID(addr netip.Addr) proto.ID {
	return proto.ID{Scheme: SchemeIP, ID: addr.Unmap().WithZone("").String()}
}

// Authenticate returns the identities that an auth request of a connection from
// addr adds. Digest accepts any user:password. superDigest is the operator's
// user:hash, or empty: who proves to know its password is also super. The code
// is ErrAuthFailed for a scheme that is not known, else OK.
func Authenticate(scheme string, auth []byte, addr netip.Addr, superDigest string) ([]proto.ID, proto.ErrCode) {
	switch scheme {
	case SchemeDigest:
		id := digestID(auth)
		if superDigest != "" && id.ID == superDigest {
			return []proto.ID{{Scheme: SchemeSuper}, id}, proto.OK
		}
		return []proto.ID{id}, proto.OK
	case SchemeIP:
		return []proto.ID{IPID(addr)}, proto.OK
	}
	return nil, proto.ErrAuthFailed
}

// User returns the name that an identity has in whoAmI: of a digest the part
// before the colon.
func User(id proto.ID) string {
	if id.Scheme == SchemeDigest {
		user, _, _ := strings.Cut(id.ID, ":")
		return user
	}
	return id.ID
}

// Mask returns the list as getACL shows it to who has no ADMIN permission:
// digests hidden (ZOOKEEPER-1392). The list itself is not changed.
func Mask(list []proto.ACL) []proto.ACL {
	out := slices.Clone(list)
	for i := range out {
		if out[i].ID.Scheme == SchemeDigest {
			out[i].ID.ID = User(out[i].ID) + ":x"
		}
	}
	return out
}

// Check reports whether a connection with these identities may do what the
// permission bits say, any of them, to a node with this list. An empty list
// allows everything, and so does an identity of scheme super.
func Check(list []proto.ACL, perm int32, ids []proto.ID) bool {
	if len(list) == 0 {
		return true
	}
	for i := range list {
		if list[i].Perms&perm != 0 && list[i].ID.Scheme == SchemeWorld && list[i].ID.ID == anyone {
			return true
		}
	}
	for _, id := range ids {
		if id.Scheme == SchemeSuper {
			return true
		}
		for i := range list {
			if list[i].Perms&perm != 0 && list[i].ID.Scheme == id.Scheme && matches(id, list[i].ID.ID) {
				return true
			}
		}
	}
	return false
}

// matches reports whether an ACL's id of the same scheme means the identity.
func matches(id proto.ID, want string) bool {
	switch id.Scheme {
	case SchemeIP:
		addr, err := netip.ParseAddr(id.ID)
		prefix, ok := ipPrefix(want)
		return err == nil && ok && prefix.Contains(addr.Unmap())
	case SchemeDigest:
		return id.ID == want
	}
	return false
}

// ipPrefix parses addr or addr/bits.
func ipPrefix(s string) (netip.Prefix, bool) {
	text, bitsText, hasBits := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits := addr.BitLen()
	if hasBits {
		if bits, err = strconv.Atoi(bitsText); err != nil || bits < 0 {
			return netip.Prefix{}, false
		}
	}
	if addr.Is4In6() { // connections have the IPv4 form
		addr, bits = addr.Unmap(), max(bits-96, 0)
	}
	prefix, err := addr.Prefix(bits)
	return prefix, err == nil
}

// validID reports whether an ACL may name the id, by the scheme's own rules.
func validID(id proto.ID) bool {
	switch id.Scheme {
	case SchemeIP:
		_, ok := ipPrefix(id.ID)
		return ok
	case SchemeDigest: // exactly two parts; empty ones at the end do not count
		parts := strings.Split(strings.TrimRight(id.ID, ":"), ":")
		return len(parts) == 2
	}
	return false
}

// Fixup returns the list that a create or setACL stores: duplicates collapsed,
// scheme auth replaced by the connection's authenticated identities. The code
// is ErrInvalidACL for a list that is empty or has an entry that is malformed,
// of an unknown scheme or not valid in its scheme, else OK. The result may
// share list.
func Fixup(list []proto.ACL, ids []proto.ID) ([]proto.ACL, proto.ErrCode) {
	if isOpen(list) {
		return proto.OpenACL, proto.OK
	}
	if len(list) == 0 {
		return nil, proto.ErrInvalidACL
	}
	out := make([]proto.ACL, 0, len(list))
	seen := make(map[proto.ACL]struct{}, len(list))
	add := func(a proto.ACL) {
		if _, ok := seen[a]; !ok {
			seen[a] = struct{}{}
			out = append(out, a)
		}
	}
	for _, a := range list {
		switch {
		case a.Malformed:
			return nil, proto.ErrInvalidACL
		case a.ID.Scheme == SchemeWorld && a.ID.ID == anyone:
			add(a)
		case a.ID.Scheme == SchemeAuth:
			known := false
			for _, id := range ids {
				if id.Scheme == SchemeDigest {
					add(proto.ACL{Perms: a.Perms, ID: id})
					known = true
				}
			}
			if !known {
				return nil, proto.ErrInvalidACL
			}
		case validID(a.ID):
			add(a)
		default:
			return nil, proto.ErrInvalidACL
		}
	}
	return out, proto.OK
}
