package znode

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/x500"
	"github.com/quorate/quorate/server/proto"
)

// The schemes that are known (spec client-protocol 5).
const (
	SchemeWorld  = "world"
	SchemeAuth   = "auth" // in ACLs only: every authenticated identity of the connection
	SchemeIP     = "ip"
	SchemeDigest = "digest"
	SchemeX509   = "x509"
	SchemeSASL   = "sasl"
	SchemeSuper  = "super" // of connections only: may do everything
)

// anyone is the only id of scheme world.
const anyone = "anyone"

// aclBytesMax limits the length of a list, encoded, that scheme auth is replaced
// in: a short list may name it many times, each for all identities.
const aclBytesMax = 256 << 10

// IPID returns the identity of a connection from the address, written as Java
// does it: no zone, and of IPv6 all eight groups.
func IPID(addr netip.Addr) proto.ID {
	addr = addr.Unmap().WithZone("")
	text := addr.String()
	if addr.Is6() {
		b := addr.As16()
		groups := make([]string, len(b)/2)
		for i := range groups {
			groups[i] = strconv.FormatUint(uint64(b[2*i])<<8|uint64(b[2*i+1]), 16)
		}
		text = strings.Join(groups, ":")
	}
	return proto.ID{Scheme: SchemeIP, ID: text}
}

// User returns the name that an identity has in whoAmI: of a digest the part
// before the colon, of super none.
func User(id proto.ID) string {
	switch id.Scheme {
	case SchemeDigest:
		user, _, _ := strings.Cut(id.ID, ":")
		return user
	case SchemeSuper:
		return ""
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

// ipv4 parses an address of four numbers. They may have leading zeros, which
// mean nothing, and a sign: that is what ZooKeeper takes, so lists have it.
func ipv4(text string) (netip.Addr, bool) {
	parts := strings.Split(text, ".")
	var b [4]byte
	if len(parts) != len(b) {
		return netip.Addr{}, false
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || n > 255 {
			return netip.Addr{}, false
		}
		b[i] = byte(n)
	}
	return netip.AddrFrom4(b), true
}

// ipPrefix parses addr or addr/bits.
func ipPrefix(s string) (netip.Prefix, bool) {
	text, bitsText, hasBits := strings.Cut(s, "/")
	addr, ok := ipv4(text)
	if !ok {
		var err error
		if addr, err = netip.ParseAddr(text); err != nil || addr.Zone() != "" {
			return netip.Prefix{}, false
		}
	}
	bits := addr.BitLen()
	if hasBits {
		var err error
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

// validID reports whether a list may name the id, by the scheme's own rules.
func (p *Policy) validID(id proto.ID) bool {
	if !p.has(id.Scheme) {
		return false
	}
	switch id.Scheme {
	case SchemeIP:
		_, ok := ipPrefix(id.ID)
		return ok
	case SchemeDigest: // exactly two parts; empty ones at the end do not count
		parts := strings.Split(strings.TrimRight(id.ID, ":"), ":")
		return len(parts) == 2
	case SchemeX509:
		return x500.Valid(id.ID)
	case SchemeSASL:
		return validPrincipal(id.ID)
	}
	return false
}

// validPrincipal reports whether a sasl id may stand in a list: a plain name, or
// Kerberos's name@realm or name/host@realm.
func validPrincipal(s string) bool {
	name, realm, hasRealm := strings.Cut(s, "@")
	if !hasRealm {
		return true
	}
	return strings.Count(name, "/") <= 1 && !strings.ContainsAny(realm, "/@")
}

// Fixup returns the list that a create or setACL stores: duplicates collapsed,
// scheme auth replaced by the connection's authenticated identities. The code
// is ErrInvalidACL for a list that is empty or becomes too long, or has an entry
// that is malformed, of an unknown scheme or not valid in its scheme, else OK.
// The result may share list.
func (p *Policy) Fixup(list []proto.ACL, ids []proto.ID) ([]proto.ACL, proto.ErrCode) {
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
	expanded := 0 // bytes that scheme auth was replaced by
	for _, a := range list {
		switch {
		case a.Malformed:
			return nil, proto.ErrInvalidACL
		case a.ID.Scheme == SchemeWorld && a.ID.ID == anyone:
			add(a)
		case a.ID.Scheme == SchemeAuth:
			known := false
			for _, id := range ids {
				if !p.proven(id.Scheme) {
					continue
				}
				known = true
				add(proto.ACL{Perms: a.Perms, ID: id})
				if expanded += proto.ACLBytesMin + len(id.Scheme) + len(id.ID); expanded > aclBytesMax {
					return nil, proto.ErrInvalidACL
				}
			}
			if !known {
				return nil, proto.ErrInvalidACL
			}
		case p.validID(a.ID):
			add(a)
		default:
			return nil, proto.ErrInvalidACL
		}
	}
	return out, proto.OK
}
